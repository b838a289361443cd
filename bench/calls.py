"""``python bench/calls.py --out FOLDER --json OUT``: are the verdicts of audits true, and is their power what they say?

Every classifier of the avatars (`--domain people`: of the people) is audited on the images of each seed, by the
ordinary way into a folder of its own below FOLDER, where an audit that is there is not made again. The true effect of
an attribute is known from renders with it and without it (`effects.json` of the domain's benchmark in
`bench/results`); a target's own attribute is left out.

- ``verdicts``: of the pairs of target and attribute, by their true effect, how many have which.
- ``intervals``: of those pairs, by their true effect, the share whose true effect lies within the interval of the
  effect at each level (a reliability diagram), and within the audit's own, which hold for all attributes at once.
- ``side_effects``: an effect of `PLANTED` is injected along an attribute that another one's edit changes too, for the
  three strongest side effects of `LEAST_SIDE_EFFECT` or more of each audit of a sound target: in how many the planted
  attribute comes first, by change and by adjusted change; and the mean change of the attribute that has the side
  effect, as it is without the injected effect, with it, and adjusted.
- ``power``: what the audits said of themselves, beside the share of the pairs whose true effect is of that size, `NEAR`
  it, that they find sensitive.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
from kept_audits import kept_audit, seeds_of

from lab.benchmark import Benchmark
from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.statistics.betting import mean_intervals
from zoom_engine.statistics.effects import Effect, adjusted_changes, effects, is_judged_at_end, mean_side_effects
from zoom_engine.statistics.effects import judged as judged_of
from zoom_engine.statistics.power import SIZES
from zoom_engine.statistics.table import verdict_in_words

RESULTS = Path(__file__).parent / "results"
EFFECTS = {
    "avatars": RESULTS / "avatar-benchmark" / "effects.json",
    "people": RESULTS / "people-benchmark" / "effects.json",
}
NONE, LARGE = 0.02, 0.1
NEAR = 1.25  # times more or less
PLANTED, LEAST_SIDE_EFFECT = 0.3, 0.1
LEVELS = (0.5, 0.8, 0.9, 0.95)


def benchmark_of(domain: str) -> Benchmark:
    """Its targets and the attributes that audits ask for."""
    benchmark = import_module(f"lab.{domain}.benchmark").BENCHMARK
    assert isinstance(benchmark, Benchmark)
    return benchmark


def audit(benchmark: Benchmark, target: str, seed: int, images: int, out: Path) -> Diagnosis:
    """The audit of one target on one seed's images, made or read."""
    decided, domain = benchmark.targets[target].attribute, benchmark.name
    attributes = [text for name, text in benchmark.attributes.items() if name != decided]
    options: dict[str, Any] = {"generator": domain, "target": f"{domain}:{target}", "attributes": attributes}
    return kept_audit(out / f"{target}-{seed}", lambda: Diagnoser(**options, progress=forced), images=images, seed=seed)


def size_of(effect: float) -> str:
    """In which class of true effects one falls."""
    return f"below {NONE:g}" if effect < NONE else f"{LARGE:g} or more" if effect >= LARGE else "between"


def judged(
    audits: Iterable[tuple[str, Diagnosis]], truth: Mapping[str, Mapping[str, float]], prompts: Mapping[str, str]
) -> dict[str, Any]:
    """The figures of audits, each with its target's name; `truth` has the true effects by target and attribute, and
    `prompts` what audits call an attribute."""
    names = {text: name for name, text in prompts.items()}
    verdicts: dict[str, Counter[str]] = {}
    inside: dict[str, list[tuple[bool, ...]]] = {}
    predicted: dict[str, list[float]] = {}
    observed: dict[str, list[bool]] = {}
    side_effects: list[tuple[float, ...]] = []
    for target, diagnosis in audits:
        summary, within = diagnosis.summary(), effects_within(diagnosis)
        for row in summary.sensitivity:
            effect = truth[target][names[row.attribute.text]]
            verdicts.setdefault(size_of(effect), Counter())[verdict_in_words(row)] += 1
            for near in (near for near in SIZES if near / NEAR <= effect <= near * NEAR):
                observed.setdefault(f"{near:g}", []).append(row.verdict == "sensitive")
            if row.interval is not None:
                ends = (*within[row.attribute.text], row.interval)
                for group in ("all", size_of(effect)):
                    inside.setdefault(group, []).append(tuple(low <= effect <= high for low, high in ends))
        if "-biased-" not in target:
            side_effects.extend(injected_on_side_effects(diagnosis))
        for size, power in (summary.power.sensitive if summary.power else {}).items():
            predicted.setdefault(size, []).append(power)
    return {
        "verdicts": {size: dict(counts) for size, counts in sorted(verdicts.items())},
        "intervals": {
            group: {
                "pairs": len(covered),
                "effect": dict(zip(map(str, LEVELS), shares, strict=True)),
                "at_once": at_once,
            }
            for group, covered in sorted(inside.items())
            for *shares, at_once in [np.mean(covered, axis=0).round(4).tolist()]
        },
        "side_effects": {
            "planted": len(side_effects),
            **dict(zip(SIDE_EFFECTS, np.mean(side_effects, axis=0).round(4).tolist(), strict=True)),
        }
        if side_effects
        else {"planted": 0},
        "power": {
            size: {
                "predicted": round(float(np.mean(predicted[size])), 4),
                "observed": round(float(np.mean(observed[size])), 4) if size in observed else None,
                "pairs": len(observed.get(size, ())),
            }
            for size in predicted
        },
    }


def effects_within(diagnosis: Diagnosis) -> dict[str, list[tuple[float, float]]]:
    """By attribute the interval of its effect at each of `LEVELS`."""
    of_images = effects(diagnosis.config, diagnosis.records)
    ends = {
        attribute.text: np.array([[effect.at_end] for effect in of_images if effect.column == column], dtype=np.float64)
        for column, attribute in enumerate(diagnosis.config.attributes)
    }
    intervals = {text: [mean_intervals(values, level=level) for level in LEVELS] for text, values in ends.items()}
    return {text: [(float(low[0]), float(high[0])) for low, high in pairs] for text, pairs in intervals.items()}


SIDE_EFFECTS = ("side_effect", "first", "first_adjusted", "causing_without", "causing", "causing_adjusted")


def injected_on_side_effects(diagnosis: Diagnosis) -> Iterator[tuple[float, ...]]:
    """Of each strong side effect the figures that `SIDE_EFFECTS` names."""
    config, of_images = diagnosis.config, effects(diagnosis.config, diagnosis.records)
    matrix = mean_side_effects(config, of_images, diagnosis.records)
    if matrix is None:
        return
    count = len(matrix)
    strength = np.abs(matrix[:, :count]) * (1 - np.eye(count))
    for place in np.argsort(-strength, axis=None)[:3]:
        causing, planted = divmod(int(place), count)
        if strength[causing, planted] < LEAST_SIDE_EFFECT:
            return
        biased = [with_plant(effect, planted) for effect in of_images]
        adjusted = adjusted_changes(biased, matrix, at_end=is_judged_at_end(biased))
        judged_ones = [judged_of(pairs, at_end=is_judged_at_end(pairs)) for pairs in (of_images, biased)]
        before, after, left = (
            np.array(
                [
                    np.mean([value for value, effect in zip(values, of_images, strict=True) if effect.column == column])
                    for column in range(count)
                ]
            )
            for values in (*judged_ones, [value or 0.0 for value in adjusted])
        )
        first = [float(values.argmax() == planted) for values in (after, left)]
        yield (float(strength[causing, planted]), *first, before[causing], after[causing], left[causing])


def with_plant(effect: Effect, planted: int) -> Effect:
    """The effect that a search finds where the target gains `PLANTED` per natural range of an attribute."""
    gained = PLANTED * effect.share * (0.0 if effect.scores is None else effect.scores[planted])
    moved = (effect.moved + gained).clip(-1.0, 1.0)
    end = None if effect.at_end is None else float(np.abs(moved[np.abs(effect.share).argmax()])) if len(moved) else 0.0
    return replace(effect, moved=moved, change=float(np.abs(moved).max(initial=0.0)), at_end=end)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/calls.py", description=__doc__)
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--domain", choices=EFFECTS, default="avatars")
    parser.add_argument("--targets", nargs="+", help="of the domain; by default all classifiers")
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args(arguments)
    seeds, benchmark = seeds_of(given.seeds), benchmark_of(given.domain)
    targets = given.targets or list(benchmark.evaluation.domain.classifier_names())
    truth = json.loads(EFFECTS[given.domain].read_text(encoding="utf-8"))["figures"]
    audits = ((name, audit(benchmark, name, seed, given.images, given.out)) for seed in seeds for name in targets)
    figures = {
        "domain": given.domain,
        "seeds": list(seeds),
        "images": given.images,
        "targets": targets,
        **judged(audits, truth, benchmark.attributes),
        "environment": describe_environment(),
    }
    if given.json:
        atomic.write_json(given.json, figures)
    print(json.dumps({name: figures[name] for name in ("verdicts", "intervals", "side_effects", "power")}, indent=1))


if __name__ == "__main__":
    main()
