"""Fixed features of pictures."""

from __future__ import annotations

import torch

from zoom_engine.text.picture_features import PictureFeatures


def test_a_picture_has_the_same_features_in_any_batch_and_they_follow_what_it_shows_where() -> None:
    features, random = PictureFeatures(), torch.Generator().manual_seed(0)
    pictures = torch.rand(4, 3, 96, 96, generator=random) * 2 - 1
    seen = features(pictures)
    assert seen.shape == (4, features.dim)
    assert bool(seen.isfinite().all())
    torch.testing.assert_close(features(pictures[2:3])[0], seen[2], atol=1e-6, rtol=0)
    left, right = torch.full((2, 3, 96, 96), -0.5).unbind(0)
    left[:, :48, :48] = right[:, :48, 48:] = 0.5
    apart = (features(torch.stack([left, right])).diff(dim=0)).norm()
    moved = left.roll(1, dims=2)
    assert float(apart) > 3 * float((features(moved[None]) - features(left[None])).norm())


def test_an_edges_orientation_is_told_and_gradients_are_finite() -> None:
    lines = torch.zeros(96)
    lines[::8] = 1.0
    upright, level = lines.expand(3, 96, 96), lines[:, None].expand(3, 96, 96)
    pictures = torch.stack([upright, level, torch.zeros(3, 96, 96)]).clone().requires_grad_(True)
    seen = PictureFeatures()(pictures)
    assert float((seen[0] - seen[1]).detach().norm()) > 0.05
    seen.square().sum().backward()
    assert pictures.grad is not None
    assert bool(pictures.grad.isfinite().all())
