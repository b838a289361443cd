"""The grids of all images: what they hold, in which order, and what is told of each picture."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from html_page import HOSTILE, Page, links_of

from zoom_engine.audit.manifest import Edit
from zoom_engine.common.errors import AuditError
from zoom_engine.gates.page import example_of
from zoom_engine.report import image_grid, write_report, writer
from zoom_engine.report.image_grid import ImageGrids, read_grids
from zoom_engine.report.source import Source
from zoom_engine.statistics.diagnosis import Diagnosis


def grids_of(audit: Path, *, inlined: bool = False) -> ImageGrids:
    grids = read_grids(Source(audit), inlined=inlined)
    assert grids is not None
    return grids


def with_records(audit: Path, **values: object) -> None:
    """Change all records of an audit's folder."""
    lines = [json.loads(line) | values for line in (audit / "records.jsonl").read_text().splitlines()]
    (audit / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_each_decisive_flip_of_the_records_has_a_thumbnail_that_is_marked(make_audit) -> None:
    audit = make_audit("audit", grid=True)
    diagnosis, page = Diagnosis.load(audit), Page(write_report(audit))
    decisive = {(r.image, r.attribute) for r in diagnosis.records if diagnosis.is_decisive(r)}
    assert 0 < len(decisive) < len(diagnosis.records)
    items = [tag for tag in page.all("li") if re.fullmatch(r"image-\d+-.*", tag.get("id", ""))]
    assert len(items) == len(diagnosis.records)
    names = {"pale-skin": 0, "smiling": 1, "a-beard": 2}
    marked = set()
    for item in items:
        _, image, name = item["id"].split("-", 2)
        if item.get("class") == "decisive":
            marked.add((int(image), diagnosis.attributes[names[name]].text))
    assert marked == decisive
    linked = {unquote(link) for link in links_of(page)}
    assert {entry.file for entry in Source(audit).pictures} <= linked


def test_decisive_flips_come_first_then_other_flips_then_the_largest_changes(make_audit) -> None:
    audit = make_audit("audit", grid=True)
    diagnosis = Diagnosis.load(audit)
    records = {(r.image, r.attribute): r for r in diagnosis.records}
    for grid, attribute in zip(grids_of(audit).grids, Source(audit).order, strict=True):
        shown = [records[int(one.anchor.split("-")[1]), attribute.text] for one in grid.thumbnails]
        keys = [(not diagnosis.is_decisive(one), not one.flipped, -one.change) for one in shown]
        assert keys == sorted(keys)
        assert len(shown) == 12


def test_a_picture_is_told_with_its_direction_weight_outputs_and_flip(make_audit) -> None:
    audit = make_audit("audit", grid=True)
    diagnosis = Diagnosis.load(audit)
    record = next(r for r in diagnosis.records if diagnosis.is_decisive(r) and r.attribute == "a smiling face")
    other = next(r for r in diagnosis.records if not r.flipped and r.attribute == "a smiling face")
    thumbnails = {one.anchor: one for grid in grids_of(audit).grids for one in grid.thumbnails}
    one, still = (thumbnails[f"image-{r.image}-smiling"] for r in (record, other))
    weight, before, after = record.edit_weights[1], record.original_output[0], record.output[0]
    way = "added" if weight > 0 else "removed"
    sign = "+" if weight > 0 else "−"
    assert one.alt == (
        f"image {record.image} with smiling {way}, edit weight {sign}{abs(weight):g}: the probability of “mustache”"
        f" {before:.2f}\u00a0→\u00a0{after:.2f}, decisive flip"
    )
    assert still.alt.endswith(", no flip")
    told = dict(one.lines)
    names = ["“no mustache”", "“mustache”"]
    assert told["Prediction"] == f"{names[before >= 0.5]} → {names[after >= 0.5]}: decisive flip"
    assert dict(still.lines)["Prediction"] == "no flip"
    assert told["Edit weight"] == f"{sign}{abs(weight):g}; this image’s range is −12 to +12"
    assert told["Label"] == "kept"
    assert told["Similarity"].startswith("0.90 (SSIM")
    assert told["Image"] == f"{record.image}, seed {record.seed}"
    assert "Similarity" not in dict(still.lines), "it was not measured"


def test_every_strip_and_the_leading_pictures_lead_to_their_records(make_audit) -> None:
    """The grid is opened by the link, so that no picture is further than two clicks from its record."""
    audit = make_audit("audit", grid=True)
    source, page = Source(audit), Page(write_report(audit))
    names = {attribute: name.replace("a ", "a-").replace(" ", "-") for attribute, name in source.names.items()}
    records = {tag["id"] for tag in page.all("li") if tag.get("id", "").startswith("image-")}
    strips = [strip for strip in source.strips if strip.attribute is not None]
    linked = [link["href"][1:] for link in page.all("a") if link.get("href", "").startswith("#image-")]
    expected = []
    for strip in strips:
        (record,) = (one for one in source.diagnosis.of(strip.attribute) if one.seed == strip.seed)
        expected.append(f"image-{record.image}-{names[strip.attribute]}")
        assert f'<a href="#{expected[-1]}">Image {record.image}, seed {record.seed}</a>' in page.html
    assert set(expected) <= records
    hero = [link["href"][1:] for link in page.all("a") if link.get("title") == "Its record"]
    assert hero
    assert set(hero) <= set(expected)
    assert len(linked) == len(expected) + len(hero)
    without = Page(write_report(make_audit("without"))).html
    assert "#image-" not in without
    assert re.search(r"Image \d+, seed \d+", without)


def test_a_change_is_told_in_the_unit_of_the_task(make_audit) -> None:
    years = make_audit("years", task={"task": "regression", "range": [0, 80], "unit": "years"}, grid=True)
    changes = [dict(one.lines)["Change"] for grid in grids_of(years).grids for one in grid.thumbnails]
    assert all(re.match(r"[\d.]+ years, 0\.\d\d of the range", change) for change in changes)
    plain = [dict(one.lines)["Change"] for g in grids_of(make_audit("plain", grid=True)).grids for one in g.thumbnails]
    assert all(re.match(r"0\.\d\d of at most 1", change) for change in plain)


def test_a_flip_that_proves_nothing_is_not_called_decisive(make_audit) -> None:
    audit = make_audit("audit", grid=True)
    with_records(audit, decisive=False)
    flips = {one.flip for grid in grids_of(audit).grids for one in grid.thumbnails}
    assert flips == {"borderline flip", ""}
    multi = make_audit("multi", mode="multi", grid=True)
    with_records(multi, natural=False)
    flips = {one.flip for grid in grids_of(multi).grids for one in grid.thumbnails}
    assert flips == {"flip beyond what the generator draws"}


def test_all_attributes_together_are_one_grid_to_which_each_bar_leads(make_audit) -> None:
    audit = make_audit("audit", mode="multi", grid=True)
    (grid,) = grids_of(audit).grids
    assert len(grid.thumbnails) == 12
    assert grid.thumbnails[0].alt.startswith(f"{grid.thumbnails[0].original.replace('-', ' ')} with all attributes tog")
    told = dict(grid.thumbnails[0].lines)["Edit weights"]
    assert [part.rsplit(" ", 1)[0] for part in told.split(", ")] == ["pale skin", "smiling", "a beard"]
    page = Page(write_report(audit))
    assert [link["href"] for link in page.all("a")].count(f"#{grid.anchor}") == 3


def test_bars_lead_to_their_grids(make_audit) -> None:
    page = Page(write_report(make_audit("audit", grid=True)))
    hrefs = [link["href"] for link in page.all("a")]
    for name in ("pale-skin", "smiling", "a-beard"):
        assert hrefs.count(f"#images-{name}") == 1
        assert f'id="images-{name}"' in page.html


def test_names_that_are_not_told_apart_by_letters_have_their_hash_in_the_anchor(make_audit) -> None:
    audit = make_audit("audit", attributes=("a face with a beard", "a face with a-beard", "微笑"), grid=True)
    anchors = [grid.anchor for grid in grids_of(audit).grids]
    assert len(set(anchors)) == 3
    assert all(re.fullmatch(r"images-[0-9a-z-]+", anchor) for anchor in anchors)
    ids = [tag["id"] for _, tag in Page(write_report(audit)).tags if "id" in tag]
    assert len(ids) == len(set(ids))


def test_hostile_names_stay_text_in_grids(make_audit) -> None:
    page = Page(write_report(make_audit("audit", attributes=HOSTILE, target=HOSTILE[0], grid=True)))
    assert page.open == []
    assert [tag for tag, _ in page.tags if tag in ("script", "iframe")] == ["script"]
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(re.fullmatch(r"(#|images/)[0-9a-z/.-]+|[a-z]+\.jsonl?", link["href"]) for link in page.all("a"))


def test_audits_of_older_versions_have_a_page_without_grids(make_audit) -> None:
    audit = make_audit("audit")
    assert read_grids(Source(audit)) is None
    page = Page(write_report(audit))
    assert "Image by image" not in page.text
    assert "img-src data:;" in page.html


def test_pictures_that_are_gone_are_counted_and_the_page_is_written(make_audit) -> None:
    audit = make_audit("audit", grid=True)
    grids = grids_of(audit)
    assert (grids.missing, grids.missing_flips) == (0, 0)
    flip = next(one for grid in grids.grids for one in grid.thumbnails if one.decisive)
    (audit / unquote(flip.file)).unlink()
    grids = grids_of(audit)
    assert (grids.missing, grids.missing_flips) == (1, 1)
    assert (
        "1 picture is left out as only the first ones are drawn, 1 of them a decisive flip."
        in Page(write_report(audit)).text
    )


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd"])
def test_a_grid_that_points_elsewhere(make_audit, name: str) -> None:
    audit = make_audit("audit", grid=True)
    gallery = json.loads((audit / "gallery.json").read_text())
    gallery["pictures"][0]["file"] = name
    (audit / "gallery.json").write_text(json.dumps(gallery))
    with pytest.raises(AuditError, match="is not a file inside"):
        write_report(audit)


def test_a_single_file_holds_all_pictures_and_asks_for_nothing(make_audit, tmp_path: Path) -> None:
    audit = make_audit("audit", grid=True)
    out = write_report(audit, single_file=tmp_path / "mail.html")
    assert out == tmp_path / "mail.html"
    assert not (audit / "report.html").exists()
    page = Page(out)
    assert all(picture["src"].startswith("data:image/webp;base64,") for picture in page.all("img"))
    assert links_of(page) == []
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "img-src data:; script-src 'sha256-" in policy
    assert sum("-" in tag.get("id", "") and tag["id"].startswith("image-") for tag in page.all("li")) == 36
    ids = {tag["id"] for _, tag in page.tags if "id" in tag}
    assert {link["href"][1:] for link in page.all("a")} <= ids
    assert "do not come with this page" in page.text


def test_a_single_file_leaves_out_what_is_least_important_and_says_so(
    make_audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = make_audit("audit", grid=True)
    whole = grids_of(audit, inlined=True)
    size = sum(len(one.file) for one in whole.originals) + sum(len(t.file) for g in whole.grids for t in g.thumbnails)
    monkeypatch.setattr(image_grid, "SIDES", ((64, 80), (16, 20)))
    monkeypatch.setattr(image_grid, "INLINED", size // 8)
    grids = grids_of(audit, inlined=True)
    shown = [one for grid in grids.grids for one in grid.thumbnails]
    assert 0 < len(shown) == 36 - grids.missing < 36
    left_out = sum(one.decisive for grid in whole.grids for one in grid.thumbnails) - sum(one.decisive for one in shown)
    assert grids.missing_flips == left_out
    assert left_out == 0 or all(one.decisive for one in shown), "decisive flips come first"
    text = Page(write_report(audit, single_file=tmp_path / "mail.html")).text
    assert f"{grids.missing} pictures are left out to keep this file small" in text


def test_grids_leave_room_for_what_else_is_on_the_page(make_audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is too large with all its pictures gets smaller ones, whatever lies beside it."""
    audit = make_audit("audit", grid=True)
    size = write_report(audit).stat().st_size
    monkeypatch.setattr(writer, "LARGEST_PAGE", size - 1)
    budgets = [dataclasses.replace(writer.BUDGETS[0]), dataclasses.replace(writer.BUDGETS[0], strips=2)]
    monkeypatch.setattr(writer, "BUDGETS", budgets)
    assert write_report(audit).stat().st_size < size


def test_a_picture_beside_another_audit_says_where_between_the_ends_it_was_taken(make_audit) -> None:
    """A strip goes to the end of the range; the picture of a trial that does not flip to the largest change."""
    audit = make_audit("audit", attributes=("a face with a beard",), gain=0.001, grid=True, strips_each=1)
    source = Source(audit)
    (attribute,) = source.diagnosis.attributes
    (strip,) = source.strips
    record = next(record for record in source.diagnosis.of(attribute) if record.seed != strip.seed)
    alone = example_of(source, attribute, record.seed, "")
    assert alone is not None
    assert "no flip; the output moves furthest at edit weight " in alone.outcome
    beside = example_of(source, attribute, strip.seed, "")
    assert beside is not None
    assert "edit weight" not in beside.outcome


def test_a_picture_of_a_graded_edit_beside_another_audit_says_its_strength(
    make_audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = make_audit("audit", attributes=("a face with a beard",), gain=0.001, grid=True, strips_each=1)
    source = Source(audit)
    (attribute,) = source.diagnosis.attributes
    seed = next(record.seed for record in source.diagnosis.of(attribute) if record.seed != source.strips[0].seed)
    for strengths, told in (((10.0, 20.0), True), ((20.0,), False)):
        monkeypatch.setattr(Source, "edit_of", lambda *_, s=strengths: Edit(name="turned", strengths=s, unit="°"))
        example = example_of(source, attribute, seed, "")
        assert example is not None
        assert bool(re.search(r"no flip; the output moves furthest at strength [+−][\d.]+°", example.outcome)) is told
