"""Power: a spiked target is what a search on it would have found, and the share of calls is what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, config_of, search_of, searches

from zoom_engine.audit.effects import effects
from zoom_engine.audit.evidence import standings
from zoom_engine.audit.power import SIZES, power, spiked
from zoom_engine.audit.summarise import summarise


@pytest.mark.parametrize("size", SIZES)
def test_a_spike_is_found_where_a_search_on_the_spiked_target_finds_it(size: float) -> None:
    for image in range(20):
        for column in range(3):
            plain = search_of(image, column, np.array([0.0, 0.2, -0.1]))
            effect = np.array([0.0, 0.2, -0.1])
            effect[column] += size
            (found,) = effects(config_of(), [plain])
            assert spiked(found, size) == pytest.approx(search_of(image, column, effect).change, abs=1e-9)


def test_what_has_no_scores_cannot_be_spiked() -> None:
    (found,) = effects(config_of(), [replace(search_of(0, 0, np.zeros(3)), scores=None)])
    assert spiked(found, 0.1) is None


def spikes_of(seed: int, images: int, effect: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Changes by 5 attributes and 3 random directions, and those with spikes of the sizes added."""
    random = np.random.default_rng(seed)
    changes = random.beta(0.4, 8, (images, 8)).clip(max=1.0)
    reach = random.uniform(0.6, 1.2, (images, 5))
    spikes = np.stack([np.maximum(changes[:, :5], size * reach) for size in (*SIZES, effect)])
    return changes[:, :5], changes[:, 5:], spikes


@pytest.mark.parametrize("images", [12, 24])
def test_power_is_the_share_of_audits_that_call_such_an_effect(images: int) -> None:
    said, called = [], []
    for seed in range(40):
        change, null, spikes = spikes_of(seed, images, 0.1)
        found = power(change, null, spikes[:3], 0.05, "holm", called=[False] * 5, audits=10)
        assert found is not None
        said.append(found["0.1"])
        change[:, 0] = spikes[3, :, 0]  # an audit of a target that has such an effect
        called.append(standings(change, null, 0.05, "holm")[0].called == "called")
    assert np.mean(said) == pytest.approx(np.mean(called), abs=0.12)


def test_power_grows_with_the_effect_and_leaves_out_what_is_called() -> None:
    change, null, spikes = spikes_of(1, 30, 0.1)
    found = power(change, null, spikes[:3], 0.05, "holm", called=[False] * 5)
    assert found is not None
    assert list(found) == ["0.05", "0.1", "0.2"]
    assert found["0.05"] <= found["0.1"] <= found["0.2"] == 1.0
    spikes[:3, :, 1:] = change[:, 1:]  # nothing is spiked but the first
    assert power(change, null, spikes[:3], 0.05, "holm", called=[False, True, True, True, True])["0.2"] == 1.0
    assert power(change, null, spikes[:3], 0.05, "holm", called=[True, False, True, True, True])["0.2"] < 0.2
    assert power(change, null, np.full((3, 30, 5), np.nan), 0.05, "holm", called=[False] * 5) is None


def test_all_attributes_are_spiked_where_all_are_called() -> None:
    change, null, spikes = spikes_of(2, 30, 0.1)
    every = power(change, null, spikes[:3], 0.05, "holm", called=[True] * 5)
    assert every == power(change, null, spikes[:3], 0.05, "holm", called=[False] * 5)


def test_a_summary_says_how_much_it_could_have_missed() -> None:
    own = searches(0.0, 0.0, 0.0, images=30, noise=0.01)
    null = [replace(one, attribute=None, null=j) for one in own if one.attribute == ATTRIBUTES[0] for j in range(2)]
    settings = config_of(null=2, images=30)
    summary = summarise(settings, [*own, *null])
    assert summary.power is not None
    assert summary.power["0.2"] == 1.0
    assert summarise(settings, [*own, *null[:-1]]).power is None  # not finished
    assert summarise(config_of(images=30), own).power is None
