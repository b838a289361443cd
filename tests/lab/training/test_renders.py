"""Pictures of a data set: read from disk a batch at a time, and refused in a line where some are missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lab.pets.train.subject import SUBJECT
from lab.training import renders as module
from lab.training.renders import Pictures, chunk_paths, in_chunks, renders
from zoom_engine.common.errors import ConfigError


@pytest.fixture(autouse=True)
def short_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)


def numbered(rows: slice) -> NDArray[np.uint8]:
    """A picture of 2² pixels for each row, which are the row's number."""
    return np.arange(rows.start, rows.stop, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2).repeat(3, 3)


def test_rows_come_in_their_order_from_mapped_files(tmp_path: Path) -> None:
    pictures = in_chunks(tmp_path, "set", 10, numbered)
    assert all(isinstance(chunk, np.memmap) for chunk in pictures.chunks)
    assert [len(chunk) for chunk in pictures.chunks] == [4, 4, 2]
    assert pictures[np.array([9, 0, 5, 5])][:, 0, 0, 0].tolist() == [9, 0, 5, 5]
    assert pictures[2:7][:, 1, 1, 2].tolist() == [2, 3, 4, 5, 6]
    with pytest.raises(IndexError):
        pictures[np.array([10])]


def test_a_larger_set_keeps_whole_files_and_makes_short_ones_again(tmp_path: Path) -> None:
    before = in_chunks(tmp_path, "set", 6, numbered)
    made: list[int] = []

    def make(rows: slice) -> NDArray[np.uint8]:
        made.append(rows.start)
        return numbered(rows)

    assert in_chunks(tmp_path, "set", 11, make)[:][:, 0, 0, 0].tolist() == list(range(11))
    assert made == [4, 8]
    assert before[:][:, 0, 0, 0].tolist() == list(range(6)), "what was mapped stays as it was"
    made.clear()
    assert len(in_chunks(tmp_path, "set", 5, make)) == 5
    assert not made


@pytest.mark.parametrize("damage", ["missing", "short", "text", "floats", "size"])
def test_what_is_not_there_or_no_picture_is_refused_in_a_line(tmp_path: Path, damage: str) -> None:
    in_chunks(tmp_path, "set", 8, numbered)
    path = tmp_path / "set-1.npy"
    contents: dict[str, Any] = {
        "short": numbered(slice(4, 7)),
        "floats": np.zeros((4, 2, 2, 3)),
        "size": np.zeros((4, 3, 3, 3), dtype=np.uint8),
    }
    path.unlink()
    if damage == "text":
        path.write_text("no array")
    elif damage != "missing":
        np.save(path, contents[damage])
    with pytest.raises(ConfigError, match=r"set-1\.npy") as refusal:
        Pictures(chunk_paths(tmp_path, "set", 8), 8)
    assert "\n" not in str(refusal.value)


def test_stored_pictures_are_read_and_none_is_drawn(tmp_path: Path) -> None:
    def never(parameters: object) -> NDArray[np.uint8]:
        raise AssertionError

    in_chunks(tmp_path, f"sample-{SUBJECT.seed}", 8, numbered)
    subject = replace(SUBJECT, render=never, stored=tmp_path, seen=7, held_out=3)
    data = renders(subject, tmp_path / "work", subject.count, subject.seed)
    assert len(data) == len(data.parameters) == 7
    assert set(data.draw(np.random.default_rng(0), 200)) == {3, 4, 5, 6}
    assert data.measured_on(512).tolist() == [0, 1, 2]
    assert data.batch(np.array([6]))[0, 0, 0, 0] == pytest.approx(6 / 127.5 - 1)
    assert data.batch(np.array([6, 2]), side=4).shape == (2, 3, 4, 4)
    assert not (tmp_path / "work").exists()
    with pytest.raises(ConfigError, match="is missing"):
        renders(subject, tmp_path, 9, subject.seed)
    with pytest.raises(ConfigError, match="held out"):
        renders(subject, tmp_path, 3, subject.seed)


def test_smaller_pictures_are_those_of_preprocessing(tmp_path: Path) -> None:
    from zoom_engine.targets import Preprocessing

    noise = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    in_chunks(tmp_path, f"sample-{SUBJECT.seed}", 4, lambda rows: noise[rows])
    data = renders(replace(SUBJECT, stored=tmp_path), tmp_path, 4, SUBJECT.seed)
    rows = np.arange(4)
    wanted = Preprocessing(size=4, value_range=(-1.0, 1.0))(data.batch(rows))
    torch.testing.assert_close(data.batch(rows, side=4), wanted, atol=1e-6, rtol=0)
