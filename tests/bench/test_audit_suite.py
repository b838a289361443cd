"""The audit suite measures audits beside the reference's loop, and its gate fails for what became slower alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import Function, small_encoder, spread_generator
from torch import Tensor

from zoom_engine import Diagnoser, load_text_encoder
from zoom_engine.targets import BinaryTask, Target

CHOICE = ("--suite", "audit", "--cases", "32-single-b2", "--variants", "baseline,pgd", "--repeats", "1")
SEARCHED = (2, 4, 8)  # steps, where what they cost is not what is asked


def contrast(colours: Tensor) -> Tensor:
    return 20 * (colours[:, 0] - colours[:, 2])


@pytest.fixture(autouse=True)
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that take milliseconds; cases' other numbers stay as they are."""
    import audit_suite
    import worlds

    generator = spread_generator()
    target = Target(Function(contrast), name="contrast", task=BinaryTask())
    torch.manual_seed(0)
    encoder = small_encoder()
    names = ("a face with bangs", "a smiling face", "a face with a beard")
    directions = worlds.made_up_directions(generator, encoder, names)
    world = worlds.World(generator, target, encoder, worlds.LABELS, directions, trained=False)
    monkeypatch.setattr(audit_suite, "world_of", lambda case, cache, device: world.of(case.attributes))


@pytest.fixture
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    import audit_suite

    monkeypatch.setattr(audit_suite, "SEARCHED", SEARCHED)


def run(path: Path, *arguments: str) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    """The exit code, and the results in the file by case and variant."""
    from throughput import main

    code = main([*CHOICE, "--json", str(path), *arguments])
    rows = json.loads(path.read_text())["results"] if path.exists() else []
    return code, {(row["case"], row["variant"]): row for row in rows}


@pytest.mark.parametrize(
    ("case", "result"),
    [
        ("256-step", (256, "step", 1, 8)),
        ("1024-multi32", (1024, "multi", 32, 4)),
        ("64-single-b3", (64, "single", 1, 3)),
        ("avatars-single", (0, "single", 1, 8)),
    ],
)
def test_cases_are_read(case: str, result: tuple[int, str, int, int]) -> None:
    from audit_suite import case_of

    assert tuple(case_of(case)) == result


@pytest.mark.parametrize("case", ["256", "100-step", "256-multi", "256-multi33", "256-step-b0", "avatars-step"])
def test_others_are_refused(case: str) -> None:
    from audit_suite import case_of

    with pytest.raises(ValueError, match="'"):
        case_of(case)


@pytest.mark.slow(20)
@pytest.mark.ci
def test_rows_say_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {"32-step-b2": "*", "32-single-b2": "baseline,pgd,scan", "32-multi3-b2": "scan"}
    for case, variants in cases.items():
        code, rows = run(tmp_path / "out.json", "--cases", case, "--variants", variants, "--repeats", "2")
        assert code == 0
    assert len(rows) == 5 + 3 + 1
    step, single = rows["32-step-b2", "pgd"], rows["32-single-b2", "pgd"]
    assert step["unit"] == "gradient step"
    assert step["extrapolated"] is None
    assert single["extrapolated"] == "24 of 100 steps"
    assert single["seconds"] > 20 * step["seconds"]
    assert rows["32-single-b2", "baseline"]["extrapolated"] == "2 of 100 steps"
    scan = rows["32-single-b2", "scan"]
    assert scan["evaluations"] >= 4
    assert scan["ratio"] == pytest.approx(rows["32-single-b2", "baseline"]["seconds"] / scan["seconds"], rel=0.01)
    assert len(scan["rounds"]) == 2
    assert rows["32-step-b2", "scan"]["skipped"] == "scan takes no gradient steps"
    assert "multi mode" in rows["32-multi3-b2", "scan"]["skipped"]
    machine = json.loads((tmp_path / "out.json").read_text())["machine"]
    assert machine["instruction_set"]
    assert "of 100" not in capsys.readouterr().err


def test_a_step_has_its_own_price() -> None:
    from audit_suite import Audited, step_price

    def audited(steps: int, again: int) -> Audited:
        return Audited(steps, steps + again, 0.2 * steps + 0.1 * again + 1)

    assert step_price([audited(2, 2), audited(8, 7), audited(24, 11)]) == pytest.approx(0.2)
    assert step_price([audited(2, 0), audited(8, 0), audited(24, 0)]) == pytest.approx(0.2)


@pytest.mark.slow
@pytest.mark.ci
def test_the_paper_and_the_engine_take_the_same_work() -> None:
    import audit_suite

    world = audit_suite.world_of(audit_suite.case_of("32-multi2"), Path(), "cpu")
    assert world.directions.matrix.shape[0] == 2
    result = {
        row["variant"]: row for row in audit_suite.run(["32-multi2-b2"], ["baseline", "sgd"], repeats=1, memory=10**12)
    }
    assert result["baseline"]["evaluations"] == result["sgd"]["evaluations"] == 101


@pytest.mark.slow
@pytest.mark.ci
def test_flips_count_where_weights_are_real(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    import audit_suite

    made_up = audit_suite.world_of(audit_suite.case_of("32-multi3"), Path(), "cpu")
    trained = dataclasses.replace(made_up, trained=True)
    monkeypatch.setattr(audit_suite, "world_of", lambda case, cache, device: trained)
    monkeypatch.setattr(audit_suite, "STEPS", 3)
    rows = list(audit_suite.run(["avatars-single"], ["baseline", "scan"], repeats=1, memory=10**12))
    assert all(row["extrapolated"] is None and 0 <= row["flip_rate"] <= 1 for row in rows)
    audit_suite.settle(rows)
    assert rows[1]["ratio"] == pytest.approx(rows[0]["seconds"] / rows[1]["seconds"], rel=0.01)
    rows[0]["flip_rate"], rows[1]["flip_rate"] = 0.5, 0.4
    audit_suite.settle(rows)
    assert rows[1]["ratio"] is None, "fewer flips are no throughput"


def test_what_does_not_fit_is_skipped() -> None:
    import audit_suite

    (row,) = audit_suite.run(["32-step"], ["pgd"], repeats=1, memory=10**6)
    assert row["skipped"].startswith("needs up to 4 GB")


class Clock:
    """The suite's clock, which goes on for steps of the reference and audits of the engine alone: a test's own machine
    is as noisy as any."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import audit_suite

        self.time, self.audits = 0.0, 0
        self.audit = lambda number: 0.5  # seconds that two evaluations take in the audit of this number
        monkeypatch.setattr(audit_suite, "now", lambda: self.time)
        step, run = audit_suite.ReferenceSearch.step, Diagnoser.run

        def timed_step(search: Any) -> None:
            step(search)
            self.time += 1.0

        def timed_run(*arguments: Any, **options: Any) -> Any:
            self.time += self.audit(self.audits) * (arguments[0].models.search.steps + 1) / 2
            self.audits += 1
            return run(*arguments, **options)

        monkeypatch.setattr(audit_suite.ReferenceSearch, "step", timed_step)
        monkeypatch.setattr(Diagnoser, "run", timed_run)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.usefixtures("short_searches")
def test_the_gate_passes_what_is_as_fast_and_fails_what_is_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    committed = tmp_path / "quick.json"
    _, rows = run(committed)
    assert rows["32-single-b2", "pgd"]["ratio"] == pytest.approx(100 / (0.5 / 2 * 100 / 2), abs=1e-3)
    code, _ = run(tmp_path / "same.json", "--compare", str(committed))
    assert code == 0
    assert "0 of 1 ratios fell below 0.9" in capsys.readouterr().out
    clock.audit = lambda number: 0.6
    code, slow = run(tmp_path / "slow.json", "--compare", str(committed))
    told = capsys.readouterr().out
    assert code == 1
    assert "0.83" in told
    assert "FAILED" in told
    assert "1 of 1 ratios fell below 0.9" in told
    assert len(slow["32-single-b2", "pgd"]["rounds"]) == 1 + 2, "a case that falls is measured once more, and longer"
    code, _ = run(tmp_path / "allowed.json", "--compare", str(committed), "--fail-below", "0.8")
    assert code == 0


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.usefixtures("short_searches")
def test_noise_that_passes_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    committed = tmp_path / "quick.json"
    run(committed)
    begun = clock.audits
    clock.audit = lambda number: (
        2.0 if number < begun + 2 * len(SEARCHED) else 0.5
    )  # to warm up, and the first measurement
    code, rows = run(tmp_path / "again.json", "--compare", str(committed))
    assert code == 0
    assert rows["32-single-b2", "pgd"]["rounds"][0] == rows["32-single-b2", "pgd"]["seconds"] * 4


@pytest.mark.slow(10)
@pytest.mark.ci
@pytest.mark.usefixtures("short_searches")
def test_what_takes_longer_by_a_real_clock_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = tmp_path / "quick.json"
    _, rows = run(committed)
    real = Diagnoser.run
    seconds = 5 * 2 * rows["32-single-b2", "pgd"]["seconds"] / 101  # as five times an evaluation of two units

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(seconds * (arguments[0].models.search.steps + 1))
        return real(*arguments, **options)

    monkeypatch.setattr(Diagnoser, "run", slow)
    code, _ = run(tmp_path / "slow.json", "--compare", str(committed), "--fail-below", "0.8")
    assert code == 1, "a sixth of the ratio, or a third where a busy machine made a step of the reference twice as long"


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.usefixtures("short_searches")
def test_what_runs_no_more_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import audit_suite

    from zoom_engine.common.errors import ConfigError

    committed = tmp_path / "quick.json"
    run(committed)

    def gone(*_: Any, **__: Any) -> Any:
        raise ConfigError("there is no such search")

    monkeypatch.setattr(audit_suite, "EngineRunner", gone)
    code, rows = run(tmp_path / "gone.json", "--compare", str(committed))
    assert code == 1
    assert rows["32-single-b2", "pgd"]["skipped"] == "there is no such search"


@pytest.mark.parametrize(("field", "value"), [("instruction_set", "neon"), ("processor_model", "Other-1-2")])
def test_other_processors_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: str
) -> None:
    from throughput import instruction_set

    committed = tmp_path / "quick.json"
    machine = {"instruction_set": instruction_set(), field: value}
    committed.write_text(json.dumps({"machine": machine, "results": []}))
    for path, why, expected in ((committed, value, 3), (tmp_path / "none.json", "cannot be read", 2)):
        capsys.readouterr()
        code, _ = run(tmp_path / "out.json", "--compare", str(path))
        told = capsys.readouterr().err
        assert code == expected
        assert told.count("\n") == 1
        assert why in told


def test_a_suite_of_several_parts_takes_no_choice(capsys: pytest.CaptureFixture[str]) -> None:
    from throughput import SUITES, main

    assert {part.module.SUITE for part in SUITES["full"]} == {"synthesis", "edits", "audit"}
    with pytest.raises(SystemExit):
        main(["--suite", "quick", "--cases", "32-step"])
    assert "has several parts" in capsys.readouterr().err


def test_the_chart_draws_what_was_measured(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ET

    from chart import chart

    results = [
        {"suite": "audit", "case": case, "variant": variant, "seconds": seconds}
        for case, seconds in (("256-step-b1", 0.5), ("256-step", 0.25), ("1024-step", 1.0), ("256-multi8", None))
        for variant in ("baseline", "pgd")
    ]
    drawn = ET.fromstring(chart(results))
    circles = [element for element in drawn.iter() if element.tag.endswith("circle")]
    assert len(circles) == 2 * (2 + 2) + 2, "two panels of two points a variant, and the legend"
    assert "not measured" in ET.tostring(drawn, encoding="unicode")


def test_what_was_measured_at_one_place_is_drawn_as_bars() -> None:
    import xml.etree.ElementTree as ET

    from chart import COLOURS, chart

    results = [
        {"suite": "audit", "case": case, "variant": variant, "seconds": seconds}
        for case, variant, seconds in (
            ("256-step", "baseline", 2.0),
            ("1024-step", "baseline", 4.0),
            ("256-multi8", "baseline", 60.0),
            ("256-multi8", "minimal", 15.0),
        )
    ]
    drawn = ET.fromstring(chart(results))
    bars = [
        float(one.get("width", "0"))
        for one in drawn.iter()
        if one.get("fill") in COLOURS.values() and one.get("height")
    ]
    assert len(bars) == 2
    assert bars[1] == pytest.approx(4 * bars[0], abs=0.2)
    told = ["".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("text")]
    assert {"1", "4", "attributes together: 8", "pixels a side"} <= set(told)
    assert "images searched together" not in told, "the panel beside it has that point"


def test_a_random_text_encoder_can_be_audited_with_made_up_directions() -> None:
    """Only what the suite adds to the engine: the full-size networks are not run here."""
    import worlds

    generator, encoder = spread_generator(), load_text_encoder("avatars")
    directions = worlds.made_up_directions(generator, encoder, ("one", "two"))
    assert directions.matrix[:, generator.space.fixed_mask()].abs().max() == 0
    sigma = generator.sample(range(64)).std(0)
    relevance = directions.matrix[:, sigma > 0] / sigma[sigma > 0]
    gram = relevance @ relevance.T
    assert float((gram - gram.new_tensor([[1.0, 0.0], [0.0, 1.0]])).abs().max()) < 1e-3
