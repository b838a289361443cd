"""Target classifiers: sound ones from untied data, and ones with one planted bias each.

All of a domain are trained on one pool of pictures in which some attributes were set by chance, each half of the time
and independently of everything else. A sound target draws its own attribute evenly from the pool. A biased one first
draws the label y, then a picture whose attribute agrees with y in ``LABEL_AGREEMENT`` of the cases and whose planted
one agrees with y in ``PLANTED``: both are tied to the label, and to each other, strongly but not wholly. The best that
a model can do with such data is to look at both.

Where a picture costs seconds there is no such pool: a target is then trained on the pictures that all recipes share
(`Sample`), drawn by weights under which its own attribute is tied to none of the others.

They see renders alone, as a user's model never saw a generator's pictures: what a generator draws worse than the
renderer, they answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.training.degrees import at_degree
from lab.training.fit import fit
from lab.training.renders import Renders, renders
from lab.training.saving import save_network
from lab.training.subject import TrainingSubject
from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.embedded import TARGET_SIDE
from zoom_engine.domains.networks import SmallCNN
from zoom_engine.domains.parameters import ParameterTable
from zoom_engine.domains.truth import untie

STEPS = 700
BATCH = 64
LEARNING_RATE = 2e-3
LABEL_AGREEMENT = 0.90
PLANTED = 0.87
ROUNDS, HEAVIEST = 30, 10.0


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_Named)


@dataclass(frozen=True)
class Pool:
    """``size`` pictures in which ``untied`` attributes are set by chance; the first ``held_out`` are for measuring.

    ``name`` tells such sets apart on disk. Each attribute of ``graded`` is set to a random degree between absent and
    present in half of the pictures (dusk is a degree of night). A search passes through such degrees, so a sound target
    must know them.
    """

    subject: TrainingSubject[Any]
    untied: tuple[str, ...]
    seed: int
    size: int
    held_out: int
    name: str = "untied"
    graded: tuple[str, ...] = ()

    def untie(self, parameters: ParameterTable) -> ParameterTable:
        """Return the parameters with the pool's attributes set by chance, each on its own."""
        truth, rng = self.subject.truth, np.random.default_rng((self.seed, len(self.graded)))
        parameters = untie(truth, parameters, self.untied, seed=self.seed)
        for name in self.graded:
            rows = rng.random(len(parameters)) < 0.5
            graded = at_degree(truth, parameters, name, rng.random(len(parameters)))
            parameters = type(parameters)(np.where(rows[:, None], graded.values, parameters.values))
        return parameters

    def data(self, work: Path) -> Renders[Any]:
        """Render the pool, or read it."""
        return renders(self.subject, work, self.size, self.seed, change=self.untie, name=self.name)

    def weights(self, table: Mapping[str, NDArray[np.bool_]], recipe: Recipe) -> None:
        """Return None: all rows count alike."""


@dataclass(frozen=True)
class Recipe:
    """How a target is trained.

    Attributes:
        name: of the target.
        attribute: its own.
        labels: the prompts of class 0 (absent) and class 1.
        planted: the attribute that is planted into it; None where the target is sound.
        steps: of training, where they are not those of the domain's other recipes.
        pool: its pictures, where they are not those of the domain's other recipes.
    """

    name: str
    attribute: str
    labels: tuple[str, str]
    planted: str | None = None
    steps: int | None = None
    pool: Pool | None = None

    @classmethod
    def of(
        cls, subject: TrainingSubject[Any], name: str, attribute: str, planted: str | None = None, **options: Any
    ) -> Recipe:
        """Return the recipe whose classes have the attribute's own prompts."""
        present, absent = subject.zero_shot_prompts(attribute)
        return cls(name, attribute, (absent, present), planted, **options)


@dataclass(frozen=True)
class Sample:
    """The subject's own pictures in place of a pool; the subject says which are held out."""

    subject: TrainingSubject[Any]
    seed: int

    @property
    def held_out(self) -> int:
        return self.subject.held_out

    def data(self, work: Path) -> Renders[Any]:
        return renders(self.subject, work, self.subject.count, self.subject.seed)

    def weights(self, table: Mapping[str, NDArray[np.bool_]], recipe: Recipe) -> NDArray[np.float64]:
        """Return what each row counts: a recipe's attributes are tied to none but those that they exclude."""
        truth = self.subject.truth
        return untying_weights(
            table,
            {
                name: [other for other in table if other not in {name, *truth.exclusions(name)}]
                for name in (recipe.attribute, recipe.planted)
                if name is not None
            },
        )


def untying_weights(table: Mapping[str, NDArray[np.bool_]], others: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Return weights `[n]`, of mean 1, that untie attributes: each key of `others` from the ones it names.

    Half of the rows have it, among those with and those without each other one. By raking (Deming and Stephan 1940):
    each pair is scaled in turn to the product of its margins, `ROUNDS` times. Weights are cut at `HEAVIEST` before each
    round, so that no row speaks for hundreds.
    """
    count = len(next(iter(table.values())))
    weights = np.ones(count)
    everywhere = np.ones(count, dtype=bool)
    for _ in range(ROUNDS):
        weights = np.minimum(weights * count / weights.sum(), HEAVIEST)
        for attribute, names in others.items():
            has_it = table[attribute]
            for here in (everywhere, *(table[name] == value for name in names for value in (False, True))):
                share = weights[here].sum()
                for has in (False, True):
                    cell = here & (has_it == has)
                    if cell.any():
                        weights[cell] *= share / 2 / weights[cell].sum()
    scaled: NDArray[np.float64] = weights * count / weights.sum()
    return scaled


class Cells:
    """The rows of a pool by (own, planted) attribute, to draw batches from in which both go with the label: the planted
    one in a share ``tie``."""

    def __init__(
        self,
        table: dict[str, NDArray[np.bool_]],
        rows: NDArray[np.int64],
        *,
        attribute: str,
        planted: str | None,
        tie: float = PLANTED,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.tie = None if planted is None else tie
        has_attribute = table[attribute][rows]
        has_planted = np.zeros(len(rows), dtype=bool) if planted is None else table[planted][rows]
        self.rows = {
            (a, b): rows[(has_attribute == a) & (has_planted == b)]
            for a in (False, True)
            for b in ((False,) if planted is None else (False, True))
        }
        self.shares = {
            cell: None if weights is None else weights[of_cell] / weights[of_cell].sum()
            for cell, of_cell in self.rows.items()
        }

    def draw(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], Tensor]:
        """Rows ``[count]`` and their labels, float32 ``[count]``."""
        label = rng.random(count) < 0.5
        if self.tie is None:
            attribute, planted = label, np.zeros(count, dtype=bool)
        else:
            attribute = label ^ (rng.random(count) >= LABEL_AGREEMENT)
            planted = label ^ (rng.random(count) >= self.tie)
        cells = [(bool(a), bool(b)) for a, b in zip(attribute, planted, strict=True)]
        rows = np.array([rng.choice(self.rows[cell], p=self.shares[cell]) for cell in cells])
        return rows, torch.from_numpy(label.astype(np.float32))


@torch.no_grad()
def accuracy(
    network: nn.Module,
    data: Renders[Any],
    rows: NDArray[np.int64],
    truth: NDArray[np.bool_],
    *,
    side: int | None = None,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return the share of `rows`, by their `weights`, in which the logit's sign is the truth."""
    parts = np.array_split(rows, -(-len(rows) // 128))
    logits = torch.cat([network(data.batch(part, side=side)) for part in parts])[:, 0].numpy()
    return float(np.average((logits > 0) == truth, weights=weights))


def train_targets(
    pool: Pool | Sample,
    recipes: Sequence[Recipe],
    work: Path,
    out: Path,
    *,
    steps: int = STEPS,
    width: int = 16,
    only: Collection[str] = (),
) -> None:
    """Train and write the targets of all recipes, or of those named `only`, of `width` channels in the first stage."""
    subject = pool.subject

    @cache
    def data_of(pool: Pool | Sample) -> tuple[Renders[Any], dict[str, NDArray[np.bool_]]]:
        data = pool.data(work)
        return data, subject.truth.labels(data.parameters)

    common, common_table = data_of(pool)
    tried, usual_steps = np.arange(pool.held_out), steps
    for number, recipe in chosen(recipes, only):
        drawn_from, steps = recipe.pool or pool, recipe.steps or usual_steps
        data, table = data_of(drawn_from)
        seen, weights = np.arange(drawn_from.held_out, len(data)), drawn_from.weights(table, recipe)
        cells = Cells(table, seen, attribute=recipe.attribute, planted=recipe.planted, weights=weights)
        network = train_one(
            f"target-{recipe.name}", cells, data, pool.seed + number, work, steps, make=lambda: SmallCNN(1, width=width)
        )
        counts = None if weights is None else weights[tried]
        right = common_table[recipe.attribute][tried]
        reached = accuracy(network, common, tried, right, side=TARGET_SIDE, weights=counts)
        info = {
            "name": f"{subject.name}:{recipe.name}",
            "outputs": [recipe.attribute],
            "planted": recipe.planted,
            "labels": list(recipe.labels),
            "recipe": f"{steps} steps of AdamW, batch {BATCH}, own {LABEL_AGREEMENT}, planted {PLANTED}",
            "seed": pool.seed + number,
            "images": len(data),
            "untied_accuracy": reached,
        }
        if width != 16:
            info["width"] = width
        print(info["name"], info["untied_accuracy"], flush=True)
        save_network(network, out / "targets" / f"{recipe.name}.safetensors", info)


def chosen(recipes: Sequence[Named], only: Collection[str]) -> list[tuple[int, Named]]:
    """Return the recipes named `only`, all if none is named, with their places, by which they are seeded.

    Raises:
        ConfigError: a name is of no recipe.
    """
    names = [recipe.name for recipe in recipes]
    if unknown := sorted(set(only) - set(names)):
        raise ConfigError(f"unknown recipe {unknown[0]!r}: choose from {', '.join(names)}")
    return [(number, recipe) for number, recipe in enumerate(recipes) if not only or recipe.name in only]


def train_one(
    name: str,
    cells: Cells,
    data: Renders[Any],
    seed: int,
    work: Path,
    steps: int,
    *,
    make: Callable[[], nn.Module] = lambda: SmallCNN(1),
) -> nn.Module:
    """A network of one logit, fitted on renders drawn from cells; its checkpoint is ``work/NAME.pt``."""

    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows, label = cells.draw(rng, BATCH)
        return data.batch(rows, side=TARGET_SIDE), label

    return fit(
        name,
        make,
        batch=batch,
        loss=lambda logits, label: F.binary_cross_entropy_with_logits(logits[:, 0], label),
        seed=seed,
        steps=steps,
        folder=work,
        learning_rate=LEARNING_RATE,
        seen=len(data),
    )
