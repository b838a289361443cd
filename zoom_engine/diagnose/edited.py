"""An audit of edits from elsewhere: the target is shown pictures that others edit, and no generator is loaded.

There is nothing to search: each strength of an edit is a point of its trial, and the result is that of these points.
Controls, edits that should not matter, stand where random baseline directions do in other audits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoom_engine.audit.folder import MANIFEST, AuditFolder, check_config, check_folder, read_manifest
from zoom_engine.audit.manifest import Edit, Edits, Manifest, range_of
from zoom_engine.audit.records import NOT_EDITED, Record
from zoom_engine.common import registry
from zoom_engine.common.errors import AuditError, ConfigError, one_line
from zoom_engine.common.files.cache import check_cache, default_cache
from zoom_engine.common.files.png import to_images
from zoom_engine.common.machine import describe_environment, find_device, keep_freed_memory
from zoom_engine.common.notices import Notices, Notify, null_notifier
from zoom_engine.common.plurals import agreeing, listed, number_of
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.threads import working
from zoom_engine.common.typed import one_of
from zoom_engine.diagnose.attribute_sources import unread_neutral
from zoom_engine.diagnose.cluster import Batch
from zoom_engine.diagnose.edit_scores import EditScores, edit_scores
from zoom_engine.diagnose.gallery import build_strips
from zoom_engine.diagnose.models import stored_answers
from zoom_engine.diagnose.run import InFolder, InMemory, Sink, tell_tries
from zoom_engine.diagnose.shard import NewTries
from zoom_engine.edits.edited_photographs import edit_photographs
from zoom_engine.edits.editor import Picture
from zoom_engine.edits.loading import load_editor
from zoom_engine.edits.pairs import read_pairs
from zoom_engine.edits.pictures import EditedPictures, EditKey, Wanted
from zoom_engine.evaluation.evaluator import Evaluator, Originals
from zoom_engine.report import write_report
from zoom_engine.runtime import check_backend, compiled_reader, network_runtime
from zoom_engine.search import EvaluatedPoint, EvaluatedPoints, Trial
from zoom_engine.search.evaluated import evaluated_points, origins
from zoom_engine.search.recorded import record_of
from zoom_engine.settings.audit_settings import ABOUT, BATCH_SIZE, AuditSettings, RunSettings
from zoom_engine.settings.target_names import several_targets
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.effects import towards_adding
from zoom_engine.targets import Target, check_target, check_target_options, input_notices, load_untried

LARGE = (32 << 20) // 12
"""The most pixels of a picture whose array of float32, 32 MB, the C library keeps for the next one by itself."""
LARGEST_PROBE = 512
"""The longest side, in pixels, of the pictures that a target is tried on."""
LARGEST_COMPILED = 1024
"""The same of those that a target with no size of its own is compiled for."""
PIXELS_AT_ONCE = 1 << 24
"""The most pixels of a batch with more than one picture: 200 MB as the target is shown them."""
ROUNDED = 1.5 / 127.5
"""The largest difference of two pictures in [-1, 1] that rounding makes: one grey level of 255."""
KEPT = 1 << 28
"""Bytes of pictures that are remembered while images are at work, and as many again of those that grids show."""
PLACES = ("keypoints", "segmentation", "detection")
"""The tasks whose answers are places in the picture."""
NETWORK_BACKENDS = ("auto", "torch", "openvino")
"""The backends that can run a target where nothing is drawn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EditedModels:
    """Everything that an audit of edits from elsewhere has loaded, checked and chosen.

    Attributes:
        settings: What was asked for.
        pictures: The images and their edits.
        target: Compiled.
        answers: How the target answers probes, None where it answers differently each time.
        scores: Tells whether edits were made; None without a text encoder.
        runs: What runs the target.
        notices: Lines on what was assumed.
        of_pictures: Those of the pictures, whatever the target.
        progress: How long work is shown.
    """

    settings: AuditSettings
    pictures: EditedPictures
    target: Target
    answers: list[list[float]] | None
    scores: EditScores | None
    runs: str
    notices: Notices
    of_pictures: tuple[str, ...]
    progress: ProgressFactory

    def __str__(self) -> str:
        """Say in short what is audited, and how."""
        pictures = self.pictures
        attributes, images = number_of(len(pictures.attributes), "attribute"), number_of(len(pictures.names), "image")
        return f"target={self.target.name!r}, edits={pictures.kind!r}, {attributes} on {images}"


@working()
def load_edited(
    settings: AuditSettings,
    *,
    progress: ProgressFactory = silent,
    notify: Notify = null_notifier,
    like: EditedModels | None = None,
) -> EditedModels:
    """Load the target, and look at all pictures. What words alone show to be wrong is told first.

    Args:
        settings: What is audited and how.
        progress: How long work is shown.
        notify: Takes lines on what was assumed, as soon as they are known.
        like: Loaded by the same settings but the target; the pictures and what scores them are this one's too.

    Raises:
        ZoomError: One of its subclasses, with one line that says what is wrong and what to do.
    """
    given: Any = settings.target
    if several_targets(given):
        raise ConfigError("a Diagnoser audits one target: Diagnosers(target=[…], …) audits several")
    device = find_device(settings.device)
    if settings.backend not in NETWORK_BACKENDS:
        raise ConfigError(f"backend cannot be {one_of(settings.backend, NETWORK_BACKENDS)}: nothing is drawn here")
    check_backend(settings.backend, settings.precision, settings.device)
    cache = default_cache() if settings.cache is None else Path(settings.cache)
    check_cache(cache)
    check_target(given)
    target_options = {"download": settings.download, **check_target_options(settings.target_options)}
    notices = Notices(notify)
    pictures = edited_pictures(settings, notices, progress) if like is None else like.pictures
    if max(height * width for height, width in pictures.sizes) > LARGE:
        keep_freed_memory()
    of_pictures = tuple(notices.lines) if like is None else like.of_pictures
    notices.lines = [*of_pictures]  # told already, where another target's run did
    with progress(2, "Loading", unit="model") as bar:
        target = load_untried(given, **target_options).to(device)
        side = min(max(target.preprocessing.hw or pictures.sizes[0]), LARGEST_PROBE)
        answers = target.check(side)
        # Test pictures are square, what is compiled reads those of the audit alone, and the target's own runtime rests.
        stored = partial(stored_answers, cache, target, answers, side)
        fed = list(input_notices(target, resolution=side, stored=stored))
        bar.update(note="target")
        compiled, runs = target, "torch: it reads pictures of several sizes, or large ones"
        # What the target brings to its own size may have any: a small one takes no memory.
        sizes = set(pictures.sizes) if target.preprocessing.hw is None else {(side, side)}
        if len(sizes) == 1 and max(size := sizes.pop()) <= LARGEST_COMPILED:
            compiled, runs = compiled_reader(
                target, network_runtime(settings.backend, settings.device), size, cache=cache
            )
        bar.update(note="runtime")
    scores = edit_scores(settings, pictures, progress) if like is None else like.scores
    neutral = unread_neutral(settings, read=scores is not None)
    for notice in filter(None, (unequal_strengths(pictures), moved_answers(pictures, target), neutral, *fed)):
        notices.add(notice)
    return EditedModels(
        settings=settings,
        pictures=pictures,
        target=compiled,
        answers=answers,
        scores=scores,
        runs=runs,
        notices=notices,
        of_pictures=of_pictures,
        progress=progress,
    )


def moved_answers(pictures: EditedPictures, target: Target) -> str:
    """Return what to tell where edits move the places that a target is right to name; "" elsewhere."""
    moving = [attribute for attribute in pictures.attributes if pictures.moves_places(attribute)]
    if not moving or target.task.name not in PLACES:
        return ""
    return (
        f"{listed(moving)} {agreeing(len(moving), 'moves', 'move')} what a picture shows, and a right answer of"
        f" {target.task.name} with it: the change of such an attribute is no fault; leave it out by attributes"
        " (--attribute)"
    )


def unequal_strengths(pictures: EditedPictures) -> str:
    """Return what to tell where attributes have more strengths than controls, and the largest change is judged.

    It is where an edit leads to both sides of 0; "" elsewhere.
    """
    counts: dict[bool, list[int]] = {True: [], False: []}
    both_ways = False
    for image in range(len(pictures.names)):
        for edit in _edits_of(pictures, image):
            strengths = pictures.strengths(image, edit)
            counts[isinstance(edit, int)].append(len(strengths))
            both_ways |= min(strengths) < 0 < max(strengths)
    most, least = max(counts[False]), min(counts[True], default=0)
    if not both_ways or not least or most <= least:
        return ""
    return (
        f"attributes have up to {most} strengths and controls as few as {least}, and where edits lead to both sides of"
        " 0 the largest change is judged, which is the larger the more there are: give controls as many"
    )


def edited_pictures(settings: AuditSettings, notices: Notices, progress: ProgressFactory) -> EditedPictures:
    """Return the images and edits that the settings name.

    Raises:
        ZoomError: they cannot be used, in one line.
    """
    attributes = None if settings.attributes is None else [str(attribute) for attribute in settings.attributes]
    if settings.pairs is not None:
        return read_pairs(Path(settings.pairs), attributes=attributes, progress=progress)
    trust = bool((settings.target_options or {}).get("trust"))
    editor = load_editor(settings.editor, options=settings.editor_options, trust=trust, device=settings.device)
    folder = Path(settings.photos or "")
    return edit_photographs(editor, folder, attributes=attributes, notify=notices.add, progress=progress)


@working()
def diagnosed_edits(
    audits: Sequence[EditedModels],
    run: RunSettings,
    outs: Sequence[str | Path | None],
    *,
    index: Path | None = None,
) -> list[Diagnosis]:
    """Audit the targets of `audits`, which have all else in common, into the folders `outs`, see `Diagnoser.run`.

    A picture that several of them are shown is asked for once, of as large a part of the images as memory holds.
    Reports link the `index` that will show them side by side.
    """
    first = audits[0]
    given = [name for name in ("seed", "width", "most_images") if getattr(run, name)]
    if given:
        raise ConfigError(f"an audit of {_source(first.settings)} takes all images: leave out {' and '.join(given)}")
    for models, out in zip(audits, outs, strict=True):
        if out is not None:
            check_folder(out)
            _check_same_audit(models, Path(out))
    asked_again = first.settings.editor is not None or len(audits) > 1  # pairs are files
    memory = _Memory(first.pictures, room=KEPT if asked_again else 0, keeps=any(out is not None for out in outs))
    with contextlib.ExitStack() as stack:
        targets: list[_Audited] = []
        for models, out in zip(audits, outs, strict=True):
            manifest = _manifest(models)
            sink: Sink = InMemory(manifest)
            if out is not None:
                sink = InFolder(stack.enter_context(AuditFolder.open(out, manifest)), manifest)
            targets.append(_Audited(models, _Shown(models, memory), sink, NewTries(models.target)))
        try:
            _show(first, targets, memory)
        except BaseException:  # what a service was asked in vain counts too
            for one in targets:
                with contextlib.suppress(AuditError):
                    one.sink.keep(Batch([], tries=one.tries()))
            raise
        images = torch.arange(len(first.pictures.names), dtype=torch.float64)[:, None]
        diagnoses = []
        for one in targets:
            draw = partial(build_strips, evaluator=one.shown.evaluator, images=images)
            diagnoses.append(one.sink.finish(draw, one.tries))
            tell_tries(one.models.target.name, diagnoses[-1], one.models.notices)
        _tell_not_edited(diagnoses[0], first.notices)
    for out, diagnosis in zip(outs, diagnoses, strict=True):
        if out is not None:
            write_report(Path(out), diagnosis, index=index)
    return diagnoses


class _Audited(NamedTuple):
    """One target of a run: what was loaded, what shows it pictures, where records go, and how often it was asked."""

    models: EditedModels
    shown: _Shown
    sink: Sink
    tries: NewTries


def _show(first: EditedModels, targets: Sequence[_Audited], memory: _Memory) -> None:
    """Show the targets what has no record yet, some images at a time."""
    done = [set(one.sink.done) for one in targets]
    flips = searched = 0
    count, initial = len(targets) * sum(_records(first.pictures)), sum(map(len, done))
    with first.progress(count, "Showing pictures", unit="trial", initial=initial) as bar:
        for images in _together(first.pictures, first.settings.batch_size or BATCH_SIZE):
            # A part that was written is shown again as a whole: what is in a batch may move an output's last digits.
            trials = {(image, edit) for image in images for edit in _edits_of(first.pictures, image)}
            for one, known in zip(targets, done, strict=True):
                if trials <= known:
                    continue
                records = [record for record in one.shown.records(images) if record.trial not in known]
                one.sink.keep(Batch(records, tries=one.tries()))
                flips += sum(record.flipped for record in records if record.baseline is None)
                searched += sum(record.baseline is None for record in records)
                bar.update(len(records), note=f"flip rate {flips / max(searched, 1):.2f}")
            memory.forget()


def _tell_not_edited(diagnosis: Diagnosis, notices: Notices) -> None:
    """Say which edits left pictures as they were."""
    counts = diagnosis.not_edited
    if counts:
        which = ", ".join(f"{one_line(name, 60)!r} of {number_of(count, 'image')}" for name, count in counts.items())
        notices.notify(
            f"not edited: {which}; edited pictures are the unedited ones there, or are marked as not made, which says"
            " nothing of the target and is left out"
        )


def _together(pictures: EditedPictures, batch_size: int) -> Iterator[list[int]]:
    """Yield all images, some at a time: as many as have `batch_size` pictures, or `PIXELS_AT_ONCE`."""
    images: list[int] = []
    rows = pixels = 0
    for image, (height, width) in enumerate(pictures.sizes):
        count = 1 + sum(len(pictures.strengths(image, edit)) for edit in _edits_of(pictures, image))
        if images and (rows + count > batch_size or pixels + height * width > PIXELS_AT_ONCE):
            yield images
            images, rows, pixels = [], 0, 0
        images.append(image)
        rows, pixels = rows + count, pixels + height * width
    yield images


def _edits_of(pictures: EditedPictures, image: int) -> Iterator[EditKey]:
    """Yield the edits that an image has: attributes, then controls."""
    edits: tuple[EditKey, ...] = (*pictures.attributes, *range(len(pictures.controls)))
    return (edit for edit in edits if pictures.strengths(image, edit))


class _Memory:
    """Pictures that need not be asked for again: those of the images at work, and those that grids will show.

    An editor may take seconds for one. Both take as many bytes as there is `room`; what is beyond is asked for again.

    Attributes:
        scores: text scores `[N]` of the unedited images at work.
        moved: how far the edits of the images at work move the scores, as `Record.scores` has it.
    """

    def __init__(self, pictures: EditedPictures, *, room: int, keeps: bool) -> None:
        """Remember nothing yet; what grids show is kept where it `keeps`."""
        self._pictures, self._room, self._keeps = pictures, room, keeps
        self._seen, self._kept = dict[Wanted, Picture](), dict[Wanted, Picture]()
        self._bytes = self._bytes_kept = 0
        self.scores, self.moved = dict[int, Tensor](), dict[tuple[int, EditKey], tuple[float, ...]]()

    def read(self, wanted: Sequence[Wanted]) -> list[Picture]:
        """Return pictures, see `EditedPictures.read`."""
        known = {one: picture for one in wanted if (picture := self._seen.get(one, self._kept.get(one))) is not None}
        missing = [one for one in dict.fromkeys(wanted) if one not in known]
        read = dict(zip(missing, self._pictures.read(missing), strict=True)) if missing else {}
        for one, picture in read.items():
            if self._bytes + picture.nbytes <= self._room:
                self._seen[one] = picture
                self._bytes += picture.nbytes
        return [known[one] if one in known else read[one] for one in wanted]

    def keep(self, wanted: Wanted) -> None:
        """Keep a picture for a grid, if it is remembered and there is room."""
        picture = self._seen.get(wanted)
        if not self._keeps or picture is None or wanted in self._kept:
            return
        if self._bytes_kept + picture.nbytes <= self._room:
            self._kept[wanted] = picture
            self._bytes_kept += picture.nbytes

    def forget(self) -> None:
        """Forget the images at work, for the next ones."""
        for known in (self._seen, self.scores, self.moved):
            known.clear()
        self._bytes = 0


class _Shown:
    """What the target says of the pictures. It draws them for the gallery too, as a `Renderer` does.

    The code of an image is its number, and its edit weights are strengths.
    """

    def __init__(self, models: EditedModels, memory: _Memory) -> None:
        self._pictures, self._batch_size = models.pictures, models.settings.batch_size or BATCH_SIZE
        self._scores, self._memory = models.scores, memory
        self._device = find_device(models.settings.device)
        nowhere = torch.zeros(len(models.pictures.attributes), 1)
        self.evaluator = Evaluator(self, nowhere, models.target, decisive_change=models.settings.decisive_change)

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Return the pictures `[B, 3, H, W]` of image numbers `[B, 1]` at strengths `[B, N]`."""
        wanted = []
        for row, image in enumerate(codes[:, 0].int().tolist()):
            if edit_weights is not None and bool(edit_weights[row].any()):
                column = int(edit_weights[row].abs().argmax())
                edit = self._pictures.attributes[column]
                wanted.append(self._nearest(image, edit, float(edit_weights[row, column])))
                continue
            wanted.append(Wanted(image, self._pictures.attributes[0], 0.0))
        return self._read(wanted)

    def _read(self, wanted: Sequence[Wanted]) -> Tensor:
        return to_images(np.stack(self._memory.read(wanted))).to(self._device)

    def _nearest(self, image: int, edit: EditKey, weight: float) -> Wanted:
        """Return the picture at the strength that a rounded edit weight stands for."""
        return Wanted(image, edit, min(self._pictures.strengths(image, edit), key=lambda one: abs(one - weight)))

    @torch.no_grad()
    def records(self, images: Sequence[int]) -> list[Record]:
        """Show the target these images and all their edits, and return the records."""
        pictures, memory = self._pictures, self._memory
        unedited: dict[int, Originals] = {}
        for wanted in self._batches([Wanted(image, pictures.attributes[0], 0.0) for image in images]):
            shown = self._read(wanted)
            originals = self.evaluator.originals_of(shown)
            if self._scores is not None:
                self._score_unedited(self._scores, [one.image for one in wanted], shown)
            unedited |= {one.image: originals.rows(torch.tensor([row])) for row, one in enumerate(wanted)}
        trials = [(image, edit) for image in images for edit in _edits_of(pictures, image)]
        points: dict[tuple[int, EditKey], list[EvaluatedPoint]] = {trial: [] for trial in trials}
        changed: set[tuple[int, EditKey]] = set()
        for wanted in self._batches(
            [Wanted(image, edit, strength) for image, edit in trials for strength in pictures.strengths(image, edit)]
        ):
            beside = Originals.cat([unedited[one.image] for one in wanted])
            edited = self._read(wanted)
            for one, picture, original in zip(wanted, edited, beside.pictures, strict=True):
                if (one.image, one.edit) not in changed and bool(((picture - original).abs() > ROUNDED).any()):
                    changed.add((one.image, one.edit))
            if self._scores is not None:
                self._score_furthest(self._scores, wanted, edited)
            evaluation = self.evaluator.evaluate(edited, beside, ssim="flipped")
            for one, point in zip(wanted, evaluated_points(evaluation, np.zeros((len(wanted), 1))), strict=True):
                weights = self._weights(one.edit, one.strength)
                points[one.image, one.edit].append(replace(point, weights=weights))
        records = [
            self._record(
                image,
                edit,
                unedited[image],
                points[image, edit],
                "all strengths" if (image, edit) in changed else NOT_EDITED,
                memory.moved.get((image, edit)),
            )
            for image, edit in trials
        ]
        for record, (image, edit) in zip(records, trials, strict=True):
            if record.was_edited and not isinstance(edit, int):
                memory.keep(self._nearest(image, edit, record.edit_weights[self._column(edit)]))
        return records

    def _score_unedited(self, scores: EditScores, images: Sequence[int], shown: Tensor) -> None:
        """Score unedited images, but those of which the scores are known: by some of them the ranges were measured."""
        known = self._memory.scores
        known |= {image: scores.unedited[image] for image in images if image in scores.unedited}
        rest = [row for row, image in enumerate(images) if image not in known]
        if rest:
            known |= zip([images[row] for row in rest], scores.of(shown[rest]), strict=True)

    def _score_furthest(self, scores: EditScores, wanted: Sequence[Wanted], edited: Tensor) -> None:
        """Measure how far the furthest edits of attributes move the scores, unless another target had that done."""
        known = self._memory.moved
        furthest = [
            row for row, one in enumerate(wanted) if (one.image, one.edit) not in known and self._is_furthest(one)
        ]
        if furthest:
            before = torch.stack([self._memory.scores[wanted[row].image] for row in furthest])
            changes = scores.changes(before, scores.of(edited[furthest]))
            known |= zip([(wanted[row].image, wanted[row].edit) for row in furthest], changes, strict=True)

    def _is_furthest(self, wanted: Wanted) -> bool:
        """Tell whether it is an attribute's edit at its largest strength, the one to which text scores belong."""
        if isinstance(wanted.edit, int):
            return False
        ends = range_of(self._pictures.strengths(wanted.image, wanted.edit))
        return wanted.strength == ends[1 if towards_adding(ends) > 0 else 0]

    def _batches(self, wanted: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
        """Yield the pictures in batches of one size."""
        by_size: dict[tuple[int, int], list[Wanted]] = {}
        for one in wanted:
            by_size.setdefault(self._pictures.sizes[one.image], []).append(one)
        for (height, width), alike in by_size.items():
            size = min(self._batch_size, max(1, PIXELS_AT_ONCE // (height * width)))
            yield from (alike[first : first + size] for first in range(0, len(alike), size))

    def _weights(self, edit: EditKey, strength: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the edit weights `[N]` of an attribute's edit, or `[C]` of a control's."""
        weights = np.zeros(len(self._pictures.controls if isinstance(edit, int) else self._pictures.attributes))
        weights[self._column(edit)] = strength
        return weights

    def _column(self, edit: EditKey) -> int:
        return edit if isinstance(edit, int) else self._pictures.attributes.index(edit)

    def _record(
        self,
        image: int,
        edit: EditKey,
        unedited: Originals,
        points: list[EvaluatedPoint],
        stop: str,
        scores: tuple[float, ...] | None,
    ) -> Record:
        ends = range_of(self._pictures.strengths(image, edit))
        bounds = np.stack([self._weights(edit, end) for end in ends], axis=1)
        (origin,) = origins(self.evaluator, unedited)
        origin = replace(origin, weights=self._weights(edit, 0.0))
        trial = Trial(image, self._column(edit), bounds, scores=scores)
        evaluated = EvaluatedPoints(trial, origin)
        evaluated.add(points)
        result = evaluated.result(stop, by_weight=True)
        return record_of(trial, result, self._pictures.seeds[image], edit)


def _source(settings: AuditSettings) -> str:
    return "pairs" if settings.pairs is not None else "an editor"


def _records(pictures: EditedPictures) -> tuple[int, int]:
    """Return how many records there will be, of attributes and of controls."""
    edits = [edit for image in range(len(pictures.names)) for edit in _edits_of(pictures, image)]
    controls = sum(isinstance(edit, int) for edit in edits)
    return len(edits) - controls, controls


def edits_of(pictures: EditedPictures) -> Edits:
    """Return the edits as the manifest has them."""
    images = range(len(pictures.names))

    def edit(name: str, key: EditKey) -> Edit:
        strengths = {strength for image in images for strength in pictures.strengths(image, key)}
        return Edit(name=name, strengths=tuple(sorted(strengths)), unit=pictures.unit(name))

    return Edits(
        kind=pictures.kind,
        images=pictures.names,
        attributes=tuple(edit(name, name) for name in pictures.attributes),
        controls=tuple(edit(name, number) for number, name in enumerate(pictures.controls)),
        records=_records(pictures),
        content_hash=pictures.content_hash,
    )


def _config(models: EditedModels) -> dict[str, Any]:
    """Return what determines the records, as the manifest's file has it."""
    pictures, target, edits = models.pictures, models.target, edits_of(models.pictures)
    strengths = [abs(strength) for edit in (*edits.attributes, *edits.controls) for strength in edit.strengths]
    made_by = pictures.describe()
    return {
        **models.settings.deciding(),
        "images": len(pictures.names),
        "target": target.name,
        "target_details": target.describe(),
        "attributes": list(pictures.attributes),
        "labels": [],
        "bound": max(strengths),
        **({} if models.scores is None else models.scores.describe()),
        "edits": {**asdict(edits), **({"made_by": made_by} if made_by else {})},
        "answers": {} if models.answers is None else {"target": models.answers},
    }


def _manifest(models: EditedModels) -> Manifest:
    """Return all that determines the records, and where they were made."""
    settings, target = models.settings, models.settings.target
    domain = target.partition(":")[0] if isinstance(target, str) else ""
    brought = registry.brought(
        [
            (registry.DOMAINS, domain),
            (registry.TASKS, models.target.task.name),
            (registry.EDITORS, models.pictures.kind),
        ]
    )
    return Manifest.of(
        _config(models),
        {
            **describe_environment(),
            **({"brought_by": brought} if brought else {}),
            **({} if settings.pairs is None else {"pairs": str(settings.pairs)}),
            "networks": {"target": models.runs},
            "notices": models.notices.lines,
        },
        **{name: getattr(settings, name) for name in ABOUT},
        begun=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _check_same_audit(models: EditedModels, out: Path) -> None:
    """Refuse to go on with another audit, and say so where only the pictures are others."""
    if not (out / MANIFEST).is_file():
        return
    written = read_manifest(out).config.edits
    if written is not None and written.content_hash != models.pictures.content_hash:
        raise AuditError(
            f"{out} holds an audit that was begun with other pictures, or another table: bring those back, or use"
            " another folder"
        )
    check_config(out, _config(models))
