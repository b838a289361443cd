"""Losses and SSIM against slow, literal references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from zoom_engine.common.errors import ConfigError
from zoom_engine.evaluation.objectives import SURE, doubtful_labels, label_loss, ssim, structure_loss, zero_shot_labels


def reference_ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Wang 2004 equation by equation, one plane at a time, in double precision, on [0, 1] pixels."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return correlate1d(correlate1d(plane, taps, axis=0), taps, axis=1)[5:-5, 5:-5]

    values = []
    for a, b in zip((x + 1) / 2, (y + 1) / 2, strict=True):
        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
        covariance = blur(a * b) - mean_a * mean_b
        luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        contrast_structure = (2 * covariance + 0.03**2) / (var_a + var_b + 0.03**2)
        values.append((luminance * contrast_structure).mean())
    return float(np.mean(values))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    height=st.integers(11, 30),
    width=st.integers(11, 30),
    noise=st.floats(0, 1),
)
def test_ssim_is_wangs(seed: int, height: int, width: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (2, 3, height, width))
    y = np.clip(x + noise * random.standard_normal(x.shape), -1, 1)
    result = ssim(torch.from_numpy(x).float(), torch.from_numpy(y).float())
    expected = [reference_ssim(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_ssim_of_equal_images_is_one_and_symmetric() -> None:
    x, y = torch.rand(2, 3, 3, 20, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(ssim(x, x), torch.ones(3))
    torch.testing.assert_close(ssim(x, y), ssim(y, x))
    torch.testing.assert_close(structure_loss(x, y), 1 - ssim(x, y))
    assert (ssim(x, y) < 0.5).all()


def test_the_structure_of_a_large_picture_is_seen_from_a_distance() -> None:
    x, y = (torch.rand(2, 3, 512, 512, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (0, 1))
    small = [image.view(2, 3, 256, 2, 256, 2).mean(dim=(3, 5)) for image in (x, y)]
    torch.testing.assert_close(structure_loss(x, y), 1 - ssim(*small))
    assert structure_loss(x, x).abs().max() < 1e-6


def test_ssim_gradient() -> None:
    x, y = torch.rand(2, 1, 3, 12, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    assert torch.autograd.gradcheck(lambda a: ssim(a, y), x.requires_grad_(True))


def test_ssim_refuses_images_smaller_than_its_window() -> None:
    with pytest.raises(ConfigError, match="at least 11×11"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


def test_label_loss_is_cross_entropy_to_the_original_label() -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.nn.functional.normalize(torch.randn(5, 8, generator=random), dim=1)
    labels = torch.nn.functional.normalize(torch.randn(3, 8, generator=random), dim=1)
    original = torch.tensor([0, 1, 2, 1, 0])
    result = label_loss(images, labels, original, 10.0)
    for row in range(5):
        logits = [10.0 * float(images[row] @ label) for label in labels]
        expected = np.log(np.sum(np.exp(logits))) - logits[int(original[row])]
        assert result[row].item() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(zero_shot_labels(images, labels), (images @ labels.T).argmax(1))


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), labels=st.integers(2, 4), size=st.floats(1e-4, 0.3))
def test_a_label_without_doubt_stays_under_any_rounding_of_that_size(seed: int, labels: int, size: float) -> None:
    """Row by row and pair by pair, as the docstring says it; no rounding within six deviations turns another label."""
    random = np.random.default_rng(seed)

    def unit(count: int) -> NDArray[np.float64]:
        drawn = random.normal(size=(count, 6))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    images, prompts, rounding = unit(40), unit(labels), size * random.normal(size=(8, 6))
    result = doubtful_labels(*(torch.from_numpy(array) for array in (images, prompts, rounding))).tolist()
    for image, doubtful in zip(images, result, strict=True):
        nearest = int(np.argmax(prompts @ image))
        leads = {}
        for other in set(range(labels)) - {nearest}:
            apart = prompts[nearest] - prompts[other]
            spread = np.sqrt(np.mean((rounding @ apart) ** 2))
            leads[other] = float(apart @ image) / spread
        assert doubtful == any(lead <= SURE for lead in leads.values())
        if doubtful:
            continue
        for row in rounding:  # each of the eight is within √8 deviations for every pair
            assert int(np.argmax(prompts @ (image + row))) == nearest
            assert int(np.argmax(prompts @ (image - 2 * row))) == nearest


def test_labels_that_no_rounding_tells_apart_are_doubtful() -> None:
    prompts = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert doubtful_labels(torch.tensor([[0.6, 0.8]]), prompts, torch.full((3, 2), 1e-3)).tolist() == [True]
