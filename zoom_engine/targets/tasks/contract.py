"""`check_task`: what any task of anybody's must hold to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoom_engine.common.contracts import Rules, hold, hold_members
from zoom_engine.common.errors import TargetError
from zoom_engine.targets.tasks.task import ResponseAxis, Task, TaskView

ROUNDING = 1e-3
SIDE, LONGEST_CAPTION = 16, 80
MANY, MANY_NUMBERS = 8, 10_000
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def check_task(task: object, raw: Tensor | None = None) -> None:
    """Check `task` against `Task`, on a few outputs of a network.

    Third parties can run it in their tests. The rules are those of `RULES` and, where the task says that it is
    differentiable, of `RULES_OF_GRADIENTS` and `RULES_OF_SLOPES`.

    Args:
        task: an object of the class that is registered.
        raw: `[B, …]`, what a network that it is for returns for 2 or more different pictures. Where it is not given
            numbers in [0, 1] of usual shapes are tried, until one is read.

    Raises:
        TargetError: one line on the first thing that is wrong; also for a task that reads none of the usual shapes.
    """
    check_task_members(task)
    outputs = _usual_outputs(task) if raw is None else _read(task, raw)
    _hold(task, outputs, RULES, {**RULES_OF_GRADIENTS, **RULES_OF_SLOPES})


def check_task_members(task: object) -> None:
    """Refuse, by a `TargetError`, what does not have the members of a `Task`."""
    hold_members(task, Task, called=_name_of(task), refusal=TargetError)


def check_task_on(task: Task, outputs: Tensor) -> None:
    """Check what of `check_task` shows on the outputs `[B, …]` that a task read of its own network.

    The slopes are left out: of noise all pictures may be alike, so that nothing has a slope. Of outputs of many numbers
    it looks at two, of large maps `[B, …, h, w]` at 16 × 16 places: only a task that fails there, as it may know their
    size, is checked on all of them. What shows in whole maps alone, such as a change that grows with the number of
    pixels, the evaluator refuses each time it is told.
    """
    tried = _sample_points(outputs)
    if tried is not outputs:
        with suppress(TargetError):
            return check_task_on(task, tried)
    few = MANY if outputs[:1].numel() < MANY_NUMBERS else 2
    return _hold(task, outputs[:few], RULES, RULES_OF_GRADIENTS)


def _sample_points(outputs: Tensor) -> Tensor:
    """Return evenly spread places of maps of many numbers; other outputs as they are."""
    if outputs.ndim < 3 or outputs[:1].numel() < MANY_NUMBERS:
        return outputs
    down, across = (-(-size // SIDE) for size in outputs.shape[-2:])
    return outputs if down == across == 1 else outputs[..., ::down, ::across]


def _hold(task: Any, outputs: Tensor, rules: Rules[_Tried], of_gradients: Rules[_Tried]) -> None:
    tried = _Tried(task, outputs)
    hold(tried, rules, called=_name_of(task), refusal=TargetError)
    if task.differentiable:
        hold(tried, of_gradients, called=_name_of(task), refusal=TargetError)


def _name_of(task: object) -> str:
    return f"task {getattr(task, 'name', type(task).__name__)!r}"


class _Tried:
    """A task, some outputs, and for each an original: the output before it."""

    def __init__(self, task: Any, outputs: Tensor) -> None:
        """Take the outputs, without their gradient, and roll them by one for the originals."""
        self.task = task
        self.view = task.view
        self.outputs = outputs.detach()
        self.originals = self.outputs.roll(1, 0)

        self._results: dict[str, Any] = {}

    def of(self, name: str) -> Any:
        """Return what the task's method of that name makes of the outputs, beside the originals; it is asked once."""
        if name not in self._results:
            self._results[name] = getattr(self.task, name)(self.outputs, self.originals)
        return self._results[name]

    def of_itself(self, name: str) -> Any:
        """Return what the method makes of outputs that are their own originals."""
        return getattr(self.task, name)(self.outputs, self.outputs)

    @cached_property
    def rows(self) -> list[tuple[list[float], list[float]]]:
        """Return for each output its recorded numbers, and those of its original."""
        before = self.task.recorded(self.originals, self.originals).tolist()
        return list(zip(self.of("recorded").tolist(), before, strict=True))

    @cached_property
    def flipped(self) -> list[bool]:
        flips: list[bool] = self.of("flipped").tolist()
        return flips


def _described(tried: _Tried) -> str | None:
    task = tried.task
    described = task.to_dict()
    if described != json.loads(json.dumps(described, allow_nan=False)):
        return "JSON has not all of its values, or other ones"
    if described.get("task") != task.name:
        return f'its "task" is {described.get("task")!r}'
    again = type(task).from_dict({name: value for name, value in described.items() if name != "task"}).to_dict()
    return None if again == described else f"what comes back is {again}"


def _view(tried: _Tried) -> str | None:
    return None if isinstance(tried.view, TaskView) else f"it is a {type(tried.view).__name__}"


def _negligible(tried: _Tried) -> str | None:
    negligible = tried.view.negligible_change
    return None if 0 <= negligible <= 1 else f"it is {negligible}"


def _axis(tried: _Tried) -> str | None:
    axis = tried.view.response_axis
    if not isinstance(axis, ResponseAxis):
        return f"it is {axis!r}"
    ends: tuple[float, ...] | None = axis.ends
    if ends is not None and not (len(ends) == 2 and -np.inf < ends[0] < ends[1] < np.inf):
        return f"its ends are {ends}"
    if axis.boundary is not None and not np.isfinite(axis.boundary):
        return f"its boundary is {axis.boundary}"
    return None if axis.negligible >= 0 else f"its negligible is {axis.negligible}"


def _labels(tried: _Tried) -> str | None:
    for name, label in (("caption_label", tried.view.caption_label), ("the axis's", tried.view.response_axis.label)):
        if not isinstance(label, str):
            return f"{name} is {label!r}"
    return None


def _legend(tried: _Tried) -> str | None:
    for entry in tried.view.legend:
        if len(entry) != 2 or not isinstance(entry[0], str) or not COLOR.fullmatch(entry[1]):
            return f"it has {entry!r}"
    return None


def _unit(tried: _Tried) -> str | None:
    words = tried.view.change_in_words(0.25)
    return None if isinstance(words, str) else f"it is {words!r}"


def _words(tried: _Tried) -> str | None:
    view = tried.view
    for name, words in (
        ("whole", view.whole),
        ("flip_in_words", view.flip_in_words),
        ("mean_in_words", view.mean_in_words(0.25)),
        ("extent_in_words", view.extent_in_words(tried.rows)),
    ):
        if not isinstance(words, str) or (name == "mean_in_words" and not words):
            return f"{name} is {words!r}"
    return None


def _outputs(tried: _Tried) -> str | None:
    outputs = tried.outputs
    if outputs.ndim < 2 or (outputs.is_floating_point() and outputs.dtype != torch.float32) or outputs.is_complex():
        return f"they are {outputs.dtype} {list(outputs.shape)}"
    return None if bool(outputs.isfinite().all()) else "they hold NaN or infinity"


def _shape_of(name: str, dtype: torch.dtype | None = None) -> Callable[[_Tried], str | None]:
    """Make the rule that the method of that `name` gives a number a row."""

    def violation(tried: _Tried) -> str | None:
        result, count = tried.of(name), len(tried.outputs)
        if not isinstance(result, Tensor):
            return f"it gives a {type(result).__name__}"
        kind = result.is_floating_point() if dtype is None else result.dtype == dtype
        if tuple(result.shape) != (count,) or not kind:
            return f"it gives {result.dtype} {list(result.shape)} of {count} rows"
        return None if bool(result.isfinite().all()) else "it gives NaN or infinity"

    return violation


def _recorded(tried: _Tried) -> str | None:
    recorded = tried.of("recorded")
    if (
        not isinstance(recorded, Tensor)
        or recorded.ndim != 2
        or len(recorded) != len(tried.outputs)
        or not recorded.numel()
    ):
        return f"it gives {list(recorded.shape) if isinstance(recorded, Tensor) else type(recorded).__name__}"
    return None if bool(recorded.isfinite().all()) else "it gives NaN or infinity, which JSON has not"


def _change(tried: _Tried) -> str | None:
    return out_of_range(tried.of("change"))


def out_of_range(change: Tensor) -> str | None:
    """Say what of a change `[B]` is not in [0, 1], but for rounding; None where all is."""
    low, high = float(change.min()), float(change.max())
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return None
    return "it is NaN" if low != low else f"it reaches {low if low < -ROUNDING else high:.3g}"


def _no_change(tried: _Tried) -> str | None:
    same = tried.of_itself("change")
    if wrong := out_of_range(same):
        return wrong
    return None if float(same.max()) <= ROUNDING else f"it is {float(same.max()):.3g}"


def _no_flip(tried: _Tried) -> str | None:
    flipped, margin = tried.of_itself("flipped"), tried.of_itself("margin")
    if bool(flipped.any()):
        return "flipped says so"
    return None if float(margin.min()) >= 0 else f"its margin is {float(margin.min()):.3g}"


def _signs(tried: _Tried) -> str | None:
    for margin, flipped in zip(tried.of("margin").tolist(), tried.flipped, strict=True):
        if (margin > 0 and flipped) or (margin < 0 and not flipped):
            return f"flipped is {flipped} at a margin of {margin:.3g}"
    return None


def _row_by_row(tried: _Tried) -> str | None:
    for name in ("recorded", "margin", "flipped", "change", "loss"):
        together = tried.of(name)[0].detach().float()
        alone = getattr(tried.task, name)(tried.outputs[:1], tried.originals[:1])[0].detach().float()
        apart = float((alone - together).abs().max())
        if not apart <= ROUNDING * (1 + float(alone.abs().max())):
            return f"{name} of a row is {apart:.3g} off where it comes alone"
    return None


def _caption(tried: _Tried) -> str | None:
    for row, original in zip(tried.outputs, tried.originals, strict=True):
        caption = tried.view.caption(row, original)
        if not isinstance(caption, str) or not 0 < len(caption) <= LONGEST_CAPTION or not caption.isprintable():
            return f"it is {caption!r}"
    return None


def _overlay(tried: _Tried) -> str | None:
    plain = np.full((SIDE, SIDE, 3), 90, np.uint8)
    given = plain.copy()
    drawn = tried.view.overlay(given, tried.outputs[0], tried.originals[0])
    if not isinstance(drawn, np.ndarray) or drawn.dtype != np.uint8 or drawn.shape != plain.shape:
        seen = f"{drawn.dtype} {list(drawn.shape)}" if isinstance(drawn, np.ndarray) else type(drawn).__name__
        return f"it is {seen}"
    return None if np.array_equal(given, plain) else "the picture that it was given is drawn into"


def _response(tried: _Tried) -> str | None:
    for row in tried.rows:
        response = tried.view.response(*row)
        if not isinstance(response, int | float) or not np.isfinite(response):
            return f"it is {response!r}"
    return None


def _states(tried: _Tried) -> str | None:
    for (recorded, before), flipped in zip(tried.rows, tried.flipped, strict=True):
        state, unedited = tried.view.state(recorded, before), tried.view.state(before, before)
        name = tried.view.state_name(state)
        if not isinstance(state, int) or not isinstance(name, str):
            return f"state is {state!r}, its name {name!r}"
        if flipped and state == unedited:
            return f"a flip leads from state {unedited} to the same"
    return None


def _parts(tried: _Tried) -> str | None:
    for row in tried.rows:
        names, changes, label = tried.view.parts(*row)
        if len(names) != len(changes) or not all(isinstance(name, str) for name in names):
            return f"names are {len(names)}, changes {len(changes)}"
        if not all(0 <= change < np.inf for change in changes):
            return f"changes are {list(changes)}"
        if names and not label:
            return "label does not say what they are"
    return None


def _gradient(tried: _Tried, name: str) -> Any:
    """Return the gradient of the method of that `name` to the outputs; a text where there is none."""
    if not tried.outputs.is_floating_point():
        return f"outputs are {tried.outputs.dtype}"
    with torch.enable_grad():
        outputs = tried.outputs.clone().requires_grad_(True)
        result = getattr(tried.task, name)(outputs, tried.originals)
        return torch.autograd.grad(result.sum(), outputs)[0] if result.requires_grad else "it has none"


def _gradient_of(name: str) -> Callable[[_Tried], str | None]:
    """Make the rule that the method of that `name` has a gradient."""

    def violation(tried: _Tried) -> str | None:
        gradient = _gradient(tried, name)
        if isinstance(gradient, str):
            return gradient
        return None if bool(gradient.isfinite().all()) else "it is NaN or infinite"

    return violation


def _slope_of(name: str) -> Callable[[_Tried], str | None]:
    """Make the rule that the gradient of the method of that `name` leads somewhere."""
    return lambda tried: None if bool(_gradient(tried, name).any()) else "it is 0 for all of them"


RULES: Rules[_Tried] = {
    "to_dict is JSON-ready, and from_dict takes it back": _described,
    "view is a TaskView": _view,
    "negligible_change is in [0, 1]": _negligible,
    "response_axis has two rising numbers or None as ends, a boundary or None, and negligible of 0 or more": _axis,
    "caption_label and the label of response_axis are texts": _labels,
    'legend has names and colours such as ("box", "#ff8800")': _legend,
    "change_in_words is a text": _unit,
    "outputs are finite, float32 or whole numbers, [B, …]": _outputs,
    "recorded gives finite numbers [B, M]": _recorded,
    "margin gives a number a row": _shape_of("margin"),
    "flipped gives true or false a row": _shape_of("flipped", torch.bool),
    "change gives a number a row": _shape_of("change"),
    "loss gives a number a row": _shape_of("loss"),
    "change lies in [0, 1]": _change,
    "the change of an output to itself is 0": _no_change,
    "an output has not flipped from itself": _no_flip,
    "margin is negative where it flipped, positive where it did not": _signs,
    "rows do not depend on each other": _row_by_row,
    f"caption is a text of 1 to {LONGEST_CAPTION} characters": _caption,
    "overlay is another picture, uint8 and of the same size": _overlay,
    "response is a number": _response,
    "state is a whole number with a name, another one after a flip": _states,
    "parts have a name and a change of 0 or more each, and a label": _parts,
    "whole, flip_in_words, mean_in_words and extent_in_words are texts": _words,
}
RULES_OF_GRADIENTS: Rules[_Tried] = {
    "loss has a gradient to the outputs, as differentiable says": _gradient_of("loss"),
    "margin has a gradient to the outputs, as differentiable says": _gradient_of("margin"),
}
RULES_OF_SLOPES: Rules[_Tried] = {
    "loss has a slope": _slope_of("loss"),
    "margin has a slope": _slope_of("margin"),
}


def _read(task: Any, raw: Tensor) -> Tensor:
    """Return what the task reads in raw outputs `[B, …]`, which must be a row for each."""
    if len(raw) < 2:
        raise TargetError(f"{_name_of(task)} is checked on outputs for 2 or more pictures, not {len(raw)}")

    def violation(task: Any) -> str | None:
        outputs = task.outputs(raw)
        if not isinstance(outputs, Tensor) or len(outputs) != len(raw):
            seen = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            return f"of {list(raw.shape)} they are {seen}"
        return None

    hold(task, {"outputs gives a row for each raw one": violation}, called=_name_of(task), refusal=TargetError)
    outputs: Tensor = task.outputs(raw)
    return outputs


def _usual_outputs(task: Any) -> Tensor:
    """Return what the task reads in the first of the usual raw outputs that it does not refuse."""
    for raw in _usual(len(getattr(task, "classes", ()))):
        try:
            outputs = task.outputs(raw)
        except Exception:  # another shape is tried
            continue
        if isinstance(outputs, Tensor) and len(outputs) == len(raw) and bool(outputs.any()):
            return _read(task, raw)
    raise TargetError(f"{_name_of(task)} reads none of the usual outputs: give check_task some of its network, [B, …]")


def _usual(classes: int) -> Iterator[Tensor]:
    """Yield raw outputs of six pictures: rows, probabilities of classes, boxes, points, maps, labels."""
    random = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.rand(6, *shape, generator=random)

    widths = [classes] if classes else []
    for width in (*widths, 1, 4, 10, 2, 3):
        yield numbers(width)
        yield (4 * numbers(width)).softmax(1)
    yield numbers(5, 2)
    yield numbers(20, 6)
    yield numbers(4 + (classes or 1), 20)
    yield numbers(classes or 3, 8, 8)
    yield (numbers(8, 8) * (classes or 3)).floor().long()
