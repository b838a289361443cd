"""``python bench/samples.py [--json OUT]``: how many pictures do edit directions need?

Directions of the embedded domains' attributes are found on 128 to 2,048 pictures, of several seeds each, and held
against directions of all these pictures (cosine) and against the probe, a classifier trained on renders that no search
sees: *purity* is how far an edit moves its own attribute's logit, divided by how far it moves that of the attribute
which it moves most of those that do not hang together with it, each in standard deviations over unedited pictures. What
edits do to the probe is told by a linear regression of its logits on the latents of other pictures.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - finds lab
import torch
from torch import Tensor

from lab.evaluation import Evaluation
from lab.pictures import predict
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.directions import EditDirections, find_directions
from zoom_engine.directions.relevance import Sampling
from zoom_engine.runtime import compiled_network
from zoom_engine.targets.target import probe_images

COUNTS = (128, 256, 512, 1024, 2048)
SEEDS = (1, 2, 3, 4)
PROBED, PROBED_SEED = 4096, 5


class Probe:
    """What an edit does to the probe's logits, in their standard deviations."""

    def __init__(self, evaluation: Evaluation) -> None:
        domain = evaluation.domain
        generator, synthesizer = domain.generator(), domain.synthesizer()
        judge, _ = compiled_network(evaluation.probe(), probe_images(128, 128), synthesizer.networks)
        drawn = list(Sampling(PROBED, PROBED_SEED).draw(generator))
        latents = torch.cat([w for w, _ in drawn]).double()
        parts = forced(torch.split(torch.cat([codes for _, codes in drawn]), 128), "Probing", unit="batch")
        logits = torch.cat([predict(judge, evaluation.drawn(part)) for part in parts]).double()
        latents, logits = latents - latents.mean(0), logits - logits.mean(0)
        covariance = latents.T @ latents + 1e-3 * latents.square().sum() / len(latents.T) * torch.eye(len(latents.T))
        on_latent = torch.linalg.solve(covariance, latents.T @ logits)
        self._free = ~generator.space.fixed_mask()
        self._to_latent = torch.linalg.pinv(generator.affine_weight().double()[self._free], rtol=1e-6)
        self._on_latent = on_latent / (latents @ on_latent).std(0)
        self._truth, self._prompts = evaluation.subject.truth, domain.subject.prompts

    def purity(self, directions: EditDirections) -> list[float]:
        names = list(self._truth.attributes)
        effects = directions.matrix.double()[:, self._free] @ self._to_latent.T @ self._on_latent
        ratios = []
        for effect, prompt in zip(effects.abs(), directions.attributes, strict=True):
            asked = self._prompts[prompt]
            others = [i for i, name in enumerate(names) if name != asked and name not in self._truth.exclusions(asked)]
            ratios.append(float(effect[names.index(asked)] / effect[others].max()))
        return ratios


def measure(evaluation: Evaluation, cache: Path) -> dict[str, Any]:
    """The figures of one domain, by the number of pictures."""
    domain, probe = evaluation.domain, Probe(evaluation)
    generator, encoder, synthesizer = domain.generator(), domain.text_encoder(), domain.synthesizer()

    def directions_of(seed: int, samples: int | None) -> EditDirections:
        return find_directions(
            generator,
            encoder,
            list(domain.attributes),
            neutral=domain.neutral,
            samples=samples,
            seed=seed,
            synthesizer=synthesizer,
            cache=cache,
            progress=forced,
        )

    std = Sampling(1, cache=cache).statistics(generator).std
    most = {seed: _units(directions_of(seed, COUNTS[-1]), std) for seed in SEEDS}
    rows: dict[str, Any] = {}
    for count in COUNTS:
        purities, cosines = [], []
        for seed in SEEDS:
            directions = directions_of(seed, count)
            others = torch.stack([unit for other, unit in most.items() if other != seed]).mean(0)
            purities.append(probe.purity(directions))
            cosines.append(torch.cosine_similarity(_units(directions, std), others))
        purity, cosine = torch.tensor(purities), torch.stack(cosines)
        rows[str(count)] = {
            "purity": round(float(purity.log().mean().exp()), 3),
            "least_purity": round(float(purity.log().mean(0).exp().min()), 3),
            "cosine": round(float(cosine.mean()), 4),
            "least_cosine": round(float(cosine.mean(0).min()), 4),
        }
        print(domain.name, count, rows[str(count)], flush=True)
    return {"by_pictures": rows, "by_default": [directions_of(seed, None).provenance["samples"] for seed in SEEDS]}


def _units(directions: EditDirections, std: Tensor) -> Tensor:
    return torch.where(std > 0, directions.matrix / std.clamp(min=1e-30), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python bench/samples.py", description=__doc__)
    parser.add_argument("--domains", nargs="+", default=["avatars", "pets"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.domains:
            evaluation = importlib.import_module(f"lab.{name}.evaluate").EVALUATION
            figures[name] = measure(evaluation, Path(folder))
    print(json.dumps(figures, indent=1))
    if given.json:
        about = {"seeds": SEEDS, "probed": PROBED}
        atomic.write_json(given.json, {**about, "domains": figures, "environment": describe_environment()})


if __name__ == "__main__":
    main()
