"""The audit folder: kills, failing system calls, torn and damaged lines, other runs, foreign folders."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoom_engine.audit.folder import AuditFolder, check_config, check_folder, inside, read_manifest
from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import Point, Record, Within, read_records, sort_key, to_line
from zoom_engine.audit.service_file import load_tries
from zoom_engine.common.errors import AuditError
from zoom_engine.common.plurals import tries_in_words
from zoom_engine.statistics.summarise import summarise

ATTRIBUTES = ("a smiling face", "a face with a beard", "a face with pale skin")
CONFIG = {"mode": "single", "search": "scan", "attributes": list(ATTRIBUTES), "images": 40, "seed": 0}
MANIFEST = Manifest.of(CONFIG, {"torch": "2.0"})
TRIALS = [(image, attribute) for image in range(40) for attribute in ATTRIBUTES]


def record(image: int, attribute: str) -> Record:
    """The record that any run computes for this trial: a function of the trial alone."""
    values = random.Random(f"{image} {attribute}")

    def point() -> Point:
        weights = tuple(values.uniform(-9, 9) for _ in ATTRIBUTES)
        return Point(weights=weights, output=(values.random(),), change=values.random(), label_kept=None, ssim=None)

    return Record(
        image=image,
        seed=image,
        attribute=attribute,
        edit_weights=tuple(values.uniform(-9, 9) for _ in ATTRIBUTES),
        original_output=(values.random(),),
        output=(values.random(),),
        change=values.random(),
        flipped=values.random() < 0.5,
        label_kept=None,
        ssim=None,
        trajectory=tuple(point() for _ in range(9)),
        paper=Within(change=values.random(), flipped=True, decisive=values.random() < 0.5),
    )


EXPECTED = sorted((record(*trial) for trial in TRIALS), key=sort_key)
SUMMARY = summarise(MANIFEST.config, EXPECTED, resamples=2)


def work(path: Path, *, shuffle: int = 0, batch: int = 5, finish: bool = True) -> None:
    """What a run does: open, do the trials that are left, finish."""
    with AuditFolder.open(path, MANIFEST) as folder:
        left = [trial for trial in TRIALS if trial not in folder.done()]
        random.Random(shuffle).shuffle(left)
        for start in range(0, len(left), batch):
            folder.append([record(*trial) for trial in left[start : start + batch]])
        if finish:
            assert len(folder.done()) == len(TRIALS)
            folder.finish(SUMMARY)


def fork(task: Callable[[], None]) -> int:
    """Run `task` in a forked child; its exit status is 0 if it returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests' idle threads: the child uses none
        child = os.fork()
    if child == 0:
        status = 1
        try:
            task()
            status = 0
        finally:
            os._exit(status)
    return child


def one_line(error: pytest.ExceptionInfo[AuditError]) -> str:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert message.strip() == message
    return message


def test_records_come_back_sorted_whatever_order_they_were_written_in(tmp_path: Path) -> None:
    work(tmp_path / "a", shuffle=1)
    work(tmp_path / "b", shuffle=2, batch=17)
    assert read_records(tmp_path / "a" / "records.jsonl") == EXPECTED
    assert read_records(tmp_path / "b" / "records.jsonl") == EXPECTED
    assert (tmp_path / "a" / "records.jsonl").read_bytes() != (tmp_path / "b" / "records.jsonl").read_bytes()


def test_a_new_folder_is_made_with_its_parents_and_its_manifest(tmp_path: Path) -> None:
    with AuditFolder.create(tmp_path / "x" / "y", MANIFEST) as folder:
        assert folder.done() == set()
        assert not folder.finished
    assert read_manifest(tmp_path / "x" / "y") == MANIFEST


@pytest.mark.ci
@pytest.mark.timeout(900)  # each killed child has to import first: on a loaded machine few come far
def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """At least 20 children are killed while they append; slow writes make torn lines likely."""
    chance = random.Random(7)
    kills = torn = rounds = 0
    while kills < 24:
        rounds += 1
        path = tmp_path / f"audit{rounds}"

        def run(path: Path = path, round_: int = rounds) -> None:
            real = os.write

            def slow(descriptor: int, data: Any) -> int:
                time.sleep(0.0002)
                return real(descriptor, bytes(data[: 200 + 700 * (round_ % 3)]))

            os.write = slow
            work(path, shuffle=round_, batch=1 + round_ % 7)

        for attempt in itertools.count():
            child = fork(run)
            time.sleep(chance.uniform(0.0, 0.03 + 0.005 * attempt))  # a slow machine comes to its end too
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if not os.WIFSIGNALED(status):
                assert os.WEXITSTATUS(status) == 0
                break
            kills += 1
            records = path / "records.jsonl"
            if (path / "manifest.json").exists():
                torn += not records.read_bytes().endswith(b"\n") and records.stat().st_size > 0
                assert all(line in EXPECTED for line in read_records(records))
        assert read_records(path / "records.jsonl") == EXPECTED
        lines = (path / "records.jsonl").read_bytes().splitlines()
        assert len(lines) == len(TRIALS)
        assert json.loads((path / "summary.json").read_text())["trials"] == len(TRIALS)
        assert not [entry for entry in path.iterdir() if "tmp" in entry.name]
    assert torn > 0


class Faults:
    """Counts the calls of some os functions and makes the `at`-th one fail, halfway if it is a write."""

    NAMES = ("open", "write", "fsync", "replace", "ftruncate", "mkdir")

    def __init__(self, patch: pytest.MonkeyPatch, at: int, *, lasting: bool) -> None:
        self.calls, self.at, self.lasting = 0, at, lasting
        for name in self.NAMES:
            patch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            call, self.calls = self.calls, self.calls + 1
            if call == self.at or (self.lasting and call > self.at >= 0):
                if name == "write":
                    real(args[0], bytes(args[1][: len(args[1]) // 2]))
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **options)

        return wrapped


def failure(task: Callable[[], None]) -> str:
    """The message of the AuditError that `task` ends in; empty when it succeeds."""
    try:
        task()
    except AuditError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("lasting", [False, True], ids=["one call fails", "all calls fail from then on"])
def test_a_fault_at_every_call_ends_in_one_line_and_a_resumable_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    def run(path: Path) -> None:
        work(path, batch=40)

    with monkeypatch.context() as patch:
        faults = Faults(patch, -1, lasting=lasting)
        run(tmp_path / "counted")
    assert faults.calls > 12
    failures = 0
    for at in range(faults.calls):
        path = tmp_path / f"audit{at}"
        with monkeypatch.context() as patch:
            Faults(patch, at, lasting=lasting)
            message = failure(lambda path=path: run(path))
        if message:
            failures += 1
            assert len(message.splitlines()) == 1
            assert "no space left" in message
        run(path)
        assert read_records(path / "records.jsonl") == EXPECTED
        assert len((path / "records.jsonl").read_bytes().splitlines()) == len(TRIALS)
        assert sorted(entry.name for entry in path.iterdir()) == [
            ".lock",
            "manifest.json",
            "records.jsonl",
            "summary.json",
        ]
    assert failures >= faults.calls - 1  # a folder that exists need not be made


def test_a_fault_while_resuming_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(100):
        path = tmp_path / f"audit{at}"
        with AuditFolder.create(path, MANIFEST) as folder:
            folder.append([record(*trial) for trial in TRIALS[:50]])
        with (path / "records.jsonl").open("ab") as file:
            file.write(b'{"image": 7, "attr')
        with monkeypatch.context() as patch:
            faults = Faults(patch, at, lasting=False)
            message = failure(lambda path=path: work(path, batch=40))
        if message:
            assert all(line in EXPECTED for line in read_records(path / "records.jsonl"))
            assert len(read_records(path / "records.jsonl")) >= 50
        work(path)
        assert read_records(path / "records.jsonl") == EXPECTED
        if faults.calls <= at:
            assert at > 8
            return
    pytest.fail("a resumed run makes fewer than 100 calls")


def test_interruption_while_appending_takes_the_batch_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    with AuditFolder.create(tmp_path / "audit", MANIFEST) as folder:
        folder.append([record(*TRIALS[0])])
        real = os.fsync
        calls = iter([interrupted, real])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda descriptor: next(calls)(descriptor))
            with pytest.raises(KeyboardInterrupt):
                folder.append([record(*TRIALS[1])])
        assert folder.done() == {TRIALS[0]}
        folder.append([record(*TRIALS[1])])
    assert len(read_records(tmp_path / "audit" / "records.jsonl")) == 2


def test_no_more_records_after_a_failure_that_could_not_be_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditFolder.create(tmp_path / "audit", MANIFEST) as folder:
        with monkeypatch.context() as patch:
            Faults(patch, 0, lasting=True)
            with pytest.raises(AuditError, match="no space"):
                folder.append([record(*TRIALS[0])])
        with pytest.raises(AuditError, match="resume the audit"):
            folder.append([record(*TRIALS[0])])
    work(tmp_path / "audit")
    assert read_records(tmp_path / "audit" / "records.jsonl") == EXPECTED


def test_every_torn_last_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with AuditFolder.create(path, MANIFEST) as folder:
        folder.append([record(*trial) for trial in TRIALS[:3]])
    whole = (path / "records.jsonl").read_bytes()
    last = len(to_line(record(*TRIALS[2])))
    for cut in range(1, last, 37):
        (path / "records.jsonl").write_bytes(whole[:-cut])
        assert len(read_records(path / "records.jsonl")) == 2
        assert (path / "records.jsonl").stat().st_size == len(whole) - cut
        with AuditFolder.resume(path, MANIFEST) as folder:
            assert folder.done() == set(TRIALS[:2])
            folder.append([record(*TRIALS[2])])
        assert (path / "records.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b"[]",
        b"\x00\xff",
        b"",
        b'{"image": true, "attribute": "x"}',
        b'{"image": 1}',
        b'{"image": 1, "attribute": NaN}',
        b'{"image": 1, "attribute": "x"}',
        to_line(EXPECTED[0]).strip().replace(b'"edit_weights":[', b'"edit_weights":["x",'),
        to_line(EXPECTED[0]).strip().replace(b'"weights"', b'"heights"'),
    ],
)
def test_a_damaged_middle_line_is_named(tmp_path: Path, damage: bytes) -> None:
    work(tmp_path / "audit", finish=False)
    path = tmp_path / "audit" / "records.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[16] = damage
    path.write_bytes(b"\n".join(lines))
    before = path.read_bytes()
    with pytest.raises(AuditError, match=r"records\.jsonl, line 17 is damaged") as error:
        AuditFolder.resume(tmp_path / "audit", MANIFEST)
    one_line(error)
    with pytest.raises(AuditError, match="line 17"):
        read_records(path)
    assert path.read_bytes() == before
    del lines[16]
    path.write_bytes(b"\n".join(lines))
    work(tmp_path / "audit")
    assert read_records(path) == EXPECTED


def test_a_repeated_unit_is_named(tmp_path: Path) -> None:
    with AuditFolder.create(tmp_path / "audit", MANIFEST) as folder:
        folder.append([record(*trial) for trial in TRIALS[:3]])
        with pytest.raises(AuditError, match="already has a record"):
            folder.append([record(*TRIALS[4]), record(*TRIALS[1])])
        with pytest.raises(AuditError, match="already has a record"):
            folder.append([record(*TRIALS[4]), record(*TRIALS[4])])
        assert folder.done() == set(TRIALS[:3])
    with (tmp_path / "audit" / "records.jsonl").open("ab") as file:
        file.write(to_line(record(*TRIALS[1])))
    with pytest.raises(AuditError, match="line 4 repeats the trial of line 2"):
        AuditFolder.resume(tmp_path / "audit", MANIFEST)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path, bad: object) -> None:
    with AuditFolder.create(tmp_path / "audit", MANIFEST) as folder:
        with pytest.raises(AuditError, match="image 0") as error:
            folder.append([record(*TRIALS[5]), replace(record(*TRIALS[0]), change=bad)])
        one_line(error)
        with pytest.raises(AuditError, match="cannot be written"):
            folder.write_json("gallery.json", {"x": bad})
        assert folder.done() == set()
    assert (tmp_path / "audit" / "records.jsonl").read_bytes() == b""


def test_a_finished_folder_has_nothing_left_to_do(tmp_path: Path) -> None:
    work(tmp_path / "audit")
    with AuditFolder.open(tmp_path / "audit", MANIFEST) as folder:
        assert folder.finished
        assert folder.done() == set(TRIALS)
    before = (tmp_path / "audit" / "records.jsonl").stat().st_mtime_ns
    work(tmp_path / "audit")
    assert (tmp_path / "audit" / "records.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 39}, r"config\.images is 40 there, 39 in this run"),
        ({"attributes": ["x"]}, r'config\.attributes is \[.* there, \["x"\] in this run'),
        (
            {"attributes": ["a smiling face", "a cat", "b"]},
            r'config\.attributes\[1\] is "a face with a beard" there',
        ),
        ({"bound": 30}, r"config\.bound is 30 only in this run"),
    ],
)
def test_another_config_is_refused_with_its_first_difference(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    work(tmp_path / "audit", finish=False)
    other = Manifest.of({**CONFIG, **change}, {"torch": "2.0"})
    with pytest.raises(AuditError, match=message) as error:
        AuditFolder.resume(tmp_path / "audit", other)
    one_line(error)
    with AuditFolder.resume(tmp_path / "audit", MANIFEST):
        pass


def test_a_run_may_ask_for_more_images(tmp_path: Path) -> None:
    work(tmp_path / "audit", finish=False)
    more = Manifest.of({**CONFIG, "images": 80}, {"torch": "2.0"})
    check_config(tmp_path / "audit", more.config.content)
    with AuditFolder.resume(tmp_path / "audit", more) as audit:
        assert audit.manifest.config.images == 80
        assert len(audit.done()) > 0
    assert read_manifest(tmp_path / "audit").config.images == 80
    planned = {name: value for name, value in CONFIG.items() if name != "images"}
    with AuditFolder.create(tmp_path / "auto", Manifest.of({**planned, "interim_analyses": [24, 32]})):
        pass
    with AuditFolder.resume(tmp_path / "auto", Manifest.of({**planned, "interim_analyses": [24, 32, 40]})) as audit:
        assert audit.manifest.config.analyses(0) == (24, 32, 40)
    with pytest.raises(AuditError, match="interim_analyses is"):
        AuditFolder.resume(tmp_path / "auto", Manifest.of({**planned, "interim_analyses": [24, 32]}))


def test_an_audit_of_before_an_option_is_called_older(tmp_path: Path) -> None:
    work(tmp_path / "audit", finish=False)
    today = {**CONFIG, "smallest_effect": 0.1, "correction": "holm"}
    line = "holds an audit of an older version, which had no smallest_effect, correction: use another folder"
    with pytest.raises(AuditError, match=line) as error:
        check_config(tmp_path / "audit", today)
    one_line(error)
    with pytest.raises(AuditError, match=r"smallest_effect is 0\.2 only in this run"):
        check_config(tmp_path / "audit", {**CONFIG, "smallest_effect": 0.2})


def test_an_option_that_is_not_set_may_be_null_or_missing(tmp_path: Path) -> None:
    with AuditFolder.create(tmp_path / "audit", Manifest.of({**CONFIG, "truncation_cutoff": None})):
        pass
    with AuditFolder.resume(tmp_path / "audit", Manifest.of({**CONFIG, "generator_class": None})):
        pass


def test_another_environment_is_noted_once(tmp_path: Path) -> None:
    work(tmp_path / "audit", finish=False)
    for version in ("2.1", "2.1", "2.0", "2.2"):
        AuditFolder.resume(tmp_path / "audit", Manifest.of(CONFIG, {"torch": version})).close()
    manifest = read_manifest(tmp_path / "audit")
    assert manifest.environment == {"torch": "2.0"}
    assert manifest.resumed_in == ({"torch": "2.1"}, {"torch": "2.2"})


def test_a_file_as_output_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(AuditError, match="is a file") as error:
        AuditFolder.open(tmp_path / "file", MANIFEST)
    one_line(error)
    with pytest.raises(AuditError, match="cannot write the audit folder"):
        AuditFolder.open(tmp_path / "file" / "below", MANIFEST)
    with pytest.raises(AuditError, match="is a file"):
        read_manifest(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(AuditError, match=r"not an audit folder .*thesis\.txt") as error:
        AuditFolder.open(tmp_path, MANIFEST)
    one_line(error)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(AuditError, match=r"it has no manifest\.json"):
        AuditFolder.resume(tmp_path, MANIFEST)
    with pytest.raises(AuditError, match="does not exist"):
        AuditFolder.resume(tmp_path / "nowhere", MANIFEST)


def test_records_that_are_not_ours_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text("precious")
    with pytest.raises(AuditError, match="not an audit folder"):
        AuditFolder.open(tmp_path, MANIFEST)
    assert (tmp_path / "records.jsonl").read_text() == "precious"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": {"name": "other"}, "config": {}}'])
def test_a_manifest_that_is_not_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(AuditError, match=r"manifest\.json is not the manifest of an audit"):
        AuditFolder.open(tmp_path, MANIFEST)
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_an_audit_of_a_later_version(tmp_path: Path) -> None:
    work(tmp_path / "audit")
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text())
    manifest["format"]["version"] = 99
    (tmp_path / "audit" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AuditError, match="audit format 99"):
        AuditFolder.open(tmp_path / "audit", MANIFEST)


def test_an_unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # root may write anywhere: say no for it

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AuditError, match=r"cannot write the audit folder .*: permission denied") as error:
        AuditFolder.open(tmp_path / "x" / "audit", MANIFEST)
    one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_checked_without_touching_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_folder(tmp_path / "new" / "audit")
    work(tmp_path / "audit", finish=False)
    check_folder(tmp_path / "audit")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    for path, message in (
        ("file", "is a file"),
        ("file/below", "is a file"),
        ("other", "not an audit folder"),
    ):
        with pytest.raises(AuditError, match=message) as error:
            check_folder(tmp_path / path)
        one_line(error)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(AuditError, match="not writable"):
        check_folder(tmp_path / "new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["audit", "file", "other"]


def test_what_a_killed_run_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    """The same command refused a folder for the half of its own manifest, and half a picture stayed for ever."""
    audit, half = tmp_path / "audit", ".zoom-tmp-0123456789ab"
    audit.mkdir()
    (audit / ".lock").write_text("7\n")
    (audit / "records.jsonl").touch()
    (audit / f".manifest{half}.json").write_text("{")
    check_folder(audit)
    work(audit, finish=False)
    (audit / "images").mkdir()
    for name in (f".image-0{half}.webp", "image-1.webp"):
        (audit / "images" / name).write_bytes(b"a picture")
    work(audit)
    assert [path.name for path in (audit / "images").iterdir()] == ["image-1.webp"]
    assert not list(audit.glob(f"*{half}*"))


def test_create_refuses_an_existing_audit(tmp_path: Path) -> None:
    work(tmp_path / "audit", finish=False)
    with pytest.raises(AuditError, match="already holds an audit"):
        AuditFolder.create(tmp_path / "audit", MANIFEST)
    assert read_records(tmp_path / "audit" / "records.jsonl") == EXPECTED


def test_two_runs_never_write_one_folder(tmp_path: Path) -> None:
    with AuditFolder.create(tmp_path / "audit", MANIFEST):
        with pytest.raises(AuditError, match=rf"another run \(process {os.getpid()}\) is writing") as error:
            AuditFolder.resume(tmp_path / "audit", MANIFEST)
        one_line(error)

        def second() -> None:
            with pytest.raises(AuditError, match="another run"):
                AuditFolder.resume(tmp_path / "audit", MANIFEST)

        assert os.waitpid(fork(second), 0)[1] == 0
    with AuditFolder.resume(tmp_path / "audit", MANIFEST) as folder:
        folder.close()
        folder.close()


def test_the_lock_of_a_killed_run_is_not_in_the_way(tmp_path: Path) -> None:
    read, write = os.pipe()

    def hold() -> None:
        with AuditFolder.create(tmp_path / "audit", MANIFEST):
            os.write(write, b"x")
            time.sleep(60)

    child = fork(hold)
    os.read(read, 1)
    with pytest.raises(AuditError, match=rf"process {child}"):
        AuditFolder.resume(tmp_path / "audit", MANIFEST)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)
    with AuditFolder.resume(tmp_path / "audit", MANIFEST) as folder:
        assert folder.done() == set()


@pytest.mark.parametrize("name", [".lock", "records.jsonl"])
def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path, name: str) -> None:
    """A lock is emptied for the number of its process, records are cut to whole lines: a link did that elsewhere."""
    file = tmp_path / "of somebody"
    file.write_text("one line without an end")
    AuditFolder.create(tmp_path / "audit", MANIFEST).close()
    (tmp_path / "audit" / name).unlink()
    (tmp_path / "audit" / name).symlink_to(file)
    with pytest.raises(AuditError, match="symbolic links: fix that, or choose another folder"):
        AuditFolder.resume(tmp_path / "audit", MANIFEST)
    assert file.read_text() == "one line without an end"


def test_files_stay_inside_the_folder(tmp_path: Path) -> None:
    with AuditFolder.create(tmp_path / "audit", MANIFEST) as folder:
        path = folder.write("images/a.png", b"png")
        assert path == tmp_path / "audit" / "images" / "a.png"
        assert path.read_bytes() == b"png"
        (folder.path / "circle").symlink_to("circle")
        for name in ("../escaped", "/etc/hosts", "images/../../escaped", ".", "circle", "a\0b", "\ud800"):
            with pytest.raises(AuditError, match="not a file inside"):
                folder.write(name, b"x")
    with pytest.raises(AuditError):
        inside(tmp_path / "audit", "../../etc/passwd")


def test_a_damaged_manifest_is_named_and_what_it_holds_beside_stays(tmp_path: Path) -> None:
    work(tmp_path / "audit", finish=False)
    path = tmp_path / "audit" / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "config": {**CONFIG, "mode": 3}}))
    with pytest.raises(AuditError, match=r"manifest\.json is damaged \(config\.mode must be .*, not 3\)") as error:
        AuditFolder.open(tmp_path / "audit", MANIFEST)
    one_line(error)
    path.write_text("[" * 100_000)
    with pytest.raises(AuditError, match=r"manifest\.json is not the manifest of an audit"):
        AuditFolder.open(tmp_path / "audit", MANIFEST)
    path.write_text(json.dumps({**content, "config": {**CONFIG, "later": [1]}}))
    with pytest.raises(AuditError, match=r"config\.later is \[1\] only there"):
        AuditFolder.open(tmp_path / "audit", MANIFEST)
    AuditFolder.resume(tmp_path / "audit", Manifest.of({**CONFIG, "later": [1]}, {"torch": "2.1"})).close()
    result = json.loads(path.read_text())
    assert result == {**content, "config": {**CONFIG, "later": [1]}, "resumed_in": [{"torch": "2.1"}]}


def test_how_a_service_was_asked_adds_up_over_runs(tmp_path: Path) -> None:
    with AuditFolder.open(tmp_path / "a", MANIFEST) as folder:
        folder.count({})
        assert not (tmp_path / "a" / "service.json").exists()
        folder.count({"answered": 7, "late": 1})
    with AuditFolder.open(tmp_path / "a", MANIFEST) as folder:
        folder.count({"answered": 3, "failed": 2})
    assert load_tries(tmp_path / "a") == {"answered": 10, "late": 1, "failed": 2}
    assert tries_in_words(load_tries(tmp_path / "a")) == "10 answered, 2 failed, 1 late"
    for damaged in ("{", "[]", '{"tries": {"late": -1}}', '{"tries": {"late": "often"}}'):
        (tmp_path / "a" / "service.json").write_text(damaged)
        with pytest.raises(AuditError, match="service") as error:
            AuditFolder.open(tmp_path / "a", MANIFEST)
        assert "remove it" in one_line(error)
    (tmp_path / "a" / "service.json").unlink()
    AuditFolder.open(tmp_path / "a", MANIFEST).close()


@pytest.mark.parametrize("gone", ["moved", "removed", "another in its place"])
def test_a_folder_that_is_not_there_any_more_takes_nothing(tmp_path: Path, gone: str) -> None:
    """Records would go into a file without a name, and pictures would make a part of the folder anew."""
    path, aside = tmp_path / "audit", tmp_path / "aside"
    with AuditFolder.create(path, MANIFEST) as folder:
        folder.append([record(*trial) for trial in TRIALS[:50]])
        path.rename(aside)
        if gone == "removed":
            shutil.rmtree(aside)
        if gone == "another in its place":
            work(path, batch=40, finish=False)
        before = sorted(path.rglob("*"))
        for write in (
            lambda: folder.append([record(*TRIALS[50])]),
            lambda: folder.write("images/1.png", b"png"),
            lambda: folder.finish(SUMMARY),
        ):
            with pytest.raises(AuditError, match="was moved or removed while it was written") as error:
                write()
            assert "the same command continues" in one_line(error)
        assert folder.done() == set(TRIALS[:50])
    assert sorted(path.rglob("*")) == before
    if gone == "moved":
        assert len(read_records(aside / "records.jsonl")) == 50
        aside.rename(path)
    work(path)
    assert read_records(path / "records.jsonl") == EXPECTED


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system in memory of that `size`, which what it gives makes another one."""
    path.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if shutil.which("mount") is None or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(path)], check=True)  # type: ignore[func-returns-value]
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_is_full_for_real_ends_in_one_line_and_a_folder_that_goes_on(tmp_path: Path) -> None:
    def pictures(folder: AuditFolder) -> None:
        for number in range(8):
            folder.write(f"images/{number}.png", bytes(20_000))

    with small_disk(tmp_path / "disk", "100k") as grow:
        path = tmp_path / "disk" / "audit"
        with pytest.raises(AuditError, match="no space left on device: fix that") as error:
            work(path)
        one_line(error)
        records = read_records(path / "records.jsonl")
        assert 0 < len(records) < len(EXPECTED)
        assert (path / "records.jsonl").read_bytes().endswith(b"\n")
        grow("300k")
        work(path, finish=False)
        with AuditFolder.open(path, MANIFEST) as folder, pytest.raises(AuditError, match="no space left on device"):
            pictures(folder)
        assert {file.stat().st_size for file in (path / "images").iterdir()} == {20_000}, "nothing half-written"
        grow("2m")
        with AuditFolder.open(path, MANIFEST) as folder:
            pictures(folder)
            folder.finish(SUMMARY)
        assert read_records(path / "records.jsonl") == EXPECTED


def test_another_model_is_refused_with_what_to_do_and_rounding_is_not(tmp_path: Path) -> None:
    answers = {"target": [[0.1], [0.9]], "generator": [[0.5, 1.0], [0.2, 0.3]]}
    details = {"content_hash": "a" * 64}
    config = {**CONFIG, "target_details": details, "generator": "b" * 64, "answers": answers}
    AuditFolder.create(tmp_path / "audit", Manifest.of(config)).close()
    for config_here, what in (
        ({**config, "target_details": {"content_hash": "c" * 64}}, "target"),
        ({**config, "generator": "c" * 64}, "generator"),
        ({**config, "answers": {**answers, "target": [[0.9], [0.1]]}}, "target"),
        ({**config, "answers": {**answers, "generator": [[0.5, 1.0], [0.7, 0.3]]}}, "generator"),
    ):
        with pytest.raises(AuditError, match=f"begun with another {what}: .*use another folder") as caught:
            AuditFolder.resume(tmp_path / "audit", Manifest.of(config_here))
        assert "\n" not in str(caught.value)
    for same in ({**answers, "target": [[0.1000001], [0.9]]}, {"generator": answers["generator"]}, {}):
        AuditFolder.resume(tmp_path / "audit", Manifest.of({**config, "answers": same})).close()


def test_an_attribute_may_be_called_as_what_is_compared_but_for_rounding(tmp_path: Path) -> None:
    """Other examples of "answers" were taken for the same."""
    config = {**CONFIG, "attributes": ["answers"], "sources": {"examples": {"answers": "a" * 64}}}
    AuditFolder.create(tmp_path / "audit", Manifest.of(config)).close()
    other = {**config, "sources": {"examples": {"answers": "c" * 64}}}
    with pytest.raises(AuditError, match="begun with other examples of “answers”"):
        AuditFolder.resume(tmp_path / "audit", Manifest.of(other))
    with pytest.raises(AuditError, match="begun with other examples of “answers”"):
        check_config(tmp_path / "audit", other)


def test_an_audit_of_a_version_that_knew_modules_by_their_weights_is_told_so(tmp_path: Path) -> None:
    old = {**CONFIG, "target_details": {"content_hash": "a" * 64}}
    AuditFolder.create(tmp_path / "audit", Manifest.of(old)).close()
    today = {**old, "answers": {"target": [[0.1], [0.9]]}}
    AuditFolder.resume(tmp_path / "audit", Manifest.of(today)).close()
    with pytest.raises(AuditError, match="by a version that did not look at a module's code"):
        check_config(tmp_path / "audit", {**today, "target_details": {"content_hash": "c" * 64}})


@pytest.mark.parametrize("hostile", [[], "text", {"target": "text"}, {"target": [[None]]}])
def test_answers_that_nobody_wrote_are_no_traceback(tmp_path: Path, hostile: Any) -> None:
    AuditFolder.create(tmp_path / "audit", Manifest.of({**CONFIG, "answers": hostile})).close()
    with contextlib.suppress(AuditError):
        check_config(tmp_path / "audit", {**CONFIG, "answers": {"target": [[0.1], [0.9]]}})
