"""Codes of noise and a prompt: a population in a file, and directions that are differences of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from zoom_engine import check_editable_generator
from zoom_engine.common.errors import ConfigError
from zoom_engine.generators import DrawnFromPrompts, PromptedCodes, StyleSpace, read_prompts, shown
from zoom_engine.ops.modulation import edited


class Painted(DrawnFromPrompts):
    """Paints the letters of its prompts: how often each of four occurs is what a prompt adds to a code."""

    resolution, differentiable, device = 8, True, torch.device("cpu")
    content_hash: Any = "painted"

    def __init__(self, prompts: Sequence[str] = ("a red thing", "a dim thing", "an odd thing")) -> None:
        self.codes = PromptedCodes(3, prompts, self.embedded(prompts))

    def to(self, device: Any) -> Any:
        return self

    def embedded(self, prompts: Sequence[str]) -> Tensor:
        return torch.tensor([[float(prompt.count(letter)) for letter in "redg"] for prompt in prompts])

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        codes = edited(codes, edit_weights, directions)
        columns = torch.stack([codes[:, :3] / 4 + codes[:, 3:6] / 3 - 0.5, codes[:, 4:] / 2 - 0.3], dim=2)
        return shown(columns.repeat_interleave(4, dim=2)[:, :, None].expand(-1, -1, 8, -1).tanh())


def test_seeds_take_the_prompts_in_turn_and_noise_of_their_own() -> None:
    generator = Painted()
    check_editable_generator(generator)
    codes = generator.sample(range(6))
    assert torch.equal(codes[:3, 3:], codes[3:, 3:])
    assert torch.equal(codes[:3, 3:], generator.embedded(generator.codes.prompts))
    assert len(torch.unique(codes[:, :3], dim=0)) == 6
    assert generator.population is None
    assert [layer.name for layer in generator.space.layers] == ["noise", "prompt"]
    assert generator.space.fixed_mask().tolist() == [True] * 3 + [False] * 4
    pulled = generator.sample(range(3), truncation=0.0)
    assert torch.equal(pulled, generator.codes.average.expand(3, -1))


def test_a_direction_is_the_difference_of_prompts_and_leaves_noise_alone() -> None:
    generator = Painted()
    row = generator.text_directions(["a big red thing"], "a big thing")[0]
    assert row.tolist() == [0, 0, 0, 1, 1, 1, 0]


def test_the_population_is_part_of_the_identity() -> None:
    identities = [Painted(prompts).codes.identity for prompts in (("a red", "a dim"), ("a dim", "a red"), ("a red",))]
    assert len({str(identity) for identity in identities}) == 3
    assert identities[0] == Painted(("a red", "a dim")).codes.identity


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_prompts_are_read_from_a_file(tmp_path: Path, encoding: str) -> None:
    """The mark that editors of Windows put first made a prompt of the comment."""
    path = tmp_path / "prompts.txt"
    path.write_text("# two of them\n\n a photo of a cat \na photo of a dog\n", encoding=encoding)
    assert read_prompts(path) == ("a photo of a cat", "a photo of a dog")
    path.write_text("a photo of a cat\n", encoding="utf-8-sig")
    assert read_prompts(path) == ("a photo of a cat",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds 0 prompts: write 1 to 10000"),
        (b"# none\n", "holds 0 prompts"),
        (b"a cat\n" * 10_001, "holds 10001 prompts"),
        (b"a cat\n\xff\xfe", "cannot be read"),
        ("a c\u202eat".encode(), "prompt on line 1"),
        (b"a" * 301, "prompt on line 1"),
        (b"a" * (1 << 22) + b"\n", "has more than 4,194,304 bytes"),
    ],
)
def test_a_file_that_holds_none_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_prompts(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prompts(tmp_path / "none.txt")


def test_embeddings_must_be_those_of_the_prompts() -> None:
    with pytest.raises(ConfigError, match=r"embeddings of 2 prompts must be \[2, P\], not \[1, 3\]"):
        PromptedCodes(2, ("a", "b"), torch.zeros(1, 3))
    with pytest.raises(ConfigError, match="edits codes of 1 to 65536"):
        PromptedCodes(1 << 16, ("a",), torch.zeros(1, 3))


def test_parts_of_a_code_are_frozen_by_name() -> None:
    space = StyleSpace([("a", 8, 2, False), ("b", 8, 1, False)], frozen=["b"])
    assert space.fixed_mask().tolist() == [False, False, True]
    with pytest.raises(ConfigError, match="a code has no part 'c'; known are a, b"):
        StyleSpace([("a", 8, 2, False), ("b", 8, 1, False)], frozen=["c"])
