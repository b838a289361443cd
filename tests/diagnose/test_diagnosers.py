"""Several targets share pictures, and each has the audit that it would have alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zoom_engine import Diagnoser, Diagnosers, Diagnosis
from zoom_engine.audit.folder import RECORDS, AuditFolder
from zoom_engine.cli import main
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose import measurements, models, shard
from zoom_engine.diagnose.planning import plan
from zoom_engine.directions import BaselineDirections
from zoom_engine.runtime import Synthesizer
from zoom_engine.search import Trial
from zoom_engine.search.end import End
from zoom_engine.settings.audit_settings import RunSettings

pytestmark = pytest.mark.slow

ATTRIBUTES = ["a face with pale skin", "a smiling face"]
TARGETS = ["avatars:mustache-biased-pale-skin", "avatars:eyeglasses"]  # each has labels of its own
NAMES = ["mustache-biased-pale-skin", "eyeglasses"]
ALIKE = ["avatars:mustache", TARGETS[0]]
RUN: dict[str, Any] = {"images": 2, "seed": 4}


def options(**more: Any) -> dict[str, Any]:
    return {"generator": "avatars", "attributes": ATTRIBUTES, "random_directions": 1, **more}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each call drew."""
    counts: list[int] = []
    render = Synthesizer.render

    def counted(self: Synthesizer, styles: torch.Tensor, *rest: Any) -> torch.Tensor:
        counts.append(len(styles))
        return render(self, styles, *rest)

    monkeypatch.setattr(Synthesizer, "render", counted)
    return counts


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An audit of each target."""
    out = tmp_path_factory.mktemp("alone")
    for name, target in zip(NAMES, TARGETS, strict=True):
        Diagnoser(**options(target=target)).run(**RUN, out=out / name)
    return {name: out / name for name in NAMES}


@pytest.fixture(scope="module")
def together(alone: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One audit of both, interrupted after a batch of one of them."""
    out, append, calls = tmp_path_factory.mktemp("together"), AuditFolder.append, 0

    def interrupted(self: AuditFolder, records: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        append(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AuditFolder, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Diagnosers(**options(target=TARGETS)).run(**RUN, out=out)
        Diagnosers(**options(target=TARGETS)).run(**RUN, out=out)
    return out


def lines(audit: Path) -> list[str]:
    return sorted((audit / RECORDS).read_text().splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_each_folder_is_that_of_an_audit_alone(name: str, alone: dict[str, Path], together: Path) -> None:
    common, separate = together / name, alone[name]
    assert lines(common) == lines(separate)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (common, separate)]
    assert manifests[0]["config"] == manifests[1]["config"]
    for file in ("summary.json", "gallery.json"):
        assert (common / file).read_bytes() == (separate / file).read_bytes()
    assert (common / "report.html").is_file()
    Diagnoser(**options(target=TARGETS[NAMES.index(name)])).run(**RUN, out=common)  # goes on with it, and finds it done
    assert lines(common) == lines(separate)


def test_an_index_shows_them_side_by_side_and_they_can_be_compared(
    together: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (together / "index.html").read_text()
    for name in NAMES:
        assert f'href="{name}/report.html"' in page
        assert 'href="../index.html"' in (together / name / "report.html").read_text(), "and back"
    assert main(["compare", *(str(together / name) for name in NAMES), "--out", str(tmp_path / "c.html")]) == 0
    assert "pale skin" in capsys.readouterr().out


def test_what_does_not_hang_on_the_target_is_made_once(
    drawn: list[int], monkeypatch: pytest.MonkeyPatch, alone: dict[str, Path]
) -> None:
    """As many pictures as one target alone asks for, and what the other asks for besides."""
    counts, names = [], list[str]()
    least = 0.001  # both are compared with random edits
    both = Diagnosers(**options(target=ALIKE, smallest_effect=least))
    planned = plan([list(both.models.values())], RunSettings(**RUN), rate=50.0)
    for target in (["avatars:mustache"], [ALIKE[1]], ALIKE):
        if target is ALIKE:
            note_measurements(monkeypatch, names)
        before = sum(drawn)
        result = Diagnosers(**options(target=target, smallest_effect=least)).run(**RUN)
        counts.append(sum(drawn) - before)
    assert counts[2] < max(counts[:2]) + 0.5 * min(counts[:2])
    wanted = ["baseline_directions", "calibrate_range", "find_directions", "find_directions"]
    assert sorted(names) == wanted, "once of the attributes, once of control prompts"
    (part,) = planned.parts
    assert part.targets == tuple(ALIKE)
    assert part.records >= sum(len(diagnosis.records) + len(diagnosis.baseline) for diagnosis in result.values())
    of_images = [sum(getattr(count, end) for count in part.every_image.values()) for end in ("least", "most")]
    assert of_images[0] <= counts[2] <= of_images[1], "all else is in the cache by then"


def test_what_an_earlier_group_left_in_the_cache_is_planned_once() -> None:
    """The second target has other attributes, the third the first's."""
    made = Diagnosers(generator="avatars", target=[ALIKE[0], TARGETS[1], ALIKE[1]])
    groups = [[made.models[name] for name in group] for group in made.groups(one_by_one=True)]
    first, other, alike = plan(groups, RunSettings(**RUN), rate=50.0).parts
    assert set(first.once) - set(other.once) == {"unedited images"}
    assert list(alike.once) == ["the report"]
    shared = plan([groups[0] + groups[2], groups[1]], RunSettings(**RUN), rate=50.0)
    assert shared.hours(1).most < plan(groups, RunSettings(**RUN), rate=50.0).hours(1).most


def note_measurements(patch: pytest.MonkeyPatch, names: list[str]) -> None:
    """The names of what is measured go into ``names``."""
    for name in ("find_directions", "calibrate_range", "baseline_directions"):
        made = getattr(measurements, name)

        def noted(*given: Any, name: str = name, made: Any = made, **more: Any) -> Any:
            names.append(name)
            return made(*given, **more)

        patch.setattr(measurements, name, noted)


@pytest.mark.ci
def test_gradient_searches_share_what_comes_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = options(
        search="pgd", search_options={"steps": 2}, random_directions=0, paraphrases=2, by=["a face with a beard"]
    )
    run = {"images": 1, "seed": 4}
    alone = [Diagnoser(**settings, target=target).run(**run).records for target in ALIKE]
    looked_at: list[int] = []
    made = shard.searched

    def noted(trials: Any, *, search: Any, evaluators: Any, **more: Any) -> Any:
        if isinstance(search, End):
            looked_at.append(len(evaluators))
        return made(trials, search=search, evaluators=evaluators, **more)

    monkeypatch.setattr(shard, "searched", noted)
    result = Diagnosers(**settings, target={"sound": ALIKE[0], "biased": ALIKE[1]}).run(**run)
    assert [result[name].records for name in ("sound", "biased")] == alone
    assert set(looked_at) == {2}, "pictures of paraphrases are shown to both"


def test_a_random_direction_is_followed_as_far_as_each_targets_labels_let_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengths are matched on other pictures where labels are looked at, of the same directions too."""
    search = shard.ShardSearch.__new__(shard.ShardSearch)
    search._names, search._beside, search._first = [], [], SimpleNamespace(baseline_search=None)  # type: ignore[assignment]
    lengths = {length: (length, length) for length in (3.0, 4.0)}
    search.measurements = [
        SimpleNamespace(baseline=BaselineDirections(torch.eye(2), lengths[length], True, (0, 1)), seeds=[7])  # type: ignore[misc]
        for length in (3.0, 4.0, 3.0)
    ]
    asked = []

    def searched(trials: list[Trial], evaluators: object, targets: list[int], search: object) -> Iterator[Any]:
        asked.append((targets, [abs(trial.bounds).max() for trial in trials]))
        return iter(())

    monkeypatch.setattr(search, "_searched", searched)
    assert not list(search.of([(0, 0), (0, 1)], [0, 1, 2]))
    assert asked == [([0, 2], [3.0, 3.0]), ([1], [4.0, 4.0])]


def test_targets_that_search_in_other_ways_are_audited_one_after_the_other() -> None:
    """By default a domain's attributes are those that no class of the target names."""
    diagnosers = Diagnosers(generator="avatars", target=[ALIKE[0], TARGETS[1], ALIKE[1]])
    assert diagnosers.groups(one_by_one=False) == [["mustache", NAMES[0]], [NAMES[1]]]
    assert diagnosers.groups(one_by_one=True) == [["mustache"], [NAMES[1]], [NAMES[0]]]


def test_what_cannot_be_is_refused_before_anything_loads(
    alone: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "text_encoder_for", lambda *_, **__: pytest.fail("a model was loaded"))
    with pytest.raises(ConfigError, match=r"Diagnosers\(target="):
        Diagnoser(**options(target=TARGETS))
    two = [*(f"--target={target}" for target in TARGETS), "--generator=avatars"]
    assert main(["diagnose", *two, "--out", str(alone[NAMES[0]])]) == 1
    assert "the audit of one target" in capsys.readouterr().err
    assert main(["diagnose", *two, two[0], "--out", str(tmp_path / "out")]) == 1
    assert "two targets would have the folder 'avatars-mustache-biased-pale-skin'" in capsys.readouterr().err
    (tmp_path / NAMES[1]).mkdir()
    (tmp_path / NAMES[1] / "note.txt").write_text("")
    assert main(["diagnose", *two, "--out", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_line_and_a_file_take_several(
    together: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: lines(together / name) for name in NAMES}
    config = tmp_path / "audit.toml"
    rest = 'generator = "avatars"\nrandom_directions = 1\nimages = 2\nseed = 4'
    config.write_text(f"{rest}\nattributes = {ATTRIBUTES}\ntarget = {TARGETS}\n")
    assert main(["diagnose", "--config", str(config), "--out", str(together), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert all(target in told for target in TARGETS)
    assert told.endswith(f"Open {together / 'index.html'}\n")
    assert {name: lines(together / name) for name in NAMES} == before
    arguments = ["--target", TARGETS[1], "--out", str(together / NAMES[1]), "--json", "--quiet"]
    assert main(["diagnose", "--config", str(config), *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["audit"].endswith(NAMES[1])
    assert Diagnosis.load(together / NAMES[1]).config.target == TARGETS[1]
