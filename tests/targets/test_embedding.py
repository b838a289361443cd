"""Embeddings: how far two vectors are apart, from when on they are of another one, and what a record keeps of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import Drawing, Function
from search_toys import looked_at
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.targets import (
    BinaryTask,
    EmbeddingTask,
    MultiClassTask,
    MultiLabelTask,
    Task,
    input_notices,
    load_target,
    save_onnx,
    task_from_dict,
)
from zoom_engine.targets.tasks.guess import guess_task

TASK = EmbeddingTask()
IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1


def at(degrees: float, *, length: float = 1.0) -> Tensor:
    """A vector of nine numbers at that angle to the first axis."""
    turned = torch.zeros(1, 9)
    turned[0, 0], turned[0, 4] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return length * turned


def embedding(width: int = 128) -> nn.Module:
    """A network that ends as those do that recognise faces: rows of length 1."""
    torch.manual_seed(0)
    layer = nn.Linear(3, width)
    return Function(lambda m: nn.functional.normalize(layer(m - 0.5), dim=1))


@pytest.mark.parametrize(
    ("degrees", "similarity", "change", "says"),
    [
        (0, 1.0, 0.0, "same (1.00)"),
        (30, 0.866, 0.134, "same (0.87)"),
        (59, 0.515, 0.485, "same (0.52)"),
        (61, 0.485, 0.515, "another (0.48)"),
        (90, 0.0, 1.0, "another (0.00)"),
        (180, -1.0, 1.0, "another (−1.00)"),
    ],
)
def test_the_change_is_the_cosine_distance_and_60_degrees_are_another(
    degrees: float, similarity: float, change: float, says: str
) -> None:
    outputs, original = TASK.outputs(at(degrees, length=7)), TASK.outputs(at(0, length=0.2))
    assert isinstance(TASK, Task)
    assert TASK.similarity(outputs, original).item() == pytest.approx(similarity, abs=1e-3)
    assert TASK.change(outputs, original).item() == pytest.approx(change, abs=1e-3)
    assert TASK.margin(outputs, original).item() == pytest.approx(similarity - 0.5, abs=1e-3)
    flips = degrees > 60
    assert bool(TASK.flipped(outputs, original)) is flips
    assert TASK.view.caption(outputs[0], original[0]) == says
    recorded, before = TASK.recorded(outputs, original)[0].tolist(), TASK.recorded(original, original)[0].tolist()
    assert recorded == pytest.approx([similarity, math.sqrt(2 - 2 * similarity)], abs=1e-3)
    assert before == [1.0, 0.0]
    assert TASK.view.response(recorded, before) == pytest.approx(1 - similarity, abs=1e-3), "not cut off at 1"
    assert TASK.view.state_name(TASK.view.state(recorded, before)) == ("another" if flips else "")


def test_the_model_s_own_threshold_moves_what_flips_and_what_is_negligible() -> None:
    strict = task_from_dict({"task": "embedding", "threshold": 0.9})
    assert strict == EmbeddingTask(threshold=0.9)
    outputs, original = TASK.outputs(at(30)), TASK.outputs(at(0))
    assert bool(strict.flipped(outputs, original))
    assert strict.view.state([0.866, 0.5], [1.0, 0.0]) == 1
    assert (TASK.view.negligible_change, strict.view.negligible_change) == (pytest.approx(0.05), pytest.approx(0.01))
    assert strict.view.response_axis.boundary == pytest.approx(0.1)
    assert TASK.view.response_axis.label == "the cosine distance to the unedited picture’s vector"
    assert TASK.view.change_in_words(0.17) == "0.17 cosine similarity lost"
    assert TASK.view.change_in_words(1.0) == "1.00 cosine similarity lost or more"


@pytest.mark.parametrize("threshold", [1, -1, 1.5, float("nan")])
def test_a_threshold_at_which_nothing_or_all_is_the_same_is_refused(threshold: float) -> None:
    with pytest.raises(TargetError, match="threshold is a cosine similarity") as caught:
        task_from_dict({"task": "embedding", "threshold": threshold})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(2, 1), (2,), (2, 5, 8), (2, 8, 4, 4)])
def test_an_output_that_is_not_one_vector_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TargetError, match="an embedding is one vector of several numbers") as caught:
        TASK.outputs(torch.ones(shape))
    assert "\n" not in str(caught.value)


def test_a_vector_of_zeros_is_the_same_as_itself_and_no_number_is_lost() -> None:
    zeros, one = TASK.outputs(torch.zeros(1, 9)), TASK.outputs(at(20))
    for outputs, original in ((zeros, zeros), (zeros, one), (one, zeros)):
        for numbers in (TASK.change(outputs, original), TASK.recorded(outputs, original), TASK.loss(outputs, original)):
            assert bool(numbers.isfinite().all())
    assert TASK.change(zeros, zeros).item() == 0.0


def test_the_loss_has_a_slope_where_nothing_moved_and_falls_as_the_vectors_part() -> None:
    original = TASK.outputs(torch.randn(2, 16, generator=torch.Generator().manual_seed(0)))
    leaf = original.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(TASK.loss(leaf, original).sum(), leaf)
    assert slope.isfinite().all()
    assert (slope.norm(dim=1) > 0.01).all()
    losses = [TASK.loss(TASK.outputs(at(degrees)), TASK.outputs(at(0))).item() for degrees in (0, 20, 50, 80, 120)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("width", [8, 128, 512])
def test_rows_of_length_one_are_taken_for_an_embedding_and_that_is_told(width: int) -> None:
    target = load_target(embedding(width), name="faces", resolution=16)
    assert target.task == EmbeddingTask()
    assert "length 1 for every test picture, so they are taken for an embedding" in target.describe()["note"]
    assert target(IMAGES).shape == (4, width)
    told = next(input_notices(target, resolution=16))
    assert told.startswith("target 'faces': its outputs have length 1")
    assert "down to a cosine similarity of 0.5: give the model's own threshold with --task embedding" in told
    assert "\n" not in told
    stated = load_target(embedding(width), task="embedding", resolution=16)
    assert "embedding" not in stated.note
    assert not any("embedding" in notice for notice in input_notices(stated, resolution=16))


@pytest.mark.slow
def test_a_published_face_network_is_taken_for_what_it_is() -> None:
    facenet_pytorch = pytest.importorskip("facenet_pytorch")
    torch.manual_seed(0)
    network = facenet_pytorch.InceptionResnetV1(pretrained=None).eval()  # its weights would be fetched
    target = load_target(network, preprocessing={"size": 80, "value_range": (0, 255), "mean": [127.5], "std": [128]})
    assert target.task == EmbeddingTask()
    assert target.differentiable
    assert target(IMAGES).shape == (4, 512)


@pytest.mark.parametrize(
    ("function", "task"),
    [
        (lambda m: 40 * torch.cat([m, m.square(), m * m.roll(1, 1)], dim=1), MultiClassTask),
        (lambda m: (90 * torch.cat([m, m.square(), m * m.roll(1, 1)], dim=1)).softmax(1), MultiClassTask),
        (lambda m: (m[:, :1] - 0.5) * 9, BinaryTask),
    ],
    ids=["logits", "softmax", "one logit"],
)
def test_logits_and_probabilities_are_no_embedding(function: Any, task: type[Task]) -> None:
    assert isinstance(load_target(Function(function), resolution=16).task, task)
    assert isinstance(guess_task(torch.eye(9), name="a softmax that is sure"), MultiClassTask)


def test_what_is_known_to_end_with_an_activation_is_no_embedding() -> None:
    unit = nn.functional.normalize(torch.rand(6, 12, generator=torch.Generator().manual_seed(1)), dim=1)
    assert isinstance(guess_task(unit, name="n"), EmbeddingTask)
    assert isinstance(guess_task(unit, name="n", final="sigmoid"), MultiLabelTask)
    unit *= torch.tensor([1, -1]).repeat(6)  # beyond [0, 1], where logits and probabilities are not told apart
    assert isinstance(guess_task(unit, name="n", classes=[str(i) for i in range(12)]), MultiClassTask)
    unit[0] *= 1.1
    assert not isinstance(guess_task(unit, name="n"), EmbeddingTask), "of length 1 for every picture, or not at all"


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_outputs_of_few_digits_are_what_they_are_of_many(kind: torch.dtype) -> None:
    """In bfloat16 lengths and sums are 1 to three digits: vectors were taken for logits, a softmax for labels."""
    random = torch.Generator().manual_seed(0)
    vectors, logits = (torch.randn(8, count, generator=random).to(kind) for count in (64, 10))
    assert isinstance(guess_task(vectors / vectors.norm(dim=1, keepdim=True), name="n"), EmbeddingTask)
    for final in ("", "softmax"):
        assert isinstance(guess_task(logits.softmax(1), name="n", final=final), MultiClassTask)
        assert guess_task(logits[:, :2].softmax(1), name="n", final=final).to_dict()["output"] == "two-probabilities"


def test_an_onnx_file_and_a_function_of_vectors_are_the_same_targets(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    target = load_target(network, task={"task": "embedding", "threshold": 0.7}, resolution=16)
    save_onnx(target, tmp_path / "faces.onnx", resolution=16)
    read = load_target(tmp_path / "faces.onnx", resolution=16)
    assert read.task == EmbeddingTask(threshold=0.7)
    assert read.differentiable

    def answers(pictures: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255.0).numpy()

    called = load_target(answers, task="embedding", resolution=16)
    torch.testing.assert_close(read(IMAGES), target(IMAGES), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(called(IMAGES), target(IMAGES), atol=1e-2, rtol=0)


def test_a_record_keeps_two_numbers_however_long_the_vectors_are() -> None:
    draw = Drawing(lambda codes: codes[:, :3, None, None].expand(-1, 3, 16, 16) * 2 - 1)
    evaluator = Evaluator(draw, torch.eye(3), load_target(embedding(512), resolution=16))
    codes = torch.tensor([[0.3, 0.6, 0.4]])
    evaluation = looked_at(evaluator, codes, torch.tensor([[0.4, -0.3, 0.0]]), evaluator.originals(codes))
    assert evaluation.recorded.shape == (1, 2)
    assert 0 < float(evaluation.change) < 1
    assert len(json.dumps([round(value, 6) for value in evaluation.recorded[0].tolist()])) < 30
