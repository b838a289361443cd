"""The page as a notebook's widget, with this process in place of the kernel."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Tab, opened

from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.widget import widget_of

MODEL = """
const traits = %s;
globalThis.asked = [];
globalThis.model = {
  get: name => traits[name],
  send: message => asked.push(message),
  on: (name, receive) => { globalThis.receive = receive; },
  off: () => {},
};
const box = document.body.appendChild(document.createElement("div"));
const url = URL.createObjectURL(new Blob([traits._esm], {type: "text/javascript"}));
import(url).then(module => { module.default.render({model, el: box}); globalThis.root = box.shadowRoot; });
"""
TAKE = """(parts => receive(parts.header, parts.pictures.map(
  text => new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer))))"""


class Kernel:
    """A widget, and what it sent."""

    def __init__(self, explorer: Explorer) -> None:
        anywidget = pytest.importorskip("anywidget")
        self.widget = widget_of(explorer, anywidget.AnyWidget)
        self._sent, self._some = list[tuple[dict[str, Any], list[bytes]]](), threading.Event()
        self.widget.send = self._send

    def _send(self, header: dict[str, Any], pictures: list[bytes]) -> None:
        self._sent.append((header, pictures))
        self._some.set()

    def ask(self, content: Any) -> None:
        self.widget._handle_custom_msg(content, [])

    def take(self) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
        """What was sent, as long as something comes within a second."""
        while self._some.wait(1):
            self._some.clear()
            while self._sent:
                yield self._sent.pop(0)


def test_a_message_is_answered_and_one_that_is_none_is_a_line(explorer: Explorer) -> None:
    kernel = Kernel(explorer)
    kernel.ask({"kind": "hello"})
    kernel.ask({"kind": "show", "image": {"seed": 1}, "weights": [1, 0, 0], "sequence": 3, "original": True})
    kernel.ask({"kind": "show", "image": {"seed": 1}, "weights": [1e9, 0, 0]})
    answers = {header["kind"]: (header, pictures) for header, pictures in kernel.take()}
    assert set(answers) == {"about", "show", "scores", "error"}
    header, pictures = answers["show"]
    assert header["sequence"] == 3
    assert [len(picture) for picture in pictures] == header["parts"]
    assert "±30" in answers["error"][0]["text"]


def test_a_widget_that_is_closed_lets_go_of_the_models(explorer: Explorer) -> None:
    """Its thread went on, and held them as long as the notebook ran."""
    before = {*threading.enumerate()}
    widget = Kernel(explorer).widget
    (thread,) = {*threading.enumerate()} - before
    assert thread.name == "explorer"
    widget.close()
    assert not thread.is_alive()


def pass_on(kernel: Kernel, tab: Tab) -> None:
    """Carry messages both ways, until there are none."""
    while asked := tab.value("asked.splice(0)"):
        for content in asked:
            kernel.ask(content)
        for header, pictures in kernel.take():
            texts = [base64.b64encode(picture).decode() for picture in pictures]
            tab.value(f"{TAKE}({json.dumps({'header': header, 'pictures': texts})})")


@pytest.mark.ci
@pytest.mark.slow(10)
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_widget_shows_what_the_page_shows(explorer: Explorer, tmp_path: Path) -> None:
    kernel = Kernel(explorer)
    traits = {name: getattr(kernel.widget, name) for name in ("_esm", "page_markup", "page_style")}
    with opened(tmp_path) as browser:
        tab = browser.tab()
        tab.value(MODEL % json.dumps(traits))
        tab.wait("!!globalThis.root && asked.length > 0")
        pass_on(kernel, tab)
        assert tab.value("root.querySelector('#work').hidden") is False
        assert tab.value("root.querySelectorAll('.sliders li').length") == 3
        tab.value("root.querySelector('#slider-0').focus()")
        tab.press("PageUp")
        pass_on(kernel, tab)
        tab.wait("root.querySelector('#after').getAttribute('aria-label').includes('smiling +1.8')")
        assert tab.value("getComputedStyle(root.querySelector('.explore')).backgroundColor") != "rgba(0, 0, 0, 0)"
        assert tab.complaints == []
        tab.close()
