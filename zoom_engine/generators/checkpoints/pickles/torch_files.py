"""Files of `torch.save`, in both its formats, as records: a zip archive, or pickles followed by raw storages.

`torch.load` allocates what a file claims; here a claim is first compared with the bytes that are there, and a storage
stays a slice of the file. The formats are those of `torch.serialization` (stored, uncompressed entries `NAME/data.pkl`
and `NAME/data/KEY`; before 1.6 a magic number, a version, a description of the machine, the object and the storages'
keys as five pickles, then each storage as its count and its elements).
"""

from __future__ import annotations

import itertools
import re
import struct
import zipfile
from collections.abc import Callable
from mmap import mmap
from pathlib import Path

from zoom_engine.common.errors import CheckpointError, one_line
from zoom_engine.common.files.archives import DAMAGED
from zoom_engine.generators.checkpoints.pickles.allow_list import (
    ITEM_SIZES,
    STORAGES,
    network_globals,
    set_state,
    storage_globals,
)
from zoom_engine.generators.checkpoints.pickles.interpreter import Allowed, Budget, Globals, printable, read_pickle
from zoom_engine.generators.checkpoints.pickles.records import StorageRecord

MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
MOST_ENTRIES = 20_000  # of a zip archive: Python reads its whole directory at once
CENTRAL_ENTRY = re.compile(rb"PK\x01\x02")
LOCAL_HEADER = 30  # bytes before the entry's name


def is_legacy_torch_file(data: memoryview) -> bool:
    """Return whether `data` begins with the magic number of `torch.save` before 1.6, in any protocol from 2."""
    return MAGIC.to_bytes(10, "little") in bytes(data[:24])


def load_storage(data: bytes | memoryview, budget: Budget) -> StorageRecord:
    """Return the storage that `torch.storage._load_from_bytes` would read: a legacy file with just this one.

    The file may name the types of storages and nothing else, which is less than `torch.load(weights_only=True)` allows.
    That reads the same elements from honest files (a test compares both), but allocates what a file claims before it
    looks for it: 135 bytes that claim 2 GiB take 2 GiB. Here they are refused, and an honest storage stays a slice of
    the file.

    Raises:
        CheckpointError: it is no such file.
    """
    value, storages = _read_legacy(memoryview(data), storage_globals(), budget)
    if not isinstance(value, StorageRecord) or len(storages) != 1:
        raise CheckpointError("is damaged: a storage of it is none")
    return storages[0]


def read_network_pickle(data: memoryview) -> object:
    """Return the records of a pickled network, as NVIDIA's code writes it with `pickle.dump`."""
    budget = Budget()
    allowed = network_globals(lambda nested: load_storage(nested, budget))
    value, end = read_pickle(data, allowed, build=set_state, budget=budget)
    if end != len(data):
        raise CheckpointError(f"is damaged: {len(data) - end} bytes follow its pickle")
    return value


def read_legacy_torch_file(data: memoryview) -> object:
    """Return the records of a file that `torch.save` wrote before 1.6."""
    value, _ = _read_legacy(data, network_globals(_no_nested_storage), Budget())
    return value


def _no_nested_storage(data: bytes | memoryview) -> StorageRecord:
    raise CheckpointError("is damaged: it has a pickled storage within a torch file")


def _claim(identity: object) -> tuple[str, str, int]:
    """Return `(key, code, count)` of a persistent id ("storage", type, key, location, count)."""
    match identity:
        case ("storage", Allowed(name=name), str() | int() as key, str(), int() as count, *rest) if (
            rest in ([], [None]) and count >= 0 and name.removeprefix("torch.") in STORAGES
        ):
            return str(key), STORAGES[name.removeprefix("torch.")], count
    raise CheckpointError("is damaged: a reference to a storage is not understood")


def _piece(data: memoryview, start: int, size: int) -> memoryview:
    if not 0 <= start <= start + size <= len(data):
        raise CheckpointError(f"is damaged: it claims {size} bytes where {max(len(data) - start, 0)} are left")
    return data[start : start + size]


def _read_legacy(data: memoryview, allowed: Globals, budget: Budget) -> tuple[object, list[StorageRecord]]:
    """Return the object, and its storages in the order of the file."""
    position = 0
    storages: dict[str, StorageRecord] = {}

    def persistent(identity: object) -> StorageRecord:
        key, code, count = _claim(identity)
        return storages.setdefault(key, StorageRecord(code, count))

    def following(names: Globals, resolve: Callable[[object], object] | None = None) -> object:
        nonlocal position
        value, position = read_pickle(data, names, build=set_state, start=position, persistent=resolve, budget=budget)
        return value

    if following({}) != MAGIC or following({}) != LEGACY_VERSION:
        raise CheckpointError("is damaged: it does not begin as torch.save's files do")
    machine = following({})
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise CheckpointError("was written on a big-endian machine, which is not read")
    value = following(allowed, persistent)
    keys = following({})
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise CheckpointError("is damaged: the storages that it lists are not those that it uses")
    for key in map(str, keys):
        storage = storages[key]
        count = struct.unpack("<q", _piece(data, position, 8))[0]
        if count != storage.count:
            raise CheckpointError(f"is damaged: a storage of {storage.count} elements is followed by {count}")
        storage.data = _piece(data, position + 8, count * ITEM_SIZES[storage.code])
        position += 8 + len(storage.data)
    return value, list(storages.values())


def read_torch_archive(path: Path, mapped: mmap) -> object:
    """Return the records of a zip archive that `torch.save` wrote."""
    data = memoryview(mapped)
    entries = _entries(path, mapped, data)
    program = next((name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1), None)
    if program is None:
        raise CheckpointError("is a zip archive without data.pkl: not a file of torch.save")
    folder = program.removesuffix("data.pkl")
    if bytes(entries.get(folder + "byteorder", memoryview(b"little"))) != b"little":
        raise CheckpointError("was written on a big-endian machine, which is not read")
    storages: dict[str, StorageRecord] = {}

    def persistent(identity: object) -> StorageRecord:
        key, code, count = _claim(identity)
        if key not in storages:
            piece = entries.get(f"{folder}data/{key}")
            if piece is None or len(piece) != count * ITEM_SIZES[code]:
                size = "none" if piece is None else f"{len(piece)} bytes"
                claimed = f"should have {count * ITEM_SIZES[code]} bytes, it has {size}"
                raise CheckpointError(f"is damaged: storage '{printable(key)}' {claimed}")
            storages[key] = StorageRecord(code, count, piece)
        return storages[key]

    allowed = network_globals(_no_nested_storage)
    value, _ = read_pickle(entries[program], allowed, build=set_state, persistent=persistent)
    return value


def _entries(path: Path, mapped: mmap, data: memoryview) -> dict[str, memoryview]:
    """Return each entry's bytes, as slices of the file: nothing is unpacked, so nothing can grow."""
    if sum(1 for _ in itertools.islice(CENTRAL_ENTRY.finditer(mapped), MOST_ENTRIES + 1)) > MOST_ENTRIES:
        raise CheckpointError(f"is no generator checkpoint: a zip archive of more than {MOST_ENTRIES} entries")
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except DAMAGED as error:
        raise CheckpointError(f"is damaged: its zip directory cannot be read ({one_line(error)})") from error
    entries: dict[str, memoryview] = {}
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
            raise CheckpointError("is not a file of torch.save: its zip entries are compressed or encrypted")
        header = _piece(data, info.header_offset, LOCAL_HEADER)
        if bytes(header[:4]) != b"PK\x03\x04" or info.filename in entries:
            raise CheckpointError("is damaged: its zip directory does not fit its entries")
        name, extra = struct.unpack("<HH", header[26:30])
        entries[info.filename] = _piece(data, info.header_offset + LOCAL_HEADER + name + extra, info.file_size)
    return entries
