"""What tasks have in common that are dataclasses of their options."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self, cast, get_args, get_origin, get_type_hints

from torch import Tensor

from zoom_engine.common.errors import TargetError
from zoom_engine.common.typed import kinds_of, misfit, one_of
from zoom_engine.targets.tasks.task import Task, TaskView


class Described:
    """A dataclass that says what it is, and comes back from it; it shows what a plain `TaskView` does."""

    name: ClassVar[str]

    @property
    def differentiable(self) -> bool:
        """Return True, as outputs are real numbers."""
        return True

    @property
    def may_be_empty(self) -> bool:
        """Return False, as every picture has numbers of its own."""
        return False

    @property
    def view(self) -> TaskView:
        """Return a `TaskView`, which shows what it can of any task."""
        return TaskView(cast(Task, self))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON; `task_from_dict` takes them back."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {"task": self.name, **{k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}}

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Self:
        """Make the task of its fields, lists in place of tuples.

        Raises:
            TypeError: a value has another type than its field; or there is no such field, or one is missing.
        """
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in described.items()}
        fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name in options:
            if name not in fields:
                raise TypeError(f"unknown option {one_of(name, fields)}")
        for name, field in fields.items():
            if name not in options and field.default is field.default_factory is dataclasses.MISSING:
                how = "--class" if name == "classes" else f"--task-option {name}=…"
                raise TypeError(f"option '{name}' is missing: give it ({how})")
        hints = get_type_hints(cls)
        for name, value in options.items():
            hint = hints.get(name, Any)
            items = {kind for part in (hint, *get_args(hint)) if get_origin(part) is tuple for kind in get_args(part)}
            wrong = misfit(hint, value) if value is not None and kinds_of(hint) else None
            if wrong is None and items and isinstance(value, tuple):
                (kind,) = items - {...}
                wrong = next(filter(None, (misfit(kind, item) for item in value)), None)
            if wrong is not None:
                raise TypeError(f"{name} {wrong}")
        return cls(**options)


def check_output(task: str, output: str, form: object) -> None:
    """Refuse, by a TargetError, an `output` that is none of the texts that the type `form` (a Literal) allows."""
    if output not in get_args(form):
        raise TargetError(f"{task} task: output is {output!r}; choose one of {', '.join(get_args(form))}")


def rows_of(raw: Tensor, head: int | None = None) -> Tensor:
    """Return a raw output `[B]` or `[B, …]` as float32 `[B, K]`, or the `head` of it alone, `[B, 1]`.

    Raises:
        TargetError: there is no such head.
    """
    rows = (raw if raw.ndim > 1 else raw[:, None]).flatten(1).float()
    if head is None:
        return rows
    if rows.shape[1] <= head:
        raise TargetError(f"the target returns {rows.shape[1]} numbers per image and has no head {head}")
    return rows[:, head : head + 1]
