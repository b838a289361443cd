"""A picture of each trial, in a grid for each attribute, with its record in words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from zoom_engine.audit.folder import inside
from zoom_engine.audit.gallery_file import PictureEntry
from zoom_engine.audit.records import Record, is_natural
from zoom_engine.common.plurals import number_of
from zoom_engine.report import sentences
from zoom_engine.report.pictures import load_picture
from zoom_engine.report.source import Source, direction_of
from zoom_engine.report.strips import Strip
from zoom_engine.settings.attributes import Attribute, slug
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import decimal, signed

INLINED = 5_000_000
"""Bytes of the pictures of all grids inside a page that is one file: mail takes it, with the rest of the page."""
SIDES = ((512, 86), (256, 82), (160, 76), (112, 64))
"""Longer side in pixels and quality of pictures inside a page; the first with which all pictures fit is taken."""
MOST_WEIGHTS = 6
"""Edit weights of a record of all attributes together that are told, the largest ones."""
BORDERLINE = "borderline flip"
NO_BREAK = "\u00a0"
"""A space at which no line ends."""


@dataclass(frozen=True)
class Thumbnail:
    """One trial of a grid.

    Attributes:
        anchor: the fragment that opens it, such as "image-12-smiling".
        file: of the edited picture, a link relative to the page, or a data URI.
        original: the anchor of the unedited picture.
        alt: what the picture shows, in a sentence.
        caption: the output before and after.
        flip: what kind of flip it shows, "" for none.
        decisive: whether the flip is decisive.
        lines: the record, as (title, text) pairs.
    """

    anchor: str
    file: str
    original: str
    alt: str
    caption: str
    flip: str
    decisive: bool
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Original:
    """An unedited picture: its anchor, file (as `Thumbnail.file`) and what it is."""

    anchor: str
    file: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Grid:
    """The pictures of one attribute, or of all together: `attribute` is then None, else its index in the histogram."""

    attribute: int | None
    name: str
    anchor: str
    thumbnails: tuple[Thumbnail, ...]

    @property
    def decisive(self) -> int:
        """Return how many of the pictures show a decisive flip."""
        return sum(thumbnail.decisive for thumbnail in self.thumbnails)


@dataclass(frozen=True)
class ImageGrids:
    """All grids of an audit.

    Attributes:
        grids: in the order of the histogram.
        originals: the unedited pictures by their number.
        missing: how many trials have no picture here.
        missing_flips: how many of these flip decisively.
    """

    grids: tuple[Grid, ...]
    originals: tuple[Original, ...]
    missing: int
    missing_flips: int

    def anchor_of(self, attribute: Attribute, order: Sequence[Attribute]) -> str:
        """Return the anchor of the grid with the pictures of an attribute of the histogram; "" without one."""
        indices = (None, order.index(attribute))
        return next((grid.anchor for grid in self.grids if grid.attribute in indices), "")

    def linked(self, strip: Strip) -> Strip:
        """Return a strip with the link to its record."""
        shown = (one for grid in self.grids if grid.attribute == strip.attribute for one in grid.thumbnails)
        record = next((f"#{one.anchor}" for one in shown if one.original == f"image-{strip.image}"), "")
        return replace(strip, record=record)


def strongest_first(diagnosis: Diagnosis, records: Iterable[Record]) -> list[Record]:
    """Return records with decisive flips first, then other flips, each by falling change."""
    return sorted(records, key=lambda one: (not diagnosis.is_decisive(one), not one.flipped, -one.change, one.image))


def read_grids(source: Source, *, inlined: bool = False) -> ImageGrids | None:
    """Return the grids of an audit folder; None where it has no such pictures, as those of older versions.

    Pictures are linked, or `inlined`: as many as `INLINED` bytes hold.

    Raises:
        AuditError: a picture leads out of the folder, or is none.
    """
    entries = {(entry.image, entry.attribute): entry for entry in source.pictures}
    attribute_of = {attribute.text: attribute for attribute in source.order}
    edited = [record for record in source.diagnosis.records if record.was_edited]
    records = [
        (record, entry)
        for record in strongest_first(source.diagnosis, edited)
        if (entry := entries.get((record.image, attribute_of.get(record.attribute or "")))) is not None
        and os.path.isfile(inside(source.audit, entry.file))
        and os.path.isfile(inside(source.audit, entry.original))
    ]
    if not records:
        return None
    if inlined:
        files = _inlined(source, [entry for _, entry in records])
    else:
        files = {file: quote(file) for _, entry in records for file in (entry.file, entry.original)}
    shown = [(record, entry) for record, entry in records if entry.file in files and entry.original in files]
    words = _Words(source)
    grids = [
        Grid(
            attribute=None if attribute is None else source.order.index(attribute),
            name=words.name_of(attribute),
            anchor=f"images-{words.anchors[attribute]}",
            thumbnails=tuple(
                words.thumbnail(record, attribute, files[entry.file])
                for record, entry in shown
                if entry.attribute == attribute
            ),
        )
        for attribute in ((None,) if source.diagnosis.mode == "multi" else source.order)
    ]
    first = {record.image: (record, entry) for record, entry in reversed(shown)}
    shown_records = {record.trial for record, _ in shown}
    missing = [record for record in edited if record.trial not in shown_records]
    return ImageGrids(
        grids=tuple(grid for grid in grids if grid.thumbnails),
        originals=tuple(words.original(record, files[entry.original]) for _, (record, entry) in sorted(first.items())),
        missing=len(missing),
        missing_flips=sum(map(source.diagnosis.is_decisive, missing)),
    )


def thumbnail_of(source: Source, record: Record, attribute: Attribute | None) -> Thumbnail:
    """Return the picture of a record with its words, as its grid has it; its `file` is left to who shows it."""
    return _Words(source).thumbnail(record, attribute, "")


def _inlined(source: Source, entries: Sequence[PictureEntry]) -> dict[str, str]:
    """Return data URIs of the pictures by their files: of all that fit at the largest size, else of the first ones."""
    uris: dict[str, str] = {}
    for side, quality in SIDES:
        uris, size = {}, 0
        for entry in entries:
            new = {
                file: load_picture(source.audit, file, side=side, quality=quality).uri
                for file in (entry.original, entry.file)
                if file not in uris
            }
            size += sum(map(len, new.values()))
            if size > INLINED:
                break
            uris |= new
        else:
            return uris
    return uris


class _Words:
    """Says what records are, for one audit."""

    def __init__(self, source: Source) -> None:
        self._source, self._view = source, source.view
        self.anchors = _anchors(source.names)
        self._columns = {attribute.text: column for column, attribute in enumerate(source.diagnosis.attributes)}

    def name_of(self, attribute: Attribute | None) -> str:
        """Return the name of a grid."""
        return "all attributes together" if attribute is None else self._source.names[attribute]

    def original(self, record: Record, file: str) -> Original:
        """Return the unedited picture of a record."""
        before, _ = self._outputs(record)
        alt = f"image {record.image}, unedited: {self._view.response_axis.label} {before}"
        return Original(f"image-{record.image}", file, alt, before)

    def thumbnail(self, record: Record, attribute: Attribute | None, file: str) -> Thumbnail:
        """Return the picture of a record with its words."""
        outputs = f"{NO_BREAK}→{NO_BREAK}".join(self._outputs(record))
        decisive, flip = self._source.diagnosis.is_decisive(record), self._flip(record)
        weight = None if attribute is None else self._weight(record)
        edited = sentences.edited(self.name_of(attribute), weight, self._source.edit_of(attribute))
        alt = f"image {record.image} {edited}: {self._view.response_axis.label} {outputs}"
        return Thumbnail(
            anchor=f"image-{record.image}-{self.anchors[attribute]}",
            file=file,
            original=f"image-{record.image}",
            alt=f"{alt}, {flip or 'no flip'}",
            caption=outputs,
            flip=flip,
            decisive=decisive,
            lines=tuple(self._lines(record, attribute, outputs, flip)),
        )

    def _flip(self, record: Record) -> str:
        """Return what kind of flip the record holds; "" for none."""
        if not record.flipped:
            return ""
        if not is_natural(record):
            return "flip beyond what the generator draws"
        return "decisive flip" if self._source.diagnosis.is_decisive(record) else BORDERLINE

    def _outputs(self, record: Record) -> tuple[str, str]:
        """Return the output before and after, as response curves draw it."""
        original = record.original_output
        before, after = (self._view.response(output, original) for output in (original, record.output))
        return decimal(before), decimal(after)

    def _weight(self, record: Record) -> float:
        return record.edit_weights[self._columns[record.attribute or ""]]

    def _lines(self, record: Record, attribute: Attribute | None, outputs: str, flip: str) -> Iterator[tuple[str, str]]:
        view, least = self._view, self._source.config.decisive_change
        label = view.response_axis.label
        yield "Output", f"{outputs}, {label}"
        before, after = map(view.state_name, direction_of(record, record.output, view))
        way = f"{before} → {after}" if before else after
        why = f"; the output moves by less than {least:g}" if flip == BORDERLINE else ""
        yield "Prediction", f"{way}: {flip}{why}" if flip else "no flip"
        yield "Change", self._change(record)
        yield from self._strengths(record, attribute)
        yield "Label", {True: "kept", False: "not kept", None: "not checked"}[record.label_kept]
        if record.ssim is not None:
            yield "Similarity", f"{decimal(record.ssim)} (SSIM to the unedited picture, 1 is the same)"
        yield "Evaluated", number_of(record.evaluations, "edited picture")
        named = sentences.image_in_words(self._source.config, record.image, record.seed)
        yield "Image", named.removeprefix("Image ")

    def _change(self, record: Record) -> str:
        """Say how far the output moved at this picture, and how far at most."""
        points = (point.change for point in record.trajectory if point.weights == record.edit_weights)
        here = next(points, record.change)
        most = f"; on the way up to {decimal(record.change)}" if decimal(record.change) != decimal(here) else ""
        units, whole = self._view.change_in_words(here), self._view.whole
        share = f"{decimal(here)} of {whole or 'at most 1'}"
        return f"{units}{whole and f', {share}'}{most}" if units else f"{share}{most}"

    def _strengths(self, record: Record, attribute: Attribute | None) -> Iterator[tuple[str, str]]:
        if attribute is None:
            names = self._source.names
            weights = zip(self._source.diagnosis.attributes, record.edit_weights, strict=True)
            largest = sorted(weights, key=lambda pair: -abs(pair[1]))[:MOST_WEIGHTS]
            yield "Edit weights", ", ".join(f"{names[one]} {signed(weight)}" for one, weight in largest if weight)
            return
        edit = self._source.edit_of(attribute)
        ends = ""
        if record.bounds:
            ends = f"; this image’s range is {' to '.join(sentences.strength(end, edit) for end in record.bounds)}"
        told = f"{sentences.strength(self._weight(record), edit)}{ends}"
        yield sentences.strength_name(edit), told


def _anchors(names: Mapping[Attribute, str]) -> dict[Attribute | None, str]:
    """Return a fragment for each attribute: its name where that can be told from others by a-z and digits alone."""
    readable = {attribute: re.sub(r"-?[0-9a-f]{8}$", "", slug(name)) for attribute, name in names.items()}
    counts = Counter([*readable.values(), "", "all"])
    anchors: dict[Attribute | None, str] = {None: "all"}
    return anchors | {one: text if counts[text] == 1 else one.slug for one, text in readable.items()}
