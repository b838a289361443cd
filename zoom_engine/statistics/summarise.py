"""The summary of an audit's records for each attribute, and how sure it is.

Everything is a function of config and records alone, so that any audit folder gives it again. Definitions: ZOOM (Luo
2023).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import Record, is_decisive
from zoom_engine.audit.summary import (
    Agreement,
    ControlLevel,
    InterimAnalysis,
    Interval,
    PhotographChange,
    PhotographRow,
    Sensitivity,
    Specificity,
    Summary,
    WithinRange,
)
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.agreement import kendalls_w
from zoom_engine.statistics.attribute_tests import attribute_tests, baseline_level
from zoom_engine.statistics.betting import mean_intervals
from zoom_engine.statistics.course import Course, course
from zoom_engine.statistics.effects import (
    Effect,
    adjusted_changes,
    by_image,
    effects,
    is_judged_at_end,
    judged,
    judged_signed,
    mean_side_effects,
    named,
    own_scores,
)
from zoom_engine.statistics.groups import group_changes, group_differences, groups
from zoom_engine.statistics.intervals import Array, bootstrap_means, column_means, share_first, unlimited_intervals
from zoom_engine.statistics.power import fewest, images_to_settle, power
from zoom_engine.statistics.power import images_for_power as power_for


def summarise(config: Config, records: Sequence[Record], *, resamples: int = 4000, seed: int = 0) -> Summary:
    """Summarise the records of an audit.

    `resamples` and `seed` belong to what is drawn at random; equal ones give equal intervals.
    """
    baseline = [record for record in records if record.baseline is not None]
    records = [record for record in records if record.baseline is None]
    images = len({record.image for record in records})
    edited = [record for record in records if record.was_edited]
    edited_images = len({record.image for record in edited})
    progress = course(config, (*records, *baseline)) if config.has_course else None
    complete = _is_complete(config, records, baseline, images) if progress is None else not progress.missing
    drawn = _Drawn(resamples, seed)
    flipped = [record for record in edited if record.flipped]
    decisive = [record for record in flipped if is_decisive(record, least=config.decisive_change)]
    of_mode: dict[str, Any] = (
        _single(
            config,
            edited,
            [record for record in baseline if record.was_edited],
            drawn,
            progress,
            complete=complete,
        )
        if config.mode == "single"
        else {"sensitivity": tuple(_multi_rows(config, records, drawn))}
    )
    return Summary(
        mode=config.mode,
        search=config.search,
        images=images,
        edited_images=edited_images,
        trials=len(records),
        flip_rate=len({record.image for record in flipped}) / edited_images if edited else None,
        decisive_flip_rate=len({record.image for record in decisive}) / edited_images if edited else None,
        label_kept=_mean(record.label_kept for record in records),
        natural=_mean(record.natural for record in records),
        ssim=_mean(record.ssim for record in flipped),
        photographs=tuple(_by_photograph(config, records)),
        edits=None if config.edits is None else config.edits.kind,
        interim_analysis=_interim_analysis(config, progress),
        **of_mode,
    )


class _Drawn(NamedTuple):
    """How what is drawn at random is drawn: `resamples` times, from `seed`."""

    resamples: int
    seed: int


def _is_complete(config: Config, records: Sequence[Record], baseline: Sequence[Record], images: int) -> bool:
    """Tell whether an audit in multi mode, or of edits from elsewhere, has all records of all `images`."""
    shown = {record.image for record in records}
    measurements = config.measurements(images if config.images is None else config.images)
    return (len(records), sum(record.image in shown for record in baseline)) == measurements


def _interim_analysis(config: Config, progress: Course | None) -> InterimAnalysis | None:
    """Describe the interim analysis at which an audit ended, or which comes next."""
    if config.interim_analyses is None or progress is None:
        return None
    planned = config.interim_analyses.planned
    number = bisect.bisect_left(planned, max(progress.goals)) + 1
    return InterimAnalysis(min(number, len(planned)), planned, config.interim_analyses.width, progress.ended)


def _by_photograph(config: Config, records: Sequence[Record]) -> Iterator[PhotographRow]:
    """Yield a row for each photograph that has a record."""
    for image, file in enumerate(config.photographs):
        changes = [
            PhotographChange(
                record.attribute, record.change, record.flipped, is_decisive(record, least=config.decisive_change)
            )
            for record in records
            if record.image == image
        ]
        if changes:
            yield PhotographRow(file=file, image=image, changes=tuple(sorted(changes, key=lambda one: -one.change)))


class _Judged(NamedTuple):
    """What is judged of the records of an audit of single attributes.

    Attributes:
        at_end: whether it is the change at the end of the range, else the largest one.
        effects: of the attributes' records, in their order.
        changes: float64 `[I, A]`, by attributes; NaN where one was not tried.
        by_baseline: float64 `[I, J]`, by random baseline directions; NaN where one was not tried.
        baseline: the records of random baseline directions and control prompts, each with what is judged of it.
    """

    at_end: bool
    effects: Sequence[Effect]
    changes: Array
    by_baseline: Array
    baseline: Sequence[tuple[Record, float]]


def _judged(config: Config, records: Sequence[Record], baseline: Sequence[Record]) -> _Judged:
    """Return what is judged of records of edits that were made, of attributes and beside them."""
    column = {attribute.text: index for index, attribute in enumerate(config.attributes)}
    shown = {record.image for record in records}
    baseline = [record for record in baseline if record.image in shown]
    of_attributes, of_baseline = effects(config, records), effects(config, baseline)
    at_end = is_judged_at_end(of_attributes, of_baseline)
    columns = [column[record.attribute or ""] for record in records]
    changes = by_image(records, columns, len(column), judged(of_attributes, at_end=at_end))
    beside = list(zip(baseline, judged(of_baseline, at_end=at_end), strict=True))
    random = [pair for pair in beside if (pair[0].baseline or 0) < config.random_directions]
    by_baseline = by_image(
        [record for record, _ in random],
        [record.baseline or 0 for record, _ in random],
        config.random_directions,
        (change for _, change in random),
        images=shown,
    )
    return _Judged(at_end, of_attributes, changes, by_baseline, beside)


def images_for_power(
    config: Config, records: Sequence[Record], *, effect: float, share: float
) -> tuple[int, int | None]:
    """Estimate how many images an audit like the one of these `records` needs to find an effect with some power.

    Args:
        config: of a finished audit of single attributes.
        records: all of its records.
        effect: the mean change that is to be found sensitive, in [0, 1].
        share: the share of such audits that is to find it.

    Returns:
        (the images that its attributes were tried on, at least; the images that it takes, see
        `power.images_for_power`).
    """
    made = [record for record in records if record.was_edited]
    of_attributes, beside = ([one for one in made if (one.baseline is not None) is so] for so in (False, True))
    tried = _judged(config, of_attributes, beside)
    needed = power_for(tried.changes, tried.by_baseline, config.smallest_effect, effect, share)
    return fewest(tried.changes), needed


class _Means(NamedTuple):
    """A mean with its interval, its fraction of the sum of all means, and how often it comes first."""

    mean: float | None
    interval: Interval | None
    share: float
    first: float


def _control_level(config: Config, changed: Sequence[tuple[Record, float]]) -> ControlLevel | None:
    """Summarise how far control prompts move the output, each over the images that are moved along it.

    `changed` holds the records with what is judged of each.
    """
    changes: dict[str, list[float]] = {prompt: [] for prompt in config.control_prompts}
    for record, change in changed:
        if record.baseline is not None and record.baseline >= config.random_directions:
            changes[config.control_prompts[record.baseline - config.random_directions]].append(change)
    by_prompt = {prompt: values for prompt, values in changes.items() if values}
    if not by_prompt:
        return None
    all_changes = np.array([[change] for values in by_prompt.values() for change in values])
    return ControlLevel(
        images=len(all_changes),
        mean_change=float(all_changes.mean()),
        ci95=_intervals(all_changes)[0],
        prompts={prompt: float(np.mean(values)) for prompt, values in by_prompt.items()},
    )


def _single(
    config: Config,
    records: Sequence[Record],
    baseline: Sequence[Record],
    drawn: _Drawn,
    progress: Course | None,
    *,
    complete: bool,
) -> dict[str, Any]:
    """Compute the parts of the summary that belong to single mode: rows by falling mean change, and their baselines."""
    column = {attribute.text: index for index, attribute in enumerate(config.attributes)}
    columns = [column[record.attribute or ""] for record in records]

    def matrix(values: Iterable[object]) -> Array:
        return by_image(records, columns, len(column), values)

    def means(values: Iterable[object]) -> list[float | None]:
        return _figures(column_means(matrix(values)))

    shown, seed = sorted({record.image for record in records}), drawn.seed
    at_end, judged_effects, changes, by_baseline, baseline_judged = _judged(config, records, baseline)
    rules = (config.smallest_effect, config.correction)
    sizes = None if progress is None else progress.sizes
    beside = attribute_tests(changes, by_baseline, *rules, sizes=sizes, finished=complete)
    change = _means_of(changes, drawn)
    largest = matrix(record.change for record in records)
    largest_means = _figures(column_means(largest))
    largest_intervals = _intervals(largest, confidence(1, len(column)))
    side_effects = mean_side_effects(config, judged_effects, records)
    signed = matrix(judged_signed(judged_effects, at_end=at_end))
    adjusted: Sequence[float | None] = [None] * len(column)
    if side_effects is not None:
        adjusted = means(adjusted_changes(judged_effects, side_effects, at_end=at_end))
    edit_scores: Sequence[float | None] = [None] * len(column)
    edit_intervals: Sequence[Interval | None] = [None] * len(column)
    if config.edits is not None and side_effects is not None:
        of_edits = matrix(own_scores(judged_effects, records))
        edit_scores = _figures(column_means(of_edits))
        ends = unlimited_intervals(of_edits, level=confidence(1, len(column)))
        edit_intervals = [None if math.isnan(a) else (float(a), float(b)) for a, b in zip(*ends, strict=True)]
    images = fewest(changes)  # of edits from elsewhere each attribute may have but a part of them
    baseline_figures = baseline_level(by_baseline, *rules, attributes=len(column), images=images)
    reached, to_settle = None, dict[int, int | None]()
    if complete:
        verdicts = [row.verdict for row in beside]
        tests = (sum(one != "sensitive" for one in verdicts), sum(one != "negligible" for one in verdicts))
        with_images: dict[bytes, list[int]] = {}  # attributes by the images that have them
        for i, row in enumerate(beside):
            if row.verdict == "inconclusive":
                with_images.setdefault(np.isfinite(changes[:, i]).tobytes(), []).append(i)
        for unsettled in with_images.values():
            having = np.isfinite(changes[:, unsettled[0]])
            counts = images_to_settle(
                changes[having], by_baseline[having], config.smallest_effect, unsettled, tests=tests, seed=seed
            )
            to_settle |= zip(unsettled, counts, strict=True)
        from_here = None if baseline_figures is None else baseline_figures.specific_from
        most = None if config.interim_analyses is None else config.interim_analyses.planned[-1]
        reached = power(changes, by_baseline, config.smallest_effect, specific_from=from_here, images=most, seed=seed)
    by_paraphrase, agreement = _by_paraphrase(records, columns, len(column), drawn)
    parts = groups(config, records)
    among = group_changes(parts, changes, shown)
    apart = group_differences(config, parts, changes, shown, finished=complete, seed=seed)
    flipped = means(record.flipped for record in records)
    decisive = means(is_decisive(record, least=config.decisive_change) for record in records)
    label_kept = means(record.label_kept for record in records)
    ssim = means(record.ssim if record.flipped else None for record in records)
    weight = means(abs(record.edit_weights[i]) for record, i in zip(records, columns, strict=True))

    def in_range(name: str) -> Sequence[WithinRange | None]:
        within = [record.within(name) for record in records]
        if not any(within):
            return [None] * len(column)
        figures = _means_of(matrix(one and one.change for one in within), drawn)
        flips, decisively = (means(one and getattr(one, what) for one in within) for what in ("flipped", "decisive"))
        return [
            WithinRange(mean_change=mean, ci95=ci95, share=share, flip_rate=flip_rate, decisive_flip_rate=decisive_rate)
            for (mean, ci95, share, _), flip_rate, decisive_rate in zip(figures, flips, decisively, strict=True)
        ]

    tried = np.isfinite(changes).sum(axis=0)
    specificities = [one.specificity for one in beside]
    if config.edits is not None and not at_end and baseline_judged:
        strengths = means(len(record.trajectory) for record in records)
        of_controls = float(np.mean([len(record.trajectory) for record, _ in baseline_judged]))
        specificities = [_compared(*pair, of_controls) for pair in zip(specificities, strengths, strict=True)]
    paper, calibrated = in_range("paper"), in_range("calibrated")
    faint = _faint(config)
    largest_of_all = [mean for mean in largest_means if mean is not None]
    largest_of_all += [] if baseline_figures is None else [baseline_figures.strongest]
    unmoved = bool(largest_of_all) and not any(largest_of_all)
    rows = [
        Sensitivity(
            mode="single",
            attribute=attribute,
            images=int(tried[i]),
            mean_change=largest_means[i],
            ci95=largest_intervals[i] if at_end else beside[i].interval,
            effect=change[i].mean if at_end else None,
            effect_ci95=beside[i].interval if at_end else None,
            share=change[i].share,
            first=change[i].first,
            flip_rate=flipped[i],
            decisive_flip_rate=decisive[i],
            label_kept=label_kept[i],
            ssim=ssim[i],
            mean_abs_weight=weight[i],
            paper=paper[i],
            calibrated=calibrated[i],
            verdict=beside[i].verdict,
            specificity=specificities[i],
            baseline=beside[i].baseline,
            as_far=beside[i].as_far,
            p_value=beside[i].p_value,
            p_adjusted=beside[i].p_adjusted,
            images_to_settle=to_settle.get(i),
            signed_change=_figures(column_means(signed))[i],
            signed_spread=_spread(signed[:, i]),
            adjusted_mean_change=adjusted[i],
            groups=among[i],
            differences=apart[i],
            by_paraphrase=by_paraphrase[i],
            edit_score=edit_scores[i],
            edit_score_interval=edit_intervals[i],
            faint=attribute in faint,
            unmoved=unmoved,
            strengths_differ=specificities[i] != beside[i].specificity,
        )
        for i, attribute in enumerate(config.attributes)
    ]
    # An edit that is not seen to be made, or that is hardly drawn, cannot show that the target does not mind what it is
    # called. One that changes the ground truth has the effect 0, whatever the target does. So has one of a target that
    # answers all pictures alike.
    rows = [
        replace(row, verdict="inconclusive", images_to_settle=None)
        if row.shows_little and row.verdict in ("negligible", "inconclusive")
        else row
        for row in rows
    ]
    return {
        "control_prompts": _control_level(config, baseline_judged),
        "baseline": baseline_figures,
        "power": reached,
        "paraphrases": agreement,
        "side_effects": None if side_effects is None else named(config, side_effects),
        "sensitivity": tuple(sorted(rows, key=lambda row: -1.0 if row.value is None else row.value, reverse=True)),
    }


def _compared(specificity: Specificity | None, strengths: float | None, of_controls: float) -> Specificity | None:
    """Return whether an effect is its attribute's, where the largest change is judged, which grows with the strengths.

    Beside controls with fewer strengths none is shown to be, and beside those with more none not to be.
    """
    more, fewer = round(strengths or 0.0) > round(of_controls), round(strengths or 0.0) < round(of_controls)
    return "unknown" if (specificity == "specific" and more) or (specificity == "unspecific" and fewer) else specificity


def _faint(config: Config) -> frozenset[Attribute]:
    """Return the attributes whose relevance is less than half above what random text reaches."""
    strengths = zip(config.attributes, config.strength, config.noise_floor, strict=False)  # older audits have none
    return frozenset(attribute for attribute, strength, floor in strengths if strength < 1.5 * floor)


def _by_paraphrase(
    records: Sequence[Record], columns: Sequence[int], width: int, drawn: _Drawn
) -> tuple[list[tuple[float, ...] | None], Agreement | None]:
    """Return for each attribute its effect in each paraphrase, and how far the paraphrases agree on the order."""
    count = min((len(record.paraphrases or ()) for record in records), default=0)
    if not count:
        return [None] * width, None
    values = np.stack(
        [
            by_image(records, columns, width, (record.paraphrases and record.paraphrases[k] for record in records))
            for k in range(count)
        ]
    )
    means = np.stack([column_means(one) for one in values], axis=1)
    rows = [tuple(map(float, row)) if np.isfinite(row).all() else None for row in means]
    return rows, kendalls_w(values, resamples=drawn.resamples, seed=drawn.seed)


def _multi_rows(config: Config, records: Sequence[Record], drawn: _Drawn) -> list[Sensitivity]:
    """Return the rows of multi mode, by falling fraction of the range that edits take where they flip decisively.

    Elsewhere edits only show how a search went astray. Raw weights of two attributes cannot be compared, since one may
    vary three times as far as the other.
    """
    weights = np.array([record.edit_weights for record in records], dtype=np.float64)
    weights = weights.reshape(len(records), len(config.attributes))
    low, high = np.abs(np.array(config.ranges, dtype=np.float64)).T
    shares = np.abs(weights) / np.where(weights < 0, low, high).clip(min=1e-12)
    flips = np.array([is_decisive(record, least=config.decisive_change) for record in records], dtype=bool)
    raw = _figures(column_means(np.abs(weights[flips])))
    faint = _faint(config)
    rows = []
    for index, means in enumerate(_means_of(shares[flips], drawn)):
        using = [record for record, used in zip(records, weights[:, index] != 0, strict=True) if used]
        rows.append(
            Sensitivity(
                mode="multi",
                attribute=config.attributes[index],
                images=len(records),
                share=means.share,
                first=means.first,
                flip_rate=_mean(record.flipped for record in using),
                decisive_flip_rate=_mean(is_decisive(record, least=config.decisive_change) for record in using),
                label_kept=_mean(record.label_kept for record in using),
                ssim=_mean(record.ssim for record in using if record.flipped),
                range_share=means.mean,
                range_share_ci95=means.interval,
                mean_abs_weight=raw[index],
                faint=config.attributes[index] in faint,
            )
        )
    return sorted(rows, key=lambda row: row.value or 0.0, reverse=True)


def _means_of(values: Array, drawn: _Drawn) -> list[_Means]:
    """Compute the figures of each column of `values [I, A]`."""
    means = column_means(values)
    first = share_first(bootstrap_means(values, resamples=drawn.resamples, seed=drawn.seed))
    total = float(np.nansum(means))
    intervals = _intervals(values)
    return [
        _Means(
            mean,
            intervals[i],
            (mean or 0.0) / total if total > 0 else 0.0,
            float(first[i]),
        )
        for i, mean in enumerate(_figures(means))
    ]


def _intervals(values: Array, level: float = 0.95) -> list[Interval | None]:
    """Compute the interval of the mean of each column of `values [I, A]`; None below two images."""
    low, high = mean_intervals(values, level=level)
    enough = np.isfinite(values).sum(axis=0) >= 2
    return [(float(low[i]), float(high[i])) if enough[i] else None for i in range(values.shape[1])]


def _mean(values: Iterable[float | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _spread(values: Array) -> float | None:
    """Return the standard deviation of `values [I]` that are not NaN; None below two of them."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else None


def _figures(values: Array) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
