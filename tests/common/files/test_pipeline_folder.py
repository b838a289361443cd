"""What a pipeline's folder is known by: all that is loaded from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.pipeline_folder import folder_hash, pipeline_class


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline whose unet is a link, as one that was trained further lies elsewhere."""
    for name in ("saved", "one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_text(name)
    (tmp_path / "saved" / "model_index.json").write_text('{"_class_name": "Pipeline"}')
    (tmp_path / "saved" / "unet").symlink_to(tmp_path / "one")
    return tmp_path / "saved"


def test_another_part_behind_a_link_is_another_pipeline(folder: Path) -> None:
    before = folder_hash(folder)
    assert folder_hash(folder) == before
    (folder / "unet").unlink()
    (folder / "unet").symlink_to(folder.parent / "other")
    assert folder_hash(folder) != before


def test_the_vocabulary_of_a_tokenizer_counts(folder: Path) -> None:
    before = folder_hash(folder)
    (folder / "spiece.model").write_text("words")
    assert folder_hash(folder) != before


def test_a_program_behind_a_link_is_found(folder: Path) -> None:
    (folder.parent / "one" / "mine.py").write_text("raise SystemExit")
    with pytest.raises(ConfigError, match=r"mine\.py is a program, which is not run"):
        pipeline_class(folder, ConfigError)
