"""Registration of functions as operators of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch

NAMESPACE = "zoom_engine"


def operator(
    name: str,
    schema: str,
    *,
    fake: Callable[..., Any],
    gradients: Callable[..., Any] | None = None,
    save: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Make a decorator that registers a function for every device as `torch.ops.zoom_engine.NAME`, and returns that.

    `torch.library.custom_op` registers the same, but has torch's compiler imported when the operator is first called:
    more than a second, in which nothing is compiled.

    Args:
        name: the operator's.
        schema: what it takes and returns; it changes and returns none of what it takes.
        fake: makes its outputs of tensors without data.
        gradients: of the context and the outputs' gradients, as `torch.library.register_autograd` has it; without it a
            backward pass through the operator is a RuntimeError.
        save: keeps what `gradients` needs.
    """

    def register(function: Callable[..., Any]) -> Any:
        qualified = f"{NAMESPACE}::{name}"
        torch.library.define(qualified, schema, tags=(torch.Tag.pt2_compliant_tag,))
        torch.library.impl(qualified, "default", function)
        torch.library.register_fake(qualified, fake)

        def none(*_: object) -> NoReturn:
            raise RuntimeError(f"{qualified} has no gradients")

        torch.library.register_autograd(qualified, gradients or none, setup_context=save)
        return getattr(getattr(torch.ops, NAMESPACE), name).default

    return register
