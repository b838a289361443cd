"""Results stored on disk by content hash: equal inputs are computed once, and a killed run leaves its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import Tensor

from zoom_engine.common.errors import CacheError, one_line
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.files.cache import cache_errors
from zoom_engine.common.module_hash import Identity
from zoom_engine.common.probes import Answers, same_answers

_VERSION = 1  # raise it when what a key stands for is computed differently
KEPT = ("range", "baseline", "natural-region")
"""The kinds of results that an audit keeps: they take pictures to measure, and little space."""
_KEEPERS: ContextVar[tuple[Keeper, ...]] = ContextVar("keepers", default=())


class Keeper:
    """Keeps results beside the cache: those of a folder are used, and new ones can be written to it.

    So an audit's folder has what its records were searched with, whatever becomes of the cache.
    """

    def __init__(self, folder: Path) -> None:
        """Use the results in `folder`, which need not exist."""
        self._stored = DirectionCache(folder)
        self._results: list[tuple[str, Mapping[str, object], Mapping[str, Tensor]]] = []

    def load(self, kind: str, depends_on: Mapping[str, object]) -> dict[str, Tensor] | None:
        """Return the tensors stored for `depends_on`, or None."""
        return self._stored.load(kind, depends_on)

    def add(self, kind: str, depends_on: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """Take a result, to be written."""
        self._results.append((kind, depends_on, tensors))

    def write(self) -> None:
        """Write the new results to the folder.

        Raises:
            CacheError: the folder cannot be written.
        """
        for result in self._results:
            self._stored.store(*result)
        self._results = []


@contextmanager
def kept_by(keepers: Sequence[Keeper]) -> Iterator[None]:
    """Use and hand over results of the kinds in `KEPT` to these keepers."""
    token = _KEEPERS.set(tuple(keepers))
    try:
        yield
    finally:
        _KEEPERS.reset(token)


class DirectionCache:
    """A folder of safetensors files named by the sha256 of what they depend on; without a folder nothing is stored.

    A file that is damaged or belongs to another key counts as absent and is written anew. So is a file of a module that
    answers differently now, whatever its hash.
    """

    def __init__(self, folder: Path | str | None) -> None:
        """Use `folder`, or store nothing where it is None."""
        self.folder = None if folder is None else Path(folder)

    def load(self, kind: str, depends_on: Mapping[str, object]) -> dict[str, Tensor] | None:
        """Return the tensors stored for `depends_on`, or None."""
        path = self._path(kind, depends_on)
        if path is None or not path.is_file():
            return None
        try:
            with safe_open(str(path), framework="pt") as file:
                written = file.metadata() or {}
                if written.get("depends_on") != _canonical(depends_on) or _answers_otherwise(written, depends_on):
                    return None
                # Copied to where torch puts tensors: on other addresses the last digits of products are others.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError):  # of JSON
            return None
        if "content" in written and written["content"] != _content(tensors):  # older files have none
            return None
        finite = all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())
        return tensors if finite else None

    def store(self, kind: str, depends_on: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """Write the tensors atomically.

        Raises:
            CacheError: the folder cannot be written.
        """
        path = self._path(kind, depends_on)
        if path is None:
            return
        try:
            with cache_errors(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as temporary:
                    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
                    about = {"depends_on": _canonical(depends_on), "answers": json.dumps(_answers(depends_on))}
                    about["content"] = _content(plain)
                    save_file(plain, temporary, metadata=about)
        except SafetensorError as error:  # its own word for a disk that is full
            raise CacheError(f"the cache {path.parent} cannot be written: {one_line(error)}") from error

    def cached(
        self, kind: str, depends_on: Mapping[str, object], measure: Callable[[], Mapping[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Return the tensors stored for `depends_on`; where there are none, store and return those of `measure`."""
        keepers = _KEEPERS.get() if kind in KEPT else ()
        loaded = [keeper.load(kind, depends_on) for keeper in keepers]
        tensors = next(filter(None, loaded), None) or self.load(kind, depends_on)
        if tensors is None:
            tensors = dict(measure())
            self.store(kind, depends_on, tensors)
        for keeper, stored in zip(keepers, loaded, strict=True):
            if stored is None:
                keeper.add(kind, depends_on, tensors)
        return tensors

    def remove(self, kind: str, depends_on: Mapping[str, object]) -> None:
        """Remove what is stored for `depends_on`, if anything is."""
        path = self._path(kind, depends_on)
        if path is not None:
            path.unlink(missing_ok=True)

    def _path(self, kind: str, depends_on: Mapping[str, object]) -> Path | None:
        if self.folder is None:
            return None
        key = hashlib.sha256(f"{_VERSION} {kind} {_canonical(depends_on)}".encode()).hexdigest()
        return self.folder / f"{kind}-{key[:32]}.safetensors"


def _answers(value: object) -> dict[str, Answers]:
    """Return how modules that are named in `value` answer, by their hashes."""
    if isinstance(value, Identity) and value.answers is not None:
        return {str(value): value.answers}
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return {name: answers for part in inside for name, answers in _answers(part).items()}


def _answers_otherwise(written: Mapping[str, str], depends_on: Mapping[str, object]) -> bool:
    stored_answers, answers_now = json.loads(written.get("answers", "{}")), _answers(depends_on)
    return any(
        name in stored_answers and not same_answers(stored_answers[name], answers)
        for name, answers in answers_now.items()
    )


def _content(tensors: dict[str, Tensor]) -> str:
    """Return the hash of tensors with their names."""
    return hashlib.sha256(save(tensors)).hexdigest()


def _canonical(depends_on: Mapping[str, object]) -> str:
    return json.dumps(depends_on, sort_keys=True, ensure_ascii=True)
