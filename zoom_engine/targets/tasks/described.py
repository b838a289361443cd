"""What tasks have in common that are dataclasses of their options."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self, cast, get_args, get_origin, get_type_hints

from torch import Tensor

from zoom_engine.common.errors import TargetError
from zoom_engine.common.typed import kinds_of, misfit
from zoom_engine.targets.tasks.task import Task, TaskView


class Described:
    """Says what it is, and comes back from it; shows what a plain `TaskView` does."""

    name: ClassVar[str]

    @property
    def differentiable(self) -> bool:
        """Outputs are real numbers."""
        return True

    @property
    def may_find_nothing(self) -> bool:
        """Every picture has numbers of its own."""
        return False

    @property
    def view(self) -> TaskView:
        """What a `TaskView` shows of any task."""
        return TaskView(cast(Task, self))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `task_from_dict` takes it back."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {"task": self.name, **{k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}}

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Self:
        """Its fields, lists in place of tuples; TypeError for one of another type."""
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in described.items()}
        hints = get_type_hints(cls)
        for name, value in options.items():
            hint = hints.get(name, Any)
            items = {kind for part in (hint, *get_args(hint)) if get_origin(part) is tuple for kind in get_args(part)}
            wrong = misfit(hint, value) if value is not None and kinds_of(hint) else None
            if wrong is None and items and isinstance(value, tuple):
                (kind,) = items - {...}
                wrong = next(filter(None, (misfit(kind, each) for each in value)), None)
            if wrong is not None:
                raise TypeError(f"{name} {wrong}")
        return cls(**options)


def check_output(task: str, output: str, form: Any) -> None:
    """TargetError where `output` is none of the texts that the type `form` (a Literal) allows."""
    if output not in get_args(form):
        raise TargetError(f"{task} task: output is {output!r}; choose one of {', '.join(get_args(form))}")


def rows_of(raw: Tensor, head: int | None = None) -> Tensor:
    """Raw output `[B]` or `[B, …]` → float32 `[B, K]`, or the `head` of it alone, `[B, 1]`; TargetError where there is
    none."""
    rows = (raw if raw.ndim > 1 else raw[:, None]).flatten(1).float()
    if head is None:
        return rows
    if rows.shape[1] <= head:
        raise TargetError(f"the target returns {rows.shape[1]} numbers per image and has no head {head}")
    return rows[:, head : head + 1]
