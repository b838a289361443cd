"""A module's hash follows what it does: neither process, place, order, device nor what it remembers."""

from __future__ import annotations

import copy
import functools
import operator
import os
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from zoom_engine.common.module_hash import module_hash

SOURCE = '''
import functools
import helpers
import torch
from torch import nn
from helpers import brightness
from pathlib import Path

HERE = Path(__file__).parent
OFFSET = 0.5
WORDS = {"up", "down", "left", "right"}
SEEN = {}
CALLS = 0


def stretched(x, *, by=1.0):
    return x * by


class Options:
    def __init__(self, power):
        self.power = power


class Bright(nn.Module):
    rounds = 1

    def __init__(self, gain=8.0):
        super().__init__()
        self.gain, self.options, self.act = gain, Options(2), functools.partial(stretched, by=2.0)
        self.sides = {"left": (1, 2), "right": (3, 4)}
        self.last, self.seen = None, []
        self.layer = nn.Linear(1, 1)
        nn.init.ones_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.register_buffer("mean", torch.zeros(1), persistent=False)

    @property
    def slope(self):
        return self.gain * len(self.sides)

    def told(self):
        return "only printed"

    @torch.no_grad()
    def forward(self, x):
        """Says how bright."""
        global CALLS
        CALLS += 1
        self.last = x.shape
        assert HERE.name
        self.seen.append(x.shape)
        SEEN[x.shape] = True
        found = brightness(x) - self.mean + helpers.shift()
        for _ in range(self.rounds):
            found = self.act(found) ** self.options.power
        if "up" in {"up", "down"} and "up" in WORDS:
            found = (lambda y: y - OFFSET)(found)
        return self.layer(self.slope * found)
'''
HELPERS = """
SHIFT = 0.0


def brightness(x):
    return x.mean((1, 2, 3))[:, None]


def shift():
    return SHIFT


def unused():
    return 1
"""


def made(
    source: str = SOURCE, helpers: str = HELPERS, *, file: str = "somewhere.py", build: str = "Bright()"
) -> nn.Module:
    """A module of code that has no file, beside a module of helpers."""
    beside, written = types.ModuleType("helpers"), types.ModuleType("written")
    written.__file__ = str(Path("/somewhere", file))
    exec(compile(helpers, f"helpers_of_{file}", "exec"), vars(beside))
    before = sys.modules.get("helpers")
    sys.modules["helpers"] = beside
    try:
        exec(compile(source, file, "exec"), vars(written))
    finally:
        sys.modules.pop("helpers")
        if before is not None:
            sys.modules["helpers"] = before
    network: nn.Module = eval(build, vars(written))
    return network


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.slope * found", "self.slope - found"),
        ("** self.options.power", "* self.options.power"),
        ("y - OFFSET", "y + OFFSET"),
        ("OFFSET = 0.5", "OFFSET = 0.75"),
        ('"up", "down", "left", "right"}', '"up", "down"}'),
        ("return x * by", "return x / by"),
        ("by=2.0", "by=3.0"),
        ("gain=8.0", "gain=9.0"),
        ("Options(2)", "Options(3)"),
        ("(3, 4)}", "(3, 5)}"),
        ("rounds = 1", "rounds = 2"),
        ("self.gain * len", "self.gain + len"),
        ("zeros(1), persistent", "ones(1), persistent"),
        ("nn.init.zeros_", "nn.init.ones_"),
        ("nn.Linear(1, 1)", "nn.Linear(1, 2)"),
        ("from helpers import brightness", "from helpers import shift as brightness"),
    ],
)
def test_an_edit_of_what_a_module_does_is_another_module(old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert module_hash(made(SOURCE.replace(old, new))) != module_hash(made())


@pytest.mark.parametrize(("old", "new"), [("SHIFT = 0.0", "SHIFT = 0.1"), ("mean((1, 2, 3))", "amax((1, 2, 3))")])
def test_an_edit_of_a_helper_in_another_file_is_another_module(old: str, new: str) -> None:
    assert module_hash(made(helpers=HELPERS.replace(old, new))) != module_hash(made())


def test_what_no_picture_passes_through_is_no_part_of_it() -> None:
    first = module_hash(made())
    assert module_hash(made(file="moved/elsewhere.py")) == first
    assert module_hash(made("# a remark\n\n\n" + SOURCE.replace("Says how bright.", "Tells how bright."))) == first
    assert module_hash(made(SOURCE.replace("only printed", "printed only"))) == first
    assert module_hash(made(SOURCE + "\nUNUSED = 3\n", HELPERS.replace("return 1", "return 2"))) == first
    assert module_hash(made(SOURCE.replace("Bright", "Brightness"), build="Brightness()")) == first


def test_what_it_remembers_of_pictures_is_no_part_of_it() -> None:
    network = made()
    first = module_hash(network)
    network(torch.rand(2, 3, 4, 4))
    assert network.seen
    assert module_hash(network) == first


def test_what_a_class_of_a_package_remembers_is_no_part_of_it() -> None:
    anchors = AnchorGenerator()
    first = module_hash(anchors)
    anchors(ImageList(torch.rand(1, 3, 8, 8), [(8, 8)]), [torch.rand(1, 3, 4, 4)])
    assert anchors.cell_anchors is not None
    assert module_hash(anchors) == first != module_hash(AnchorGenerator(sizes=((64, 128, 256),)))


def test_copies_modes_and_frozen_parameters_are_the_same() -> None:
    network = made().train()
    first = module_hash(network)
    assert module_hash(copy.deepcopy(network).eval().requires_grad_(False)) == first


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_torch_compiles_is_the_same() -> None:
    network = made()
    first = module_hash(network)
    assert module_hash(torch.compile(network)) == first  # type: ignore[arg-type]


def test_the_device_that_it_notes_is_no_part_of_it() -> None:
    network = made()
    network.device = torch.device("cpu")  # type: ignore[assignment]
    first = module_hash(network)
    network.device = torch.device("meta")  # type: ignore[assignment]
    assert module_hash(network) == first


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_is_the_same_on_another_device() -> None:
    network = made()
    assert module_hash(network) == module_hash(copy.deepcopy(network).cuda())


@pytest.mark.ci
def test_a_new_process_a_moved_file_other_seeds_and_threads_find_the_same(tmp_path: Path) -> None:
    script = "import sys; sys.path.insert(0, '.'); import net, torch\n"
    script += "from zoom_engine.common.module_hash import module_hash\n"
    results = set()
    for number, (seed, threads) in enumerate([("1", "1"), ("77", "2")]):
        folder = tmp_path / f"place{number}"
        folder.mkdir()
        (folder / "net.py").write_text("\n" * number + SOURCE)
        (folder / "helpers.py").write_text(HELPERS)
        ran = subprocess.run(
            [sys.executable, "-c", f"{script}torch.set_num_threads({threads})\nprint(module_hash(net.Bright()))"],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        results.add(ran.stdout.strip())
    assert results == {module_hash(made())}


class Wraps(nn.Module):
    """Calls a function that it was given."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def multiplied(x: Any, by: float) -> Any:
    return x * by


def closed(by: float) -> Callable[[Any], Any]:
    def inner(x: Any) -> Any:
        return x * by

    return inner


def test_functions_are_known_by_what_they_do_and_hold() -> None:
    assert module_hash(Wraps(lambda x: x * 2)) == module_hash(Wraps(lambda x: x * 2))
    assert module_hash(Wraps(lambda x: x * 2)) != module_hash(Wraps(lambda x: x * 3))
    assert module_hash(Wraps(closed(2.0))) == module_hash(Wraps(closed(2.0)))
    assert module_hash(Wraps(closed(2.0))) != module_hash(Wraps(closed(3.0)))
    by = [functools.partial(multiplied, by=number) for number in (2.0, 2.0, 3.0)]
    assert module_hash(Wraps(by[0])) == module_hash(Wraps(by[1])) != module_hash(Wraps(by[2]))
    assert module_hash(Wraps(torch.relu)) != module_hash(Wraps(torch.tanh))
    assert module_hash(Wraps(torch.ops.aten.neg)) != module_hash(Wraps(torch.ops.aten.abs))
    assert module_hash(Wraps("a".join)) != module_hash(Wraps("b".join))
    cached = [functools.lru_cache(closed(number)) for number in (2.0, 2.0, 3.0)]
    assert module_hash(Wraps(cached[0])) == module_hash(Wraps(cached[1])) != module_hash(Wraps(cached[2]))


def test_a_method_that_was_put_on_an_instance_counts() -> None:
    plain, patched = nn.Linear(2, 2), nn.Linear(2, 2)
    patched.load_state_dict(plain.state_dict())
    assert module_hash(plain) == module_hash(patched)
    patched.forward = types.MethodType(lambda self, x: 2 * x, patched)  # type: ignore[method-assign]
    assert module_hash(plain) != module_hash(patched)


def test_a_network_in_a_list_counts() -> None:
    def hidden(weight: float) -> nn.Module:
        network = Wraps(torch.relu)
        network.function = [nn.Linear(1, 1)]  # type: ignore[assignment]
        nn.init.constant_(network.function[0].weight, weight)  # type: ignore[index]
        nn.init.zeros_(network.function[0].bias)  # type: ignore[index]
        return network

    assert module_hash(hidden(1.0)) == module_hash(hidden(1.0)) != module_hash(hidden(2.0))


class WithExtra(nn.Module):
    """Keeps a number beside its weights, as quantising modules do."""

    def __init__(self, extra: Any) -> None:
        super().__init__()
        self.layer, self._kept = nn.Identity(), [extra]

    def get_extra_state(self) -> Any:
        return {"kept": self._kept[0]}

    def forward(self, x: Any) -> Any:
        return x


def test_extra_state_counts() -> None:
    first = module_hash(WithExtra(1.5))
    assert module_hash(WithExtra(1.5)) == first != module_hash(WithExtra(2.5))
    assert module_hash(WithExtra(torch.ones(2))) != module_hash(WithExtra(torch.zeros(2)))


@pytest.mark.filterwarnings("ignore")
def test_dynamically_quantised_weights_count() -> None:
    def quantised(weight: float) -> nn.Module:
        network = nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 2))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(weight * torch.arange(parameter.numel()).view_as(parameter))
        with warnings.catch_warnings(action="ignore"):
            return torch.ao.quantization.quantize_dynamic(network, {nn.Linear, nn.LSTM})  # type: ignore[no-any-return]

    assert module_hash(quantised(1.0)) == module_hash(quantised(1.0)) != module_hash(quantised(2.0))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_programs_in_memory_are_known_by_their_code() -> None:
    def scripted(negative: bool) -> nn.Module:
        return torch.jit.trace(Wraps(torch.neg if negative else torch.abs), torch.ones(1, 3))  # type: ignore[no-any-return, no-untyped-call]

    assert module_hash(scripted(True)) == module_hash(scripted(True)) != module_hash(scripted(False))
    graphs = [torch.fx.symbolic_trace(Wraps(function)) for function in (torch.neg, torch.neg, torch.abs)]
    assert module_hash(graphs[0]) == module_hash(graphs[1]) != module_hash(graphs[2])


def test_what_cannot_be_read_is_known_by_its_kind() -> None:
    class Odd:
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise TypeError("no")

    first, second = (Wraps(torch.relu) for _ in range(2))
    for network in (first, second):
        network.function = (Odd(), network, torch.Generator(), (n for n in ()))  # type: ignore[assignment]
    assert module_hash(first) == module_hash(second)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.text())
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_a_plain_attribute_is_known_by_its_value(value: Any) -> None:
    def holding(value: Any) -> str:
        network = nn.Identity()
        network.value = value
        return module_hash(network)

    assert holding(value) == holding(copy.deepcopy(value)) != holding([value])


class Counting(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return x


class Dotted(nn.Module):
    """Reads an object that it holds by one text."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.settings = types.SimpleNamespace(of_output=types.SimpleNamespace(gain=gain))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = operator.attrgetter("settings.of_output.gain")(self) * x
        return result


def test_what_is_read_by_a_text_with_dots_counts() -> None:
    assert module_hash(Dotted(2.0)) == module_hash(Dotted(2.0)) != module_hash(Dotted(3.0))


def test_what_a_network_counts_of_itself_is_no_part_of_it() -> None:
    assert module_hash(Counting(0)) == module_hash(Counting(5))


def test_bytes_between_the_fields_of_an_array_do_not_count() -> None:
    """Nodes of trees lie so in memory, and the bytes between are whatever was there before."""
    kind = np.dtype([("leaf", np.uint8), ("value", np.float64)], align=True)
    first, second, other = (Counting(0) for _ in range(3))
    for module, filling, value in ((first, 0, 0.0), (second, 1, 0.0), (other, 0, 1.0)):
        memory = np.full(kind.itemsize, filling, np.uint8)
        nodes = memory.view(kind)
        nodes["leaf"], nodes["value"] = 1, value
        module.forward = functools.partial(max, nodes)  # type: ignore[method-assign]
    assert module_hash(first) == module_hash(second) != module_hash(other)
