"""A real Chromium without a window, driven through the DevTools protocol: what `explore.py` measures with."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
PATIENCE = 60.0  # seconds


class Tab:
    """One page. Errors of scripts, and refused requests, gather in `complaints`."""

    def __init__(self, address: str) -> None:
        self._closing = ExitStack()
        opening = connect(address, max_size=None, open_timeout=PATIENCE)
        self._connection: ClientConnection = self._closing.enter_context(opening)
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=PATIENCE))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded":
                self.complaints.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to, a promise's value too."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = PATIENCE) -> Any:
        """The value of an expression as soon as it is one that counts as true."""
        end = time.monotonic() + seconds
        while not (value := self.value(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} stayed {value!r}; {self.complaints}")
            time.sleep(0.05)
        return value

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, dark: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, key: str, *, ctrl: bool = False, shift: bool = False) -> None:
        """A key, down and up."""
        held_down = 2 * ctrl + 8 * shift
        code = f"Key{key.upper()}" if len(key) == 1 and key.isalpha() else key
        numbers = {
            "Tab": 9,
            "Enter": 13,
            "Escape": 27,
            " ": 32,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
        }
        number = numbers.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = {"text": key} if len(key) == 1 and not held_down else {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=code,
                modifiers=held_down,
                windowsVirtualKeyCode=number,
                **(text if kind == "keyDown" else {}),
            )

    def mouse(self, kind: str, x: float, y: float) -> None:
        """An event of the mouse, its left button down: "mousePressed", "mouseMoved" or "mouseReleased"."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def heap(self) -> int:
        """Bytes of JavaScript that are left after a collection."""
        self.call("HeapProfiler.collectGarbage")
        return int(self.call("Runtime.getHeapUsage")["usedSize"])

    def close(self) -> None:
        self._closing.close()


class Browser:
    """A browser process, see `opened`."""

    def __init__(self, port: int) -> None:
        self._port = port

    def tab(self) -> Tab:
        """Another tab, empty."""
        with urlopen(Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")) as answer:
            return Tab(json.load(answer)["webSocketDebuggerUrl"])


@contextmanager
def opened(folder: Path, *options: str) -> Iterator[Browser]:
    """A browser that keeps its profile in a folder."""
    profile = folder / "profile"
    command = [str(CHROMIUM), *OPTIONS, f"--user-data-dir={profile}", *options, "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told, end = profile / "DevToolsActivePort", time.monotonic() + PATIENCE
        while not told.is_file() or not told.read_text().strip():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("Chromium does not start")
            time.sleep(0.05)
        yield Browser(int(told.read_text().split()[0]))
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
