"""A discovery on the embedded models: the planted attribute is found without a word, and can be audited."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import CHROMIUM, opened
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine import Diagnoser, Discoverer, Discovery, EditDirections
from zoom_engine.common.errors import AuditError, ConfigError, DirectionError, TargetError
from zoom_engine.discovery import discoverer as discoverer_module
from zoom_engine.discovery.discoverer import EDITS_AT_ONCE
from zoom_engine.discovery.folder import write_discovery
from zoom_engine.discovery.page import write_discovery_page

BIASED = "avatars:mustache-biased-smiling"


@pytest.fixture(scope="module", autouse=True)
def fewer_samples() -> Iterator[None]:
    """Words are measured on half as many pictures, and screened on fewer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoom_engine.discovery.discoverer.SAMPLES", 512)
        patch.setattr("zoom_engine.discovery.discoverer.SCREENED", 2)
        yield


@pytest.fixture(scope="module")
def discoverer(tmp_path_factory: pytest.TempPathFactory) -> Discoverer:
    words = tmp_path_factory.mktemp("vocabulary") / "words.txt"
    words.write_text("# mine\na cheerful {}\n\na {} with a flux capacitor\n")
    return Discoverer(generator="avatars", target=BIASED, vocabulary=words, smallest_effect=0.06)


@pytest.fixture(scope="module")
def folder(discoverer: Discoverer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("discovery") / "found"
    discoverer.run(images=24, seed=1, out=out)
    return out


@pytest.mark.slow(14)
def test_the_planted_attribute_is_found_named_and_called(folder: Path) -> None:
    clusters = json.loads((folder / "summary.json").read_text())["clusters"]
    first = clusters[0]
    assert first["name"] == "a cheerful face"  # the user's word for it comes before the domain's
    assert first["verdict"] == "sensitive"
    assert first["images"] > 6
    assert first["mean_change"] > 3 * first["baseline"]
    assert first["ci95"][0] <= first["mean_change"] <= first["ci95"][1]
    assert [cluster["images"] for cluster in clusters] == sorted((c["images"] for c in clusters), reverse=True)
    names = [cluster["name"] for cluster in clusters if cluster["name"]]
    assert len(set(names)) == len(names)


@pytest.mark.ci
@pytest.mark.slow(30)
def test_a_word_whose_own_edits_move_the_model_is_found_where_no_smallest_edit_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hat is a long way in style space: the smallest edits that flip this model turn the head."""
    monkeypatch.setattr(discoverer_module, "SCREENED", 8)
    discoverer = Discoverer(generator="people", target="people:smiling-biased-hat")
    first = discoverer.run(images=24, out=tmp_path / "found").clusters[0]
    assert (first.name, first.verdict) == ("a person with a hat", "sensitive")
    assert first.word_change == first.mean_change
    page = (tmp_path / "found" / "report.html").read_text()
    assert "<td>by its word</td>" in page
    assert "on 8 of these images" in page


def test_words_that_the_encoder_cannot_read_and_words_of_the_label_name_nothing(discoverer: Discoverer) -> None:
    vocabulary = discoverer.config(24, 1)["vocabulary"]
    assert "a face with a flux capacitor" not in vocabulary
    assert vocabulary[0] == "a cheerful face"
    words, label_axes = discoverer.measure_words(discoverer.natural_space())
    assert "a face with a mustache" not in words.prompts
    assert label_axes.shape[0] == 1


def test_words_that_pictures_answer_no_better_than_random_text_name_nothing(tmp_path: Path) -> None:
    """With people "in water" and "wet" were found to move models: their scores follow the sentence, not the picture."""
    (tmp_path / "words.txt").write_text("a wet {}\na {} in water\na bearded {}\na {} with a hat\na {} of antimatter\n")
    told: list[str] = []
    discoverer = Discoverer(
        generator="people", target="people:smiling-biased-hat", vocabulary=tmp_path / "words.txt", notify=told.append
    )
    words, _ = discoverer.measure_words(discoverer.natural_space())
    assert {"a bearded person", "a person with a hat"} <= set(words.prompts)
    assert not {"a wet person", "a person in water"} & set(words.prompts)
    left_out = [line for line in told if "left out of your vocabulary" in line]
    assert [line.partition(": ")[2] for line in left_out] == [
        "'a person of antimatter'",
        "'a wet person' and 'a person in water'",
    ]
    assert left_out == [line for line in discoverer.audit.notices.lines if line in left_out]


def test_a_vocabulary_of_which_pictures_answer_nothing_is_refused_in_a_line(
    discoverer: Discoverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discoverer_module, "agreement", lambda pictures, texts: torch.zeros(len(texts)))
    with pytest.raises(DirectionError, match=r"none of the vocabulary's \d+ words better than random text: give words"):
        discoverer.measure_words(discoverer.natural_space())


def test_the_folder_holds_what_the_summary_speaks_of(folder: Path) -> None:
    result = Discovery.load(folder)
    files = [file for cluster in result.clusters for strip in cluster.strips for file in strip.files]
    assert files
    assert all((folder / file).is_file() for file in files)
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert [record["seed"] for record in records] == list(range(100_000, 100_024, 2))
    held_out = {strip.seed for cluster in result.clusters for strip in cluster.strips}
    assert held_out <= set(range(100_001, 100_024, 2))
    page = (folder / "report.html").read_text()
    assert "a cheerful face" in page
    (line,) = (line for line in html.unescape(page).splitlines() if "zoom-engine diagnose --generator avatars" in line)
    assert "--attribute 'a cheerful face'" in line
    assert "--smallest-effect 0.06" in line, "all that was given is said again"
    assert result.config["smallest_effect"] == 0.06
    assert "--out audit" in line
    assert json.loads(json.dumps(result.to_json())) == json.loads((folder / "summary.json").read_text())


@pytest.mark.ci
@pytest.mark.slow(14)
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_an_accessibility_checker_finds_no_violation_in_its_page(folder: Path, tmp_path: Path) -> None:
    checker = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js").read_text("utf-8")
    with opened(tmp_path) as browser:
        tab = browser.tab()
        tab.open((folder / "report.html").as_uri())
        tab.wait("document.readyState === 'complete' && !!document.querySelector('h1')")
        tab.value("document.querySelectorAll('details').forEach(one => one.open = true)")
        tab.value(f"{checker};0")
        assert tab.value("axe.run().then(({violations}) => violations.map(one => one.id))") == []


@pytest.mark.ci
@pytest.mark.slow(14)
def test_a_run_that_was_stopped_ends_with_the_same_clusters(
    discoverer: Discoverer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among the smallest edits, the words and the trials; what was measured is not measured again."""
    out, looked = tmp_path / "stopped", []

    def stopping(after: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def measure(*given: Any, **options: Any) -> Any:
            looked.append(function)
            if len(looked) > after:
                raise KeyboardInterrupt
            return function(*given, **options)

        return measure

    for name, after in (("smallest_edits", 2), ("try_out", 1), ("try_out", 7)):
        original = getattr(discoverer_module, name)
        looked.clear()
        with monkeypatch.context() as patch:
            patch.setattr(discoverer_module, name, stopping(after, original))
            with pytest.raises(KeyboardInterrupt):
                discoverer.run(images=24, seed=1, out=out)
        assert not (out / "summary.json").exists()
    with pytest.raises(AuditError, match="something other"):
        discoverer.run(images=26, seed=1, out=out)
    assert len(list((out / "measured").iterdir())) == 12 // EDITS_AT_ONCE + 1 + 7
    monkeypatch.setattr(discoverer_module, "smallest_edits", lambda *_: pytest.fail("edits were looked for again"))
    discoverer.run(images=24, seed=1, out=out)
    for name in ("summary.json", "records.jsonl", "directions.safetensors"):
        assert (out / name).read_bytes() == (folder / name).read_bytes(), name
    assert not (out / "measured").exists()


def test_a_finished_discovery_is_left_alone(
    discoverer: Discoverer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Discoverer, "natural_space", lambda self: pytest.fail("it was measured again"))
    before = (folder / "summary.json").read_bytes()
    result = discoverer.run(images=24, seed=1, out=folder)
    assert result.names[0] == "a cheerful face"
    assert (folder / "summary.json").read_bytes() == before


def test_what_was_found_is_audited_like_a_typed_attribute(folder: Path) -> None:
    directions = EditDirections.load(folder / "directions.safetensors")
    assert "a cheerful face" in directions.attributes
    audit = Diagnoser(
        generator="avatars", target=BIASED, attributes=directions.attributes, directions=directions, random_directions=0
    ).run(images=6, seed=3)
    change = {str(row.attribute): row.value for row in audit.sensitivity}
    assert change["a cheerful face"] is not None
    assert change["a cheerful face"] > 0.15


def test_a_folder_of_other_settings_is_left_alone(discoverer: Discoverer, folder: Path, tmp_path: Path) -> None:
    before = (folder / "summary.json").read_bytes()
    with pytest.raises(AuditError, match="something other than a discovery with these settings"):
        discoverer.run(images=26, seed=1, out=folder)
    assert (folder / "summary.json").read_bytes() == before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AuditError, match="not empty"):
        discoverer.run(images=24, seed=1, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_two_runs_never_write_one_folder(
    discoverer: Discoverer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both measured the same images, and the slower one wrote over the pictures of the other."""

    def second_run(*_: Any) -> None:
        with pytest.raises(AuditError, match=rf"another run \(process {os.getpid()}\) is writing .*found") as caught:
            discoverer.run(images=24, seed=1, out=tmp_path / "found")
        assert str(caught.value).endswith(": wait for it or choose another output folder")
        assert "\n" not in str(caught.value)
        raise RuntimeError("stopped")

    monkeypatch.setattr(discoverer, "natural_space", second_run)
    for _ in range(2):  # the first run releases the folder, so a later one resumes
        with pytest.raises(RuntimeError, match="stopped"):
            discoverer.run(images=24, seed=1, out=tmp_path / "found")


def test_what_cannot_be_done_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="12 images or more"):
        Discoverer(generator="avatars", target=BIASED).run(images=4)
    with pytest.raises(ConfigError, match="takes no attributes"):
        Discoverer(generator="avatars", target=BIASED, attributes=["a smiling face"])
    with pytest.raises(ConfigError, match="clusters must be in"):
        Discoverer(generator="avatars", target=BIASED, clusters=0)
    with pytest.raises(ConfigError, match="cannot be read"):
        Discoverer(generator="avatars", target=BIASED, vocabulary=tmp_path / "none.txt")

    def opaque(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return pixels.mean(axis=(1, 2, 3)) / 255

    with pytest.raises(TargetError, match=r"opaque.*gives no gradients.*zoom-engine diagnose"):
        Discoverer(generator="avatars", target=opaque)


def test_nothing_found_is_said_so(tmp_path: Path) -> None:
    """No edit was said to move the model, two lines below the number of images that one flips."""
    empty = Discovery(clusters=(), flipped=2, searched=6, config=config_without_clusters(), environment={})
    write_discovery(tmp_path, empty, [], {}, None)
    page = write_discovery_page(tmp_path).read_text()
    assert "2 of 6 images flip, but nothing was found that moves the model on several" in page
    assert "There is no cluster: fewer than three images have edits that" in page
    assert "2 of them flip;" in page
    assert (Discovery.load(tmp_path).command(), Discovery.load(tmp_path).names) == ("", [])


class Restless(nn.Module):
    """A target that answers anything: what it says swings with the brightness of the picture's parts."""

    def forward(self, x: Tensor) -> Tensor:
        return 4 * (60 * nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 3).flatten(1)).sin().mean(1, True)


@pytest.mark.slow(10)
def test_a_model_that_reacts_to_any_change_is_better_asked_about_typed_attributes(tmp_path: Path) -> None:
    result = Discoverer(generator="avatars", target=Restless(), labels=[]).run(images=16, out=tmp_path / "found")
    assert result.random_change is not None
    assert result.random_change >= 0.1
    assert not any(cluster.verdict == "sensitive" for cluster in result.clusters)
    sentence = result.advice
    assert sentence is not None
    assert f"the strongest of 16 by {result.random_change:.2f} on average" in sentence
    assert "type the attributes" in sentence
    assert "zoom-engine diagnose" in sentence
    assert " ".join(result.table().split()).endswith(sentence)
    assert json.loads((tmp_path / "found" / "summary.json").read_text())["advice"] == sentence
    page = html.unescape((tmp_path / "found" / "report.html").read_text())
    assert sentence in page
    assert "can be told apart from random edits" in page
    assert Discovery.load(tmp_path / "found").advice == sentence


def test_where_a_discovery_stands_out_typed_attributes_are_not_recommended(folder: Path) -> None:
    result = Discovery.load(folder)
    assert result.told_apart
    assert result.advice is None
    assert "Random edits" not in result.table()
    assert "told from random edits" not in (folder / "report.html").read_text()


def config_without_clusters() -> dict[str, object]:
    return {"target": "t", "labels": [], "vocabulary": ["a"], "random_directions": 8, "smallest_effect": 0.05}


def test_a_damaged_summary_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": {"name": "zoom-engine discovery", "version": 2}, "config": {}}')
    (tmp_path / "summary.json").write_text('{"clusters": [1]}')
    with pytest.raises(
        AuditError, match=r"no discovery that can be read \(.*config\.target.*\): run it again in a new folder"
    ):
        Discovery.load(tmp_path)
