"""The line that everything hangs on: codes + edit weights @ directions → images."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Synthesize = Callable[[Tensor], Tensor]
"""Styles ``[B, S]`` → images ``[B, 3, R, R]``; a `Synthesizer`, or any function."""


def render(
    synthesize: Synthesize, styles: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None
) -> Tensor:
    """Images float32 ``[B, 3, R, R]`` in [-1, 1] of ``styles [B, S]``, edited by ``edit_weights [B, N]`` along
    ``directions [N, S]`` where both are given; differentiable as ``synthesize`` is.

    The only place that adds edits to styles, and that clamps: what is judged is what can be shown.
    """
    if edit_weights is not None and directions is not None:
        styles = styles + edit_weights.to(styles) @ directions.to(styles)
    return synthesize(styles).float().clamp(-1, 1)
