"""`PictureFeatures`: what a picture shows where, in colours and edges; fixed formulas, with no weights to be learnt.

Attributes by examples need a space in which pictures that have something lie apart from others. A text encoder's
embedding is one; where there is none, these features are. They keep places, so the pictures of a generator must show
its things in about the same places, as those of faces or of aligned parts do:

- the colours of 16 × 16 squares, in brightness and two differences of colours;
- in each of 8 × 8 squares, how strong edges of eight orientations are (Dalal and Triggs 2005, *Histograms of Oriented
  Gradients*; the square root of the strengths, so that one bright edge does not hide the others), at two scales.
"""

from __future__ import annotations

import hashlib
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VERSION = 1  # raise it when the features of a picture change
SIDE = 64  # pixels, as they look at a picture
_COLOURS, _CELLS, _ORIENTATIONS = 16, 8, 8
_SCALES = (SIDE, SIDE // 2)
_STEP = 1e-4  # of a gradient: below it an orientation is rounding
_EDGES = 2.0  # how much edges count beside colours


class PictureFeatures(nn.Module):
    """Features `[B, D]` (float32) of pictures; differentiable, and the same for a picture whatever its batch.

    Attributes:
        dim: D.
        image_size: in pixels, the side of the square that is looked at.
        content_hash: SHA-256 (hex) of what defines them.
    """

    dim = 3 * _COLOURS**2 + len(_SCALES) * _ORIENTATIONS * _CELLS**2
    image_size = SIDE
    content_hash = hashlib.sha256(f"picture features {VERSION}".encode()).hexdigest()

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of images `[B, 3, H, W]` in [-1, 1], RGB."""
        pictures = F.interpolate(images.float().clamp(-1, 1), (SIDE, SIDE), mode="bilinear", antialias=True)
        red, green, blue = pictures.unbind(1)
        bright = (red + green + blue)[:, None] / 3
        colours = torch.cat([bright, (red - green)[:, None] / 2, ((red + green) / 2 - blue)[:, None] / 2], dim=1)
        parts = [F.adaptive_avg_pool2d(colours, _COLOURS).flatten(1)]
        for side in _SCALES:
            scaled = F.avg_pool2d(bright, SIDE // side)
            parts.append(_EDGES * _edges(scaled).flatten(1))
        return torch.cat(parts, dim=1) / math.sqrt(self.dim)


def central_differences(bright: Tensor) -> tuple[Tensor, Tensor]:
    """Return the differences of the neighbours across and down, of `[B, 1, S, S]`; beyond a rim it goes on as there."""
    padded = F.pad(bright, (1, 1, 1, 1), mode="replicate")
    return padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2], padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]


def _edges(bright: Tensor) -> Tensor:
    """Compute how strong edges of each orientation are `[B, O, C, C]` in brightness `[B, 1, S, S]`."""
    across, down = (step / 2 for step in central_differences(bright))
    strength = (across.square() + down.square() + _STEP**2).sqrt()
    # Of an orientation θ, cos 2θ and sin 2θ have no jump where an edge is turned by half a turn.
    twice = torch.cat([across.square() - down.square(), 2 * across * down], dim=1) / strength.square()
    angles = torch.arange(_ORIENTATIONS, device=bright.device) * (2 * math.pi / _ORIENTATIONS)
    along = torch.stack([angles.cos(), angles.sin()], dim=1)
    nearness = torch.einsum("bchw,oc->bohw", twice, along).clamp(min=0).square()
    return F.adaptive_avg_pool2d(strength * nearness, _CELLS).clamp(min=1e-8).sqrt()
