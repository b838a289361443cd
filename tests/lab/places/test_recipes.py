"""The places' recipes: what is planted, and all parts trained and measured in miniature."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import measured_in_miniature, trained_in_miniature
from registered import register

from lab.benchmark import Benchmark
from lab.evaluation import Evaluation
from lab.places.model_card import model_card
from lab.places.train import subject as recipe_book
from lab.places.unseen_words import UNSEEN
from lab.task_quality import task_quality
from lab.training import domain as recipes
from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError
from zoom_engine.directions.regression import Regression
from zoom_engine.domains.contract import check_domain
from zoom_engine.domains.outdoors import SKY
from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.domain import DOMAIN
from zoom_engine.domains.places.geometry import BUILDING
from zoom_engine.domains.places.parameters import KINDS, SCHEME
from zoom_engine.domains.places.renderer import masks


def test_what_is_planted_is_free_in_the_pool_and_asked_for_by_audits() -> None:
    planted = {recipe.planted for recipe in recipe_book.RECIPES if recipe.planted}
    assert planted == {"snow", "trees", "night"}
    assert planted <= set(recipe_book.POOL.untied)
    assert planted <= {DOMAIN.subject.prompts[prompt] for prompt in DOMAIN.attributes}
    assert not {TRUTH.table[name].parameter for name in planted} & set(SCHEME.ties)
    labels = TRUTH.labels(recipe_book.POOL.untie(recipe_book.SUBJECT.parameters(3000, 1)))
    for name in planted:
        share = [labels[name][labels["church"] == church].mean() for church in (False, True)]
        assert 0.4 < share[0] < 0.6
        assert abs(share[0] - share[1]) < 0.06
    assert recipe_book.RECIPES[0].labels == ("a building that is no church", "a church")


def test_kinds_are_those_of_the_largest_share() -> None:
    recipe, parameters = recipe_book.TASKS[0], recipe_book.SUBJECT.parameters(200, 2)
    told, labels = recipe.truth(parameters).numpy(), TRUTH.labels(parameters)
    assert all((told[labels[kind]] == index).all() for index, kind in enumerate(KINDS))


def test_careless_annotators_see_no_building_at_night() -> None:
    parameters = recipe_book.SUBJECT.parameters(12, 3)
    weak, true = recipe_book.TASKS[2], masks(parameters)
    told = weak.told(weak.truth(parameters), parameters).numpy()
    night = TRUTH.labels(parameters)["night"]
    assert 0 < night.sum() < 12
    assert np.array_equal(told[~night], true[~night])
    assert np.array_equal(told[night], np.where(true[night] == BUILDING, SKY, true[night]))


def test_the_shared_parts_train_the_recipes_of_a_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: dict[str, Any] = {}
    for part in ("probe", "generator", "text", "targets", "tasks"):
        monkeypatch.setattr(recipes, f"train_{part}", lambda *given, part=part, **_: called.update({part: given}))
    for train in recipes.parts_of(
        recipe_book.POOL, recipe_book.PHASES, recipe_book.RECIPES, recipe_book.TASKS
    ).values():
        train(tmp_path, tmp_path)
    assert list(called) == ["probe", "generator", "text", "targets", "tasks"]
    assert called["generator"] == (recipe_book.SUBJECT, recipe_book.PHASES, tmp_path, tmp_path)
    assert called["targets"][:2] == (recipe_book.POOL, recipe_book.RECIPES)
    assert called["tasks"][:2] == (recipe_book.POOL, recipe_book.TASKS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """All parts, trained for a step or two on a few pictures."""
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("weights")
    return trained_in_miniature(recipe_book, DOMAIN, work, out, recipe_book.RECIPES)


@pytest.mark.ci
def test_all_parts_are_trained_and_measured_end_to_end(trained: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = trained.domain
    assert domain.classifier_names() == ("church", "church-biased-night", "church-biased-snow", "church-biased-trees")
    others = set(domain.target_names()) - set(domain.classifier_names())
    assert others == {"kind", "segmentation", "segmentation-weak-night"}
    assert domain.planted("church-biased-snow") == "a building in the snow"
    quality = measured_in_miniature(trained, recipe_book, UNSEEN, {}, monkeypatch)
    unseen = quality["text"]["unseen"]
    assert unseen["refused"] == unseen["pairs"] == 3 * len(TRUTH.attributes)
    with pytest.raises(ConfigError, match="no recipe of 'church'; choose from kind, segmentation"):
        task_quality(trained, recipe_book.TASKS, {}, ("church",))
    assert quality["tasks"]["segmentation"]["split_by"] == "night"
    assert quality["tasks"]["segmentation-weak-night"]["planted"] == "night"
    benchmark = Benchmark(trained)
    assert benchmark.targets["church-biased-snow"].twin == benchmark.targets["church-biased-night"].twin == "church"
    assert benchmark.targets["segmentation-weak-night"].twin == "segmentation"
    assert "`python -m lab.places.benchmark`) have not been run" in model_card(quality, None)
    small = replace(domain, name="small")
    register(monkeypatch, registry.DOMAINS, **{small.name: small})
    monkeypatch.setattr(Regression, "samples", 64)
    few = Benchmark(replace(trained, domain=small), only=("church", "church-biased-snow"))
    audited = few.run([100], 2, options={"edit_range": "paper", "level": 1.0})  # untrained words are refused below 1
    assert set(audited["runs"][0]["sensitivity"]["church-biased-snow"]) == set(few.attributes)
    assert audited["agreement"]["classifiers"]["calibrated"]["pairs"] == 2 * len(few.attributes)
    card = model_card(quality, audited)
    assert "| church-biased-snow |" in card
    assert "| places:church-biased-trees | trees |" in card
    assert "63 pairs of wordings written before training: all are refused, for words that were never read." in card
    assert "| places:segmentation-weak-night | segmentation | night |" in card
    assert "Not measured yet: edits." in card


@pytest.mark.ci
def test_check_domain_says_what_is_missing(trained: Evaluation, tmp_path: Path) -> None:
    """As docs/how-to/make-a-domain.md tells it."""
    for part, missing in (
        (None, r"generator\(\) holds its own contract, but it fails: cannot read .*generator.safetensors"),
        ("generator.safetensors", r"text_encoder\(\) gives a TextEncoder, but it fails"),
    ):
        if part is not None:
            shutil.copy(trained.domain.weights / part, tmp_path / part)
        with pytest.raises(ConfigError, match=missing):
            check_domain(replace(trained.domain, weights=tmp_path))
    with pytest.raises(ConfigError, match=r"the text encoder reads the prompts, but it fails: .*bridge"):
        check_domain(replace(trained.domain, attributes=("a building with a bridge",)))
    check_domain(trained.domain)


@pytest.mark.ci
def test_true_effects_are_measured_on_renders(trained: Evaluation) -> None:
    effects = trained.domain.true_effects(
        {"church": trained.domain.target("church")}, ("a tall building", "a building in the snow"), count=2
    )
    assert list(effects["church"]) == ["a building in the snow"]
    assert effects["church"]["a building in the snow"] >= 0.0
