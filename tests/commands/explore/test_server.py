"""Who may talk to the explorer, and what it tells him."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.server import PROTOCOL, application, is_address_of, listen
from zoom_engine.commands.explore.worker import Worker
from zoom_engine.common.errors import ConfigError

TOKEN = "a-token_of-43-characters"
HOST = "127.0.0.1:8760"
ORIGIN = f"http://{HOST}"


@pytest.fixture(scope="module")
def worker(explorer: Explorer) -> Iterator[Worker]:
    worker = Worker(explorer)
    worker.start()
    yield worker
    worker.close()


@pytest.fixture
def client(worker: Worker) -> TestClient:
    served = application(worker, token=TOKEN, is_ours=is_address_of("127.0.0.1", 8760))
    return TestClient(served, base_url=ORIGIN)


def connected(client: TestClient, *, origin: str | None = ORIGIN, protocols: Any = (PROTOCOL, TOKEN), host: str = HOST):
    headers = {"host": host, **({} if origin is None else {"origin": origin})}
    return client.websocket_connect("/socket", subprotocols=list(protocols), headers=headers)


def received(socket: Any, kind: str) -> tuple[dict[str, Any], bytes]:
    """The next frame of a kind: its header, and what lies behind it."""
    while True:
        content = socket.receive_bytes()
        size = int.from_bytes(content[:4], "big")
        header = json.loads(content[4 : 4 + size])
        if header["kind"] == kind:
            return header, content[4 + size :]


def test_the_page_is_served_with_a_strict_policy(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert f"ws://{HOST}" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    named = re.findall(r'(?:src|href)="(/[^"]+)"', answer.text)
    assert named
    for name in named:
        assert client.get(name).status_code == 200, name
    assert "http" not in re.sub(r"http://www\.w3\.org\S*", "", answer.text), "nothing from elsewhere"


def test_scripts_ask_nobody_else(client: TestClient) -> None:
    for name in ("page.js", "explore.js", "connection.js", "state.js", "views.js"):
        answer = client.get(f"/static/{name}")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", answer.text)


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/%2e%2e/server.py", "/static/server.py", "/static//etc/passwd", "/etc/passwd"],
)
def test_no_file_is_read_by_a_name(client: TestClient, path: str) -> None:
    assert client.get(f"/{path}").status_code == 404


def test_only_reading_is_allowed(client: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, "/", headers={"origin": "http://evil.example"}).status_code == 405


HOSTS = [
    "evil.example:8760",
    "evil.example",
    "127.0.0.1",
    "127.0.0.1:8761",
    "localhost.evil.example:8760",
    "",
    "a b:8760",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_was_bent_to_this_machine_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "Sliders" not in answer.text
    with pytest.raises(WebSocketDisconnect), connected(client, host=host, origin=f"http://{host}"):
        pass


@pytest.mark.parametrize("host", ["localhost:8760", "127.0.0.1:8760", "[::1]:8760", "LOCALHOST:8760"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


def test_a_server_on_all_addresses_is_called_by_an_address() -> None:
    is_ours = is_address_of("0.0.0.0", 8760)
    assert is_ours("192.168.1.7:8760")
    assert is_ours("[fe80::1]:8760")
    assert not is_ours("evil.example:8760")
    assert not is_address_of("127.0.0.1", 8760)("192.168.1.7:8760")


def test_a_name_in_capitals_is_the_one_that_browsers_write_small() -> None:
    assert is_address_of("Workstation.example", 8760)("workstation.example:8760")
    assert is_address_of("FE80::1", 8760)("[fe80::1]:8760")


STRANGERS: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "http://evil.example"},
    "another port of this machine": {"origin": "http://127.0.0.1:9999"},
    "a file": {"origin": "null"},
    "no origin": {"origin": None},
    "the origin over TLS": {"origin": f"https://{HOST}"},
    "no token": {"protocols": [PROTOCOL]},
    "another token": {"protocols": [PROTOCOL, TOKEN[:-1] + "x"]},
    "a part of the token": {"protocols": [PROTOCOL, TOKEN[:8]]},
    "the token alone": {"protocols": [TOKEN]},
    "nothing": {"protocols": []},
}


@pytest.mark.parametrize("how", list(STRANGERS.values()), ids=list(STRANGERS))
def test_a_page_of_others_cannot_connect(client: TestClient, worker: Worker, how: dict[str, Any]) -> None:
    with pytest.raises(WebSocketDisconnect) as refusal, connected(client, **how):
        pass
    assert refusal.value.code == 1008
    assert not worker._clients


def test_a_page_sees_what_it_asks_for(client: TestClient) -> None:
    with connected(client) as socket:
        assert socket.accepted_subprotocol == PROTOCOL
        about, _ = received(socket, "about")
        assert about["name"] == "small"
        weights = [2.0, 0.0, 0.0]
        socket.send_json({"kind": "show", "image": {"seed": 0}, "weights": weights, "sequence": 1, "original": True})
        header, content = received(socket, "show")
        assert header["sequence"] == 1
        assert sum(header["parts"]) == len(content)
        assert content.startswith(b"RIFF")
        assert len(received(socket, "scores")[0]["now"]) == 3


def test_a_request_that_is_none_is_a_line_and_the_connection_stays(client: TestClient) -> None:
    with connected(client) as socket:
        for wrong in ("{", '{"kind": "show", "image": {"seed": 0}, "weights": [1e9, 0, 0]}', "\x00" * 100):
            socket.send_text(wrong)
            told, _ = received(socket, "error")
            assert "\n" not in told["text"]
        socket.send_bytes(b"\xff\xfe")
        assert received(socket, "error")[0]["of"] == "request"
        socket.send_json({"kind": "show", "image": {"seed": 0}, "weights": [0, 0, 0], "sequence": 9})
        assert received(socket, "show")[0]["sequence"] == 9


def test_two_tabs_do_not_disturb_each_other(client: TestClient, worker: Worker) -> None:
    with connected(client) as one, connected(client) as other:
        one.send_json({"kind": "show", "image": {"seed": 0}, "weights": [1, 0, 0], "sequence": 1})
        other.send_json({"kind": "show", "image": {"seed": 1}, "weights": [0, 2, 0], "sequence": 1})
        assert received(one, "show")[0]["weights"] == [1, 0, 0]
        assert received(other, "show")[0]["weights"] == [0, 2, 0]
    assert not worker._clients, "closed tabs are forgotten"


def test_a_port_that_is_taken_is_one_line() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}: .*choose another --port"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="cannot listen"):
        listen("no such host", 0)
    with pytest.raises(ConfigError, match="cannot listen"):
        listen("127.0.0.1", 99_999)
