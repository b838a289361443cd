"""``python bench/sources.py --out FOLDER --json OUT``: attributes without words, beside the same attributes by words.

Every shipped target of both domains that has something planted is audited on the same images at the ends of ranges,
with the domain's own attributes given in turn (`WAYS`) by

- ``words``: the domain's prompts;
- ``examples``: 20 renders that have the attribute, against 20 that lack it, in the embedding of the text encoder;
- ``examples alone``: the same 20 renders against the generator's own pictures;
- ``no encoder``: as ``examples``, with features of pictures in place of the text encoder;
- ``scorer``: the log-odds of the attribute by the domain's probe, a network that was trained on renders.

Renders are drawn by the domain's renderer from its own distribution, as a user's photographs would be, and not by the
generator; every seed draws its own. What counts is in how many seeds the planted attribute is the top bar.

- ``refusals``: of folders of 20 renders that were drawn at random, how many are refused; of the generator's own
  pictures, too; and how many of the folders that show an attribute are not.

FOLDER keeps the renders and what was measured. Runs that OUT has are not made again either; `--targets` leaves out the
others, which takes little less where all are drawn at once.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import numpy as np
import torch
from kept_audits import ENDS, seeds_of
from numpy.typing import NDArray
from PIL import Image

from lab.avatars.evaluate import EVALUATION as AVATARS
from lab.benchmark import Benchmark
from lab.evaluation import Evaluation
from lab.pets.evaluate import EVALUATION as PETS
from lab.whole_folders import making
from zoom_engine import Diagnoser
from zoom_engine.common.errors import DirectionError
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.directions.score_tests import check_scores
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.search import SearchResult, Trial
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN
from zoom_engine.targets import MultiLabelTask, Preprocessing, Target, save_onnx

EVALUATIONS: Mapping[str, Evaluation] = {"avatars": AVATARS, "pets": PETS}
WAYS = ("words", "examples", "examples alone", "no encoder", "scorer")
EXAMPLES = 20
DRAWN = 4000  # parameters among which renders are chosen
LEVEL = 0.1
_OWN_SEED = 7  # of pictures of the generator that no audit draws


def renders(evaluation: Evaluation, rows: NDArray[np.int64], seed: int, folder: Path) -> Path:
    """A folder with renders of these rows of the parameters that a seed draws."""
    if not folder.is_dir():
        pictures = evaluation.subject.render(parameters(evaluation, seed)[rows])
        with making(folder) as temporary:
            for row, picture in zip(rows, pictures, strict=True):
                Image.fromarray(picture).save(temporary / f"{row:05}.png")
    return folder


def parameters(evaluation: Evaluation, seed: int) -> Any:
    random = np.random.default_rng([seed, 44])
    return evaluation.subject.table.from_latents(random.standard_normal((DRAWN, LATENT_DIM)))


def having(evaluation: Evaluation, attribute: str, value: bool, seed: int) -> NDArray[np.int64]:
    """Rows of the first renders that have an attribute, or lack it."""
    return np.flatnonzero(evaluation.subject.truth.labels(parameters(evaluation, seed))[attribute] == value)[:EXAMPLES]


def folders(evaluation: Evaluation, attribute: str, seed: int, work: Path) -> tuple[Path, Path]:
    """Folders of renders with and without an attribute."""
    name = f"{evaluation.domain.name}-{attribute}-{seed}"
    with_it, without = (
        renders(evaluation, having(evaluation, attribute, value, seed), seed, work / "renders" / f"{name}-{value}")
        for value in (True, False)
    )
    return with_it, without


def scorer(evaluation: Evaluation, work: Path) -> Path:
    """The probe as an ONNX file that says itself what its input and its outputs are."""
    path = work / f"{evaluation.domain.name}-probe.onnx"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        task = MultiLabelTask(classes=evaluation.subject.truth.attributes)
        fed = Preprocessing(size=128, value_range=(-1.0, 1.0))
        save_onnx(Target(evaluation.probe(), name="probe", task=task, preprocessing=fed), path, resolution=128)
    return path


def given(evaluation: Evaluation, way: str, names: Mapping[str, str], seed: int, work: Path) -> dict[str, Any]:
    """Options of an audit of these attributes, name in the truth → prompt, given in one of the `WAYS`."""
    if way == "words":
        return {"attributes": list(names.values())}
    if way == "scorer":
        file = scorer(evaluation, work)
        return {"attributes": [f"{name}=scorer:{file}#{name}" for name in names]}
    attributes = []
    for name in names:
        with_it, without = folders(evaluation, name, seed, work)
        beside = "" if way == "examples alone" else f",without:{without}"
        attributes.append(f"{name}=examples:{with_it}{beside}")
    return {"attributes": attributes, **({"text_encoder": "none", "labels": []} if way == "no encoder" else {})}


def planted_targets(evaluation: Evaluation, chosen: Sequence[str] | None = None) -> list[str]:
    """The domain's targets that have something planted, or those of them that are ``chosen``."""
    targets = Benchmark(evaluation).targets
    return [name for name, about in targets.items() if about.planted is not None and name in (chosen or targets)]


def audited(
    evaluation: Evaluation, way: str, seed: int, images: int, names: Sequence[str], work: Path, cache: Path
) -> dict[str, Any]:
    """Mean changes by target and attribute, on one seed's images."""
    domain, benchmark = evaluation.domain, Benchmark(evaluation)
    planted = {name: benchmark.targets[name] for name in names}
    begun = time.perf_counter()
    diagnoser = Diagnoser(
        generator=domain.name,
        target=f"{domain.name}:{next(iter(planted))}",
        search_options=ENDS,
        level=1.0,  # an attribute that would be refused is counted among refusals, and audited here all the same
        cache=cache,
        **given(evaluation, way, benchmark.attributes, seed, work),
    )
    directions = diagnoser.edit_directions()
    calibrated = diagnoser.calibrated_range(directions)
    styles = diagnoser.models.styles([seed * SEEDS_PER_RUN + i for i in range(images)])
    changes = np.zeros((len(planted), len(benchmark.attributes), images))

    def keep(results: list[tuple[int, Trial, SearchResult]]) -> None:
        for which, trial, result in results:
            changes[which, trial.attribute or 0, trial.image] = result.change

    targets = [domain.target(name) for name in planted]
    if way == "no encoder":
        targets = [target.replaced(labels=()) for target in targets]
    diagnoser.search_targets(targets, styles, directions, calibrated, keep)
    table = {}
    for row, (name, about) in zip(changes.mean(axis=2), planted.items(), strict=True):
        told = zip(benchmark.attributes, row, strict=True)
        table[name] = {attribute: round(float(value), 4) for attribute, value in told if attribute != about.attribute}
    tops = {name: max(row, key=lambda attribute: row[attribute]) for name, row in table.items()}
    return {
        "changes": table,
        "first": {name: tops[name] == about.planted for name, about in planted.items()},
        "strength": [round(value, 3) for value in directions.strength],
        "floor": [round(value, 3) for value in directions.noise_floor],
        "seconds": round(time.perf_counter() - begun, 1),
    }


def refusals(evaluation: Evaluation, seed: int, work: Path, cache: Path) -> dict[str, dict[str, list[bool]]]:
    """Which folders are refused, by kind and way: those drawn at random, and those that show an attribute."""
    domain, attributes = evaluation.domain, list(Benchmark(evaluation).attributes)
    random = np.random.default_rng([seed, 45])
    root = work / "renders"
    told: dict[str, dict[str, list[bool]]] = {}
    drawn = [random.permutation(DRAWN)[: 2 * EXAMPLES] for _ in range(4)]
    chance = [
        tuple(
            renders(evaluation, rows, seed, root / f"{domain.name}-random-{seed}-{number}-{half}")
            for half, rows in enumerate(np.split(both, 2))
        )
        for number, both in enumerate(drawn)
    ]
    of_generator = [own_pictures(evaluation, seed, number, root) for number in range(4)]
    shown = [folders(evaluation, attribute, seed, work) for attribute in attributes]
    for way, options in (("encoder", {}), ("no encoder", {"text_encoder": "none", "labels": []})):
        kinds = {
            "random renders, without": [f"examples:{a},without:{b}" for a, b in chance],
            "random pictures of the generator": [f"examples:{a}" for a in of_generator],
            "attributes, without": [f"examples:{a},without:{b}" for a, b in shown],
            "attributes alone": [f"examples:{a}" for a, _ in shown],
        }
        told[way] = {kind: refused(domain.name, sources, options, cache) for kind, sources in kinds.items()}
    return told


def own_pictures(evaluation: Evaluation, seed: int, number: int, root: Path) -> Path:
    """A folder with pictures of the generator that were drawn at random."""
    folder = root / f"{evaluation.domain.name}-own-{seed}-{number}"
    if not folder.is_dir():
        _, pictures = evaluation.generated(EXAMPLES, 1000 * _OWN_SEED + 10 * seed + number)
        with making(folder) as temporary:
            for place, picture in enumerate(pictures.numpy()):
                Image.fromarray(picture).save(temporary / f"{place:02}.png")
    return folder


def refused(domain: str, sources: Sequence[str], options: dict[str, Any], cache: Path) -> list[bool]:
    """Which of these sources of an attribute are refused, each alone."""
    names = [f"x{number}" for number in range(len(sources))]
    models = Diagnoser(
        generator=domain,
        target=f"{domain}:{EVALUATIONS[domain].domain.target_names()[0]}",
        attributes=[f"{name}={source}" for name, source in zip(names, sources, strict=True)],
        cache=cache,
        **options,
    ).models

    def is_refused(name: str) -> bool:
        try:
            sampling = models.sampling(SAMPLES)
            check_scores(models.generator, models.measuring_encoder, [name], sampling=sampling, level=LEVEL)
        except DirectionError:
            return True
        return False

    return [is_refused(name) for name in names]


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """By domain and way in how many seeds each planted attribute comes first; and how many folders are refused."""
    figures: dict[str, Any] = {}
    for key, run in runs.items():
        domain, way, _ = key.split(" | ")
        of_way = figures.setdefault(domain, {}).setdefault(way, {})
        if way == "refusals":
            for encoder, kinds in run.items():
                for kind, refused in kinds.items():
                    count = of_way.setdefault(f"{kind} ({encoder})", {"folders": 0, "refused": 0})
                    count["folders"] += len(refused)
                    count["refused"] += sum(refused)
            continue
        for name, first in run["first"].items():
            count = of_way.setdefault(name, {"seeds": 0, "first": 0})
            count["seeds"] += 1
            count["first"] += first
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/sources.py", description=__doc__)
    parser.add_argument("--seeds", default="100-109", help="such as 100-109")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--domains", nargs="+", default=list(EVALUATIONS), choices=EVALUATIONS)
    parser.add_argument("--ways", nargs="+", default=[*WAYS, "refusals"], choices=[*WAYS, "refusals"])
    parser.add_argument("--targets", nargs="+", help="of both domains; by default all that have something planted")
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--out", type=Path, required=True, help="folder of renders and of what was measured")
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    stored = json.loads(options.json.read_text(encoding="utf-8")) if options.json and options.json.is_file() else {}
    if stored and stored["images"] != options.images:
        parser.error(f"{options.json} was measured with other images: choose another file")
    runs: dict[str, Any] = stored.get("runs", {})
    for seed in seeds_of(options.seeds):
        for domain in options.domains:
            evaluation, cache = EVALUATIONS[domain], options.out / "cache"
            names = planted_targets(evaluation, options.targets)
            for way in options.ways if names else ():
                key = f"{domain} | {way} | {seed}"
                path = options.out / "runs" / f"{domain}-{way.replace(' ', '-')}-{seed}-{options.images}.json"
                if key not in runs and path.is_file():
                    runs[key] = json.loads(path.read_text(encoding="utf-8"))
                if key not in runs or (way != "refusals" and not set(names) <= runs[key]["first"].keys()):
                    if way == "refusals":
                        run: Any = refusals(evaluation, seed, options.out, cache)
                    else:
                        run = audited(evaluation, way, seed, options.images, names, options.out, cache)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    atomic.write_json(path, run)
                    runs[key] = run
                print(domain, way, seed, runs[key].get("first", ""), runs[key].get("seconds", ""), flush=True)
                if options.json:
                    about = {"images": options.images, "examples": EXAMPLES, "level": LEVEL}
                    figures = {"figures": added_up(runs), **about, "environment": describe_environment(), "runs": runs}
                    atomic.write_json(options.json, figures)
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
