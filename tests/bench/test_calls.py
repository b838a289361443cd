"""What is said of calls follows from the audits and the truth, pair by pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from audits import searches

from zoom_engine.audit.manifest import Manifest
from zoom_engine.statistics.diagnosis import Diagnosis

PROMPTS = {"smiling": "a smiling face", "pale_skin": "a face with pale skin", "beard": "a face with a beard"}
TEXTS = [*PROMPTS.values()]


@pytest.fixture
def calls() -> ModuleType:
    import calls  # its folder is on the path for a test at a time

    return calls


@pytest.fixture
def diagnosis() -> Diagnosis:
    """An audit of a target with an effect of the second attribute; a prompt that names nothing moves it too."""
    texts = dict(zip(dict.fromkeys(record.attribute for record in searches(0, 0, 0, images=1)), TEXTS, strict=True))
    of_attributes = [
        replace(record, attribute=texts[record.attribute]) for record in searches(0.0, 0.3, 0.0, noise=0.004)
    ]
    baseline = [
        replace(record, attribute=None, baseline=j, change=0.005 if j < 2 else 0.3)
        for record in of_attributes
        if record.attribute == TEXTS[0]
        for j in range(3)
    ]
    config = {
        "mode": "single",
        "search": "scan",
        "attributes": TEXTS,
        "images": 40,
        "random_directions": 2,
        "labels": ["a", "b"],
    }
    config["control_prompts"] = {"prompts": ["the face of the picture"], "every": 1}
    return Diagnosis(Manifest.of(config), (*of_attributes, *baseline))


def test_verdicts_are_counted_by_their_true_effect(calls: ModuleType, diagnosis: Diagnosis) -> None:
    rows = {row.attribute.text: row for row in diagnosis.sensitivity}
    truth = {"one": {"smiling": 0.0, "pale_skin": rows[TEXTS[1]].value, "beard": 0.05}}
    result = calls.judged([("one", diagnosis), ("one", diagnosis)], truth, PROMPTS)
    assert rows[TEXTS[1]].verdict == "sensitive"
    assert sum(result["verdicts"]["0.1 or more"].values()) == 2
    assert set(result["verdicts"]["0.1 or more"]) == {calls.verdict_in_words(rows[TEXTS[1]])}
    assert result["verdicts"]["below 0.02"] == {calls.verdict_in_words(rows[TEXTS[0]]): 2}
    everything = result["intervals"]["all"]
    inside = [rows[text].interval[0] <= truth["one"][name] <= rows[text].interval[1] for name, text in PROMPTS.items()]
    assert everything["at_once"] == pytest.approx(sum(inside) / 3, abs=1e-4)
    assert list(everything["effect"].values()) == sorted(everything["effect"].values())
    assert sum(result["intervals"][size]["pairs"] for size in result["intervals"]) == 2 * everything["pairs"] == 12
    assert list(result["power"]) == ["0.05", "0.1", "0.2", "0.4"]
    beard = rows[TEXTS[2]].verdict == "sensitive"
    assert (result["power"]["0.05"]["observed"], result["power"]["0.05"]["pairs"]) == (float(beard), 2)
    assert result["power"]["0.1"]["observed"] is None


def test_an_audit_that_is_there_is_read(
    calls: ModuleType, diagnosis: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, seed = diagnosis.config.images, diagnosis.config.seed
    diagnosis.save(tmp_path / f"mustache-{seed}")
    monkeypatch.setattr(calls, "Diagnoser", lambda **_: pytest.fail("an audit was made"))
    assert calls.audit(calls.benchmark_of("avatars"), "mustache", seed, images, tmp_path).records == diagnosis.records


def test_a_bias_injected_along_a_side_effect_is_found_there(calls: ModuleType, diagnosis: Diagnosis) -> None:
    """The first attribute's edit has a side effect on the second, 0.6 of its range."""
    (side_effect, first, first_adjusted, without, causing, adjusted), *others = calls.injected_on_side_effects(
        diagnosis
    )
    assert side_effect == pytest.approx(0.6, abs=0.1)
    assert not others
    assert first == first_adjusted == 1.0
    assert causing > without + 0.1
    assert adjusted < 0.3 * causing
    assert calls.judged([("sound", diagnosis)], TRUTH, PROMPTS)["side_effects"]["planted"] == 1
    biased = calls.judged([("x-biased-y", diagnosis)], {"x-biased-y": TRUTH["sound"]}, PROMPTS)
    assert biased["side_effects"] == {"planted": 0}


TRUTH = {"sound": {"smiling": 0.0, "pale_skin": 0.3, "beard": 0.05}}
