"""The contract of generators: `check_editable_generator` tests one, of whomever."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from zoom_engine.common.contracts import Rules, hold, hold_members
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.onnx_file import cpu_session
from zoom_engine.generators.generator import (
    FORMS,
    DrawnByGraph,
    EditableGenerator,
    Encoding,
    RandomlyDirected,
    TextDirected,
    runs_on,
)
from zoom_engine.generators.style_space import StyleSpace

TOLERANCE = 1e-3
"""The largest difference of equal pictures in [-1, 1]: float32 in another order, or a runtime's; a batch that mixes its
images differs more."""
LAST_SEED = 2**32 - 1


def check_editable_generator(
    generator: object, *, attributes: Sequence[str] = ("a red thing", "a large thing"), neutral: str = "a thing"
) -> None:
    """Check `generator` against `EditableGenerator`, on four of its pictures, and on seven where it encodes some.

    Third parties can run it in their tests. The rules are those of `RULES` and `RULES_IN_TESTS` and, where it says that
    it is differentiable, `RULES_OF_GRADIENTS`.

    Args:
        generator: what is checked.
        attributes: two prompts or more that a `TextDirected` one can read.
        neutral: the prompt that they are compared with.

    Raises:
        ConfigError: one line on the first thing that is wrong.
    """
    _hold(generator, {**RULES, **RULES_IN_TESTS}, prompts=(*attributes, neutral))


def check_generator_on_load(generator: object) -> None:
    """Check the part of `check_editable_generator` that three pictures tell."""
    # A run draws the next pictures without edits, and ends where they cannot be drawn. Most follow no gradient, which
    # takes as long as all the rest.
    _hold(generator, RULES, gradients=False)


def check_followed(generator: object) -> None:
    """Check the gradients of one picture of `generator`, before anything follows them.

    Raises:
        ConfigError: one line on what is wrong with them.
    """
    _hold(generator, {})


def _hold(
    generator: object, rules: Rules[_Tried], *, gradients: bool = True, prompts: tuple[str, ...] = ("", "")
) -> None:
    called = f"generator {type(generator).__name__}"
    hold_members(generator, EditableGenerator, called=called, refusal=ConfigError)
    tried = _Tried(generator, gradients=gradients, prompts=prompts)
    with torch.no_grad():
        hold(tried, rules, called=called, refusal=ConfigError)
    if tried.follows:
        hold(tried, RULES_OF_GRADIENTS, called=called, refusal=ConfigError)


class _Tried:
    """A generator and its pictures for three seeds, the fewest that show what is wrong.

    Each is made once, for the first rule that asks.
    """

    def __init__(self, generator: Any, *, gradients: bool, prompts: tuple[str, ...]) -> None:
        self.generator = generator
        *self.attributes, self.neutral = prompts
        self.follows = gradients and generator.differentiable

    @cached_property
    def codes(self) -> Any:
        return self.generator.sample([0, 1, 2])

    @cached_property
    def drawn(self) -> tuple[Any, Any]:
        return self.draw()

    def draw(self) -> tuple[Any, Any]:
        latents, codes = self.generator.draw(2, torch.Generator().manual_seed(0))
        return latents, codes

    @cached_property
    def affine(self) -> Any:
        return self.generator.affine_weight()

    @cached_property
    def pictures(self) -> Any:
        """The pictures of the first code as it is, and of the third edited into the second: rows of one batch."""
        first, second, third = self.codes
        weights = torch.tensor([[0.0, 0.0], [1.0, 0.5]], device=self.codes.device)
        directions = torch.stack([second - third - (first - third) / 2, first - third])
        return self.generator.render(self.codes[[0, 2]], weights, directions)

    @cached_property
    def alone(self) -> tuple[Any, Tensor, Tensor]:
        """The second picture made alone, and the code and the edit weight that its gradient may lead to."""
        code = self.codes[1:2].clone()
        weight = torch.zeros(1, 1, device=code.device)
        if not self.follows:
            return self.generator.render(code), code, weight
        with torch.enable_grad():
            along = (self.codes[:1] - code).contiguous()
            picture = self.generator.render(code.requires_grad_(True), weight.requires_grad_(True), along)
        return picture, code, weight

    @property
    def one_of_a_kind(self) -> bool:
        """Whether there are too few codes for three seeds to differ."""
        population = self.generator.population
        return population is not None and population < 3


def _identity(tried: _Tried) -> str | None:
    return None if tried.generator.content_hash.strip() else "it is empty, so that caches take others for it"


def _resolution(tried: _Tried) -> str | None:
    side = tried.generator.resolution
    return None if side >= 4 else f"it is {side}"


def _space(tried: _Tried) -> str | None:
    space = tried.generator.space
    if not isinstance(space, StyleSpace):
        return f"it is a {type(space).__name__}"
    return None if space.size > 0 else "it has no entries"


def _device(tried: _Tried) -> str | None:
    device = tried.generator.device
    if not isinstance(device, torch.device):
        return f"device is a {type(device).__name__}"
    moved = tried.generator.to(device)
    return None if isinstance(moved, EditableGenerator) else f"to(device) gives a {type(moved).__name__}"


def _population(tried: _Tried) -> str | None:
    population = tried.generator.population
    return f"it is {population}" if population is not None and population < 1 else None


def _codes(tried: _Tried) -> str | None:
    return _misshapen("sample([0, 1, 2])", tried.codes, (3, tried.generator.space.size))


def _equal_seeds(tried: _Tried) -> str | None:
    again = tried.generator.sample([0, 1, 2])
    return None if torch.equal(tried.codes, again) else f"they differ by {_apart(tried.codes, again):.3g}"


def _seeds_alone(tried: _Tried) -> str | None:
    alone = tried.generator.sample([2])
    if wrong := _misshapen("sample([2])", alone, (1, tried.generator.space.size)):
        return wrong
    apart = _apart(alone, tried.codes[2:])
    rounding = TOLERANCE * (1 + float(alone.abs().max()))
    return None if apart < rounding else f"that of seed 2 lies {apart:.3g} further where it comes with others"


def _other_seeds(tried: _Tried) -> str | None:
    if tried.one_of_a_kind or all(not torch.equal(tried.codes[i], tried.codes[i - 1]) for i in range(3)):
        return None
    return "seeds 0, 1 and 2 give equal ones"


def _last_seed(tried: _Tried) -> str | None:
    return _misshapen(f"sample([{LAST_SEED}])", tried.generator.sample([LAST_SEED]), (1, tried.generator.space.size))


def _truncation(tried: _Tried) -> str | None:
    pulled = tried.generator.sample([0, 1, 2], truncation=0.5)
    if wrong := _misshapen("sample([0, 1, 2], truncation=0.5)", pulled, tuple(tried.codes.shape)):
        return wrong
    half, whole = (float((codes - codes.mean(0)).norm()) for codes in (pulled, tried.codes))
    if tried.one_of_a_kind or half < whole:
        return None
    return f"three codes lie {half:.3g} from their mean at 0.5 and {whole:.3g} at 1"


def _runs_on(tried: _Tried) -> str | None:
    forms = runs_on(tried.generator)
    if not forms or not set(forms) <= set(FORMS):
        return f"they are {list(forms)}"
    alone = "onnx" in forms and "native" not in forms  # of native operators the synthesis is recorded
    return "it has no graph" if alone and not isinstance(tried.generator, DrawnByGraph) else None


def _batch_size(tried: _Tried) -> str | None:
    size = getattr(tried.generator, "batch_size", 1)
    return None if isinstance(size, int) and size >= 1 else f"it is {size}"


def _text_directions(tried: _Tried) -> str | None:
    if not _is(tried, TextDirected):
        return None
    rows = tried.generator.text_directions(tried.attributes, tried.neutral)
    wrong = _misshapen("text_directions", rows, (len(tried.attributes), tried.generator.space.size))
    return wrong or _unmoved(rows, tried, tried.attributes)


def _random_directions(tried: _Tried) -> str | None:
    if not _is(tried, RandomlyDirected):
        return None
    size = tried.generator.space.size
    rows, again = (tried.generator.random_directions(3, torch.Generator().manual_seed(0)) for _ in range(2))
    if wrong := _misshapen("random_directions(3, random)", rows, (3, size)) or _unmoved(rows, tried, range(3)):
        return wrong
    if not torch.equal(rows, again):
        return f"a random generator of the same seed gives others, which differ by {_apart(rows, again):.3g}"
    return "the first two are equal" if torch.equal(rows[0], rows[1]) else None


def _is(tried: _Tried, protocol: type) -> bool:
    """Return whether the generator has what makes it one of these; what it has is not taken for sound."""
    return isinstance(tried.generator, protocol)


def _unmoved(rows: Tensor, tried: _Tried, names: Sequence[object]) -> str | None:
    """Return which of the directions `rows` move nothing, or frozen entries."""
    still = [str(name) for name, row in zip(names, rows, strict=True) if not bool(row.any())]
    if still:
        return f"that of '{still[0]}' is 0"
    fixed = rows.cpu()[:, tried.generator.space.fixed_mask()]
    return "they move entries that the space calls fixed" if bool(fixed.any()) else None


def _encodes(tried: _Tried) -> str | None:
    if not _is(tried, Encoding):
        return None
    pictures = torch.cat([tried.generator.render(code[None]) for code in tried.codes])
    codes = tried.generator.encode(pictures)
    if wrong := _misshapen("encode(pictures)", codes, tuple(tried.codes.shape)):
        return wrong
    again = torch.cat([tried.generator.render(code[None]) for code in codes])
    off = (again[:, None] - pictures[None]).square().mean(dim=(2, 3, 4))
    if tried.one_of_a_kind or bool((off.argmin(dim=1) == torch.arange(3, device=off.device)).all()):
        return None
    return "a code draws a picture that is nearer to another"


def _draws(tried: _Tried) -> str | None:
    latents, drawn = tried.drawn
    size, affine = tried.generator.space.size, tried.affine
    width = size if affine is None else affine.shape[-1]
    return _misshapen("draw's codes", drawn, (2, size)) or _misshapen("draw's latents", latents, (2, width))


def _draws_by_random(tried: _Tried) -> str | None:
    _, drawn = tried.drawn
    _, again = tried.draw()
    if not torch.equal(drawn, again):
        return f"a random generator of the same seed gives codes that differ by {_apart(drawn, again):.3g}"
    one = torch.equal(drawn[0], drawn[1]) and not tried.one_of_a_kind
    return "both rows of draw(2, random) are equal" if one else None


def _affine(tried: _Tried) -> str | None:
    latents, drawn = tried.drawn
    if tried.affine is None:
        return (
            None
            if torch.equal(latents, drawn)
            else f"there is none, and latents and codes differ by {_apart(latents, drawn):.3g}"
        )
    if wrong := _misshapen("affine_weight()", tried.affine, (drawn.shape[1], latents.shape[1])):
        return wrong
    moved, told = drawn[0] - drawn[1], tried.affine @ (latents[0] - latents[1])
    off = float((moved - told).norm() / moved.norm().clamp(min=1e-12))
    return None if off < TOLERANCE else f"of how two codes differ it tells {100 * off:.3g} % wrong"


def _pictures(tried: _Tried) -> str | None:
    side = tried.generator.resolution
    wrong = _misshapen("render(codes, w, d)", tried.pictures, (2, 3, side, side))
    return wrong or _misshapen("render(code)", tried.alone[0], (1, 3, side, side))


def _range(tried: _Tried) -> str | None:
    low, high = float(tried.pictures.min()), float(tried.pictures.max())
    if max(-low, high) > 1:
        return f"they reach from {low:.3g} to {high:.3g}"
    return f"two of them have nothing below {low:.3g}: are they in [0, 1]?" if low >= 0 else None


def _other_pictures(tried: _Tried) -> str | None:
    apart = _apart(*tried.pictures)
    return None if tried.one_of_a_kind or apart > TOLERANCE else f"two of them differ by {apart:.3g} at most"


def _edits(tried: _Tried) -> str | None:
    (alone,), *_ = tried.alone
    if (apart := _apart(tried.pictures[1], alone)) <= TOLERANCE:
        return None
    again, together = tried.generator.render(tried.codes[1:2])[0], tried.generator.render(tried.codes[:2])[1]
    if (moved := _apart(alone, again)) > TOLERANCE:
        return f"a picture moves by {moved:.3g} each time that it is made"
    if (moved := _apart(again, together)) > TOLERANCE:
        return f"a picture moves by {moved:.3g} where it is made alone"
    return f"they differ by {apart:.3g}"


def _unedited(tried: _Tried) -> str | None:
    apart = _apart(tried.generator.render(tried.codes[:1])[0], tried.pictures[0])
    return None if apart <= TOLERANCE else f"they differ by {apart:.3g}"


def _graph(tried: _Tried) -> str | None:
    if not isinstance(tried.generator, DrawnByGraph) or importlib.util.find_spec("onnxruntime") is None:
        return None
    session = cpu_session(tried.generator.graph, 1)()
    (images,) = session.run(["images"], {"codes": tried.codes[1:2].detach().cpu().numpy()})
    apart = _apart(tried.generator.finished(torch.from_numpy(images)), tried.alone[0].detach().cpu())
    return None if apart <= TOLERANCE else f"they differ by {apart:.3g}"


def _gradients(tried: _Tried) -> str | None:
    picture, code, weight = tried.alone
    if not picture.requires_grad:
        return "none reaches either"
    with torch.enable_grad():
        gradients: Any = torch.autograd.grad(picture.square().sum(), (code, weight), allow_unused=True)
    for what, gradient in zip(("the codes", "the edit weights"), gradients, strict=True):
        if gradient is None or not bool(gradient.any()):
            return f"that of {what} is {'none' if gradient is None else 0}"
        if not bool(gradient.isfinite().all()):
            return f"that of {what} is not finite"
    return None


RULES: Rules[_Tried] = {
    "content_hash is its identity": _identity,
    "resolution is 4 pixels or more": _resolution,
    "space is a StyleSpace, the parts of its code": _space,
    "device is torch's, and to(device) gives the generator": _device,
    "population is how many codes there are, None without end": _population,
    "sample gives float32 codes": _codes,
    "equal seeds give equal codes": _equal_seeds,
    "a code depends on its seed alone": _seeds_alone,
    "other seeds give other codes": _other_seeds,
    "seeds reach to 2³²-1": _last_seed,
    "truncation below 1 pulls codes toward the average": _truncation,
    "runs_on, if it has that, are of torch, native and onnx, with a graph for onnx": _runs_on,
    "batch_size, if it has that, is 1 or more": _batch_size,
    "draw gives float32 latents and codes": _draws,
    "draw takes its random numbers from the generator that is given": _draws_by_random,
    "affine_weight is the derivative of codes to latents, None where they are equal": _affine,
    "render gives float32 pictures": _pictures,
    "pictures lie in [-1, 1], black being -1": _range,
    "other codes give other pictures": _other_pictures,
    "render(codes, w, d) is render(codes + w @ d), row by row": _edits,
    "its graph, if it runs on onnx, draws what render does": _graph,
}
RULES_IN_TESTS: Rules[_Tried] = {
    "render(codes) is render(codes, 0 · w, d)": _unedited,
    "text_directions, if it has that, lead from the neutral prompt to attributes": _text_directions,
    "random_directions, if it has that, are drawn by the generator that is given": _random_directions,
    "encode, if it has that, gives the codes of pictures": _encodes,
}
RULES_OF_GRADIENTS: Rules[_Tried] = {"gradients reach codes and edit weights, as differentiable says": _gradients}


def _misshapen(what: str, result: object, shape: tuple[int, ...]) -> str | None:
    if not isinstance(result, Tensor) or tuple(result.shape) != shape or result.dtype != torch.float32:
        seen = f"{result.dtype} {list(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        return f"{what} must be float32 {list(shape)}, not {seen}"
    return None if bool(result.isfinite().all()) else f"{what} holds NaN or infinity"


def _apart(one: Any, other: Any) -> float:
    return float((one - other).abs().max())
