"""A browser in which a test presses keys, spoken to over a pipe by the DevTools protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, "")}
AS_3_AND_4 = """import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execvp(sys.argv[3], sys.argv[3:])"""
"""A program that becomes the browser, which reads commands from descriptor 3 and answers on 4."""
PATIENCE = 60.0
"""Seconds that a page may take on a busy machine."""


class Browser:
    """One page of a browser without a window; a context manager. `folder` is for what the browser writes."""

    def __init__(self, program: str, folder: Path) -> None:
        commands, to_browser = os.pipe()
        from_browser, answers = os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}"]
        options.append("--remote-debugging-pipe")
        self._process = subprocess.Popen(
            [sys.executable, "-c", AS_3_AND_4, str(commands), str(answers), program, *options],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._to, self._from = os.fdopen(to_browser, "wb", 0), os.fdopen(from_browser, "rb")
        self._count, self._session = 0, ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._to.close()
        self._from.close()

    def open(self, address: str) -> None:
        """Go to an address."""
        self._ask("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page."""
        result = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key, one of `KEYS`, and let it go."""
        code, text = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **typed)

    def _ask(self, method: str, **params: object) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        self._to.write(json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0")
        while True:
            answer = bytearray()
            while (byte := self._from.read(1)) != b"\0":
                assert byte, "the browser is gone"
                answer += byte
            told: dict[str, Any] = json.loads(answer)
            if told.get("id") == self._count:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
