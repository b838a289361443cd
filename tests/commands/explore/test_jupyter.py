"""The widget in a real JupyterLab, where there is one: a notebook's cell, a kernel, a browser and its mouse."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import CHROMIUM, PATIENCE, Tab, opened

pytestmark = [pytest.mark.ci, pytest.mark.slow(60), pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]

CELL = """
import zoom_engine
zoom_engine.explore(
    generator="avatars", target="avatars:mustache", attributes=["a smiling face", "a face with eyeglasses"], samples=64
)
"""
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": "1", "execution_count": None, "metadata": {}, "outputs": [], "source": CELL.strip()}
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
ROOT = "[...document.querySelectorAll('.jp-OutputArea-output *')].find(one => one.shadowRoot)?.shadowRoot"
KERNEL = """[...jupyterapp.serviceManager.sessions.running()].length > 0
  && document.querySelector(".jp-Notebook-ExecutionIndicator")?.dataset.status === "idle\""""
AFTER = "root.querySelector('#after')"
STARTS = 240.0  # seconds at most, as the kernel loads models and finds directions


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """JupyterLab of a folder, and its address with the token."""
    command = [sys.executable, "-P", "-m", "jupyterlab", "--no-browser", "--port=0", f"--ServerApp.root_dir={folder}"]
    command += ["--allow-root", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
    anywidget = pytest.importorskip("anywidget")
    paths = [str(Path(anywidget.__file__).parents[4] / "share/jupyter"), os.environ.get("JUPYTER_PATH", "")]
    environment = {**os.environ, "JUPYTER_PATH": os.pathsep.join(filter(None, paths))}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            if (match := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", line)) is not None:
                yield match[0]
                return
        pytest.fail("".join(told))
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
        process.stderr.close()


def drag(tab: Tab, slider: str) -> list[str]:
    """Move a slider from its middle to three quarters, and return what was said of the pictures that followed."""
    left, top, width = tab.value(
        f"""(slider => {{
          slider.scrollIntoView({{block: "center"}});
          const box = slider.getBoundingClientRect();
          return [box.left, box.top + box.height / 2, box.width];
        }})(root.querySelector('{slider}'))"""
    )
    labels = [str(tab.value(f"{AFTER}.getAttribute('aria-label')"))]
    tab.mouse("mousePressed", left + width / 2, top)
    for step in range(1, 11):
        tab.mouse("mouseMoved", left + width * (0.5 + 0.025 * step), top)
        tab.wait(f"{AFTER}.getAttribute('aria-label') !== {json.dumps(labels[-1])}")
        labels.append(str(tab.value(f"{AFTER}.getAttribute('aria-label')")))
    tab.mouse("mouseReleased", left + 0.75 * width, top)
    return labels


def test_a_notebook_shows_the_widget_and_its_picture_follows_the_mouse(tmp_path: Path) -> None:
    for package in ("jupyterlab", "ipykernel"):
        pytest.importorskip(package)
    (tmp_path / "try.ipynb").write_text(json.dumps(NOTEBOOK))
    with lab(tmp_path) as address, opened(tmp_path / "browser") as browser:
        tab = browser.tab()
        tab.resize(1400, 1000)
        tab.open(address.replace("/lab?", "/lab/tree/try.ipynb?"))
        tab.wait("!!document.querySelector('.jp-Notebook .jp-CodeCell') && !!globalThis.jupyterapp", STARTS)
        tab.wait(KERNEL, STARTS)
        tab.value("void jupyterapp.commands.execute('notebook:run-all-cells')")
        tab.wait(f"(globalThis.root = {ROOT})?.querySelector('#work')?.hidden === false", STARTS)
        tab.wait(f"{AFTER}.getAttribute('aria-label') !== null && !!root.querySelector('.says b')")
        before = tab.value(f"{AFTER}.toDataURL()")
        labels = drag(tab, "#slider-0")
        assert len(set(labels)) == len(labels), "a picture for each move"
        tab.wait(f"/smiling \\+/.test({AFTER}.getAttribute('aria-label'))")
        assert tab.value(f"{AFTER}.toDataURL()") != before
        tab.screenshot(tmp_path / "notebook.png")
        tab.close()
