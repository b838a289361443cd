"""Train `lab.pets.prompted`: noise and a caption → a latent whose picture holds what the caption claims.

The teacher is the truth of the renderer: the claims are set in the parameters of a latent (`Truth.intervene`), and the
latent moves by as little as gives the parameters that changed (`latents_with`). No picture is needed. Captions are
those that the text encoder learned (`lab.pets.captions`); each meets other noise in every batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from lab.captions import TEMPLATES
from lab.pets.captions import captions, draw_caption
from lab.pets.prompted import POPULATION, WEIGHTS, PromptedMapping, normalised
from lab.training.loop import cosine, rng_for, run
from lab.training.renders import latents_for
from lab.training.saving import save_network
from zoom_engine.common.files.atomic import replacing
from zoom_engine.domains.parameters import LATENT_DIM, ParameterTable
from zoom_engine.domains.pets.domain import DOMAIN
from zoom_engine.domains.pets.parameters import SCHEME, Parameters
from zoom_engine.domains.subject import Subject

SEED, STEPS, BATCH, RATE = 61, 6_000, 512, 2e-3
CAPTIONS, POPULATION_SIZE, MOST_CLAIMS = 24_000, 64, 4
CLEAR = 0.03  # of its range: so far from its ends a parameter is set
ROUNDS = 3  # as a latent that moves changes its length, and with it all else


def train_prompted(work: Path, out: Path, *, steps: int = STEPS, count: int = CAPTIONS) -> None:
    """Train, and write weights and population beside `lab/pets/prompted.py`, or into ``out``."""
    texts, claims = claimed_captions(count, SEED)
    encoder = DOMAIN.text_encoder()
    embedded = torch.cat([encoder.embed_texts(texts[at : at + 256]) for at in range(0, count, 256)])
    torch.manual_seed(SEED)
    mapping = PromptedMapping()
    optimizer = torch.optim.AdamW(mapping.parameters(), lr=RATE, weight_decay=1e-4)

    def step(index: int) -> dict[str, float]:
        rng = rng_for(SEED, index)
        rows = rng.integers(0, count, BATCH)
        noise = rng.standard_normal((BATCH, LATENT_DIM)).astype(np.float32)
        wanted = torch.from_numpy(latents_with(noise, {name: column[rows] for name, column in claims.items()}))
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine(index, steps)
        loss = F.mse_loss(mapping(torch.from_numpy(noise), embedded[rows]), wanted)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        return {"mse": float(loss.detach())}

    state = {"mapping": mapping, "optimizer": optimizer}
    run("prompted", steps=steps, step=step, state=state, folder=work)
    save_network(mapping, out / WEIGHTS.name, {"domain": "pets", "recipe": [steps, BATCH, count], "seed": SEED})
    prompts = captions(
        Parameters.from_latents(latents_for(POPULATION_SIZE, SEED + 1)), SEED + 1, templates=["{}"], most=2
    )
    with replacing(out / POPULATION.name) as temporary:
        temporary.write_text("\n".join(["# true captions of random pets, of two attributes at most", *prompts]) + "\n")


def claimed_captions(count: int, seed: int) -> tuple[list[str], dict[str, NDArray[np.int8]]]:
    """``count`` true captions of random pets, and of each attribute whether they claim it (1), its absence (-1) or
    neither."""
    rng = np.random.default_rng(seed)
    truth = DOMAIN.subject.truth
    table = truth.margins(Parameters.from_latents(latents_for(count, seed)))
    claims = {name: np.zeros(count, dtype=np.int8) for name in truth.attributes}
    texts = []
    for place in range(count):
        row = {name: float(margins[place]) for name, margins in table.items()}
        text, chosen = draw_caption(row, rng, TEMPLATES, MOST_CLAIMS)
        texts.append(text)
        for name, present in chosen.items():
            claims[name][place] = 1 if present else -1
    return texts, claims


def latents_with(latents: NDArray[np.float32], claims: Mapping[str, NDArray[np.int8]]) -> NDArray[np.float32]:
    """Latents ``[n, 64]`` of mean square 1, near ``latents``, whose pictures hold the ``claims``: 1, -1 or 0 by
    attribute, ``[n]`` each."""
    subject: Subject[Any] = DOMAIN.subject
    before = subject.table.from_latents(latents)
    after = before
    for name, column in claims.items():
        for value in (1, -1):
            rows = np.flatnonzero(column == value)
            if len(rows):
                values = after.values.copy()
                values[rows] = subject.truth.intervene(after[rows], name, value == 1).values
                after = subject.table(values)
    matrix = SCHEME.factor_matrix
    back = np.linalg.solve(matrix.T @ matrix, matrix.T)
    moved = normalised(torch.from_numpy(latents).double())
    wanted = _factors(SCHEME.factors(latents), before, after)
    for _ in range(ROUNDS):
        moved = normalised(moved + torch.from_numpy((wanted - SCHEME.factors(moved.numpy())) @ back))
    return moved.float().numpy()


def _factors(factors: NDArray[np.float64], before: ParameterTable, after: ParameterTable) -> NDArray[np.float64]:
    """The ``factors`` ``[n, P]``, but where a parameter changed the one that gives its new value."""
    wanted = factors.copy()
    normal = NormalDist()
    colours = [SCHEME.column(name) for name in SCHEME.colours]
    for column, row in enumerate(SCHEME.columns):
        changed = np.flatnonzero(before.values[:, column] != after.values[:, column])
        if column in colours or not len(changed):
            continue
        unit = ((after.values[changed, column] - row.low) / (1.0 - row.low)).clip(CLEAR, 1 - CLEAR)
        if row.steepness:
            threshold = normal.inv_cdf(1.0 - row.frequency)
            wanted[changed, column] = threshold + np.log(unit / (1 - unit)) / row.steepness
        else:
            wanted[changed, column] = [normal.inv_cdf(float(value)) for value in unit]
    changed = np.flatnonzero((before.values[:, colours] != after.values[:, colours]).any(axis=1))
    logits = np.log(after.values[changed][:, colours].clip(CLEAR / 4, 1.0)) / SCHEME.sharpness
    logits -= np.array(list(SCHEME.colours.values()))
    middle = factors[changed][:, colours].mean(axis=1, keepdims=True)
    wanted[changed[:, None], colours] = logits - logits.mean(axis=1, keepdims=True) + middle
    return wanted


def obeyed(images: torch.Tensor, claims: Sequence[Mapping[str, bool]], probe: torch.nn.Module) -> dict[str, float]:
    """Of the claims about pictures in [-1, 1], by attribute, the share that the probe sees in them."""
    with torch.no_grad():
        seen = torch.cat([probe(part) for part in torch.split(images, 64)]) > 0
    names = DOMAIN.subject.truth.attributes
    right: dict[str, list[bool]] = {}
    for row, claimed in zip(seen.tolist(), claims, strict=True):
        for name, present in claimed.items():
            right.setdefault(name, []).append(row[names.index(name)] == present)
    return {name: float(np.mean(values)) for name, values in sorted(right.items())}
