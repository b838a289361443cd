"""The whole pipeline on the embedded models: true answers, equal seeds, resumption, clear refusals."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bars import Bars
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine import Diagnoser, Diagnosers, Diagnosis, EditDirections, load_generator, load_target, load_text_encoder
from zoom_engine.audit.gallery_file import Gallery
from zoom_engine.common.errors import AuditError, ConfigError, DirectionError, TargetError, TextEncoderError, ZoomError
from zoom_engine.diagnose.gallery import STRIP_FRAMES
from zoom_engine.diagnose.identity import config, known
from zoom_engine.diagnose.measurements import measure, with_baselines
from zoom_engine.diagnose.models import Models
from zoom_engine.diagnose.planning import BOUNDED, evaluations, plan
from zoom_engine.diagnose.trials import trials as trials_of
from zoom_engine.directions import BaselineDirections, score_directions
from zoom_engine.directions.regression import Regression
from zoom_engine.generators import save_generator
from zoom_engine.search import SearchResult, Trial, searched
from zoom_engine.settings.audit_settings import BACKENDS, LossWeights, RunSettings
from zoom_engine.targets import BinaryTask, Preprocessing, Target
from zoom_engine.text import find_templates

pytestmark = pytest.mark.slow

ATTRIBUTES = ["a face with pale skin", "a smiling face", "a face with a beard"]
SEVERAL = [*ATTRIBUTES[:2], "an old face", "a face with long hair", "a face with bangs", "a face with eyeglasses"]
BIASED = "avatars:mustache-biased-pale-skin"


def diagnoser(**options: Any) -> Diagnoser:
    return Diagnoser(**{"generator": "avatars", "target": BIASED, "attributes": ATTRIBUTES, **options})


def undrawn(models: Models) -> Models:
    """The same, but nothing draws."""
    return dataclasses.replace(
        models, synthesizer=dataclasses.replace(models.synthesizer, session=None, generator=None)
    )


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished audit of a biased target."""
    out = tmp_path_factory.mktemp("audits") / "audit"
    diagnoser().run(images=12, seed=0, out=out)
    return out


def test_the_planted_attribute_comes_first(audit: Path) -> None:
    summary = json.loads((audit / "summary.json").read_text())
    assert summary["sensitivity"][0]["attribute"] == "a face with pale skin"
    assert (summary["mode"], summary["search"], summary["images"]) == ("single", "scan", 12)
    first = summary["sensitivity"][0]
    assert first["ci95"][0] <= first["mean_change"] <= first["ci95"][1]
    assert sum(row["share"] for row in summary["sensitivity"]) == pytest.approx(1)


def test_the_folder_holds_what_it_should(audit: Path) -> None:
    names = {path.name for path in audit.iterdir()}
    assert {"manifest.json", "records.jsonl", "summary.json", "gallery.json", "images", "report.html"} <= names
    manifest = json.loads((audit / "manifest.json").read_text())
    assert manifest["config"]["synthesis"]["backend"] in BACKENDS
    assert manifest["environment"]["synthesis"]["reason"].startswith("the fastest")
    assert manifest["environment"]["packages"]["torch"]
    gallery = json.loads((audit / "gallery.json").read_text())
    files = [frame["file"] for strip in gallery["strips"] for frame in strip["frames"]]
    files += [name for sheet in gallery["sheets"] for row in sheet["rows"] for name in row]
    assert files
    assert all((audit / name).is_file() for name in files)
    assert (audit / "report.html").stat().st_size < 5_000_000


def test_strips_lead_to_the_end_of_each_images_range_past_where_it_flips(audit: Path) -> None:
    diagnosis = Diagnosis.load(audit)
    records = {(record.attribute, record.image): record for record in diagnosis.records}
    strips = Gallery.load(audit).strips
    assert any(strip.flipped for strip in strips)
    for strip in strips:
        assert strip.attribute is not None
        record, weights = records[strip.attribute.text, strip.image], [frame.weight for frame in strip.frames]
        assert (weights[0], len(weights)) == (0, STRIP_FRAMES)
        assert weights[-1] == pytest.approx(max(record.bounds, key=abs), abs=1e-4)
        assert strip.frames[0].flipped is False
        assert (strip.flip_weight and abs(strip.flip_weight)) == pytest.approx(record.flip_weight, abs=1e-5)
        if strip.flip_weight is not None:
            assert strip.frames[weights.index(strip.flip_weight)].counts_as_flip
        if strip.kind == "flip":
            assert strip.way[-1].weight == pytest.approx(sum(record.edit_weights), abs=1e-5)
            assert strip.way[-1].followed == pytest.approx(record.output[0], abs=1e-3)


def test_records_tell_one_story(audit: Path) -> None:
    """Weights and outputs of a record belong to the same picture: draw it again and ask the target."""
    run = diagnoser()
    records = [r for r in Diagnosis.load(audit).records if r.flipped][:4]
    assert records
    styles = run.models.styles([r.seed for r in records])[:]
    evaluator = run.models.evaluator(run.edit_directions())
    with torch.no_grad():
        images = evaluator.render(styles, torch.tensor([r.edit_weights for r in records]))
        result = run.models.target(images).sigmoid()[:, 0]
    wanted = torch.tensor([r.output[0] for r in records])
    assert torch.allclose(result, wanted, atol=0.02)
    assert all((r.output[0] > 0.5) != (r.original_output[0] > 0.5) for r in records)


def test_equal_seeds_give_equal_records_and_a_finished_audit_is_left_alone(audit: Path) -> None:
    before = (audit / "records.jsonl").read_bytes()
    again = diagnoser().run(images=12, seed=0)
    assert list(again.records) == list(Diagnosis.load(audit).records)
    reopened = diagnoser()
    reopened.models = undrawn(reopened.models)  # it cannot draw
    reopened.run(images=12, seed=0, out=audit)
    assert (audit / "records.jsonl").read_bytes() == before


def test_a_plan_holds_what_the_audit_took(audit: Path) -> None:
    """Evaluations of searches, records, and the size of their file."""
    run = diagnoser()
    (planned,), points = plan([[run.models]], RunSettings(images=12, seed=0), rate=50.0).parts, evaluations(run.models)
    diagnosis = Diagnosis.load(audit)
    assert planned.records == len(diagnosis.records) + len(diagnosis.baseline)
    assert points is not None
    points += BOUNDED
    assert all(points.least <= record.evaluations <= points.most for record in diagnosis.records)
    took = 12 + sum(record.evaluations for record in diagnosis.records)
    counted = planned.every_image["search"] + planned.every_image["how far each may be edited"]
    assert counted.least <= took <= counted.most
    beside = planned.every_image["the ends of random directions"]
    assert beside.least <= 12 + sum(record.evaluations for record in diagnosis.baseline) <= beside.most
    size = (audit / "records.jsonl").stat().st_size
    assert planned.record_bytes.least / 2 < size < planned.record_bytes.most
    assert planned.memory.least > planned.record_bytes.least


def assert_alike(some: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> None:
    """At least 99 % equal decisions, and where they are equal edit weights within 1e-3."""
    by_trial = [{(r.image, r.attribute): r for r in records} for records in (some, others)]
    pairs = [(record, by_trial[1][trial]) for trial, record in by_trial[0].items()]
    equal = [(a, b) for a, b in pairs if a.flipped == b.flipped]
    assert len(by_trial[0]) == len(by_trial[1])
    assert len(equal) >= 0.99 * len(pairs)
    assert max(abs(x - y) for a, b in equal for x, y in zip(a.edit_weights, b.edit_weights, strict=True)) < 1e-3


def test_batch_size_moves_no_decision_and_no_edit_weight(audit: Path) -> None:
    first = [record for record in Diagnosis.load(audit).records if record.image < 4]
    assert_alike(first, diagnoser(batch_size=5, random_directions=0).run(images=4, seed=0).records)


def test_other_settings_do_not_go_into_the_same_folder(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is measured."""
    monkeypatch.setattr(Diagnoser, "edit_directions", lambda self: pytest.fail("directions were measured"))
    for options, run in (
        ({}, {"images": 13}),
        ({"attributes": ATTRIBUTES[:2]}, {}),
        ({"labels": []}, {}),
        ({"truncation": 0.7}, {}),
        ({"edit_range": "paper"}, {}),
    ):
        with pytest.raises(AuditError, match="other settings"):
            diagnoser(**options).run(**{"images": 12, "seed": 4, "out": audit, **run})


class Bright(nn.Module):
    """Says whether a picture is bright."""

    def forward(self, pictures: Tensor) -> Tensor:
        return float(os.environ.get("GAIN_OF_BRIGHT", "8")) * (pictures.mean((1, 2, 3)) - 0.5)[:, None]


class Edited(Bright):
    """The same by its weights and its structure."""

    def forward(self, pictures: Tensor) -> Tensor:
        return 8 * (0.5 - pictures.amax((1, 2, 3)))[:, None]


Edited.__name__ = "Bright"


def test_an_edited_module_does_not_go_into_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that answers otherwise by the same code, as what it reads elsewhere was changed."""
    options = {
        "attributes": ATTRIBUTES[:1],
        "labels": [],
        "neutral": "a face",
        "edit_range": "paper",
        "random_directions": 0,
    }
    run = {"images": 1, "seed": 0, "out": tmp_path / "audit"}
    diagnoser(target=Bright(), **options).run(**run)
    assert repr(Bright()) == repr(Edited())
    with pytest.raises(AuditError, match=r"begun with another target: .*use another folder"):
        diagnoser(target=Edited(), **options).run(**run)
    monkeypatch.setenv("GAIN_OF_BRIGHT", "4")
    with pytest.raises(AuditError, match=r"begun with another target: .*use another folder"):
        diagnoser(target=Bright(), **options).run(**run)


def test_ready_directions_must_be_those_of_the_audit(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found otherwise they would pass for the audit's own; what can be compared without models is, before they load."""
    result = diagnoser().edit_directions()
    diagnoser(directions=result, threshold=result.threshold)
    strange = dataclasses.replace(result, provenance={**result.provenance, "text_encoder": "another"})
    with pytest.raises(DirectionError, match="another text encoder"):
        diagnoser(directions=strange)
    monkeypatch.setattr("zoom_engine.diagnose.models.text_encoder_for", lambda *_: pytest.fail("a model was loaded"))
    for options, says in (
        ({"truncation": 0.7}, r"another truncation \(1.0, the audit has 0.7\)"),
        ({"neutral": "a person"}, r"another neutral \('a face', the audit has 'a person'\)"),
        ({"templates": "none"}, "another templates"),
        ({"attributes": ATTRIBUTES[::-1]}, "another attributes"),
        ({"threshold": 0.4}, "another threshold"),
    ):
        with pytest.raises(DirectionError, match=says):
            diagnoser(directions=result, **options)


def test_an_audit_does_not_go_on_with_another_matrix(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is measured."""
    result = diagnoser().edit_directions()
    moved = dataclasses.replace(result, matrix=result.matrix * 1.01)
    monkeypatch.setattr("zoom_engine.diagnose.run.measure", lambda *_: pytest.fail("it was measured"))
    with pytest.raises(AuditError, match=r"other edit directions .* bring back the cache"):
        diagnoser(directions=moved).run(images=12, seed=0, out=audit)
    content_hash = json.loads((audit / "manifest.json").read_text())["config"]["directions"]["content_hash"]
    assert content_hash == result.content_hash


def test_the_manifest_names_the_generator_as_it_was_given_and_another_path_resumes(audit: Path, tmp_path: Path) -> None:
    assert json.loads((audit / "manifest.json").read_text())["environment"]["generator"] == "avatars"
    out = tmp_path / "audit"
    options = {"text_encoder": "avatars", "attributes": ATTRIBUTES[:1], "edit_range": "paper"}
    for name in ("one.safetensors", "two.safetensors"):
        save_generator(load_generator("avatars"), tmp_path / name)
        diagnoser(generator=tmp_path / name, **options).run(images=1, out=out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["environment"]["generator"] == str(tmp_path / "one.safetensors")
    assert [one["generator"] for one in manifest["resumed_in"]] == [str(tmp_path / "two.safetensors")]
    assert manifest["config"]["generator"] == load_generator("avatars").content_hash


@pytest.mark.ci
def test_the_paper_s_range_needs_no_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "zoom_engine.diagnose.measurements.calibrate_range", lambda *_, **__: pytest.fail("it was calibrated")
    )
    monkeypatch.setattr("zoom_engine.diagnose.trials.ImageBounds", lambda *_, **__: pytest.fail("images were bounded"))
    result = diagnoser(edit_range="paper").run(images=2, seed=0, out=tmp_path / "audit")
    assert result.config.calibrated_range is None
    assert not any(record.paper or record.calibrated for record in result.records)
    assert not any(row.paper or row.calibrated for row in result.sensitivity)
    assert "a face with pale skin" in (tmp_path / "audit" / "report.html").read_text()


def test_the_paper_s_range_is_recorded_beside_the_calibrated_one(audit: Path) -> None:
    assert all(record.paper is not None for record in Diagnosis.load(audit).records)


def test_what_a_gradient_search_starts_from_is_measured_as_for_a_scan() -> None:
    """Directions and ranges are forward work, shared with a scan's through the cache."""
    scan = diagnoser()
    directions = scan.edit_directions()
    bounds = scan.calibrated_range(directions).bounds
    run = diagnoser(search="sgd")
    assert run.models.synthesizer.describe() == scan.models.synthesizer.describe()
    assert config(run.models, RunSettings(images=1))["synthesis"] == run.models.synthesizer.describe()
    run.models = undrawn(run.models)  # it cannot draw
    assert torch.equal(run.edit_directions().matrix, directions.matrix)
    assert torch.equal(run.calibrated_range(directions).bounds, bounds)


@pytest.mark.ci
def test_an_audit_in_parts_is_the_same_audit(audit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100,000 images some are bounded and searched, then the next: here four at a time, and resumed in between."""
    monkeypatch.setattr("zoom_engine.diagnose.run.TRIALS_AT_ONCE", 4 * len(ATTRIBUTES))
    out, bars = tmp_path / "audit", Bars()
    shutil.copytree(audit, out)
    (out / "summary.json").unlink()
    lines = (audit / "records.jsonl").read_text().splitlines(keepends=True)
    cut = 1 + next(place for place, line in enumerate(lines) if '"baseline":5' in line)  # amid random directions
    (out / "records.jsonl").write_text("".join(lines[:cut]))
    diagnoser(progress=bars).run(images=12, seed=0, out=out)
    assert Diagnosis.load(out).records == Diagnosis.load(audit).records
    assert Diagnosis.load(out).baseline == Diagnosis.load(audit).baseline
    (steps,) = bars.steps["Comparing with random edits"]
    assert 0 < steps[0] == cut - 12 * 3 < len(lines) - 12 * 3
    assert sum(steps) == bars.totals["Comparing with random edits"] == 12 * 9 + 12 // 3
    (out / "records.jsonl").write_text("".join(lines[:20]))  # amid the attributes
    (out / "summary.json").unlink()
    diagnoser(progress=bars).run(images=12, seed=0, out=out)
    assert Diagnosis.load(out).records == Diagnosis.load(audit).records
    (steps,) = bars.steps["Searching"]
    assert 6 * 3 < steps[0] == 20
    assert sum(steps) == bars.totals["Searching"] == 12 * 3


class LoadedError(Exception):
    """A model was loaded."""


@pytest.fixture
def nothing_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise LoadedError

    for name in ("load_generator", "load_untried", "text_encoder_for"):
        monkeypatch.setattr(f"zoom_engine.diagnose.models.{name}", load)


@pytest.mark.usefixtures("nothing_loads")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"attributes": []}, "give at least one attribute"),
        ({"attributes": ["a face"]}, "neutral prompt"),
        ({"labels": ["a face"]}, "at least two prompts"),
        ({"templates": "best"}, "no set of templates"),
        ({"templates": ["no place"]}, "exactly once"),
        ({"search": "cmaes"}, "no single mode"),
        ({"search": "sgd", "search_options": {"steps": 0}}, "steps"),
        ({"mode": "multi", "search_options": {"stepz": 3}}, "'stepz'"),
        ({"directions": "guessed"}, "'directions' cannot be 'guessed'; known are regression"),
        ({"directions": np.zeros((2, 512))}, "directions must be regression, .* or EditDirections, not a ndarray"),
        ({"taget": "avatars:mustache"}, "unknown option 'taget'; did you mean 'target'?"),
        ({"images": 8}, "'images' is an option of run: give it there"),
        ({"target_options": {"clases": ["a", "b"]}}, "unknown target option 'clases'; did you mean 'classes'?"),
        ({"generator_options": {"code": "codes.npy"}}, "no option 'code'; did you mean 'codes'?"),
        ({"threshold": 1.0}, "threshold"),
        ({"device": "toaster"}, "unknown device"),
        ({"backend": "jax"}, "'backend' must be 'auto', .*, got 'jax'"),
        ({"backend": "openvino", "precision": "fp64"}, "'precision' must be 'auto', 'fp32' or 'bf16'"),
        ({"backend": "tensorrt"}, "tensorrt is not installed"),
        ({"cache": "/dev/null/cache"}, "cache"),
        ({"generator": "none.pkl"}, "no generator"),
        ({"target": "none.onnx2"}, "no target"),
        ({"target": "avatars:nobody"}, "has no target"),
    ],
)
def test_what_can_be_refused_is_refused_before_anything_loads(options: dict[str, Any], says: str) -> None:
    if options.get("backend") == "tensorrt" and importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed")
    with pytest.raises(ZoomError, match=says):
        diagnoser(**options)
    with pytest.raises(LoadedError):
        diagnoser()


def ready(attributes: Sequence[str], method: str) -> EditDirections:
    """Directions of the avatars that are no more than what they say they are."""
    generator, count = load_generator("avatars"), len(attributes)
    matrix = torch.zeros(count, generator.space.size)
    matrix[range(count), (~generator.space.fixed_mask()).nonzero()[:count, 0]] = 1.0
    return EditDirections(
        matrix=matrix,
        attributes=tuple(attributes),
        neutral="a face",
        method=method,
        threshold=0.1,
        channels=(1,) * count,
        strength=(1.0,) * count,
        noise_floor=(0.0,) * count,
        provenance={
            "generator": generator.content_hash,
            "text_encoder": load_text_encoder("avatars").content_hash,
            "templates": list(find_templates("general")),
            "truncation": 1.0,
            "truncation_cutoff": None,
        },
    )


def test_paraphrases_that_no_directions_can_be_found_for_are_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"directions": ready(ATTRIBUTES, "svd"), "paraphrases": 2}
    with pytest.raises(ConfigError, match="by the method 'svd' are not found from texts: leave paraphrases out"):
        diagnoser(**given)
    monkeypatch.setattr(
        "zoom_engine.diagnose.models.load_generator", lambda *_, **__: pytest.fail("a model was loaded")
    )
    with pytest.raises(DirectionError, match=r"has 1 paraphrases .* not 2"):
        diagnoser(paraphrases=2, templates=["a photo of {}"])


def test_what_ready_directions_keep_is_told_where_the_settings_do_not_repeat_it() -> None:
    directions = ready(ATTRIBUTES, "regression")
    directions = dataclasses.replace(directions, provenance={**directions.provenance, "keep": ["a face with a beard"]})
    assert config(diagnoser(directions=directions).models, RunSettings())["keep"] == ["a face with a beard"]


def test_other_texts_are_found_as_ready_directions_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control prompts and paraphrases stand beside the attributes: by another estimator they would differ by that."""
    told = {"samples": 300, "seed": 3, "top_k": 5, "ridge": 0.01, "estimator": "whitened"}
    directions = ready(ATTRIBUTES, "regression")
    directions = dataclasses.replace(
        directions, provenance={**directions.provenance, **told, "absolute_threshold": False, "alpha": None}
    )
    run, asked = diagnoser(directions=directions, paraphrases=2), list[dict[str, Any]]()
    monkeypatch.setattr("zoom_engine.diagnose.measurements.calibrated_range", lambda *_: None)
    monkeypatch.setattr(
        "zoom_engine.diagnose.measurements.find_directions", lambda *_, **options: asked.append(options) or directions
    )
    measure(run.models, RunSettings(images=1))
    assert len(asked) == 2
    for options in asked:
        wanted = {**told, "absolute": False, "method": "regression", "threshold": 0.1}
        assert {name: options.get(name) for name in wanted} == wanted
        assert "alpha" not in options


def test_an_audit_and_its_directions_say_in_a_line_what_they_are() -> None:
    run = diagnoser(attributes=[*ATTRIBUTES, "an old face"])
    assert repr(run) == (f"Diagnoser(target={BIASED!r}, generator='avatars', 4 attributes, single mode, search scan)")
    directions = ready([*ATTRIBUTES, "an old face"], "svd")
    size = run.models.generator.space.size
    names = ", ".join(map(repr, ATTRIBUTES))
    assert repr(directions) == f"EditDirections(4×{size}, by svd: {names} and 1 more)"
    assert repr(Diagnosers(run.settings, target=["avatars:mustache", BIASED])) == (
        "Diagnosers('mustache', 'mustache-biased-pale-skin')"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [({"attributes": ["a face with a zorblax"]}, "zorblax"), ({"labels": ["a zorblax", "a face"]}, "zorblax")],
)
def test_words_are_refused_before_target_and_generator_load(
    options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("load_generator", "load_untried"):
        monkeypatch.setattr(f"zoom_engine.diagnose.models.{name}", lambda *_, **__: pytest.fail("a model was loaded"))
    with pytest.raises(TextEncoderError, match=says):
        diagnoser(**options)


def test_a_prompt_that_means_the_neutral_one_is_refused_before_target_and_generator_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = load_text_encoder("avatars")
    deaf = torch.nn.functional.normalize(torch.ones(1, encoder.dim))
    monkeypatch.setattr(encoder, "embed_texts", lambda prompts, **_: deaf.repeat(len(prompts), 1))
    for name in ("load_generator", "load_untried"):
        monkeypatch.setattr(f"zoom_engine.diagnose.models.{name}", lambda *_, **__: pytest.fail("a model was loaded"))
    with pytest.raises(DirectionError, match="cannot tell"):
        diagnoser(text_encoder=encoder)


@pytest.mark.slow(6)
@pytest.mark.ci
def test_forward_work_is_the_runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges, scan, strips and sheets: torch draws nothing where a runtime does."""
    pytest.importorskip("openvino")
    monkeypatch.setattr(Regression, "samples", 64)  # no other test draws with this runtime: the cache has none of them
    monkeypatch.setattr("zoom_engine.diagnose.measurements.SAMPLES", 64)
    run = diagnoser(backend="openvino", level=1.0, random_directions=1, attributes=ATTRIBUTES[:1])
    monkeypatch.setattr(run.models.generator, "synthesis", lambda *a, **k: pytest.fail("torch drew a picture"))
    assert len(run.run(images=2, seed=1, out=tmp_path / "audit").records) == 2
    assert list((tmp_path / "audit" / "images").iterdir())


def test_a_cache_folder_may_be_a_string(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    diagnoser(attributes=ATTRIBUTES[:1], backend="openvino", cache=str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()), "the compiled generator"


def test_random_directions_come_by_turns_and_take_a_picture_of_an_image(audit: Path) -> None:
    diagnosis = Diagnosis.load(audit)
    config = diagnosis.config
    assert (config.random_directions, config.random_per_image, config.baseline_search) == (32, 9, "end")
    random = {(i, j) for i in range(12) for j in config.random_directions_of(i)}
    along_prompts = {(0, 32), (3, 33), (6, 34), (9, 35)}
    assert {(r.image, r.baseline) for r in diagnosis.baseline} == random | along_prompts
    lengths = {
        j: {tuple(sorted(map(abs, r.bounds or ()))) for r in diagnosis.baseline if r.baseline == j} for j in range(36)
    }
    assert all(len(ends) == 1 and min(ends)[0] == 0.0 for ends in lengths.values()), "each goes as far, one way"
    assert len({next(iter(lengths[j])) for j in range(32)}) == 1
    assert all(
        r.evaluations == len(r.trajectory) - 1 == 1 or r.label_kept is False or 2 <= r.evaluations <= 4
        for r in diagnosis.baseline
    )
    ends = [max(r.trajectory, key=lambda point: max(map(abs, point.weights))) for r in diagnosis.baseline]
    assert all(
        abs(sum(end.weights)) == pytest.approx(max(map(abs, r.bounds or ())))
        for end, r in zip(ends, diagnosis.baseline, strict=True)
    )
    label_keeping = [(end, r) for end, r in zip(ends, diagnosis.baseline, strict=True) if end.label_kept]
    assert all(end.change == r.change for end, r in label_keeping)
    assert len(label_keeping) > 0.9 * len(ends)


def random_directions_of(run: Diagnoser) -> BaselineDirections:
    settings = RunSettings(images=12, seed=0)
    (measurements,) = with_baselines([run.models], [measure(run.models, settings)])
    assert measurements.baseline is not None
    return measurements.baseline


def test_random_directions_say_what_a_scan_of_them_finds_at_its_end(audit: Path) -> None:
    """A few of them, searched whole."""
    run, records = diagnoser(), [r for r in Diagnosis.load(audit).baseline if r.image == 3 and r.stop == "end"]
    assert len(records) > 5
    baseline = random_directions_of(run)
    trials = [Trial(0, r.baseline, baseline.bounds(r.seed, r.baseline or 0)) for r in records]
    (image,) = {r.seed for r in records}
    scanned: dict[int | None, SearchResult] = {}
    for results in searched(
        trials,
        search=run.models.search,
        evaluators=[run.models.evaluator(baseline)],
        styles=run.models.styles([image]),
    ):
        scanned |= {trial.attribute: result for _, trial, result in results}
    for r in records:
        end = max(scanned[r.baseline].trajectory, key=lambda point: max(map(abs, point.weights)))
        assert end.change == pytest.approx(r.change, abs=1e-4)
        assert end.label_kept is True


def test_random_directions_that_change_the_label_are_drawn_again_and_that_is_no_warning(audit: Path) -> None:
    manifest = json.loads((audit / "manifest.json").read_text())
    drawn = manifest["config"]["random_drawn"]
    assert len(drawn) == len(set(drawn)) == 32
    redrawn = max(drawn) + 1 - 32
    assert redrawn > 0
    assert not [text for text in manifest["environment"]["notices"] if "random direction" in text]
    hero, how = (audit / "report.html").read_text().split("How the audit works")
    assert "more than one picture in ten" not in hero
    assert f"{redrawn} more were drawn and left out: they change the label on more than one picture in ten" in how
    assert manifest["config"]["random_changing"] == Diagnosis.load(audit).config.random_changing == 0
    notices: list[str] = []
    unlabelled = diagnoser(labels=[], notify=notices.append)
    baseline = random_directions_of(unlabelled)
    assert baseline.drawn == tuple(range(32))
    assert [text for text in notices if "labels are off" in text and "--label" in text]


@pytest.mark.parametrize(
    ("options", "told"),
    [({}, True), ({"mode": "multi"}, True), ({"mode": "multi", "search": "cmaes"}, False), ({"search": "pgd"}, False)],
)
def test_loss_weights_that_say_nothing_are_told(options: dict[str, Any], told: bool) -> None:
    """`minimal` follows gradients, and has no loss; `cmaes` follows none, and has one."""
    notices: list[str] = []
    diagnoser(loss_weights=LossWeights(label=0.0), notify=notices.append, **options)
    assert any("loss weights say nothing" in text for text in notices) is told


def test_random_directions_that_must_be_used_though_they_change_the_label_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zoom_engine.directions.baseline._LABELS_LOST", -1.0)
    notices: list[str] = []
    run = diagnoser(random_directions=8, notify=notices.append)
    baseline = random_directions_of(run)
    assert (baseline.changing, baseline.redrawn) == (8, 8)
    (told,) = (text for text in notices if "random direction" in text)
    assert told.startswith("8 of 8 random directions change the label on more than one picture in ten, and of 16 that")
    assert "--label" in told


def test_a_search_that_does_not_go_to_the_end_searches_fewer_random_directions_whole() -> None:
    for options in ({"search": "pgd"}, {"edit_range": "paper"}):
        run = diagnoser(**options)
        asked = known(run.models, RunSettings(images=12, seed=0))
        assert (run.models.baseline_search, asked.random_directions, asked.random_per_image) == (
            run.models.search,
            16,
            2,
        )
        assert asked.baseline_search == run.models.search.name
        assert asked.measurements(12)[1] == 12 * 2 + (0 if "edit_range" in options else 4)


def test_attributes_are_held_against_random_directions(audit: Path) -> None:
    diagnosis = Diagnosis.load(audit)
    summary = json.loads((audit / "summary.json").read_text())
    of_each = [[r.change for r in diagnosis.baseline if r.baseline == j] for j in range(32)]
    assert summary["baseline"]["mean_change"] == pytest.approx(np.mean([np.mean(changes) for changes in of_each]))
    assert list(summary["control_prompts"]["prompts"]) == diagnosis.config.content["control_prompts"]["prompts"]
    assert summary["control_prompts"]["images"] == 4
    first, *others = summary["sensitivity"]
    assert first["verdict"] in ("sensitive", "inconclusive")
    assert {row["verdict"] for row in others} <= {"negligible", "inconclusive"}
    assert {row["specificity"] for row in summary["sensitivity"]} <= {"specific", "unspecific", "unknown"}
    page = (audit / "report.html").read_text()
    assert "32 random edits that change pictures as much move the output by" in page
    assert "control prompts moved it by at most" in page


def test_an_audit_says_what_else_its_edits_change_and_what_it_could_have_missed(audit: Path) -> None:
    summary = json.loads((audit / "summary.json").read_text())
    result = summary["power"]["sensitive"]
    assert list(result) == ["0.05", "0.1", "0.2", "0.4"]
    assert 0 <= result["0.05"] <= result["0.1"] <= result["0.2"] <= 1
    labels = ["a face without a mustache", "a face with a mustache"]
    assert set(summary["side_effects"]) == set(ATTRIBUTES)
    for name, row in summary["side_effects"].items():
        assert set(row) == {*ATTRIBUTES, *labels}
        assert 0.5 < row[name] < 1.5
        assert all(abs(value) < 0.5 for other, value in row.items() if other != name)
        assert row[labels[0]] == pytest.approx(-row[labels[1]], abs=1e-3)
    rows = {row["attribute"]: row for row in summary["sensitivity"]}
    pale = rows["a face with pale skin"]
    assert abs(pale["signed_change"]) > 0.8 * pale["effect"]  # it reacts one way
    assert pale["signed_spread"] > 0
    assert pale["adjusted_mean_change"] == pytest.approx(pale["effect"], abs=0.05)
    page = (audit / "report.html").read_text()
    assert "what else each edit changes" in page
    assert "Chance of detecting it" in page


def test_without_random_directions_nobody_says_whose_an_effect_is(tmp_path: Path) -> None:
    options = {"random_directions": 0, "smallest_effect": 0.01, "attributes": ["a face with pale skin"]}
    diagnosis = diagnoser(**options).run(images=12, seed=0, out=tmp_path / "audit")
    assert diagnosis.baseline == ()
    assert diagnosis.sensitivity[0].verdict == "sensitive"
    assert {row.specificity for row in diagnosis.sensitivity} == {None}
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "pecific" not in page.split("How the audit works")[0]
    assert "random edits that change" not in page, "there are none that could"
    assert "Run it with random directions" in page, "what to do next"


def test_another_backend_does_not_go_on_with_an_audit(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at once: nothing is drawn with the other backend first."""
    described = diagnoser().models.synthesizer.describe()
    other = diagnoser(backend="torch", precision="bf16" if described["precision"] == "fp32" else "fp32")
    says = f"--backend {described['backend']} --precision {described['precision']}, this run would go on with torch"
    monkeypatch.setattr(other, "edit_directions", lambda: pytest.fail("directions were measured"))
    with pytest.raises(AuditError, match=says):
        other.run(images=12, seed=0, out=audit)


@pytest.mark.parametrize("search", ["sgd", "pgd"])
def test_multi_mode_moves_all_attributes_together(search: str, tmp_path: Path) -> None:
    run = diagnoser(mode="multi", search=search, search_options={"steps": 4})
    result = run.run(images=3, seed=2, out=tmp_path / "audit")
    assert len(result.records) == 3
    assert all(record.attribute is None for record in result.records)
    summary = json.loads((tmp_path / "audit" / "summary.json").read_text())
    assert all(row["mean_change"] is None for row in summary["sensitivity"])


@pytest.mark.parametrize(
    "target",
    [
        "segmentation",
        *(pytest.param(name, marks=pytest.mark.ci) for name in ("keypoints", "attributes", "hair-color", "age-years")),
    ],
)
def test_targets_of_every_task_are_moved_by_all_attributes_together(target: str) -> None:
    result = diagnoser(target=f"avatars:{target}", attributes=SEVERAL, mode="multi", samples=128).run(images=3, seed=5)
    assert result.config.search == "minimal"
    assert all(record.evaluations > 1 for record in result.records)
    assert max(record.change for record in result.records) > 0.03  # 0.04 or more, by instruction set


def test_several_attributes_together_stay_within_what_the_generator_draws() -> None:
    """Each within its own range, faces became blurs and black silhouettes, counted as flips with their label kept."""
    hasty = {"mode": "multi", "search": "pgd", "search_options": {"steps": 4, "learning_rate": 8.0}, "labels": []}
    run = diagnoser(**hasty, attributes=SEVERAL)
    result = run.run(images=4, seed=2)
    assert [record.natural for record in result.records] == [True] * 4
    assert result.summary().natural == 1
    for record in result.records:
        assert np.all(
            np.abs(record.edit_weights) <= np.abs(result.config.ranges).max(axis=1) + 1e-6
        )  # as records round
    directions = run.edit_directions()
    calibrated = run.calibrated_range(directions)
    (trial,) = trials_of(run.models, run.models.styles([0]), directions, calibrated, [(0, None)])
    assert trial.natural is not None
    assert trial.natural.holds(np.zeros(len(calibrated.bounds)))
    assert not trial.natural.holds(calibrated.bounds[:, 1].double().numpy())  # every attribute at its own limit
    marked = diagnoser(**hasty, attributes=SEVERAL, edit_range="paper").run(images=4, seed=2)
    assert False in [record.natural for record in marked.records]  # the paper's range is not bounded, but told


def test_a_function_is_audited_without_gradients_and_the_report_says_how(tmp_path: Path) -> None:
    network = load_target(BIASED).network

    def remote(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            return network(x)[:, 0].sigmoid().numpy()

    options = {"target": remote, "target_options": {"classes": ["no", "yes"]}, "labels": [], "random_directions": 0}
    for mode, search, says in (
        (
            "single",
            "scan",
            "a scan: one attribute at a time needs no gradients, and the target"
            " gives no gradients (a function that is only called",
        ),
        (
            "multi",
            "cmaes",
            "CMA-ES: all attributes move together and",
        ),
    ):
        steps = {"search_options": {"steps": 2}} if mode == "multi" else {}
        result = diagnoser(**options, mode=mode, **steps).run(images=2, seed=1, out=tmp_path / mode)
        config = json.loads((tmp_path / mode / "manifest.json").read_text())["config"]
        assert config["search"] == search
        assert not config["target_details"]["differentiable"]
        assert f"The search is {says}" in (tmp_path / mode / "report.html").read_text()
        assert len(result.records) == (2 if mode == "multi" else 2 * len(ATTRIBUTES))
    assert "scan" in refused(TargetError, tmp_path, **options, mode="multi", search="pgd")


def test_an_image_gains_what_it_lacks_and_loses_what_it_has(audit: Path) -> None:
    """In the calibrated range a record's edit weight has one sign per image and attribute, and both signs occur."""
    sides = [record.bounds or (0.0, 0.0) for record in Diagnosis.load(audit).records]
    assert len(sides) == 12 * len(ATTRIBUTES)
    assert all(low == 0 or high == 0 for low, high in sides)
    assert {bool(high) for _, high in sides} == {True, False}


def test_labels_can_be_turned_off() -> None:
    result = diagnoser(labels=[], random_directions=0).run(images=2, seed=3)
    assert all(record.label_kept is None for record in result.records)


class Broken(nn.Module):
    """A target that answers NaN."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3)) * float("nan")


def refused(kind: type[ZoomError], tmp_path: Path, *, run: dict[str, Any] | None = None, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        diagnoser(**options).run(**{"images": 2, "out": tmp_path / "audit", **(run or {})})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "audit").exists()
    return str(caught.value)


def test_bad_input_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    assert "images" in refused(ConfigError, tmp_path, run={"images": 0})
    assert "NaN" in refused(TargetError, tmp_path, target=Broken(), labels=[])
    assert "attribute" in refused(ConfigError, tmp_path, attributes=[])
    assert "no target" in refused(TargetError, tmp_path, target="avatars:nobody")
    assert "scan has no multi mode" in refused(ConfigError, tmp_path, mode="multi", search="scan")
    assert "range" in refused(ConfigError, tmp_path, edit_range="endless")
    assert "'zorblax'" in refused(TextEncoderError, tmp_path, attributes=["a face with a zorblax"])
    assert "'zorblax'" in refused(TextEncoderError, tmp_path, labels=["a zorblax", "a face"])
    same = ["a face", "a smiling face"]
    assert refused((ConfigError, DirectionError), tmp_path, attributes=same)  # type: ignore[arg-type]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="is a file"):
        diagnoser().run(images=1, out=tmp_path / "file" / "audit")


def test_a_target_of_the_wrong_input_size_is_named(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 1))
    assert "128" in refused(TargetError, tmp_path, target=network, labels=[])


@pytest.mark.ci
def test_a_gradient_search_does_not_depend_on_its_batches() -> None:
    """Not by a bit, in whatever precision this machine follows gradients."""
    options = {"mode": "multi", "search": "sgd", "search_options": {"steps": 6}}
    results = [diagnoser(**options, batch_size=size).run(images=3).records for size in (3, 2)]
    assert {record.image: record for record in results[0]} == {record.image: record for record in results[1]}
    assert len(results[0]) == 3
    assert any(any(record.edit_weights) for record in results[0])


class PlantedTwice(nn.Module):
    """A target whose biases are its own: what the text encoder sees of glasses and of a beard, weighted. Effects are
    in units of the attributes' natural ranges."""

    def __init__(self, run: Diagnoser, effects: dict[int, float]) -> None:
        super().__init__()
        directions = run.edit_directions()
        calibrated = run.calibrated_range(directions)
        self.encoder = run.models.text_encoder
        trials = calibrated.goals.diff(dim=1)[:, 0]
        along = score_directions(run.models.text_encoder, directions) / trials[:, None]
        self.planted = sum(effect * along[which] for which, effect in effects.items())
        self.middle = sum(effect * float(calibrated.splits[which] / trials[which]) for which, effect in effects.items())

    def forward(self, images: Tensor) -> Tensor:
        seen: Tensor = self.encoder.embed_images(images) @ self.planted - self.middle
        return (0.5 + seen).clamp(0.01, 0.99)[:, None]


@pytest.mark.slow(45)
@pytest.mark.ci
def test_biases_that_no_shipped_target_has_are_found_and_nothing_else_is() -> None:
    attributes = ["a face with eyeglasses", "a face with a beard", "a face with pale skin", "a smiling face"]
    run = diagnoser(attributes=attributes, labels=[])
    seen = Preprocessing(size=128, value_range=(-1.0, 1.0))
    task, network = BinaryTask(output="probability"), PlantedTwice(run, {0: 0.25, 1: 0.12})
    target = Target(network, name="planted", task=task, preprocessing=seen)
    options = {"labels": [], "random_directions": 0, "smallest_effect": 0.05}
    result = diagnoser(target=target, attributes=attributes, **options).run(images=16, seed=6)
    rows = {row.attribute.text: row for row in result.sensitivity}
    assert [rows[name].verdict for name in attributes[:2]] == ["sensitive", "sensitive"]
    assert {rows[name].verdict for name in attributes[2:]} <= {"negligible", "inconclusive"}
    for name, effect in zip(attributes, (0.25, 0.12, 0.0, 0.0), strict=True):
        assert rows[name].value == pytest.approx(effect, abs=0.05)
        assert rows[name].signed_change == pytest.approx(effect, abs=0.05)
    power = result.summary().power
    assert power is not None
    assert power.sensitive["0.2"] >= 0.9


def test_images_are_told_apart_by_every_attribute_on_request() -> None:
    result = diagnoser(by=["a face with dark skin", "attributes"], random_directions=0).run(images=1, seed=5)
    attributes = [attribute.text for attribute in result.config.attributes]
    assert list(result.config.by) == ["a face with dark skin", *attributes]
    assert {len(record.groups or ()) for record in result.records} == {len(result.config.by)}


def test_images_are_told_apart_and_attributes_tried_in_several_paraphrases(tmp_path: Path) -> None:
    by = ["a face with eyeglasses", "a smiling face"]
    run = diagnoser(by=by, paraphrases=2, random_directions=0)
    styles = run.models.styles(range(500_000, 500_024))
    measurements = measure(run.models, RunSettings(images=24, seed=5))
    assert measurements.groups is not None
    told = measurements.groups.of(run.models.text_encoder, run.models.synthesizer, styles, range(24))
    judged = load_target("avatars:eyeglasses")(run.models.synthesizer.render(styles[:]))[:, 0] > 0
    assert sum(bool(judged[image]) == has for image, (has, _) in told.items()) >= 22
    assert 0 < sum(has for has, _ in told.values()) < 24
    result = run.run(images=2, seed=5)
    assert {(record.image, record.groups) for record in result.records} == {(image, told[image]) for image in range(2)}
    assert {group.by for group in result.sensitivity[0].groups} == {*by, "prediction"}
    matrix = measurements.phrased
    assert matrix is not None
    for record in result.records:
        bound = sum(record.bounds or ())
        column = ATTRIBUTES.index(record.attribute or "")
        for k, change in enumerate(record.paraphrases or ()):
            style = styles[record.image : record.image + 1]
            moved = style + bound * matrix[k * len(ATTRIBUTES) + column]
            outputs = [run.models.target(run.models.synthesizer.render(codes)) for codes in (style, moved)]
            assert change == pytest.approx(float(run.models.target.task.change(outputs[1], outputs[0])), abs=0.02)
    assert all(len(row.by_paraphrase or ()) == 2 for row in result.sensitivity)
    assert "2 paraphrases of each attribute: Kendall’s W" in result.table()
    begun = Path(result.save(tmp_path / "audit"))
    manifest = json.loads((begun / "manifest.json").read_text())
    del manifest["config"]["paraphrase_search"]  # as before the label counted: the change at the bound
    (begun / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AuditError, match=r"paraphrase_search"):
        run.run(images=2, seed=5, out=begun)


@pytest.mark.ci
def test_the_effect_in_each_paraphrase_is_one_that_keeps_the_label() -> None:
    """At the end of the range the ground truth is another one: that counted in full, and as no effect beside it."""
    audit = diagnoser(target="avatars:mustache", attributes=["a face with a mustache"], paraphrases=2).run(images=4)
    (row,) = audit.sensitivity
    at_ends = [point for record in audit.records for point in record.trajectory if point.weights == record.bounds[1:]]
    assert [point.label_kept for point in at_ends] == [False] * 4
    assert row.effect is not None
    assert row.effect < 0.9
    assert row.by_paraphrase == pytest.approx((row.effect,) * 2, abs=0.05)


def test_an_attribute_of_several_texts_that_is_to_be_kept_has_its_own_edit_in_each_paraphrase() -> None:
    texts = ["a smiling face|a face with a smile", "a face with pale skin"]
    run = diagnoser(attributes=texts, keep=texts[:1], paraphrases=2, random_directions=0, samples=256)
    measurements = measure(run.models, RunSettings(images=1))
    assert measurements.phrased is not None
    per_std = 1 / run.models.sampling(1).statistics(run.models.generator).std.clamp(min=1e-6)
    whole, phrased = measurements.directions.matrix[0] * per_std, measurements.phrased[::2] * per_std
    assert (phrased @ whole).min() > 0.9  # of unit length


def test_a_denial_that_leads_the_wrong_way_is_told_before_anything_is_measured_and_kept(tmp_path: Path) -> None:
    prompts = ["a face that is not smiling", "a face without eyeglasses"]
    told: list[str] = []
    run = diagnoser(attributes=prompts, random_directions=0, edit_range="paper", level=1.0, notify=told.append)
    (line,) = [notice for notice in told if "denies" in notice]
    assert line.startswith("'a face that is not smiling' leads towards what it denies")
    assert [attribute.text for attribute in run.models.attributes] == prompts  # told, never changed
    result = run.run(images=2, out=tmp_path / "audit")
    assert line in result.manifest.notices
    assert result.manifest.misread == ("a face that is not smiling",)
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "Prompts that lead the other way" in page
    ready = dataclasses.replace(run.edit_directions(), method="discovered")  # made of no text
    assert diagnoser(attributes=prompts, directions=ready).models.misread == ()


@pytest.mark.ci
def test_first_records_wait_for_no_random_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends while they are matched has the first images' records, and is gone on with to the same end."""
    out = tmp_path / "audit"
    with monkeypatch.context() as patch:

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("zoom_engine.diagnose.measurements.baseline_directions", killed)
        with pytest.raises(KeyboardInterrupt):
            diagnoser(smallest_effect=0.001).run(images=3, out=out)
    begun = Diagnosis.load(out)
    assert begun.records
    assert not begun.baseline
    assert begun.config.random_drawn is None
    whole = diagnoser(smallest_effect=0.001).run(images=3, out=out)
    assert len(whole.config.random_drawn or ()) == whole.config.random_directions
    at_once = diagnoser(smallest_effect=0.001).run(images=3)
    assert sorted(map(str, whole.records)) == sorted(map(str, at_once.records))
    assert sorted(map(str, whole.baseline)) == sorted(map(str, at_once.baseline))
    written = out / "manifest.json"
    manifest = json.loads(written.read_text())
    manifest["config"]["random_drawn"][0] += 1
    written.write_text(json.dumps(manifest))
    lines = (out / "records.jsonl").read_bytes().splitlines(keepends=True)
    (out / "records.jsonl").write_bytes(b"".join(lines[:-1]))  # a random direction is left to do
    with pytest.raises(AuditError, match="random_drawn"):
        diagnoser(smallest_effect=0.001).run(images=3, out=out)


def test_models_are_shared_by_settings_that_name_them_alone() -> None:
    """Another generator or encoder that was named was not looked at: pictures of the first were audited."""
    first = diagnoser()
    second = diagnoser(target="avatars:age", like=first)
    assert second.models.generator is first.models.generator
    for name, value in (("generator", "pets"), ("text_encoder", "pets"), ("precision", "fp32")):
        with pytest.raises(ConfigError, match=f"like has another {name.replace('_', ' ')}: give it the same settings"):
            diagnoser(**{"like": first, name: value})
