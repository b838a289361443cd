"""``python -m zoom_engine.domains.avatars.benchmark``

Does the audit find planted biases, and does it rank by the truth?

All targets are audited on the same images: single mode, scan, one fixed list of attributes. For each biased
target the planted attribute should be the top bar, for its sound twin it should not; over all targets together
sensitivities should follow the true effects, measured on renders with the attribute set and unset.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine.audit.settings import SEEDS_PER_RUN
from zoom_engine.diagnoser import Diagnoser
from zoom_engine.domains.avatars.attributes import ATTRIBUTES
from zoom_engine.domains.avatars.domain import DEFAULT_ATTRIBUTES, DOMAIN
from zoom_engine.domains.avatars.evaluate import EVALUATION
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.domains.networks import predict, to_uint8
from zoom_engine.domains.weights_files import load_network
from zoom_engine.errors import ConfigError
from zoom_engine.evaluator import Evaluator
from zoom_engine.files import atomic
from zoom_engine.generators import StyleRows
from zoom_engine.progress import forced
from zoom_engine.runtime import compiled_target, describe_environment
from zoom_engine.search import Scan, SearchResult, Unit, describe_search, run_shared
from zoom_engine.text.prompts import fill_template
from zoom_engine.text.templates import GENERAL

LARGE, SMALL = 0.2, 0.05
METHOD = 3  # raise it with any change of directions, range or search that changes sensitivities
BOOTSTRAP = 2000


def audit_all(seed: int, images: int, *, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Sensitivities of every target to every attribute on one seed's images, and whether flips kept the truth.

    ``sensitivity[target][attribute]`` is within the calibrated range, ``paper`` within ±30; a target's own attribute is
    left out. ``kept`` counts flipped counterfactuals and those whose own attribute the probe sees unchanged.
    """
    names = DOMAIN.classifier_names()
    diagnoser = Diagnoser(
        generator="avatars",
        target=f"avatars:{names[0]}",
        attributes=DOMAIN.attributes,  # said here: by default this target's own would be missing
        progress=forced,
        **(options or {}),
    )
    directions = diagnoser.edit_directions()
    calibrated = diagnoser.calibrated_range(directions)
    styles = diagnoser.styles([seed * SEEDS_PER_RUN + i for i in range(images)])
    wanted = [(image, which) for image in range(images) for which in range(len(DEFAULT_ATTRIBUTES))]
    evaluators = [
        Evaluator(
            diagnoser.synthesizer,
            directions.matrix,
            target,
            text_encoder=diagnoser.text_encoder,
            label_prompts=target.labels,
        )
        for target in (compiled_target(DOMAIN.target(name), diagnoser.synthesizer)[0] for name in names)
    ]
    results: list[tuple[int, Unit, SearchResult]] = []
    run_shared(
        diagnoser.units(styles, directions, calibrated, wanted),
        search=diagnoser.search,
        evaluators=evaluators,
        styles=styles,
        on_result=results.extend,
        batch_size=diagnoser.settings.batch_size,
        progress=forced,
    )
    table = _means(results, names, images)
    kept = _truth_kept(results, names, evaluators[0], styles)
    return {"seed": seed, "images": images, **table, "kept": kept}


@cache
def own_attribute(name: str) -> str:
    """The attribute that a shipped target predicts."""
    return str(load_network(WEIGHTS / "targets" / f"{name}.safetensors")[1]["outputs"][0])


@cache
def planted_attribute(name: str) -> str | None:
    """The attribute that a biased target was tied to; None for a sound one."""
    planted: str | None = load_network(WEIGHTS / "targets" / f"{name}.safetensors")[1]["planted"]
    return planted


def _means(results: list[tuple[int, Unit, SearchResult]], names: Sequence[str], images: int) -> dict[str, Any]:
    shape = (len(names), len(DEFAULT_ATTRIBUTES), images)
    change, paper, flipped = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for which, unit, result in results:
        place = which, unit.attribute, unit.image
        change[place] = result.change
        paper[place] = result.paper.change if result.paper else np.nan
        flipped[place] = result.flipped

    def table(values: NDArray[np.float64]) -> dict[str, dict[str, float]]:
        return {
            name: {
                attribute: float(f"{values[i, j].mean():.4g}")  # digits, not decimals: a sound target's bars are tiny
                for j, attribute in enumerate(DEFAULT_ATTRIBUTES)
                if attribute != own_attribute(name)
            }
            for i, name in enumerate(names)
        }

    return {"sensitivity": table(change), "paper": table(paper), "flip_rate": table(flipped)}


@torch.no_grad()
def _truth_kept(
    results: list[tuple[int, Unit, SearchResult]],
    names: Sequence[str],
    evaluator: Evaluator,
    styles: StyleRows,
) -> dict[str, list[int]]:
    """Per target: [flipped counterfactuals, those in which the probe sees the target's own attribute unchanged]."""
    judge = EVALUATION.probe()
    originals = (
        torch.cat([predict(judge, to_uint8(evaluator.render(part))) for part in torch.split(styles[:], 100)]) > 0
    )
    counts = {name: [0, 0] for name in names}
    flips = [
        (names[which], unit, result)
        for which, unit, result in results
        if result.flipped
        and unit.attribute is not None
        and DEFAULT_ATTRIBUTES[unit.attribute] != own_attribute(names[which])
    ]
    for begin in range(0, len(flips), 100):
        part = flips[begin : begin + 100]
        rows = torch.tensor([unit.image for _, unit, _ in part])
        weights = torch.from_numpy(np.stack([result.edit_weights for _, _, result in part])).float()
        seen = predict(judge, to_uint8(evaluator.render(styles[rows], weights))) > 0
        for (name, unit, _), row in zip(part, seen, strict=True):
            column = ATTRIBUTES.index(own_attribute(name))
            counts[name][0] += 1
            counts[name][1] += int(bool(row[column]) == bool(originals[unit.image, column]))
    return counts


def top_bars(runs: Sequence[dict[str, Any]], key: str = "sensitivity") -> dict[str, dict[str, int]]:
    """Per biased target: in how many runs the planted attribute is the top bar, for it and for its sound twin.

    Higher than every other bar, that is: bars that are all 0 have no top.
    """

    def leads(row: dict[str, float], planted: str) -> bool:
        return all(row[planted] > value for attribute, value in row.items() if attribute != planted)

    counts: dict[str, dict[str, int]] = {}
    for name in DOMAIN.classifier_names():
        planted = planted_attribute(name)
        if planted is None:
            continue
        twin = name.split("-biased-")[0]
        counts[name] = {
            "biased": sum(leads(run[key][name], planted) for run in runs),
            "sound": sum(leads(run[key][twin], planted) for run in runs),
        }
    return counts


def agreement(run: dict[str, Any], effects: dict[str, dict[str, float]], key: str = "sensitivity") -> dict[str, Any]:
    """AUC of large against small true effects, and Spearman's correlation with its bootstrap 95 % interval."""
    pairs = [(run[key][name][a], effects[name][a]) for name in run[key] for a in run[key][name]]
    found, truth = np.array(pairs).T
    large, small = found[truth >= LARGE], found[truth < SMALL]
    wins = (large[:, None] > small[None, :]).mean() + 0.5 * (large[:, None] == small[None, :]).mean()
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(BOOTSTRAP):
        rows = rng.integers(0, len(found), len(found))
        resampled.append(spearman(found[rows], truth[rows]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {
        "pairs": len(pairs),
        "large": len(large),
        "small": len(small),
        "auc": round(float(wins), 4),
        "spearman": round(spearman(found, truth), 4),
        "spearman_ci95": [round(float(low), 4), round(float(high), 4)],
    }


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation; ties share their mean rank."""

    def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        mean_rank: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
        return mean_rank

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def kept_share(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over all runs: of the flipped counterfactuals, the share in which the probe sees the own attribute unchanged."""
    per_target = {
        name: [sum(run["kept"][name][i] for run in runs) for i in (0, 1)] for name in DOMAIN.classifier_names()
    }
    flips, kept = (sum(row[i] for row in per_target.values()) for i in (0, 1))
    return {"flips": flips, "kept": round(kept / flips, 4) if flips else None, "per_target": per_target}


def run_benchmark(
    seeds: Sequence[int], images: int, *, folder: Path | None = None, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """All figures of the benchmark, JSON-ready.

    With ``folder`` each seed's audit is kept there as ``seed-N.json`` when it ends, and taken from there by a later
    call. Raises ConfigError for a file of another number of images, other weights or another search.
    """
    effects = _kept(folder, "effects.json", None, EVALUATION.true_effects)
    runs = []
    for seed in forced(seeds, f"Benchmark of {len(seeds)} seeds", unit="seed"):
        audit = partial(audit_all, seed, images, options=options)
        runs.append(_kept(folder, f"seed-{seed}.json", images, audit))
    return {
        "seeds": list(seeds),
        "images": images,
        "top_bars": {"calibrated": top_bars(runs), "paper": top_bars(runs, "paper")},
        "agreement": {
            "calibrated": agreement(mean_run(runs, "sensitivity"), effects),
            "paper": agreement(mean_run(runs, "paper"), effects, "paper"),
        },
        "truth_kept": kept_share(runs),
        "effects": effects,
        "runs": runs,
        "environment": describe_environment(),
    }


def _kept(folder: Path | None, name: str, images: int | None, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, from the file ``name`` if it is there, into it if it is not."""
    if folder is None:
        return make()
    path, made_by = folder / name, _made_by(images)
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["made_by"] != made_by:
            raise ConfigError(f"{path} is of another benchmark ({stored['made_by']}): choose another folder")
        return stored["figures"]
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    figures = make()
    seconds = round(time.monotonic() - started)
    atomic.write_json(
        path, {"made_by": made_by, "environment": describe_environment(), "seconds": seconds, "figures": figures}
    )
    return figures


@cache
def _made_by(images: int | None) -> dict[str, Any]:
    """What the figures depend on, short: weights, images, and how sensitivities are searched for."""
    weights = [DOMAIN.generator().content_hash, _weights_of_words()]
    weights += [DOMAIN.target(name).content_hash for name in DOMAIN.classifier_names()]
    return {
        "method": METHOD,
        "images": images,
        "search": describe_search(Scan()),
        "weights": hashlib.sha256(" ".join(weights).encode()).hexdigest()[:16],
    }


def _weights_of_words() -> str:
    """SHA-256 (hex) of all weights of the text encoder but the rows of tokens that no prompt of the benchmark has:
    words that it learns beside them change none of the figures."""
    encoder = DOMAIN.text_encoder()
    prompts = [DOMAIN.neutral, *DOMAIN.attributes]
    prompts += [label for name in DOMAIN.classifier_names() for label in DOMAIN.target(name).labels]
    sentences = [fill_template(template, prompt) for prompt in prompts for template in ("{}", *GENERAL)]
    tokens = torch.unique(encoder.tokenizer(sentences, context_length=encoder.context_length))
    digest = hashlib.sha256()
    for name, value in sorted(encoder.model.state_dict().items()):
        read = value[tokens] if name == "token_embedding.weight" else value
        digest.update(name.encode() + read.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def mean_run(runs: Sequence[dict[str, Any]], key: str) -> dict[str, Any]:
    """The mean of ``key`` over the runs, in the form of a run."""
    return {
        key: {
            name: {a: float(np.mean([run[key][name][a] for run in runs])) for a in row}
            for name, row in runs[0][key].items()
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m zoom_engine.domains.avatars.benchmark", description=__doc__)
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="keep each finished seed here, and go on from those that are there")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    figures = run_benchmark(range(int(first), int(last or first) + 1), options.images, folder=options.folder)
    if options.json:
        atomic.write_json(options.json, figures)
    print(json.dumps({k: figures[k] for k in ("top_bars", "agreement", "truth_kept")}, indent=1))


if __name__ == "__main__":
    main()
