"""The task of a model that does not declare one, from its outputs and what the user says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from zoom_engine.common.errors import TargetError
from zoom_engine.common.plurals import number_of
from zoom_engine.settings.model_settings import Kind
from zoom_engine.targets.tasks.binary import BinaryOutput, BinaryTask
from zoom_engine.targets.tasks.described import rows_of
from zoom_engine.targets.tasks.embedding import EmbeddingTask
from zoom_engine.targets.tasks.multiclass import MultiClassTask
from zoom_engine.targets.tasks.multilabel import MultiLabelTask
from zoom_engine.targets.tasks.segmentation import SegmentationTask
from zoom_engine.targets.tasks.task import Task

Final = Literal["", "sigmoid", "softmax", "probabilities", "logits", "number"]
"""What a network may be known to end with; "logits": with nothing; "number": with one in a unit of its own."""
LEAST_EMBEDDING = 8
"""Rows of length 1 are taken for an embedding from this many numbers on; those of fewer may be a direction."""
TAKEN_FOR_EMBEDDING = "its outputs have length 1 for every test picture, so they are taken for an embedding"
"""The note on a target whose task was guessed to be an embedding."""


def guess_task(
    raw: Tensor,
    *,
    name: str,
    classes: Sequence[str] | None = None,
    final: Final = "",
    kind: Kind | None = None,
    head: int | str | None = None,
) -> Task:
    """Guess the task of a network from its outputs.

    One or two outputs are a binary decision, more are classes, or labels where they are independent probabilities; with
    a `head`, that output alone decides. Maps of as many channels as there are named classes are areas. Rows of
    `LEAST_EMBEDDING` numbers or more that have length 1 for every picture and do not add up to 1 are an embedding.
    Numbers in [0, 1] that do not add up to 1 may be logits or probabilities, which somebody has to say.

    Args:
        raw: outputs `[B, …]` of the network on random images.
        name: of the target, for messages.
        classes: names, in the order of the outputs, where they are known.
        final: what the network is known to end with.
        kind: what the user says that the outputs are; None leaves it to `final` and the values.
        head: index or class of the one output of a multi-label model that is audited.

    Raises:
        TargetError: for outputs that are not finite, that could be two things, or that do not fit the classes.
    """
    if kind is not None and kind not in get_args(Kind):
        raise TargetError(f"target {name!r}: its outputs can be logits or probabilities, not {kind!r}")
    if kind is None and final == "logits":
        kind = "logits"
    flat = rows_of(raw)
    count = flat.shape[1]
    if not count:
        raise TargetError(f"target {name!r} returns no number for a picture: of boxes say --task detection")
    if not bool(flat.isfinite().all()):
        raise TargetError(f"target {name!r} returns NaN or infinite outputs: check its weights and preprocessing")
    if sum(size > 1 for size in raw.shape[1:]) > 1:
        if head is not None:
            raise TargetError(
                f"target {name!r} returns more than a row of numbers, of which none is a head: leave it out"
            )
        activated = final in ("sigmoid", "softmax")
        return _of_coordinates(raw, name, classes, "probabilities" if kind is None and activated else kind)
    if final == "number" and (classes, kind, head) == (None, None, None):
        raise TargetError(
            f"target {name!r} predicts numbers: say which they take with --task regression --task-option range=[0,100]"
            " (task= in Python), or what they are else"
        )
    probable = kind == "probabilities" if kind is not None else (True if final not in ("", "number") else None)
    if head is not None:
        if classes is not None and len(classes) != count:
            raise TargetError(
                f"target {name!r} has {number_of(count, 'output')}, but {len(classes)} are named: beside a head name"
                " each (--class), or none"
            )
        index = _head(head, count, classes, name)
        label = classes[index] if classes else str(index)
        return BinaryTask(
            classes=(f"not {label}", label),
            output=_one(flat[:, index : index + 1], probable, name),
            head=index,
        )
    rounding = _rounding(raw)
    sums_to_one = count > 1 and _within(flat) and bool((flat.sum(1) - 1).abs().max() < rounding)
    activated = final in ("sigmoid", "softmax")
    of_unit_length = bool((flat.norm(dim=1) - 1).abs().max() < rounding)
    if classes is None and kind is None and count > 1 and not (sums_to_one or activated) and of_unit_length:
        if count >= LEAST_EMBEDDING:
            return EmbeddingTask()
        raise TargetError(
            f"target {name!r} returns {count} numbers whose squares add up to 1 for every picture, as those of classes"
            " do not: say what the numbers are with task, such as --task embedding, or with classes (--class)"
        )
    if count > 1 and probable is None and not sums_to_one and _within(flat):
        raise TargetError(
            f"target {name!r} returns {count} numbers in [0, 1] that do not add up to 1, which may be logits of classes"
            " or probabilities of labels: say kind='logits' or kind='probabilities' (--output-kind)"
        )
    if count > 1 and kind != "logits" and (final == "sigmoid" or (probable and not sums_to_one)):
        return MultiLabelTask(classes=_names(classes, count), output="probabilities")
    if count > 2:
        names = _names(classes, count)
        probable = sums_to_one if probable is None else probable
        return MultiClassTask(classes=names, output="probabilities" if probable else "logits")
    if classes is not None and len(classes) != 2:
        raise TargetError(
            f"target {name!r} has {number_of(count, 'output')}, a decision"
            f" between two classes, but {len(classes)} are named: name two (--class),"
            " the one that a high output means last"
        )
    pair = (str(classes[0]), str(classes[1])) if classes else ("0", "1")
    if count == 1:
        return BinaryTask(classes=pair, output=_one(flat, probable, name))
    probable = sums_to_one if probable is None else probable
    return BinaryTask(classes=pair, output="two-probabilities" if probable else "two-logits")


def _of_coordinates(raw: Tensor, name: str, classes: Sequence[str] | None, kind: Kind | None) -> Task:
    """Return the task of a network that returns more than a row of numbers.

    Raises:
        TargetError: it could be several things.
    """
    named = len(classes or ())
    if raw.ndim == 4 and named == raw.shape[1] > 1:
        shares = _within(raw) and bool((raw.float().sum(1) - 1).abs().max() < _rounding(raw))
        usual: Kind = "probabilities" if shares else "logits"
        return SegmentationTask(classes=tuple(classes or ()), output=usual if kind is None else kind)
    whole = raw.ndim == 3 and bool((raw == raw.float().round()).all()) and bool(((raw >= 0) & (raw < named)).all())
    if whole and named > 1:
        return SegmentationTask(classes=tuple(classes or ()), output="labels")
    raise TargetError(
        f"target {name!r} returns {[int(size) for size in raw.shape]}: name a class for each channel where these are"
        " areas (--class), or say what they are with task (--task segmentation, --task keypoints, --task detection)"
    )


def _names(classes: Sequence[str] | None, count: int) -> tuple[str, ...]:
    return tuple(classes) if classes else tuple(str(index) for index in range(count))


def _within(values: Tensor) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _rounding(raw: Tensor) -> float:
    """Return how far rounding may lead a sum or a length of outputs from 1: in bfloat16 they have three digits."""
    return max(1e-3, 2 * torch.finfo(raw.dtype).eps) if raw.is_floating_point() else 1e-3


def _one(column: Tensor, probable: bool | None, name: str) -> BinaryOutput:
    """Tell what one number per image is.

    Raises:
        TargetError: it could be either.
    """
    if probable is None and _within(column):
        raise TargetError(
            f"target {name!r} returns one number in [0, 1], which may be a logit or a probability:"
            " say kind='logits' or kind='probabilities' (--output-kind)"
        )
    return "probability" if probable else "logit"


def _head(head: int | str, count: int, classes: Sequence[str] | None, name: str) -> int:
    if isinstance(head, str) and classes and head in classes:
        return list(classes).index(head)
    if isinstance(head, int) or head.isdecimal():
        index = int(head)
        if 0 <= index < count:
            return index
    choices = ", ".join(classes) if classes else f"0 to {count - 1}"
    raise TargetError(f"target {name!r} has no head {head!r}: choose one of {choices}")
