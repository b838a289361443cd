"""Audits over versions: their order, who is with whom, what is said of the latest, and the page."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from simulated import ATTRIBUTES, simulated, simulated_edits

from zoom_engine.audit.manifest import Manifest
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.gates.history import history
from zoom_engine.gates.history_page import write_history
from zoom_engine.gates.rules import Rule
from zoom_engine.gates.text import history_table
from zoom_engine.report import write_report
from zoom_engine.statistics import summarise
from zoom_engine.statistics.diagnosis import Diagnosis

HOSTILE = '<b>1.0</b>"onload="x'


@pytest.fixture(autouse=True)
def without_images_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """No history shows how many images would settle an attribute, and it takes a second of an audit."""
    monkeypatch.setattr(summarise, "images_to_settle", lambda *given, **_: [None] * len(given[3]))


def version(name: str, *, begun: str = "2026-01-01", path: Path | None = None, **options: Any) -> Diagnosis:
    """An audit of a version of the model."""
    made = simulated(**{"images": 12, **options})
    about = {"model_version": name} if name else {}
    manifest = Manifest.of(made.config.content, begun=f"{begun}T00:00:00+00:00", **about)
    told = Diagnosis(manifest, made.records)
    return told if path is None else Diagnosis.load(told.save(path))


def labels(*audits: Diagnosis) -> list[str]:
    (group,) = history(audits).groups
    return list(group.labels)


def test_audits_are_ordered_by_version_and_then_by_date() -> None:
    names = ["0.9", "1.4-rc1", "1.4", "1.4.1", "1.10", "2"]
    assert labels(*(version(name) for name in sorted(names))) == names
    days = ["2026-03-01", "2026-01-01", "2026-02-01"]
    assert labels(*(version("", begun=day) for day in days)) == sorted(days)
    same = [version("1.0", begun=day) for day in days]
    (group,) = history(same).groups
    assert [audit.manifest.begun[:10] for audit in group.audits] == sorted(days)


def test_points_of_one_day_are_told_apart_as_columns_are(tmp_path: Path) -> None:
    shown = history([version(""), version("", planted={1: 0.25}), version("", begun="2026-02-01")])
    one, other, _ = shown.groups[0].unique_labels
    page = write_history(tmp_path / "page.html", shown).read_text(encoding="utf-8")
    for label in (one, other):
        day, number = label.split()
        assert re.search(rf">{day}</text><text [^>]*>{re.escape(number)}</text>", page)
    assert one != other
    assert re.search(r">2026-02-01</text>(?!<text [^>]*>\()", page)


@pytest.mark.parametrize(
    ("names", "axis"),
    [
        (("1.0-nightly-a", "1.0-nightly-b"), ("1.0-…tly-a", "1.0-…tly-b")),
        (("1.0-nightly-a-build", "1.0-nightly-b-build"), ("1: 1.0-ni…", "2: 1.0-ni…")),
    ],
)
def test_long_versions_that_begin_alike_are_told_apart(
    tmp_path: Path, names: tuple[str, str], axis: tuple[str, str]
) -> None:
    page = write_history(tmp_path / "page.html", history([version(name) for name in names])).read_text(encoding="utf-8")
    assert all(f">{text}</text>" in page for text in axis)


def test_the_headline_says_what_the_latest_version_changed() -> None:
    before, after = version("1.0"), version("1.1", planted={1: 0.25})
    (up,) = history([after, before]).groups
    assert re.fullmatch(
        r"Sensitivity to “pale skin” rose by 0\.2\d \[0\.\d\d, 0\.\d\d\] from 1\.0 to 1\.1\.", up.headline
    )
    (down,) = history([version("1.0", planted={1: 0.25}), version("1.1")]).groups
    assert down.headline.startswith("Sensitivity to “pale skin” fell by 0.2")
    (still,) = history([before, version("1.1")]).groups
    assert still.headline == (
        "No sensitivity is shown to have changed by more than 0.05 from 1.0 to 1.1; 4 of 4 are inconclusive."
    )
    (alone,) = history([before]).groups
    assert alone.headline == "One audit, 1.0: a trend takes two."


def test_two_audits_of_one_day_are_told_apart(tmp_path: Path) -> None:
    audits = [version("", path=tmp_path / name, images=images) for name, images in (("one", 12), ("two", 13))]
    shown = history(audits)
    (group,) = shown.groups
    ids = [audit.about.audit_id[:6] for audit in group.audits]
    assert f"from 2026-01-01 ({ids[0]}) to 2026-01-01 ({ids[1]})" in group.headline
    assert f"2026-01-01 ({ids[0]})" in history_table(shown), "its column has room for all of it"
    page = write_history(tmp_path / "history.html", shown).read_text(encoding="utf-8")
    assert all(f'<th scope="col">2026-01-01 ({audit_id})</th>' in page for audit_id in ids)
    assert "2 audits of <b>avatars:mustache</b>, by version" in page


def test_a_history_says_on_top_of_which_models_it_is(tmp_path: Path) -> None:
    audits = [version(name, target=f"<{name}>.onnx") for name in ("1", "2")]
    page = write_history(tmp_path / "history.html", history(audits)).read_text(encoding="utf-8")
    assert "2 audits of <b>&lt;1&gt;.onnx and &lt;2&gt;.onnx</b>, by version" in page


def test_a_limited_attribute_that_the_latest_audit_lacks_does_not_pass(tmp_path: Path) -> None:
    """It was left out: a version that is no longer asked about what failed before had passed all rules."""
    audits = [
        version("1.0", attributes=(*ATTRIBUTES[:2], "a beard"), means=(0.001, 0.5, 0.0), images=100),
        version("1.1", attributes=(ATTRIBUTES[0], "a beard"), means=(0.001, 0.0), images=100),
    ]
    named = [Rule(max_sensitivity=0.1, attributes=["smiling", "pale skin"])]
    (group,) = (shown := history(audits, named)).groups
    assert {course.name: course.outcomes for course in group.courses} == {
        "smiling": ("pass", "pass"), "pale skin": ("fail", "inconclusive"), "a beard": (None, None),
    }  # fmt: skip
    assert group.outcome == "inconclusive"
    assert group.latest_in_words == "1.1: 1 inconclusive, 1 pass; it lacks “pale skin”"
    assert "INCONCLUSIVE in 1.1" in history_table(shown)
    page = write_history(tmp_path / "history.html", shown).read_text(encoding="utf-8")
    assert '<i>not in this audit</i> <span class="tag inconclusive">INCONCLUSIVE</span>' in page
    other = version("1.2", attributes=("a face smiling", "a beard"), means=(0.001, 0.0), images=100)
    (group,) = history([audits[0], other], [Rule(max_sensitivity=0.1, attributes=["smiling"])]).groups
    assert group.outcome == "pass", "the latest has an attribute of that name, in other words"
    (group,) = history(audits, [Rule(max_sensitivity=0.1)]).groups  # of each attribute that an audit has, as a gate's
    assert (group.outcome, group.latest_in_words) == ("pass", "1.1: 2 pass; it lacks “pale skin”")


def test_a_rule_that_no_audit_of_the_latest_version_was_held_to_does_not_pass() -> None:
    """Another generator was asked about its attribute, of an earlier version."""
    smiling: dict[str, Any] = {"attributes": ATTRIBUTES[:1], "means": (0.001,), "images": 100}
    latest = [version(name, **smiling) for name in ("1.1", "2.0")]
    hat: dict[str, Any] = {"attributes": ("a hat",), "means": (0.001,), "images": 100, "generator": "5678"}
    rules = [Rule(max_sensitivity=0.1, attributes=["smiling", "a hat"])]
    group = history([*latest, version("1.0", **hat)], rules).groups[0]
    assert group.outcome == "inconclusive"
    assert group.latest_in_words == "2.0: 1 inconclusive, 1 pass; it lacks “a hat”"
    group = history([*latest, version("2.0", **hat)], rules).groups[0]
    assert (group.outcome, group.latest_in_words) == ("pass", "2.0: 1 pass"), "the other group tells of it"


def test_what_cannot_be_compared_is_a_group_of_its_own_and_says_why() -> None:
    shown = history([version("1.0", generator="5678"), version("1.1"), version("1.2"), version("1.3", done=5)])
    assert [group.labels for group in shown.groups] == [("1.1", "1.2"), ("1.0",)]
    assert shown.groups[0].reason == ""
    assert 'another generator ("1234" and "5678")' in shown.groups[1].reason
    assert [line.count("is not finished") for line in shown.left_out] == [1]
    text = history_table(shown)
    assert "Not comparable with the audits above: " in text
    assert "Left out: " in text


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"edit_range": "paper"}, "another range"),
        ({"samples": 64}, "their edits were measured on other samples (1024 and 64)"),
        ({"target_details": {"task": {"task": "regression"}}}, "another task"),
        ({"attributes": ("a hat",), "means": (0.1,)}, "they have no attribute in common"),
    ],
)
def test_other_settings_tasks_and_attributes_are_not_one_trend(other: dict[str, Any], says: str) -> None:
    shown = history([version("1.0", samples=1024), version("1.1", **{"samples": 1024, **other})])
    assert [len(group.audits) for group in shown.groups] == [1, 1]
    assert says in shown.groups[1].reason


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_group_holds_what_can_be_compared_with_all_of_it(order: tuple[int, ...]) -> None:
    """Both attributes can be compared with either, but one of them not with the other."""
    attributes = [ATTRIBUTES[:2], ATTRIBUTES[:1], ATTRIBUTES[1:2]]
    audits = [
        version(str(place), attributes=names, means=(0.1,) * len(names))
        for place, names in zip(order, attributes, strict=True)
    ]
    shown = history(audits)
    assert [len(group.audits) for group in shown.groups] == [2, 1]
    assert "no attribute in common" in shown.groups[1].reason


def test_versions_with_nothing_edited_in_both_have_no_differences() -> None:
    audits = [
        simulated_edits({"red": (1,), "blue": (1,)}, lambda *_: 0.2, made=lambda image, name, made=made: name == made)
        for made in ("red", "blue")
    ]
    (group,) = history(audits).groups
    assert group.changes == {}
    assert group.headline.startswith("No attribute has edited pictures in both ")


def test_where_no_audit_can_be_shown_there_is_no_history() -> None:
    with pytest.raises(AuditError, match="is not finished"):
        history([version("1.0", done=5)])
    with pytest.raises(AuditError, match=r"none of 2 audits: .* is not finished"):
        history([version("1.0", done=5), version("1.1", done=5)])


def test_rules_limit_their_attributes_in_every_audit() -> None:
    audits = [version("1.0"), version("1.1", attributes=ATTRIBUTES[:3], means=(0.01, 0.03, 0.06))]
    rules = [Rule(max_sensitivity=0.4), Rule(max_sensitivity=0.1, attributes=["eyeglasses"]), Rule(min_power=0.1)]
    (group,) = history(audits, rules).groups
    courses = {course.name: course for course in group.courses}
    assert {name: course.limit for name, course in courses.items()} == {
        "smiling": 0.4, "pale skin": 0.4, "a beard": 0.4, "eyeglasses": 0.1,
    }  # fmt: skip
    assert courses["eyeglasses"].outcomes == ("fail", "inconclusive")
    assert courses["eyeglasses"].figures[1] is None
    assert courses["smiling"].outcomes == ("pass", "pass")
    assert group.outcome == "inconclusive"
    assert group.latest_in_words == (
        "1.1: 1 inconclusive, 3 pass; it lacks “eyeglasses”; 1 rule of growth or power is not checked here, but by"
        " zoom-engine gate"
    )
    (only,) = history(audits, [Rule(max_sensitivity=0.1, attributes=["eyeglasses"])]).groups
    assert (only.is_limited, only.outcome) == (True, "inconclusive"), "the latest audit lacks what is limited"
    assert "limit" in history_table(history(audits, [Rule(max_sensitivity=0.1, attributes=["eyeglasses"])]))
    (plain,) = history(audits).groups
    assert not plain.is_limited
    assert plain.outcome is None
    assert {course.outcomes for course in plain.courses} == {(None, None)}


def test_rules_that_limit_nothing_here_are_refused() -> None:
    with pytest.raises(ConfigError, match="no rule has max-sensitivity"):
        history([version("1.0")], [Rule(min_power=0.5)])
    with pytest.raises(ConfigError, match="no audit has the attribute 'a hat' of a rule"):
        history([version("1.0")], [Rule(max_sensitivity=0.5, attributes=["a hat"])])


def test_its_table_fits_80_columns_however_many_audits_there_are() -> None:
    long = ("a face with " + "x" * 60, *ATTRIBUTES[1:])
    audits = [version(f"1.0-nightly-{day}", attributes=long, images=12) for day in range(7)]
    text = history_table(history(audits, [Rule(max_sensitivity=0.1)]))
    table = text.partition("\nSensitivity")[0].partition("\nNo sensitivity")[0]
    assert max(map(cell_len, table.splitlines())) <= 80
    assert "4 earlier audits not in this table" in text
    assert re.search(r"FAIL in 1.0-nightly-6: 1 fail, ", text)


def test_the_command_writes_a_page_that_links_each_audit_and_needs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    details = {"target_details": {"task": {"task": "binary", "classes": ["a", "b"]}}}
    for name, options in ((HOSTILE, {}), ("1.1", {"planted": {1: 0.25}})):
        folder = tmp_path / "audits" / ("one 1" if name == HOSTILE else "two")
        write_report(version(name, path=folder, images=40, **options, **details).path or "")
    (tmp_path / "gate.toml").write_text("[[rule]]\nmax-sensitivity = 0.2\n")
    folders = [str(tmp_path / "audits" / name) for name in ("two", "one 1")]
    command = ["history", *folders, "--rules", str(tmp_path / "gate.toml"), "--out", str(tmp_path / "pages.html")]
    assert main(command) == 0
    assert "Open " in capsys.readouterr().out
    page = (tmp_path / "pages.html").read_text(encoding="utf-8")
    assert "<b>1.0" not in page
    assert 'href="audits/one%201/report.html"' in page
    assert page.count('href="audits/two/report.html"') == len(ATTRIBUTES) + 2, "a point each, in the table and below it"
    assert not re.search(r'(?:src|href)="(?:https?:|//)', page)
    assert "default-src 'none'" in page
    assert page.count('role="group" aria-label="') == len(ATTRIBUTES)
    assert '<th scope="row">pale skin</th>' in page, "the table has what the charts show"
    assert page.count('class="boundary"') == len(ATTRIBUTES)
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (group,) = result["groups"]
    assert [audit["model_version"] for audit in group["audits"]] == [HOSTILE, "1.1"]
    by_name = {one["name"]: one for one in group["attributes"]}
    assert by_name["eyeglasses"]["outcome"] == ["fail", "fail"]
    assert by_name["smiling"]["limit"] == 0.2
    assert 0.2 < by_name["pale skin"]["sensitivity"][1]["value"] < 0.4
    assert result["left_out"] == []
