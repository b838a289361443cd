"""`Explorer`: edited pictures, what targets and text encoder see in them, curves and searches, one call at a time."""

from __future__ import annotations

import hashlib
import io
import time
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.commands.explore.messages import Picked
from zoom_engine.commands.explore.recipe import png_with_recipe
from zoom_engine.commands.explore.sources import Explored
from zoom_engine.common.files.png import Pixels, shrunk, to_pixels
from zoom_engine.common.plurals import number_of
from zoom_engine.common.version import VERSION
from zoom_engine.diagnose.models import Models
from zoom_engine.diagnose.smallest_edit import smallest_edit
from zoom_engine.directions import NaturalEdits, score_directions
from zoom_engine.settings.attributes import short_names
from zoom_engine.targets import Target, TaskView

Header = dict[str, Any]
Answer = tuple[Header, list[bytes]]

CACHED_IMAGES = 32
LOSSLESS = 256
"""Pixels of a side up to which pictures travel without loss; larger ones as JPEG, quicker to make and to send."""
LARGEST_SIDE = 1024
THUMBNAIL = 96  # pixels of a side
CURVE_POINTS = 17
LONGEST_STEP = 0.03
"""Seconds that a step of a curve takes at most, where one picture takes less: pictures of a slider wait for it."""


@dataclass(eq=False)
class _Shown:
    """An image: its code `[1, S]`, the unedited picture `[1, 3, R, R]`, what targets say of it, its natural edits."""

    code: Tensor
    picture: Tensor
    originals: tuple[Any, ...]
    natural: NaturalEdits
    embedding: Tensor | None = None
    """Of the unedited picture, `[1, D]`, once it was asked for."""


@dataclass(frozen=True, eq=False)
class Edited:
    """The last edited picture `[1, 3, R, R]`, for whoever wants to know more of it."""

    image: Picked
    weights: tuple[float, ...]
    picture: Tensor


class Explorer:
    """What the page asks for; one thread calls it."""

    def __init__(self, explored: Explored) -> None:
        """Prepare what all pictures need; nothing is drawn."""
        self.explored = explored
        self.models, self.directions = explored.models[0], explored.directions
        self.targets: tuple[Target, ...] = tuple(models.target for models in explored.models)
        # Labels are read in a second step, of the same picture: the first one does not wait for the text encoder.
        self._evaluators = [replace(models, labels=()).evaluator(self.directions) for models in explored.models]
        self._images: OrderedDict[Picked, _Shown] = OrderedDict()
        self._seconds = LONGEST_STEP  # that the last picture took
        calibrated = explored.calibrated
        paper = np.tile([-PAPER_BOUND, PAPER_BOUND], (len(self.directions.matrix), 1))
        self.ranges: list[list[float]] = (paper if calibrated is None else calibrated.bounds.double().numpy()).tolist()

    @property
    def limits(self) -> dict[str, Any]:
        """Return what a request may ask for, as `messages.read` takes it."""
        photographs = len(self.explored.photographs)
        return {
            "attributes": len(self.ranges),
            "targets": len(self.targets),
            "photographs": photographs,
            "bound": PAPER_BOUND,
        }

    def about(self) -> Header:
        """Return what the page needs to know once."""
        explored, models = self.explored, self.models
        names = short_names(models.attributes, models.neutral)
        return {
            "name": explored.name,
            "version": VERSION,
            "generator": _generator_name(models),
            "resolution": models.generator.resolution,
            "bound": PAPER_BOUND,
            "calibrated": explored.calibrated is not None,
            "attributes": [
                {"name": names[attribute], "text": attribute.text, "low": low, "high": high}
                for attribute, (low, high) in zip(models.attributes, self.ranges, strict=True)
            ],
            "targets": [self._about_target(of_target) for of_target in explored.models],
            "seeds": list(explored.seeds[:1000]),
            "photographs": [name for name, _ in explored.photographs],
            "notices": explored.notices,
        }

    def _about_target(self, models: Models) -> Header:
        view = models.target.task.view
        axis = view.response_axis
        return {
            "name": models.target.name,
            "caption_label": view.caption_label,
            "axis": {"label": axis.label, "ends": axis.ends, "boundary": axis.boundary},
            "overlay": _draws(view),
            "legend": [list(entry) for entry in view.legend],
            "labels": list(models.labels),
            "gradients": models.target.differentiable and models.generator.differentiable,
        }

    @torch.no_grad()
    def shown(self, image: Picked, weights: Sequence[float], *, target: int, original: bool) -> tuple[Answer, Edited]:
        """Return the edited picture with what each target says of it, and the picture itself for `scores`.

        The pictures are the edited one, the same with the output of `target` drawn in (where its task draws), and with
        `original` both of the unedited one.
        """
        of_image, begun = self._image(image), time.monotonic()
        picture = self._render(of_image, weights)
        rows = [self._seen(index, picture, of_image) for index in range(len(self.targets))]
        outside = [place for place, weight in enumerate(weights) if not self._is_inside(place, weight)]
        natural = bool(of_image.natural.holds(np.asarray(weights, dtype=np.float64)))
        self._seconds = time.monotonic() - begun
        header = {
            "image": _named(image),
            "weights": list(weights),
            "target": target,
            "outside": outside,
            "natural": natural,
            "targets": [row for row, _ in rows],
        }
        pictures = self._drawn(picture, rows[target][1], of_image, target)
        if original:
            unedited = [self._seen(index, of_image.picture, of_image) for index in range(len(self.targets))]
            header["original"] = [row for row, _ in unedited]
            pictures += self._drawn(of_image.picture, unedited[target][1], of_image, target)
        return (header, pictures), Edited(image, tuple(weights), picture)

    @torch.no_grad()
    def scores(self, edited: Edited) -> Header:
        """Return what the text encoder sees: text scores and labels of the edited picture and of the unedited one.

        A text score is 0 where it is that of unedited images which lack the attribute, and 1 where it is that of those
        which have it; without a calibrated range it is as the encoder gives it.
        """
        of_image = self._image(edited.image)
        encoder = self.models.text_encoder
        if of_image.embedding is None:
            of_image.embedding = encoder.embed_images(of_image.picture).cpu()
        embedded = torch.cat([of_image.embedding, encoder.embed_images(edited.picture).cpu()])
        scores = embedded.double() @ self._along
        if (calibrated := self.explored.calibrated) is not None:
            low, high = calibrated.goals.double().unbind(1)
            scores = (scores - low) / (high - low).clamp(min=1e-6)
        labels: list[Header | None] = []
        for models in self.explored.models:
            told = models.zero_shot_labels
            if told is None:
                labels.append(None)
                continue
            before, now = told.read(embedded.to(self.models.generator.device)).tolist()
            labels.append({"before": told.prompts[before], "now": told.prompts[now]})
        before, now = scores.tolist()
        return {"image": _named(edited.image), "before": before, "now": now, "labels": labels}

    def curve(
        self, image: Picked, weights: Sequence[float], attribute: int, low: float, high: float
    ) -> Iterator[Header]:
        """Sweep an attribute, some pictures at a time; yields an empty header after each, the curve at the end."""
        of_image = self._image(image)
        along = np.unique(np.append(np.linspace(low, high, CURVE_POINTS), 0.0 if low < 0 < high else low))
        edits = torch.tensor([weights] * len(along), dtype=torch.float32)
        edits[:, attribute] = torch.from_numpy(along).float()
        rows: list[list[Header]] = [[] for _ in self.targets]
        at_once = max(1, int(LONGEST_STEP / self._seconds))
        for part in torch.split(edits, at_once):
            with torch.no_grad():
                codes = of_image.code.expand(len(part), -1)
                pictures = self._evaluators[0].render(codes, part.to(codes.device))
                for index, of_target in enumerate(rows):
                    of_target += self._rows(index, pictures, of_image)[0]
            yield {}
        yield {
            "image": _named(image),
            "attribute": attribute,
            "weights": list(weights),
            "along": along.tolist(),
            "targets": [
                {"responses": [row["response"] for row in of_target], "flipped": [row["flipped"] for row in of_target]}
                for of_target in rows
            ],
        }

    def way(self, image: Picked, target: int) -> Generator[Answer, None, Header]:
        """Search the smallest edit that flips a target: yields each evaluated point, and returns the result."""
        of_image, explored = self._image(image), self.explored
        models = explored.models[target]
        search = smallest_edit(models, of_image.code, self.directions, explored.calibrated, explored.region)
        number = 0
        while True:
            try:
                point = next(search)
            except StopIteration as end:
                result = end.value
                break
            number += 1
            with torch.no_grad():
                picture = self._render(of_image, point.weights.tolist())
                (row,), _ = self._rows(target, picture, of_image)
                drawn = [_encoded(shrunk(to_pixels(picture)[0], THUMBNAIL))]
            yield (
                {
                    "number": number,
                    "weights": point.weights.tolist(),
                    "caption": row["caption"],
                    "flipped": point.flipped,
                    "label_kept": point.label_kept,
                },
                drawn,
            )
        moved = int(np.count_nonzero(np.abs(result.edit_weights) > 1e-6))
        likeness = "" if result.ssim is None else f", likeness to the original (SSIM) {result.ssim:.2f}"
        if result.flipped:
            borderline = "" if result.decisive else ", a borderline flip"
            text = f"Smallest flip: {number_of(moved, 'attribute')} moved{likeness}{borderline}."
        elif result.label_kept is False:
            text = "No flip that keeps the label: wherever the prediction flipped, the label changed too."
        else:
            within = f"within ±{PAPER_BOUND:g}" if explored.calibrated is None else "in the calibrated range"
            text = f"No edit {within} flips it, as far as the search looked."
        return {
            "flipped": result.flipped,
            "weights": result.edit_weights.tolist(),
            "text": f"{text} {number_of(number, 'picture')} tried.",
        }

    @torch.no_grad()
    def file(self, image: Picked, weights: Sequence[float]) -> tuple[str, bytes]:
        """Return name and bytes of a PNG of the edited picture, with its recipe."""
        of_image, models = self._image(image), self.models
        picture = self._render(of_image, weights)
        answers = []
        for index, target in enumerate(self.targets):
            (row,), evaluation = self._rows(index, picture, of_image)
            recorded = [round(value, 6) for value in evaluation.recorded[0].tolist()]
            answers.append({"name": target.name, "content_hash": str(target.content_hash), "output": recorded, **row})
        settings = models.settings
        source: Header = {"seed": image.seed}
        if image.photograph is not None:
            code = hashlib.sha256(of_image.code.cpu().numpy().tobytes()).hexdigest()
            source = {"photograph": self.explored.photographs[image.photograph][0], "code": code}
        recipe = {
            "version": VERSION,
            "generator": {"name": _generator_name(models), "content_hash": str(models.generator.content_hash)},
            "image": source,
            "truncation": settings.truncation,
            "truncation_cutoff": settings.truncation_cutoff,
            "generator_class": settings.generator_class,
            "neutral": models.neutral,
            "edit_weights": {
                attribute.text: weight for attribute, weight in zip(models.attributes, weights, strict=True)
            },
            "directions": {"method": self.directions.method, "content_hash": self.directions.content_hash},
            "natural": bool(of_image.natural.holds(np.asarray(weights, dtype=np.float64))),
            "runtime": models.synthesizer.describe(),
            "targets": answers,
        }
        name = f"seed-{image.seed}" if image.photograph is None else f"photograph-{image.photograph}"
        edited = "-edited" if any(weights) else ""
        return f"{name}{edited}.png", png_with_recipe(to_pixels(picture)[0], recipe)

    @torch.no_grad()
    def thumbnails(self, images: Sequence[Picked]) -> Answer:
        """Return small unedited pictures."""
        codes = torch.cat([self._code(image) for image in images])
        pictures = to_pixels(self._evaluators[0].render(codes))
        return {"images": [_named(image) for image in images]}, [_encoded(shrunk(one, THUMBNAIL)) for one in pictures]

    def _code(self, image: Picked) -> Tensor:
        if image.photograph is not None:
            return self.explored.photographs[image.photograph][1].to(self.models.generator.device)
        seed = image.seed or 0
        return self.models.styles([seed])[:1].to(self.models.generator.device)

    def _image(self, image: Picked) -> _Shown:
        """Return what is known of an unedited image, drawn where it was not asked for lately."""
        if image not in self._images:
            with torch.no_grad():
                code = self._code(image)
                picture = self._evaluators[0].render(code)
                originals = tuple(evaluator.originals_of(picture) for evaluator in self._evaluators)
            self._images[image] = _Shown(code, picture, originals, self.explored.region.around(code[0]))
            while len(self._images) > CACHED_IMAGES:
                self._images.popitem(last=False)
        self._images.move_to_end(image)
        return self._images[image]

    def _render(self, of_image: _Shown, weights: Sequence[float]) -> Tensor:
        edits = torch.tensor([weights], dtype=torch.float32, device=of_image.code.device)
        return self._evaluators[0].render(of_image.code, edits)

    def _seen(self, index: int, picture: Tensor, of_image: _Shown) -> tuple[Header, Tensor]:
        """Return what a target says of one picture, and its output row."""
        (row,), evaluation = self._rows(index, picture, of_image)
        return row, evaluation.outputs[0]

    def _rows(self, index: int, pictures: Tensor, of_image: _Shown) -> tuple[list[Header], Any]:
        """Return what a target says of each picture of one image, and the evaluation that says so."""
        original, view = of_image.originals[index], self.targets[index].task.view
        alike = original.rows(torch.zeros(len(pictures), dtype=torch.long))
        seen = self._evaluators[index].evaluate(pictures, alike, ssim="none")
        unedited = self.targets[index].task.recorded(original.outputs, original.outputs)[0].tolist()
        rows = []
        for row, recorded in enumerate(seen.recorded.tolist()):
            change = float(seen.change[row])
            rows.append(
                {
                    "caption": view.caption(seen.outputs[row], original.outputs[0]),
                    "state": view.state_name(view.state(recorded, unedited)),
                    "response": float(view.response(recorded, unedited)),
                    "change": change,
                    "flipped": bool(seen.flipped[row]),
                    "decisive": bool(seen.decisive[row]),
                }
            )
        return rows, seen

    def _drawn(self, picture: Tensor, outputs: Tensor, of_image: _Shown, target: int) -> list[bytes]:
        """Return a picture, and where the target's task draws, the same with its output drawn in."""
        pixels, view = to_pixels(picture)[0], self.targets[target].task.view
        drawn = [_encoded(shrunk(pixels, LARGEST_SIDE))]
        if _draws(view):
            over = view.overlay(pixels, outputs, of_image.originals[target].outputs[0])
            drawn.append(_encoded(shrunk(over, LARGEST_SIDE)))
        return drawn

    def _is_inside(self, place: int, weight: float) -> bool:
        low, high = self.ranges[place]
        return low - 1e-6 <= weight <= high + 1e-6

    @cached_property
    def _along(self) -> Tensor:
        """Return the text directions `[D, N]`, float64, on the CPU."""
        return score_directions(self.models.text_encoder, self.directions).cpu().double().T


def _named(image: Picked) -> Header:
    return {"seed": image.seed} if image.photograph is None else {"photograph": image.photograph}


def _generator_name(models: Models) -> str:
    given = models.settings.generator
    return given if isinstance(given, str) else str(getattr(given, "name", type(given).__name__))


def _draws(view: TaskView) -> bool:
    return type(view).overlay is not TaskView.overlay


def _encoded(pixels: Pixels) -> bytes:
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    if max(pixels.shape) <= LOSSLESS:
        image.save(buffer, format="WEBP", lossless=True, quality=0, method=0)  # half of what the quickest PNG takes
    else:
        image.save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue()
