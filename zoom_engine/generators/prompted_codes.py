"""Codes of noise and a prompt, which generators that read prompts draw from.

The first part of a code, "noise", is standard normal by the seed; the second, "prompt", is the embedding of one of the
prompts of a population, which the seeds take in turn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.generators.codes import NOISE, DrawnFromCodes, NoisyCodes
from zoom_engine.generators.style_space import StyleSpace
from zoom_engine.settings.attributes import check_prompt

PROMPT = "prompt"
MOST_PROMPTS = 10_000
_MOST_BYTES = 1 << 22


def read_prompts(path: str | Path) -> tuple[str, ...]:
    """Read the prompts of a population, one a line; blank lines and lines that begin with "#" are left out.

    Raises:
        ConfigError: the file cannot be read, holds no prompt, too many, or a line that is none.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"the population {path} has more than {_MOST_BYTES:,} bytes: give fewer prompts")
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the population {path} cannot be read: {one_line(error)}") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not 1 <= len(numbered) <= MOST_PROMPTS:
        raise ConfigError(
            f"the population {path} holds {len(numbered)} prompts: write 1 to {MOST_PROMPTS}, one on a line, such as 'a"
            " photo of a cat'"
        )
    return tuple(check_prompt(line, f"prompt on line {number} of {path}") for number, line in numbered)


class PromptedCodes(NoisyCodes):
    """The source of codes of noise and prompt."""

    def __init__(self, noise: int, prompts: Sequence[str], embeddings: Tensor) -> None:
        """Check the sizes.

        Args:
            noise: how many numbers of a code are noise.
            prompts: K, of the population.
            embeddings: `[K, P]`, what they add to a code.

        Raises:
            ConfigError: a code is too large, or there is not one embedding for each prompt.
        """
        if embeddings.ndim != 2 or len(embeddings) != len(prompts) or not len(prompts):
            raise ConfigError(
                f"embeddings of {len(prompts)} prompts must be [{len(prompts)}, P], not {list(embeddings.shape)}"
            )
        super().__init__(noise, embeddings)
        self.prompts = tuple(prompts)

    @property
    def identity(self) -> dict[str, Any]:
        """What sampled codes depend on, ready for JSON."""
        texts = hashlib.sha256(json.dumps(self.prompts).encode()).hexdigest()
        return {**super().identity, "prompts": texts}


class DrawnFromPrompts(DrawnFromCodes):
    """The part that generators share which read prompts: `codes` and `embedded` are their own."""

    codes: PromptedCodes
    resolution: int
    frozen: tuple[str, ...] = (NOISE,)
    """The parts of a code that edits leave alone."""

    def embedded(self, prompts: Sequence[str]) -> Tensor:
        """Return what prompts add to a code, `[N, P]`."""
        raise NotImplementedError

    @cached_property
    def space(self) -> StyleSpace:
        """The two parts of a code."""
        noise = self.codes.noise
        parts = [(NOISE, self.resolution, noise, False), (PROMPT, self.resolution, self.codes.size - noise, False)]
        return StyleSpace(parts, frozen=self.frozen)

    def text_directions(self, attributes: Sequence[str], neutral: str) -> Tensor:
        """Return the differences of embedded prompts, see `TextDirected`."""
        base, *texts = self.embedded([neutral, *attributes]).float().cpu()
        difference = torch.stack(texts) - base
        return torch.cat([torch.zeros(len(difference), self.codes.noise), difference], dim=1)
