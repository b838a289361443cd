"""Ground truth kept: a share of flips is told with the probe's errors taken out, and with an interval that holds."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def truth_kept() -> ModuleType:
    import truth_kept  # its folder is on the path for a test at a time

    return truth_kept


def flips(
    share: float, images: int, seed: int, *, still: float = 0.05, moved: float = 0.9
) -> list[tuple[str, bool, float, float]]:
    """Flips of which that share keeps the truth, one to three of an image, as the probe sees them."""
    random = np.random.default_rng(seed)
    result = []
    for image in range(images):
        keeps = random.random() < share
        for _ in range(random.integers(1, 4)):
            result.append((f"avatars {image}", bool(random.random() < (still if keeps else moved)), still, moved))
    return result


def test_the_errors_of_the_probe_are_taken_out(truth_kept: ModuleType) -> None:
    result = truth_kept.shares(flips(0.8, 600, 0))
    assert result["seen"] == pytest.approx(0.2 * 0.9 + 0.8 * 0.05, abs=0.04)
    assert result["kept"] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_the_interval_holds_the_share_of_flips_that_keep_the_truth(truth_kept: ModuleType, share: float) -> None:
    ends = [truth_kept.shares(flips(share, 20, seed))["interval"] for seed in range(60)]
    assert np.mean([low <= share <= high for low, high in ends]) >= 0.93


def test_a_few_flips_without_a_change_do_not_show_that_all_keep_the_truth(truth_kept: ModuleType) -> None:
    few = truth_kept.shares([(f"pets {image}", False, 0.0, 1.0) for image in range(4)])
    assert few["kept"] == 1.0
    low, high = few["interval"]
    assert high == 1.0
    assert low == pytest.approx(0.025 ** (1 / 4), abs=0.02), "as exact intervals of a proportion have it"


def test_flips_of_one_image_say_no_more_than_one(truth_kept: ModuleType) -> None:
    one, many = (
        [(image, False, 0.0, 1.0) for image in images] for images in (["pets 0"] * 8, [f"pets {i}" for i in range(8)])
    )
    assert truth_kept.shares(one)["interval"][0] < 0.1 < truth_kept.shares(many)["interval"][0]


def test_without_flips_nothing_is_said(truth_kept: ModuleType) -> None:
    assert truth_kept.added_up({"avatars:eyeglasses": {"by_flip": []}}) == {
        "flips": 0,
        **dict.fromkeys(("seen", "still", "kept", "interval")),
    }
