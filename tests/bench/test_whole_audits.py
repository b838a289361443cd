"""Whole audits are timed in processes of their own, in the reference's steps, and say what each part of them took."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from networks import relative_error

from zoom_engine import load_generator, load_target, load_text_encoder

COMMAND = """
import json, os, sys, time
from pathlib import Path

watched, *arguments = sys.argv[1:]
given = dict(zip(arguments[1:], arguments[2:]))
if given["--images"] == "13":
    sys.exit(1)
cache, out = Path(os.environ["ZOOM_ENGINE_CACHE"]), Path(given["--out"])
found = len(list(cache.iterdir())) if cache.exists() else 0
cache.mkdir(exist_ok=True)
(cache / f"of {given['--images']} images, seed {given.get('--seed', 0)}").touch()
out.mkdir()
networks = {"target": "openvino fp32"}
synthesis = {"backend": "native", "precision": "bf16"}
manifest = {"config": {"synthesis": synthesis}, "environment": {"networks": networks}}
(out / "manifest.json").write_text(json.dumps(manifest))
(out / "records.jsonl").write_text('{"evaluations": 4}\\n' * int(given["--images"]))
time.sleep(0.4)  # until the report is written
taken = {"part_seconds": {"search": 0.4}, "pictures": {"search": 7}, "peak_memory": 10**9}
Path(watched).write_text(json.dumps({**taken, "found": found, "arguments": arguments}))
"""


@pytest.fixture
def quick_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command that loads nothing and says what it was given; a step of the reference takes 0.1 seconds."""
    import audit_suite
    import whole_audits

    command = tmp_path / "command.py"
    command.write_text(COMMAND)
    monkeypatch.setattr(whole_audits, "WATCHED", command)
    monkeypatch.setattr(whole_audits, "models_of", lambda resolution, folder: folder)
    monkeypatch.setattr(audit_suite, "world_of", lambda case, cache, device: None)
    monkeypatch.setattr(audit_suite, "BaselineRunner", Reference)


class Reference:
    def __init__(self, world: Any, case: Any) -> None:
        assert case.work == "step"

    def warm_up(self) -> None: ...

    def step(self) -> Any:
        from whole_audits import Step

        return Step(0.1, 0.2)


def run(*cases: str, repeats: int = 1) -> dict[tuple[str, str], dict[str, Any]]:
    import audit_suite

    rows = list(audit_suite.run(cases, audit_suite.VARIANTS, repeats=repeats, memory=10**12))
    audit_suite.settle(rows)
    return {(row["case"], row["variant"]): row for row in rows}


def test_models_that_were_interrupted_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its last files the domain falls back to smaller models, whose time was told as theirs."""
    import whole_audits

    def write(folder: Path, resolution: int, *, last: bool) -> None:
        (folder / "generator").touch(exist_ok=False)
        if not last:
            raise KeyboardInterrupt
        (folder / "encoder").touch()

    monkeypatch.setattr("paper_avatars.write", partial(write, last=False))
    with pytest.raises(KeyboardInterrupt):
        whole_audits.models_of(256, tmp_path)
    monkeypatch.setattr("paper_avatars.write", partial(write, last=True))
    for _ in range(2):
        assert len([*whole_audits.models_of(256, tmp_path).iterdir()]) == 2


@pytest.mark.parametrize(
    ("case", "result"),
    [
        ("audit-8x8-cold", (256, 8, 8, False, False)),
        ("1024-audit-50x2-warm", (1024, 50, 2, False, True)),
        ("64-audit-1x8-multi-cold", (64, 1, 8, True, False)),
        ("256-single-b8", None),
    ],
)
def test_cases_are_read(case: str, result: tuple[Any, ...] | None) -> None:
    from whole_audits import parse

    read = parse(case)
    assert (None if read is None else tuple(read)) == result


@pytest.mark.parametrize(
    "case", ["audit-8x8", "audit-0x8-cold", "audit-8x0-cold", "audit-8x99-cold", "100-audit-8x8-cold"]
)
def test_others_are_refused(case: str) -> None:
    from audit_suite import parse

    with pytest.raises(ValueError, match=r"attributes|image|power of two|no case"):
        parse(case)


@pytest.mark.ci
def test_what_is_cold_comes_first_and_warms_what_follows(quick_command: None) -> None:
    from audit_suite import CASES, parse

    by_order = sorted(("audit-50x8-warm", "audit-8x8-warm", "audit-8x8-cold", "audit-2x8-cold"), key=parse)
    assert by_order == ["audit-2x8-cold", "audit-8x8-cold", "audit-8x8-warm", "audit-50x8-warm"]
    assert set(by_order) < set(CASES)
    rows = run("audit-8x8-warm", "audit-2x8-cold", "audit-8x2-warm", repeats=2)
    assert rows["audit-2x8-cold", "command"]["found"] == 0, "of each repeat: what one leaves, the next does not find"
    assert rows["audit-8x8-warm", "command"]["found"] == 1
    assert rows["audit-8x2-warm", "command"]["found"] == 1, (
        "of attributes that no other case has, after an audit of one image"
    )


@pytest.mark.ci
def test_a_row_counts_in_steps_of_the_reference(quick_command: None) -> None:
    rows = run("audit-3x2-cold", "audit-3x2-multi-cold", repeats=3)
    row, baseline = rows["audit-3x2-cold", "command"], rows["audit-3x2-cold", "baseline"]
    assert row["steps"] == pytest.approx(row["seconds"] / 0.1, abs=0.06)
    assert 0 < row["first_record_steps"] <= row["steps"] - 2, "records come before the report"
    assert row["cpu_steps"] == pytest.approx(row["cpu_seconds"] / 0.2, abs=0.03)
    assert row["reference"]["before"] == row["reference"]["after"] == [[0.1, 0.2]] * 3
    assert len(row["rounds"]) == 3
    assert (row["evaluations"], row["records"], row["pictures"], row["peak_memory"]) == (12, 3, {"search": 7}, 10**9)
    assert row["runtimes"] == {"backend": "native", "precision": "bf16", "target": "openvino fp32"}
    assert baseline["seconds"] == pytest.approx(3 * 2 * 100 * 0.1)
    assert row["ratio"] == pytest.approx(baseline["seconds"] / row["seconds"], abs=1e-3)
    multi = rows["audit-3x2-multi-cold", "command"]
    assert multi["arguments"][-2:] == ["--mode", "multi"]
    assert rows["audit-3x2-multi-cold", "baseline"]["seconds"] == pytest.approx(3 * 100 * 0.1), (
        "a search for each image"
    )


def test_what_fails_is_skipped_and_the_next_is_measured(quick_command: None) -> None:
    rows = run("audit-13x2-cold", "audit-3x2-multi-cold")
    assert rows["audit-13x2-cold", "command"]["skipped"] == "the command failed with exit code 1"
    assert rows["audit-3x2-multi-cold", "command"]["seconds"] > 0


def test_no_quick_suite_has_a_whole_audit() -> None:
    from throughput import SUITES
    from whole_audits import CASES

    assert not set(CASES) & {case for part in SUITES["quick"] for case in part.cases}


def called_by(*modules: str) -> Any:
    """The frame of a function of the last module, which one of the module before it calls, and so on."""
    call: Any = sys._getframe
    for module in reversed(modules):
        scope = {"__name__": module, "call": call}
        exec("def called():\n    return call()", scope)
        call = scope["called"]
    return call()


@pytest.mark.parametrize(
    ("modules", "part"),
    [
        (("zoom_engine.diagnose.run", "zoom_engine.directions.find", "zoom_engine.runtime.select"), "directions"),
        (("zoom_engine.diagnose.measurements", "zoom_engine.directions.calibration"), "calibration"),
        (("zoom_engine.directions.baseline", "zoom_engine.directions.unedited"), "baseline"),
        (("zoom_engine.diagnose.trials", "zoom_engine.directions.image_bounds"), "bounds"),
        (("zoom_engine.search.scheduler", "zoom_engine.evaluation.evaluator"), "search"),
        (("zoom_engine.directions.of_tomorrow",), "directions"),
        (("zoom_engine.diagnose.run",), "rest"),
    ],
)
def test_work_counts_for_the_part_that_asks_for_it(modules: tuple[str, ...], part: str) -> None:
    from watched import part_of

    assert part_of(called_by(*modules)) == part


def test_a_part_ends_when_another_lasts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import watched

    clock = [0.0]
    parts = ["loading"] * 8 + ["search"] * 8 + ["rest"] + ["search"] * 8 + ["report"] * 8  # at looks 0.1 s apart
    current_parts = iter([*parts, "report"])
    monkeypatch.setattr(watched, "part_of", lambda frame: next(current_parts))
    monkeypatch.setattr(
        watched, "time", SimpleNamespace(perf_counter=lambda: clock[0], process_time=lambda: 2 * clock[0])
    )
    monkeypatch.setattr(watched, "resident", lambda: 3 * 10**9 if 1.15 < clock[0] < 1.25 else 10**9)  # in the search
    watch = watched.Watch(age=1.0)
    render = watch.count(lambda count: range(count))

    def wait(seconds: float) -> bool:
        clock[0] += 0.1
        return clock[0] > 0.1 * len(parts) + 0.05

    monkeypatch.setattr(watch, "_over", SimpleNamespace(wait=wait))
    watch.run()
    told = watch.to_json()
    assert told["timeline"] == [(1.9, "loading", 1.9), (3.6, "search", 1.7), (4.4, "report", 0.8)]
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "loading took 1.9 s, 0 pictures, 1.00 GB at most",
        "search took 1.7 s, 0 pictures, 3.00 GB at most",
        "report took 0.8 s, 0 pictures, 1.00 GB at most",
    ]
    assert told["part_seconds"] == pytest.approx({"loading": 1.9, "search": 1.6, "report": 0.8, "rest": 0.1})
    assert told["part_cpu_seconds"] == pytest.approx({"loading": 1.8, "search": 3.2, "report": 1.6, "rest": 0.2})
    assert told["part_memory"] == {"loading": 10**9, "search": 3 * 10**9, "report": 10**9, "rest": 10**9}
    assert told["peak_memory"] > 10**7
    monkeypatch.setattr(watched, "part_of", lambda frame: "gallery")
    render(3)
    render(4)
    assert watch.to_json()["pictures"] == {"gallery": 7}


@pytest.fixture
def narrow_and_wide() -> Any:
    import paper_avatars

    generator = torch.Generator().manual_seed(0)
    return paper_avatars, torch.rand(2, 3, 224, 224, generator=generator)


def test_a_wide_network_beside_a_narrow_one_changes_nothing_and_is_run(narrow_and_wide: Any) -> None:
    paper_avatars, pictures = narrow_and_wide
    seen = []

    class Wide(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return 1e3 * x.mean((1, 2, 3))[:, None]

    target = load_target(f"avatars:{paper_avatars.TARGET}")
    both = paper_avatars.Classifier(target.network, Wide()).eval()
    small = torch.nn.functional.interpolate(2 * pictures - 1, size=(128, 128), mode="bilinear")
    with torch.no_grad():
        outputs = both(paper_avatars.IMAGENET(2 * pictures - 1))
        assert relative_error(outputs, target.network(small)) < 1e-4
    assert len(seen) == 1
    assert seen[0].shape == pictures.shape


def test_generators_of_other_sizes_draw_the_same_faces() -> None:
    import paper_avatars

    narrow: Any = load_generator("avatars")
    with torch.no_grad():
        expected = narrow.render(narrow.sample(range(2)))
        wide, small = paper_avatars.padded(narrow, 256, 4096), paper_avatars.cut(narrow, 64)
        doubled, halved = wide.render(wide.sample(range(2))), small.render(small.sample(range(2)))
    assert (doubled.shape[-1], halved.shape[-1]) == (256, 64)
    pool = torch.nn.functional.avg_pool2d
    assert float((pool(doubled, 2) - expected).abs().mean()) < 0.03
    same, other = ((halved - face).abs().mean() for face in (pool(expected, 2), pool(expected, 2).flip(0)))
    assert same < other / 2


def test_text_towers_side_by_side_are_the_first(narrow_and_wide: Any) -> None:
    import open_clip

    paper_avatars, pictures = narrow_and_wide
    encoder = load_text_encoder("avatars")
    wide = open_clip.model.CLIP(
        512,
        open_clip.model.CLIPVisionCfg(layers=1, width=64, head_width=32, patch_size=32, image_size=224),
        open_clip.model.CLIPTextCfg(width=32, heads=2, layers=1),
    ).eval()
    wide.visual.preprocess_cfg = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
    both = paper_avatars.Towers(encoder.model, wide).eval()
    tokens = encoder.tokenizer(["a smiling face", "a face"], context_length=encoder.context_length)
    with torch.no_grad():
        texts = both.encode_text(tokens, normalize=True)
        assert relative_error(texts, encoder.model.encode_text(tokens, normalize=True)) < 1e-5
        seen = (pictures - torch.tensor((0.4, 0.5, 0.6)).view(3, 1, 1)) / torch.tensor((0.2, 0.3, 0.4)).view(3, 1, 1)
        embedded = both.encode_image(seen, normalize=True)
        small = torch.nn.functional.interpolate(2 * pictures - 1, size=(128, 128), mode="bilinear")
        assert relative_error(embedded, encoder.model.encode_image(small, normalize=True)) < 1e-4


@pytest.mark.slow(60)
@pytest.mark.ci
def test_a_command_is_watched_from_its_start_to_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import audit_suite
    import whole_audits
    from throughput import main

    as_typed = whole_audits.arguments_of  # with this effect every attribute is compared with random edits
    monkeypatch.setattr(whole_audits, "arguments_of", lambda *given: [*as_typed(*given), "--smallest-effect", "0"])
    monkeypatch.setattr(audit_suite, "world_of", lambda case, cache, device: None)
    monkeypatch.setattr(audit_suite, "BaselineRunner", Reference)
    out, cases = tmp_path / "out.json", ("64-audit-1x2-cold", "64-audit-1x2-warm")
    assert main(["--suite", "audit", "--cases", ",".join(cases), "--repeats", "1", "--json", str(out)]) == 0
    rows = {(row["case"], row["variant"]): row for row in json.loads(out.read_text())["results"]}
    cold, warm = (rows[case, "command"] for case in cases)
    assert {"directions", "calibration", "baseline", "search", "gallery"} <= set(cold["pictures"])
    assert not {"directions", "calibration"} & set(warm["pictures"])
    rest, loading = cold["seconds"] - sum(cold["part_seconds"].values()), cold["part_seconds"]["loading"]
    assert -0.1 < rest < max(2.5, loading), "all but the end of the process, which frees what was loaded"
    assert loading > 1, "imports too"
    assert cold["first_record_steps"] < cold["steps"]
    assert cold["records"] > 2, "random baseline directions have records too"
    assert 10**8 < max(cold["part_memory"].values()) <= 1.01 * cold["peak_memory"], "the kernel counts roughly"
    assert cold["runtimes"]["backend"]
    told = capfd.readouterr()
    assert "directions took" in told.err
    assert "the first record after" in told.out
