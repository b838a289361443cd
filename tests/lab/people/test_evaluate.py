"""Figures of people: measured on pictures that are there, and what is drawn for them is drawn once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lab.evaluation import Evaluation, unseen_quality
from lab.model_card import targets_section
from lab.people.drawn_once import DrawnOnce
from lab.people.evaluate import DOMAIN, EVALUATION, STORED, Stored
from lab.people.model_card import model_card
from lab.people.parameters import Parameters
from lab.people.train import renders
from lab.people.train.__main__ import parts
from lab.people.train.renders import packed, parameters_of, render_set
from lab.people.train.subject import SUBJECT
from zoom_engine.common.errors import ConfigError, TextEncoderError
from zoom_engine.diagnose.domain import KnownTruth
from zoom_engine.domains.embedded import as_target
from zoom_engine.domains.networks import SmallCNN
from zoom_engine.domains.people.domain import DOMAIN as SHIPPED


def stand_in(parameters: Parameters) -> NDArray[np.uint8]:
    tones = np.round(255 * np.abs(parameters.values[:, :3])).astype(np.uint8)
    return np.broadcast_to(tones[:, None, None], (len(parameters), 8, 8, 3)).copy()


def test_a_growing_set_is_packed_up_to_its_first_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.training import renders as reading

    for module in (renders, reading):
        monkeypatch.setattr(module, "CHUNK", 4)
    folder = render_set(tmp_path, 7, SUBJECT.seed, processes=1, render=stand_in)
    for path in tmp_path.glob("*.npy"):
        path.unlink()
    (folder / "000005.png").rename(tmp_path / "later.png")
    assert packed(tmp_path, SUBJECT.seed) == 5
    assert [len(np.load(tmp_path / f"sample-7-{chunk}.npy")) for chunk in range(2)] == [4, 1]
    (tmp_path / "later.png").rename(folder / "000005.png")
    assert packed(tmp_path, SUBJECT.seed, 6) == 6
    with pytest.raises(ConfigError, match="7 pictures from the first on, not 9"):
        packed(tmp_path, SUBJECT.seed, 9)
    assert packed(tmp_path, SUBJECT.seed) == 7
    subject = replace(SUBJECT, stored=tmp_path, seen=7, held_out=2)
    data = reading.renders(subject, tmp_path, subject.count, subject.seed)
    assert np.array_equal(data.images[:], stand_in(parameters_of(7, SUBJECT.seed)))
    assert packed(tmp_path, SUBJECT.seed, 3) == 3
    assert len(np.load(tmp_path / "sample-7-0.npy")) == 4, "fewer are wanted, and none is lost"


def test_packed_pictures_of_another_look_are_packed_again(tmp_path: Path) -> None:
    folder = render_set(tmp_path, 3, SUBJECT.seed, processes=1, render=stand_in)
    chunk = tmp_path / "sample-7-0.npy"
    np.save(chunk, np.zeros((3, 8, 8, 3), dtype=np.uint8))
    assert packed(tmp_path, SUBJECT.seed) == 3
    assert not np.load(chunk).any()
    recipe = folder / "recipe.json"
    recipe.write_text(recipe.read_text().replace('"seed"', '"look": 9, "seed"'))
    packed(tmp_path, SUBJECT.seed)
    assert np.load(chunk).any()
    recipe.write_text('{"seed": 7, "parameters": ["one"]}')
    with pytest.raises(ConfigError, match="other parameters"):
        packed(tmp_path, SUBJECT.seed)
    with pytest.raises(ConfigError, match="no data set"):
        packed(tmp_path / "nowhere", SUBJECT.seed)


def test_a_part_without_pictures_says_what_to_render(tmp_path: Path) -> None:
    trained = parts(tmp_path / "renders", None)
    assert list(trained) == ["probe", "generator", "mapping", "text", "targets"]
    for part in ("probe", "generator", "text", "targets"):
        with pytest.raises(ConfigError, match=r"lab/README\.md"):
            trained[part](tmp_path / "work", tmp_path / "out")


def test_a_kept_picture_is_drawn_once_and_is_that_of_its_parameters(tmp_path: Path) -> None:
    drawn: list[int] = []

    def render(parameters: Parameters) -> NDArray[np.uint8]:
        drawn.append(len(parameters))
        return stand_in(parameters)

    people = parameters_of(4, 1)
    twice = people[[0, 1, 1, 2]]
    draw = DrawnOnce(tmp_path, render)
    assert np.array_equal(draw(twice), stand_in(twice))
    assert drawn == [1, 1, 1]
    assert np.array_equal(DrawnOnce(tmp_path, render)(people), stand_in(people))
    assert drawn == [1, 1, 1, 1]
    changed = people.replace(smile=0.123)
    assert np.array_equal(draw(changed), stand_in(changed))
    assert len(drawn) == 8


def test_samples_are_what_was_held_out(tmp_path: Path) -> None:
    render_set(tmp_path, 6, SUBJECT.seed, processes=1, render=stand_in)
    values = {name: getattr(STORED, name) for name in STORED.__dataclass_fields__}
    stored = Stored(**{**values, "stored": tmp_path, "held_out": 2})
    images, parameters = stored.sample(2, 9001)
    assert parameters == parameters_of(2, SUBJECT.seed)
    assert np.array_equal(images, stand_in(parameters))
    assert len(stored.sample(100, 1)[0]) == 6


def test_truth_is_known_in_the_lab_and_not_in_the_package() -> None:
    assert isinstance(DOMAIN, KnownTruth)
    assert not isinstance(SHIPPED, KnownTruth)
    assert DOMAIN.attributes == SHIPPED.attributes
    assert EVALUATION.subject.side == 128


def test_targets_are_asked_at_the_size_that_they_read_and_the_card_says_of_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """People are 256 pixels wide, and targets were trained on 128."""
    sides: list[int] = []
    network = SmallCNN(1, width=2).eval()
    network.register_forward_pre_hook(lambda module, given: sides.append(given[0].shape[-1]))
    info = {"name": "people:beard", "labels": ["no beard", "a beard"], "outputs": ["beard"], "planted": None}
    info["untied_accuracy"] = 0.9
    monkeypatch.setattr("lab.evaluation.load_network", lambda path: (network, info))
    target, rows = as_target(network, info), {"beard": {"beard": 0.5, "hat": 0.01}}
    domain: Any = SimpleNamespace(weights=Path(), target=lambda name: target)
    evaluation = Evaluation(domain, STORED, 50)
    twins = torch.zeros(2, 3, 256, 256, 3, dtype=torch.uint8)
    monkeypatch.setattr(Evaluation, "twins", lambda self, count: tuple(twins))
    monkeypatch.setattr(Evaluation, "true_effects", lambda self: rows)
    figures = evaluation.target_quality(twins=3)
    assert set(sides) == {128}
    assert figures["beard"]["agreement"] == 1.0
    assert "over 50 people" in targets_section(figures, "people", "")


class Reading:
    """An encoder of two numbers that knows some words."""

    def check_words(self, prompts: tuple[str, ...]) -> None:
        if "unheard" in " ".join(prompts):
            raise TextEncoderError("it was never trained on 'unheard'")

    def embed_texts(self, prompts: tuple[str, ...]) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0], [-1.0, 0.0]])


def test_unseen_wordings_are_right_wrong_or_refused() -> None:
    embedded = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    margins = {"beard": np.array([0.5, -0.5], dtype=np.float32), "hat": np.array([-0.5, 0.5], dtype=np.float32)}
    unseen: dict[str, Any] = {"beard": (("yes", "no"), ("unheard", "no")), "hat": (("yes", "no"),)}
    figures = unseen_quality(Reading(), embedded, margins, unseen)  # type: ignore[arg-type]
    assert (figures["pairs"], figures["refused"], figures["mean_accuracy"], figures["least_0.8"]) == (3, 1, 0.5, 1)
    assert figures["attributes"]["beard"] == {"yes / no": 1.0, "unheard / no": "it was never trained on 'unheard'"}
    machine = {"packages": {}, "system": "Linux", "cores": 2, "cpu_features": [], "python": "3", "zoom_engine": "0"}
    row = {"accuracy": 0.99, "worst_template": 0.9}
    text = {"renders": 2, "seed": 1, "margin": 0.25, "attributes": {"beard": row}, "unseen": figures}
    card = model_card({"text": text, "environments": {"text": machine}}, None)
    assert "3 pairs of wordings written before training: 1 are refused" in card
    assert "| beard | unheard / no | it was never trained on 'unheard' |" in card
    assert "Not measured yet: generator." in card
