"""Runtimes make torch's pictures at the sizes that people have, every batch and number of attributes from one file."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("network", "cases"),
    [
        pytest.param("avatars", ((1, 1), (3, 5), (8, 20)), marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param("256-base16384", ((2, 5),), marks=[pytest.mark.slow(34), pytest.mark.ci]),
        pytest.param("256-base16384", ((1, 1), (3, 5), (8, 20)), marks=pytest.mark.experiment),
        pytest.param("256-base32768", ((1, 1), (3, 5), (8, 20)), marks=pytest.mark.experiment),
        pytest.param("1024-config-f", ((1, 1), (3, 5), (8, 20)), marks=pytest.mark.experiment),
    ],
)
def test_pictures_are_torchs(network: str, cases: tuple[tuple[int, int], ...]) -> None:
    """In full: `python bench/parity.py`, whose committed result is bench/results/parity-avx512bf16.json."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    from parity import LIMITS, VARIANTS, measure

    results = list(measure(network, cases))
    assert [result["variant"] for result in results] == list(VARIANTS)
    for result in results:
        if "skipped" in result:
            assert "no bf16 arithmetic" in result["skipped"]
        else:
            assert result["error"] < LIMITS[result["variant"].split("-")[1]], result
