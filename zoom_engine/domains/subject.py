"""What a domain's pictures show, and what is true of targets that look at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.common.progress import forced
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.truth import Table, Truth, untie
from zoom_engine.targets import Target

EFFECT_SEED, UNTIED_SEED = 9300, 9500
BATCH = 50


@dataclass(frozen=True, eq=False)
class Subject(Generic[Table]):
    """A domain's parameters, renderer, truth and prompts: what its targets do is measured on renders.

    Attributes are those of `truth`, by name.
    """

    table: type[Table]
    render: Callable[[Table], NDArray[np.uint8]]
    truth: Truth
    prompt: Callable[[str], str]

    @cached_property
    def prompts(self) -> dict[str, str]:
        """Return the attribute of each prompt."""
        return {self.prompt(name): name for name in self.truth.attributes}

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.uint8], Table]:
        """Draw `count` renders.

        Returns:
            The renders, uint8 `[count, 128, 128, 3]`, and their parameters.
        """
        parameters = self.parameters(count, seed)
        return self.render(parameters), parameters

    def parameters(self, count: int, seed: int) -> Table:
        """Draw the parameters of `count` renders alone."""
        return self.table.from_latents(np.random.default_rng(seed).standard_normal((count, LATENT_DIM)))

    @torch.no_grad()
    def effects_on(
        self, targets: Mapping[str, Target], attributes: Sequence[str], *, count: int
    ) -> dict[str, dict[str, float]]:
        """Measure the true effect of each attribute on each target, over `count` pictures.

        It is the mean |f(render(do(a=1))) − f(render(do(a=0)))|; of outputs that are no probability the task's change.

        Returns:
            By target and attribute, rounded to 4 digits.
        """
        parameters = self.parameters(count, EFFECT_SEED)
        effects: dict[str, dict[str, float]] = {name: {} for name in targets}
        for attribute in forced(attributes, "True effects", unit="attribute"):
            pair = self._with_and_without(attribute, parameters)
            for name, target in targets.items():
                changes = [
                    target.task.change(target(with_it), target(without))
                    for with_it, without in zip(*(torch.split(images, BATCH) for images in pair), strict=True)
                ]
                effects[name][attribute] = round(float(torch.cat(changes).mean()), 4)
        return effects

    @torch.no_grad()
    def outputs_with_and_without(
        self, targets: Mapping[str, Target], attribute: str, *, count: int
    ) -> dict[str, NDArray[np.float64]]:
        """Compute the outputs of binary targets on the pictures of `effects_on`.

        Returns:
            By target the probability of class 1, `[2, count]`: in pictures with the attribute, then in the same without
            it.
        """
        parameters = self.parameters(count, EFFECT_SEED)
        pair = self._with_and_without(attribute, parameters)
        outputs = {}
        for name, target in targets.items():
            logits = [torch.cat([target(part)[:, 0] for part in torch.split(images, BATCH)]) for images in pair]
            outputs[name] = torch.stack(logits).sigmoid().double().numpy()
        return outputs

    @torch.no_grad()
    def untied_decisions(
        self, targets: Mapping[str, Target], attribute: str, planted: str, *, count: int
    ) -> dict[str, NDArray[np.bool_]]:
        """Compute whether binary targets of the attribute `attribute` decide rightly.

        In the renders both attributes, `attribute` and `planted`, were set by chance, each on its own.

        Returns:
            By target, bool `[count]`.
        """
        parameters = self.parameters(count, UNTIED_SEED)
        parameters = untie(self.truth, parameters, (attribute, planted), seed=UNTIED_SEED)
        parts = torch.split(torch.from_numpy(self.render(parameters)), BATCH)
        labels = self.truth.labels(parameters)[attribute]
        return {
            name: (torch.cat([target(to_float(part))[:, 0] for part in parts]).numpy() > 0) == labels
            for name, target in targets.items()
        }

    def _with_and_without(self, attribute: str, parameters: Table) -> tuple[Tensor, Tensor]:
        with_it, without = (
            to_float(torch.from_numpy(self.render(self.truth.intervene(parameters, attribute, value))))
            for value in (True, False)
        )
        return with_it, without
