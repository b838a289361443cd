"""The cars' recipes: what is planted, and all parts trained and measured in miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from miniature import measured_in_miniature, trained_in_miniature

from lab.benchmark import Benchmark
from lab.cars.model_card import model_card
from lab.cars.train import subject as cars
from lab.cars.unseen_words import UNSEEN
from lab.evaluation import Evaluation
from zoom_engine.domains.cars.attributes import TRUTH
from zoom_engine.domains.cars.domain import DOMAIN
from zoom_engine.domains.cars.geometry import KEY_POINTS
from zoom_engine.domains.cars.parameters import KINDS, SCHEME
from zoom_engine.targets import KeypointsTask


def test_what_is_planted_is_free_in_the_pool_and_asked_for_by_audits() -> None:
    planted = {recipe.planted for recipe in cars.RECIPES} - {None}
    assert planted == {"red", "street", "night"}
    assert planted <= set(cars.POOL.untied)
    assert planted <= {DOMAIN.subject.prompts[prompt] for prompt in DOMAIN.attributes}
    assert not {TRUTH.table[name].parameter for name in planted if name} & set(SCHEME.ties)
    labels = TRUTH.labels(cars.POOL.untie(cars.SUBJECT.parameters(3000, 1)))
    for name in planted:
        assert name
        share = [labels[name][labels["sports"] == sports].mean() for sports in (False, True)]
        assert 0.3 < share[0] < 0.6
        assert abs(share[0] - share[1]) < 0.06
    assert [recipe.labels for recipe in cars.RECIPES[:1]] == [("a family car", "a sports car")]


def test_kinds_are_those_of_the_largest_share() -> None:
    recipe, parameters = cars.TASKS[0], cars.SUBJECT.parameters(200, 2)
    told, labels = recipe.truth(parameters).numpy(), TRUTH.labels(parameters)
    assert all((told[labels[kind]] == index).all() for index, kind in enumerate(KINDS))


def test_careless_annotators_mark_wheels_too_high_where_there_is_snow() -> None:
    parameters = cars.SUBJECT.parameters(24, 3)
    sound, weak = cars.TASKS[1], cars.TASKS[2]
    truth = sound.truth(parameters)
    moved = (weak.told(weak.truth(parameters), parameters) - truth).view(-1, len(KEY_POINTS), 2)
    snowy = torch.from_numpy(TRUTH.labels(parameters)["snow"])
    assert snowy.any()
    assert not moved[~snowy].any()
    assert not moved[:, 2:].any()
    assert not moved[:, :, 0].any()
    assert (moved[snowy][:, :2, 1] < -0.03).all()
    task = sound.task
    assert isinstance(task, KeypointsTask)
    assert task.between is not None
    assert [task.points[index] for index in task.between] == ["front wheel", "rear wheel"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """All parts, trained for a step or two on a few pictures."""
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("weights")
    encoder = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
        "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
    }
    return trained_in_miniature(cars, DOMAIN, work, out, cars.RECIPES[::2], text_encoder=encoder)


@pytest.mark.ci
def test_all_parts_are_trained_and_measured_end_to_end(
    trained: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = trained.domain
    assert domain.classifier_names() == ("sports", "sports-biased-street")
    assert set(domain.target_names()) - set(domain.classifier_names()) == {"keypoints", "keypoints-weak-snow", "type"}
    assert domain.planted("sports-biased-street") == "a car on a street"
    quality = measured_in_miniature(trained, cars, UNSEEN, {"keypoints": "in the wheels'"}, monkeypatch)
    unseen = quality["text"]["unseen"]
    assert unseen["refused"] == unseen["pairs"] == 3 * len(TRUTH.attributes)
    assert quality["tasks"]["keypoints"]["split_by"] == quality["tasks"]["keypoints-weak-snow"]["planted"] == "snow"
    benchmark = Benchmark(trained)

    def audit(self: Benchmark, seed: int, images: int, *, options: Any) -> dict[str, Any]:
        """Take an audit's place: of this text encoder, which saw one batch, it would refuse the directions."""
        bars = {name: 0.01 * index for index, name in enumerate(self.attributes)}
        rows = {name: bars | ({t.planted: 0.3} if t.planted in bars else {}) for name, t in self.targets.items()}
        return {"seed": seed, "sensitivity": rows, "paper": rows, "flip_rate": rows, "kept": {"sports": [4, 4]}}

    monkeypatch.setattr(Benchmark, "audit_all", audit)
    assert benchmark.targets["sports-biased-street"].twin == "sports"
    assert benchmark.targets["keypoints-weak-snow"].twin == "keypoints"
    card = model_card(quality, benchmark.run([100, 101], 2, folder=tmp_path))
    assert "| cars:sports-biased-street | street |" in card
    assert "57 pairs of wordings written before training: all are refused, for words that were never read." in card
    assert "| cars:keypoints-weak-snow | keypoints | snow |" in card
    assert "Not measured yet: edits." in card
    assert "| sports-biased-street | 2/2 | 0/2 | 2/2 |" in card
    assert "2 of the ten seeds have been run so far" in card


@pytest.mark.ci  # those of places are of the same code
def test_true_effects_are_measured_on_renders(trained: Evaluation) -> None:
    effects = trained.domain.true_effects(
        {"sports": trained.domain.target("sports")}, ("a red car", "a car with red paint"), count=2
    )
    assert list(effects["sports"]) == ["a car with red paint"]
    assert effects["sports"]["a car with red paint"] >= 0.0
