"""A diagnosis is saved, loaded and shown; records of another audit are refused."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audits import ATTRIBUTES, manifest, single
from rich.cells import cell_len

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.records import Record
from zoom_engine.common.errors import AuditError
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import summary_table


@pytest.fixture
def diagnosis() -> Diagnosis:
    return Diagnosis(manifest(), tuple(single(i, c) for c in (2, 0, 1) for i in reversed(range(40))))


def test_save_and_load(diagnosis: Diagnosis, tmp_path: Path) -> None:
    path = diagnosis.save(tmp_path / "audit")
    loaded = Diagnosis.load(path)
    assert loaded.records == diagnosis.records
    assert loaded.summary() == diagnosis.summary()
    assert json.loads((path / "summary.json").read_text()) == json.loads(json.dumps(loaded.summary().to_json()))
    assert loaded.path == path
    with pytest.raises(AuditError, match="already holds an audit"):
        diagnosis.save(path)


def test_saving_takes_the_pictures_along(diagnosis: Diagnosis, tmp_path: Path) -> None:
    path = diagnosis.save(tmp_path / "audit")
    with AuditFolder.resume(path, manifest()) as folder:
        folder.write("images/a.png", b"png")
        folder.write_json("gallery.json", {"strips": [], "sheets": []})
    copy = Diagnosis.load(path).save(tmp_path / "copy")
    assert (copy / "images" / "a.png").read_bytes() == b"png"
    assert json.loads((copy / "gallery.json").read_text()) == {"strips": [], "sheets": []}


@pytest.fixture
def with_pictures(diagnosis: Diagnosis, tmp_path: Path) -> Diagnosis:
    path = diagnosis.save(tmp_path / "audit")
    with AuditFolder.resume(path, manifest()) as folder:
        folder.write("images/a.png", b"png")
        folder.write("images/more/b.png", b"more")
        folder.write_json("gallery.json", {"strips": [], "sheets": []})
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    return Diagnosis.load(path)


def linked(file: Path, to: Path) -> None:
    file.rename(file.with_name(f"{file.name}-before"))
    file.symlink_to(to)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda audit: shutil.rmtree(audit / "images"), "has no images: bring it back"),
        (lambda audit: (audit / "images" / "x.png").symlink_to(audit.parent / "secret" / "key"), "x.png is no plain"),
        (lambda audit: (audit / "images" / "x").symlink_to(audit.parent / "secret"), "images/x is no plain file"),
        (lambda audit: linked(audit / "images", audit.parent / "secret"), "images is no plain file"),
        (lambda audit: linked(audit / "gallery.json", audit.parent / "secret" / "key"), "gallery.json is no plain"),
        (lambda audit: (audit / "photographs.json").symlink_to("/etc/hostname"), "photographs.json is no plain"),
        (lambda audit: os.mkfifo(audit / "images" / "pipe\n"), "is no plain file"),
    ],
)
def test_pictures_that_cannot_be_copied_leave_nothing(
    with_pictures: Diagnosis, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    whole = with_pictures.save(tmp_path / "whole")
    assert (whole / "images" / "more" / "b.png").read_bytes() == b"more"
    spoil(tmp_path / "audit")
    (tmp_path / "empty").mkdir()
    for name in ("parent/copy", "empty"):
        with pytest.raises(AuditError, match=message) as refusal:
            with_pictures.save(tmp_path / name)
        assert "\n" not in str(refusal.value)
    assert not (tmp_path / "parent").exists()
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_copy_that_is_refused_or_stopped_touches_nothing_else(
    with_pictures: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gallery.json").write_text("mine")
    with pytest.raises(AuditError, match="not empty"):
        with_pictures.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "gallery.json").read_text() == "mine"

    def stopped(*_: object) -> None:
        (tmp_path / "copy").rename(tmp_path / "moved")
        (tmp_path / "mine").rename(tmp_path / "copy")
        raise KeyboardInterrupt

    monkeypatch.setattr(AuditFolder, "finish", stopped)
    with pytest.raises(KeyboardInterrupt):
        with_pictures.save(tmp_path / "copy")
    assert (tmp_path / "copy" / "gallery.json").read_text() == "mine"


def test_records_of_other_attributes_are_refused() -> None:
    with pytest.raises(AuditError, match="image 3, attribute 'a cat'"):
        Diagnosis(manifest(), (replace(single(3, 0), attribute="a cat"),))
    with pytest.raises(AuditError, match="image 3"):
        Diagnosis(manifest(), (replace(single(3, 0), edit_weights=(1.0,)),))


def test_loading_what_is_not_there(tmp_path: Path, diagnosis: Diagnosis) -> None:
    with pytest.raises(AuditError, match="does not exist"):
        Diagnosis.load(tmp_path / "nowhere")
    path = diagnosis.save(tmp_path / "audit")
    (path / "records.jsonl").unlink()
    with pytest.raises(AuditError, match=r"cannot read .*records\.jsonl: no such file"):
        Diagnosis.load(path)


def test_the_table_shows_first_wordings_intervals_and_totals(diagnosis: Diagnosis) -> None:
    lines = diagnosis.table(width=130).splitlines()
    row = diagnosis.sensitivity[0]
    assert lines[0] == "avatars:mustache: 40 images, search scan, single mode"
    assert lines[4].startswith("a face with pale skin  ")
    assert "a pale face" not in diagnosis.table()
    assert f"{row.mean_change:.3f} [{row.ci95[0]:.3f}, {row.ci95[1]:.3f}]" in lines[4]
    assert f"{100 * row.flip_rate:.0f} %" in lines[4]
    assert len({len(line) for line in lines[1:2] + lines[4:7]}) == 1
    assert max(map(len, diagnosis.table().splitlines())) <= 80


@pytest.mark.parametrize("mode", ["single", "multi"])
@pytest.mark.parametrize("colors", [False, True])
def test_the_table_fits_80_columns_whatever_attributes_are_named(mode: str, colors: bool) -> None:
    names = ["日本語の笑顔" * 9, "x" * 90, "e\u0301" * 99, "a face 😀"]
    attribute = names[0] if mode == "single" else None
    records = tuple(
        replace(single(i, 0), attribute=attribute, edit_weights=(1.0, 0.0, 0.0, 0.0), paper=None) for i in range(3)
    )
    text = Diagnosis(manifest(mode, attributes=names, target="a\x1b[31m\u202e\nb"), records).table(colors=colors)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert (plain != text) == (colors and mode == "single")
    assert all(line.isprintable() for line in plain.split("\n"))
    assert max(map(cell_len, plain.split("\n"))) <= 80
    assert "…" in plain
    assert " - " in plain


def test_the_table_says_none_and_all_only_where_that_is_so(diagnosis: Diagnosis) -> None:
    """One image of a thousand that flips was 0 % of the images, and one that loses its label left 100 %."""
    rare = replace(diagnosis.summary(), flip_rate=0.001, decisive_flip_rate=0.0, label_kept=0.999)
    assert "0.1 % of the images flip, 0 % decisively; label kept 99.9 %" in summary_table(rare)
    certain = replace(rare, flip_rate=1.0, label_kept=1.0)
    assert "100 % of the images flip, 0 % decisively; label kept 100 %" in summary_table(certain)


def test_a_table_speaks_of_no_means_over_nothing(diagnosis: Diagnosis) -> None:
    """Where no image flips decisively it said that shares are means over the 0 images that do."""
    together = replace(diagnosis.summary(), mode="multi", decisive_flip_rate=0.0)
    assert "means over" not in summary_table(together)
    assert "means over the 1 image that flips" in " ".join(
        summary_table(replace(together, decisive_flip_rate=1 / together.edited_images)).split()
    )


def test_a_wider_terminal_shows_more_columns(diagnosis: Diagnosis) -> None:
    heads = {width: diagnosis.table(width=width).splitlines()[2].split("]")[1].split() for width in (60, 70, 80, 130)}
    assert heads[60] == ["verdict"]
    assert heads[70] == ["verdict", "decisive"]
    assert heads[80] == ["verdict", "flips", "decisive"]
    assert heads[130] == ["verdict", *["of", "the", "sum", "flips", "decisive", "label", "kept", "SSIM", "|weight|"]]


def test_it_is_shown_in_one_line(diagnosis: Diagnosis, tmp_path: Path) -> None:
    assert repr(diagnosis) == "Diagnosis(target='avatars:mustache', mode='single', images=40, trials=120, path=None)"
    path = diagnosis.save(tmp_path / "audit")
    assert repr(Diagnosis.load(path)).endswith(f"trials=120, path={str(path)!r})")


def test_records_are_had_by_attribute(diagnosis: Diagnosis) -> None:
    assert [attribute.text for attribute in diagnosis.attributes] == ATTRIBUTES
    for attribute in diagnosis.attributes:
        assert list(diagnosis.of(attribute)) == [r for r in diagnosis.records if r.attribute == attribute.text]
    together = tuple(replace(single(i, 0), attribute=None) for i in range(3))
    assert list(Diagnosis(manifest("multi"), together).of(None)) == list(together)
    assert list(diagnosis.of(None)) == []


def of_baseline(image: int, direction: int, change: float, count: int = 2) -> Record:
    plain = single(image, 0)
    weights = tuple(1.0 * (column == direction) for column in range(count))
    return replace(plain, attribute=None, baseline=direction, edit_weights=weights, change=change, flipped=True)


def test_records_of_random_directions_stand_beside_those_of_attributes(tmp_path: Path) -> None:
    of_attributes = [single(i, c) for i in range(40) for c in range(3)]
    baseline = [of_baseline(i, j, 0.01 + 0.01 * j, count=10) for i in range(40) for j in range(10)]
    diagnosis = Diagnosis(manifest(random_directions=10, images=40), (*baseline, *of_attributes))
    assert set(diagnosis.records) == set(of_attributes)
    assert len(diagnosis.baseline) == 400
    assert diagnosis.of(None) == ()
    plain, beside = Diagnosis(manifest(images=40), tuple(of_attributes)).summary(), diagnosis.summary()
    assert (beside.trials, beside.images, beside.flip_rate) == (plain.trials, plain.images, plain.flip_rate)
    assert [row.mean_change for row in beside.sensitivity] == [row.mean_change for row in plain.sensitivity]
    assert beside.baseline is not None
    assert (beside.baseline.mean_change, beside.baseline.strongest) == pytest.approx((0.055, 0.1))
    assert plain.baseline is None
    assert {(row.verdict, row.specificity) for row in plain.sensitivity} == {("sensitive", None)}
    assert [row.verdict for row in beside.sensitivity] == ["sensitive"] * 3
    assert beside.sensitivity[0].specificity == "specific"
    assert "random directions: 0.055 on average, the strongest of 10 0.100; an effect is specific" in " ".join(
        diagnosis.table().split()
    )
    saved = diagnosis.save(tmp_path / "audit")
    assert Diagnosis.load(saved).baseline == diagnosis.baseline
    (row, *_) = json.loads((saved / "summary.json").read_text())["sensitivity"]
    assert (row["verdict"], row["specificity"], row["as_far"]) == ("sensitive", "specific", 0)
    assert row["baseline"] == pytest.approx(0.055)
    assert row["p_value"] <= row["p_adjusted"] < 0.05


def test_no_effect_is_told_from_few_random_directions() -> None:
    """The table said from which effect on one is, 1.000, where no attribute is specific whatever it does."""
    records = [single(i, c) for i in range(12) for c in range(3)]
    records += [of_baseline(i, j, 0.01, count=2) for i in range(12) for j in range(2)]
    text = " ".join(Diagnosis(manifest(random_directions=2, images=12), tuple(records)).table().split())
    assert "the strongest of 2 0.010; no effect can be told from these" in text


def test_an_audit_that_goes_on_decides_nothing() -> None:
    of_attributes = [single(i, c) for i in range(40) for c in range(3)]
    baseline = [of_baseline(i, j, 0.01) for i in range(40) for j in range(2)]
    unfinished = Diagnosis(manifest(random_directions=2, images=41), (*baseline, *of_attributes))
    assert {(row.verdict, row.specificity) for row in unfinished.sensitivity} == {("inconclusive", "unknown")}


@pytest.mark.parametrize("fault", [{"baseline": 2}, {"edit_weights": (1.0,)}])
def test_a_random_direction_of_another_audit_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(AuditError, match="not of this audit"):
        Diagnosis(manifest(random_directions=2), (replace(of_baseline(0, 1, 0.1), **fault),))
