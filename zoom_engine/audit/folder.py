"""The audit folder: what a run leaves on disk, and how a run that was stopped goes on, no trial lost or repeated.

===============  =============================================================================================
manifest.json    written first: `config` (all that determines the records: options, seeds, content hashes) and
                 `environment` (versions, machine, backend, revision). Resuming asks that everything outside
                 `environment` is equal.
records.jsonl    one line per finished trial; each `append` is one write and one fsync
summary.json     derived from the records when all of them exist; the file marks the audit as finished
images/          the pictures that gallery.json and photographs.json name
measured/        edit directions, ranges and random directions, with which it continues without the cache
photographs.json of an audit around photographs: what became of each
inversions/      their codes, each written when it is computed, before the manifest
gate.json        of an audit that a gate judged: each condition with its outcome, and the hash of the records
service.json     of an audit of a service: how many requests were sent, and how they ended
.lock            held with flock(2) while a run writes; the kernel frees it with the process
===============  =============================================================================================

All failures are `AuditError`s of one line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from zoom_engine.audit.manifest import MEASURED_LATER, NUMBERS_OF_IMAGES, Manifest
from zoom_engine.audit.records import Record, TrialKey, scan, to_line
from zoom_engine.audit.service_file import SERVICE, load_tries
from zoom_engine.audit.summary import Summary
from zoom_engine.common import registry
from zoom_engine.common.errors import AuditError, system_errors
from zoom_engine.common.files import atomic, folder_lock
from zoom_engine.common.files.folder_lock import LOCK
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import shown
from zoom_engine.common.probes import same_answers
from zoom_engine.common.typed import fits
from zoom_engine.settings.audit_settings import AuditSettings

MANIFEST, RECORDS, SUMMARY = "manifest.json", "records.jsonl", "summary.json"
IMAGES, INVERSIONS, MEASURED, DIRECTIONS = "images", "inversions", "measured", "directions.safetensors"


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest of the audit folder at `path`.

    Raises:
        AuditError: there is none that can be read.
    """
    path = Path(path)
    with _one_line(path, "read"):
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise AuditError(f"{path} {what}: give the folder of an audit")
        if not (path / MANIFEST).is_file():
            raise AuditError(f"{path} is not an audit folder: it has no {MANIFEST}")
        try:
            content = read_json(path / MANIFEST)
        except ValueError:
            raise AuditError(f"{path / MANIFEST} is not the manifest of an audit: use another folder") from None
    return Manifest.from_json(content, name=str(path / MANIFEST))


def check_folder(path: str | Path) -> None:
    """Refuse a folder that no audit could be written to, before hours are spent; nothing is made or changed.

    Raises:
        AuditError: `path` is a file, a folder that cannot be written, or one that holds something else.
    """
    path = Path(path)
    with _one_line(path, "write"):
        existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not existing.is_dir():
            raise AuditError(f"{existing} is a file: choose another output folder")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise AuditError(f"cannot write the audit folder {path}: {existing} is not writable: choose another folder")
        if path.is_dir() and not (path / MANIFEST).exists():
            _refuse_foreign(path)


def check_outs(out: str | Path, names: Iterable[str]) -> None:
    """Refuse a folder that cannot take the audits of these names, before hours are spent. Raises `AuditError`."""
    if (Path(out) / MANIFEST).exists():
        raise AuditError(f"{out} is the audit of one target: choose another folder for several")
    for name in names:
        check_folder(Path(out) / name)


def check_config(path: str | Path, known: Mapping[str, object]) -> None:
    """Refuse to resume an audit of other settings, before hours are spent.

    `known` holds those settings of the `config` that are known by now. A folder without an audit passes.

    Raises:
        AuditError: a setting differs, or the manifest cannot be read.
    """
    path = Path(path)
    with _one_line(path, "read"):
        if not (path / MANIFEST).is_file():
            return
    written, asked = read_manifest(path).config.content, json.loads(json.dumps(known))
    _refuse_difference(path, {name: written[name] for name in asked if name in written}, asked)


def check_packages(path: str | Path) -> None:
    """Refuse to resume an audit that used a package which is not installed here, since its names are unknown then.

    A folder without an audit passes.

    Raises:
        AuditError: a package is missing, or the manifest cannot be read.
    """
    path = Path(path)
    with _one_line(path, "read"):
        if not (path / MANIFEST).is_file():
            return
    for thing, package in registry.missing(read_manifest(path).brought_by).items():
        raise AuditError(f"{path} is an audit with the {thing} of {package}: {registry.how_to_install(package)}")


class AuditFolder:
    """An audit folder opened for writing, and locked until `close` (it is a context manager).

    Use `create` for a new folder, `resume` for an existing one, `open` for whichever of the two applies.
    """

    def __init__(self, path: Path, manifest: Manifest, lock: int) -> None:
        """Take over a folder whose `lock` is held; use `create`, `resume` or `open` instead."""
        self.path = path
        self.manifest = manifest
        self._lock: int | None = lock
        self._file: int | None = None
        self._done: set[TrialKey] = set()
        self.tries: dict[str, int] = load_tries(path)
        self._size = 0
        self._broken = False

    @classmethod
    def create(cls, path: str | Path, manifest: Manifest) -> AuditFolder:
        """Start an audit at `path`, which must be absent or an empty folder; parents are made.

        Raises:
            AuditError: the folder cannot be used; what was made by then is removed.
        """
        path = Path(path)
        with _one_line(path, "write"):
            if path.exists() and not path.is_dir():
                raise AuditError(f"{path} is a file: choose another output folder")
            missing = [folder for folder in (path, *path.parents) if not folder.exists()]
            audit = lock = None
            try:
                path.mkdir(parents=True, exist_ok=True)
                lock = folder_lock.acquire(path)
                atomic.remove_leftovers(path)
                _refuse_foreign(path)
                audit = cls(path, manifest, lock)
                audit._open_records()
                atomic.write_json(path / MANIFEST, manifest.to_json())
                atomic.fsync(path.parent)
            except BaseException:
                _abandon(path, missing, lock)
                if audit is not None:
                    audit.close()
                elif lock is not None:
                    os.close(lock)
                raise
        return audit

    @classmethod
    def resume(cls, path: str | Path, manifest: Manifest) -> AuditFolder:
        """Resume the audit at `path`, which must have been started with an equal manifest.

        An incomplete last line of records.jsonl is cut off: its trial never counted and is computed again. The
        `environment` may differ; a new one is noted under `resumed_in`. What is said of the audit replaces the former.
        The manifest may ask for more images than the audit had.

        Raises:
            AuditError: the folder cannot be used, or the manifests differ.
        """
        path = Path(path)
        read_manifest(path)
        with _one_line(path, "write"):
            audit, lock = None, folder_lock.acquire(path)
            try:
                atomic.remove_leftovers(path, path / IMAGES)
                written = read_manifest(path)
                _refuse_difference(path, written.fixed, manifest.fixed)
                audit = cls(path, written, lock)
                audit._open_records()
                audit._replace_manifest(written.grown(manifest))
                audit.note_environment(manifest.environment, about=manifest.about)
            except BaseException:
                if audit is not None:
                    audit.close()
                else:
                    os.close(lock)
                raise
        return audit

    @classmethod
    def open(cls, path: str | Path, manifest: Manifest) -> AuditFolder:
        """Resume the audit at `path` if there is one, else create it."""
        return (cls.resume if (Path(path) / MANIFEST).exists() else cls.create)(path, manifest)

    def done(self) -> set[TrialKey]:
        """Return the trials that have a durable record: {(image, attribute)}."""
        return set(self._done)

    @property
    def finished(self) -> bool:
        """Tell whether `finish` has been reached, by this run or an earlier one."""
        return (self.path / SUMMARY).exists()

    def append(self, records: Sequence[Record]) -> None:
        """Add the records of finished trials: all of them are on disk when this returns, none counts when it raises.

        Raises:
            AuditError: the write failed (the folder stays resumable), a trial has a record already, or a record holds
                NaN or infinity.
        """
        if not records:
            return
        if self._file is None or self._broken:
            raise AuditError(f"{self.path} can take no more records after the earlier failure: resume the audit")
        trials = [record.trial for record in records]
        repeated = next((trial for i, trial in enumerate(trials) if trial in self._done or trial in trials[:i]), None)
        if repeated is not None:
            raise AuditError(f"image {repeated[0]}, attribute {repeated[1]!r} already has a record in {self.path}")
        lines = b"".join(to_line(record) for record in records)
        with self._writing():
            self._broken = True
            try:
                atomic.write_all(self._file, lines)
                os.fsync(self._file)
            except BaseException:
                with contextlib.suppress(OSError):
                    _cut(self._file, self._size)
                    self._broken = False
                raise
            self._size += len(lines)
            self._done.update(trials)
            self._broken = False

    def note_environment(
        self,
        environment: Mapping[str, object],
        *,
        about: Mapping[str, str] | None = None,
        workers: Sequence[Mapping[str, object]] = (),
    ) -> None:
        """Note the environment, if it is new, as one that some of the records come from.

        What is said `about` the audit replaces what was said. `workers` are added to what those of a cluster did, see
        `Manifest`.
        """
        self._replace_manifest(self.manifest.resumed(environment, about=about, workers=workers))

    def note_measured(self, begun: Manifest, now: Manifest) -> None:
        """Note what was measured since this run began: it opened the folder with the manifest `begun`, and has `now`.

        Raises:
            AuditError: the audit's earlier records were made with something else, or the manifest cannot be written.
        """
        written, asked = (
            {name: made.config.content[name] for name in MEASURED_LATER if name in made.config.content}
            for made in (self.manifest, now)
        )
        if written:
            _refuse_difference(self.path, written, asked)
        self._replace_manifest(self.manifest.completed(begun, now))

    def _replace_manifest(self, manifest: Manifest) -> None:
        """Write the manifest where it is another than before."""
        if manifest.content != self.manifest.content:
            self.manifest = manifest
            with self._writing():
                atomic.write_json(self.path / MANIFEST, manifest.to_json())

    def note_time(self, trials: int, seconds: float) -> None:
        """Note how long a run took to search so many trials of attributes.

        Raises:
            AuditError: the manifest cannot be written.
        """
        self._replace_manifest(self.manifest.timed(trials, seconds))

    def count(self, tries: Mapping[str, int]) -> None:
        """Add to the counts of requests to a service, see `service_file`.

        Raises:
            AuditError: the counts cannot be written.
        """
        if tries:
            self.tries = dict(Counter(self.tries) + Counter(tries))
            self.write_json(SERVICE, {"tries": self.tries})

    def write(self, name: str, data: bytes) -> Path:
        """Write a file inside the folder (say images/1.png) atomically, and return its path.

        Raises:
            AuditError: the name leads out of the folder, or the write failed.
        """
        path = inside(self.path, name)
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, data)
        return path

    def write_json(self, name: str, value: object) -> Path:
        """Write strict JSON inside the folder atomically, and return its path.

        Raises:
            AuditError: the value holds NaN or infinity, or the write failed.
        """
        path = inside(self.path, name)
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                atomic.write_json(path, value)
            except (ValueError, TypeError) as error:
                raise AuditError(f"{name} cannot be written as JSON: {error}") from None
        return path

    def finish(self, summary: Summary) -> None:
        """Write summary.json, which marks the audit as finished.

        Raises:
            AuditError: the write failed.
        """
        self.write_json(SUMMARY, summary.to_json())

    def close(self) -> None:
        """Release the folder; closing twice is harmless."""
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    def __enter__(self) -> AuditFolder:
        """Return the folder itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Release the folder."""
        self.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Guard a write: turn failures into one line, and refuse a folder that is no longer at its place.

        Records written to a removed folder would be lost without an error, and pictures would make a part of it anew.
        """
        with _one_line(self.path, "write"):
            try:
                status = os.stat(self.path / RECORDS)
            except FileNotFoundError:
                status = None
            if status is None or (self._file is not None and not os.path.samestat(os.fstat(self._file), status)):
                raise AuditError(
                    f"the audit folder {self.path} was moved or removed while it was written: put it back, and the same"
                    " command continues; else it starts over"
                )
            yield

    def _open_records(self) -> None:
        """Open records.jsonl for appending, learn which trials it holds, and cut an incomplete last line."""
        path = self.path / RECORDS
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            for record, stop in scan(path, self.manifest.config.check):
                self._done.add(record.trial)
                self._size = stop
            self._file = descriptor
            if os.fstat(descriptor).st_size != self._size:
                _cut(descriptor, self._size)
        except BaseException:
            self._file = None
            os.close(descriptor)
            raise


def inside(folder: Path, name: str) -> Path:
    """Return the path of file `name` in `folder`.

    Raises:
        AuditError: the name leads out of the folder, or no file can have it.
    """
    path, home = folder / name, folder.resolve()
    try:
        is_inside = home in path.resolve().parents
    except (ValueError, RuntimeError):  # a name that no file can have, a circle of links
        is_inside = False
    if not is_inside:
        raise AuditError(f"{name!r} is not a file inside {folder}")
    return path


def _one_line(path: Path, verb: str) -> contextlib.AbstractContextManager[None]:
    """Turn an `OSError` into an `AuditError` that names the folder and what the system said."""
    what = f"cannot {verb} the audit folder {path}"
    return system_errors(AuditError, what, advice=": fix that, or choose another folder")


def _refuse_foreign(path: Path) -> None:
    """Refuse a folder that is not empty, unless an earlier run was killed there before it wrote its manifest."""
    written = {entry.name for entry in path.iterdir() if not atomic.is_leftover(entry.name)}
    names = sorted(written - {LOCK, INVERSIONS})
    if MANIFEST in names:
        raise AuditError(f"{path} already holds an audit: resume it or choose another output folder")
    if names and not (names == [RECORDS] and (path / RECORDS).stat().st_size == 0):
        raise AuditError(f"{path} is not empty and not an audit folder (it holds {names[0]!r}): choose another one")


def _abandon(path: Path, missing: list[Path], lock: int | None) -> None:
    """Undo a failed `create` as far as the file system allows: what this run made, and nothing else."""
    with contextlib.suppress(OSError):
        if lock is not None and not (path / MANIFEST).exists():
            if (path / RECORDS).exists() and (path / RECORDS).stat().st_size == 0:
                (path / RECORDS).unlink()
            (path / LOCK).unlink()
    for folder in missing:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _cut(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size)
    os.fsync(descriptor)


_MODELS = {
    "target_details.content_hash": "target",
    "answers.target": "target",
    "generator": "generator",
    "answers.generator": "generator",
    "answers.scorers": "scorer",
    "text_encoder.content_hash": "text encoder",
}
"""The keys of a config that say which models are audited."""
_SOURCES = {"examples": "other examples of", "scorers": "another scorer of"}
"""The keys in a config's `sources`: by what its attributes are given that are no words."""

_MEASURED = ("directions.strength", "directions.noise_floor", "directions.content_hash", "calibrated_range")
"""The keys of a config that are measured, so that another processor or number of threads rounds them otherwise."""


def _refuse_difference(path: Path, written: Mapping[str, Any], asked: Mapping[str, object]) -> None:
    """Refuse to resume an audit with other options than those it was started with, but for more images."""
    written, asked = _less_growth(written, asked)
    defaults = {field.name: field.default for field in dataclasses.fields(AuditSettings)}
    new = [name for name, value in asked.items() if name not in written and value is not None]
    unsaid = [name for name in new if name in defaults and defaults[name] == asked[name]]
    difference = first_difference(written, {name: value for name, value in asked.items() if name not in unsaid})
    changed = next(
        (what for key, what in _MODELS.items() if (difference or "").removeprefix("config.").startswith(f"{key} ")),
        None,
    )
    if changed is not None:
        older = (
            ""
            if "answers" in written.get("config", written)
            else ", or by a version that did not look at a module's code"
        )
        raise AuditError(
            f"{path} holds an audit that was begun with another {changed}{older}: its code, attributes, weights"
            " or answers have changed: use another folder, or bring back what was audited"
        )
    kind, _, rest = (difference or "").removeprefix("config.").removeprefix("sources.").partition(".")
    if kind in _SOURCES:
        raise AuditError(
            f"{path} holds an audit that was begun with {_SOURCES[kind]} “{rest.partition(' is ')[0]}”: use another"
            " folder, or bring back what was audited"
        )
    if (difference or "").removeprefix("config.").startswith(_MEASURED):
        raise AuditError(
            f"{path} holds an audit with other edit directions ({difference}): give the same ones, or bring back the"
            " cache that they lay in, as those that another machine or number of threads measures differ by rounding"
        )
    if difference is not None:
        raise AuditError(f"{path} holds an audit with other settings ({difference}): use the same, or another folder")
    if unsaid:  # each audit of this version has them, given or not
        raise AuditError(
            f"{path} holds an audit of an older version, which had no {', '.join(unsaid)}: use another folder;"
            " zoom-engine report still reads this one"
        )


def _less_growth(
    written: Mapping[str, Any], asked: Mapping[str, object]
) -> tuple[Mapping[str, Any], Mapping[str, object]]:
    """Return both without the numbers of images, where a run asks for more of them than the audit had."""
    if "config" in written and "config" in asked:
        before_it, asked_for = _less_growth(written["config"], cast(Mapping[str, object], asked["config"]))
        return {**written, "config": before_it}, {**asked, "config": asked_for}
    for name in NUMBERS_OF_IMAGES:
        before, now = (_last(side.get(name)) for side in (written, asked))
        if before and now and now > before:
            written = {key: value for key, value in written.items() if key != name}
            asked = {key: value for key, value in asked.items() if key != name}
    return written, asked


def _last(images: object) -> int:
    """Return the largest of the numbers of images of an audit; 0 where they are none."""
    numbers: list[Any] = images if isinstance(images, list) else [images]
    return numbers[-1] if numbers and fits(list[int], numbers) else 0


def _answers_otherwise(written: object, asked: object) -> str | None:
    """Return the model that no longer answers as it did; None where none is known to."""
    if not isinstance(written, dict) or not isinstance(asked, dict):
        return None
    return next((who for who in asked if who in written and not same_answers(written[who], asked[who])), None)


def first_difference(written: object, asked: object, key: str = "") -> str | None:
    """Say in one line in what two JSON values differ first; None where they are equal or not set."""
    if isinstance(written, list) and isinstance(asked, list) and len(written) == len(asked):
        written, asked = ({f"[{index}]": item for index, item in enumerate(items)} for items in (written, asked))
    if isinstance(written, dict) and isinstance(asked, dict):
        for name in [*written, *(name for name in asked if name not in written)]:
            if written.get(name) is None and asked.get(name) is None:
                continue  # not set is not set, whether or not it is said
            if name == "answers" and key in ("", "config"):  # of models on fixed inputs: the same but for rounding
                if (who := _answers_otherwise(written.get(name), asked.get(name))) is not None:
                    return f"{name}.{who} are others in this run"
                continue
            child = f"{key}{name}" if name.startswith("[") else f"{key}.{name}".lstrip(".")
            if name not in written or name not in asked:
                known = written if name in written else asked
                where = "only there" if name in written else "only in this run"
                return f"{child} is {shown(known[name])} {where}"
            difference = first_difference(written[name], asked[name], child)
            if difference is not None:
                return difference
        return None
    return None if written == asked else f"{key} is {shown(written)} there, {shown(asked)} in this run"
