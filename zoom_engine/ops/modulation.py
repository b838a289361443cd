"""The small matrix products around a modulated convolution: edits, demodulation and their gradients.

They have no spatial axes and cost next to nothing. The native operators have their own.
"""

from __future__ import annotations

from torch import Tensor

EPSILON = 1e-8


def edited(styles: Tensor, edit_weights: Tensor | None, edit_directions: Tensor | None) -> Tensor:
    """Compute `styles [B, S] + edit_weights [B, N] @ edit_directions [N, S]`, the styles alone where either is None.

    This is how torch injects edits.
    """
    if edit_weights is None or edit_directions is None:
        return styles
    return styles + edit_weights.to(styles) @ edit_directions.to(styles)


def energy(weight: Tensor) -> Tensor:
    """Compute `[Cout, Cin]` of `weight [Cout, Cin, K, K]`: what each input channel adds to an output's variance."""
    return weight.square().sum(dim=(2, 3))


def demodulation(styles: Tensor, energy: Tensor, gain: float = 1.0) -> Tensor:
    """Compute `[B, Cout]` of `[B, Cin]` and `[Cout, Cin]`: gain / ‖modulated weight‖ (Karras 2020, equation 3)."""
    return (styles.square() @ (energy / gain**2).t() + EPSILON / gain**2).rsqrt()


def demodulation_gradient(grad: Tensor, styles: Tensor, energy: Tensor, scale: Tensor) -> Tensor:
    """Compute the gradient to `styles` from the one to `scale = demodulation(styles, energy)`."""
    return -styles * ((grad * scale.pow(3)) @ energy)
