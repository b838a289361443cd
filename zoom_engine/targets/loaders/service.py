"""A model behind HTTP, "http://HOST:PORT/PATH": pictures go there one by one, a row of numbers comes back for each."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.files.json_file import parse_json, read_json
from zoom_engine.settings.model_settings import ServiceSettings
from zoom_engine.targets.loaders.answer_cache import AnswerCache
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.service_client import BadAnswerError, ServiceClient, connect
from zoom_engine.targets.preprocessing import Preprocessing, check_bytes, scale_is_assumed
from zoom_engine.targets.target import UNSTEADY, probe_inputs

NOTE = "a service that is asked over HTTP, so there are no gradients"
ALIKE = "it answers test pictures alike, as another model may too, so nothing is taken from answers of before"
PICTURE = "{png}"
LARGEST_TEMPLATE = 1 << 20
SAME = 1e-6  # answers to one picture that differ by less are the same
Row = NDArray[np.float32]
Request = tuple[bytes, dict[str, str]]


class Service(nn.Module):
    """A module that asks a service about pictures as the preprocessing makes them, `[B, …]` → float32 `[B, …]`."""

    def __init__(self, client: ServiceClient, request: Callable[[NDArray[np.float32]], Request]) -> None:
        """Ask by `client`; `request` makes body and headers of a picture."""
        super().__init__()
        self.client = client
        self.cache: AnswerCache | None = None
        self._request, self._settings = request, client.settings
        self._names: tuple[str, ...] | None = None
        self._shape: tuple[int, ...] | None = None

    @property
    def tries(self) -> dict[str, int]:
        """How many tries ended as which kind so far."""
        return self.client.tries()

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of an answer's numbers, sorted, where it is an object of them."""
        return self._names

    def forward(self, x: Tensor) -> Tensor:
        """Return the answers to a batch of pictures.

        Raises:
            TargetError: see `ServiceClient.ask`.
        """
        rows = self.client.answers(self._row, list(x.detach().float().cpu().numpy()))
        return torch.from_numpy(np.stack(rows)).to(x.device)

    def _row(self, picture: NDArray[np.float32]) -> Row:
        digest = hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).hexdigest()
        if self.cache is not None and (known := self.cache.find(digest)) is not None:
            return np.asarray(json.loads(known), dtype=np.float32)
        body, headers = self._request(picture)
        row = self.client.ask(body, headers, self._read)
        if self.cache is not None:
            self.cache.keep(digest, json.dumps(row.tolist()).encode())
        return row

    def _read(self, content: bytes) -> Row:
        try:
            answer = parse_json(content, finite=False)
        except ValueError as error:
            raise BadAnswerError("unreadable", f"its answer is no JSON ({one_line(error, 80)})") from error
        if self._settings.form == "kserve":
            answer = _tensor_of(answer, self._settings.answer)
        else:
            answer = value_at(answer, self._settings.answer)
        if isinstance(answer, dict):
            names = tuple(sorted(answer))
            if self._names not in (None, names):
                raise BadAnswerError("another shape", f"its answer names {_short(names)}, before {_short(self._names)}")
            answer = [answer[name] for name in names]
            self._names = names
        try:
            row = np.asarray(answer, dtype=np.float32)
        except (ValueError, TypeError, OverflowError) as error:
            raise BadAnswerError("unreadable", f"its answer holds no numbers ({_short(answer)})") from error
        if not np.isfinite(row).all():
            raise BadAnswerError("not finite", f"its answer is not finite ({_short(answer)})")
        if self._shape is None:
            self._shape = row.shape
        if row.shape != self._shape:
            raise BadAnswerError("another shape", f"its answer has the shape {row.shape}, before {self._shape}")
        return row


def load_service(spec: str, how: Reading) -> LoadedModel:
    """Load the service at the URL `spec`, tried on fixed pictures, twice: answers that differ are told in the note.

    It cannot be hashed. Its address with the query, what is sent beside a picture, and its answers on these pictures,
    stand for its content: to three decimals, and to the last digit (where it gives the same twice) for the answers that
    are kept on disk. None are kept where they are the same for all these pictures, as those of a detector that finds
    nothing in noise: they tell no model from the next.

    Raises:
        TargetError: the URL is none, the service does not answer as the settings say, or pictures of bytes are to be
            made of other numbers.
    """
    settings = ServiceSettings(**(how.service or {}))
    client = connect(spec, settings)
    name = client.name
    as_tensor = settings.form == "kserve"
    of_bytes = not as_tensor or settings.datatype == "UINT8"
    preprocessing = Preprocessing(value_range=(0.0, 255.0 if of_bytes else 1.0)).updated(how.options)
    if of_bytes:
        check_bytes(preprocessing, f"service {name} is sent pictures of bytes")
    if not as_tensor:  # a PNG has an order of its own
        preprocessing = dataclasses.replace(preprocessing, layout="NHWC")
    service = Service(client, _request_of(settings))
    pictures = probe_inputs(preprocessing, how.resolution)
    answers, again = (service(pictures).double().numpy() for _ in range(2))
    noise = float(np.abs(answers - again).max(initial=0))
    scheme, query = client.address
    asked = f" {scheme}?{query}" if query else ""
    deciding = settings.deciding()
    if settings.template is not None:  # what is sent counts, wherever its file lies
        deciding["template"] = json.dumps(read_template(settings), sort_keys=True)
    told = f"{name} {sorted(deciding.items())}{asked}".encode()
    rough = hashlib.sha256(told + np.round(answers, 3).tobytes()).hexdigest()
    alike = bool((answers == answers[:1]).all())
    if settings.cache and not alike:
        exact = hashlib.sha256(told + answers.tobytes()).hexdigest() if noise <= SAME else rough
        service.cache = AnswerCache(default_cache() / "services" / f"{exact[:32]}.sqlite")
    doubt = ("" if noise <= SAME else f"; {UNSTEADY}") + (f"; {ALIKE}" if settings.cache and alike else "")
    return LoadedModel(
        network=service,
        name=name,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=of_bytes),
        classes=service.names if len(service.names or ()) > 1 else None,
        final="probabilities",
        differentiable=False,
        note=NOTE + doubt,
        content_hash=rough,
    )


def _request_of(settings: ServiceSettings) -> Callable[[NDArray[np.float32]], Request]:
    """Return a function that makes a body, and its headers, of a picture."""
    match settings.form:
        case "json":
            body = read_template(settings)
            return lambda picture: (filled(body, {PICTURE: _base64(picture)}), {"Content-Type": "application/json"})
        case "png":
            return lambda picture: (_png(picture), {"Content-Type": "image/png"})
        case "multipart":
            return lambda picture: _multipart(settings.field, _png(picture))
        case _:
            return lambda picture: (_kserve(settings, picture), {"Content-Type": "application/json"})


def read_template(settings: ServiceSettings) -> Any:
    """Return the JSON that is sent, with `PICTURE` where the picture goes.

    Raises:
        TargetError: the template cannot be read, or names no place for the picture.
    """
    if settings.template is None:
        return {settings.field: PICTURE}
    path = Path(settings.template)
    try:
        if path.stat().st_size > LARGEST_TEMPLATE:
            raise TargetError(f"{path} has more than {LARGEST_TEMPLATE >> 20} MB: it is no template of a request")
        body = read_json(path)
    except OSError as error:
        raise TargetError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise TargetError(f"{path} is no JSON: {one_line(error)}") from error
    if json.dumps(PICTURE)[1:-1] not in json.dumps(body):
        raise TargetError(f'{path} has no "{PICTURE}", the place of the picture')
    return body


def filled(body: object, values: Mapping[str, str | float]) -> bytes:
    """Return the JSON `body` with values in the texts that name their places.

    A text that is the name of a place and nothing else becomes the value, a number too.
    """

    def fill(value: object) -> Any:
        if isinstance(value, str):
            if value in values:
                return values[value]
            for place, inserted in values.items():
                value = value.replace(place, str(inserted))
            return value
        if isinstance(value, Mapping):
            return {key: fill(entry) for key, entry in value.items()}
        return [fill(entry) for entry in value] if isinstance(value, list) else value

    return json.dumps(fill(body)).encode()


def _png(picture: NDArray[np.float32]) -> bytes:
    """Encode a picture `[H, W, 3]` with values 0 to 255."""
    file = io.BytesIO()
    Image.fromarray(picture.round().clip(0, 255).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _base64(picture: NDArray[np.float32]) -> str:
    return base64.b64encode(_png(picture)).decode()


def _multipart(field: str, png: bytes) -> Request:
    """Make a form with one file (RFC 7578)."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="image.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = head.encode() + png + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def _kserve(settings: ServiceSettings, picture: NDArray[np.float32]) -> bytes:
    """Make a request of the Open Inference Protocol, version 2, with the picture as the model's input takes it."""
    values = picture if settings.datatype == "FP32" else picture.round().clip(0, 255).astype(np.uint8)
    tensor = {
        "name": settings.field,
        "shape": [1, *picture.shape],
        "datatype": settings.datatype,
        "data": values.flatten().tolist(),
    }
    return json.dumps({"inputs": [tensor]}).encode()


def _tensor_of(answer: Any, name: str | None) -> Any:
    """Return the output of that name, or the only one, of an answer of the Open Inference Protocol.

    Its batch axis is taken off.
    """
    try:
        outputs = {str(output["name"]): output for output in answer["outputs"]}
        if name is None and len(outputs) != 1:
            raise BadAnswerError("unreadable", f"its outputs are {_short(tuple(outputs))}: name one with answer=")
        output = outputs[name] if name is not None else next(iter(outputs.values()))
        return np.asarray(output["data"], dtype=np.float64).reshape([int(size) for size in output["shape"]][1:])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadAnswerError("unreadable", f"its answer holds no such tensor ({_short(answer)})") from error


def value_at(answer: Any, path: str | None) -> Any:
    """Return what stands at the dotted `path`; without one the answer, or the only thing in it.

    Raises:
        BadAnswerError: nothing stands there.
    """
    if path is None:
        while isinstance(answer, dict) and len(answer) == 1:
            (only,) = answer.values()
            if isinstance(only, int | float):
                break
            answer = only
        return answer[0] if isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], dict) else answer
    for step in path.split("."):
        try:
            answer = answer[int(step)] if isinstance(answer, list) else answer[step]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BadAnswerError("unreadable", f"its answer has nothing at {path!r} ({_short(answer)})") from error
    return answer


def _short(value: object) -> str:
    return one_line(repr(value), 80)
