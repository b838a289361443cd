"""Threshold, normalisation, scale, refusals and files of edit directions."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from bars import Bars
from hypothesis import given
from hypothesis import strategies as st
from registered import register
from safetensors.torch import load_file, save_file

from zoom_engine.common import registry
from zoom_engine.common.errors import CacheError, ConfigError, DirectionError, ZoomError
from zoom_engine.common.module_hash import Identity
from zoom_engine.common.probes import Answers
from zoom_engine.directions import (
    EditDirections,
    Sampling,
    directions_from_relevance,
    find_directions,
    gradient_relevance,
    regression_relevance,
    text_directions,
    unit_relevance,
)
from zoom_engine.directions.answers import PICTURES
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.relevance import MatrixRelevance
from zoom_engine.directions.sampled import sampled_relevance
from zoom_engine.settings.audit_settings import AuditSettings

PROMPTS = ("beard", "man", "hat")


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=30).filter(lambda v: max(map(abs, v)) > 1e-3),
    st.floats(0, 0.99),
    st.one_of(st.none(), st.integers(1, 40)),
)
def test_unit_relevance_follows_its_definition(values: list[float], threshold: float, top_k: int | None) -> None:
    row = torch.tensor(values)
    r = unit_relevance(row, threshold=threshold, top_k=top_k, attribute="x")
    assert r.norm().item() == pytest.approx(1, abs=1e-5)
    largest = max(map(abs, values))
    magnitudes = sorted(map(abs, values), reverse=True)
    for value, entry in zip(values, r.tolist(), strict=True):
        if entry != 0:
            assert abs(value) >= threshold * largest * (1 - 1e-6)
            assert (entry > 0) == (value > 0)
            assert top_k is None or top_k >= len(values) or abs(value) >= magnitudes[top_k - 1]
        elif abs(value) > threshold * largest * (1 + 1e-6) and abs(value) > largest * 1e-30:
            assert top_k is not None
            assert abs(value) <= magnitudes[top_k - 1]
    passing = [i for i, entry in enumerate(r.tolist()) if entry != 0]
    if top_k is not None:
        assert len(passing) <= top_k
    assert any(abs(values[i]) == largest for i in passing)
    length = math.hypot(*(values[i] for i in passing))
    for i in passing:
        assert r[i].item() == pytest.approx(values[i] / length, rel=1e-4, abs=1e-6)


def test_top_k_takes_magnitudes_not_signed_values() -> None:
    r = unit_relevance(torch.tensor([0.1, -5.0, 0.2, 3.0]), threshold=0.0, top_k=2, attribute="x")
    assert r.nonzero().flatten().tolist() == [1, 3]
    assert r[1] < 0 < r[3]


def test_one_weight_is_one_standard_deviation(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    directions = find_directions(generator, encoder, PROMPTS, neutral="face", samples=200, threshold=0.3)
    std = Sampling(200).statistics(generator).std
    r = torch.where(std > 0, directions.matrix / std.clamp(min=1e-12), 0.0)
    torch.testing.assert_close(r.norm(dim=1), torch.ones(3))
    assert (r.abs()[r != 0] >= 0.3 * r.abs().amax() * 0).all()
    for row in r:
        passing = row[row != 0].abs()
        assert passing.min() >= 0.3 * passing.max() * 0.999
    assert (directions.matrix[:, generator.space.fixed_mask()] == 0).all()
    assert directions.channels == tuple((r != 0).sum(dim=1).tolist())
    assert all(s > n > 0 for s, n in zip(directions.strength, directions.noise_floor, strict=True))


@pytest.mark.parametrize("method", ["regression", "sampled", "gradient"])
def test_positive_weight_adds_and_a_text_that_says_nothing_is_refused_before_measuring(
    toy: tuple[Any, Any], method: Any
) -> None:
    generator, encoder = toy
    samples = {"regression": 400, "sampled": 4, "gradient": 8}[method]
    found_directions = find_directions(generator, encoder, ["hat"], neutral="face", method=method, samples=samples)
    assert (found_directions.matrix @ encoder.read.T)[0, 2] > 0
    before = generator.synthesized
    with pytest.raises(DirectionError, match=r"answer 'gibberish' no better than random text.*level 10%") as caught:
        find_directions(generator, encoder, ["hat", "gibberish"], neutral="face", method=method, samples=samples)
    assert "\n" not in str(caught.value)
    assert generator.synthesized - before == PICTURES


@pytest.mark.parametrize("method", ["regression", "sampled", "gradient"])
def test_every_relevance_is_tested_against_random_texts_too(toy: tuple[Any, Any], method: str) -> None:
    generator, encoder = toy
    relevance: Any = {
        "regression": lambda: regression_relevance(generator, encoder, sampling=Sampling(400)),
        "sampled": lambda: sampled_relevance(generator, encoder, sampling=Sampling(4)),
        "gradient": lambda: gradient_relevance(generator, encoder, sampling=Sampling(8)),
    }[method]()
    found_directions = directions_from_relevance(relevance, generator, encoder, PROMPTS, neutral="face")
    assert all(
        strength > floor > 0
        for strength, floor in zip(found_directions.strength, found_directions.noise_floor, strict=True)
    )
    assert found_directions.provenance["level"] == 0.1
    with pytest.raises(DirectionError, match=r"'gibberish' more than random text: largest \|relevance\|.*level 10%"):
        directions_from_relevance(relevance, generator, encoder, ["hat", "gibberish"], neutral="face")
    passed = directions_from_relevance(relevance, generator, encoder, ["gibberish"], neutral="face", level=1)
    assert passed.attributes == ("gibberish",)


def test_at_level_1_no_text_is_embedded_that_nothing_is_compared_with(
    toy: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, encoder = toy
    embedded: list[str] = []
    embed = type(encoder).embed_texts

    def noted(self: Any, prompts: Any, **options: Any) -> Any:
        embedded.extend(prompts)
        return embed(self, prompts, **options)

    monkeypatch.setattr(type(encoder), "embed_texts", noted)
    result = find_directions(generator, encoder, ["hat"], neutral="face", samples=200, level=1)
    assert set(embedded) == {"face", "hat"}
    assert result.noise_floor == (0.0,)
    relevance = regression_relevance(generator, encoder, sampling=Sampling(200, cache=tmp_path))
    for repeated in (False, True):
        embedded.clear()
        directions_from_relevance(relevance, generator, encoder, ["hat"], neutral="face")
        assert (set(embedded) == {"face", "hat"}) is repeated, "random texts are embedded once, and kept"


@dataclasses.dataclass(frozen=True)
class Together:
    """A method of somebody else's: how codes and embeddings of random pictures go together."""

    name: ClassVar[Any] = "together"
    samples: ClassVar[Any] = 300
    needs_gradient: ClassVar[Any] = False
    power: float = 1.0

    def measure(self, generator: Any, text_encoder: Any, sampling: Sampling) -> Any:
        codes = sampling.codes(generator)
        seen = text_encoder.embed_images(sampling.renderer_of(generator).render(codes))
        scaled = (codes - codes.mean(0)) * (~generator.space.fixed_mask()) / codes.std(0).clamp(min=1e-6)
        covariance = scaled.T @ (seen - seen.mean(0)) / len(codes)
        matrix = covariance.sign() * covariance.abs() ** self.power
        return MatrixRelevance(self.name, matrix, matrix, sampling, sampling.identity(generator, text_encoder))

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float | None:
        return self.samples * first


class OfOneRow(Together):
    def measure(self, generator: Any, text_encoder: Any, sampling: Sampling) -> Any:
        matrix = torch.ones(1, text_encoder.dim)
        return MatrixRelevance(self.name, matrix, matrix, sampling)


class Fails(Together):
    def measure(self, generator: Any, text_encoder: Any, sampling: Sampling) -> Any:
        raise KeyError("no pictures")


def test_a_method_of_a_package_finds_directions_by_its_name_or_as_an_object(
    toy: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, encoder = toy
    register(monkeypatch, registry.DIRECTION_METHODS, together=Together)
    found_directions = find_directions(generator, encoder, ["hat"], neutral="face", method="together")
    assert (found_directions.method, found_directions.provenance["samples"]) == ("together", 300)
    assert (found_directions.matrix @ encoder.read.T)[0, 2] > 0
    other = find_directions(generator, encoder, ["hat"], neutral="face", method=Together(power=2.0))
    assert not torch.equal(other.matrix, found_directions.matrix)
    assert AuditSettings(generator="avatars", target="avatars:mustache", directions="together").directions == "together"
    with pytest.raises(ConfigError, match=r"'directions' cannot be 'togeter'.*together"):
        AuditSettings(generator="avatars", target="avatars:mustache", directions="togeter")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (OfOneRow, r"'together': relevance of 2 directions must be finite numbers \[2, \d+\], not \[2, 1\]"),
        (Fails, "'together' fails: KeyError"),
    ],
)
def test_a_wrong_method_of_a_package_is_refused_by_name(toy: tuple[Any, Any], wrong: Any, reason: str) -> None:
    generator, encoder = toy
    with pytest.raises(DirectionError, match=reason) as caught:
        find_directions(generator, encoder, ["hat"], neutral="face", method=wrong())
    assert "\n" not in str(caught.value)


def test_wordings_are_averaged(toy: tuple[Any, Any]) -> None:
    _, encoder = toy
    (both,) = text_directions(encoder, ["beard|hat"], neutral="face")
    mean = torch.nn.functional.normalize(encoder.texts["beard"] + encoder.texts["hat"], dim=0)
    expected = torch.nn.functional.normalize(mean - encoder.texts["face"], dim=0)
    torch.testing.assert_close(both, expected)
    with pytest.raises(DirectionError, match="cannot tell 'face'"):
        text_directions(encoder, ["face"], neutral="face")
    with pytest.raises(DirectionError, match="non-empty list"):
        text_directions(encoder, "beard", neutral="face")


def test_an_unwritable_cache_is_named(toy: tuple[Any, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot be used .* ZOOM_ENGINE_CACHE") as caught:
        find_directions(*toy, PROMPTS, neutral="face", samples=32, cache=tmp_path / "file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["regression", "sampled", "gradient"])
def test_nan_images_are_named(toy: tuple[Any, Any], method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, encoder = toy
    plain = generator.synthesis
    monkeypatch.setattr(generator, "synthesis", lambda styles: plain(styles) * float("nan"))
    with pytest.raises(DirectionError, match="not finite"):
        find_directions(generator, encoder, PROMPTS, neutral="face", method=method, samples=32)


@pytest.mark.parametrize(
    ("setting", "other"),
    [
        ("attributes", ("beard", "man", "cap")),
        ("neutral", "person"),
        ("threshold", 0.3),
        ("templates", ["a photo of {}"]),
        ("truncation", 0.7),
        ("truncation_cutoff", 8),
        ("generator", "another"),
        ("text_encoder", "another"),
    ],
)
def test_directions_found_otherwise_than_an_audit_would_are_refused(
    found_directions: EditDirections, setting: str, other: Any
) -> None:
    settings = {
        "attributes": found_directions.attributes,
        "neutral": found_directions.neutral,
        "threshold": found_directions.threshold,
        **found_directions.provenance,
    }
    found_directions.check_settings(settings)
    with pytest.raises(DirectionError, match=f"of another {setting.replace('_', ' ')} ") as caught:
        found_directions.check_settings({**settings, setting: other})
    assert "\n" not in str(caught.value)
    if setting in found_directions.provenance:
        silent = {key: value for key, value in found_directions.provenance.items() if key != setting}
        with pytest.raises(DirectionError, match=f"do not say with which {setting.replace('_', ' ')}"):
            dataclasses.replace(found_directions, provenance=silent).check_settings(settings)


def test_the_content_hash_is_the_matrix_s(found_directions: EditDirections, tmp_path: Path) -> None:
    found_directions.save(tmp_path / "d.safetensors")
    assert EditDirections.load(tmp_path / "d.safetensors").content_hash == found_directions.content_hash
    moved = found_directions.matrix.clone()
    moved[0, moved[0].nonzero()[0]] *= 1.0001
    assert dataclasses.replace(found_directions, matrix=moved).content_hash != found_directions.content_hash


@pytest.mark.parametrize("method", ["regression", "sampled", "gradient"])
@pytest.mark.parametrize("truncation", [1.0, 0.7])
def test_style_statistics_are_computed_once_and_kept(
    toy: tuple[Any, Any], method: Any, truncation: float, tmp_path: Path
) -> None:
    """4,096 samples are 8 s of the processor at 1024²: once for each truncation that is needed, and never again."""
    options = {"neutral": "face", "method": method, "samples": 32, "truncation": truncation, "cache": tmp_path}
    bars = Bars()
    first = find_directions(*toy, PROMPTS, **options, progress=bars)
    needed = 1 if truncation == 1.0 or method == "sampled" else 2  # the untruncated generator's too
    assert len(bars.steps["Measuring styles"]) == needed
    assert sum(bars.steps["Measuring styles"][0]) == bars.totals["Measuring styles"] == 4096
    again = Bars()
    second = find_directions(*toy, PROMPTS, **options, progress=again)
    assert "Measuring styles" not in again.steps
    assert torch.equal(first.matrix, second.matrix)


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        (["beard", "beard"], "given twice"),
        (["beard|"], "empty"),
        ([3], "is a text"),
        ([], "non-empty"),
    ],
)
def test_bad_attributes(toy: tuple[Any, Any], attributes: Any, complaint: str) -> None:
    with pytest.raises(ZoomError, match=complaint):
        text_directions(toy[1], attributes, neutral="face")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"method": "magic"}, "unknown method"),
        ({"threshold": 1.0}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"top_k": 0}, "top_k"),
        ({"level": 0.0}, "level must be in"),
        ({"level": 0.001}, "too small for 99 random texts: 0.01 is least"),
        ({"absolute": True}, "absolute threshold"),
    ],
)
def test_bad_options(toy: tuple[Any, Any], options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DirectionError, match=complaint):
        find_directions(*toy, PROMPTS, neutral="face", **{"samples": 32, **options})


def test_nothing_to_normalise_is_an_error_not_nan() -> None:
    with pytest.raises(DirectionError, match="'x' passes λ"):
        unit_relevance(torch.zeros(4), threshold=0.0, attribute="x")


@pytest.fixture
def found_directions(toy: tuple[Any, Any]) -> EditDirections:
    return find_directions(*toy, PROMPTS, neutral="face", samples=64)


def test_files_round_trip(found_directions: EditDirections, toy: tuple[Any, Any], tmp_path: Path) -> None:
    found_directions.save(tmp_path / "d.safetensors")
    loaded = EditDirections.load(tmp_path / "d.safetensors")
    assert torch.equal(loaded.matrix, found_directions.matrix)
    for name in ("attributes", "neutral", "method", "threshold", "channels", "strength", "noise_floor"):
        assert getattr(loaded, name) == getattr(found_directions, name)
    assert loaded.provenance == found_directions.provenance
    loaded.check_fits(toy[0])
    toy[0].content_hash = "another"
    with pytest.raises(DirectionError, match="another generator"):
        loaded.check_fits(toy[0])
    with pytest.raises(DirectionError, match="cannot be written"):
        found_directions.save(tmp_path / "no" / "such" / "folder.safetensors")


def test_the_cache_holds_nothing_of_a_generator_that_draws_otherwise_now(tmp_path: Path) -> None:
    """Its hash does not know of it: a file that it reads, or an extension, was changed."""

    def stored(answers: Answers | None, value: float) -> float:
        identity = Identity("one hash")
        identity.answers = answers
        found_directions = DirectionCache(tmp_path).cached(
            "statistics", {"sampling": {"generator": identity}}, lambda: {"mean": torch.tensor(value)}
        )
        return float(found_directions["mean"])

    assert stored([[0.1], [0.9]], 1.0) == 1.0
    assert stored([[0.1000001], [0.9]], 2.0) == 1.0, "rounded otherwise"
    assert stored([[0.2], [0.8]], 3.0) == 3.0
    assert stored([[0.2], [0.8]], 4.0) == 3.0
    assert stored(None, 5.0) == 3.0, "it draws otherwise each time"


@pytest.mark.parametrize("name", ["x", "embeddings", "of unedited pictures"])
def test_what_is_stored_comes_back_where_products_are_those_of_before(name: str, tmp_path: Path) -> None:
    """It lay on any address of the file, where products end in other digits: a discovery was another one afterwards."""
    cache = DirectionCache(tmp_path)
    for width in (1, 3, 5):
        (stored, again) = (
            cache.cached("unedited", {"width": width}, lambda width=width: {name: torch.rand(7, width)})
            for _ in range(2)
        )
        assert torch.equal(stored[name], again[name])
        assert again[name].data_ptr() % 64 == 0


@pytest.mark.parametrize("instead", [b"{", b"0", b"\xff"])
def test_a_damaged_file_of_the_cache_is_measured_again(instead: bytes, tmp_path: Path) -> None:
    identity = Identity("one hash")
    identity.answers = [[0.1], [0.9]]
    cache, key = DirectionCache(tmp_path), {"generator": identity}
    cache.store("statistics", key, {"mean": torch.tensor(2.0)})
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + instead + whole[place + 1 :])
        assert cache.cached("statistics", key, lambda: {"mean": torch.tensor(2.0)})["mean"] == 2.0


def test_directions_that_do_not_say_how_they_were_found_are_refused_in_one_line(
    found_directions: EditDirections,
) -> None:
    found_directions.check_origin()
    for provenance, lacks in (
        ({}, "templates, truncation, truncation_cutoff"),
        ({**found_directions.provenance, "truncation": "much"}, "truncation"),
        ({**found_directions.provenance, "templates": []}, "templates"),
        ({**found_directions.provenance, "truncation_cutoff": 2.5}, "truncation_cutoff"),
    ):
        with pytest.raises(DirectionError, match=f"lacks {lacks};") as caught:
            dataclasses.replace(found_directions, provenance=provenance).check_origin()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", "many"),
        ("seed", 1 << 63),
        ("top_k", 2.5),
        ("ridge", "little"),
        ("estimator", ["ridge"]),
        ("absolute_threshold", 1),
        ("keep", 5),
    ],
)
def test_how_directions_were_found_is_told_as_options_or_refused_in_one_line(
    name: str, value: object, found_directions: EditDirections
) -> None:
    told = {"samples": 64, "seed": 0, "ridge": 0.1, "estimator": "ridge", "absolute": False}
    assert found_directions.found_by == told
    strange = dataclasses.replace(found_directions, provenance={**found_directions.provenance, name: value})
    with pytest.raises(
        DirectionError, match=f"is no {name.replace('_', ' ')}; take them from find_directions"
    ) as caught:
        strange.check_origin()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"attributes": ["one"]},
        {"attributes": ["a\nb", "c", "d"]},
        {"attributes": 5},
        {"attributes": [1, 2, 3]},
        {"strength": [float("1e999"), 0, 0]},
        {"strength": ["1", "2", "3"]},
        {"strength": [10**400, 0, 0]},
        {"noise_floor": []},
        {"threshold": "0.1"},
        {"provenance": []},
        {"neutral": ""},
        {"format": "other"},
    ],
)
def test_hostile_metadata_is_refused(found_directions: EditDirections, tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "d.safetensors"
    found_directions.save(path)
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        header = json.loads(file.metadata()["zoom_engine"])
    save_file(load_file(path), path, metadata={"zoom_engine": json.dumps({**header, **change})})
    with pytest.raises(DirectionError):
        EditDirections.load(path)


def test_hostile_tensors_are_refused(found_directions: EditDirections, tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    found_directions.save(path)
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    good = found_directions.matrix
    for bad in (good * float("nan"), good[:2], good.double(), good * 0, good[0], good[:, :0]):
        save_file({"matrix": bad.contiguous()}, path, metadata=metadata)
        with pytest.raises(DirectionError):
            EditDirections.load(path)
    save_file({"matrix": good, "more": good.clone()}, path, metadata=metadata)
    with pytest.raises(DirectionError, match="no edit directions"):
        EditDirections.load(path)
    header = json.dumps({"matrix": {"dtype": "\x1b[2J" + "a" * 5_000, "shape": [], "data_offsets": [0, 0]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(DirectionError, match="cannot be read") as caught:
        EditDirections.load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    path.write_bytes(b"not safetensors")
    with pytest.raises(DirectionError, match="cannot be read"):
        EditDirections.load(path)
    with pytest.raises(DirectionError, match="cannot be read"):
        EditDirections.load(tmp_path / "absent")


def test_gradient_relevance_of_a_generator_without_gradients_is_refused(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    generator.differentiable = False
    with pytest.raises(DirectionError, match="gives no gradients"):
        find_directions(generator, encoder, ["beard"], neutral="face", method="gradient")
