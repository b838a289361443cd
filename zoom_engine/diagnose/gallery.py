"""The pictures of an audit: which trials stand for the others, and the sheets of the edit directions.

Everything here is drawn again from the records, so a resumed run ends with the same pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.gallery_file import GALLERY, FrameEntry, Gallery, SheetEntry, StripEntry
from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.audit.photographs_file import Photograph
from zoom_engine.audit.records import WEIGHT_SLACK, Point, Record
from zoom_engine.common.files.png import Pixels, png_bytes, shrunk, to_pixels
from zoom_engine.diagnose.image_grid import write_pictures
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.evaluation.evaluator import Evaluation, Evaluator, Originals
from zoom_engine.evaluation.side_by_side import side_by_side
from zoom_engine.generators import StyleRows
from zoom_engine.photographs import Audited, Crop
from zoom_engine.report.source import direction_of
from zoom_engine.report.verdicts import foremost
from zoom_engine.settings.attributes import slug
from zoom_engine.statistics.counts import Counts, natural_records
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import TaskView

STRIP_FRAMES = 6
STEPS_TO_SHOWN = 2  # at least
STRIPS_PER_ATTRIBUTE = 3
DIRECTIONS_OF_FLIPS = 2
MULTI_STRIPS = 8
MULTI_FLIPS = 3  # of each direction
SHEET_ROWS = 2
LARGEST_FRAME = 1024
"""The longer side of a picture in the folder, in pixels: a generator draws no larger ones, cameras do."""


@dataclass(frozen=True)
class Pick:
    """A trial to show, and the point of its search to draw: `edit_weights` with what the target said there.

    Attributes:
        kind: what the trial stands for: "typical" (of all trials, the one of median change), "flip" (of the decisive
            flips in its direction, one in the middle), "extreme", or "clearest" (of all decisive flips the one whose
            output moves furthest).
        direction: the task's states before and after the edit.
        decisive: whether they differ, and the output moved enough.
        extreme: whether no trial changed more, and the median one far less.
    """

    kind: str
    record: Record
    edit_weights: Sequence[float]
    direction: tuple[int, int]
    decisive: bool
    label_kept: bool | None
    ssim: float | None
    extreme: bool


def picks(diagnosis: Diagnosis, view: TaskView) -> list[Pick]:
    """Return the trials to show, the most sensitive attribute first; in multi mode one choice among all trials.

    Of each attribute first what is typical: where at least half of the images flip decisively the median one of these
    flips, else the trial of median change, and then a decisive flip. Both of the two most frequent directions of a flip
    are shown. The trial of largest change may follow, where it moves the output decisively further than the median.
    What the report names first has its clearest decisive flip too. Edits beyond what the generator draws are left out.
    """
    choice = _Choice(diagnosis, view)
    if diagnosis.mode == "multi":
        chosen = list(choice.picks(diagnosis.records, MULTI_FLIPS))[:MULTI_STRIPS]
        return [*chosen, *choice.clearest(diagnosis.records, chosen)]
    chosen, summary = [], diagnosis.summary()
    first = foremost(summary)
    for row in summary.sensitivity:
        of_attribute = list(choice.picks(diagnosis.of(row.attribute), 1))[:STRIPS_PER_ATTRIBUTE]
        chosen += of_attribute
        if row is first:
            chosen += choice.clearest(diagnosis.of(row.attribute), of_attribute)
    return chosen


class _Choice:
    """Chooses among the records of one audit."""

    def __init__(self, diagnosis: Diagnosis, view: TaskView) -> None:
        self._diagnosis, self._view = diagnosis, view

    def picks(self, records: Sequence[Record], flips_each: int) -> Iterator[Pick]:
        """Yield the trials to show of one attribute's records, the most representative first."""
        records = natural_records(records)
        if not records:
            return
        least = self._diagnosis.config.decisive_change
        trials = sorted(records, key=lambda record: (record.change, record.image))
        typical, extreme = trials[(len(trials) - 1) // 2], trials[-1]
        flips: dict[tuple[int, int], list[Record]] = {}
        for record in trials:
            if self._diagnosis.is_decisive(record):
                flips.setdefault(direction_of(record, record.output, self._view), []).append(record)
        directions = sorted(flips.values(), key=len, reverse=True)[:DIRECTIONS_OF_FLIPS]
        chosen = [record for pool in directions for record in _middle(pool, flips_each)]
        stands_out = extreme.change - typical.change >= least
        if 2 * Counts.of(trials, least=least).decisive < len(trials):
            yield self._peak("typical", typical)
        for record in chosen:
            yield self._counterfactual(record, extreme=stands_out and record is extreme)
        if stands_out and not any(record is extreme for record in chosen):
            yield self._peak("extreme", extreme)

    def clearest(self, records: Sequence[Record], chosen: Sequence[Pick]) -> Iterator[Pick]:
        """Yield the decisive flip that moves the output furthest, unless its picture is `chosen` as a flip already."""
        decisive = [record for record in natural_records(records) if self._diagnosis.is_decisive(record)]
        flips = [(record, self._furthest(record)) for record in decisive]
        if not flips:
            return
        record, point = max(flips, key=lambda flip: (self._moved(*flip), -flip[0].image))
        shown = [(pick.record.image, tuple(pick.edit_weights)) for pick in chosen if pick.kind == "flip"]
        if (record.image, tuple(point.weights)) not in shown:
            direction = direction_of(record, point.output, self._view)
            label_kept, ssim = point.label_kept, point.ssim
            yield Pick("clearest", record, point.weights, direction, True, label_kept, ssim, extreme=False)

    def _furthest(self, record: Record) -> Point:
        """Return of a flip the point that flips and moves the output furthest; of all attributes the counterfactual."""
        points = [_reported(record)]
        if self._diagnosis.mode == "single":
            column = next(i for i, one in enumerate(self._diagnosis.attributes) if one.text == record.attribute)
            points += record.counted(column, otherwise=self._diagnosis.config.ranges[column])
        unedited = self._view.state(record.original_output, record.original_output)
        flipping = [point for point in points if self._view.state(point.output, record.original_output) != unedited]
        return max(flipping or points[:1], key=lambda point: self._moved(record, point))

    def _moved(self, record: Record, point: Point) -> float:
        """Return how far the response moves at a point."""
        original = record.original_output
        return abs(self._view.response(point.output, original) - self._view.response(original, original))

    def _counterfactual(self, record: Record, *, extreme: bool) -> Pick:
        """Return the picture of a decisive flip: what its record holds."""
        direction = direction_of(record, record.output, self._view)
        return Pick("flip", record, record.edit_weights, direction, True, record.label_kept, record.ssim, extreme)

    def _peak(self, kind: str, record: Record) -> Pick:
        """Return the point where the record's change was found: of a flipping trial that is not its counterfactual."""
        points = [p for p in record.trajectory if p.change == record.change and p.label_kept is not False]
        point = min(points, key=lambda point: sum(map(abs, point.weights)), default=_reported(record))
        direction = direction_of(record, point.output, self._view)
        decisive = direction[0] != direction[1] and point.change >= self._diagnosis.config.decisive_change
        label_kept, ssim = point.label_kept, point.ssim
        return Pick(kind, record, point.weights, direction, decisive, label_kept, ssim, extreme=kind == "extreme")


def _reported(record: Record) -> Point:
    """Return the point that a record reports; its change is the largest of the search."""
    return Point(
        weights=record.edit_weights,
        output=record.output,
        change=record.change,
        label_kept=record.label_kept,
        ssim=record.ssim,
    )


def _middle(trials: Sequence[Record], count: int) -> list[Record]:
    """Return the trials in the middle of `count` equal parts of `trials`, the median first."""
    count = min(count, len(trials))
    parts = sorted(range(count), key=lambda part: abs(2 * part + 1 - count))
    return [trials[((2 * part + 1) * len(trials) - 1) // (2 * count)] for part in parts]


def sheet_weights(low: float, high: float) -> list[float]:
    """Return the columns of an edit sheet: the ends of the range that is used and their halves, around 0.

    Outside them are the ends of the paper's range, where it goes further. No weight is there twice.
    """
    outside = [end for end in (-PAPER_BOUND, PAPER_BOUND) if not low <= end <= high]
    return sorted({0.0, low, low / 2, high / 2, high, *outside})


def write_photographs(
    audit: AuditFolder, audited: Audited, crops: Sequence[Crop], evaluator: Evaluator
) -> tuple[Photograph, ...]:
    """Write the square of each photograph that could be read, and what the generator draws of the audited ones.

    The files hold pixels, and nothing else of the photograph's file. Returns the photographs with the names of these
    files.
    """
    shown = []
    for number, (photograph, crop) in enumerate(zip(audited.photographs, crops, strict=True)):
        picture = inversion = None
        if crop.pixels is not None:
            picture = f"images/photograph-{number}.png"
            audit.write(picture, png_bytes(crop.pixels))
        if photograph.image is not None:
            inversion = f"images/inversion-{number}.png"
            code = audited.codes[photograph.image : photograph.image + 1].to(evaluator.directions.device)
            with torch.no_grad():
                audit.write(inversion, png_bytes(to_pixels(evaluator.render(code))[0]))
        shown.append(replace(photograph, picture=picture, inversion=inversion))
    return tuple(shown)


def build_gallery(
    audit: AuditFolder,
    diagnosis: Diagnosis,
    *,
    evaluator: Evaluator,
    styles: StyleRows,
    sheet_styles: Tensor,
    batch_size: int,
    cache: Path | None,
    drawn_by: Mapping[str, object],
) -> None:
    """Write `images/` and `gallery.json` of a finished search.

    `styles [I, S]` are the unedited style vectors; `Record.image` is a row of it. `sheet_styles [R, S]` are those of
    edit sheets, the same for audits of other images: `cache` keeps what is drawn of them, by what the pictures are
    `drawn_by`: hash of the generator, runtime and precision. `batch_size` pictures of trials are drawn at a time.
    """
    strips = _strips(audit, diagnosis, evaluator, styles)
    drawn = _Sheets(evaluator, sheet_styles, cache, drawn_by)
    sheets = [_sheet(audit, index, diagnosis, drawn) for index in range(len(diagnosis.attributes))]
    pictures = write_pictures(audit, diagnosis, evaluator, styles, batch_size=batch_size)
    audit.write_json(GALLERY, Gallery(strips, tuple(sheets), pictures).to_json())


def build_strips(audit: AuditFolder, diagnosis: Diagnosis, *, evaluator: Evaluator, images: StyleRows) -> None:
    """Write `images/` and `gallery.json` of an audit of edits from elsewhere.

    `images [I, S]` are the codes that the evaluator draws the unedited pictures of.
    """
    strips = _strips(audit, diagnosis, evaluator, images)
    # One at a time: photographs may be large, and of several sizes.
    pictures = write_pictures(audit, diagnosis, evaluator, images, batch_size=1)
    audit.write_json(GALLERY, Gallery(strips, pictures=pictures).to_json())


def _strips(
    audit: AuditFolder, diagnosis: Diagnosis, evaluator: Evaluator, styles: StyleRows
) -> tuple[StripEntry, ...]:
    chosen = picks(diagnosis, evaluator.target.task.view)
    return tuple(_strip(audit, pick, diagnosis, evaluator, styles) for pick in chosen)


def strip_weights(shown: float, flip: float | None, end: float) -> tuple[list[float], int]:
    """Return the edit weights of a strip, from 0 to the end of its range, and which of them is `shown`.

    All `STRIP_FRAMES` lie on one side of 0, evenly spaced up to `shown`, which is no further out than `end`, and beyond
    it; `flip` takes the place of the one next to it. A strip that is shown for its unedited picture is even throughout.
    """
    steps = STRIP_FRAMES - 1
    if abs(shown) < WEIGHT_SLACK:
        before, shown, index = steps, end, 0
    else:
        before = min(max(round(steps * shown / end), STEPS_TO_SHOWN), steps - 1)
        before = index = steps if abs(end - shown) < WEIGHT_SLACK else before
    after = steps - before
    weights = [shown * step / before for step in range(before + 1)]
    weights += [shown + (end - shown) * (step + 1) / after for step in range(after)]
    if flip is not None and all(abs(flip - weight) >= WEIGHT_SLACK for weight in weights):
        free = (place for place in range(1, steps) if place != index)
        weights[min(free, key=lambda place: abs(weights[place] - flip))] = flip
    order = sorted(range(len(weights)), key=lambda place: abs(weights[place]))
    return [weights[place] for place in order], order.index(index)


def strip_strengths(
    strengths: Sequence[float], shown: float, flip: float | None, end: float
) -> tuple[list[float], int]:
    """Return which `strengths` of an edit a strip shows, from 0 outwards to `end`, and which of them is `shown`.

    There are `STRIP_FRAMES` at most: 0, the end, `shown` and `flip` first, then others, evenly spread.
    """
    side = 1 if end >= 0 else -1
    way = sorted({0.0, *(strength for strength in strengths if strength * side > 0)}, key=abs)
    last, steps = len(way) - 1, STRIP_FRAMES - 1

    def nearest(strength: float) -> int:
        return min(range(len(way)), key=lambda place: abs(way[place] - strength))

    spread = [round(last * step / steps) for step in range(1, steps)]
    wanted = dict.fromkeys([0, last, nearest(shown), *([] if flip is None else [nearest(flip)]), *spread])
    chosen = sorted([*wanted][:STRIP_FRAMES])
    return [way[place] for place in chosen], chosen.index(nearest(shown))


def _strip(audit: AuditFolder, pick: Pick, diagnosis: Diagnosis, evaluator: Evaluator, styles: StyleRows) -> StripEntry:
    """Write pictures of one trial from the original to the end of its range, with the target's output for each."""
    record, view = pick.record, evaluator.target.task.view
    attribute = next((one for one in diagnosis.attributes if one.text == record.attribute), None)
    flip: float | None = None
    along: Sequence[float | None] = [None] * STRIP_FRAMES
    if attribute is None:
        shown = STRIP_FRAMES - 1
        weights = torch.linspace(0, 1, STRIP_FRAMES)[:, None] * torch.tensor(pick.edit_weights)
    else:
        column = diagnosis.attributes.index(attribute)
        end = _end(pick, column, diagnosis)
        flip = _flip_weight(record, column, end, view)
        if diagnosis.config.edits is None:
            steps, shown = strip_weights(pick.edit_weights[column], flip, end)
        else:
            strengths = [point.weights[column] for point in record.trajectory]
            steps, shown = strip_strengths(strengths, pick.edit_weights[column], flip, end)
        weights = torch.zeros(len(steps), len(diagnosis.attributes))
        weights[:, column], along = torch.tensor(steps), steps
    # Photographs may be large: they are looked at one by one.
    at_once = len(weights) if diagnosis.config.edits is None else 1
    pictures, seen = _looked_at(evaluator, styles[record.image].expand(len(weights), -1), weights, at_once)
    stem = f"images/strip-{slug(record.attribute or 'all')}-{pick.kind}-{record.seed}"
    recorded, frames = seen.recorded.tolist(), []
    for index, content in enumerate(side_by_side(png_bytes, pictures)):
        name = f"{stem}-{index}.png"
        audit.write(name, content)
        entry = FrameEntry(
            file=name,
            weight=along[index],
            caption=view.caption(seen.outputs[index], seen.outputs[0]),
            followed=view.response(recorded[index], recorded[0]),
            flipped=bool(seen.flipped[index]),
            label_kept=bool(seen.label_kept[index]) if seen.labels_on else None,
        )
        frames.append(entry)
    return StripEntry(
        kind=pick.kind,
        attribute=attribute,
        image=record.image,
        seed=record.seed,
        direction=pick.direction,
        flipped=pick.direction[0] != pick.direction[1],
        decisive=pick.decisive,
        extreme=pick.extreme,
        label_kept=pick.label_kept,
        ssim=pick.ssim,
        shown=shown,
        flip_weight=flip,
        original_caption=frames[0].caption,
        caption=frames[shown].caption,
        frames=tuple(frames),
    )


def _end(pick: Pick, column: int, diagnosis: Diagnosis) -> float:
    """Return where the range of the trial ends, on its picture's side; a range that leads nowhere ends there."""
    shown = pick.edit_weights[column]
    low, high = pick.record.bounds or diagnosis.config.ranges[column]
    side = shown or low + high
    return max(high, shown) if side >= 0 else min(low, shown)


def _flip_weight(record: Record, column: int, end: float, view: TaskView) -> float | None:
    """Return the edit weight nearest to 0 on the way to `end` at which the prediction flips and keeps its label.

    It is known as far as the search looked; None without such a point.
    """
    original = record.original_output
    unedited = view.state(original, original)
    flips = [
        weight
        for point in record.trajectory
        if 0 < (weight := point.weights[column]) * (1 if end >= 0 else -1) <= abs(end) + WEIGHT_SLACK
        and point.label_kept is not False
        and view.state(point.output, original) != unedited
    ]
    return min(flips, key=abs, default=None)


@torch.no_grad()
def _looked_at(evaluator: Evaluator, styles: Tensor, weights: Tensor, at_once: int) -> tuple[list[Pixels], Evaluation]:
    """Draw one image at several edit weights, the first of which is 0, and evaluate it, so many pictures at once.

    Returns the pictures, and what target and text encoder see in them.
    """
    view, pictures, evaluations = evaluator.target.task.view, list[Pixels](), list[Evaluation]()
    original: Originals | None = None
    for rows in torch.split(torch.arange(len(weights)), at_once):
        images = evaluator.render(styles[rows], weights[rows].to(styles.device))
        embeddings = evaluator.label_embeddings(images)
        if original is None:
            original = evaluator.originals_of(images[:1], embeddings=None if embeddings is None else embeddings[:1])
        alike = original.rows(torch.zeros(len(images), dtype=torch.long))
        evaluations.append(evaluator.evaluate(images, alike, embeddings=embeddings, ssim="none"))
        unedited, outputs = evaluations[0].outputs[0], evaluations[-1].outputs
        drawn = zip(to_pixels(images), outputs, strict=True)
        pictures += [shrunk(view.overlay(pixels, row, unedited), LARGEST_FRAME) for pixels, row in drawn]
    return pictures, Evaluation.cat(evaluations)


class _Sheets:
    """Draws the pictures of edit sheets: rows of images, of which one is edited by each column's weight.

    They belong to the edit directions. Where the target's output is not drawn into them, they are kept in the cache,
    for the next audit along the same directions.
    """

    def __init__(
        self, evaluator: Evaluator, styles: Tensor, cache: Path | None, drawn_by: Mapping[str, object]
    ) -> None:
        self._evaluator, self._styles, self._drawn_by = evaluator, styles, drawn_by
        self._plain = type(evaluator.target.task.view).overlay is TaskView.overlay
        self._cache = DirectionCache(cache if self._plain else None)

    def of(self, index: int, columns: Sequence[float]) -> list[list[bytes]]:
        """Return the files of a direction's sheet by row and column, the unedited pictures at weight 0."""
        known = {
            **self._drawn_by,
            "direction": _digest(self._evaluator.directions[index]),
            "codes": _digest(self._styles),
            "weights": list(columns),
        }

        def drawn() -> dict[str, Tensor]:
            pictures = {f"{row}-{column}": pixels for row, column, pixels in self._drawn(index, columns)}
            files = zip(pictures, side_by_side(png_bytes, list(pictures.values())), strict=True)
            return {name: torch.frombuffer(bytearray(content), dtype=torch.uint8) for name, content in files}

        files = self._cache.cached("sheet", known, drawn)
        rows, column_numbers = range(len(self._styles)), range(len(columns))
        return [[files[f"{row}-{column}"].numpy().tobytes() for column in column_numbers] for row in rows]

    @cached_property
    def _unedited(self) -> tuple[Pixels, Tensor]:
        return self._seen(self._evaluator.render(self._styles))

    def _seen(self, images: Tensor) -> tuple[Pixels, Tensor]:
        """Return the pixels of the images, and the target's outputs where they are drawn into them."""
        outputs = images.new_empty(len(images)) if self._plain else self._evaluator.target(images)
        return to_pixels(images), outputs

    @torch.no_grad()
    def _drawn(self, index: int, columns: Sequence[float]) -> Iterator[tuple[int, int, Pixels]]:
        """Yield row, column and pixels of each picture."""
        view, edits = self._evaluator.target.task.view, [weight for weight in columns if weight != 0.0]
        weights = torch.zeros(len(edits), len(self._evaluator.directions))
        weights[:, index] = torch.tensor(edits)
        originals, original_outputs = self._unedited
        for row, (style, original, output) in enumerate(zip(self._styles, originals, original_outputs, strict=True)):
            pixels, outputs = self._seen(self._evaluator.render(style.expand(len(edits), -1), weights.to(style.device)))
            edited = zip(pixels, outputs, strict=True)
            for column, weight in enumerate(columns):
                picture, seen = (original, output) if weight == 0.0 else next(edited)
                yield row, column, view.overlay(picture, seen, output)


def _digest(values: Tensor) -> str:
    return hashlib.sha256(values.detach().float().cpu().numpy().tobytes()).hexdigest()


def _sheet(audit: AuditFolder, index: int, diagnosis: Diagnosis, sheets: _Sheets) -> SheetEntry:
    """Write the pictures of an edit sheet: one row per image, one column per weight."""
    attribute = diagnosis.attributes[index]
    columns = sheet_weights(*diagnosis.config.ranges[index])
    rows = []
    for number, files in enumerate(sheets.of(index, columns)):
        names = [f"images/sheet-{attribute.slug}-{number}-{place}.png" for place in range(len(files))]
        for name, content in zip(names, files, strict=True):
            audit.write(name, content)
        rows.append(tuple(names))
    return SheetEntry(attribute=attribute, weights=tuple(columns), rows=tuple(rows))
