"""What a notebook shows of an audit: the first screen of its report, in memory too."""

from __future__ import annotations

import html
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import simulated

import zoom_engine
from zoom_engine.report.source import Source
from zoom_engine.statistics.diagnosis import Diagnosis


def words(diagnosis: Diagnosis) -> str:
    return " ".join(html.unescape(diagnosis._repr_html_()).split())


@pytest.mark.parametrize("saved", [False, True])
def test_it_is_headline_certainty_next_and_table(saved: bool, tmp_path: Path) -> None:
    diagnosis = simulated(images=60, baseline=0.02, path=tmp_path / "audit" if saved else None)
    source, shown = Source(diagnosis.path, diagnosis), words(diagnosis)
    assert source.finished
    first = source.first_screen
    order = [shown.index(text) for text in (first.headline, first.certainty, first.next, "<table>")]
    assert order == sorted(order)


def test_an_audit_in_memory_that_lacks_records_says_so() -> None:
    assert not Source(None, simulated(images=3, done=10)).finished
    assert "2 measurements are missing" in words(simulated(images=3, done=10))


def test_names_are_escaped() -> None:
    shown = simulated(images=30, attributes=("a <i>hat</i>", "b", "c", "d<script>"), target="<b>x</b>")._repr_html_()
    assert "d&lt;script&gt;" in shown
    assert not any(tag in shown for tag in ("<i>", "<script", "<b>x"))


def test_the_public_name_is_the_class_that_shows_itself() -> None:
    assert zoom_engine.Diagnosis is Diagnosis
    assert zoom_engine.Diagnosis.html_view is not None


@pytest.mark.ci
def test_whoever_reads_figures_alone_waits_for_no_network_library(tmp_path: Path) -> None:
    simulated(images=5, path=tmp_path / "audit")
    script = (
        "import sys; from zoom_engine import Diagnosis\n"
        f"diagnosis = Diagnosis.load({str(tmp_path / 'audit')!r}); diagnosis.table()\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'Next:' in diagnosis._repr_html_()"
    )
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=300)


def test_the_leading_picture_is_inlined_and_a_missing_one_is_left_out(make_audit: Callable[..., Path]) -> None:
    audit = make_audit("audit")
    shown = Diagnosis.load(audit)._repr_html_()
    assert shown.count('<img src="data:image/webp;base64,') == 2
    assert len(shown) < 100_000
    for picture in (audit / "images").iterdir():
        picture.write_bytes(b"none")
    assert "<img" not in (without := Diagnosis.load(audit)._repr_html_())
    assert "<table>" in without


def test_an_audit_of_a_task_that_is_not_installed_is_its_table() -> None:
    shown = simulated(images=3, target_details={"task": {"task": "nobody"}})._repr_html_()
    assert shown.startswith("<table>")
    assert "a smiling face" in shown
