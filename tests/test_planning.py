"""A plan divides what is shared, and says what it does not know. What it counts is held to an audit in
`test_diagnoser.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoom_engine.cli import main
from zoom_engine.planning import Count, Plan

ATTRIBUTES = ["a face with pale skin", "a smiling face"]


def test_what_is_shared_is_divided_and_what_is_not_is_told() -> None:
    made = Plan(
        target="a model",
        images=10_000,
        attributes=20,
        null=6,
        search="scan",
        records=260_000,
        once={"unedited images": Count(3600, 7200)},
        every_image={"search": Count(36_000, 72_000)},
        step=1.0,
        rate=1.0,
        rate_from="as given",
        record_bytes=Count(4e8, 9e8),
        memory=Count(2e9, 2e9),
        unknown=("how many searches flip",),
    )
    assert made.hours(1) == Count(11, 22)
    assert made.hours(10) == Count(2, 4)
    text = made.text(10)
    assert "with 10 such workers" in text
    assert "2 to 4 h" in text
    assert "0.4 to 0.9 GB" in text
    assert "- how many searches flip" in text
    assert "workers" not in made.text(1)


@pytest.mark.slow
def test_the_command_takes_the_options_of_an_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(f'generator = "avatars"\ntarget = "avatars:mustache"\nattributes = {json.dumps(ATTRIBUTES)}\n')
    arguments = ["plan", "--config", str(config), "--images", "10000", "--workers", "4", "--quiet", "--rate"]
    assert main([*arguments, "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["records"], found["rate_from"]) == (10_000, 32_500, "as given")
    assert found["hours"]["4"]["most"] < found["hours"]["1"]["most"] < 4.1 * found["hours"]["4"]["most"]
    assert main([*arguments, "0"]) == 1
    assert "rate must be greater than 0" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/manifest.json"))
