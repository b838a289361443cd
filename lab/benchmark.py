"""``python -m lab.DOMAIN.benchmark``

Does the audit find planted biases and weaknesses, and does it rank by the truth?

All targets of a domain are audited on the same images: single mode, scan, one fixed list of attributes. For each target
with something planted that attribute should be the top bar, for its sound twin it should not; over all targets together
sensitivities should follow the true effects, measured on renders with the attribute set and unset.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.evaluation import Evaluation
from lab.pictures import predict, to_uint8
from zoom_engine.audit.records import Record
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.domains.weights_files import load_network
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.generators import StyleRows
from zoom_engine.search import Scan, SearchResult, Trial, describe_search
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN
from zoom_engine.statistics.agreement import mid_ranks
from zoom_engine.text.prompts import fill_template
from zoom_engine.text.templates import GENERAL

LARGE, SMALL = 0.2, 0.05
METHOD = 5  # raise it with any change of directions, range or search that changes sensitivities
BOOTSTRAP = 2000
IMAGES = 24
WHOLE_GRID: dict[str, Any] = {"monotone": None, "outer_points": 4}  # what the half costs: bench/scan_grid.py
KINDS = CLASSIFIERS, OTHERS = "classifiers", "other tasks"

Table = dict[str, dict[str, float]]
"""By target and attribute."""


@dataclass(frozen=True)
class Planted:
    """What is known of a shipped target: the attribute that it decides (classifiers), the one that was planted into it,
    and the name of its sound twin; None where there is none."""

    attribute: str | None
    planted: str | None
    twin: str | None


@dataclass(frozen=True)
class Benchmark:
    """Audits targets of the domain of ``evaluation``, all but where some are named, on the same images and compares
    with its truth."""

    evaluation: Evaluation
    only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.evaluation.domain.name

    @cached_property
    def attributes(self) -> dict[str, str]:
        """The domain's default attributes: name in the truth → prompt."""
        domain = self.evaluation.domain
        return {domain.subject.prompts[prompt]: prompt for prompt in domain.attributes}

    @cached_property
    def targets(self) -> dict[str, Planted]:
        """By name."""
        domain = self.evaluation.domain
        classifiers, targets = domain.classifier_names(), {}
        for name in self.only or domain.target_names():
            info = load_network(domain.weights / "targets" / f"{name}.safetensors")[1]
            attribute = str(info["outputs"][0]) if name in classifiers else None
            planted = info.get("planted")
            targets[name] = Planted(attribute, planted, re.split("-biased-|-weak-", name)[0] if planted else None)
        if not targets:
            raise ConfigError(f"{domain.weights / 'targets'} holds no target: train them first")
        for name, target in targets.items():
            if target.planted and (target.twin == name or target.twin not in targets):
                raise ConfigError(
                    f"no sound twin of {name}: name them TASK and TASK-biased-ATTRIBUTE, or TASK-weak-ATTRIBUTE"
                )
            if target.planted and target.planted not in self.attributes:
                raise ConfigError(f"{name} looks at {target.planted}, for which audits of {self.name} do not ask")
        return targets

    def kinds(self) -> dict[str, list[str]]:
        """Names of targets, apart by whether they are classifiers of one attribute: their sensitivities are changes of
        a probability, those of others of whatever their task measures."""
        others = {name: target.attribute is None for name, target in self.targets.items()}
        rows = {kind: [name for name, other in others.items() if other == (kind == OTHERS)] for kind in KINDS}
        return {kind: names for kind, names in rows.items() if names}

    def audit_all(self, seed: int, images: int, *, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sensitivities of every target to every attribute on one seed's images, and whether flips kept the truth.

        ``sensitivity[target][attribute]`` is within the calibrated range, ``paper`` within ±30; a target's own
        attribute is left out. ``kept`` counts flipped counterfactuals of classifiers, and those whose own attribute the
        probe sees unchanged.
        """
        names, domain = list(self.targets), self.evaluation.domain
        diagnoser = Diagnoser(
            generator=self.name,
            target=f"{self.name}:{names[0]}",
            attributes=domain.attributes,  # said here: by default this target's own would be missing
            search_options=WHOLE_GRID,
            progress=forced,
            **(options or {}),
        )
        directions = diagnoser.edit_directions()
        calibrated = diagnoser.calibrated_range(directions)
        styles = diagnoser.models.styles([seed * SEEDS_PER_RUN + i for i in range(images)])
        results: list[tuple[int, Trial, SearchResult]] = []
        targets = [domain.target(name) for name in names]
        evaluators = diagnoser.search_targets(targets, styles, directions, calibrated, results.extend)
        truth_kept = self._truth_kept(results, evaluators[0], styles)
        return {"seed": seed, "images": images, **self._means(results, images), "kept": truth_kept}

    def _means(self, results: list[tuple[int, Trial, SearchResult]], images: int) -> dict[str, Any]:
        shape = (len(self.targets), len(self.attributes), images)
        change, paper, flipped = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for which, unit, result in results:
            place = which, unit.attribute, unit.image
            change[place] = result.change
            paper[place] = result.paper.change if result.paper else np.nan
            flipped[place] = result.flipped

        def table(values: NDArray[np.float64]) -> Table:
            return {
                name: {
                    attribute: float(f"{values[i, j].mean():.4g}")  # digits, not decimals: a sound target's are tiny
                    for j, attribute in enumerate(self.attributes)
                    if attribute != target.attribute
                }
                for i, (name, target) in enumerate(self.targets.items())
            }

        return {"sensitivity": table(change), "paper": table(paper), "flip_rate": table(flipped)}

    @torch.no_grad()
    def _truth_kept(
        self, results: list[tuple[int, Trial, SearchResult]], evaluator: Evaluator, styles: StyleRows
    ) -> dict[str, list[int]]:
        """Per classifier: [flipped counterfactuals, those in which the probe sees its own attribute unchanged]."""
        judge, truth = self.evaluation.probe(), self.evaluation.subject.truth
        originals = (
            torch.cat([predict(judge, to_uint8(evaluator.render(part))) for part in torch.split(styles[:], 100)]) > 0
        )
        decided, attributes = [target.attribute for target in self.targets.values()], list(self.attributes)
        counts = {name: [0, 0] for name, target in self.targets.items() if target.attribute is not None}
        flips = [
            (which, unit, result)
            for which, unit, result in results
            if result.flipped and decided[which] is not None and attributes[unit.attribute or 0] != decided[which]
        ]
        for begin in range(0, len(flips), 100):
            part = flips[begin : begin + 100]
            rows = torch.tensor([unit.image for _, unit, _ in part])
            weights = torch.from_numpy(np.stack([result.edit_weights for _, _, result in part])).float()
            seen = predict(judge, to_uint8(evaluator.render(styles[rows], weights))) > 0
            for (which, unit, _), row in zip(part, seen, strict=True):
                column = truth.attributes.index(str(decided[which]))
                count = counts[list(self.targets)[which]]
                count[0] += 1
                count[1] += int(bool(row[column]) == bool(originals[unit.image, column]))
        return counts

    def top_bars(self, runs: Sequence[Mapping[str, Any]], key: str = "sensitivity") -> dict[str, dict[str, int]]:
        """Per target with something planted: in how many runs that is the top bar, for it and for its sound twin.

        Higher than every other bar, that is: bars that are all 0 have no top.
        """

        def leads(row: dict[str, float], planted: str) -> bool:
            return all(row[planted] > value for attribute, value in row.items() if attribute != planted)

        return {
            name: {
                "biased": sum(leads(run[key][name], target.planted) for run in runs),
                "sound": sum(leads(run[key][target.twin], target.planted) for run in runs),
            }
            for name, target in self.targets.items()
            if target.planted is not None
        }

    def run(
        self,
        seeds: Sequence[int],
        images: int,
        *,
        folder: Path | None = None,
        options: dict[str, Any] | None = None,
        together: Mapping[str, int] | None = None,
    ) -> dict[str, Any]:
        """All figures of the benchmark, JSON-ready; ``together`` names classifiers that are searched with several
        attributes at once (`counterfactuals`), and on how many of the first seed's images.

        With ``folder`` each seed's audit is kept there as ``seed-N.json`` when it ends, and taken from there by a later
        call. Raises ConfigError for a file of another number of images, other weights or another search.
        """
        effects = self._stored(folder, "effects.json", None, lambda: self.evaluation.true_effects(list(self.targets)))
        runs = []
        for seed in forced(seeds, f"Benchmark of {len(seeds)} seeds", unit="seed"):
            audit = partial(self.audit_all, seed, images, options=options)
            runs.append(self._stored(folder, f"seed-{seed}.json", images, audit))
        multi = {
            name: self._stored(
                folder, f"counterfactuals-{name}.json", count, partial(self.counterfactuals, name, seeds[0], count)
            )
            for name, count in (together or {}).items()
        }
        return {
            "seeds": list(seeds),
            "images": images,
            "targets": {name: asdict(target) for name, target in self.targets.items()},
            "top_bars": {"calibrated": self.top_bars(runs), "paper": self.top_bars(runs, "paper")},
            "agreement": {
                kind: {
                    span: agreement({name: mean_table(runs, key)[name] for name in names}, effects)
                    for span, key in (("calibrated", "sensitivity"), ("paper", "paper"))
                }
                for kind, names in self.kinds().items()
            },
            "truth_kept": truth_kept_rate(runs),
            "counterfactuals": multi,
            "effects": effects,
            "runs": runs,
            "environment": describe_environment(),
        }

    @torch.no_grad()
    def counterfactuals(self, name: str, seed: int, images: int) -> dict[str, Any]:
        """Several attributes together, as in the paper's Fig. 6: of one seed's images how many flip the
        classifier ``name``, how many decisively, and in how many of the latter the probe sees its own attribute
        unchanged; ``ssim`` is the median of the decisive ones."""
        run = Diagnoser(generator=self.name, target=f"{self.name}:{name}", mode="multi", progress=forced)
        records = run.run(images=images, seed=seed).records
        flips = [record for record in records if record.flipped and record.decisive]
        judge = self.evaluation.probe()
        column = self.evaluation.subject.truth.attributes.index(str(self.targets[name].attribute))
        unchanged = 0
        for pair in before_and_after(run, flips):
            before, after = (predict(judge, pictures)[:, column] > 0 for pictures in pair)
            unchanged += int((before == after).sum())
        return {
            "seed": seed,
            "images": images,
            "search": run.models.search.name,
            "flips": sum(record.flipped for record in records),
            "decisive": len(flips),
            "kept": unchanged,
            "ssim": round(float(np.median([record.ssim for record in flips])), 4) if flips else None,
        }

    def _stored(self, folder: Path | None, name: str, images: int | None, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, from the file ``name`` if it is there, into it if it is not."""
        if folder is None:
            return make()
        path, made_by = folder / name, {**self._made_by, "images": images}
        if path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if {**stored["made_by"], "method": METHOD} != made_by:
                raise ConfigError(f"{path} is of another benchmark ({stored['made_by']}): choose another folder")
            return stored["figures"]
        older = [p.name for p in folder.glob("*.json") if _method_of(p) != METHOD]
        if older:  # what is finished is read, and not added to
            raise ConfigError(f"{folder} holds figures of another method ({older[0]}): choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        figures = make()
        seconds = round(time.monotonic() - started)
        atomic.write_json(
            path, {"made_by": made_by, "environment": describe_environment(), "seconds": seconds, "figures": figures}
        )
        return figures

    @cached_property
    def _made_by(self) -> dict[str, Any]:
        """What the figures depend on, short: weights, and how sensitivities are searched for."""
        domain = self.evaluation.domain
        weights = [domain.generator().content_hash, self._weights_of_words()]
        weights += [domain.target(name).content_hash for name in self.targets]
        return {
            "method": METHOD,
            "search": {name: value for name, value in describe_search(Scan(**WHOLE_GRID)).items() if value is not None},
            "weights": hashlib.sha256(" ".join(weights).encode()).hexdigest()[:16],
        }

    def _weights_of_words(self) -> str:
        """SHA-256 (hex) of all weights of the text encoder but the rows of tokens that no prompt of the benchmark has:
        words that it learns beside them change none of the figures."""
        domain = self.evaluation.domain
        encoder = domain.text_encoder()
        prompts = [domain.neutral, *domain.attributes]
        prompts += [label for name in self.targets for label in domain.target(name).labels]
        sentences = [fill_template(template, prompt) for prompt in prompts for template in ("{}", *GENERAL)]
        tokens = torch.unique(encoder.tokenizer(sentences, context_length=encoder.context_length))
        digest = hashlib.sha256()
        for name, value in sorted(encoder.model.state_dict().items()):
            read = value[tokens] if name == "token_embedding.weight" else value
            digest.update(name.encode() + read.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def command(self) -> None:
        """Read the command line, run, print and write."""
        module = f"python -m lab.{self.name}.benchmark"
        parser = argparse.ArgumentParser(prog=module, description="Planted biases and the truth, over several seeds.")
        parser.add_argument("--seeds", default="100-109", help="such as 100-109")
        parser.add_argument("--images", type=int, default=IMAGES, help=f"of each seed ({IMAGES})")
        parser.add_argument(
            "--folder", type=Path, help="keep each finished seed here, and go on from those that are there"
        )
        parser.add_argument(
            "--together", nargs="*", default=[], metavar="NAME=IMAGES", help="classifiers to flip by several attributes"
        )
        parser.add_argument("--json", type=Path, help="write the figures here")
        options = parser.parse_args()
        first, _, last = options.seeds.partition("-")
        seeds = range(int(first), int(last or first) + 1)
        together = {name: int(count) for name, _, count in (text.partition("=") for text in options.together)}
        figures = self.run(seeds, options.images, folder=options.folder, together=together)
        if options.json:
            atomic.write_json(options.json, figures)
        print(json.dumps({k: figures[k] for k in ("top_bars", "agreement", "truth_kept", "counterfactuals")}, indent=1))


def _method_of(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))["made_by"]["method"]


def before_and_after(run: Diagnoser, records: Sequence[Record]) -> Iterator[tuple[Tensor, Tensor]]:
    """The unedited pictures of records and the edited ones, uint8 ``[n, R, R, 3]`` each, 100 at a time."""
    evaluator = run.models.evaluator(run.edit_directions())
    for part in (records[begin : begin + 100] for begin in range(0, len(records), 100)):
        styles = run.models.styles([record.seed for record in part])[:]
        weights = torch.tensor([record.edit_weights for record in part])
        yield to_uint8(evaluator.render(styles)), to_uint8(evaluator.render(styles, weights))


def agreement(table: Table, effects: Table) -> dict[str, Any]:
    """AUC of large against small true effects (None where either are missing), and Spearman's correlation with its 95 %
    bootstrap interval."""
    pairs = [(table[name][a], effects[name][a]) for name in table for a in table[name]]
    values, truth = np.array(pairs).T
    large, small = values[truth >= LARGE], values[truth < SMALL]
    auc = None
    if len(large) and len(small):
        wins = (large[:, None] > small[None, :]).mean() + 0.5 * (large[:, None] == small[None, :]).mean()
        auc = round(float(wins), 4)
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(BOOTSTRAP):
        rows = rng.integers(0, len(values), len(values))
        resampled.append(spearman(values[rows], truth[rows]))
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return {
        "pairs": len(pairs),
        "large": len(large),
        "small": len(small),
        "auc": auc,
        "spearman": round(spearman(values, truth), 4),
        "spearman_ci95": [round(float(low), 4), round(float(high), 4)],
    }


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation; ties share their mean rank. NaN where all of either are equal."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(mid_ranks(a), mid_ranks(b))[0, 1])


def truth_kept_rate(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over all runs: of the flipped counterfactuals, the share in which the probe sees the own attribute unchanged."""
    per_target = {name: [sum(run["kept"][name][i] for run in runs) for i in (0, 1)] for name in runs[0]["kept"]}
    flips, unchanged = (sum(row[i] for row in per_target.values()) for i in (0, 1))
    return {"flips": flips, "kept": round(unchanged / flips, 4) if flips else None, "per_target": per_target}


def mean_table(runs: Sequence[Mapping[str, Any]], key: str) -> Table:
    """The mean of ``key`` over the runs, in the form of a run's."""
    return {
        name: {a: float(np.mean([run[key][name][a] for run in runs])) for a in row}
        for name, row in runs[0][key].items()
    }
