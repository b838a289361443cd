"""Editors behind HTTP: how they are asked, what is asked again, and which answers end in one line."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_edits import edited, in_format, lighter, lighter_png, question
from service_stand import Raw, Stand, in_turn, pixels_of, stand

from zoom_engine.common.errors import ConfigError, EditorError
from zoom_engine.edits.contract import check_editor
from zoom_engine.edits.editor import Editor, Picture
from zoom_engine.edits.loading import load_editor

PICTURES = [np.random.default_rng(index).integers(40, 200, (16 + index, 20, 3), dtype=np.uint8) for index in range(4)]
SEEDS = [7, 8, 9, 2**47]


def as_json(headers: dict[str, str], body: bytes) -> Any:
    return {"images": [base64.b64encode(in_format(lighter(*question(body)))).decode()]}


def as_data_url(headers: dict[str, str], body: bytes) -> Any:
    webp = base64.b64encode(in_format(lighter(*question(body)), "WEBP", lossless=True)).decode()
    return {"time": 3, "output": {"picture": f"data:image/webp;base64,{webp}"}}


def in_lines(headers: dict[str, str], body: bytes) -> Any:
    return {"image": base64.encodebytes(in_format(lighter(*question(body)))).decode()}


def loaded(service: Stand, **options: Any) -> Editor:
    return load_editor(service.url, options={"strengths": [-20, 20], "cache": False, "timeout": 5.0, **options})


def pictures(editor: Editor, strength: float = 20.0) -> list[Picture]:
    return edited(editor, PICTURES, "light", strength, SEEDS)


WANTED = [lighter(picture, 20.0, seed) for picture, seed in zip(PICTURES, SEEDS, strict=True)]


def assert_wanted(results: list[Picture]) -> None:
    for result, wanted in zip(results, WANTED, strict=True):
        assert np.array_equal(result, wanted)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (lighter_png, {}),
        (as_json, {}),
        (in_lines, {"answer": "image"}),
        (as_data_url, {"answer": "output.picture"}),
    ],
)
def test_a_picture_goes_with_attribute_strength_and_seed_and_a_picture_comes_back(
    answer: Any, options: dict[str, Any]
) -> None:
    with stand(answer) as service:
        editor = loaded(service, unit="levels", **options)
        assert_wanted(pictures(editor))
        assert {(json.loads(body)["attribute"], json.loads(body)["strength"]) for body in service.bodies} == {
            ("light", 20.0)
        }
        assert sorted(json.loads(body)["seed"] for body in service.bodies) == SEEDS
        assert (editor.name, editor.attributes) == (f"127.0.0.1:{service.port}/predict", ())
        assert (editor.strengths("light"), editor.unit("light")) == ((-20.0, 20.0), "levels")


def test_it_holds_the_contract_of_editors() -> None:
    with stand(lighter_png) as service:
        check_editor(loaded(service))


def test_a_request_of_ones_own_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "request.json"
    form: dict[str, Any] = {
        "prompt": "more {attribute}",
        "scale": "{strength}",
        "seed": "{seed}",
        "of": ["data:image/png;base64,{png}"],
    }
    template.write_text(json.dumps(form))
    monkeypatch.setenv("EDITOR_KEY", "secret")

    def answer(headers: dict[str, str], body: bytes) -> Any:
        asked = json.loads(body)
        assert headers["x-key"] == "secret"
        assert asked["prompt"] == "more {png}"
        picture = pixels_of(base64.b64decode(asked["of"][0].removeprefix("data:image/png;base64,")))
        return 200, in_format(lighter(picture, asked["scale"], asked["seed"]))

    with stand(answer) as service:
        editor = loaded(service, template=str(template), headers={"X-Key": "$EDITOR_KEY"})
        assert_wanted(edited(editor, PICTURES, "{png}", 20.0, SEEDS))
        assert "secret" not in json.dumps(editor.describe())


def test_a_service_that_fails_now_and_then_gives_the_pictures_of_one_that_does_not() -> None:
    failures = [(503, b""), None, (200, b"<html>"), (200, in_format(PICTURES[0])[:50]), (500, b"oops")]
    with stand(in_turn(failures, lighter_png), hang=0.6) as service:
        assert_wanted(pictures(loaded(service, timeout=0.3, at_once=1)))
        assert service.received["answered"] + service.received["failed"] > len(PICTURES)


def test_a_picture_is_asked_for_once() -> None:
    with stand(lighter_png) as service:
        assert_wanted(pictures(loaded(service, cache=True)))
        assert len(service.bodies) == 4
        assert_wanted(pictures(loaded(service, cache=True)))
        assert len(service.bodies) == 4
        pictures(loaded(service, cache=True), -20.0)
        assert len(service.bodies) == 8
        edited(loaded(service, cache=True), PICTURES[:1], "hat", 20.0, SEEDS[:1])
        edited(loaded(service, cache=True), PICTURES[:1], "light", 20.0, [1])
        assert len(service.bodies) == 10
        assert_wanted(pictures(loaded(service, cache=True, version="2")))
        assert len(service.bodies) == 14


def lighter_by_query(headers: dict[str, str], body: bytes) -> Any:
    return 200, in_format(question(body)[0] + np.uint8(headers[":path"].rpartition("=")[2]))


def test_addresses_that_differ_in_the_query_or_the_scheme_are_different_editors() -> None:
    def editor(url: str) -> Editor:
        return load_editor(url, options={"strengths": [1]})

    with stand(lighter_by_query) as service:
        for more in (10, 50):
            (picture,) = edited(editor(f"{service.url}?model={more}"), PICTURES[:1], "light", 1.0, [7])
            assert np.array_equal(picture, PICTURES[0] + more)
    urls = [f"{scheme}://127.0.0.1:1/edit{query}" for scheme in ("http", "https") for query in ("", "?key=secret")]
    told = [json.dumps(editor(url).describe()) for url in urls]
    assert len(set(told)) == 4
    assert "secret" not in "".join(told)


def bomb() -> bytes:
    """A PNG of 400 million pixels in few bytes."""
    head = bytearray(in_format(PICTURES[0]))
    head[16:24] = (20_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    return bytes(head)


HOSTILE: dict[str, tuple[Any, str]] = {
    "another size": ((200, in_format(PICTURES[3])), "its answer has 20 × 19 pixels, not 20 × 16"),
    "a large picture": ((200, in_format(np.zeros((4000, 4000, 3), np.uint8))), "4000 × 4000 pixels, not 20 × 16"),
    "a bomb": ((200, bomb()), "claims"),
    "no picture": ((200, b"<html>"), "neither a picture nor JSON"),
    "half a picture": ((200, in_format(PICTURES[0])[:60]), "is damaged"),
    "another format": ((200, in_format(PICTURES[0], "GIF")), "neither a picture nor JSON"),
    "another format in base64": (base64.b64encode(in_format(PICTURES[0], "GIF")).decode(), "is no JPEG, PNG or WebP"),
    "no base64": ({"image": "picture!"}, "no base64"),
    "a number": ({"image": 3}, "holds no text with a picture"),
    "two pictures": ({"images": ["a", "b"]}, "holds no text with a picture"),
    "deep JSON": ((200, b"[" * 200_000 + b"]" * 200_000), "neither a picture nor JSON"),
    "without end": (Raw([b"HTTP/1.1 200 OK\r\n\r\n", *[b"0" * 65536] * 2000]), "more than 64 MB"),
    "a refusal": ((401, b"no key"), "refuses with status 401"),
    "a redirect": ((302, b""), "refuses with status 302"),
}


@pytest.mark.parametrize(("answer", "message"), list(HOSTILE.values()), ids=list(HOSTILE))
def test_a_hostile_answer_ends_in_one_line(answer: Any, message: str) -> None:
    with stand(lambda headers, body: answer) as service, pytest.raises(EditorError, match=message) as refusal:
        edited(loaded(service, at_once=1), PICTURES[:1], "light", 20.0, SEEDS[:1])
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_what_was_answered_before_a_service_is_gone_is_not_lost() -> None:
    asked = Counter[int]()
    lock = threading.Lock()

    def twice(headers: dict[str, str], body: bytes) -> Any:
        seed = question(body)[2]
        with lock:
            asked[seed] += 1
            return lighter_png(headers, body) if len(asked) <= 2 or seed in list(asked)[:2] else (404, b"gone")

    with stand(twice) as service:
        with pytest.raises(EditorError, match="refuses with status 404"):
            pictures(loaded(service, cache=True, at_once=1))
        service.answer, before = lighter_png, len(service.bodies)
        assert_wanted(pictures(loaded(service, cache=True, at_once=1)))
        assert len(service.bodies) == before + 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strengths": [0]}, "none of them 0"),
        ({"form": "png"}, "form=json"),
        ({"timeouts": 3}, "did you mean 'timeout'"),
        ({"version": [1]}, "'version' must be a text"),
        ({"headers": {"Content-Length": "3"}}, "follows from the request"),
    ],
)
def test_options_that_are_none_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_editor("http://127.0.0.1:1/edit", options={"strengths": [1], **options})


def test_an_address_or_a_template_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EditorError, match="no address of a service"):
        load_editor("http://", options={"strengths": [1]})
    with pytest.raises(EditorError, match="cannot read"):
        load_editor("http://127.0.0.1:1", options={"strengths": [1], "template": str(tmp_path / "none.json")})
