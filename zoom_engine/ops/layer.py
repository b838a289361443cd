"""The arguments of a modulated convolution in one place, and checks that they fit together."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from zoom_engine.ops import modulation

EDITS = ("edit_weights", "edit_directions", "rgb_edit_directions")


class Layer(NamedTuple):
    """The arguments of `zoom_engine.ops.modulated_conv2d`, in their order."""

    x: Tensor
    weight: Tensor
    styles: Tensor
    edit_weights: Tensor | None
    edit_directions: Tensor | None
    noise: Tensor | None
    bias: Tensor | None
    up: bool
    slope: float
    gain: float
    clamp: float | None
    rgb_weight: Tensor | None
    rgb_styles: Tensor | None
    rgb_edit_directions: Tensor | None
    rgb_only: bool

    @property
    def out_shape(self) -> tuple[int, int, int, int]:
        """The shape `[B, Cout, H', W']` of the layer's output."""
        batch, _, height, width = self.x.shape
        factor = 2 if self.up else 1
        return batch, self.weight.shape[0], factor * height, factor * width

    @property
    def rgb_shape(self) -> tuple[int, int, int, int]:
        """The shape `[B, 3, H', W']` of the toRGB's output; no channels where there is no toRGB."""
        batch, _, height, width = self.out_shape
        return batch, 0 if self.rgb_weight is None else self.rgb_weight.shape[0], height, width

    def edited(self) -> Layer:
        """Return the same layer with its edits added to its styles, by torch."""
        edited = self._replace(edit_weights=None, edit_directions=None, rgb_edit_directions=None)
        edited = edited._replace(styles=modulation.edited(self.styles, self.edit_weights, self.edit_directions))
        if self.rgb_styles is None:
            return edited
        rgb_styles = modulation.edited(self.rgb_styles, self.edit_weights, self.rgb_edit_directions)
        return edited._replace(rgb_styles=rgb_styles)

    def composed(self) -> dict[str, Any]:
        """Return the arguments of the same layer for `composition.modulated_conv2d`, whose styles are edited."""
        return {name: value for name, value in self.edited()._asdict().items() if name not in EDITS}

    def check(self) -> None:
        """Refuse arguments that do not fit together.

        Raises:
            ValueError: shapes do not fit together, or a slope, gain or clamp is not positive.
        """
        x, weight = self.x, self.weight
        if x.ndim != 4:
            raise ValueError(f"x must be [B, C, H, W], got {list(x.shape)}")
        if weight.ndim != 4 or weight.shape[1] != x.shape[1] or weight.shape[2:] not in ((1, 1), (3, 3)):
            raise ValueError(f"weight must be [Cout, {x.shape[1]}, K, K] with K 1 or 3, got {list(weight.shape)}")
        if self.up and weight.shape[2] != 3:
            raise ValueError("only a 3×3 convolution doubles the size")
        batch, cout, rows, columns = self.out_shape
        cin = x.shape[1]
        edits = None if self.edit_directions is None else self.edit_directions.shape[0]
        pairs = {
            "edit_weights and edit_directions": (self.edit_weights, self.edit_directions),
            "rgb_weight and rgb_styles": (self.rgb_weight, self.rgb_styles),
        }
        for name, (one, other) in pairs.items():
            if (one is None) != (other is None):
                raise ValueError(f"{name} belong together: give both or neither")
        if self.rgb_edit_directions is not None and (self.edit_weights is None or self.rgb_styles is None):
            raise ValueError("rgb_edit_directions need edit_weights and rgb_styles")
        if self.rgb_only and self.rgb_weight is None:
            raise ValueError("rgb_only leaves nothing to compute without rgb_weight")
        expected: dict[str, tuple[Tensor | None, tuple[int | None, ...]]] = {
            "styles": (self.styles, (batch, cin)),
            "edit_weights": (self.edit_weights, (batch, edits)),
            "edit_directions": (self.edit_directions, (edits, cin)),
            "noise": (self.noise, (rows, columns)),
            "bias": (self.bias, (cout,)),
            "rgb_weight": (self.rgb_weight, (3, cout)),
            "rgb_styles": (self.rgb_styles, (batch, cout)),
            "rgb_edit_directions": (self.rgb_edit_directions, (edits, cout)),
        }
        for name, (tensor, shape) in expected.items():
            if tensor is not None and tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must be {list(shape)}, got {list(tensor.shape)}")
        for name, value in (("slope", self.slope), ("gain", self.gain), ("clamp", self.clamp)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")


SCHEMA = ", ".join(
    f"{hint.__forward_arg__.replace(' | None', '?')} {name}" for name, hint in Layer.__annotations__.items()
)
"""The same for torch's operators, such as "Tensor x, Tensor? noise, bool up"."""
