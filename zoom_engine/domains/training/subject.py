"""What the recipes need to know of a domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.truth import Table, Truth
from zoom_engine.domains.wording import DrawCaption


@dataclass(frozen=True)
class Subject(Generic[Table]):
    """A domain's renderer, truth and words; ``seed`` is that of its probe, generator and text encoder."""

    name: str
    table: type[Table]
    render: Callable[[Table], NDArray[np.uint8]]
    truth: Truth
    draw_caption: DrawCaption
    vocabulary: Callable[[], list[str]]
    prompt: Callable[[str], str]
    zero_shot_prompts: Callable[[str], tuple[str, str]]
    seed: int
    images: int
