"""What a manifest says is checked where it is read; on disk it stays what it was."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.audit.folder import read_manifest
from zoom_engine.audit.gallery_file import Gallery
from zoom_engine.audit.manifest import FORMAT, Config, Manifest
from zoom_engine.audit.photographs_file import load_photographs
from zoom_engine.audit.records import Record
from zoom_engine.audit.service_file import load_tries
from zoom_engine.common.errors import AuditError
from zoom_engine.statistics.diagnosis import Diagnosis

CONFIG = {"mode": "single", "attributes": ["a smiling face|a face with a smile", "a hat"]}
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Configs as a run writes them; what a later version may add is among their keys."""
    attributes = draw(st.lists(WORDS | st.lists(WORDS, min_size=2, max_size=3).map("|".join), min_size=1, unique=True))
    numbers = st.lists(NUMBERS, min_size=len(attributes), max_size=len(attributes))
    set_ = {
        "neutral": WORDS,
        "target": st.text(),
        "target_details": st.fixed_dictionaries({"task": st.dictionaries(WORDS, JSON), "note": st.text()}),
        "labels": st.lists(WORDS),
        "search": WORDS,
        "images": st.integers(1, 10**6),
        "bound": st.floats(0.1, 1000) | st.integers(1, 100),
        "edit_range": st.sampled_from(["paper", "calibrated"]),
        "calibrated_range": st.none() | numbers.map(lambda ends: [[-abs(end), abs(end)] for end in ends]),
        "decisive_change": st.floats(0, 1),
        "directions": st.fixed_dictionaries({"strength": numbers, "noise_floor": numbers}),
        "later": JSON,
    }
    result = draw(st.fixed_dictionaries({}, optional=set_))
    return {"mode": draw(st.sampled_from(["single", "multi"])), "attributes": attributes, **result}


@given(configs(), st.none() | st.dictionaries(WORDS, JSON))
def test_a_manifest_comes_back_as_it_was(config: dict[str, Any], environment: dict[str, Any] | None) -> None:
    made = Manifest.of(config, environment)
    text = json.dumps(made.to_json(), allow_nan=False)
    again = Manifest.from_json(json.loads(text))
    assert again == made
    assert json.dumps(again.to_json()) == text
    assert json.loads(text)["config"] == config
    assert [attribute.text for attribute in made.config.attributes] == config["attributes"]
    for name in ("mode", "images", "bound", "edit_range", "decisive_change", "target", "search"):
        if name in config:
            assert getattr(made.config, name) == config[name]
    assert len(made.config.ranges) == len(config["attributes"])
    assert all(low <= high for low, high in made.config.ranges)


@given(JSON, st.sampled_from(["format", "config", "environment", "resumed_in", "workers"]))
def test_whatever_a_manifest_holds_it_is_read_or_refused_in_one_line(value: Any, key: str) -> None:
    for content in (value, {**Manifest.of(CONFIG).to_json(), key: value}):
        refusal = ""
        try:
            Manifest.from_json(content)
        except AuditError as error:
            refusal = str(error)
        assert len(refusal.splitlines()) == bool(refusal)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mode": None}, "config.mode must be 'single' or 'multi', not null"),
        ({"mode": "both"}, "config.mode must be 'single' or 'multi', not \"both\""),
        ({"attributes": None}, "config.attributes must name one or more"),
        ({"attributes": []}, "config.attributes must name one or more"),
        ({"attributes": "a hat"}, "config.attributes must be a list"),
        ({"attributes": ["a hat", 3]}, "config.attributes[1] must be a text, not 3"),
        ({"attributes": ["a hat", "a hat"]}, "each once"),
        ({"attributes": ["a \u202e hat"]}, "control character"),
        ({"attributes": ["a hat||"]}, "empty"),
        ({"neutral": ["a face"]}, "config.neutral must be a text"),
        ({"labels": [None]}, "config.labels[0] must be a text, not null"),
        ({"images": True}, "config.images must be a whole number above 0 of at most 64 bits, not true"),
        ({"images": 0}, "config.images must be a whole number above 0"),
        ({"images": 2**63}, "config.images must be a whole number above 0 of at most 64 bits, not 9"),
        ({"bound": float("nan")}, "not JSON compliant"),
        ({"bound": -1}, "config.bound must be a number above 0"),
        ({"bound": 10**400}, "config.bound must be a number above 0, not 1000000"),
        ({"decisive_change": 2}, "config.decisive_change must be a number in [0, 1]"),
        ({"samples": 0}, "config.samples must be a whole number above 0"),
        ({"level": 0}, "config.level must be above 0"),
        ({"level": 1.5}, "config.level must be a number in [0, 1]"),
        ({"smallest_effect": 2}, "config.smallest_effect must be a number in [0, 1]"),
        ({"random_directions": -1}, "config.random_directions must be a whole number, 0 or more"),
        ({"random_directions": 1001}, "config.random_directions must be in 0..1000"),
        ({"mode": "multi", "random_directions": 2}, "config.random_directions must be in 0..0"),
        ({"random_directions": 4, "random_per_image": 5}, "config.random_per_image must be in 1..4"),
        ({"random_directions": 4, "random_per_image": 0}, "config.random_per_image must be a whole number above 0"),
        ({"random_directions": 4, "random_per_image": "all"}, "config.random_per_image must be a whole number"),
        ({"random_directions": 4, "baseline_search": "end"}, "config.baseline_search must be an object"),
        ({"correction": "none"}, "config.correction must be 'holm' or 'benjamini-hochberg'"),
        ({"edit_range": "endless"}, "config.edit_range must be 'calibrated' or 'paper'"),
        ({"calibrated_range": [[-1, 1]]}, "one for each attribute"),
        ({"calibrated_range": [[-1, 1], [2, 1]]}, "[low, high]"),
        ({"calibrated_range": [[-1, 1], [1]]}, "[low, high]"),
        ({"calibrated_range": [[-1, 1], [0, "1"]]}, "config.calibrated_range[1] must be [low, high]"),
        ({"target_details": "mustache"}, "config.target_details must be an object"),
        ({"target_details": {"task": "binary"}}, "config.target_details.task must be an object"),
        ({"target_details": {"task": {"task": "binary", "classes": ["a"]}}}, "task must name two classes"),
        ({"target_details": {"task": {"task": "binary", "classes": 5}}}, "task must name two classes"),
        ({"directions": {"strength": [1.0]}}, "config.directions.strength must have one for each attribute"),
        ({"synthesis": {"backend": 1}}, "config.synthesis.backend must be a text"),
        ({"later": json.loads("[" * 200 + "]" * 200)}, "nested deeper than 50 levels"),
        ({"target": ["line\nbreak\u2028" * 99]}, "config.target must be a text"),
    ],
)
def test_a_config_that_is_wrong_is_named_in_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(AuditError) as error:
        Manifest.of({**CONFIG, **change})
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"format": FORMAT}, "config.mode"),
        ({"format": FORMAT, "config": [CONFIG]}, "config must be an object"),
        (
            {"format": FORMAT, "config": CONFIG, "environment": {"notices": "hello"}},
            "environment.notices must be a list",
        ),
        ({"format": FORMAT, "config": CONFIG, "resumed_in": [3]}, "resumed_in[0] must be an object"),
        ({"format": {**FORMAT, "version": 9}, "config": CONFIG}, "audit format 9, this version reads 2"),
        ({"format": {"name": "other"}, "config": CONFIG}, "not the manifest of an audit"),
        ({"format": "other", "config": CONFIG}, "not the manifest of an audit"),
        ({"config": CONFIG}, "not the manifest of an audit"),
        ([1], "not the manifest of an audit"),
    ],
)
def test_what_is_no_manifest_of_this_version_is_named(content: Any, says: str) -> None:
    with pytest.raises(AuditError) as error:
        Manifest.from_json(content, name="the file")
    assert str(error.value).startswith("the file ")
    assert says in str(error.value)


def with_random(count: int, per_image: int | None, images: int | None = None) -> Config:
    return Manifest.of(
        {**CONFIG, "random_directions": count, "random_per_image": per_image, "random_images": images}
    ).config


BLOCKS = st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(BLOCKS, st.integers(1, 90))
def test_after_any_number_of_images_each_random_direction_was_tried_as_often_as_any_other(
    block: tuple[int, int], images: int
) -> None:
    count, per_image = block
    config = with_random(count, per_image)
    tried = Counter(range(count))  # each once, or those that were not would not be counted
    for image in range(images):
        directions = config.random_directions_of(image)
        assert len(set(directions)) == len(directions) == per_image
        tried.update(directions)
    assert set(tried) == set(range(count))
    assert max(tried.values()) - min(tried.values()) <= 1
    assert config.measurements(images)[1] == tried.total() - count == per_image * images


@given(BLOCKS.filter(lambda block: block[1] > 1))
def test_random_directions_do_not_always_share_their_images(block: tuple[int, int]) -> None:
    """Nor do they fall apart into groups that never meet: then images would be told apart from directions by nothing
    but a guess."""
    count, per_image = block
    images = [set(with_random(count, per_image).random_directions_of(image)) for image in range(2 * count)]
    met = set(images[0])
    for _ in images:
        met = met.union(*(one for one in images if one & met))
    assert met == set(range(count))
    apart = [any((a in one) != (b in one) for one in images) for a in range(count) for b in range(a)]
    assert all(apart) == (per_image < count) or count == 1


def test_older_audits_tried_all_random_directions_on_the_first_images() -> None:
    for images, tried in ((None, 5), (3, 3)):
        config = with_random(2, None, images)
        assert [list(config.random_directions_of(image)) for image in range(5)] == [[0, 1]] * tried + [[]] * (5 - tried)
        assert config.measurements(5) == (10, 2 * tried)
        assert (config.random_per_image, config.baseline_search) == (None, None)


def test_what_is_null_or_absent_is_not_set() -> None:
    absent = Manifest.of(CONFIG).config
    explicit = Manifest.of(
        {**CONFIG, **dict.fromkeys(("neutral", "labels", "bound", "directions", "calibrated_range"))}
    )
    for name in ("neutral", "labels", "bound", "strength", "calibrated_range", "ranges"):
        assert getattr(explicit.config, name) == getattr(absent, name)
    assert absent.ranges == ((-30, 30), (-30, 30))
    assert absent.labels is None
    assert Manifest.of({**CONFIG, "labels": []}).config.labels == ()


def test_environments_that_go_on_with_an_audit_are_noted_once() -> None:
    first = Manifest.of(CONFIG, {"torch": "2.0"})
    again = first.resumed({"torch": "2.1"}).resumed({"torch": "2.0"}).resumed({"torch": "2.1"}).resumed({})
    assert again.resumed_in == ({"torch": "2.1"},)
    assert again.fixed == first.fixed
    assert "environment" not in first.fixed


def test_what_workers_did_is_added_run_by_run_and_is_no_part_of_what_must_be_equal() -> None:
    first = Manifest.of(CONFIG)
    share = {"machine": "10.0.0.1", "trials": 3, "seconds": 1.5, "loading_seconds": 8.0}
    again = first.resumed({}, workers=[share]).resumed({}).resumed({}, workers=[share, share])
    assert again.workers == (share, share, share)
    assert Manifest.from_json(again.to_json()).workers == again.workers
    assert (again.fixed, again.identity) == (first.fixed, first.identity)


def test_a_purpose_is_kept_until_another_is_given_and_is_no_part_of_what_must_be_equal() -> None:
    first = Manifest.of(CONFIG, purpose="the release of May")
    assert first.fixed == Manifest.of(CONFIG).fixed
    assert first.resumed({}) is first
    assert first.resumed({}, about={"purpose": "the release of June"}).purpose == "the release of June"
    assert Manifest.of(CONFIG).purpose == ""
    with pytest.raises(AuditError, match="purpose must be a text"):
        Manifest.from_json({**first.to_json(), "purpose": 3})


def test_owner_and_version_are_no_part_of_what_must_be_equal_and_stay_until_others_are_given() -> None:
    first = Manifest.of(CONFIG, owner="Mona", model_version="1.4", begun="2026-01-02T03:04:05+00:00")
    plain = Manifest.of(CONFIG, begun="2026-01-02T03:04:05+00:00")
    assert (first.fixed, first.identity) == (plain.fixed, plain.identity)
    assert first.about == {"owner": "Mona", "purpose": "", "model_version": "1.4"}
    assert plain.about == dict.fromkeys(("owner", "purpose", "model_version"), "")
    again = first.resumed({}, about={"owner": "Nora", "model_version": ""})
    assert again.about == {"owner": "Nora", "purpose": "", "model_version": "1.4"}


RECORD = {
    "image": 1,
    "seed": 1,
    "attribute": "a hat",
    "edit_weights": [0.0, 2.5],
    "original_output": [0.1],
    "output": [0.7],
    "change": 0.6,
    "flipped": True,
    "decisive": True,
    "label_kept": None,
    "ssim": None,
    "bounds": [0.0, 3.0],
}
OF_ANOTHER: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "an image too many": ({}, {"image": 4}, "image 4 is none of its 4 images"),
    "an image after the last interim analysis": (
        {"images": None, "interim_analyses": [2, 4]},
        {"image": 4},
        "image 4 is none of its 4",
    ),
    "another attribute": ({}, {"attribute": "a beard"}, 'attribute "a beard" is none of its attributes'),
    "all attributes": ({}, {"attribute": None}, "attribute null is none of its attributes"),
    "an attribute alone": ({"mode": "multi"}, {}, 'attribute "a hat" is edited alone'),
    "a random direction too many": (
        {"random_directions": 2},
        {"attribute": None, "baseline": 2},
        "random direction 2 is none of its 2",
    ),
    "a random direction on an image too many": (
        {"random_directions": 2, "random_images": 1},
        {"attribute": None, "baseline": 1},
        "image 1 is none of its 1 images",
    ),
    "a random direction that is not this image's turn": (
        {"random_directions": 3, "random_per_image": 1},
        {"attribute": None, "baseline": 2, "edit_weights": [0.0, 0.0, 2.5]},
        "image 1 is not one that random direction 2 is tried on",
    ),
    "a prompt on another image": (
        {"random_directions": 1, "control_prompts": {"prompts": ["the picture"], "every": 2}},
        {"attribute": None, "baseline": 1},
        "image 1 is not one that prompt 0 is tried on",
    ),
    "a weight too few": ({}, {"edit_weights": [2.5]}, "it has 1 edit weights for 2"),
    "a weight beyond all": ({}, {"edit_weights": [0.0, 31.0], "bounds": None}, "an edit weight is beyond ±30"),
    "a weight out of bounds": ({}, {"edit_weights": [0.0, -2.0]}, r"edit weight -2 is out of its bounds \[0, 3\]"),
    "a small change called decisive": ({"decisive_change": 0.7}, {}, "a change of 0.6 is called decisive"),
    "a score too few": ({"labels": ["a cat", "a dog"]}, {"scores": [0.1, 0.2, 0.3]}, "it has 3 scores"),
    "a group of nobody": ({}, {"groups": [True]}, "it has 1 groups for 0"),
}


@pytest.mark.parametrize(("settings", "edit", "says"), list(OF_ANOTHER.values()), ids=list(OF_ANOTHER))
def test_a_record_that_no_run_with_these_settings_writes_is_refused(
    settings: dict[str, Any], edit: dict[str, Any], says: str, tmp_path: Path
) -> None:
    """In an audit folder, in one line that names the file's."""
    config = {"mode": "single", "attributes": ["a smile", "a hat"], "images": 4, **settings}
    Manifest.of({**config, "mode": "single", "decisive_change": 0.1}).config.check(Record.from_json(RECORD))
    (tmp_path / "manifest.json").write_text(json.dumps(Manifest.of(config).to_json()))
    (tmp_path / "records.jsonl").write_text(json.dumps(RECORD | edit) + "\n")
    with pytest.raises(AuditError, match=rf"records\.jsonl, line 1 is damaged \({says}") as error:
        Diagnosis.load(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"format": {"name": "zoom-engine audit", "version": 2}, "config": ' + b'{"a":' * 60 + b"1" + b"}" * 61,
        b'{"format": {"name": "zoom-engine audit", "version": 1e999}}',
        b'{"format": {"name": "zoom-engine audit", "version": ' + b"1" * 10_000 + b"}}",
        b'{"format": NaN}',
        b'"\xff"',
        b"",
        b"null",
        b"[" + b"{}," * 2_000_001 + b"0]",
    ],
    ids=["deep lists", "deep objects", "infinite", "many digits", "NaN", "no UTF-8", "empty", "null", "many objects"],
)
@pytest.mark.parametrize("name", ["manifest.json", "gallery.json", "photographs.json", "service.json"])
def test_a_hostile_file_of_an_audit_folder_is_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        "manifest.json": read_manifest,
        "gallery.json": Gallery.load,
        "photographs.json": load_photographs,
        "service.json": load_tries,
    }
    (tmp_path / name).write_bytes(content)
    if (name, content) in (("gallery.json", b"null"), ("photographs.json", b"null")):
        return  # null is as good as absent
    if name != "manifest.json" and b"zoom-engine audit" in content and b"1e999" in content:
        return  # what is not known is left out
    with pytest.raises(AuditError, match=name.replace(".", r"\.")) as error:
        readers[name](tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(AuditError, match=name.replace(".", r"\.")):
        readers[name](tmp_path)


EDITS: dict[str, Any] = {
    "kind": "pairs",
    "images": ["anna", "ben"],
    "attributes": [{"name": "a smile", "strengths": [0.5, 1]}, {"name": "a hat", "strengths": [-2, 1], "unit": "°"}],
    "controls": [{"name": "crop", "strengths": [1]}],
    "records": [3, 1],
}
OF_EDITS = {"mode": "single", "attributes": ["a smile", "a hat"], "images": 2, "bound": 2}


def test_edits_from_elsewhere_say_ranges_controls_and_how_many_records_there_will_be() -> None:
    config = Manifest.of({**OF_EDITS, "edits": EDITS}).config
    assert config.ranges == ((0.0, 1.0), (-2.0, 1.0))
    assert config.random_directions == 1
    assert config.measurements(2) == (3, 1)
    assert list(config.random_directions_of(1)) == [0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ([], "config.edits must be an object"),
        ({"kind": None}, "config.edits.kind must be a text"),
        ({"images": ["anna"]}, "config.edits.images must name each image"),
        ({"records": [3]}, "config.edits.records must be"),
        ({"records": [3, -1]}, "config.edits.records[1] must be a whole number, 0 or more"),
        ({"attributes": EDITS["attributes"][:1]}, "config.edits.attributes must be the attributes"),
        (
            {"attributes": [{"name": "a smile"}, *EDITS["attributes"][1:]]},
            "config.edits.attributes[0].strengths must be",
        ),
        ({"attributes": [{"name": "a smile", "strengths": [1, 0.5]}, *EDITS["attributes"][1:]]}, "rising strengths"),
        ({"attributes": [{"name": "a smile", "strengths": []}, *EDITS["attributes"][1:]]}, "rising strengths"),
        ({"controls": [{"name": "crop", "strengths": [0]}]}, "rising strengths other than 0"),
        ({"controls": EDITS["controls"] * 2}, "config.edits.controls must name each control once"),
        ({"controls": [{"name": f"{i}", "strengths": [1]} for i in range(1001)]}, "must be in 0..1000"),
    ],
)
def test_edits_that_contradict_themselves_are_refused(change: Any, says: str) -> None:
    edits = {**EDITS, **change} if isinstance(change, dict) else change
    with pytest.raises(AuditError) as error:
        Manifest.of({**OF_EDITS, "edits": edits})
    assert says in str(error.value)
    assert "\n" not in str(error.value)
