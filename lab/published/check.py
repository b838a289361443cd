"""Whether a converted network says what the published one says, from the pixels on, in the runtime that it is made for.

Networks of TensorFlow.js run in TensorFlow.js itself, in node; those of ONNX are the published files as they are; the
points of MTCNN run in facenet-pytorch where it is installed.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from lab.published.feeding import GREY, Fed
from lab.published.models import FACENET, HUMAN, Published
from lab.published.packages import downloads, files_of, run
from lab.published.subjects import Subject
from zoom_engine.common.files.cache import cache_errors
from zoom_engine.common.files.onnx_file import cpu_session
from zoom_engine.targets import RegressionTask

RUNTIME = "4.22.0"
PACKAGES = ("tfjs-core", "tfjs-converter", "tfjs-backend-cpu")
TOLERANCE = 1e-3
"""The largest difference of any output, in shares of the largest absolute value among them (or of 1)."""
SECONDS = 300
PICTURES = 2


def differences(model: Published, subject: Subject, *, cache: Path | None = None) -> float | None:
    """Return the largest difference of any output from the original's, as a share; None where that cannot run here.

    Raises:
        CacheError: the original cannot be fetched, or fails.
    """
    pictures = subject.pictures(PICTURES, 7)
    if model.package == HUMAN:
        asked = tfjs_answers
    elif model.package == FACENET and importlib.util.find_spec("facenet_pytorch") is not None:
        asked = facenet_answers
    else:
        return None
    worst = 0.0
    ours = our_answers(model, subject, pictures, cache=cache)
    for index, picture in enumerate(pictures):
        theirs = asked(model, subject, picture, cache=cache)
        for name, values in theirs.items():
            expected, got = np.asarray(values, float).ravel(), ours[name][index].ravel().astype(float)
            worst = max(worst, float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max())))
    return worst


def our_answers(
    model: Published, subject: Subject, pictures: NDArray[np.uint8], *, cache: Path | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return all outputs of the network as it becomes a target, before its head, for each picture."""
    network = model.network(cache=cache)
    names = [output.name for output in network.graph.output]
    fed = Fed(network, model.feed, subject.face, subject.pixels)
    whole = fed.finish(names[0], name=model.name, task=RegressionTask(range=(0.0, 1.0)), pixels=subject.pixels)
    whole.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = cpu_session(whole.SerializeToString(), 1)()
    rows = [session.run(names, {"pictures": _planes(picture)}) for picture in pictures]
    return {name: np.concatenate([row[place] for row in rows]) for place, name in enumerate(names)}


def _planes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return picture.transpose(2, 0, 1)[None].astype(np.float32)


def tfjs_answers(
    model: Published, subject: Subject, picture: NDArray[np.uint8], *, cache: Path | None = None
) -> dict[str, list[float]]:
    """Return what TensorFlow.js says of a picture, which it cuts and resizes itself."""
    folder = files_of(model.package, model.files, cache=cache)
    square = model.feed.square(subject.face)
    network = model.network(cache=cache)
    asked: dict[str, Any] = {
        "pixels": subject.pixels,
        "picture": picture.ravel().tolist(),
        "square": [square.left, square.top, square.side],
        "uncut": model.feed.uncut,
        "through": model.feed.through,
        "part": model.feed.part,
        "size": model.feed.size,
        "grey": list(GREY) if model.feed.grey else None,
        "scale": list(model.feed.scale),
        "shift": list(model.feed.shift),
        "outputs": [output.name for output in network.graph.output],
    }
    home = _runtime(cache)
    script = home / "tfjs_reference.cjs"
    script.write_text(Path(__file__).with_name(script.name).read_text(encoding="utf-8"), encoding="utf-8")
    command = ["node", str(script), str(folder / Path(model.files[0]).name)]
    answer = run(command, home, f"{model.name} fails in TensorFlow.js", text=json.dumps(asked), seconds=SECONDS)
    values: dict[str, list[float]] = json.loads(answer)
    return values


def _runtime(cache: Path | None) -> Path:
    """Return a folder in which node finds TensorFlow.js, installed by npm where it is not yet."""
    home = downloads(cache) / f"tfjs-{RUNTIME}"
    wanted = [f"@tensorflow/{name}@{RUNTIME}" for name in PACKAGES]
    if not (home / "node_modules" / "@tensorflow" / PACKAGES[-1]).is_dir():
        with cache_errors(home):
            home.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."]
        run(["npm", "install", *options, *wanted], home, "TensorFlow.js cannot be installed")
    return home


def facenet_answers(
    model: Published, subject: Subject, picture: NDArray[np.uint8], *, cache: Path | None = None
) -> dict[str, list[float]]:
    """Return what facenet-pytorch's own network says of the same cut face."""
    import torch
    from facenet_pytorch.models.mtcnn import ONet

    rows, columns = model.feed.matrices(subject.face, subject.pixels)
    cut = np.stack([rows @ picture[:, :, channel].astype(float) @ columns.T for channel in range(3)])
    with torch.no_grad():
        points = ONet()(torch.from_numpy((cut - 127.5) / 128).float()[None])[1]
    return {"raw": points[0].tolist()}
