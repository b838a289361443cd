"""Targets and decoders that want to hang or eat memory: each is one clear error, quickly, wherever it is met."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hostile_targets import HOSTILE

from zoom_engine.cli import main
from zoom_engine.common.errors import ZoomError
from zoom_engine.generators import load_generator
from zoom_engine.targets import load_target

SECONDS = 5.0  # of the processor: others may use this machine
ATTRIBUTE = ("--attribute", "a smiling face", "--images", "1")


def test_there_are_many() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_target_is_one_clear_error(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = HOSTILE[name]
    spec = hostile.write(tmp_path)
    begin = time.process_time()
    with pytest.raises(ZoomError) as caught:
        (load_generator if hostile.generator else load_target)(spec)
    assert time.process_time() - begin < SECONDS
    message = str(caught.value)
    assert hostile.says in message
    assert "\n" not in message
    assert len(message.replace(str(tmp_path), "")) <= 400
    assert str(tmp_path) in message or tmp_path.name in message
    capsys.readouterr()
    assert main(["inspect", spec]) == (0 if hostile.built else 1)
    error = capsys.readouterr().err
    assert error.count("\n") == (0 if hostile.built else 1)
    assert hostile.built or hostile.says in error
    models = (
        ["--generator", spec, "--target", "avatars:mustache", "--text-encoder", "avatars"]
        if hostile.generator
        else ["--generator", "avatars", "--target", spec]
    )
    assert main(["diagnose", *models, *ATTRIBUTE, "--out", str(tmp_path / "audit")]) == 1
    error = capsys.readouterr().err
    assert hostile.says in error
    assert "Traceback" not in error


MEASURE = """
import resource, sys
from pathlib import Path
from hostile_targets import HOSTILE
from zoom_engine.common.errors import ZoomError
from zoom_engine.generators import load_generator
from zoom_engine.targets import load_target

def virtual():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

folder, warm = Path(sys.argv[1]), True
for name, hostile in [("layers that are text", HOSTILE["layers that are text"]), *HOSTILE.items()]:
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    spec = hostile.write(place)
    if not warm:  # the first imports what loading needs
        resource.setrlimit(resource.RLIMIT_AS, (virtual() + (1 << 30), resource.RLIM_INFINITY))
    try:
        (load_generator if hostile.generator else load_target)(spec)
        print("loaded", name)
    except ZoomError as error:
        if hostile.says not in str(error):
            print(name, error)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    warm = False
print("done")
"""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_within_a_gibibyte(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    # Elsewhere than the checkout, whose package folder would shadow the installed one.
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "files")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert answer.stdout == "done\n", answer.stdout + answer.stderr[-2000:]
