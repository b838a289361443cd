"""What somebody else's package may bring: a generator family, a task, a search, a way to find directions, an editor, a
section of the report and a domain, by the entry points of its pyproject.toml alone."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from zoom_engine import load_text_encoder
from zoom_engine.directions import MatrixRelevance, Relevance, Sampling
from zoom_engine.edits.editor import Picture
from zoom_engine.generators import EditableGenerator, StyleSpace, edited, shown
from zoom_engine.report import Page
from zoom_engine.search import Array, EvaluatedPoint, EvaluatedPoints, SearchResult, SearchState, Trial
from zoom_engine.targets import Described, Pixels, Preprocessing, ResponseAxis, Target, TaskView
from zoom_engine.text import TextEncoder


class SkyGenerator:
    """Horizons: the first three entries of the code are the sky's colour, the next three the ground's, then a height.

    It is no torch module, its code has a part that must not be edited, and it finds the codes of pictures itself.
    """

    resolution, differentiable, population, batch_size = 32, True, None, 16

    def __init__(self, brightness: float) -> None:
        self.brightness = brightness
        self.content_hash = f"sky-{brightness}"
        self.space = StyleSpace([("colours", 32, 6, False), ("height", 32, 1, False)], frozen=["height"])
        self.device = torch.device("cpu")

    def to(self, device: torch.device | str) -> Self:
        return self

    def sample(self, seeds: Sequence[int], *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        rows = [np.random.default_rng(seed).standard_normal(7) for seed in seeds]
        return truncation * torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, 7))

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> tuple[Tensor, Tensor]:
        codes = truncation * torch.randn(count, 7, generator=random)
        return codes, codes

    def affine_weight(self) -> None:
        """Codes are their own latents."""

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        codes = edited(codes, edit_weights, directions)
        row = torch.linspace(-1, 1, self.resolution)[None, None, :, None]
        ground = ((row - codes[:, 6, None, None, None].tanh() / 2) * 8).sigmoid()
        sky, soil = (codes[:, part, None, None].mul(0.3).tanh() for part in (slice(0, 3), slice(3, 6)))
        picture = (1 - ground) * sky + ground * soil + self.brightness
        return shown(picture.expand(-1, -1, -1, self.resolution))

    def encode(self, images: Tensor) -> Tensor:
        rows = images.mean(3) - self.brightness
        sky, soil = rows[:, :, 0], rows[:, :, -1]
        contrast, channel = (soil - sky).abs().max(1, keepdim=True)
        share = (rows - sky[:, :, None]).abs().mean(2).gather(1, channel) / contrast.clamp(min=1e-6)  # of the ground
        height = (2 - 4 * share).clamp(-0.99, 0.99).atanh()
        return torch.cat([torch.cat([sky, soil], 1).clamp(-0.99, 0.99).atanh() / 0.3, height], 1)


class SkyFamily:
    """``--generator skies:0.2 --generator-option brighter=0.1``."""

    def load(self, rest: str, *, brighter: float = 0.0) -> SkyGenerator:
        return SkyGenerator(float(rest or 0) + brighter)


@dataclasses.dataclass(frozen=True)
class LevelTask(Described):
    """A level from 0 to 10; it flips where it moves by ``tolerance`` or more. `Described` answers what is not here."""

    tolerance: float = 0.3
    name: ClassVar[str] = "level"

    def outputs(self, raw: Tensor) -> Tensor:
        return raw.flatten(1).float()

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        return outputs

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        return self.tolerance - (outputs - original).abs()[:, 0]

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        return self.margin(outputs, original) <= 0

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs - original).abs()[:, 0].div(10).clamp(max=1)

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """The distance to the end that is farther off: unlike the margin it slopes at the unedited image."""
        return (outputs - torch.where(original < 5, 10.0, 0.0)).abs()[:, 0]

    @property
    def view(self) -> LevelView:
        return LevelView(self)


class LevelView(TaskView):
    """Draws the level into pictures; `TaskView` has a default for all that is not here."""

    task: LevelTask
    response_axis = ResponseAxis("the level that the model reads", ends=(0.0, 10.0), negligible=0.1)
    legend = (("level", "#ff00ff"),)

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        return float(recorded[0])

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        return f"level {outputs_row[0].item():.1f}"

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        marked = pixels.copy()
        marked[-2:, : int(len(pixels) * float(outputs_row[0]) / 10)] = (255, 0, 255)
        return marked

    def state_name(self, state: int) -> str:
        return ("", "another level")[state]

    def change_in_words(self, change: float) -> str:
        return f"{10 * change:.1f} levels"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ends:
    """Looks at the ends of a trial's range, and at the middle of each side."""

    name: ClassVar[str] = "ends"
    in_words: ClassVar[str] = "a look at the ends"
    modes: ClassVar[tuple[str, ...]] = ("single",)
    needs_gradient: ClassVar[bool] = False
    needs_loss: ClassVar[bool] = False

    between: int = 1

    def start(self, trial: Trial, origin: EvaluatedPoint) -> SearchState:
        return _EndsState(trial, origin, self.between)


class _EndsState:
    def __init__(self, trial: Trial, origin: EvaluatedPoint, between: int) -> None:
        self.evaluated = EvaluatedPoints(trial, origin)
        shares = [share / (between + 1) for share in range(1, between + 2)]
        ends = [trial.bounds[:, side] for side in (0, 1) if trial.bounds[:, side].any()]
        self.points: Array = np.stack([share * end for end in ends for share in shares])

    def ask(self) -> Array:
        return self.points

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        self.evaluated.add(evaluated)

    def result(self) -> SearchResult | None:
        return self.evaluated.result("looked", by_weight=True) if self.evaluated.steps else None


@dataclasses.dataclass(frozen=True)
class Together:
    """Directions of how the entries of random codes go together with what the text encoder sees in their pictures."""

    name: ClassVar[str] = "together"
    samples: ClassVar[int] = 512
    needs_gradient: ClassVar[bool] = False

    def measure(self, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling) -> Relevance:
        codes = sampling.codes(generator)
        seen = text_encoder.embed_images(sampling.renderer_of(generator).render(codes)).float()
        scaled = (codes - codes.mean(0)) / codes.std(0).clamp(min=1e-6) * ~generator.space.fixed_mask()
        matrix = scaled.T @ (seen - seen.mean(0)) / len(codes)
        return MatrixRelevance(self.name, matrix, matrix, sampling, sampling.identity(generator, text_encoder))

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float:
        return self.samples * first


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weather:
    """Fog of photographs: they come nearer to white, by a percentage."""

    name: ClassVar[str] = "weather"
    attributes: ClassVar[tuple[str, ...]] = ("fog",)

    densest: float = 60.0

    def strengths(self, attribute: str) -> tuple[float, ...]:
        return (self.densest / 2, self.densest)

    def unit(self, attribute: str) -> str:
        return "% of white"

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        return [np.rint(picture + (255.0 - picture) * strength / 100).astype(np.uint8) for picture in pictures]

    def describe(self) -> dict[str, Any]:
        return {"densest": self.densest}


class LevelSection:
    """A section of reports on levels, with how many images were looked at."""

    name = "level"

    def html(self, page: Page) -> str:
        if page.source.view.task.name != "level":
            return ""
        told = f"{page.source.summary.images} images were read by {html.escape(page.source.target)}."
        return f'<section aria-labelledby="level"><h2 id="level">Levels</h2><p class="lead">{told}</p></section>'


class ReadsLevel(nn.Module):
    """How bright the upper half is."""

    def forward(self, x: Tensor) -> Tensor:
        return 10 * x[:, :, : x.shape[2] // 2].mean((1, 2, 3))[:, None]


class Skies:
    """Pictures of skies; the words are the avatars', which mean nothing here."""

    name, neutral, attributes = "skies", "a face", ("a face with blond hair", "a smiling face")

    def generator(self) -> SkyGenerator:
        return SkyGenerator(0.0)

    def text_encoder(self) -> Any:
        return load_text_encoder("avatars")

    def target_names(self) -> tuple[str, ...]:
        return ("level",)

    def target(self, name: str) -> Target:
        preprocessing = Preprocessing(value_range=(0.0, 1.0))
        return Target(ReadsLevel(), name="skies:level", task=LevelTask(), preprocessing=preprocessing)
