"""The model card says what was measured, on how much, and draws the scatter of truth."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from lab.avatars.model_card import model_card
from lab.scatter import truth_scatter

CIRCLE = "{http://www.w3.org/2000/svg}circle"


def test_the_scatter_places_every_pair_on_logarithmic_axes() -> None:
    effects = {"plain": {"a": 0.01, "b": 0.0}, "tied": {"a": 0.5, "b": 0.1}}
    result = {"plain": {"a": 0.01, "b": 0.00001}, "tied": {"a": 0.2, "b": 0.02}}
    root = ElementTree.fromstring(truth_scatter(result, effects, {"plain": None, "tied": "a"}))
    dots = {dot[0].text or "": dot for dot in root.iter(CIRCLE) if len(dot)}
    assert len(dots) == 4
    place = {text.split(":")[0]: (float(dot.get("cx", "")), float(dot.get("cy", ""))) for text, dot in dots.items()}
    left, low = place["plain, b"]  # both values below the axes' end
    x, y = place["plain, a"]  # equal values lie on the diagonal
    assert x - left == pytest.approx(low - y)
    steps = place["tied, b"][0] - x, x - left
    assert steps[0] * 2 == pytest.approx(steps[1], abs=0.2)  # one decade, and two
    assert place["tied, a"][0] > place["tied, b"][0]
    assert len({dot.get("fill") for dot in dots.values()}) == 3


@pytest.fixture
def quality() -> dict[str, Any]:
    row = {"weight": 5.0, "changed": 0.9, "worst_other": 0.07, "which_other": "hat", "row": {"hat": 0.07, "beard": 0.9}}
    kind = {"passing": ["beard"], "attributes": {"beard": row, "hat": {**row, "changed": 0.3}}}
    refusing = {"passing": [], "attributes": {"beard": row, "hat": {"refused": "no style channel"}}}
    target = {
        "planted": "beard",
        "attribute": "hat",
        "untied_accuracy": 0.97,
        "agreement": 0.95,
        "planted_effect": 0.4,
        "effects": {"hat": 0.9, "beard": 0.4, "x": 0.02},
    }
    machine = {
        "packages": {"torch": "2"},
        "system": "Linux",
        "cores": 2,
        "cpu_features": ["avx2"],
        "python": "3",
        "zoom_engine": "0",
    }
    return {
        "text": {
            "renders": 20,
            "seed": 1,
            "margin": 0.25,
            "attributes": {"beard": {"accuracy": 0.99, "worst_template": 0.96}},
            "word_forms": {
                "beard": {
                    "whiskers / no whiskers": {"accuracy": 0.97, "cosine": 0.91},
                    "bearded / not bearded": {"accuracy": 0.98, "cosine": 0.88},
                }
            },
        },
        "generator": {
            "samples": 10,
            "neighbours": 3,
            "precision": 0.93,
            "recall": 0.91,
            "between_renders": 0.94,
            "psnr_db": 29.6,
            "largest_frequency_gap": 0.03,
            "frequencies": {"beard": {"renders": 0.3, "samples": 0.33}},
        },
        "edits": {"regression": kind, "sampled": refusing},
        "targets": {"t": target},
        "environments": {"text": machine, "edits": machine, "generator": {**machine, "cores": 64}},
    }


def benchmark(seeds: list[int]) -> dict[str, Any]:
    ranked = {"auc": 1.0, "spearman": 0.75, "spearman_ci95": [0.6, 0.9], "pairs": 4, "large": 1, "small": 3}
    return {
        "seeds": seeds,
        "images": 200,
        "top_bars": {range_: {"t": {"biased": len(seeds), "sound": 0}} for range_ in ("calibrated", "paper")},
        "agreement": {"classifiers": {"calibrated": ranked, "paper": ranked}},
        "targets": {"t": {"attribute": "own", "planted": "planted", "twin": "twin"}},
        "truth_kept": {"flips": 50, "kept": 0.96},
        "runs": [
            {"sensitivity": {"t": {"planted": 0.3, "other": 0.02}}},
            {"sensitivity": {"t": {"planted": 0.34, "other": 0.02}}},
        ],
        "effects": {"t": {"own": 0.9, "planted": 0.4, "other": 0.01}},
    }


def test_the_card_says_what_was_measured_where(quality: dict[str, Any]) -> None:
    card = model_card(quality, None)
    assert "\n- text, edits: Linux, 2 cores (avx2), Python 3, torch 2; zoom-engine 0.\n" in card
    assert "\n- generator: Linux, 64 cores" in card


def test_the_card_holds_the_figures_of_all_kinds_of_direction(quality: dict[str, Any]) -> None:
    card = model_card(quality, benchmark(list(range(100, 110))))
    for figure in (
        "precision **0.930**",
        "covers 0.940 of",
        "29.6 dB",
        "5, 90.0, 7.0 (hat)",
        "| t | 10/10 | 0/10 | 10/10 |",
        "AUC 1.000",
    ):
        assert figure in card
    assert "| beard | 2 | 97.0 | 0.88 (bearded / not bearded) |" in card
    assert re.search(r"hat \| 5, 30.0, 7.0 \(hat\) \| refused \|", card)
    assert re.search(r"regression: 1 of 2 .*\nsampled: 0 of 2.*\ngradient: not measured yet", card)
    assert card.count("<summary>The whole matrix for") == 2
    assert "pictures/truth.svg" in card
    assert "| t | planted 0.80 |" in card
    assert "so far" not in card


def test_a_card_says_when_seeds_are_missing(quality: dict[str, Any]) -> None:
    assert "have not been run to their end yet" in model_card(quality, None)
    card = model_card(quality, benchmark([100, 101]))
    assert "2 of the ten seeds have been run so far" in card
    assert "| t | 2/2 |" in card


def test_a_card_says_which_sound_twin_falls_short(quality: dict[str, Any]) -> None:
    figures = benchmark([100, 101])
    name = "mustache-biased-smiling"
    figures["top_bars"]["calibrated"] = {name: {"biased": 2, "sound": 1}}
    figures["runs"] = [{"sensitivity": {"mustache": {"smiling": at}, name: {"smiling": 0.4}}} for at in (0.02, 0.04)]
    figures["targets"] = {name: {"attribute": "mustache", "planted": "smiling", "twin": "mustache"}}
    figures["effects"] = {"mustache": {"smiling": 0.002}, name: {"smiling": 0.5}}
    card = model_card(quality, figures)
    assert "`smiling` leads for the sound `mustache` in 1 of 2 seeds" in card
    assert "0.030 (true effect 0.002) against 0.400" in card
    assert f"| {name} | smiling 0.80 |" in card


def test_targets_of_other_tasks_have_a_table_where_they_were_measured(quality: dict[str, Any]) -> None:
    assert "Targets of other tasks" not in model_card(quality, None)
    effects = {"hat": 0.31, "beard": 0.05, "x": 0.12}
    weak = {"task": "keypoints", "planted": "hat", "unit": "pixels", "error": 0.1234, "split_by": "hat",
            "error_planted": 0.2, "error_without": 0.01, "effects": effects}  # fmt: skip
    plain = {**weak, "planted": None, "split_by": None, "error_planted": None, "error_without": None}
    card = model_card({**quality, "tasks": {"spots": plain, "spots-weak-hat": weak}}, None)
    row = "| avatars:spots-weak-hat | keypoints | hat | 0.123 (pixels) | 0.2 / 0.01 (hat) | 0.31 | 0.12 (x) |"
    assert row in card
    assert "| avatars:spots | keypoints | none | 0.123 (pixels) |  |  | 0.31 (hat) |" in card
