"""``python bench/hosts.py --json OUT``: an audit on two hosts of a cluster, whose link drops, or one of which dies.

Hosts are namespaces of Linux (as root; util-linux and iproute2): each has a network, processes, mounts and a name of
its own, and a folder for all that it writes, which the other does not see. What they have in common are the installed
packages. The command runs on the first host, with the head of the cluster; the second is reached by a pair of virtual
network cards. What runs in a host ends with it, and hosts end with this process, however it ends.

`alone` is the audit by one process. Then, each with a cluster of its own and told how many records there were when it
happened and what each worker did:

=========  ==========================================================================================================
both       a worker on each host
drop       the link is down for `--drop` seconds
death      the second host is cut off and all its processes are killed
last       as death, but the only worker is there: `error` is how the command ends, after `seconds_to_error`; then a new
           host joins, and the same command goes on
=========  ==========================================================================================================

`equal` says that the records, sorted, are those of `alone` byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoom_engine.audit.folder import MANIFEST, RECORDS
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment

TARGET = "avatars:mustache-biased-pale-skin"
ATTRIBUTES = ("a face with pale skin", "a smiling face", "a face with a beard")
HEAD, WORKER = "10.77.0.1", "10.77.0.2"
PORT = 6379
SCENARIOS = ("both", "drop", "death", "last")
_LONGEST = 900.0  # seconds of a command

# The signal that this process is gone goes to unshare, and from there to the first process of the host.
_UNSHARE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child")
_INSIDE = """
set -e
hostname "$1"
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs "$2"
ip link set lo up
echo ready
exec sleep infinity
"""


class Host:
    """A host with a `name` and a `folder` of its own, until it is killed; a context manager.

    `folder` is the same path on all hosts, with other files on each.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self._outer = subprocess.Popen(
            [*_UNSHARE, "--mount-proc", "sh", "-c", _INSIDE, "sh", name, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._outer.stdout is not None
        if self._outer.stdout.readline() != b"ready\n":
            self.kill()
            raise SystemExit(f"host {name} cannot be made: it takes root, unshare, setpriv and ip")
        outer = self._outer.pid
        self.pid = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
        """Its first process, as seen from outside."""

    def seen(self, path: str) -> Path:
        """Return a path that leads to a file of the host's folder from outside."""
        return Path(f"/proc/{self.pid}/root{self._folder}", path)

    def within(self, *command: str) -> list[str]:
        """Return the command that runs `command` on the host, in its folder, with an environment of its own."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "RAY_TMPDIR": str(self._folder),
            "LANG": "C.UTF-8",
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--uts", f"--wdns={self._folder}"]
        return [*enter, "env", "-i", *variables, *command]

    def run(self, *command: str) -> None:
        """Run a command to its end; RuntimeError with its last words where it fails."""
        done = subprocess.run(
            self.within(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed on {self.name}: {(done.stdout + done.stderr)[-2000:]}")

    def kill(self) -> None:
        """Kill all that runs on the host, at once: with its first process the kernel kills all others."""
        if self._outer.poll() is None:
            with contextlib.suppress(AttributeError, ProcessLookupError):  # it was never ready; it is gone
                os.kill(self.pid, signal.SIGKILL)
            self._outer.kill()
        self._outer.wait()
        if self._outer.stdout is not None:
            self._outer.stdout.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


def begin_network(head: Host) -> None:
    """Give the first host an address, and a switch that others are connected to."""
    head.run("ip", "link", "add", "switch", "type", "bridge")
    head.run("ip", "addr", "add", f"{HEAD}/24", "dev", "switch")
    head.run("ip", "link", "set", "switch", "up")


def connect(head: Host, other: Host, address: str = WORKER) -> None:
    """Connect another host with the first one."""
    cards = f"nsenter --target {head.pid} --net ip link add {other.name} type veth peer name eth0 netns {other.pid}"
    subprocess.run(cards.split(), check=True)
    head.run("ip", "link", "set", other.name, "master", "switch", "up")
    other.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    set_link(other, up=True)


def set_link(host: Host, *, up: bool) -> None:
    host.run("ip", "link", "set", "eth0", "up" if up else "down")


def ray(host: Host, *arguments: str) -> None:
    host.run("ray", *arguments)


@contextlib.contextmanager
def head_of_cluster(head: Host, cores: int) -> Iterator[None]:
    """Let the head of a cluster run on a host, with so many cores for workers."""
    ray(head, "start", "--head", f"--node-ip-address={HEAD}", f"--num-cpus={cores}", "--disable-usage-stats")
    try:
        yield
    finally:
        ray(head, "stop", "--grace-period", "10")  # it sees no processes but those of its host


@contextlib.contextmanager
def worker_host(head: Host, name: str) -> Iterator[Host]:
    """Let another host be in the cluster, with a core."""
    with Host(name, head._folder) as other:
        connect(head, other)
        ray(other, "start", f"--address={HEAD}:{PORT}", f"--node-ip-address={WORKER}", "--num-cpus=1")
        yield other


class Audit:
    """The command, as it runs on the head's host."""

    def __init__(self, head: Host, out: str, images: int, *options: str) -> None:
        self.begun, self._head, self._out = time.monotonic(), head, out
        attributes = [part for text in ATTRIBUTES for part in ("--attribute", text)]
        command = head.within(
            *(sys.executable, "-m", "zoom_engine", "diagnose", "--generator", "avatars", "--target", TARGET),
            *attributes,
            *("--images", str(images), "--seed", "4", "--threads", "1", "--out", out, "--json", *options),
        )
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open for as long as the command runs
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._printed, stderr=self._told, start_new_session=True
        )

    def records(self) -> list[bytes]:
        """Return the lines of its records, sorted."""
        path = self._head.seen(self._out) / RECORDS
        return sorted(path.read_bytes().splitlines()) if path.is_file() else []

    def wait_for(self, records: int) -> int:
        """Wait until it has so many records, and return how many it has."""
        while (count := len(self.records())) < records:
            if self._process.poll() is not None or time.monotonic() - self.begun > _LONGEST:
                raise RuntimeError(f"{self._out} ended with {count} records: {self.told()[-2000:]}")
            time.sleep(0.5)
        return count

    def ends(self) -> int:
        """Wait for its end, and return its exit code."""
        return self._process.wait(timeout=_LONGEST)

    def told(self) -> str:
        self._told.seek(0)
        return self._told.read()

    def notes(self) -> list[str]:
        """Return what it said beside its progress."""
        lines = [line.rpartition("\r")[2].strip() for line in self.told().splitlines()]
        return [line.partition(": note: ")[2] for line in lines if ": note: worker " in line]

    def result(self, alone: Sequence[bytes] | None = None) -> dict[str, Any]:
        """Return what became of it, and whether its records are those of `alone`. RuntimeError where it failed."""
        if self.ends():
            raise RuntimeError(f"{self._out} failed: {self.told()[-2000:]}")
        self._printed.seek(0)
        json.loads(self._printed.read())
        manifest = json.loads((self._head.seen(self._out) / MANIFEST).read_text())
        records = self.records()
        about: dict[str, Any] = {"records": len(records), "seconds": round(time.monotonic() - self.begun, 1)}
        if alone is not None:
            about |= {"equal": records == alone, "workers": manifest["workers"], "notes": self.notes()}
        return about


def scenario(
    name: str, head: Host, images: int, given: Sequence[str], alone: Sequence[bytes], drop: float
) -> dict[str, Any]:
    """Run one, see above; `given` are options of the command."""
    options = (*given, "--cluster", "auto", "--worker-cores", "1")
    happens_at = len(alone) // 6
    with head_of_cluster(head, cores=0 if name == "last" else 1), contextlib.ExitStack() as hosts:
        other = hosts.enter_context(worker_host(head, "second"))
        audit = Audit(head, name, images, *options)
        if name == "both":
            return audit.result(alone)
        about: dict[str, Any] = {"at": audit.wait_for(happens_at)}
        set_link(other, up=False)
        if name == "drop":
            time.sleep(drop)
            about["during"] = len(audit.records()) - about["at"]
            set_link(other, up=True)
            return {**about, "seconds_down": drop, **audit.result(alone)}
        other.kill()
        if name == "death":
            return {**about, **audit.result(alone)}
        dead = time.monotonic()
        code, before = audit.ends(), audit.records()
        last_line = audit.told().splitlines()[-1]
        about |= {"exit_code": code, "error": last_line, "seconds_to_error": round(time.monotonic() - dead, 1)}
        hosts.enter_context(worker_host(head, "third"))
        again = Audit(head, name, images, *options).result(alone)
        return {**about, "before": len(before), **again}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/hosts.py", description=__doc__)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--drop", type=float, default=20.0, help="seconds")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=SCENARIOS)
    parser.add_argument("--cache", type=Path, help="what all images have in common, for the first host to begin with")
    parser.add_argument("--json", type=Path, help="write the figures here, after each scenario")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder, Host("first", Path(folder)) as head:
        begin_network(head)
        cache = () if given.cache is None else ("--cache", str(given.cache.resolve()))
        first = Audit(head, "alone", given.images, *cache)
        about = {"alone": first.result()}
        alone = first.records()
        for name in given.scenarios:
            about[name] = scenario(name, head, given.images, cache, alone, given.drop)
            print(json.dumps({name: about[name]}), flush=True)
            if given.json:
                made_on = {**describe_environment(), "ray": version("ray")}
                what = {"target": TARGET, "attributes": ATTRIBUTES, "images": given.images}
                atomic.write_json(given.json, {**what, "scenarios": about, "environment": made_on})
    unequal = [name for name in given.scenarios if not about[name]["equal"]]
    if unequal:
        raise SystemExit(f"other records than those of one process: {', '.join(unequal)}")


if __name__ == "__main__":
    main()
