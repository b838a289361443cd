"""`check_editable_generator`: what any generator of anybody's must hold to."""

from __future__ import annotations

import torch
from torch import Tensor

from zoom_engine.errors import ConfigError, one_line
from zoom_engine.generators.generator import EditableGenerator, Renderer

TOLERANCE = 1e-3
"""Of pictures in [-1, 1]: float32 in another order, or a runtime's; a batch that mixes its images moves more."""


def check_editable_generator(generator: object) -> None:
    """Hold ``generator`` to `EditableGenerator`, on three of its pictures. Third parties can run it in their tests.

    Raises:
        ConfigError: one line on the first thing that is wrong.
    """
    name = type(generator).__name__
    if not isinstance(generator, EditableGenerator):
        members = sorted({*vars(EditableGenerator), *vars(Renderer)})
        missing = [name for name in members if not name.startswith("_") and not hasattr(generator, name)]
        raise ConfigError(f"{name} is no generator: it lacks {', '.join(missing)}, see EditableGenerator")
    try:
        with torch.no_grad():
            _check(generator, name)
        if generator.differentiable:
            _check_gradients(generator, name)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ConfigError(f"generator {name} fails: {one_line(error)}") from error


def _check(generator: EditableGenerator, name: str) -> None:
    size, side = generator.space.size, generator.resolution
    codes = generator.sample([0, 1, 2])
    _expect(name, "sample([0, 1, 2])", codes, (3, size))
    if not torch.equal(codes, generator.sample([0, 1, 2])):
        raise ConfigError(f"generator {name}: sample gives other codes for the same seeds")
    latents, drawn = generator.draw(2, torch.Generator().manual_seed(0))
    _expect(name, "draw(2, random)", drawn, (2, size))
    affine = generator.affine_weight()
    width = size if affine is None else affine.shape[-1]
    _expect(name, "draw's latents", latents, (2, width))
    images = generator.render(codes)
    _expect(name, "render(codes)", images, (3, 3, side, side))
    if float(images.abs().max()) > 1:
        raise ConfigError(f"generator {name}: render reaches {float(images.abs().max()):.3g}; images lie in [-1, 1]")
    if not torch.allclose(generator.render(codes[1:2]), images[1:2], atol=TOLERANCE):
        raise ConfigError(f"generator {name}: a picture changes with the others of its batch")
    weights = torch.tensor([[0.0], [0.5], [-0.5]], device=codes.device)
    directions = (codes[:1] - codes[2:]).contiguous()
    edited = generator.render(codes, weights, directions)
    if not torch.allclose(edited, generator.render(codes + weights @ directions), atol=TOLERANCE):
        raise ConfigError(f"generator {name}: render(codes, w, d) is not render(codes + w @ d)")


def _check_gradients(generator: EditableGenerator, name: str) -> None:
    codes = generator.sample([0, 1])
    weights = torch.zeros(2, 1, device=codes.device, requires_grad=True)
    with torch.enable_grad():
        images = generator.render(codes, weights, (codes[1:] - codes[:1]).contiguous())
        if not images.requires_grad:
            raise ConfigError(f"generator {name}: differentiable is true, but no gradient reaches the edit weights")
        (gradient,) = torch.autograd.grad(images.square().sum(), weights)
    if not bool(gradient.isfinite().all()):
        raise ConfigError(f"generator {name}: its gradient is not finite")


def _expect(name: str, what: str, found: object, shape: tuple[int, ...]) -> None:
    if not isinstance(found, Tensor) or tuple(found.shape) != shape or found.dtype != torch.float32:
        seen = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ConfigError(f"generator {name}: {what} must be float32 {list(shape)}, not {seen}")
    if not bool(found.isfinite().all()):
        raise ConfigError(f"generator {name}: {what} holds NaN or infinity")
