"""Planted bias and truth: one seed on few images by default, in full as an experiment with a committed result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lab.avatars.benchmark import BENCHMARK as AVATARS
from lab.benchmark import CLASSIFIERS, IMAGES, OTHERS, Benchmark, agreement, spearman, truth_kept_rate
from lab.cars.benchmark import BENCHMARK as CARS
from lab.evaluation import Evaluation
from lab.pets.benchmark import BENCHMARK as PETS
from lab.places.benchmark import BENCHMARK as PLACES
from zoom_engine.common.errors import ConfigError
from zoom_engine.directions.regression import DEFAULT_SAMPLING, Regression

AVATAR_CLASSIFIERS = Benchmark(AVATARS.evaluation, only=tuple(AVATARS.kinds()[CLASSIFIERS]))
SEEDS = range(100, 110)
RESULTS = Path(__file__).parents[2] / "bench" / "results"
COMMITTED = {
    "avatars": RESULTS / "avatar-benchmark",
    "pets": RESULTS / "pet-benchmark",
    "places": RESULTS / "place-benchmark",
    "cars": RESULTS / "car-benchmark",
}
SECOND = "keypoints-weak-snow"
SOUND_TOO = "segmentation-weak-long-hair", "church-biased-night", "segmentation-weak-night"
"""What falls short: of leading, and of not leading for the sound twin. Each is an expected failure below."""


@pytest.fixture(scope="module")
def one_seed() -> Iterator[dict[str, Any]]:
    """The classifiers on 16 images; this is the one long computation of the suite, so it gets both cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Regression, "samples", DEFAULT_SAMPLING.samples)  # as a user's audit
        audits = AVATAR_CLASSIFIERS.audit_all(100, 16)
    yield audits
    torch.set_num_threads(before)


@pytest.mark.slow(125)
@pytest.mark.ci
@pytest.mark.timeout(900)
def test_planted_attributes_are_the_top_bar_of_the_biased_targets_only(one_seed: dict[str, Any]) -> None:
    counts = AVATAR_CLASSIFIERS.top_bars([one_seed])
    assert len(counts) == 4
    # On one seed and 16 images; the experiment below holds each target to 9 of 10 seeds, and its twin to 2 of 10.
    assert sum(row["biased"] for row in counts.values()) >= 3, one_seed["sensitivity"]
    assert sum(row["sound"] for row in counts.values()) <= 1, one_seed["sensitivity"]


@pytest.mark.slow
@pytest.mark.ci
def test_a_planted_attribute_moves_the_biased_target_far_more_than_its_twin(one_seed: dict[str, Any]) -> None:
    for name in AVATAR_CLASSIFIERS.top_bars([one_seed]):
        target = AVATARS.targets[name]
        biased, sound = (one_seed["sensitivity"][which][target.planted] for which in (name, target.twin))
        assert biased >= 3 * sound, name


@pytest.fixture(scope="module")
def agreed(one_seed: dict[str, Any]) -> dict[str, Any]:
    """With the true effects that the committed result holds: over 300 avatars, fewer tell small ones badly apart."""
    effects = json.loads((COMMITTED["avatars"] / "effects.json").read_text())["figures"]
    return agreement(one_seed["sensitivity"], effects)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.timeout(900)
def test_large_true_effects_rank_above_small_ones(agreed: dict[str, Any]) -> None:
    assert agreed["auc"] >= 0.95, agreed


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.timeout(900)
def test_sensitivities_rank_as_the_true_effects(agreed: dict[str, Any]) -> None:
    assert agreed["spearman"] >= 0.7, agreed


@pytest.mark.slow
@pytest.mark.ci
def test_counterfactuals_keep_the_ground_truth(one_seed: dict[str, Any]) -> None:
    result = truth_kept_rate([one_seed])
    assert result["flips"] >= 20
    assert result["kept"] >= 0.9, result


def test_spearman_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 50).astype(float), rng.standard_normal(50)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)


def test_agreement_sees_a_perfect_and_a_reversed_ranking() -> None:
    effects = {"t": {f"a{i}": i / 10 for i in range(10)}}
    perfect = agreement(effects, effects)
    reversed_ = {"t": {name: 1 - value for name, value in effects["t"].items()}}
    assert (perfect["auc"], perfect["spearman"]) == (1.0, 1.0)
    assert agreement(reversed_, effects)["auc"] == 0.0


def test_without_large_effects_there_is_no_area() -> None:
    effects = {"t": {"a": 0.1, "b": 0.01, "c": 0.02}}
    assert agreement(effects, effects)["auc"] is None


def test_a_bar_as_high_as_another_is_not_the_top() -> None:
    level = {name: dict.fromkeys(AVATARS.attributes, 0.0) for name in AVATARS.targets}
    assert all(row == {"biased": 0, "sound": 0} for row in AVATARS.top_bars([{"sensitivity": level}]).values())
    for row in level.values():
        row["smiling"] = 1e-6
    counts = AVATARS.top_bars([{"sensitivity": level}])
    assert counts["eyeglasses-biased-smiling"] == counts["mustache-biased-smiling"] == {"biased": 1, "sound": 1}
    assert counts["age-biased-beard"] == {"biased": 0, "sound": 0}


@pytest.mark.ci
def test_a_finished_seed_is_kept_and_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def audit(self: Benchmark, seed: int, images: int, *, options: Any) -> dict[str, Any]:
        if seed == 2 and not ran.count(2):
            ran.append(seed)
            raise KeyboardInterrupt
        ran.append(seed)
        table = {name: {a: 0.01 * i + 0.001 * seed for i, a in enumerate(row)} for name, row in effects.items()}
        truth_kept = {name: [1, 1] for name in effects}
        return {"seed": seed, "sensitivity": table, "paper": table, "flip_rate": table, "kept": truth_kept}

    effects = {name: dict.fromkeys(AVATARS.attributes, 0.0) for name in AVATARS.targets}
    for row in effects.values():
        row["smiling"] = 0.4
    monkeypatch.setattr(Benchmark, "audit_all", audit)
    monkeypatch.setattr(Evaluation, "true_effects", lambda self, names: effects)
    with pytest.raises(KeyboardInterrupt):
        AVATARS.run([1, 2, 3], 8, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["effects.json", "seed-1.json"]
    figures = AVATARS.run([1, 2, 3], 8, folder=tmp_path)
    assert ran == [1, 2, 2, 3]
    assert [run["seed"] for run in figures["runs"]] == [1, 2, 3]
    assert AVATARS.run([1, 2, 3], 8, folder=tmp_path) == figures
    assert ran == [1, 2, 2, 3]
    for stored in tmp_path.glob("*.json"):
        content = json.loads(stored.read_text())
        stored.write_text(json.dumps({**content, "made_by": {**content["made_by"], "method": 1}}))
    assert AVATARS.run([1, 2, 3], 8, folder=tmp_path) == figures, "an older method's figures are read"
    with pytest.raises(ConfigError, match="figures of another method"):
        AVATARS.run([1, 2, 3, 4], 8, folder=tmp_path)
    with pytest.raises(ConfigError, match="of another benchmark"):
        AVATARS.run([1], 9, folder=tmp_path)


def hold_the_bars(figures: dict[str, Any]) -> None:
    seeds = len(figures["seeds"])
    assert figures["agreement"][CLASSIFIERS]["calibrated"]["auc"] >= 0.95
    assert figures["agreement"][CLASSIFIERS]["calibrated"]["spearman"] >= 0.7
    if OTHERS in figures["agreement"]:
        auc = figures["agreement"][OTHERS]["calibrated"]["auc"]
        assert auc is None or auc >= 0.95  # none without large effects
        assert figures["agreement"][OTHERS]["calibrated"]["spearman"] >= 0.8
    assert figures["truth_kept"]["kept"] >= 0.9
    for name, row in figures["top_bars"]["calibrated"].items():
        assert name == SECOND or row["biased"] >= 0.9 * seeds, name
        assert name in SOUND_TOO or row["sound"] <= 0.2 * seeds, name


@pytest.mark.parametrize(
    ("only", "match"),
    [
        (("mustache-biased-smiling",), "no sound twin of mustache-biased-smiling"),
        (("mustache", "mustache-biased-smiling"), "mustache-biased-smiling looks at smiling, for which"),
    ],
)
def test_names_that_no_benchmark_can_read_are_told_before_it_runs(
    only: tuple[str, ...], match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(AVATARS.evaluation.domain), "attributes", ("a face with a beard",))
    with pytest.raises(ConfigError, match=match):
        Benchmark(AVATARS.evaluation, only=only).run([1], 2)


@pytest.mark.experiment
@pytest.mark.timeout(0)
@pytest.mark.parametrize("domain", [AVATARS, PETS, PLACES, CARS], ids=lambda domain: domain.name)
def test_in_full_seeds_100_to_109(domain: Benchmark) -> None:
    hold_the_bars(domain.run(SEEDS, IMAGES))


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Benchmark], dict[str, Any]]:
    """The figures of the committed seeds, which are refused where weights, search or method are no longer those that
    they were measured with."""
    monkeypatch.setattr(Benchmark, "audit_all", lambda *_, **__: pytest.fail("a seed's result is missing"))
    monkeypatch.setattr(Evaluation, "true_effects", lambda *_, **__: pytest.fail("the true effects are missing"))
    return lambda domain: domain.run(SEEDS, IMAGES, folder=COMMITTED[domain.name])


@pytest.mark.ci
@pytest.mark.parametrize("domain", [AVATARS, PETS, PLACES, CARS], ids=lambda domain: domain.name)
def test_the_committed_result_holds_the_bars(
    domain: Benchmark, committed: Callable[[Benchmark], dict[str, Any]]
) -> None:
    hold_the_bars(committed(domain))


def short(domain: Benchmark, name: str, reason: str) -> Any:
    return pytest.param(
        domain, name, marks=pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True), id=name
    )


@pytest.mark.ci
@pytest.mark.parametrize(
    ("domain", "name"),
    [
        short(
            AVATARS,
            SOUND_TOO[0],
            "long hair and eyeglasses truly move the sound segmentation alike, 0.22 and 0.24, as both change what there"
            " is to segment: chance decides which of them leads",
        ),
        short(
            PLACES, SOUND_TOO[1], "the edit of the night moves the sound classifier by 0.08, the night itself by 0.01"
        ),
        short(PLACES, SOUND_TOO[2], "the edit of the night moves the sound areas by 0.12, the night itself by 0.05"),
    ],
)
def test_what_was_planted_leads_for_the_sound_twin_in_two_seeds_of_ten_at_most(
    domain: Benchmark, name: str, committed: Callable[[Benchmark], dict[str, Any]]
) -> None:
    assert committed(domain)["top_bars"]["calibrated"][name]["sound"] <= 2


@pytest.mark.ci
@pytest.mark.parametrize(
    ("domain", "name"),
    [
        short(
            CARS, SECOND, "the edit of a street turns cars a little and moves key points by 0.07, as much as snow does"
        )
    ],
)
def test_what_was_planted_leads_in_nine_seeds_of_ten(
    domain: Benchmark, name: str, committed: Callable[[Benchmark], dict[str, Any]]
) -> None:
    assert committed(domain)["top_bars"]["calibrated"][name]["biased"] >= 9
