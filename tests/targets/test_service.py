"""Targets behind HTTP: how they are asked, what is asked again, and what ends an audit in one line."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from children import in_child
from edited import write_pairs
from service_stand import Raw, Stand, in_turn, json_picture, pixels_of, redness, stand

from zoom_engine import Diagnoser
from zoom_engine.audit.service_file import load_tries
from zoom_engine.cli.options import read_target_options
from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.settings.model_settings import ServiceSettings
from zoom_engine.targets import BinaryTask, MultiClassTask, Preprocessing, Target, load_target
from zoom_engine.targets.loaders.answer_cache import AnswerCache
from zoom_engine.targets.loaders.service_client import ServiceClient

IMAGES = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
REDNESS = np.array([redness(row) for row in ((IMAGES + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()])


def red(headers: dict[str, str], body: bytes) -> Any:
    return {"score": redness(json_picture(body))}


def loaded(service: Stand, **options: Any) -> Target:
    return load_target(service.url, resolution=16, service={"cache": False, "timeout": 5.0, **options})


def probabilities(target: Target) -> np.ndarray:
    result: np.ndarray = target(IMAGES).sigmoid()[:, 0].numpy()
    return result


def test_pictures_go_as_png_and_the_answer_is_the_probability() -> None:
    with stand(red) as service:
        target = loaded(service)
        np.testing.assert_allclose(probabilities(target), REDNESS, atol=1e-5)
        assert target.task == BinaryTask(classes=("0", "1"), output="probability")
        assert target.name == f"127.0.0.1:{service.port}/predict"
        assert not target.differentiable
        assert "asked over HTTP" in target.note
        assert target.tries == {"answered": service.received["answered"]}


def test_an_object_of_numbers_names_the_classes() -> None:
    def three(headers: dict[str, str], body: bytes) -> Any:
        share = redness(pixels_of(body))
        return [{"dog": share, "ant": 0.5 - share / 2, "cat": 0.5 - share / 2}]

    with stand(three) as service:
        target = loaded(service, form="png")
        assert target.task == MultiClassTask(classes=("ant", "cat", "dog"), output="probabilities")
        np.testing.assert_allclose(target(IMAGES).softmax(1)[:, 2].numpy(), REDNESS, atol=1e-5)
        assert service.headers[0]["content-type"] == "image/png"
        renamed = load_target(service.url, classes=list("abc"), resolution=16, service={"form": "png", "cache": False})
        assert renamed.classes == ("a", "b", "c")
        mixed: Any
        for mixed in ({"classes": ["dog", "ant", "cat"]}, {"task": MultiClassTask(classes=("cat", "ant", "dog"))}):
            with pytest.raises(TargetError, match="read in the order ant, cat, dog: name the classes in this order"):
                load_target(service.url, resolution=16, service={"form": "png", "cache": False}, **mixed)


def test_a_form_carries_one_file() -> None:
    def answer(headers: dict[str, str], body: bytes) -> Any:
        form = BytesParser().parsebytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
        (part,) = list(form.walk())[1:]
        assert part.get_param("name", header="content-disposition") == "file"
        png = part.get_payload(decode=True)
        assert isinstance(png, bytes)
        return redness(pixels_of(png))

    with stand(answer) as service:
        np.testing.assert_allclose(probabilities(loaded(service, form="multipart", field="file")), REDNESS, atol=1e-5)


def test_a_tensor_goes_as_the_models_input() -> None:
    def answer(headers: dict[str, str], body: bytes) -> Any:
        (tensor,) = json.loads(body)["inputs"]
        assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("x", "FP32", [1, 3, 16, 16])
        mean = float(np.reshape(tensor["data"], tensor["shape"])[0, 0].mean())
        rest = {"name": "other", "shape": [1, 1], "datatype": "FP32", "data": [0.0]}
        return {"outputs": [rest, {"name": "p", "shape": [1, 2], "datatype": "FP32", "data": [1 - mean, mean]}]}

    with stand(answer) as service:
        target = loaded(service, form="kserve", field="x", answer="p")
        exact = ((IMAGES[:, 0] + 1) / 2).mean((1, 2)).numpy()  # a tensor of floats is not rounded to bytes
        np.testing.assert_allclose(probabilities(target), exact, atol=1e-5)
        with pytest.raises(TargetError, match="name one with answer="):
            loaded(service, form="kserve", field="x")


def test_bytes_go_out_as_0_to_255_or_not_at_all() -> None:
    sizes: set[tuple[int, ...]] = set()

    def largest(headers: dict[str, str], body: bytes) -> Any:
        (tensor,) = json.loads(body)["inputs"]
        assert (tensor["datatype"], max(tensor["data"]) > 200) == ("UINT8", True)
        share = float(np.mean(tensor["data"]) / 255)
        return {"outputs": [{"name": "p", "shape": [1, 1], "datatype": "FP32", "data": [share]}]}

    def sized(headers: dict[str, str], body: bytes) -> Any:
        sizes.add(json_picture(body).shape)
        return red(headers, body)

    with stand(largest) as service:
        assert not loaded(service, form="kserve", datatype="UINT8").assumed
    options: Any
    with stand(sized) as service:
        for options in ({"value_range": (0, 1)}, {"mean": [0.5], "std": [0.5]}, Preprocessing(size=20)):
            with pytest.raises(TargetError, match=r"is sent pictures of bytes from 0 to 255, and not RGB") as caught:
                load_target(service.url, preprocessing=options, service={"cache": False})
            assert "\n" not in str(caught.value)
        assert not service.bodies
        load_target(service.url, preprocessing=Preprocessing(size=20, value_range=(0, 255)), service={"cache": False})
        assert sizes == {(20, 20, 3)}, "a PNG has no order of axes"


def test_a_request_of_ones_own_form(tmp_path: Path) -> None:
    template = tmp_path / "request.json"
    template.write_text('{"model": "red", "inputs": [{"content": {"data": "data:image/png;base64,{png}"}}]}')

    def answer(headers: dict[str, str], body: bytes) -> Any:
        assert headers["x-key"] == "secret"
        text = json.loads(body)["inputs"][0]["content"]["data"].removeprefix("data:image/png;base64,")
        return {"time": 3, "predictions": [{"scores": [redness(json_picture(json.dumps({"image": text}).encode()))]}]}

    with stand(answer) as service, pytest.MonkeyPatch.context() as patch:
        options = {"template": str(template), "answer": "predictions.0.scores", "headers": {"X-Key": "$RED_KEY"}}
        with pytest.raises(TargetError, match="environment variable RED_KEY"):
            loaded(service, **options)
        patch.setenv("RED_KEY", "secret")
        np.testing.assert_allclose(probabilities(loaded(service, **options)), REDNESS, atol=1e-5)
        with pytest.raises(TargetError, match=r"nothing at 'predictions\.1'"):
            loaded(service, **{**options, "answer": "predictions.1"})
        elsewhere, other = tmp_path / "moved.json", tmp_path / "other.json"
        elsewhere.write_text(template.read_text())
        other.write_text(template.read_text().replace("red", "redder"))
        first, moved, another = (
            loaded(service, **{**options, "template": str(file)}).content_hash for file in (template, elsewhere, other)
        )
        assert first == moved != another, "what is sent counts, and not where its file lies"


def test_a_password_of_the_address_is_sent_and_not_told() -> None:
    with stand(red) as service:
        address, headers = service.url.replace("://", "://me:p%40ss@"), {"X-Key": "p%40ssword"}
        target = load_target(address, resolution=16, service={"cache": False, "headers": headers})
        assert service.headers[0]["x-key"] == "p%40ssword"
        assert service.headers[0]["authorization"] == "Basic bWU6cEBzcw=="
        assert "ss" not in target.name
        assert "p%40ss" not in json.dumps(target.describe())


def test_failures_are_asked_again_and_counted_apart() -> None:
    bad = [(503, b""), None, (200, b"<html>"), red, (200, b'{"score": NaN}'), {"score": [1, 2]}, (500, b"oops")]
    with stand(red, hang=0.6) as service:
        target = loaded(service, timeout=0.3, at_once=1)
        service.answer = in_turn(bad, red)
        np.testing.assert_allclose(probabilities(target), REDNESS, atol=1e-5)
        lost = {"another shape": 1, "failed": 2, "late": 1, "not finite": 1, "unreadable": 1}
        assert target.tries.items() >= lost.items()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(404, b"no such model")], "refuses with status 404 .no such model"),
        ([(401, b"")], "refuses with status 401"),
        ([(302, b"")], "refuses with status 302"),
        ([{"score": "high"}] * 9, "holds no numbers"),
        ([{"score": float("inf")}] * 9, "is not finite"),
        ([(200, b"[" * 100_000)] * 9, "is no JSON"),
    ],
)
def test_what_asking_again_cannot_mend_ends_at_once(answers: list[Any], reason: str) -> None:
    with stand(in_turn(answers, red)) as service:
        before = time.monotonic()
        with pytest.raises(TargetError, match=reason) as caught:
            loaded(service, at_once=1)
        assert time.monotonic() - before < 5
        assert "\n" not in str(caught.value)


def test_a_service_that_is_gone_ends_in_one_line_after_the_patience() -> None:
    with stand(red) as service:
        target = loaded(service, patience=0.5)
        service.stop()
        line = r"has not answered for 0\.5 s .* failed\).*the same command continues from here"
        with pytest.raises(TargetError, match=line):
            target(IMAGES)
        assert "late" not in target.tries
        service.start()
        np.testing.assert_allclose(probabilities(target), REDNESS, atol=1e-5)


def test_requests_come_no_faster_than_the_rate() -> None:
    with stand(red) as service:
        target = loaded(service, rate=20.0)
        before = time.monotonic()
        target(IMAGES)
        assert time.monotonic() - before >= 4 / 20


def test_answers_that_were_given_are_not_asked_for_again() -> None:
    with stand(red) as service:
        first = load_target(service.url, resolution=16)
        first(IMAGES)
        asked = len(service.bodies)
        again = load_target(service.url, resolution=16)
        loading = len(service.bodies) - asked
        np.testing.assert_allclose(probabilities(again), REDNESS, atol=1e-5)
        assert len(service.bodies) == asked + loading
        assert again.content_hash == first.content_hash
        service.answer = lambda headers, body: {"score": 1 - redness(json_picture(body))}  # another model
        other = load_target(service.url, resolution=16)
        np.testing.assert_allclose(probabilities(other), 1 - REDNESS, atol=1e-5)
        assert other.content_hash != first.content_hash


def test_answers_of_a_detector_that_finds_nothing_in_noise_are_not_those_of_the_next_one() -> None:
    def detector(score: float) -> Any:
        def answer(headers: dict[str, str], body: bytes) -> list[list[float]]:
            flat = json_picture(body).std() < 1
            return [[0.1, 0.1, 0.9, 0.9, score, 0.0] if flat else [0.0] * 6]

        return answer

    with stand(detector(0.9)) as service:
        for score in (0.9, 0.6):
            service.answer = detector(score)
            target = load_target(service.url, resolution=16, task="detection")
            assert target(torch.zeros(1, 3, 16, 16))[0, 0, 4].item() == pytest.approx(score)
            assert "answers test pictures alike" in target.note


def test_addresses_that_differ_in_the_query_are_different_targets() -> None:
    """Though they answer the fixed pictures alike."""
    with stand(red) as service:
        urls = [service.url + query for query in ("", "?model=1", "?model=2")]
        targets = [load_target(url, resolution=16, service={"timeout": 5.0}) for url in urls]
        for target in targets:
            probabilities(target)
        assert len({target.content_hash for target in targets}) == 3
        assert service.received["answered"] == sum(target.tries["answered"] for target in targets)
        assert len({target.tries["answered"] for target in targets}) == 1


def test_answers_that_differ_are_told() -> None:
    noise = np.random.default_rng(0)
    with stand(
        lambda headers, body: float(np.clip(red(headers, body)["score"] + noise.normal(0, 0.01), 0, 1))
    ) as service:
        target = loaded(service)
        assert "asked twice about a picture it gives different answers" in target.note
        assert probabilities(target) == pytest.approx(REDNESS, abs=0.1)


def dripping(what: bytes, pause: float = 0.05) -> Raw:
    return Raw((what[i : i + 1] for i in range(len(what))), pause)


HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "a status line": b"HTTP/1.1 200 OK" + b"!" * 900,
    "headers": HEAD + b"X: " + b"x" * 900,
    "a body": HEAD + b"Content-Length: 900\r\n\r\n" + b"0" * 900,
    "a body without end": HEAD + b"\r\n" + b"0" * 900,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n0\r\n" * 200,
    "100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
}


@pytest.mark.parametrize("drip", list(DRIPS.values()), ids=list(DRIPS))
def test_an_answer_that_drips_is_late_however_long_it_goes_on(drip: bytes) -> None:
    """A byte every 50 ms: no pause is ever long, and the whole takes three quarters of a minute."""
    with stand(lambda headers, body: dripping(drip)) as service:
        before = time.monotonic()
        with pytest.raises(TargetError, match=r"has not answered for 0\.6 s \(last: no answer in 0\.3 s; .*late\)"):
            loaded(service, timeout=0.3, patience=0.6, at_once=1)
        assert time.monotonic() - before < 10


@pytest.fixture
def as_at_a_terminal() -> Iterator[None]:
    """A test run in the background of a shell ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.forks  # a signal too many would end the tests
@pytest.mark.usefixtures("as_at_a_terminal")
def test_ctrl_c_ends_what_is_asked_at_once() -> None:
    """Also where bytes come, and no deadline is near."""
    with stand(red) as service:
        target = loaded(service, timeout=600.0)
        service.answer = lambda headers, body: dripping(DRIPS["a body"])
        asked, others = len(service.bodies), set(threading.enumerate())

        def interrupt() -> None:
            while len(service.bodies) == asked:
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        before = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            target(IMAGES)
        assert time.monotonic() - before < 20
        for thread in {*threading.enumerate()} - others:
            if "ThreadPool" in thread.name:  # a signal amid its start: its pool does not know of it, and waits not
                end = time.monotonic() + 5.0
                while (thread.ident is None or thread.is_alive()) and time.monotonic() < end:  # `join` wants it started
                    time.sleep(0.01)
                assert not thread.is_alive()
        service.answer = red
        np.testing.assert_allclose(probabilities(target), REDNESS, atol=1e-5)


HOSTILE_ANSWERS: dict[str, tuple[Any, str]] = {
    "a gzip bomb": (
        Raw([HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50 << 20), 1)]),
        r"its answer is compressed \(gzip\)",
    ),
    "a body without end": (Raw([HEAD + b"\r\n", *[b"0" * 65536] * 2000]), "more than 64 MB"),
    "a length that is not kept": (Raw([HEAD + b"Content-Length: 99\r\n\r\n[0.5]"]), "has not answered"),
    "headers without end": (Raw([HEAD + b"X: y\r\n" * 300 + b"\r\n"]), "has not answered"),
    "a header without end": (Raw([HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n"]), "has not answered"),
    "another protocol": (Raw([b"SSH-2.0-OpenSSH\r\n"]), "has not answered"),
    "a redirect to itself": (Raw([b"HTTP/1.1 307 T\r\nLocation: /predict\r\nContent-Length: 0\r\n\r\n"]), "status 307"),
    "a redirect elsewhere": (
        Raw([b"HTTP/1.1 301 M\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"]),
        "status 301",
    ),
    "a wait of years": (Raw([b"HTTP/1.1 503 S\r\nRetry-After: " + b"9" * 400 + b"\r\n\r\n"]), "has not answered"),
    "deep JSON": ((200, b"[" * 200_000 + b"]" * 200_000), "is no JSON"),
    "JSON of millions of lists": ((200, b"[" + b"[]," * 3_000_000 + b"0]"), "is no JSON .it has more than 2,000,000"),
    "a number of many digits": ((200, b"1" * 100_000), "is no JSON"),
    "a number beyond floats": ((200, b"1e999"), "not finite"),
    "no UTF-8": ((200, b'"\xff\xfe"'), "is no JSON"),
    "rows of several lengths": ((200, b"[[1, 2], [3]]"), "holds no numbers"),
    "nothing": ((200, b""), "is no JSON"),
    "an empty list": ((200, b"[]"), "returns no number for a picture"),
}


@pytest.mark.parametrize(("answer", "says"), list(HOSTILE_ANSWERS.values()), ids=list(HOSTILE_ANSWERS))
def test_a_hostile_answer_ends_in_one_line(answer: Any, says: str) -> None:
    with stand(lambda headers, body: answer) as service:
        before = time.monotonic()
        with pytest.raises(TargetError, match=says) as caught:
            loaded(service, timeout=20.0, patience=0.5, at_once=1)
        assert time.monotonic() - before < 60
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


SECRET = "Bearer 7f3a9c-of-nobody-elses-business"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"{SECRET}\n"},
        {"Authorization": f"{SECRET}\r\nX-Evil: 1"},
        {"Authorization": f"{SECRET}\0"},
        {"Authorization": f"{SECRET} 😀"},
        {f"X {SECRET}": "1"},
        {f"X\n{SECRET}": "1"},
        {"Content-Length": SECRET},
        {"Authorization": [SECRET]},
        f"Authorization: {SECRET}",
    ],
)
def test_headers_are_checked_when_they_are_read_and_never_shown(headers: Any) -> None:
    with pytest.raises(ConfigError, match="service option 'headers'") as caught:
        load_target("http://127.0.0.1:1/predict", service={"headers": headers})
    assert "7f3a9c" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["\n", "\r\nX-Evil: 1", "\x7f", "€"])
def test_a_header_from_the_environment_is_checked_too(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET + wrong)
    with pytest.raises(TargetError, match="the value of Authorization has a line break") as caught:
        load_target("http://127.0.0.1:1/predict", service={"headers": {"Authorization": "$TOKEN"}})
    assert "7f3a9c" not in str(caught.value)


def test_what_a_service_says_again_of_a_secret_is_not_shown() -> None:
    with stand(lambda headers, body: (403, f"{headers['authorization']} is unknown".encode())) as service:
        with pytest.raises(TargetError, match=r"status 403 \(\(not shown\) is unknown") as caught:
            loaded(service, headers={"Authorization": SECRET})
        assert "7f3a9c" not in str(caught.value)
    assert "7f3a9c" not in repr(ServiceSettings(headers={"Authorization": SECRET}))
    with pytest.raises(TargetError, match="is no address") as refused:
        load_target("http://me:7f3a9c@host:port/x")
    assert "7f3a9c" not in str(refused.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_a_certificate_that_nobody_vouches_for_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", "-nodes", *kind, *files, *names], check=True, capture_output=True)
    with stand(red, certificate=(tmp_path / "certificate", tmp_path / "key")) as service:
        address = service.url.replace("127.0.0.1", "localhost")
        before = time.monotonic()
        with pytest.raises(
            TargetError, match=r"certificate is not verified \(self.signed certificate\).*SSL_CERT_FILE"
        ):
            load_target(address, resolution=16, service={"cache": False})
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
        with pytest.raises(TargetError, match=r"certificate is not verified .*by the name that its certificate is for"):
            load_target(service.url, resolution=16, service={"cache": False})
        assert time.monotonic() - before < 20
        target = load_target(address, resolution=16, service={"cache": False})
        np.testing.assert_allclose(probabilities(target), REDNESS, atol=1e-5)
    with stand(red) as plain, pytest.raises(TargetError, match="speaks no TLS: write http://"):
        load_target(plain.url.replace("http:", "https:"), service={"cache": False})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"colour": 1}, "unknown service option 'colour'"),
        ({"form": "soap"}, "'form' must be 'json', 'png', 'multipart' or 'kserve', got 'soap'"),
        ({"timeout": 0}, "'timeout' must be greater than 0"),
        ({"at_once": 1.5}, "'at_once' must be a whole number"),
        ({"headers": {"a": 1}}, "'headers' must be a table of texts"),
        ({"field": 'a"b'}, "'field' must be a name"),
    ],
)
def test_options_are_checked(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_target("http://127.0.0.1:1/predict", service=options)


def test_addresses_and_templates_are_checked(tmp_path: Path) -> None:
    for address in ("http://", "http://host:port/x", "https:///x"):
        with pytest.raises(TargetError, match="is no address of a service"):
            load_target(address)
    template = tmp_path / "request.json"
    for text, reason in (("{", "is no JSON"), ('{"a": 1}', 'has no "{png}"')):
        template.write_text(text)
        with pytest.raises(TargetError, match=reason):
            load_target("http://127.0.0.1:1/x", service={"template": str(template)})
    with pytest.raises(TargetError, match="belong to a target behind HTTP"):
        load_target("avatars:age", service={"form": "png"})


def test_the_command_line_takes_them_by_name() -> None:
    given = {"service": [("form", "png"), ("timeout", 2)]}
    assert read_target_options(given) == {"service": {"form": "png", "timeout": 2}}
    stored = {"service": {"form": "json", "rate": 3}}
    assert read_target_options(given, stored) == {"service": {"form": "png", "timeout": 2, "rate": 3}}


@pytest.mark.slow(15)
@pytest.mark.ci
def test_an_audit_of_a_service_that_fails_hangs_and_restarts_has_the_records_of_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    def brightness(headers: dict[str, str], body: bytes) -> Any:
        return float(1 / (1 + np.exp(-(json_picture(body)[40:88, 30:98].mean() / 255 - 0.5) * 12)))

    options: dict[str, Any] = {
        "generator": "avatars",
        "attributes": ["a face with pale skin", "a smiling face"],
        "random_directions": 1,
    }
    told: list[str] = []

    def audit(name: str) -> Diagnoser:
        settings = {"timeout": 0.5, "cache": False}
        return Diagnoser(**options, target=service.url, target_options={"service": settings}, notify=told.append)

    with stand(brightness, hang=1.0) as service:
        calm = audit("calm").run(images=4, out=tmp_path / "calm")
        asked = len(service.bodies)
        random = np.random.default_rng(1)

        def troubled(headers: dict[str, str], body: bytes) -> Any:
            if len(service.bodies) == asked + 150:  # while others are being answered
                threading.Thread(target=restart).start()
            dice = random.random()
            return None if dice < 0.01 else (500, b"") if dice < 0.06 else brightness(headers, body)

        def restart() -> None:
            service.stop()
            time.sleep(0.5)
            service.start()

        run = audit("stormy")
        service.answer = troubled
        stormy = run.run(images=4, out=tmp_path / "stormy")
        assert service.received["failed"] >= 3
    assert stormy.records == calm.records
    assert "failed" in told[-1]
    assert "late" not in told[0]
    before, after = (json.loads((tmp_path / name / "summary.json").read_text())["tries"] for name in ("calm", "stormy"))
    assert set(before) == {"answered"}
    assert after["failed"] >= service.received["failed"]
    page = (tmp_path / "stormy" / "report.html").read_text()
    assert f"Of {sum(after.values())} tries: {after['answered']} answered" in page
    assert "was asked again" in page


class InProcess:
    """Two workers of a cluster, here."""

    def __init__(self) -> None:
        self.count, self._works, self._batches = 2, list[Any](), dict[int, Any]()
        self.starting, self.shares = set[int](), dict[int, Any]()

    def prepare(self, job: Any) -> None:
        self._job = job

    def start(self) -> int:
        self._works.append(self._job())
        self.starting.add(len(self._works) - 1)
        return len(self._works) - 1

    def send(self, worker: int, shard: Any) -> None:
        self._batches[worker] = self._works[worker](shard)

    def next_event(self) -> tuple[int, Any]:
        if self.starting:
            return self.starting.pop(), None
        worker = min(self._batches)
        result = next(self._batches[worker], None)
        if result is None:
            del self._batches[worker]
        return worker, result

    def close(self) -> None:
        """There is nothing to let go."""


@pytest.mark.slow(14)
def test_what_workers_asked_and_what_was_asked_in_vain_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"generator": "avatars", "attributes": ["a face with pale skin"], "random_directions": 1}
    settings = {"timeout": 5.0, "cache": False, "patience": 0.2}

    def audit() -> Any:
        run = Diagnoser(**options, target=service.url, target_options={"service": settings})
        return run.run(images=4, out=tmp_path / "audit")

    with stand(red) as service:

        def gone(headers: dict[str, str], body: bytes) -> Any:
            return (503, b"") if len(service.bodies) > 40 else red(headers, body)

        service.answer = gone
        with pytest.raises(TargetError, match=r"has not answered for 0\.2 s"):
            audit()
        first = load_tries(tmp_path / "audit")
        assert first == {"answered": service.received["answered"], "failed": service.received["failed"]}
        service.answer = red
        monkeypatch.setattr("zoom_engine.diagnose.run._workers", lambda _: contextlib.nullcontext(InProcess()))
        monkeypatch.setattr("zoom_engine.diagnose.run.torch.set_num_threads", lambda count: None)
        result = audit()
        assert result.tries == {"answered": service.received["answered"], "failed": first["failed"]}
        assert result.summary().to_json()["tries"] == result.tries


def test_what_an_earlier_run_asked_is_not_counted_again(tmp_path: Path) -> None:
    table = write_pairs(tmp_path / "pairs")
    with stand(red) as service:
        options = {"service": {"timeout": 5.0, "cache": False}}
        diagnoser = Diagnoser(pairs=table, target=service.url, target_options=options)
        for name in ("first", "second"):
            diagnoser.run(out=tmp_path / name)
        counted = [load_tries(tmp_path / name)["answered"] for name in ("first", "second")]
        assert sum(counted) == service.received["answered"]


@pytest.mark.forks
def test_a_forked_child_asks_on_connections_of_its_own(tmp_path: Path) -> None:
    """On its parent's each would read what the other asked for; SQLite's are of one process too."""

    class TellsThePort(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a connection is kept

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = str(self.client_address[1]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), TellsThePort) as server:
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = ServiceClient(f"http://127.0.0.1:{server.server_port}", "ports", ServiceSettings(), {})
        cache = AnswerCache(tmp_path / "answers.sqlite")

        def ask() -> int:
            return client.ask(b"picture", {}, int)

        def ask_and_keep() -> int:
            cache.keep("of the child", b"[1]")
            return ask()

        port = ask()
        assert in_child(ask_and_keep, seconds=20) != port
        assert ask() == port
        assert cache.find("of the child") == b"[1]"
        server.shutdown()
