"""Models that other libraries have in memory: each answers as it does behind its library's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import transformers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import (
    BinaryTask,
    EmbeddingTask,
    MultiClassTask,
    MultiLabelTask,
    Preprocessing,
    SegmentationTask,
    load_target,
    save_onnx,
)

SIDE = 32
NAMES = ("cat", "dog", "cow")


def pictures(side: int = SIDE) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (3, side, side, 3), dtype=np.uint8)


def ours(pixels: NDArray[np.uint8]) -> Tensor:
    """The engine's images of these pictures."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def vit(kind: str = "ViTForImageClassification", **options: Any) -> Any:
    """A tiny transformer with random weights, steep enough to tell pictures apart."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        image_size=SIDE, patch_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        id2label=dict(enumerate(NAMES)), label2id={name: index for index, name in enumerate(NAMES)}, **options,
    )  # fmt: skip
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.startswith("classifier.weight"):
                weights.mul_(60)
    return model


def processor() -> Any:
    return transformers.ViTImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.4] * 3, image_std=[0.3] * 3
    )


def as_asked(model: Any) -> Tensor:
    """The logits that transformers has of the pictures."""
    with torch.no_grad():
        fed = processor()(images=[Image.fromarray(picture) for picture in pictures()], return_tensors="pt")
        logits: Tensor = model(**fed).logits
    return logits


def test_a_model_object_of_transformers_has_its_names_and_answers_as_it_does_there() -> None:
    model = vit()
    target = load_target(model, preprocessing=processor())
    assert (target.name, target.task) == ("ViTForImageClassification", MultiClassTask(classes=NAMES))
    assert target.differentiable
    assert not target.assumed
    torch.testing.assert_close(target(ours(pictures())), as_asked(model), atol=1e-4, rtol=1e-4)
    assert load_target(vit(), preprocessing=processor()).content_hash == target.content_hash
    alone = load_target(model)
    assert alone.assumed, "its config says the size of its pictures, and nobody which numbers it is fed"
    assert alone.preprocessing == Preprocessing(size=SIDE)


def test_a_pipeline_of_transformers_brings_its_preprocessing() -> None:
    pipeline = transformers.pipeline("image-classification", model=vit(), image_processor=processor())
    target = load_target(pipeline)
    assert not target.assumed
    outputs = target(ours(pictures()))
    probabilities = target.task.recorded(outputs, outputs)
    for picture, row in zip(pictures(), probabilities, strict=True):
        scores = {entry["label"]: entry["score"] for entry in pipeline(Image.fromarray(picture))}
        np.testing.assert_allclose(row, [scores[name] for name in NAMES], atol=1e-4)


def test_the_config_s_word_on_several_labels_counts_in_an_object_and_in_a_folder(tmp_path: Path) -> None:
    """Its pipelines take the sigmoid of each then, and not a softmax."""
    model = vit(problem_type="multi_label_classification")
    pipeline = transformers.pipeline("image-classification", model=model, image_processor=processor())
    model.save_pretrained(tmp_path / "vit")
    processor().save_pretrained(tmp_path / "vit")
    for target in (load_target(pipeline), load_target(tmp_path / "vit")):
        assert target.task == MultiLabelTask(classes=NAMES)
        outputs = target(ours(pictures()))
        scores = {entry["label"]: entry["score"] for entry in pipeline(Image.fromarray(pictures()[0]))}
        np.testing.assert_allclose(
            target.task.recorded(outputs, outputs)[0], [scores[name] for name in NAMES], atol=1e-4
        )
    named = tuple(f"a {name}" for name in NAMES)
    assert load_target(pipeline, classes=named).task == MultiLabelTask(classes=named)
    assert load_target(pipeline, kind="logits").task == MultiLabelTask(classes=NAMES)
    head = load_target(pipeline, head="dog").task
    assert head == BinaryTask(classes=("not dog", "dog"), head=1)


def test_models_of_transformers_with_other_heads_are_read_by_their_logits_or_by_a_named_output() -> None:
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=1, depths=[1], sr_ratios=[1], hidden_sizes=[8], patch_sizes=[7], strides=[4],
        num_attention_heads=[1], mlp_ratios=[1], decoder_hidden_size=8, id2label=dict(enumerate(NAMES)),
    )  # fmt: skip
    areas = load_target(transformers.SegformerForSemanticSegmentation(config), resolution=SIDE)
    assert areas.task == SegmentationTask(classes=NAMES)
    backbone = vit("ViTModel")
    with pytest.raises(TargetError, match=r"entries last_hidden_state, pooler_output, not a tensor: choose one"):
        load_target(backbone)
    pooled = load_target(backbone, output="pooler_output", task="embedding")
    assert pooled.task == EmbeddingTask()
    assert pooled(ours(pictures())).shape == (3, 16)


def test_a_pipeline_for_something_else_is_refused_with_the_way_to_a_target() -> None:
    pipeline = transformers.pipeline("image-feature-extraction", model=vit("ViTModel"), image_processor=processor())
    with pytest.raises(
        TargetError, match=r"a pipeline for image-feature-extraction is no target: give .*output="
    ) as caught:
        load_target(pipeline)
    assert "\n" not in str(caught.value)


def graph(layout: str = "NCHW", outputs: int = 1, side: int | None = SIDE) -> onnx.ModelProto:
    """Three logits of the mean colours, and the colours too as a second output."""
    weights = np.array([[30, -10, 0], [0, 25, -5], [-20, 0, 15]], dtype=np.float32)
    axes = numpy_helper.from_array(np.array([2, 3] if layout == "NCHW" else [1, 2], dtype=np.int64), "axes")
    shape = ["n", 3, side or "h", side or "w"] if layout == "NCHW" else ["n", side or "h", side or "w", 3]
    made = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x", "axes"], ["colours"], keepdims=0),
            helper.make_node("MatMul", ["colours", "weights"], ["logits"]),
        ],
        "colours",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("logits", "colours")[:outputs]],
        [axes, numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def session(model: onnx.ModelProto) -> Any:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("in_memory", [session, lambda model: model], ids=["session", "ModelProto"])
def test_an_onnx_model_in_memory_answers_as_its_runtime_does(in_memory: Callable[[Any], Any], layout: str) -> None:
    model = graph(layout)
    given, before = in_memory(model), model.SerializeToString()
    target = load_target(given, classes=NAMES)
    of_bytes = pictures().astype(np.float32) / 255
    fed = of_bytes.transpose(0, 3, 1, 2) if layout == "NCHW" else of_bytes
    (expected,) = session(model).run(["logits"], {"x": np.ascontiguousarray(fed)})
    np.testing.assert_allclose(target(ours(pictures())), expected, atol=1e-4)
    assert target.task == MultiClassTask(classes=NAMES)
    assert (target.preprocessing.hw, target.preprocessing.layout) == ((SIDE, SIDE), layout)
    assert target.assumed
    assert target.name == "colours"
    assert target.differentiable is (given is model), "a session runs, and is not followed"
    assert load_target(in_memory(graph(layout)), classes=NAMES).content_hash == target.content_hash
    assert model.SerializeToString() == before


@pytest.mark.parametrize("in_memory", [session, lambda model: model], ids=["session", "ModelProto"])
def test_of_several_outputs_one_is_chosen_and_other_sizes_are_refused(in_memory: Callable[[Any], Any]) -> None:
    given = in_memory(graph(outputs=2))
    called = "the ONNX Runtime session" if in_memory is session else "the onnx.ModelProto"
    with pytest.raises(TargetError, match=rf"{called}: has the outputs logits \(0\), colours \(1\)"):
        load_target(given)
    assert load_target(given, output=0).task == MultiClassTask(classes=("0", "1", "2"))
    with pytest.raises(TargetError, match=rf"{called}: takes 32×32 images, but preprocessing size is 16×16"):
        load_target(given, output=0, preprocessing={"size": 16})
    assert load_target(in_memory(graph(side=None)), preprocessing={"size": 24}).preprocessing.hw == (24, 24)


def test_a_session_of_a_file_of_ours_knows_its_task_and_what_it_is_fed(
    tmp_path: Path, small_cnn: nn.Sequential
) -> None:
    task = BinaryTask(classes=("no", "yes"))
    saved = load_target(small_cnn, task=task, preprocessing=Preprocessing(size=24, mean=(0.4,), std=(0.2,)))
    save_onnx(saved, tmp_path / "cnn.onnx")
    for given in (onnxruntime.InferenceSession(str(tmp_path / "cnn.onnx")), onnx.load(tmp_path / "cnn.onnx")):
        target = load_target(given)
        assert (target.task, target.preprocessing, target.assumed) == (task, saved.preprocessing, False)
        torch.testing.assert_close(target(ours(pictures())), saved(ours(pictures())), atol=1e-4, rtol=1e-4)


def test_a_model_without_its_data_is_refused(tmp_path: Path) -> None:
    onnx.save(graph(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    without = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    with pytest.raises(TargetError, match=r"onnx.ModelProto: its data lie in other files: give the path") as caught:
        load_target(without)
    assert "\n" not in str(caught.value)
    assert load_target(onnx.load(tmp_path / "m.onnx")).differentiable


class Fitted:
    """As scikit-learn's classifiers are: rows in, probabilities out."""

    n_features_in_ = 3 * 8 * 8
    classes_ = np.array(["dull", "red"])

    def predict_proba(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        assert rows.shape[1:] == (self.n_features_in_,)
        red = rows.reshape(len(rows), 8, 8, 3)[..., 0].mean((1, 2))
        return np.stack([1 - red, red], axis=1)

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.str_]:
        return self.classes_[self.predict_proba(rows).argmax(1)]


class Margins(Fitted):
    """As one without probabilities."""

    predict_proba = None  # type: ignore[assignment]

    def decision_function(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        return 40 * rows.reshape(len(rows), 8, 8, 3)[..., 0].mean((1, 2)) - 30


class LabelsAlone(Fitted):
    predict_proba = None  # type: ignore[assignment]


class Layer:
    def __init__(self, activation: str) -> None:
        self.activation = type("Activation", (), {"__name__": activation})()


class KerasLike:
    """As Keras' models are: callable too, with a shape, layers and a bar that `verbose` silences."""

    def __init__(self, shape: tuple[int | None, ...], activation: str = "softmax") -> None:
        self.input_shape, self.layers, self.name = shape, [Layer("relu"), Layer(activation)], "sequential"
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, pictures: Any) -> Any:
        raise AssertionError("predict is asked")

    def predict(self, x: NDArray[np.float32], batch_size: int | None = None, verbose: str | int = "auto") -> Any:
        assert verbose == 0
        assert x.dtype == np.float32
        self.seen.append(x.shape)
        colours = 20 * x.mean((1, 2) if self.input_shape[3] == 3 else (2, 3))
        return np.exp(colours) / np.exp(colours).sum(1, keepdims=True)


def test_an_estimator_is_given_rows_and_asked_for_probabilities_or_scores() -> None:
    red = ours(pictures(8))[:, 0].mean((1, 2)) / 2 + 0.5
    target = load_target(Fitted(), name="fitted")
    assert target.task == BinaryTask(classes=("dull", "red"), output="two-probabilities")
    assert (target.differentiable, target.assumed, target.preprocessing.hw) == (False, True, (8, 8))
    torch.testing.assert_close(target(ours(pictures(8))).sigmoid()[:, 0], red, atol=1e-4, rtol=1e-4)
    scores = load_target(Margins())
    assert scores.task == BinaryTask(classes=("dull", "red"), output="logit")
    torch.testing.assert_close(scores(ours(pictures(8)))[:, 0], 40 * red - 30, atol=1e-3, rtol=1e-3)
    with pytest.raises(TargetError, match="LabelsAlone answers with labels alone: give a function"):
        load_target(LabelsAlone())
    gray = type("Gray", (Fitted,), {"n_features_in_": 64})()
    with pytest.raises(TargetError, match="Gray takes rows of 64 numbers, which are no RGB pictures of 128×128"):
        load_target(gray)


class Stains:
    """A model that sees stains alone, and none in noise; it counts what it was asked."""

    def __init__(self, score: float) -> None:
        self.score, self.asked = score, 0

    def predict(self, x: NDArray[np.float32]) -> Any:
        self.asked += 1
        return self.scored(x.std((1, 2, 3)) < 0.01) + np.float32(4e-4) * x.mean((1, 2, 3))

    def scored(self, stains: NDArray[np.bool_]) -> Any:
        return stains * np.float32(self.score)


class OtherStains(Stains):
    def scored(self, stains: NDArray[np.bool_]) -> Any:
        return stains * np.float32(self.score) / 2


class Weighted(KerasLike):
    """As one that Keras made, which finds nothing in noise."""

    def __init__(self, weight: float) -> None:
        super().__init__((None, 8, 8, 3))
        self.weight = weight

    def get_weights(self) -> list[NDArray[np.float64]]:
        return [np.array(self.weight)]

    def predict(self, x: NDArray[np.float32], batch_size: int | None = None, verbose: str | int = "auto") -> Any:
        self.seen.append(x.shape)
        return 0.5 + 4e-4 * x.mean((1, 2, 3))


def test_objects_that_answer_all_test_pictures_alike_are_told_apart_by_what_they_are_made_of() -> None:
    """An audit of one was resumed with another."""

    def identity(given: Any) -> str:
        return load_target(given, name="stains", task="binary", resolution=8).content_hash

    used = Stains(0.9)
    hashes = [identity(used), identity(used), identity(Stains(0.9)), identity(Stains(0.6))]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    of_keras = [identity(Weighted(weight)) for weight in (1.0, 1.0, 2.0)]
    assert of_keras[0] == of_keras[1] != of_keras[2]
    other = OtherStains(0.9)
    other.name = used.name = "stains"  # type: ignore[attr-defined]
    assert identity(used) != identity(other)


def test_a_number_in_a_unit_of_its_own_is_no_logit(tmp_path: Path) -> None:
    class Ages:
        n_features_in_ = 3 * 8 * 8

        def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
            return 100 * rows.mean(1)

    model = vit(problem_type="regression")
    model.classifier = nn.Linear(16, 1)
    model.config.id2label, model.config.label2id = {0: "age"}, {"age": 0}
    model.save_pretrained(tmp_path / "ages")
    for given, side in ((Ages(), 8), (model, SIDE), (tmp_path / "ages", SIDE)):
        with pytest.raises(TargetError, match=r"predicts numbers: say which they take with --task regression"):
            load_target(given, preprocessing={"size": side})
        task = {"task": "regression", "range": [0, 100]}
        assert load_target(given, task=task, preprocessing={"size": side}).task.name == "regression"


@pytest.mark.parametrize("shape", [(None, 24, 24, 3), (None, 3, 24, 24), (None, None, None, 3)])
def test_a_keras_model_is_given_its_size_and_order_of_axes(shape: tuple[int | None, ...]) -> None:
    model = KerasLike(shape)
    target = load_target(model, classes=NAMES, resolution=24)
    assert target.name == "sequential"
    assert target.task == MultiClassTask(classes=NAMES, output="probabilities")
    outputs = target(ours(pictures(24)))
    colours = 20 * torch.from_numpy(pictures(24) / 255).mean((1, 2))
    torch.testing.assert_close(
        target.task.recorded(outputs, outputs).double(), colours.softmax(1), atol=1e-4, rtol=1e-4
    )
    assert model.seen[-1][1:] == tuple(24 if side is None else side for side in shape[1:])


def test_what_predict_does_wrong_is_one_line() -> None:
    class Shaped(KerasLike):
        def predict(self, x: Any, verbose: int = 1) -> Any:
            return [[0.5]]

    class Failing(KerasLike):
        def predict(self, x: Any, verbose: int = 1) -> Any:
            raise ValueError("incompatible\nshape")

    shape = (None, 24, 24, 3)
    for model, says in (
        (Shaped(shape), r"predict of the Shaped returns shape \(1, 1\) for 8 images"),
        (Failing(shape), r"predict of the Failing fails on float32 .*ValueError: incompatible shape.*preprocessing="),
        (KerasLike((None, 24, 24, 1)), r"sequential takes \(None, 24, 24, 1\); a target takes RGB pictures"),
        (type(Fitted()), "a type is no target: give a name, a path, a torch module"),
    ):
        with pytest.raises(TargetError, match=says) as caught:
            load_target(model)
        assert "\n" not in str(caught.value)


def test_an_estimator_of_scikit_learn_is_a_black_box_with_its_probabilities() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    rows = np.random.default_rng(0).random((200, 8 * 8 * 3)).astype(np.float32)
    classes = np.array(["dull", "red"])[(rows.reshape(-1, 8, 8, 3)[..., 0].mean((1, 2)) > 0.5).astype(int)]
    fitted = linear_model.LogisticRegression(C=100, max_iter=500).fit(rows, classes)
    target = load_target(fitted)
    assert target.task == BinaryTask(classes=("dull", "red"), output="two-probabilities")
    expected = fitted.predict_proba(pictures(8).reshape(3, -1).astype(np.float32) / 255)[:, 1]
    np.testing.assert_allclose(target(ours(pictures(8))).sigmoid()[:, 0], expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore")  # its own
def test_a_model_of_keras_answers_as_it_does_there_with_gradients_where_it_runs_on_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((24, 24, 3)),
        keras.layers.Conv2D(6, 5, activation="tanh"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    target = load_target(model, classes=NAMES)
    assert target.differentiable is (keras.backend.backend() == "torch")
    assert target.task == MultiClassTask(classes=NAMES, output="probabilities")
    outputs = target(ours(pictures(24)))
    expected = model.predict(pictures(24).astype(np.float32) / 255, verbose=0)
    np.testing.assert_allclose(target.task.recorded(outputs, outputs), expected, atol=1e-5)
    assert load_target(model, classes=NAMES).content_hash == target.content_hash


def test_an_object_with_predict_is_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "fitted.py").write_text(
        "import numpy as np\n\n\nclass Fitted:\n    def predict(self, x):\n"
        "        return 1 / (1 + np.exp(5 - 10 * x.mean((1, 2, 3))))\n\n\nmodel = Fitted()\n"
    )
    target = load_target(f"python:{tmp_path / 'fitted.py'}:model", trust=True, kind="probabilities")
    assert (target.name, target.differentiable) == ("Fitted", False)
    assert target.task == BinaryTask(output="probability")
