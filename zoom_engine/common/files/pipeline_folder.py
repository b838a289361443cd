"""Folders that `save_pretrained` of diffusers wrote: nothing is fetched, and no code of theirs runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import ZoomError, imported, one_line
from zoom_engine.common.files.json_file import read_json

PREFIX = "diffusers:"
INDEX = "model_index.json"
_WEIGHED = (".json", ".safetensors", ".txt", ".model")  # the last of tokenizers, such as T5's


def pipeline_class(folder: Path, refusal: type[ZoomError]) -> Any:
    """Return the class of the folder's pipeline.

    Raises:
        ZoomError: the `refusal`, where the folder holds none or a program, or diffusers does not know it.
    """
    kind = _class_name(folder, refusal)
    diffusers = imported("diffusers", refusal, "pipelines cannot be run", install="zoom-engine[diffusers]")
    pipeline_type: Any = getattr(diffusers, kind, None)
    if not (isinstance(pipeline_type, type) and issubclass(pipeline_type, diffusers.DiffusionPipeline)):
        raise refusal(f"{folder}: this version of diffusers has no pipeline {one_line(kind, 60)!r}")
    return pipeline_type


def load_pipeline(pipeline_type: Any, folder: Path, *, place: Any, dtype: Any, refusal: type[ZoomError]) -> Any:
    """Return the folder's pipeline as one of this class, its weights from safetensors.

    Args:
        pipeline_type: a pipeline's class, or what chooses one.
        folder: what `save_pretrained` wrote.
        place: the device.
        dtype: torch's, of its numbers.
        refusal: the class of the error.

    Raises:
        ZoomError: the `refusal`, in one line.
    """
    try:
        pipeline = pipeline_type.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
        pipeline = pipeline.to(place, dtype)
        pipeline.set_progress_bar_config(disable=True)
    except Exception as error:  # it raises whatever it stumbles on
        raise refusal(f"{folder} cannot be loaded ({type(error).__name__}: {one_line(error, 160)})") from error
    return pipeline


def folder_hash(folder: Path) -> str:
    """Return the SHA-256 of the folder's files, by their names."""
    digest = hashlib.sha256()
    for path in _files(folder):
        if path.suffix in _WEIGHED:
            with path.open("rb") as file:
                digest.update(
                    f"{path.relative_to(folder)}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
                )
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Return the folder's files, sorted, with those of parts that are links to other folders: they are loaded too."""
    linked = (path for part in folder.iterdir() if part.is_symlink() for path in part.glob("*"))
    return sorted(path for path in (*folder.rglob("*"), *linked) if path.is_file())


def _class_name(folder: Path, refusal: type[ZoomError]) -> str:
    """Return the class of the folder's pipeline; refuse what would run code of it."""
    try:
        index = read_json(folder / INDEX)
        programs = sorted(path.name for path in _files(folder) if path.suffix == ".py")
    except (OSError, ValueError) as error:
        raise refusal(
            f"{folder} holds no pipeline of diffusers ({INDEX}: {one_line(error, 120)}): give a folder that"
            " save_pretrained wrote"
        ) from error
    kind = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(kind, str) or programs:
        what = f"{one_line(programs[0], 60)} is a program" if programs else "its pipeline is a program"
        raise refusal(f"{folder}: {what}, which is not run: give a pipeline of diffusers itself")
    return kind
