"""``python bench/discoveries.py --json OUT``: does a discovery find what was planted, and call nothing else?

Each target is searched on the images of each seed, no attribute given. Of a target with a planted bias it is told
whether the planted attribute names one of the first three clusters, and whether that one is called; the word itself
counts, or one that the domain's texts use for it. Of its sound twin, what is called. Runs that OUT holds are not made
again.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kept_audits import seeds_of

from zoom_engine import Discoverer, Discovery
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.domains.avatars.wording import ATTRIBUTE_PHRASES as OF_AVATARS
from zoom_engine.domains.cars.wording import ATTRIBUTE_PHRASES as OF_CARS
from zoom_engine.domains.pets.wording import ATTRIBUTE_PHRASES as OF_PETS
from zoom_engine.domains.places.wording import ATTRIBUTE_PHRASES as OF_PLACES

PLANTED = {
    "avatars:eyeglasses-biased-smiling": "smiling",
    "avatars:mustache-biased-smiling": "smiling",
    "avatars:mustache-biased-pale-skin": "pale_skin",
    "avatars:age-biased-beard": "beard",
    "pets:dog-biased-collar": "collar",
    "pets:dog-biased-fur": "ginger_fur",
    "pets:dog-biased-background": "on_grass",
    "people:age-biased-smiling": "smiling",
    "people:beard-biased-dark-skin": "dark skin",
    "people:eyeglasses-biased-outdoors": "outdoors",
    "people:gender-biased-eyeglasses": "eyeglasses",
    "people:smiling-biased-hat": "hat",
    "places:church-biased-night": "night",
    "places:church-biased-snow": "snow",
    "places:church-biased-trees": "trees",
    "cars:sports-biased-night": "night",
    "cars:sports-biased-red": "red",
    "cars:sports-biased-street": "street",
}
SOUND = (
    *("avatars:eyeglasses", "avatars:mustache", "avatars:age", "pets:dog", "people:smiling", "people:eyeglasses"),
    *("places:church", "cars:sports"),
)
FIRST = 3
WORDING_OF = {"avatars": OF_AVATARS, "pets": OF_PETS, "places": OF_PLACES, "cars": OF_CARS}


@functools.cache
def of_target(target: str) -> Discoverer:
    """Its models, loaded once."""
    return Discoverer(generator=target.partition(":")[0], target=target)


def says(name: str, target: str, attribute: str) -> bool:
    """Whether a prompt holds one of the domain's own words for an attribute; people have none but the attribute."""
    wording = WORDING_OF.get(target.partition(":")[0])
    return any(word in name for word in (wording[attribute].present if wording else (attribute,)))


def figures_of(discovery: Discovery, target: str) -> dict[str, Any]:
    """A run, as OUT keeps it."""
    clusters = [
        {"name": c.name, "verdict": c.verdict, "images": c.images, "of": c.held_out, "mean_change": c.mean_change,
         "null": c.baseline, "score": c.score, "runner_up": c.runner_up}
        for c in discovery.clusters
    ]  # fmt: skip
    named = {} if target not in PLANTED else {"planted": PLANTED[target], "found": place_of(discovery, target)}
    return {"clusters": clusters, **named}


def place_of(discovery: Discovery, target: str) -> int | None:
    """At which place the planted attribute is, counted from 1; None where it names no cluster."""
    names = enumerate((cluster.name or "" for cluster in discovery.clusters), start=1)
    return next((place for place, name in names if says(name, target, PLANTED[target])), None)


def added_up(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Over the seeds of each target: how often the planted attribute is found and called, and what else is called."""
    figures: dict[str, Any] = {}
    for target in dict.fromkeys(key.rpartition("@")[0] for key in runs):
        of_target = [run for key, run in runs.items() if key.rpartition("@")[0] == target]
        sensitive = [[c["name"] for c in run["clusters"] if c["verdict"] == "sensitive"] for run in of_target]
        figures[target] = {"seeds": len(of_target)}
        if target in PLANTED:
            planted = [run["found"] for run in of_target]
            figures[target] |= {
                "planted": PLANTED[target],
                "among_first": sum(place is not None and place <= FIRST for place in planted),
                "first": sum(place == 1 for place in planted),
                "planted_sensitive": sum(any(says(n, target, PLANTED[target]) for n in names) for names in sensitive),
            }
        others = [
            n for names in sensitive for n in names if target not in PLANTED or not says(n, target, PLANTED[target])
        ]
        figures[target]["others_sensitive"] = sorted(others)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/discoveries.py", description=__doc__)
    parser.add_argument("--seeds", default="100-104", help="such as 100-104")
    parser.add_argument("--images", type=int, default=48, help="half of them are held out")
    parser.add_argument("--targets", nargs="+", default=[*PLANTED, *SOUND])
    parser.add_argument("--json", type=Path, required=True, help="runs and figures; runs that it holds are kept")
    given = parser.parse_args(arguments)
    stored = json.loads(given.json.read_text(encoding="utf-8")) if given.json.exists() else {}
    if stored and stored["images"] != given.images:
        parser.error(f"{given.json} was measured with other images: choose another file")
    runs: dict[str, Any] = stored.get("runs", {})
    for seed in seeds_of(given.seeds):
        for target in given.targets:
            if f"{target}@{seed}" not in runs:
                discovery = of_target(target).run(images=given.images, seed=seed)
                runs[f"{target}@{seed}"] = figures_of(discovery, target)
                result = {"images": given.images, "figures": added_up(runs), "environment": describe_environment()}
                atomic.write_json(given.json, {**result, "runs": runs})
    print(json.dumps(added_up(runs), indent=1))


if __name__ == "__main__":
    main()
