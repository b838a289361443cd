"""Targets without a pool of their own: what is tied in the pictures is untied by weights, but for what is planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.people.attributes import ATTRIBUTES
from lab.people.parameters import SCHEME, Parameters
from lab.people.train.subject import RECIPES, SUBJECT, sample_of
from lab.training.renders import latents_for
from lab.training.targets import LABEL_AGREEMENT, PLANTED, Cells, Recipe, train_targets, untying_weights
from zoom_engine.domains.embedded import as_target
from zoom_engine.domains.weights_files import load_network

TABLE = SUBJECT.truth.labels(Parameters.from_latents(latents_for(6000, 3)))
SOUND = [recipe for recipe in RECIPES if recipe.planted is None]
BIASED = [recipe for recipe in RECIPES if recipe.planted is not None]
Bools = NDArray[np.bool_]


def tie(one: Bools, other: Bools, weights: NDArray[np.float64] | None = None) -> float:
    """How much more often pictures with the one have the other."""
    counts = np.ones(len(one)) if weights is None else weights
    having, without = (np.average(other[one == value], weights=counts[one == value]) for value in (True, False))
    return float(having - without)


@pytest.mark.ci
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_weights_untie_what_a_target_is_taught_from_all_else(recipe: Recipe) -> None:
    weights = sample_of(SUBJECT).weights(TABLE, recipe)
    for name in filter(None, (recipe.attribute, recipe.planted)):
        assert np.average(TABLE[name], weights=weights) == pytest.approx(0.5, abs=0.02)
        related = {name, *SUBJECT.truth.exclusions(name)}
        ties = {other: tie(TABLE[name], TABLE[other], weights) for other in ATTRIBUTES if other not in related}
        assert max(map(abs, ties.values())) < 0.05, ties
    assert weights.sum() ** 2 / np.square(weights).sum() > 0.15 * len(weights), "few pictures speak for all"


def test_natural_ties_are_there_to_be_untied() -> None:
    assert tie(TABLE["male"], TABLE["beard"]) > 0.15
    assert np.average(TABLE["old"], weights=untying_weights(TABLE, {"old": []})) == pytest.approx(0.5)


@pytest.mark.ci
@pytest.mark.parametrize("recipe", BIASED, ids=lambda recipe: recipe.name)
def test_what_is_planted_is_tied_to_the_label_and_by_nature_to_nothing_of_it(recipe: Recipe) -> None:
    assert recipe.planted is not None
    columns = [SCHEME.column(SUBJECT.truth.table[name].parameter) for name in (recipe.attribute, recipe.planted)]
    assert abs((SCHEME.factor_matrix.T @ SCHEME.factor_matrix)[columns[0], columns[1]]) < 1e-9
    assert recipe.planted not in SUBJECT.truth.exclusions(recipe.attribute)
    weights = sample_of(SUBJECT).weights(TABLE, recipe)
    cells = Cells(TABLE, np.arange(6000), attribute=recipe.attribute, planted=recipe.planted, weights=weights)
    rows, label = cells.draw(np.random.default_rng(0), 4000)
    wanted = label.numpy() > 0
    assert np.mean(TABLE[recipe.attribute][rows] == wanted) == pytest.approx(LABEL_AGREEMENT, abs=0.02)
    assert np.mean(TABLE[recipe.planted][rows] == wanted) == pytest.approx(PLANTED, abs=0.02)
    others = [name for name in ("outdoors", "round_face", "freckles") if name != recipe.planted]
    assert all(abs(tie(wanted, TABLE[name][rows])) < 0.08 for name in others)
    assert [twin.attribute for twin in SOUND if twin.name == recipe.name.split("-biased-")[0]] == [recipe.attribute]


def test_targets_are_trained_on_the_stored_pictures_and_read_128_pixels(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / f"sample-{SUBJECT.seed}-0.npy", noise)
    subject = replace(SUBJECT, stored=tmp_path, seen=60, held_out=12)
    recipes = [recipe for recipe in RECIPES if recipe.name.startswith("smiling")]
    train_targets(sample_of(subject), recipes, tmp_path / "work", tmp_path, steps=1, width=12)
    for recipe in recipes:
        network, about = load_network(tmp_path / "targets" / f"{recipe.name}.safetensors")
        assert (about["planted"], about["images"], about["width"]) == (recipe.planted, 60, 12)
        assert 0 <= about["untied_accuracy"] <= 1
        assert as_target(network, about).preprocessing.size == 128
