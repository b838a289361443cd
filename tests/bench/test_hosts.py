"""The two hosts of the bench see neither each other's files nor processes, and nothing of them is left, however they
end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

TOOLS = ("unshare", "setpriv", "nsenter", "ip")


def cannot_be_made() -> str:
    """Why no host can be made here; "" where they can."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{missing[0]} is not installed"
    made = subprocess.run(
        "unshare --mount --pid --net --uts --fork --mount-proc ip link add eth0 type veth peer name eth1",
        shell=True,
        capture_output=True,
        check=False,
    )
    return "namespaces and network cards take root" if made.returncode else ""


REASON = cannot_be_made()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
ONE_ANSWER = "import socket; socket.create_connection(('10.77.0.1', 6379), timeout=1).close()"


def processes_of(network: int) -> list[str]:
    """The numbers of all processes in a network namespace."""
    results = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "ns/net").stat().st_ino == network:
                results.append(path.name)
        except OSError:
            continue
    return results


def becomes(truth: Callable[[], bool]) -> bool:
    for _ in range(100):
        if truth():
            return True
        time.sleep(0.1)
    return False


def test_hosts_reach_each_other_until_the_link_drops_and_leave_nothing(tmp_path: Path) -> None:
    from hosts import Host, begin_network, connect, set_link

    with Host("first", tmp_path) as first, Host("second", tmp_path) as second:
        networks = [Path(f"/proc/{host.pid}/ns/net").stat().st_ino for host in (first, second)]
        begin_network(first)
        connect(first, second)
        first.seen("mine").write_text("1")
        second.run("test", "!", "-e", str(tmp_path / "mine"))
        assert not list(tmp_path.iterdir()), "nor is it on this machine"
        listens = "import socket, time; s = socket.create_server(('', 6379)); time.sleep(60)"
        with subprocess.Popen(first.within(sys.executable, "-c", listens)):

            def answers() -> bool:
                asked = second.within(sys.executable, "-c", ONE_ANSWER)
                return subprocess.run(asked, capture_output=True, check=False).returncode == 0

            assert becomes(answers)
            set_link(second, up=False)
            assert not answers()
            set_link(second, up=True)
            assert becomes(answers)
            first.kill()
    assert becomes(lambda: not any(map(processes_of, networks)))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_a_host_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    made = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parents[2] / 'bench')!r}); from pathlib import Path;"
        f" from hosts import Host; host = Host('first', Path({str(tmp_path)!r})); print(host.pid, flush=True);"
        " time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", made], stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        host = int(maker.stdout.readline())
        network = Path(f"/proc/{host}/ns/net").stat().st_ino
        assert processes_of(network)
        os.kill(maker.pid, signal.SIGKILL)
    assert becomes(lambda: not processes_of(network))
