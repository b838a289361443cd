"""What edits pictures without a target finds what an audit finds."""

from __future__ import annotations

import pytest
import torch

from zoom_engine import Diagnoser
from zoom_engine.commands.editing import Editing


@pytest.mark.slow
def test_directions_and_ranges_of_edits_are_those_of_an_audit() -> None:
    """With another text encoder's precision they were others, and the pictures that audits measure were made anew."""
    attributes = ["a smiling face"]
    audit = Diagnoser(generator="avatars", target="avatars:mustache", attributes=attributes)
    editing, directions = Editing.of("avatars", attributes), audit.edit_directions()
    assert torch.equal(editing.directions.matrix, directions.matrix)
    assert torch.equal(editing.calibrated.bounds, audit.calibrated_range(directions).bounds)
