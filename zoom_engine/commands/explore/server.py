"""The explorer's server: the page, and one WebSocket for each page that is open.

It is for one person on this machine. Whoever talks to it must call it by its own address (a page whose name was bent to
this machine does not), a WebSocket must come from the explorer's own page and bring the token that the terminal
printed: pages of others know none of it. The page asks nobody else for anything, and no file is read by a name that
comes from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Callable
from importlib import resources
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from zoom_engine import report
from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.messages import LONGEST, frame
from zoom_engine.commands.explore.worker import Client, Worker
from zoom_engine.common.errors import ConfigError, one_line

PROTOCOL = "zoom-engine-explorer"
"""The WebSocket's subprotocol; the page offers the token beside it."""
MOST_PAGES = 16
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws://{host}; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")


class Guard:
    """What comes before the application: it answers only those who call it by its own address.

    A page of others can have its name resolved to this machine, and would then be of the same origin; its requests
    still carry that name.
    """

    def __init__(self, application: ASGIApp, *, is_ours: Callable[[str], bool]) -> None:
        """Guard an application; `is_ours` tells whether a Host header is this server's."""
        self._application, self._is_ours = application, is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is for this server, with the headers of all answers."""
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        host = Headers(scope=scope).getlist("host")
        if len(host) != 1 or not self._is_ours(host[0]):
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).close(code=1008)
                return
            refusal = PlainTextResponse("Open the address that zoom-engine explore printed.\n", status_code=421)
            await refusal(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**HEADERS, "content-security-policy": POLICY.format(host=host[0])})
            await send(message)

        await self._application(scope, receive, with_headers)


def is_address_of(host: str, port: int) -> Callable[[str], bool]:
    """Return what tells whether a Host header names a server that listens at `host` and `port`.

    A server on all addresses is named by any of them, but by no other name than localhost.
    """
    everywhere = host in ("0.0.0.0", "::")
    names = {*LOOPBACK, host.lower(), f"[{host.lower()}]"}  # as browsers write them

    def is_ours(header: str) -> bool:
        match = _HOST.fullmatch(header)
        if match is None or int(match["port"] or 80) != port:
            return False
        name = match["name"].lower()
        return name in names or (everywhere and _is_ip(name.strip("[]")))

    return is_ours


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _files() -> dict[str, tuple[bytes, str]]:
    """Return the page's files by their names, with their types; all are read once."""
    folder = resources.files(__package__) / "static"
    files = {
        path.name: (path.read_bytes(), TYPES[path.name.rpartition(".")[2]])
        for path in folder.iterdir()
        if path.name.rpartition(".")[2] in TYPES
    }
    style = resources.files(report) / "templates" / "style.css"
    return {**files, "report.css": (style.read_bytes(), TYPES["css"])}


def application(worker: Worker, *, token: str, is_ours: Callable[[str], bool]) -> ASGIApp:
    """Return the application: the page's files, and the WebSocket that takes `token`."""
    files, pages = _files(), set[Client]()

    async def page(request: HttpRequest) -> Response:
        content, kind = files["index.html"]
        return Response(content, media_type=f"{kind}; charset=utf-8")

    async def file(request: HttpRequest) -> Response:
        known = files.get(request.path_params["name"])
        if known is None:
            return PlainTextResponse("There is no such file.\n", status_code=404)
        return Response(known[0], media_type=f"{known[1]}; charset=utf-8")

    async def connected(websocket: WebSocket) -> None:
        offered = websocket.scope.get("subprotocols", [])
        same_origin = websocket.headers.get("origin") == f"http://{websocket.headers.get('host')}"
        known = [hmac.compare_digest(text.encode(), token.encode()) for text in offered]
        if not same_origin or not any(known) or PROTOCOL not in offered or len(pages) >= MOST_PAGES:
            await websocket.close(code=1008)
            return
        await websocket.accept(subprotocol=PROTOCOL)
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        client = Client(lambda: _wake(loop, ready))
        pages.add(client)
        worker.add(client)
        client.post("about", frame("about", worker.explorer.about()))
        sending = asyncio.create_task(_send(websocket, client, ready))
        try:
            await _receive(websocket, client, worker)
        finally:
            worker.remove(client)
            pages.discard(client)
            sending.cancel()

    routes = [Route("/", page), Route("/static/{name}", file), WebSocketRoute("/socket", connected)]
    return Guard(Starlette(routes=routes), is_ours=is_ours)


def _wake(loop: asyncio.AbstractEventLoop, ready: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(ready.set)


async def _receive(websocket: WebSocket, client: Client, worker: Worker) -> None:
    """Take what a page asks for, until it is gone."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        worker.receive(client, message.get("text") or message.get("bytes") or "")


async def _send(websocket: WebSocket, client: Client, ready: asyncio.Event) -> None:
    """Send what waits for a page, whenever there is something."""
    try:
        while True:
            await ready.wait()
            ready.clear()
            for content in client.take():
                await websocket.send_bytes(content)
    except (WebSocketDisconnect, RuntimeError):  # it is gone, which the other side notices
        return


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any that is free.

    Raises:
        ConfigError: the address is none of this machine's, or the port is taken.
    """
    if not 0 <= port < 1 << 16:
        raise ConfigError(f"cannot listen at {host}:{port}: a --port lies in 0..65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as closing:
            listening = closing.enter_context(socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
            closing.pop_all()
    except (OSError, UnicodeError) as error:
        reason = one_line(getattr(error, "strerror", None) or error).lower()
        raise ConfigError(f"cannot listen at {host}:{port}: {reason}; choose another --port or --host") from error
    return listening


def serve(
    explorer: Explorer,
    *,
    host: str,
    listening: socket.socket,
    opened: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C; `opened` is called with its address, the token in it."""
    worker = Worker(explorer)
    server, address = server_at(worker, host=host, port=listening.getsockname()[1])
    worker.start()
    try:
        opened(address)
        server.run(sockets=[listening])
    finally:
        worker.close()


def server_at(worker: Worker, *, host: str, port: int) -> tuple[uvicorn.Server, str]:
    """Return a server for a socket that listens at `host` and `port`, and the page's address, a new token in it."""
    token = secrets.token_urlsafe(32)
    named = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    served = application(worker, token=token, is_ours=is_address_of(host, port))
    options: dict[str, Any] = {"log_config": None, "access_log": False, "lifespan": "off", "server_header": False}
    options |= {"ws_max_size": LONGEST, "ws_per_message_deflate": False, "timeout_graceful_shutdown": 1}
    return uvicorn.Server(uvicorn.Config(served, **options)), f"http://{named}:{port}/#token={token}"
