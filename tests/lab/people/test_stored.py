"""The people in the repository: a data set like a rendered one, and never of another recipe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.people.parameters import PARAMETER_NAMES, Parameters
from lab.people.train import stored
from lab.people.train.renders import file_name, missing, packed, read_pictures, render_set, write_picture
from lab.people.train.stored import STORED, files_of, read, write
from zoom_engine.common.errors import ConfigError

SHAPE = {"columns": 3, "rows": 2}


def stand_in(parameters: Parameters) -> NDArray[np.uint8]:
    """A colour for each row, of which WebP leaves what it was."""
    tones = np.round(255 * np.abs(parameters.values[:, :3])).astype(np.uint8)
    return np.broadcast_to(tones[:, None, None], (len(parameters), 32, 32, 3)).copy()


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    return render_set(tmp_path / "set", 14, 7, processes=1, render=stand_in)


def test_whole_files_are_stored_and_read_where_a_set_lacks_them(rendered: Path, tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    assert write(rendered, stored=stored, **SHAPE) == 12  # of 14
    before = [path.read_bytes() for path in files_of(stored)]
    assert write(rendered, stored=stored, **SHAPE) == 12
    assert [path.read_bytes() for path in files_of(stored)] == before
    folder = tmp_path / "other" / "7"
    assert read(folder, stored=stored, **SHAPE) == 12
    assert missing(folder, 13) == [12]
    names = [file_name(row) for row in range(12)]
    first, again = (read_pictures([where / name for name in names]).astype(int) for where in (rendered, folder))
    assert np.abs(first - again)[:, 8:24, 8:24].max() < 6
    assert (folder / "truth.csv").read_text().splitlines() == (rendered / "truth.csv").read_text().splitlines()[:13]
    assert packed(tmp_path / "other", 7) == 12
    as_drawn = (rendered / names[0]).read_bytes()
    (rendered / names[5]).unlink()
    read(rendered, stored=stored, **SHAPE)
    assert (rendered / names[0]).read_bytes() == as_drawn
    assert missing(rendered, 14) == []
    assert (rendered / "truth.csv").read_text().count("\n") == 15


def test_pictures_of_another_recipe_are_not_mixed_with_them(rendered: Path, tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    write(rendered, stored=stored, **SHAPE)
    about = rendered / "recipe.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "look": 1}))
    for copy in (read, write):
        with pytest.raises(ConfigError, match="another recipe"):
            copy(rendered, stored=stored, **SHAPE)
    (stored / "00.webp").write_bytes(b"RIFF")
    with pytest.raises(ConfigError, match="no sheet of 3 × 2"):
        read(tmp_path / "new" / "7", stored=stored, **SHAPE)
    assert not (tmp_path / "new" / "7" / "recipe.json").exists()


def test_a_read_that_is_cut_off_leaves_no_pictures_without_their_recipe(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_people = tmp_path / "stored"
    write(rendered, stored=stored_people, **SHAPE)

    def cut_off(path: Path, pixels: NDArray[np.uint8]) -> None:
        if path.name == file_name(2):
            raise KeyboardInterrupt
        write_picture(path, pixels)

    folder = tmp_path / "other" / "7"
    monkeypatch.setattr(stored, "write_picture", cut_off)
    with pytest.raises(KeyboardInterrupt):
        read(folder, stored=stored_people, **SHAPE)
    assert (folder / file_name(1)).is_file()
    assert (folder / "recipe.json").read_text() == (stored_people / "recipe.json").read_text()


def test_those_in_the_repository_are_of_the_parameters_that_there_are() -> None:
    recipe = json.loads((STORED / "recipe.json").read_text())
    assert recipe["parameters"] == list(PARAMETER_NAMES)
    assert [path.name for path in files_of(STORED)] == [f"{number:02d}.webp" for number in range(len(files_of(STORED)))]
    assert len(files_of(STORED)) >= 5
