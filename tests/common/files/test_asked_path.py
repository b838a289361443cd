"""What users give as a path and no system can look for is refused in one line, wherever specs are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zoom_engine.common.errors import CheckpointError, ConfigError, DirectionError, TargetError, TextEncoderError
from zoom_engine.directions.ready import read_directions
from zoom_engine.generators import load_generator
from zoom_engine.settings.audit_settings import AuditSettings, check_generator
from zoom_engine.targets import load_target
from zoom_engine.text import load_text_encoder

LONG = "n" * 300


def in_settings(directions: str) -> AuditSettings:
    return AuditSettings(generator="avatars", target="avatars:mustache", attributes=("a hat",), directions=directions)


@pytest.mark.parametrize(
    ("read", "refusal"),
    [
        (load_generator, CheckpointError),
        (check_generator, CheckpointError),
        (load_target, TargetError),
        (lambda name: load_target(f"torchvision:resnet18@{name}"), TargetError),
        (load_text_encoder, TextEncoderError),
        (read_directions, DirectionError),
        (in_settings, ConfigError),
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_refused(read: Callable[[str], object], refusal: type[Exception]) -> None:
    with pytest.raises(refusal, match=r"^'nn.* cannot be read: file name too long$") as caught:
        read(LONG)
    assert len(str(caught.value)) < 140
