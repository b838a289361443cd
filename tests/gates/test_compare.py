"""Two audits beside each other: differences against literal definitions, and what does not compare is refused."""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited import red, write_picture, write_table
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from simulated import ATTRIBUTES, MEANS, record, simulated, simulated_edits

from zoom_engine import Diagnoser
from zoom_engine.audit.manifest import Manifest
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError
from zoom_engine.gates.compare import Comparison, Difference, Pair, compare, permuted, swapped
from zoom_engine.gates.history import history
from zoom_engine.gates.page import comparison_page, headline, write_comparison
from zoom_engine.gates.text import comparison_table
from zoom_engine.report import write_index, write_report
from zoom_engine.statistics.diagnosis import Diagnosis


def audit_of(changes: list[float], *, seed: int = 0) -> Diagnosis:
    """An audit of one attribute with these changes."""
    manifest = Manifest.of({"mode": "single", "attributes": ["a hat"], "images": len(changes)})
    return Diagnosis(
        manifest, tuple(record(i, seed * 100_000 + i, "a hat", change, 1) for i, change in enumerate(changes))
    )


changes = st.lists(st.floats(0, 1).map(lambda x: round(x, 2)), min_size=1, max_size=5)


@given(st.data(), changes)
def test_the_p_value_on_the_same_images_is_that_of_all_ways_to_swap_them(
    data: st.DataObject, after: list[float]
) -> None:
    before = data.draw(st.lists(st.sampled_from([0.0, 0.1, 0.35, 0.8]), min_size=len(after), max_size=len(after)))
    by = data.draw(st.sampled_from([0.0, 0.03]))
    signs = list(itertools.product((0, 1), repeat=len(after)))
    ways = [sum((b, a - by)[kept_order] for kept_order, a, b in zip(s, after, before, strict=True)) for s in signs]
    literal = sum(way >= sum(a - by for a in after) - 1e-9 for way in ways) / len(ways)
    assert Pair(audit_of(before), audit_of(after)).p_above(by)[0] == pytest.approx(literal)


@pytest.mark.parametrize("images", [0, 3, 7, 60])
def test_attributes_are_swapped_by_the_same_draws_as_each_alone(images: int) -> None:
    random = np.random.default_rng(images)
    before, after = random.random((images, 3)).round(2), random.random((images, 3)).round(2)
    after[:, 0] = before[:, 0]
    alone = [swapped(after[:, [column]], before[:, [column]], draws=200)[0] for column in range(3)]
    np.testing.assert_array_equal(swapped(after, before, draws=200), alone)


def test_drawn_swaps_have_nearly_the_p_value_of_all() -> None:
    random = np.random.default_rng(5)
    before, after = random.beta(1.5, 3, (12, 1)), random.beta(2, 3, (12, 1))
    (exact,), (drawn,) = swapped(after, before, draws=2**12), swapped(after, before, draws=2**12 - 1)
    assert 0 < exact < 0.5
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact / 2**12))
    (least,) = swapped(np.ones((20, 1)), np.zeros((20, 1)), draws=500)
    assert least == 1 / 501, "the own pick counts"


def test_the_p_value_on_other_images_is_that_of_all_ways_to_deal_them() -> None:
    before, after = [0.0, 0.1, 0.05, 0.3], [0.2, 0.35, 0.1]
    pair = Pair(audit_of(before), audit_of(after, seed=1))
    assert pair.pairs == 0
    ways = [sum(way) for way in itertools.combinations([*after, *before], len(after))]
    literal = sum(way >= sum(after) - 1e-9 for way in ways) / len(ways)
    assert pair.p_above(0.0)[0] == pytest.approx(literal, abs=4 * np.sqrt(literal / 20_000))


def test_one_audit_does_not_differ_from_itself() -> None:
    """And is shown to be alike only by images enough."""
    for images, shift in ((60, "inconclusive"), (400, "alike")):
        one = simulated(images=images)
        assert {difference.shift for difference in Pair(one, one).differences.values()} == {shift}
    one = simulated(images=100)
    for difference in Pair(one, one).differences.values():
        assert (difference.mean, difference.interval) == (0.0, (0.0, 0.0))
        assert difference.p_adjusted == 1.0
        assert difference.most == pytest.approx(1 - 0.025**0.01, abs=0.01), (
            "a hundred images do not show that none moves"
        )


def test_a_narrow_interval_of_few_images_is_told_to_prove_little() -> None:
    """Beside 0.000 [0.000, 0.000] stood "inconclusive" of two images, and nothing said why."""
    few, enough = ([simulated(images=images, means=(0.0,) * 4)] * 2 for images in (2, 400))
    (note,) = compare(few).notes[0]
    assert note == (
        "Inconclusive though the interval lies within ±0.05: it knows these 2 images alone, which do not show that"
        " others differ by so little."
    )
    assert {one.shift for one in Pair(*few).differences.values()} == {"inconclusive"}
    assert {one.shift for one in Pair(*enough).differences.values()} == {"alike"}
    assert compare(enough).notes == ((),)


@pytest.mark.parametrize("more", [0.0502, -0.0502])
def test_a_difference_that_matters_never_reads_as_one_that_does_not(more: float, tmp_path: Path) -> None:
    """Of 0.05 [0.05, 0.05] it stood that it is more than 0.05."""
    audits = [audit_of([0.2 + moved] * 300) for moved in (0.0, more)]
    compared = compare(audits)
    ends = "[{0}0.0502, {0}0.0502]".format("+" if more > 0 else "−")
    assert f"{ends[1:8]} {ends}" in comparison_table(compared)
    page = write_comparison(tmp_path / "page.html", compared).read_text(encoding="utf-8")
    assert f"<b>{ends[1:8]}</b> <span>{ends}</span>" in page
    for told in (headline(compared), history(audits).groups[0].headline):
        assert "by 0.0502 [0.0502, 0.0502]" in told


@pytest.mark.parametrize("seed", [0, 1])
def test_one_image_has_no_certain_difference(seed: int) -> None:
    """Its interval was [0.7, 0.7], as if all other images had that difference too."""
    for images, width in ((1, 1.0), (2, 0.0)):
        pair = Pair(audit_of([0.2] * images), audit_of([0.9] * images, seed=seed))
        (difference,) = pair.differences.values()
        low, high = difference.interval
        assert low <= difference.mean <= high
        assert high - low >= width


def test_two_audits_of_one_name_in_memory_are_told_apart_by_letters() -> None:
    """A headline said that an attribute moves a model more than the same model."""
    told = headline(compare([simulated(images=60), simulated(images=60, planted={1: 0.25})]))
    assert told.startswith("“pale skin” moves B more than A, by 0.2")


def test_a_difference_that_rounds_to_nothing_has_no_minus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(images=20, planted=dict.fromkeys(range(len(ATTRIBUTES)), 0.0004), path=tmp_path / "before")
    simulated(images=20, path=tmp_path / "after")
    compared = [str(tmp_path / "before"), str(tmp_path / "after"), "--out", str(tmp_path / "page.html")]
    assert main(["compare", *compared]) == 0
    for text in (capsys.readouterr().out, (tmp_path / "page.html").read_text()):
        assert "0.00" in text
        assert not re.search(r"[-−]0\.0+\b", text)


def test_the_axis_of_differences_has_the_minus_of_the_figures_beside_it(tmp_path: Path) -> None:
    page = comparison_page(compare([simulated(images=20), simulated(images=20, planted={0: 0.2})]), tmp_path)
    end = f"{page.differences.end:g}"
    assert [label for _, label in page.differences.ticks] == [f"−{end}", "0", f"+{end}"]


@pytest.mark.parametrize(("planted", "shift"), [(0.03, "inconclusive"), (0.052, "inconclusive"), (0.08, "more")])
def test_only_differences_that_are_shown_to_matter_count(planted: float, shift: str) -> None:
    """All of them differ from nothing for sure; 0.05 is the smallest effect that matters."""
    result = compare([simulated(images=100), simulated(images=100, planted={0: planted})])
    (row,) = [row for row in result.rows if row.attribute.text == ATTRIBUTES[0]]
    difference = row.differences[0]
    assert difference is not None
    assert difference.p_adjusted < 0.01
    assert (difference.shift, difference.mean >= 0.05) == (shift, planted > 0.05)
    assert ("“smiling” moves" in headline(result)) == (shift == "more")


def test_an_interval_that_reaches_below_nothing_says_so_in_headlines() -> None:
    """Of many attributes one may be shown to differ though its interval, which holds for all at once, has 0 in it."""
    shown: dict[str, Any] = {"most": 0.6, "p_adjusted": 0.001}
    more = Difference(mean=0.33, interval=(-0.08, 0.74), shift="more", **shown)
    less = Difference(mean=-0.33, interval=(-0.74, 0.08), shift="less", **shown)
    assert more.size(0.05) == less.size(0.05) == "0.33 [−0.08, 0.74]"
    assert Difference(mean=-0.2, interval=(-0.3, 0.0), shift="less", **shown).size(0.05) == "0.20 [0.00, 0.30]"


def test_the_page_names_the_smallest_difference_that_matters_of_each_audit(tmp_path: Path) -> None:
    """It named the largest, beside a difference that is shown by less."""
    first, second, third = (
        simulated(images=60, planted={1: more}, smallest_effect=least)
        for more, least in ((0.0, 0.05), (0.15, 0.05), (0.15, 0.2))
    )
    page = comparison_page(compare([first, second, third]), tmp_path)
    assert page.matters == "0.05 (B) or 0.2 (C)"
    (row, lines), *_ = [one for one in page.rows if one[0].attribute.text == ATTRIBUTES[1]]
    assert [line.difference.shift for line in lines if line.difference] == ["more", "inconclusive"], row.name
    assert comparison_page(compare([first, second]), tmp_path).matters == "0.05"


@pytest.mark.parametrize("seed", [0, 1])
def test_what_was_planted_is_found_and_nothing_else(seed: int) -> None:
    result = compare([simulated(images=60), simulated(images=60, model=2, seed=seed, planted={1: 0.15})])
    shifts = {row.attribute.text: row.differences[0] for row in result.rows}
    assert [row.attribute.text for row in result.rows] == [ATTRIBUTES[i] for i in (3, 1, 2, 0)], "by the largest bar"
    planted = shifts.pop(ATTRIBUTES[1])
    assert planted is not None
    assert planted.shift == "more"
    assert planted.interval[0] < 0.15 < planted.interval[1]
    assert planted.most > planted.mean
    assert {one.shift for one in shifts.values() if one} <= {"inconclusive", "alike"}
    assert result.rows[1].differences[0] is planted
    back = compare([simulated(images=60, model=2, seed=seed, planted={1: 0.15}), simulated(images=60)])
    assert [row.differences[0].shift for row in back.rows if row.differences[0]].count("less") == 1
    assert headline(result).startswith("“pale skin” moves B more than A")


def test_images_of_one_audit_alone_are_left_out() -> None:
    pair = Pair(simulated(images=20), simulated(images=30, planted={0: 0.5}))
    assert pair.pairs == 20
    assert pair.notes == ("Of 20 and 30 images the 20 that are in both are compared.",)
    same = Pair(simulated(images=20), simulated(images=20, planted={0: 0.5}))
    assert pair.differences == same.differences
    (note,) = Pair(simulated(images=20), simulated(images=20, seed=1)).notes
    assert note.startswith("No image is in both audits")


@pytest.mark.parametrize("pairs", [30, 0])
def test_attributes_with_gaps_are_compared_on_the_images_that_have_them(pairs: int) -> None:
    """As if each were compared alone, though those of the same images go together."""
    random = np.random.default_rng(2)
    before, after = random.random((30, 4)), random.random((pairs or 22, 4))
    for rows, column in ((slice(7), 1), (slice(3, 9), 2)):
        before[rows, column] = np.nan
        after[rows if pairs else slice(0), column] = np.nan
    pair = Pair.__new__(Pair)
    pair.attributes, pair.pairs, pair._analyses = simulated(images=2).attributes, pairs, 1
    pair._before, pair._after = before, after
    alone = [
        (swapped if pairs else permuted)(one[np.isfinite(one)][:, None] - 0.05, other[np.isfinite(other)][:, None])[0]
        for one, other in zip(after.T, before.T, strict=True)
    ]
    np.testing.assert_array_equal(pair.p_above(0.05), alone)


def test_attributes_that_one_audit_lacks_are_told() -> None:
    more = simulated(
        images=9, attributes=("a face with a hat", *ATTRIBUTES[:2]), means=(0.2, *MEANS[:2]), target="other"
    )
    result = compare([simulated(images=9), more])
    assert result.pairs[0].notes == ("Only avatars:mustache has “a beard”, “eyeglasses”.", "Only other has “a hat”.")
    with_hat = next(row for row in result.rows if row.name == "a hat")
    assert with_hat.figures[0] is None
    assert with_hat.differences == (None,)
    assert headline(result) == (
        "No attribute is shown to move other more or less than avatars:mustache by more than 0.05; 2 of 2 are"
        " inconclusive."
    )


def test_one_attribute_is_inconclusive() -> None:
    one = {"images": 9, "attributes": ATTRIBUTES[:1], "means": MEANS[:1]}
    assert headline(compare([simulated(**one), simulated(**one, target="other")])).endswith("; 1 of 1 is inconclusive.")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"generator": "5678"}, 'another generator ("1234" and "5678")'),
        ({"samples": 64}, "edits were measured on other samples (1024 and 64): audit both with the same --samples"),
        ({"edit_range": "paper"}, 'another range ("calibrated" and "paper")'),
        ({"search": "pgd"}, 'another search ("scan" and "pgd")'),
        ({"directions": {"method": "sampled"}}, "another edit directions"),
        ({"target_details": {"task": {"task": "regression"}}}, 'another task (null and "regression")'),
        ({"neutral": "a person"}, "another neutral prompt"),
        ({"keep": ["a face with lipstick"]}, 'another text that edits keep (null and ["a face with lipstick"])'),
        ({"done": 5}, "is not finished: run its command again, then compare"),
        ({"done": 0}, "is not finished"),
        ({"attributes": ("a hat",), "means": (0.1,)}, "they have no attribute in common"),
    ],
)
def test_what_does_not_measure_the_same_is_refused_in_a_line(other: dict[str, Any], says: str) -> None:
    with pytest.raises(AuditError) as refused:
        compare([simulated(images=3, samples=1024), simulated(**{"images": 3, "samples": 1024, **other})])
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_ready_directions_of_one_name_from_two_files_are_not_compared() -> None:
    def along(beard: Any, glasses: str) -> Diagnosis:
        directions = {"method": "given", "own": {"a face with a beard": beard, "eyeglasses": glasses}}
        return simulated(images=3, directions=directions)

    first = along(beard="ab", glasses="cd")
    assert compare([first, along(beard="ab", glasses="ef")]).rows, "only what both have is compared"
    with pytest.raises(AuditError, match="“a face with a beard” is another edit direction in each"):
        compare([first, along(beard="ef", glasses="cd")])
    with pytest.raises(AuditError, match=r"directions.own must be"):
        along(beard=3, glasses="cd")


def of_task(task: str, **options: object) -> Diagnosis:
    return simulated(images=3, target_details={"content_hash": "ab" * 32, "task": {"task": task, **options}})


@pytest.mark.parametrize(
    ("task", "options", "others", "says"),
    [
        ("regression", {"range": [0, 100]}, {"range": [15, 40]}, r"range .*\[0, 100\] and \[15, 40\]"),
        ("keypoints", {"between": [0, 1]}, {"between": [0, 2]}, "between"),
        ("keypoints", {}, {"point": 2}, "point"),
        ("segmentation", {"classes": ["sky", "road"]}, {"classes": ["sky", "road"], "chosen": "road"}, "chosen"),
        ("detection", {"chosen": 1}, {"chosen": 2}, "chosen"),
        ("detection", {}, {"score": 0.3}, "score"),
        ("detection", {}, {"overlap": 0.3}, "overlap"),
    ],
)
def test_changes_of_another_scale_or_selection_are_refused(
    task: str, options: dict[str, Any], others: dict[str, Any], says: str
) -> None:
    with pytest.raises(AuditError, match=says) as refused:
        compare([of_task(task, **options), of_task(task, **others)])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("task", "options", "others"),
    [
        ("regression", {"range": [0, 100]}, {"range": [0.0, 100.0], "unit": "years", "toward": 90.0}),
        ("keypoints", {"between": [0, 1]}, {"between": [1, 0], "points": ["a", "b", "c"]}),
        ("segmentation", {"classes": ["sky", "road"], "chosen": 1}, {"classes": ["sky", "road"], "chosen": "road"}),
        ("binary", {"classes": ["no", "yes"]}, {"classes": ["off", "on"], "output": "probability"}),
        ("multiclass", {"classes": ["cat", "dog"]}, {"classes": ["dog", "cat"], "toward": 1}),
        ("multilabel", {"classes": ["cat", "dog"]}, {"classes": ["hat", "tie"]}),
        ("embedding", {"threshold": 0.5}, {"threshold": 0.4}),
    ],
)
def test_options_that_leave_changes_as_they_are_do_not_matter(
    task: str, options: dict[str, Any], others: dict[str, Any]
) -> None:
    assert compare([of_task(task, **options), of_task(task, **others)]).rows


def peaking(peak: float) -> Callable[[int, str, float], float]:
    """Changes that peak half of the way."""

    def change(image: int, name: str, strength: float) -> float:
        return 0.02 if name == "shift" else (peak if strength == 0.5 else 0.1) + image % 4 / 200

    return change


@pytest.mark.parametrize(("ends", "growth"), [((-1, 1), 0.38), ((1,), 0.0)])
def test_what_is_compared_is_what_the_audits_judge(ends: tuple[float, ...], growth: float) -> None:
    """Where a control goes both ways the largest change is judged, and else that at the end of the range."""
    one, other = (simulated_edits({"red": (0.5, 1)}, peaking(peak), controls={"shift": ends}) for peak in (0.12, 0.5))
    (row,) = compare([one, other]).rows
    before, after = (figures.value for figures in row.figures if figures is not None)
    assert row.differences[0] is not None
    assert row.differences[0].mean == pytest.approx(after - before) == pytest.approx(growth)


def test_what_was_not_edited_does_not_say_what_is_judged() -> None:
    """An edit that goes both ways and was never made leaves the others judged at the end of the range."""
    pictured = {"red": (0.5, 1), "blue": (-1, 1)}
    one, other = (
        simulated_edits(pictured, peaking(peak), made=lambda image, name: name == "red") for peak in (0.12, 0.5)
    )
    assert one.summary().is_judged_at_end
    assert Pair(one, other).differences[one.attributes[0]].mean == pytest.approx(0.0)


def test_audits_that_judge_other_changes_are_refused() -> None:
    one, other = (simulated_edits({"red": (0.5, 1)}, peaking(0.4), controls={"shift": s}) for s in ((1,), (-1, 1)))
    with pytest.raises(AuditError, match=r"first .* end of the range.*second .* largest.*audit both") as refused:
        compare([one, other])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("made", [(), ("blue",)])
def test_audits_with_nothing_edited_in_both_are_refused_in_a_line(made: tuple[str, ...]) -> None:
    one, other = (
        simulated_edits({"red": (1,), "blue": (1,)}, peaking(0.4), made=lambda image, name, names=names: name in names)
        for names in (("red",), made)
    )
    assert Pair(one, other).attributes == []
    assert Pair(one, other).differences == {}
    with pytest.raises(AuditError, match="no attribute has edited pictures in both") as refused:
        compare([one, other])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("seed", "first"), [(0, 1), (1, 34)], ids=["same images", "other images"])
def test_many_attributes_and_interim_analyses_take_draws_enough(seed: int, first: int) -> None:
    """What is left to each of them is out of the reach of 20,000 draws."""
    plan = list(range(first, 41))
    config = {"mode": "single", "attributes": ["a hat", "a tie", *map(str, range(13))], "interim_analyses": plan}
    one, other = (
        Diagnosis(
            Manifest.of({**config, "width": None, "images": None}),
            tuple(
                record(i, whose * 100 + i, name, change, 15) for i in range(plan[-1]) for name in config["attributes"]
            ),
        )
        for change, whose in ((0.1, 0), (0.5, seed))
    )
    assert max(difference.p_adjusted for difference in Pair(one, other).differences.values()) < 0.05


def test_what_differs_harmlessly_is_told() -> None:
    labels = {"labels": ["a cat", "a dog"], "synthesis": {"backend": "torch", "precision": "fp32"}}
    first, second = Pair(simulated(images=3), simulated(images=3, **labels)).notes
    assert first.startswith("The label prompts differ")
    assert second == "The pictures were drawn by None in None and torch in fp32: edits differ slightly."


def test_the_command_writes_a_page_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(images=20, baseline=0.02, path=tmp_path / "before")
    simulated(images=20, baseline=0.02, planted={1: 0.2}, target="<b>other</b>", path=tmp_path / "after")
    folders = [str(tmp_path / name) for name in ("before", "after", "before")]
    assert main(["compare", *folders, "--out", str(tmp_path / "page.html")]) == 0
    told = capsys.readouterr().out
    assert "B: <b>other</b>" in told
    assert "C − A [95 %]" in told
    assert headline(compare([Diagnosis.load(folder) for folder in folders])) in " ".join(told.split())
    assert told.splitlines()[-1] == f"Open {tmp_path / 'page.html'}"
    page = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;other&lt;/b&gt;" in page
    assert "<b>other</b>" not in page
    assert page.count('<span class="letter">') == 3 * len(ATTRIBUTES)
    assert page.count("<em>more</em>") == 1
    assert main(["compare", *folders[:2], "--json", "--out", str(tmp_path / "page.html")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [audit["shared_images"] for audit in result["audits"]] == [None, 20]
    assert result["attributes"][1]["difference"][0]["shift"] == "more"
    assert main(["compare", folders[0], str(tmp_path)]) == 1


def edited_audits(tmp_path: Path, *, strength: float = 1, folders: bool = False) -> tuple[Diagnosis, Diagnosis]:
    """Audits by edits from elsewhere: "red" in all of 30 images, "dark" in the last 20; the other model sees half."""
    rows: list[tuple[object, ...]] = []
    for image in range(30):
        for attribute, colour in (("", 100), ("red", 150), ("dark", 50)):
            if attribute != "dark" or image >= 10:
                write_picture(tmp_path / f"{image}{attribute}.png", (colour + image, 90, 90))
                rows.append((image, attribute, strength if attribute else 0, f"{image}{attribute}.png", ""))
    table = write_table(tmp_path, rows)
    outs = [tmp_path / name if folders else None for name in ("one", "two 2")]
    least = 0.05
    first = Diagnoser(pairs=table, target=red, smallest_effect=least).run(out=outs[0])
    half = Diagnoser(pairs=table, target=lambda pictures: red(pictures) / 2, smallest_effect=least)
    return first, half.run(out=outs[1])


def test_edits_that_not_every_image_has_are_compared_on_the_images_that_have_them(tmp_path: Path) -> None:
    pair = Pair(*edited_audits(tmp_path))
    assert [attribute.text for attribute in pair.attributes] == ["red", "dark"]
    for one in pair.differences.values():
        assert one.mean == pytest.approx(-25 / 255, abs=2e-3)
        assert one.shift == "less"
        assert one.interval == pytest.approx((one.mean, one.mean), abs=1e-6)


def test_edits_that_go_further_in_one_audit_are_not_compared(tmp_path: Path) -> None:
    first, _ = edited_audits(tmp_path / "a")
    other, _ = edited_audits(tmp_path / "b", strength=2)
    with pytest.raises(AuditError, match="is edited at other strengths"):
        Pair(first, other)


@pytest.fixture(scope="module")
def long_names() -> Comparison:
    """Four audits of attributes whose names are wider than a terminal."""
    names = (("a face with a very long beard " * 9).strip(), "日本語の笑顔" * 9, "x" * 90, "e\u0301" * 90)
    return compare(
        [
            simulated(images=60, attributes=names, target="a\x1b[31m\nb", planted={1: more})
            for more in (0, 0.2, 0.0, 0.1)
        ]
    )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_of_several_audits_fits_its_terminal(long_names: Comparison, width: int) -> None:
    """Three tables of one difference each at 80 columns, one of all where there is room."""
    text = comparison_table(long_names, width=width)
    assert all(line.isprintable() for line in text.split("\n"))
    table = [line for line in text.split("\n") if "]" in line or "─" in line]
    assert max(map(cell_len, table)) <= width
    assert sum("attribute" in line for line in table) == {80: 3, 120: 2, 200: 1}[width]
    assert all(f"{letter} − A [95 %]" in text for letter in "BCD")


def show_one_image(seed: int, folder: str) -> None:
    """Let the gallery say that all of its pictures are of this image."""
    path = Path(folder) / "gallery.json"
    content = json.loads(path.read_text())
    for strip in content["strips"]:
        strip["seed"] = seed
    path.write_text(json.dumps({**content, "pictures": []}))


def test_the_page_shows_what_differs_in_both_models_and_links_their_reports(tmp_path: Path) -> None:
    edited_audits(tmp_path / "audits", folders=True)
    folders = [str(tmp_path / "audits" / name) for name in ("one", "two 2")]
    command = ["compare", *folders, "--out", str(tmp_path / "page.html")]
    assert main(command) == 0
    page = (tmp_path / "page.html").read_text()
    shown, _, rest = page.partition("Paired by attribute")
    assert "The attributes whose effect differs by more than 0.05" in shown
    assert shown.count("<figure>") == 2 * 2, "an example of each attribute in each audit"
    assert shown.count('<img src="data:image/webp;base64,') == 2 * 2 * 2, "before and after"
    for letter in "AB":
        assert shown.count(f'<figcaption><span class="tag plain">{letter}</span>') == 2
    assert "<img" not in rest
    assert "Owner" not in shown, "who answers for an audit does not push the pictures down"
    assert rest.partition("Which audits these are")[2].count("Owner") == 2
    assert 'href="audits/one/report.html">Report of A</a>' in shown
    assert 'href="audits/two%202/report.html">Report of B</a>' in shown
    assert "the audits show other images" not in shown
    for seed, folder in enumerate(folders):
        show_one_image(seed, folder)
    (tmp_path / "audits" / "one" / "report.html").unlink()
    assert main(command) == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("the audits show other images") == 2
    assert "Report of A" not in page
    (tmp_path / "audits" / "one" / "gallery.json").unlink()
    assert main(command) == 0
    assert (tmp_path / "page.html").read_text().count("No picture: its folder has none") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="names there are UTF-8")
def test_pages_link_folders_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    audit = simulated(images=24, path=folder / "audit")
    write_report(folder / "audit")
    write_index(tmp_path, [folder / "audit"])
    write_comparison(tmp_path / "compare.html", compare([audit, audit]))
    for name in ("index.html", "compare.html"):
        assert 'href="caf%E9/audit/report.html"' in (tmp_path / name).read_text(encoding="utf-8"), name


def test_nothing_that_differs_has_no_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(images=20, path=tmp_path / "one")
    assert main(["compare", *[str(tmp_path / "one")] * 2, "--out", str(tmp_path / "page.html")]) == 0
    assert "in pictures" not in (tmp_path / "page.html").read_text()
    capsys.readouterr()
