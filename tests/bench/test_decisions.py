"""A target's decisions stay when a runtime makes the pictures instead of torch."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("images", "runtimes"),
    [
        pytest.param(45, ["openvino-fp32", "onnxruntime-fp32"], marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param(2000, ["openvino-bf16", "openvino-fp32", "onnxruntime-fp32"], marks=pytest.mark.experiment),
    ],
)
@pytest.mark.timeout(0)
def test_decisions_stay(images: int, runtimes: list[str]) -> None:
    """At least 99 % of them; a fifth of the pictures or more have a probability in 0.2 to 0.8.

    In full: `python bench/decisions.py`; for bf16 bench/results/decisions-avx512bf16.json is the committed result.
    """
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    from decisions import measure

    results = list(measure(["gender"], runtimes, images))
    assert len(results) == len(runtimes)
    for result in results:
        if "skipped" in result:
            assert "bf16" in result["skipped"]
        else:
            assert result["near_boundary"] >= 0.2
            assert result["unchanged"] >= 0.99
