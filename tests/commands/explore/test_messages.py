"""What the page may say, and what it is told."""

from __future__ import annotations

import json

import pytest

from zoom_engine.commands.explore.messages import LONGEST, Keep, Show, Stop, frame, read, unpacked
from zoom_engine.common.errors import ConfigError

LIMITS = {"attributes": 2, "targets": 1, "photographs": 1, "bound": 30.0}
IMAGE = {"seed": 3}
SHOW = {"kind": "show", "image": IMAGE, "weights": [0, -2.5], "sequence": 7}
CURVE = {**SHOW, "kind": "curve", "attribute": 0, "low": -1, "high": 1}


def test_a_request_is_read() -> None:
    message = read(json.dumps(SHOW), **LIMITS)
    assert isinstance(message, Show)
    assert (message.image.seed, message.weights, message.sequence, message.original) == (3, (0.0, -2.5), 7, False)
    assert isinstance(read('{"kind": "stop"}', **LIMITS), Stop)
    assert isinstance(read(json.dumps({**SHOW, "kind": "keep", "image": {"photograph": 0}}), **LIMITS), Keep)


HOSTILE = {
    "no JSON": ("weights", "is none"),
    "not UTF-8": (b"\xff\xfe", "is none"),
    "a list": ("[]", "is none"),
    "deep": ("[" * 50_000, "is none"),
    "an unknown kind": ('{"kind": "delete"}', "is none"),
    "an unknown field": (json.dumps({**SHOW, "file": "/etc/passwd"}), "file"),
    "too long": ('"' + "x" * LONGEST + '"', "too long"),
    "NaN": (json.dumps({**SHOW, "weights": [float("nan"), 0]}), "is none"),
    "infinity": (json.dumps(SHOW).replace("-2.5", "1e999"), "is none|±30"),
    "huge": (json.dumps({**SHOW, "weights": [0, 1e9]}), "±30"),
    "text for a weight": (json.dumps({**SHOW, "weights": ["1", 0]}), "is none"),
    "a weight too many": (json.dumps({**SHOW, "weights": [0, 0, 0]}), "2 weights"),
    "a seed below 0": (json.dumps({**SHOW, "image": {"seed": -1}}), "is none"),
    "a seed too large": (json.dumps({**SHOW, "image": {"seed": 2**32}}), "is none"),
    "seed and photograph": (json.dumps({**SHOW, "image": {"seed": 1, "photograph": 0}}), "one of both"),
    "no image": (json.dumps({**SHOW, "image": {}}), "one of both"),
    "an unknown photograph": (json.dumps({**SHOW, "image": {"photograph": 1}}), "no photograph 1"),
    "an unknown target": (json.dumps({**SHOW, "target": 1}), "no target 1"),
    "a file's name": (json.dumps({**SHOW, "image": {"photograph": "../me.png"}}), "is none"),
    "many thumbnails": (json.dumps({"kind": "thumbnails", "images": [IMAGE] * 1000}), "is none"),
    "an unknown attribute": (
        json.dumps({**SHOW, "kind": "curve", "attribute": 2, "low": -1, "high": 1}),
        "attribute 2",
    ),
    "a curve backwards": (json.dumps({**CURVE, "low": 1, "high": -1}), "leads from"),
    "a curve too far": (json.dumps({**CURVE, "low": -99}), "±30"),
}


@pytest.mark.parametrize(("text", "says"), list(HOSTILE.values()), ids=list(HOSTILE))
def test_anything_else_is_one_line(text: str | bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        read(text, **LIMITS)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_a_frame_holds_its_header_and_pictures() -> None:
    content = frame("show", {"sequence": 1, "caption": "é"}, [b"first", b"second"])
    size = int.from_bytes(content[:4], "big")
    assert json.loads(content[4 : 4 + size]) == {"kind": "show", "sequence": 1, "caption": "é", "parts": [5, 6]}
    assert content[4 + size :] == b"firstsecond"
    assert unpacked(content)[1] == [b"first", b"second"]


def test_a_number_that_is_none_goes_into_no_frame() -> None:
    with pytest.raises(ValueError, match="JSON"):
        frame("show", {"response": float("nan")})
