"""`misfit`: whether a value is of the type that a hint names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.typed import check_options, misfit
from zoom_engine.settings.audit_settings import LossWeights


@pytest.mark.parametrize(
    ("hint", "fits", "others", "words"),
    [
        (str | Path | Any, ["a"], [3, None, ["a"]], "a text"),
        (int | None, [3, 0], [True, 3.5, "3"], "a whole number"),
        (float, [3, 3.5], [True, "3"], "a number"),
        (bool, [True], [1, "yes"], "true or false"),
        (Sequence[str] | None, [["a"], ("a",), []], ["a", [3]], "a list of texts"),
        (str | Sequence[str], ["a", ["a"]], [3], "a text or a list of texts"),
        (Mapping[str, Any] | None, [{}], [[], 3], "a table"),
        (LossWeights, [{"label": 0}, LossWeights()], [3], "a table"),
        (Literal["a", "b"] | None, ["a"], [3, "c"], "'a' or 'b'"),
        (int | Literal["auto"], [3, "auto"], [2.5, "8"], "a whole number or 'auto'"),
    ],
)
def test_a_value_of_another_type_is_told_in_words(hint: Any, fits: list[Any], others: list[Any], words: str) -> None:
    assert [misfit(hint, value) for value in fits] == [None] * len(fits)
    for value in others:
        assert str(misfit(hint, value)).startswith(f"must be {words}, got ")


def test_of_many_options_some_are_told() -> None:
    known = {f"option_{number}": str for number in range(500)}
    with pytest.raises(ConfigError, match=r"unknown option 'z'; known are option_0, .*….*, option_499$") as refused:
        check_options({"z": 1}, known, "option")
    assert len(str(refused.value)) < 300
