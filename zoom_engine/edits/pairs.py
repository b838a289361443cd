"""Pairs: pictures that somebody else edited, as a table names them.

    image,attribute,strength,file,kind
    anna,,0,photos/anna.jpg,
    anna,smiling,1,edited/anna-smiling.png,edit
    anna,crop,1,edited/anna-crop.png,control

`image` says which unedited picture was edited, and the row of strength 0 names its file. Rows of the kind "control" are
edits that should not matter; a name in `attribute` is one control. An optional column `seed` numbers the images, and
one called `made` says "no" where somebody looked and the picture does not show its edit.

Tables come from others. All that they say, and the head of each picture, is checked before a picture is used. Pictures
lie in the table's folder or below: an audit folder holds copies of some, and a table that may name any file could bring
one into a report that was never meant for it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoom_engine.common.errors import ConfigError, PhotographError, one_line, system_errors
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.typed import one_of
from zoom_engine.edits.editor import Picture
from zoom_engine.edits.pictures import PAIRS, EditKey, Wanted
from zoom_engine.edits.strengths import LARGEST, LEAST
from zoom_engine.photographs.reading import MOST_BYTES as MOST_PICTURE_BYTES
from zoom_engine.photographs.reading import photograph_size, read_picture
from zoom_engine.settings.attributes import check_edit_name, check_prompt
from zoom_engine.settings.audit_settings import MOST_RANDOM_DIRECTIONS

NEEDED = ("image", "attribute", "strength", "file")
COLUMNS = (*NEEDED, "kind", "seed", "made")
KINDS = ("edit", "control")
MADE = ("yes", "no")
MOST_BYTES = 1 << 28
MOST_ROWS = 1_000_000
MOST_ATTRIBUTES = 1000
LONGEST = 1000
"""The most characters of a file's path."""
_SEED_BYTES = 6
LARGEST_SEED = 2**63 - 1


class Row(NamedTuple):
    """A row of the table: `control` tells its kind, `made` whether it shows its edit, `line` its number in the file."""

    image: str
    attribute: str
    strength: float
    file: str
    control: bool
    seed: int | None
    made: bool
    line: int


@dataclass(frozen=True)
class _File:
    """A picture's file: its size in pixels, height and width, and the SHA-256 of its content."""

    path: Path
    size: tuple[int, int]
    sha256: str


@dataclass(frozen=True)
class Pairs:
    """The pictures of a table, see `EditedPictures`."""

    names: tuple[str, ...]
    seeds: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    attributes: tuple[str, ...]
    controls: tuple[str, ...]
    content_hash: str
    _files: Sequence[_File] = field(repr=False)
    _edited: Mapping[tuple[int, EditKey], Mapping[float, _File]] = field(repr=False)

    @property
    def kind(self) -> str:
        """Return "pairs"."""
        return PAIRS

    def unit(self, name: str) -> str:
        """Return "": a table does not say what its strengths mean."""
        return ""

    def moves_places(self, name: str) -> bool:
        """Return False: a table does not say what its edits move."""
        return False

    def strengths(self, image: int, edit: EditKey) -> tuple[float, ...]:
        """Return the strengths of the table's rows, see `EditedPictures`."""
        return tuple(sorted(self._edited.get((image, edit), ())))

    def read(self, wanted: Sequence[Wanted]) -> list[Picture]:
        """Read the pictures, see `EditedPictures`.

        Raises:
            PhotographError: a file cannot be read, or is not the one that was there when the table was read.
        """
        return [self._read(*one) for one in wanted]

    def _read(self, image: int, edit: EditKey, strength: float) -> Picture:
        file = self._files[image] if strength == 0 else self._edited[image, edit][strength]
        name = one_line(file.path.name)
        with system_errors(PhotographError, f"cannot read {name}"), file.path.open("rb") as opened:
            content = opened.read(MOST_PICTURE_BYTES + 1)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise PhotographError(
                f"{name} is not the picture that it was when the table was read: bring that one back, or audit into"
                " another folder"
            )
        picture = np.asarray(read_picture(content, name, size=file.size))
        if picture.shape[:2] != file.size:
            raise PhotographError(
                f"{name} has not the size that its head said when the table was read: bring back the file of"
                " then, or save it anew and audit into another folder"
            )
        return picture

    def describe(self) -> dict[str, Any]:
        """Return nothing: a table does not say who edited its pictures."""
        return {}


def read_pairs(path: Path, *, attributes: Sequence[str] | None = None, progress: ProgressFactory = silent) -> Pairs:
    """Read a table of edited pictures and check it, and the head of each picture.

    Args:
        path: of the CSV file.
        attributes: those to audit, of the table's; all by default. Images with none of them are left out.
        progress: how the reading of the files is shown.

    Raises:
        ConfigError: one line with the number of the table's line that is wrong, and what to do.
        PhotographError: the same, of a picture that cannot be read or has another size than the unedited one.
    """
    table = _Table(path, read_rows(path))
    chosen = table.chosen(attributes)
    return table.pairs(chosen, progress)


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a table, each checked by itself.

    Raises:
        ConfigError: as `read_pairs`.
    """
    with system_errors(ConfigError, f"cannot read the table {path}"):
        if not path.is_file():
            raise ConfigError(f"no table of pairs {path}: give a CSV file with the columns {', '.join(NEEDED)}")
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} has more than {MOST_BYTES >> 20} MiB: audit a part of it at a time")
        content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: this is no UTF-8: save the table as CSV in UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, path)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) == MOST_ROWS:
                raise ConfigError(f"{path} has more than {MOST_ROWS:,} rows: audit a part of it at a time")
            try:
                rows.append(_row(header, cells, reader.line_num))
            except ConfigError as error:
                raise ConfigError(f"{path}, line {reader.line_num}: {error}") from None
    except csv.Error as error:
        raise ConfigError(
            f"{path}, line {reader.line_num}: {one_line(error, 120)}: save it as CSV with commas"
        ) from None
    if not rows:
        raise ConfigError(f"{path} has no rows: give one for each picture, and one of strength 0 for each image")
    return rows


def _check_header(header: Sequence[str], path: Path) -> None:
    """Refuse a first line that is not the names of the columns."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise ConfigError(f"{path}, line 1: columns are separated by {name}: save it with commas")
    for name in header:
        if name not in COLUMNS:
            raise ConfigError(f"{path}, line 1: unknown column {one_of(name, COLUMNS)}")
    missing = [name for name in NEEDED if name not in header]
    if missing or len(set(header)) < len(header):
        wrong = f"column {missing[0]} is missing" if missing else "a column is there twice"
        raise ConfigError(f"{path}, line 1: {wrong}: the first line must name the columns {', '.join(NEEDED)}")


def _row(header: Sequence[str], cells: Sequence[str], line: int) -> Row:
    """Return a row whose cells mean something."""
    if len(cells) != len(header):
        raise ConfigError(f"it has {len(cells)} cells for {len(header)} columns: quote what holds a comma")
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    strength = _number(values["strength"])
    kind = values.get("kind") or "edit"
    if kind not in KINDS:
        raise ConfigError(f"its kind is {one_of(kind, KINDS)}")
    made = values.get("made") or "yes"
    if made not in MADE:
        raise ConfigError(f"made is {one_of(made, MADE)}: leave it empty where nobody looked")
    if not strength and made == "no":
        raise ConfigError("the unedited picture is marked as not made: leave the mark out")
    attribute = values["attribute"]
    if strength or attribute:
        attribute = check_edit_name(attribute, "attribute")
        if "|" in attribute:
            raise ConfigError(f"attribute {one_line(attribute, 60)!r} holds a '|': name it otherwise")
    if not values["file"] or "\0" in values["file"] or len(values["file"]) > LONGEST:
        raise ConfigError("it names no file: give the path of a picture in the table's folder or below")
    return Row(
        image=check_prompt(values["image"], "name in column image"),
        attribute=attribute,
        strength=strength,
        file=values["file"],
        control=kind == "control",
        seed=_seed(values["seed"]) if values.get("seed") else None,
        made=made == "yes",
        line=line,
    )


def _as_read(name: str) -> str:
    """Return what a reader sees of a name: neither case nor spaces, nor how its letters are encoded."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _number(text: str) -> float:
    try:
        strength = float(text)
    except ValueError:
        strength = math.nan
    if strength and not LEAST <= abs(strength) <= LARGEST:  # NaN neither
        raise ConfigError(
            f"strength is {one_line(text, 40)!r}: write a number such as 0.5 (0 for the unedited picture),"
            f" {LEAST:g} at least and {LARGEST:,.0f} at most"
        )
    return strength + 0.0  # no -0


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_SEED):
        raise ConfigError(f"seed is {one_line(text, 40)!r}: write a whole number, or leave the column out")
    return int(text)


class _Table:
    """The rows of a table, held against each other."""

    def __init__(self, path: Path, rows: Sequence[Row]) -> None:
        """Sort the rows by image and edit; refuse what contradicts an earlier row."""
        self._path = path
        self._first: dict[str, Row] = {}
        self._unedited: dict[str, Row] = {}
        self._edits: dict[str, dict[str, dict[float, Row]]] = {}
        self._seeds: dict[str, int] = {}
        self._kinds: dict[str, Row] = {}
        spelled: dict[str, Row] = {}
        for row in rows:
            self._first.setdefault(row.image, row)
            self._edits.setdefault(row.image, {})
            if row.seed is not None and self._seeds.setdefault(row.image, row.seed) != row.seed:
                raise self._refusal(row, f"image {row.image!r} has two seeds: give it one")
            if not row.strength:
                if (before := self._unedited.setdefault(row.image, row)).file != row.file:
                    raise self._refusal(
                        row,
                        f"image {row.image!r} has another unedited picture in line {before.line}: name one file for"
                        " both, or another image",
                    )
                continue
            named = spelled.setdefault(_as_read(row.attribute), row)
            if named.attribute != row.attribute:
                raise self._refusal(
                    row, f"{row.attribute!r} is written {named.attribute!r} in line {named.line}: write it alike"
                )
            if self._kinds.setdefault(row.attribute, row).control != row.control:
                before = self._kinds[row.attribute]
                raise self._refusal(
                    row, f"{row.attribute!r} is of another kind in line {before.line}: a control is no attribute"
                )
            strengths = self._edits[row.image].setdefault(row.attribute, {})
            if (before := strengths.setdefault(row.strength, row)) is not row:
                raise self._refusal(
                    row,
                    f"image {row.image!r}, {row.attribute!r} at strength {row.strength:g} is in line {before.line}"
                    " already: delete one of both",
                )

    def _refusal(self, row: Row, what: str) -> ConfigError:
        return ConfigError(f"{self._path}, line {row.line}: {what}")

    def chosen(self, attributes: Sequence[str] | None) -> tuple[str, ...]:
        """Return the attributes to audit, of the table's."""
        known = [name for name, row in self._kinds.items() if not row.control]
        controls = len(self._kinds) - len(known)
        if not known:
            raise ConfigError(f"{self._path} has no edit of an attribute: give rows whose strength is not 0")
        for count, most, what in (
            (len(known), MOST_ATTRIBUTES, "attributes"),
            (controls, MOST_RANDOM_DIRECTIONS, "controls"),
        ):
            if count > most:
                raise ConfigError(f"{self._path} has {count} {what}, {most} are the most: audit a part of it at a time")
        for name in attributes or ():
            if name not in known:
                raise ConfigError(f"{self._path} has no attribute {one_of(name, known)}")
        return tuple(known if attributes is None else dict.fromkeys(attributes))

    def pairs(self, attributes: Collection[str], progress: ProgressFactory) -> Pairs:
        """Look at the files of all pictures that are audited and return them."""
        controls = tuple(name for name, row in self._kinds.items() if row.control)
        images = []
        for name, edits in self._edits.items():
            first = self._first[name]
            if name not in self._unedited:
                raise self._refusal(first, f"image {name!r} has no unedited picture: add its row of strength 0")
            if all(self._kinds[edit].control for edit in edits):
                raise self._refusal(first, f"image {name!r} is not edited: add an edit of it, or leave it out")
            if not edits.keys().isdisjoint(attributes):
                images.append(name)
        wanted = [row for name in images for row in self._rows_of(name, (*attributes, *controls))]
        files: dict[str, _File] = {}
        with progress(len(wanted), "Reading the table", unit="picture") as bar:
            for row in wanted:
                if row.file not in files:
                    files[row.file] = self._file(row)
                self._check_file(row, files[self._unedited[row.image].file], files[row.file])
                bar.update()
        self._check_images(images, files)
        numbers: dict[str, EditKey] = {name: name for name in attributes} | dict(
            zip(controls, range(len(controls)), strict=True)
        )
        edited: dict[tuple[int, EditKey], dict[float, _File]] = {}
        for image, of in enumerate(images):
            for name in self._edits[of].keys() & numbers.keys():
                strengths = self._edits[of][name]
                made = {strength: row for strength, row in strengths.items() if row.made}
                # What was nowhere made is the unedited picture, and so told as not edited.
                unmade = dict.fromkeys(strengths, self._unedited[of])
                edited[image, numbers[name]] = {s: files[row.file] for s, row in (made or unmade).items()}
        originals = [files[self._unedited[name].file] for name in images]
        known = sorted(
            [row.image, row.control, row.attribute if row.strength else "", row.strength, files[row.file].sha256]
            + ([] if row.made else ["not made"])
            + ([f"seed {self._seeds[row.image]}"] if row.image in self._seeds else [])
            for row in wanted
        )
        return Pairs(
            names=tuple(images),
            seeds=tuple(self._seed(name, file) for name, file in zip(images, originals, strict=True)),
            sizes=tuple(file.size for file in originals),
            attributes=tuple(attributes),
            controls=controls,
            content_hash=hashlib.sha256(json.dumps(known).encode()).hexdigest(),
            _files=originals,
            _edited=edited,
        )

    def _rows_of(self, image: str, edits: Collection[str]) -> Iterator[Row]:
        """Yield the rows of an image that belong to these edits, the unedited one first."""
        yield self._unedited[image]
        for name, strengths in self._edits[image].items():
            if name in edits:
                yield from strengths.values()

    def _seed(self, image: str, file: _File) -> int:
        return self._seeds.get(image, int.from_bytes(bytes.fromhex(file.sha256)[:_SEED_BYTES]))

    def _file(self, row: Row) -> _File:
        """Look at the head of a row's picture, and hash its content."""
        folder = self._path.parent
        try:
            path = folder / row.file
            if not path.resolve().is_relative_to(folder.resolve()):
                raise self._refusal(
                    row,
                    f"{one_line(row.file, 120)} is not in the table's folder: put the table into a folder that has all"
                    " its pictures in it or below, for an audit copies some of them",
                )
            size = photograph_size(path)
            with path.open("rb") as opened:
                return _File(path, size, hashlib.file_digest(opened, "sha256").hexdigest())
        except PhotographError as error:
            raise PhotographError(f"{self._path}, line {row.line}: {error}: fix the row or the file") from None
        except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have, a circle of links
            raise self._refusal(row, f"{one_line(row.file, 120)} cannot be read ({one_line(error, 120)})") from None

    def _check_file(self, row: Row, unedited: _File, file: _File) -> None:
        if file.size != unedited.size:
            (height, width), (h, w) = file.size, unedited.size
            raise PhotographError(
                f"{self._path}, line {row.line}: {one_line(row.file, 120)} has {width} × {height} pixels, and the"
                f" unedited picture {w} × {h}: save it in the same size, not cut or scaled"
            )
        if row.strength and file.sha256 == unedited.sha256:
            raise PhotographError(
                f"{self._path}, line {row.line}: {one_line(row.file, 120)} is the unedited picture itself: edit it, or"
                " delete the row"
            )

    def _check_images(self, images: Sequence[str], files: Mapping[str, _File]) -> None:
        """Refuse two images that are one: intervals are of images that have nothing to do with each other."""
        seen: dict[object, Row] = {}
        for name in images:
            row = self._unedited[name]
            for one, what in ((files[row.file].sha256, "picture"), (self._seed(name, files[row.file]), "seed")):
                if (before := seen.setdefault(one, row)) is not row:
                    raise self._refusal(
                        row,
                        f"image {name!r} has the {what} of image {before.image!r} in line {before.line}: give both one"
                        f" name, or each its {what}",
                    )
