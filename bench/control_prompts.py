"""``python bench/control_prompts.py --out FOLDER --json OUT``: do meaningless control prompts move targets?

They are audited as if somebody had typed them (`as attributes`), within the range of their own text scores, beside
eight random directions on the same images; and the shipped way (`beside attributes`), followed as far as pictures
change by as much as by the attributes of the domain. Of each target: the mean change by each prompt, its verdict, and
that by random directions, on average and by the strongest. Audits that FOLDER holds are not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kept_audits import kept_audit

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.directions import control_prompts
from zoom_engine.statistics.table import verdict_in_words

TARGETS = (
    *("avatars:mustache", "avatars:mustache-biased-smiling", "avatars:mustache-biased-pale-skin"),
    *("avatars:eyeglasses", "avatars:eyeglasses-biased-smiling", "avatars:age", "avatars:age-biased-beard"),
    *("pets:dog", "pets:dog-biased-collar", "pets:dog-biased-fur", "pets:dog-biased-background"),
)
WAYS = ("as attributes", "beside attributes")


def audit(target: str, way: str, seed: int, images: int, out: Path) -> Diagnosis:
    """The audit of one target on one seed's images, made or read."""
    path = out / f"{target.replace(':', '-')}-{way.partition(' ')[0]}-{seed}"

    def diagnoser() -> Diagnoser:
        name = target.partition(":")[0]
        options: dict[str, Any] = {"generator": name, "target": target, "progress": forced}
        if way == "as attributes":
            domain = find_domain(name)
            assert domain is not None
            options |= {
                "attributes": control_prompts(domain.text_encoder(), domain.neutral),
                "level": 1.0,
                "random_directions": 8,
            }
        return Diagnoser(**options)

    return kept_audit(path, diagnoser, images=images, seed=seed)


def told(diagnosis: Diagnosis, way: str) -> dict[str, Any]:
    """What prompts and random directions do in an audit, and the p-value of the prompts' mean change beside these."""
    summary = diagnosis.summary()
    assert summary.baseline is not None
    random = {"mean": round(summary.baseline.mean_change, 4), "strongest": round(summary.baseline.strongest, 4)}
    if way == "as attributes":
        rows = sorted(summary.sensitivity, key=lambda row: row.attribute.text)
        prompts = {row.attribute.text: round(row.mean_change or 0.0, 4) for row in rows}
        verdicts = {row.attribute.text: verdict_in_words(row) for row in rows}
        return {"random": random, "prompts": prompts, "verdicts": verdicts}
    assert summary.control_prompts is not None
    attributes = {row.attribute.text: round(row.mean_change or 0.0, 4) for row in summary.sensitivity}
    prompts = {prompt: round(change, 4) for prompt, change in summary.control_prompts.prompts.items()}
    return {"random": random, "prompts": prompts, "attributes": attributes}


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """By way, for sound and for biased targets: how far prompts go beside random directions, and how often they are
    sensitive and specific."""
    figures: dict[str, Any] = {}
    for way in WAYS:
        for kind in ("sound", "biased"):
            of_way = [(key, run) for key, run in runs.items() if key.startswith(f"{way}:")]
            of_kind = [run for key, run in of_way if ("-biased-" in key) == (kind == "biased")]
            if not of_kind:
                continue
            changes = [(change, run["random"]) for run in of_kind for change in run["prompts"].values()]
            figures_of_kind = {
                "audits": len(of_kind),
                "random": round(float(np.mean([run["random"]["mean"] for run in of_kind])), 4),
                "prompts": round(float(np.mean([change for change, _ in changes])), 4),
                "beyond_the_strongest": sum(change > random["strongest"] for change, random in changes),
                "of": len(changes),
            }
            verdicts = [verdict for run in of_kind for verdict in run.get("verdicts", {}).values()]
            specific = {"specific": verdicts.count("sensitive, specific")} if verdicts else {}
            figures.setdefault(way, {})[kind] = figures_of_kind | specific
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/control_prompts.py", description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    given = parser.parse_args(arguments)
    runs: dict[str, Any] = {}
    for way in given.ways:
        for target in given.targets:
            runs[f"{way}: {target}"] = told(audit(target, way, given.seed, given.images, given.out), way)
            if given.json:
                about = {"images": given.images, "seed": given.seed, "environment": describe_environment()}
                atomic.write_json(given.json, {**about, "figures": added_up(runs), "runs": runs})
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
