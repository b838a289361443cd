"""What the records add up to: every figure of the summary against a literal computation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, LABELS, manifest, searches, single
from scipy import stats
from simulated import simulated_edits

from zoom_engine.audit.records import NOT_EDITED, Point, Record
from zoom_engine.audit.summary import Sensitivity
from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.betting import mean_intervals
from zoom_engine.statistics.diagnosis import Diagnosis


@pytest.fixture
def diagnosis() -> Diagnosis:
    return Diagnosis(manifest(), tuple(single(i, c) for c in (2, 0, 1) for i in reversed(range(40))))


def test_rows_are_means_over_images_sorted_by_mean_change(diagnosis: Diagnosis) -> None:
    rows = diagnosis.sensitivity
    assert [row.mean_change for row in rows] == sorted((row.mean_change for row in rows), reverse=True)
    assert rows[0].attribute.text == ATTRIBUTES[1]
    total = sum(row.mean_change for row in rows)
    for row in rows:
        records = diagnosis.of(row.attribute)
        column = ATTRIBUTES.index(row.attribute.text)
        flips = [r for r in records if r.flipped]
        assert row.mean_change == pytest.approx(np.mean([r.change for r in records]))
        assert row.share == pytest.approx(row.mean_change / total)
        assert row.flip_rate == len(flips) / 40
        assert row.decisive_flip_rate == sum(r.decisive for r in records) / 40
        assert row.label_kept == pytest.approx(np.mean([r.label_kept for r in records]))
        assert row.ssim == pytest.approx(np.mean([r.ssim for r in flips]))
        assert row.mean_abs_weight == pytest.approx(np.mean([abs(r.edit_weights[column]) for r in records]))
        assert row.paper.mean_change == pytest.approx(np.mean([r.paper.change for r in records]))
        assert row.paper.flip_rate == np.mean([r.paper.flipped for r in records])
        assert row.paper.decisive_flip_rate == np.mean([r.paper.decisive for r in records])
        low, high = row.ci95
        standard_error = np.std([r.change for r in records]) / np.sqrt(40)
        assert low < row.mean_change - 1.5 * standard_error
        assert row.mean_change + 1.5 * standard_error < high < row.mean_change + 6 / 40
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert sum(row.paper.share for row in rows) == pytest.approx(1)
    assert sum(row.first for row in rows) == pytest.approx(1)
    assert rows[0].first > 0.99


def test_totals(diagnosis: Diagnosis) -> None:
    summary = diagnosis.summary()
    flips = [r for r in diagnosis.records if r.flipped]
    assert summary.mode == "single"
    assert summary.search == "scan"
    assert (summary.images, summary.trials) == (40, 120)
    assert summary.flip_rate == len({r.image for r in flips}) / 40
    assert summary.decisive_flip_rate == len({r.image for r in flips if r.decisive}) / 40
    assert summary.decisive_flip_rate < summary.flip_rate
    assert summary.natural is None
    assert summary.ssim == pytest.approx(np.mean([r.ssim for r in flips]))
    assert summary.label_kept == pytest.approx(np.mean([r.label_kept for r in diagnosis.records]))


def test_the_summary_depends_on_records_and_seed_alone(diagnosis: Diagnosis) -> None:
    shuffled = Diagnosis(manifest(), diagnosis.records[::-1])
    assert shuffled.records == diagnosis.records
    assert shuffled.summary() == diagnosis.summary()
    assert diagnosis.summary(seed=1) != diagnosis.summary()


def test_without_labels_and_without_flips_there_are_nulls_not_nan() -> None:
    records = [replace(single(i, c, labels=False), flipped=False, paper=None) for i in range(3) for c in range(3)]
    summary = Diagnosis(manifest(), tuple(records)).summary()
    assert summary.label_kept is None
    assert summary.ssim is None
    assert all(row.ssim is None and row.label_kept is None for row in summary.sensitivity)
    assert all(row.paper is None for row in summary.sensitivity)
    json.dumps(summary.to_json(), allow_nan=False)


def test_few_images_and_missing_units_are_strict_json_too() -> None:
    for records in ((), (single(0, 0),), (single(0, 0), single(1, 0), single(1, 2))):
        summary = Diagnosis(manifest(), records).summary()
        json.dumps(summary.to_json(), allow_nan=False)
        assert len(summary.sensitivity) == 3
        for row in summary.sensitivity:
            known = sum(record.attribute == row.attribute.text for record in records)
            assert (row.mean_change is None) == (known == 0)
            assert (row.ci95 is None) == (known < 2)


def test_a_target_that_never_moves_has_shares_of_zero() -> None:
    still = {"change": 0.0, "flipped": False, "decisive": False, "paper": None}
    records = tuple(replace(single(i, c), **still) for i in range(4) for c in range(3))
    rows = Diagnosis(manifest(), records).sensitivity
    assert [row.share for row in rows] == [0, 0, 0]
    assert all(row.ci95[0] == 0 and 0.5 < row.ci95[1] < 0.85 for row in rows)  # of four images


def test_multi_mode_compares_edit_weights_in_units_of_each_attributes_own_range() -> None:
    weights = np.random.default_rng(0).normal(size=(30, 3)).clip(-2, 2) * [1, 0.2, 5]
    weights[:10, 0] = 0.0
    records = tuple(
        replace(
            single(i, 0),
            attribute=None,
            edit_weights=tuple(weights[i].tolist()),
            paper=None,
            natural=i % 3 > 0,
            change=0.2,
            flipped=i % 4 > 0,
            decisive=i % 4 > 1,
        )
        for i in range(30)
    )
    # Raw, the last attribute moves most; of its own range the second does.
    ranges = {"edit_range": "calibrated", "calibrated_range": [[-4, 8], [-0.4, 0.5], [-30, 20]]}
    low, high = np.abs(ranges["calibrated_range"]).T
    shares = np.abs(weights) / np.where(weights < 0, low, high)
    audit = Diagnosis(manifest("multi", **ranges), records)
    rows = audit.sensitivity
    flips = np.array([audit.is_decisive(record) for record in records])
    assert 2 <= flips.sum() == audit.summary().decisive_images < 30
    shares[~flips] = np.nan  # an edit that does not flip says nothing of the model
    means, raw = np.nanmean(shares, axis=0), np.abs(weights[flips]).mean(0)
    assert (means.argmax(), raw.argmax()) == (1, 2)
    assert [row.attribute.text for row in rows] == [ATTRIBUTES[i] for i in np.argsort(-means)]
    for row in rows:
        column = ATTRIBUTES.index(row.attribute.text)
        assert row.mean_change is None
        assert row.ci95 is None
        assert row.range_share == pytest.approx(means[column])
        assert row.share == pytest.approx(means[column] / means.sum())
        assert row.range_share_ci95[0] < row.range_share < row.range_share_ci95[1]
        assert row.mean_abs_weight == pytest.approx(raw[column])
    used = [record.flipped for record in records[10:]]
    first = next(row for row in rows if row.attribute.text == ATTRIBUTES[0])
    assert first.flip_rate == pytest.approx(np.mean(used))
    assert audit.summary().natural == pytest.approx(2 / 3)
    assert "33 % of the edits go beyond what the generator draws" in " ".join(audit.table().split())
    # Within the paper's range all attributes have the same one.
    of_paper = Diagnosis(manifest("multi"), records).sensitivity
    assert [row.attribute.text for row in of_paper] == [ATTRIBUTES[i] for i in np.argsort(-raw)]
    assert Diagnosis(manifest("multi"), ()).summary().sensitivity[0].share == 0


def test_where_nothing_flips_decisively_no_attribute_of_several_has_a_share() -> None:
    """Eleven of twelve edits that did not flip named the attribute that the search had moved furthest in vain."""
    far = replace(single(0, 0), attribute=None, paper=None, flipped=False, decisive=False, edit_weights=(0.0, 9.0, 0.0))
    flip = replace(far, image=11, flipped=True, decisive=True, change=0.6, edit_weights=(3.0, 0.0, 0.0))
    in_vain = tuple(replace(far, image=image) for image in range(11))
    assert [row.value for row in Diagnosis(manifest("multi"), in_vain).sensitivity] == [None] * 3
    first, *others = Diagnosis(manifest("multi"), (*in_vain, flip)).sensitivity
    assert (first.attribute.text, first.value, first.interval) == (ATTRIBUTES[0], 0.1, None)
    assert [row.value for row in others] == [0.0, 0.0]


def test_random_directions_on_the_first_images_are_enough_where_no_more_were_asked_for() -> None:
    records = searches(0.0, 0.4, 0.0, noise=0.002)
    baseline = [
        replace(record, attribute=None, baseline=0, edit_weights=(1.0,), bounds=None, change=0.01)
        for record in records
        if record.attribute == ATTRIBUTES[0] and record.image < 20
    ]
    asked = {"random_directions": 1, "images": 40, "labels": LABELS}
    audit = Diagnosis(manifest(**asked, random_images=20), (*records, *baseline))
    verdicts = {row.attribute.text: row.verdict for row in audit.sensitivity}
    assert verdicts[ATTRIBUTES[1]] == "sensitive"
    assert audit.summary().power is not None
    assert all(row.p_value is not None for row in audit.sensitivity)
    unfinished = Diagnosis(manifest(**asked), (*records, *baseline))
    assert {row.verdict for row in unfinished.sensitivity} == {"inconclusive"}


def test_prompts_that_name_nothing_stand_beside_random_directions_and_are_none_of_them() -> None:
    prompts = ["the face of the picture", "the face and the face"]
    records = searches(0.0, 0.4, 0.0, noise=0.002)
    plain = [record for record in records if record.attribute == ATTRIBUTES[0]]

    def moved(record: Record, number: int, change: float) -> Record:
        return replace(
            record, attribute=None, baseline=number, edit_weights=(1.0, 0.0, 0.0), bounds=None, change=change
        )

    random = [moved(record, 0, 0.01) for record in plain]
    along = [moved(record, 1 + record.image // 2 % 2, 0.1 + 0.2 * (record.image // 2 % 2)) for record in plain[::2]]
    asked = {
        "random_directions": 1,
        "images": 40,
        "labels": LABELS,
        "control_prompts": {"prompts": prompts, "every": 2},
    }
    audit = Diagnosis(manifest(**asked), (*records, *random, *along))
    summary = audit.summary()
    assert audit.missing == 0
    assert summary.control_prompts is not None
    assert summary.control_prompts.prompts == pytest.approx({prompts[0]: 0.1, prompts[1]: 0.3})
    assert (summary.control_prompts.images, summary.control_prompts.most) == (20, pytest.approx(0.3))
    assert summary.control_prompts.mean_change == pytest.approx(0.2)
    assert summary.control_prompts.ci95 is not None
    assert summary.control_prompts.ci95[0] < 0.2 < summary.control_prompts.ci95[1]
    assert summary.baseline is not None
    assert summary.baseline.strongest == pytest.approx(0.01)
    assert summary.to_json()["control_prompts"]["prompts"][prompts[1]] == pytest.approx(0.3)
    assert "control prompts: 0.200 on average, the strongest 0.300" in audit.table()
    without = Diagnosis(
        manifest(**{**asked, "control_prompts": None}), (*records, *(replace(r, edit_weights=(1.0,)) for r in random))
    )
    assert [row.p_value for row in without.sensitivity] == [row.p_value for row in audit.sensitivity]
    assert without.summary().control_prompts is None
    assert "control_prompts" not in without.summary().to_json()
    unfinished = Diagnosis(manifest(**asked), (*records, *random, *along[1:]))
    assert unfinished.missing == 1
    assert {row.verdict for row in unfinished.sensitivity} == {"inconclusive"}


def test_the_effect_is_the_change_at_the_end_of_the_range() -> None:
    def walked(image: int, *, label_kept: bool = True, to: float = 6.0, low: float = 0.0) -> Record:
        """A response that is largest on the way: 0.9 at 3, 0.2 at 6."""
        points = [
            Point(weights=(w, 0.0, 0.0), output=(0.1 + c,), change=c, label_kept=label_kept or w < 6, ssim=0.9)
            for w, c in ((0.0, 0.0), (3.0, 0.9), (to, 0.2))
        ]
        more = {"change": 0.9, "trajectory": tuple(points), "bounds": (low, 6.0), "paper": None}
        return replace(single(image, 0), edit_weights=(3.0, 0.0, 0.0), original_output=(0.1,), **more)

    def row(*records: Record) -> Sensitivity:
        return next(r for r in Diagnosis(manifest(), records).sensitivity if r.attribute.text == ATTRIBUTES[0])

    walked_row = row(walked(0), walked(1), walked(2, label_kept=False))
    assert walked_row.mean_change == pytest.approx(0.9)
    assert walked_row.effect == pytest.approx((0.2 + 0.2 + 0.9) / 3)  # where the label goes, the furthest that keeps it
    assert walked_row.effect_ci95[0] < walked_row.effect < walked_row.effect_ci95[1]
    assert row(walked(0), walked(1, to=5.0)).effect is None  # not every search went there
    assert row(walked(0, low=-6.0)).effect is None


def test_a_flip_beyond_what_the_generator_draws_is_not_decisive() -> None:
    flip = replace(single(0, 0), attribute=None, paper=None, flipped=True, decisive=True)
    records = tuple(replace(flip, image=image, natural=natural) for image, natural in enumerate((True, False, None)))
    summary = Diagnosis(manifest("multi"), records).summary()
    assert summary.flip_rate == 1
    assert summary.decisive_flip_rate == pytest.approx(2 / 3)
    assert summary.sensitivity[0].decisive_flip_rate == pytest.approx(2 / 3)


def test_the_file_has_the_keys_of_the_mode_in_their_order(diagnosis: Diagnosis) -> None:
    head = [
        "attribute",
        "mean_change",
        "ci95",
        "share",
        "first",
        "flip_rate",
        "decisive_flip_rate",
        "label_kept",
        "ssim",
    ]
    head[1:1] = ["images"]
    head[4:4] = ["effect", "effect_ci95"]
    last = ["faint", "unmoved", "strengths_differ"]
    of_single = [
        "verdict",
        "specificity",
        "baseline",
        "as_far",
        "p_value",
        "p_adjusted",
        "images_to_settle",
        "signed_change",
        "signed_spread",
        "adjusted_mean_change",
        "groups",
        "differences",
        "by_paraphrase",
    ]
    result = diagnosis.summary().to_json()
    whole = ["mode", "search", "images", "edited_images", "trials", "flip_rate", "decisive_flip_rate"]
    whole += ["label_kept", "natural", "ssim"]
    assert list(result) == [*whole, "baseline", "power", "side_effects", "paraphrases", "sensitivity"]
    for row in result["sensitivity"]:
        assert list(row) == [*head, "mean_abs_weight", "paper", *of_single, *last]
        assert list(row["paper"]) == ["mean_change", "ci95", "share", "flip_rate", "decisive_flip_rate"]
    assert result["sensitivity"][0]["attribute"] == ATTRIBUTES[1]
    together = Diagnosis(manifest("multi"), ()).summary().to_json()
    assert list(together) == [*whole, "sensitivity"]
    for row in together["sensitivity"]:
        head = [name for name in head if "effect" not in name]
        assert list(row) == [*head, "range_share", "range_share_ci95", "mean_abs_weight", "faint"]


def test_what_ranks_an_attribute_is_the_mode_s(diagnosis: Diagnosis) -> None:
    flip = replace(single(0, 0), attribute=None, paper=None, flipped=True, decisive=True, natural=True)
    together = tuple(replace(flip, image=image) for image in range(4))
    for row in diagnosis.sensitivity:
        assert (row.value, row.interval) == (row.mean_change, row.ci95)
    for row in Diagnosis(manifest("multi"), together).sensitivity:
        assert (row.value, row.interval) == (row.range_share, row.range_share_ci95)
        assert row.value is not None


@pytest.mark.parametrize(
    ("scores", "seen"), [([24.0] + [0.0] * 79, False), ([-2.5, 3.2] * 40, False), ([1.4, 1.6] * 40, True)]
)
def test_an_edit_is_seen_where_its_score_surely_moves(scores: list[float], seen: bool) -> None:
    """Scores were taken for numbers in [0, 1]: one picture of 80 showed an edit, and a mean lay beyond its interval."""
    images = len(scores)
    edits = {
        "kind": "pairs",
        "images": [f"image {image}" for image in range(images)],
        "attributes": [{"name": "a red car", "strengths": [1.0]}],
        "records": [images, 0],
    }
    unmoved = {"output": [0.3001], "change": 0.0001, "label_kept": None, "ssim": None}
    about = {"attribute": "a red car", "edit_weights": [1.0], "original_output": [0.3], "flipped": False, **unmoved}
    records = tuple(
        Record.from_json(
            {
                **about,
                "image": image,
                "seed": image,
                "trajectory": [{"weights": [weight], **unmoved} for weight in (0.0, 1.0)],
                "bounds": [0.0, 1.0],
                "scores": [score],
            }
        )
        for image, score in enumerate(scores)
    )
    of_cars = manifest(attributes=["a red car"], images=images, bound=1.0, edits=edits)
    (row,) = Diagnosis(of_cars, records).sensitivity
    assert row.verdict == ("negligible" if seen else "inconclusive")
    assert row.edit_score == pytest.approx(np.mean(scores))
    low, high = row.edit_score_interval or (0.0, 0.0)
    assert low < row.edit_score < high
    assert high - row.edit_score == pytest.approx(stats.t.ppf(0.975, images - 1) * stats.sem(scores))


def test_what_a_picture_that_was_not_edited_does_is_no_flip() -> None:
    """One grey level that edits leave flips now and then: of one edited image three flipped."""
    records = tuple(replace(single(i, 0), flipped=i > 0, stop=NOT_EDITED if i else "scan") for i in range(4))
    summary = Diagnosis(manifest(), records).summary()
    assert (summary.edited_images, summary.flip_rate, summary.decisive_flip_rate) == (1, 0.0, 0.0)


def test_intervals_of_many_attributes_are_those_that_verdicts_go_by() -> None:
    texts, values = [f"attribute {a}" for a in range(20)], np.random.default_rng(1).beta(0.5, 3, (10, 20))
    flat = {"edit_weights": (0.0,) * 20, "flipped": False, "decisive": False, "paper": None}
    records = tuple(
        replace(single(i, 0), attribute=text, change=float(values[i, a]), **flat)
        for i in range(10)
        for a, text in enumerate(texts)
    )
    low, high = mean_intervals(values, level=confidence(1, 20))
    for row in Diagnosis(manifest(attributes=texts, images=40), records).sensitivity:
        a = texts.index(row.attribute.text)
        assert row.interval == (low[a], high[a])


@pytest.mark.ci
def test_an_effect_is_told_by_the_images_that_attributes_have() -> None:
    """Of edits from elsewhere each attribute may have a part of them; by all of them it began too low."""
    random, names = np.random.default_rng(0), [f"car {a}" for a in range(6)]
    images, controls = 16 * len(names), [f"control {c}" for c in range(16)]
    edits = {
        "kind": "pairs",
        "images": [f"image {image}" for image in range(images)],
        "attributes": [{"name": name, "strengths": [1.0]} for name in names],
        "controls": [{"name": name, "strengths": [1.0]} for name in controls],
        "records": [images, images * len(controls)],
    }
    still = {"original_output": [0.3], "output": [0.3], "flipped": False, "label_kept": None, "ssim": None}
    records = [
        Record.from_json(
            {
                **still,
                "image": image,
                "seed": image,
                "attribute": names[image // 16],
                "edit_weights": [0.0] * len(names),
                "change": 0.0,
            }
        )
        for image in range(images)
    ]
    baseline = [
        replace(record, attribute=None, baseline=c, edit_weights=(0.0,) * len(controls), change=float(moves))
        for c in range(len(controls))
        for record, moves in zip(records, random.random(images) < 0.06, strict=True)
    ]
    moved = [replace(record, change=float(record.image < 3)) for record in records]
    summary = Diagnosis(manifest(attributes=names, images=images, bound=1.0, edits=edits), (*moved, *baseline)).summary(
        resamples=10
    )
    row = next(row for row in summary.sensitivity if row.attribute.text == names[0])
    assert (row.value, row.specificity) == (3 / 16, "unknown")
    assert summary.baseline is not None
    assert summary.baseline.specific_from > 3 / 16


@pytest.mark.parametrize(
    ("strengths", "of_controls", "specificity"),
    [
        ([1.0], [1.0], "unspecific"),
        ([-1.0, 1.0], [-1.0, 1.0], "unspecific"),
        ([-1.0, 1.0], [1.0], "unknown"),
        ([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0], [-1.0, 1.0], "unknown"),
        ([1.0], [-1.0, 1.0], "unknown"),
    ],
)
def test_an_attribute_with_more_strengths_than_its_controls_is_not_specific_for_that(
    strengths: list[float], of_controls: list[float], specificity: str
) -> None:
    """All edits move the output alike. The largest of two changes was compared with one, and was specific."""

    def change(image: int, name: str, at: float) -> float:
        draw = np.random.default_rng([image, *name.encode(), int(10 * at) + 100])
        return min(float(draw.exponential(0.12)), 0.8)

    controls = {f"control {number}": of_controls for number in range(12)}
    audit = simulated_edits({"a red car": strengths}, change, images=60, controls=controls)
    (row,) = audit.sensitivity
    assert (row.verdict, row.specificity) == ("sensitive", specificity)
    assert row.strengths_differ == (specificity == "unknown")
    assert row.strengths_differ == ("no more strengths" in " ".join(audit.table().split()))
