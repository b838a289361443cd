"""Progress that tests look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from zoom_engine.common.progress import Progress


class _Bar:
    def __init__(self, work: Any, steps: list[int]) -> None:
        self._work, self._steps = work, steps

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        for item in range(self._work) if isinstance(self._work, int) else self._work:
            yield item
            self.update(1)

    def update(self, count: int = 1, *, note: str = "") -> None:
        self._steps.append(count)


class Bars:
    """A progress factory that notes each bar's steps, by its description, and its total."""

    def __init__(self) -> None:
        self.steps: dict[str, list[list[int]]] = defaultdict(list)
        self.totals: dict[str, int] = {}

    def __call__(
        self, work: Iterable[Any] | int, description: str, *, unit: str = "step", initial: int = 0
    ) -> Progress[Any]:
        self.steps[description].append([initial] if initial else [])
        self.totals[description] = work if isinstance(work, int) else len(list(work))
        return _Bar(work, self.steps[description][-1])
