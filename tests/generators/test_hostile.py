"""Files that want to run code, hang or eat memory: each is one clear error, quickly, and nothing runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from checkpoint_files import nvidia_bytes, rosinality_bytes, stylegan3_bytes, write
from hostile_files import hostile_files
from hypothesis import example, given, settings
from hypothesis import strategies as st
from literal_stylegan2 import Literal
from literal_stylegan3 import Literal3
from tensorflow_files import tensorflow_bytes

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators import describe_checkpoint, load_generator

SECONDS = 5.0  # of the processor: others may use this machine
MARKED = Path(tempfile.gettempdir()) / f"zoom-engine-hostile-{os.getpid()}"  # made by whatever runs code
HOSTILE = hostile_files(MARKED)
SMALL = Literal(resolution=8, channels=(5, 4))
WHOLE = {
    "nvidia": nvidia_bytes(SMALL),
    "stylegan3": stylegan3_bytes(Literal3()),
    "tensorflow": tensorflow_bytes(SMALL),
    "rosinality": rosinality_bytes(Literal(resolution=8, channels=(5, 4), z_dim=12)),
    "rosinality, old": rosinality_bytes(Literal(resolution=8, channels=(5, 4), z_dim=12), legacy=True),
}


def test_there_are_many() -> None:
    assert len(HOSTILE) >= 30


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_clear_error_and_nothing_runs(name: str, tmp_path: Path) -> None:
    hostile = HOSTILE[name]
    path = write(tmp_path / "network.pkl", hostile.data)
    begin = time.process_time()
    with pytest.raises(hostile.error, match=hostile.says) as caught:
        load_generator(path)
    assert time.process_time() - begin < SECONDS
    assert type(caught.value) is hostile.error
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    assert str(path) in message
    if hostile.data:
        described = describe_checkpoint(path)
        assert type(described.refusal) is hostile.error
        assert str(described.refusal) == message
        assert all(line.isprintable() for line in described.text.splitlines())
    assert not MARKED.exists()


MEASURE = """
import pickle, resource, sys
from pathlib import Path
from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators import load_generator

def virtual():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

load_generator(sys.argv[1])  # imports what loading needs
for path in sys.argv[2:]:
    allowed = virtual() + 2 * Path(path).stat().st_size + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.RLIM_INFINITY))
    try:
        load_generator(path)
        print("loaded", path)
    except CheckpointError as error:
        if "more memory" in str(error):
            print("out of memory", path)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("done")
"""


@pytest.mark.ci
@pytest.mark.slow(8)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_within_twice_the_file_and_256_mib(tmp_path: Path) -> None:
    good = write(tmp_path / "good", WHOLE["nvidia"])
    paths = [str(write(tmp_path / str(number), hostile.data)) for number, hostile in enumerate(HOSTILE.values())]
    command = [sys.executable, "-c", MEASURE, str(good), *paths]
    # Elsewhere than the checkout, whose package folder would shadow the installed one.
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert answer.stdout == "done\n", answer.stdout + answer.stderr[-2000:]
    assert not MARKED.exists()


@pytest.mark.parametrize("kind", ["nvidia", "tensorflow", "rosinality", "rosinality, old"])
def test_a_file_cut_off_at_every_fourth_kibibyte_is_refused(kind: str, tmp_path: Path) -> None:
    literal = Literal(resolution=16, channels=(24, 24, 16), z_dim=16, w_dim=16)
    make = {"nvidia": nvidia_bytes, "tensorflow": tensorflow_bytes}
    data = make[kind](literal) if kind in make else rosinality_bytes(literal, legacy="old" in kind)
    assert 60_000 < len(data) <= 1 << 20
    path = tmp_path / "cut"
    for end in range(0, len(data), 4096):
        path.write_bytes(data[:end])
        begin = time.process_time()
        with pytest.raises(CheckpointError, match="damaged"):
            load_generator(path)
        assert time.process_time() - begin < SECONDS


def _never_crashes(data: bytes, folder: Path) -> None:
    path = write(folder / "fuzz", data)
    begin = time.process_time()
    message = ""
    try:
        load_generator(path)
    except CheckpointError as error:
        message = str(error)
    assert message.isprintable()
    assert len(message) < 1000
    assert time.process_time() - begin < SECONDS


_PIECES = st.one_of(
    st.sampled_from(
        [
            *(b"(", b")", b"]", b"}", b"\x8f", b"N", b"K\x01", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"R", b"b"),
            *(b"\x81", b"\x92", b"\x93", b"u", b"s", b"e", b"a", b"0", b"1", b"2", b"\x94", b"h\x00", b"Q", b"o"),
            *(
                b"ccollections\nOrderedDict\n",
                b"ctorch.storage\n_load_from_bytes\n",
                b"ctorch._utils\n_rebuild_tensor_v2\n",
            ),
            *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cos\nsystem\n"),
            *(b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n", b"cdnnlib.tflib.network\nNetwork\n"),
            *(b"X\x05\x00\x00\x00G_ema", b"X\x02\x00\x00\x00f4", b"C\x04\x00\x00\x00\x00", b"X\x05\x00\x00\x00state"),
        ]
    ),
    st.binary(max_size=3),
)


@given(pieces=st.lists(_PIECES, max_size=40))
def test_random_programs_never_crash(pieces: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    _never_crashes(b"\x80\x04" + b"".join(pieces) + b".", tmp_path_factory.getbasetemp())


_CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


@given(kind=st.sampled_from(sorted(WHOLE)), changes=_CHANGES)
@settings(max_examples=60)
@example(kind="nvidia", changes=[(0.0, 0)])
def test_damaged_files_never_crash(
    kind: str, changes: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(WHOLE[kind])
    for place, value in changes:
        data[int(place * len(data))] = value
    _never_crashes(bytes(data), tmp_path_factory.getbasetemp())


@pytest.mark.experiment
@pytest.mark.timeout(900)
def test_ten_minutes_of_fuzzing(tmp_path: Path) -> None:
    """Changed, cut, doubled and spliced files, for ten minutes, from a fixed seed."""
    rng = torch.Generator().manual_seed(0)

    def number(limit: int) -> int:
        return int(torch.randint(limit, (), generator=rng))

    files = [*WHOLE.values(), *(hostile.data for hostile in HOSTILE.values())]
    files = [data for data in files if 0 < len(data) < 1 << 20]
    end, count = time.monotonic() + 600, 0
    while time.monotonic() < end:
        data = bytearray(files[number(len(files))])
        for _ in range(1 + number(8)):
            place = number(len(data))
            other = files[number(len(files))]
            begin = number(len(other))
            match number(4):
                case 0:
                    data[place] = number(256)
                case 1:
                    del data[place : place + 1 + number(64)]
                case 2:
                    data[place:place] = other[begin : begin + 1 + number(256)]
                case 3:
                    data[place : place + 8] = number(2**62).to_bytes(8, "little")
            data = data or bytearray(b"\x80")
        _never_crashes(bytes(data), tmp_path)
        count += 1
    print(f"{count} files")
    assert count > 1000
    assert not MARKED.exists()
