"""The data set of people: resumed where it was killed, true, and refused where it is another's."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lab.people.attributes import ATTRIBUTES, labels
from lab.people.parameters import PARAMETER_NAMES, Parameters
from lab.people.train import renders
from lab.people.train.renders import main, missing, parameters_of, render_set
from lab.people.train.sheet import main as show
from zoom_engine.common.errors import ConfigError


def stand_in(parameters: Parameters) -> NDArray[np.uint8]:
    """Colours that tell the rows apart, in place of minutes of rendering."""
    tones = np.round(255 * np.abs(parameters.values[:, :3])).astype(np.uint8)
    return np.broadcast_to(tones[:, None, None], (len(parameters), 8, 8, 3)).copy()


def test_it_goes_on_where_it_was_killed_and_leaves_no_torn_file(tmp_path: Path) -> None:
    drawn: list[int] = []

    def killed(parameters: Parameters) -> NDArray[np.uint8]:
        drawn.append(1)
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return stand_in(parameters)

    with pytest.raises(KeyboardInterrupt):
        render_set(tmp_path, 9, 7, processes=1, render=killed)
    folder = tmp_path / "7"
    assert missing(folder, 9) == [4, 5, 6, 7, 8]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    assert render_set(tmp_path, 9, 7, processes=1, render=stand_in) == folder
    assert missing(folder, 9) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    for row, wanted in enumerate(stand_in(parameters_of(9, 7))):
        with Image.open(folder / f"{row:06d}.png") as picture:
            assert np.array_equal(np.asarray(picture), wanted)


def test_a_killed_writer_leaves_a_name_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / ".000000.zoom-tmp-1.png").write_bytes(b"half")
    assert missing(tmp_path, 1) == [0]


def test_the_recipes_read_what_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renders, "CHUNK", 4)
    from lab.training.renders import latents_for  # with torch, which the processes of another test do without

    render_set(tmp_path, 6, 7, processes=1, render=stand_in)
    chunks = [np.load(tmp_path / f"sample-7-{chunk}.npy") for chunk in range(2)]
    assert [len(chunk) for chunk in chunks] == [4, 2]
    wanted = Parameters.from_latents(latents_for(6, 7))
    assert np.array_equal(np.concatenate(chunks), stand_in(wanted))
    render_set(tmp_path, 8, 7, processes=1, render=stand_in)  # more of the same
    assert len(np.load(tmp_path / "sample-7-1.npy")) == 4


def test_the_table_says_what_is_true_of_each_picture(tmp_path: Path) -> None:
    folder = render_set(tmp_path, 5, 3, processes=1, render=stand_in)
    with (folder / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    parameters = parameters_of(5, 3)
    assert [row["file"] for row in rows] == [f"{row:06d}.png" for row in range(5)]
    for name in PARAMETER_NAMES:
        assert np.allclose([float(row[name]) for row in rows], parameters[name], atol=1e-6)
    truth = labels(parameters)
    for name in ATTRIBUTES:
        assert [row[f"seen_{name}"] == "1" for row in rows] == truth[name].tolist()


def test_the_first_people_are_shown_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = render_set(tmp_path, 7, 7, processes=1, render=stand_in)
    wanted = stand_in(parameters_of(7, 7))
    path = tmp_path / "sheet.png"
    assert show([str(folder), str(path), "--first", "1", "--columns", "3", "--rows", "2"]) == 0
    with Image.open(path) as picture:
        shown = np.asarray(picture).reshape(2, 8, 3, 8, 3).swapaxes(1, 2).reshape(6, 8, 8, 3)
    assert np.array_equal(shown, wanted[1:7])
    path.unlink()
    capsys.readouterr()
    for wrong in (["--rows", "0"], ["--columns", "3"]):  # nobody, and more than there are
        assert show([str(folder), str(path), *wrong]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert not path.exists()


@pytest.mark.ci
def test_several_processes_draw_the_same(tmp_path: Path) -> None:
    folder = render_set(tmp_path / "two", 5, 7, processes=2, render=stand_in)
    alone = render_set(tmp_path / "one", 5, 7, processes=1, render=stand_in)
    for row in range(5):
        name = f"{row:06d}.png"
        assert (folder / name).read_bytes() == (alone / name).read_bytes()


def slow_stand_in(parameters: Parameters) -> NDArray[np.uint8]:
    time.sleep(0.2)
    return stand_in(parameters)


@pytest.mark.ci
def test_processes_end_when_who_started_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        f"import sys\nsys.path += {[str(Path(__file__).parent), str(Path(__file__).parents[3])]!r}\n"
        "from test_renders import Path, render_set, slow_stand_in\n"
        "if __name__ == '__main__':\n"
        f"    render_set(Path({str(tmp_path)!r}), 400, 7, processes=2, render=slow_stand_in)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "7").glob("0*.png")) and time.monotonic() < deadline:
            time.sleep(0.05)
        running.kill()
    counts = [0, -1]
    while counts[-1] != counts[-2] and len(counts) < 15:  # 400 pictures would take 40 seconds
        time.sleep(1.0)
        counts.append(len(list((tmp_path / "7").glob("0*.png"))))
    assert 0 < counts[-1] == counts[-2] < 400


def test_pictures_of_another_recipe_are_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_set(tmp_path, 2, 7, processes=1, render=stand_in)
    monkeypatch.setattr(renders, "PARAMETER_NAMES", ("another",))
    with pytest.raises(ConfigError, match="another recipe"):
        render_set(tmp_path, 3, 7, processes=1, render=stand_in)
    (tmp_path / "7" / "recipe.json").write_text("{")
    with pytest.raises(ConfigError, match="no JSON"):
        render_set(tmp_path, 3, 7, processes=1, render=stand_in)


def test_wrong_options_and_a_missing_renderer_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        render_set(tmp_path, 0, 7, processes=1, render=stand_in)

    def absent(package: str) -> str:
        raise renders.PackageNotFoundError(package)

    monkeypatch.setattr(renders, "version", absent)
    assert main(["--out", str(tmp_path), "--count", "1"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "lab/README.md" in error


def test_truth_needs_no_renderer() -> None:
    code = "import sys, lab.people.train.renders; sys.exit(bool({'bpy', 'anny', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == 0


def test_training_reads_the_packed_set_and_draws_nothing_again(tmp_path: Path) -> None:
    from lab.people.train.subject import SUBJECT
    from lab.training.renders import renders as read

    def again(parameters: Parameters) -> NDArray[np.uint8]:
        raise AssertionError("these pictures are there")

    render_set(tmp_path / "renders", 6, SUBJECT.seed, processes=1, render=stand_in)
    data = read(replace(SUBJECT, render=again, held_out=2), tmp_path, 6, SUBJECT.seed)
    assert data.parameters == parameters_of(6, SUBJECT.seed)
    assert np.array_equal(data.images[:], stand_in(data.parameters))
    assert len(SUBJECT.prompts) == len(ATTRIBUTES)
