"""Comparison of an exported model with torch on random styles: the relative errors of its outputs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import onnx
import torch
from torch import Tensor

from zoom_engine.common.errors import ExportError
from zoom_engine.generators import StyleGAN2, style_statistics
from zoom_engine.ops.modulation import edited
from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession
from zoom_engine.runtime.openvino_session import OpenVinoSession
from zoom_engine.runtime.session import Session

LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 3e-2}
OUTPUT_LIMITS = {"fp32": 1e-3, "fp16": 5e-2, "bf16": 1e-1}  # of a target's outputs, which can be steeper than pictures
CASES = tuple(itertools.product((1, 3, 8), (1, 5, 20)))  # batch, attributes
STEP = 3.0  # standard deviations that the random edits move the styles by


@dataclasses.dataclass(frozen=True)
class Parity:
    """Relative errors of an exported model, and what computed it.

    Attributes:
        errors: by output, the largest ‖found − wanted‖ / ‖wanted‖ of all cases.
        runtime: what ran the model.
        cases: how many cases there were.
        precision: that of the graph.
    """

    errors: dict[str, float]
    runtime: str
    cases: int
    precision: str

    def check(self, limits: Mapping[str, float]) -> None:
        """Refuse an error above the limit of its output, or one that is not a number.

        Raises:
            ExportError: for the first such error.
        """
        for output, error in self.errors.items():
            limit = limits[output]
            if not error <= limit:
                advice = (
                    "fp32 is the most exact, so no option helps: the graph does not do what torch does; please report"
                    " it with what the model is"
                    if self.precision == "fp32"
                    else f"export it in fp32: that tells whether {self.precision} is too coarse for it"
                )
                raise ExportError(
                    f"{output} of the exported graph differ from torch's by {error:.2e} (relative; allowed are"
                    f" {limit:.0e}): nothing was written; {advice}"
                )


@torch.no_grad()
def measure_parity(
    model: onnx.ModelProto,
    generator: StyleGAN2,
    reference: Callable[[Tensor], dict[str, Tensor]],
    *,
    precision: str,
    directions: Tensor | None,
    seed: int,
    session: Session | None = None,
    cases: Sequence[tuple[int, int]] = CASES,
) -> Parity:
    """Compare `model` with `reference` for each of `cases`.

    Styles are those of random latents, pushed along random directions.

    Args:
        model: the exported model.
        generator: the generator that it draws with.
        reference: edited styles → outputs by name.
        precision: that of the model.
        directions: `[N, S]` that are a constant of the model; they fix the number of attributes.
        seed: of the random styles and directions.
        session: what runs the model; None takes what there is for the precision.
        cases: batch and number of attributes of each.

    Raises:
        BackendError: there is nothing to run it.
    """
    name = "a session of the caller"
    if session is None:
        session, name = _session(model, precision)
    random = torch.Generator().manual_seed(seed)
    std = style_statistics(generator).std.cpu()
    errors: dict[str, float] = {}
    if directions is not None:
        cases = [(batch, len(directions)) for batch in dict.fromkeys(batch for batch, _ in cases)]
    for batch, count in cases:
        z = torch.randn(batch, generator.z_dim, generator=random)
        styles = generator.styles(generator.mapping(z))
        if directions is None:
            matrix = torch.randn(count, len(std), generator=random)
            matrix = STEP * std * matrix / matrix.norm(dim=1, keepdim=True)
            weights = torch.randn(batch, count, generator=random) / count**0.5
        else:
            matrix, weights = directions, STEP * torch.randn(batch, count, generator=random) / count**0.5
        feeds = {"styles": styles, "edit_weights": weights, "edit_directions": matrix}
        taken = {value.name: feeds[value.name] for value in model.graph.input}
        wanted = reference(edited(styles, weights, matrix))
        made = session.run(taken)
        for output in (value.name for value in model.graph.output):
            error = float((made[output].double() - wanted[output].double()).norm() / wanted[output].double().norm())
            errors[output] = max(errors.get(output, 0.0), error) if error == error else float("nan")
    return Parity(errors, name, len(cases), precision)


def _session(model: onnx.ModelProto, precision: str) -> tuple[Session, str]:
    """Open ONNX Runtime, which on the CPU has no bfloat16, else OpenVINO."""
    content = model.SerializeToString()
    if precision == "bf16":
        return OpenVinoSession(content, batched=True), "OpenVINO"
    return OnnxRuntimeSession(content, batched=True), "ONNX Runtime"
