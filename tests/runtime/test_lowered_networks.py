"""Networks in bfloat16 for gradients: near float32's where they are used, left alone where they are not."""

from __future__ import annotations

import copy
import gc
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine import load_generator, load_target
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.runtime import choose_synthesizer, compiled_target, compiled_text_encoder
from zoom_engine.runtime.lowered_networks import LEAST_COSINE, LoweredNetwork, lowered_network
from zoom_engine.targets.target import probe_images

NET = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 3), nn.Flatten(), nn.Linear(8 * 28 * 28, 2))


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with bfloat16 in hardware."""
    monkeypatch.setattr("zoom_engine.runtime.lowered_networks.bf16_in_hardware", lambda: True)


class Steep(nn.Module):
    """Its gradient is the sign of a difference that bfloat16 rounds away."""

    def forward(self, x: Tensor) -> Tensor:
        return ((x + 100) - 100 - x.detach().mean()).abs().sum(dim=(1, 2, 3))[:, None]


class Typed(nn.Module):
    """A network that insists on float32."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) @ torch.ones(3, 1)


@pytest.mark.usefixtures("bf16")
def test_a_network_is_followed_in_bf16_and_stays_what_it_is() -> None:
    example = probe_images(32, 32)
    before = {name: value.clone() for name, value in NET.state_dict().items()}
    lowered, runs = lowered_network(NET, example)
    assert (type(lowered), runs) == (LoweredNetwork, "bf16")
    outputs = lowered(example)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, NET(example), rtol=0.05, atol=0.05)
    assert not torch.equal(outputs, NET(example))
    assert all(torch.equal(value, before[name]) for name, value in NET.state_dict().items())


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("ends", [(), (nn.LogSigmoid(),)])
def test_outputs_far_from_zero_keep_small_differences(ends: tuple[nn.Module, ...]) -> None:
    """In bfloat16 neighbours of 14 are 1/16 away: a margin there would stand still while pictures move."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 64), nn.Tanh(), nn.Linear(64, 1), *ends)
    with torch.no_grad():
        network[3].bias.fill_(-14.0)
    pictures = probe_images(32, 32)
    steps = torch.cat([torch.lerp(pictures[:1], pictures[1:2], k / 64) for k in range(9)])
    lowered, _ = lowered_network(network, pictures)
    with torch.no_grad():
        moved, wanted = (judge(steps) - judge(steps[:1]) for judge in (lowered, network))
    assert float(wanted.abs().max()) < 1 / 16
    torch.testing.assert_close(moved, wanted, rtol=0.2, atol=0.003)


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize(("network", "why"), [(Steep(), "its gradients turn"), (Typed(), "does not compute in bf16")])
def test_what_bf16_would_turn_or_break_is_left_alone(network: nn.Module, why: str) -> None:
    result, runs = lowered_network(network, probe_images(16, 16))
    assert result is network
    assert runs.startswith("fp32: ")
    assert why in runs
    assert "\n" not in runs


@pytest.mark.usefixtures("bf16")
def test_it_is_made_once_of_a_module_as_long_as_that_is_the_same_and_there() -> None:
    network, example = copy.deepcopy(NET), probe_images(32, 32)
    first, again, changed = (lowered_network(network, example, made_of=(network, content))[0] for content in "aab")
    assert again is first
    assert changed is not first
    assert isinstance(first, LoweredNetwork)
    gone = weakref.ref(first)
    del first, again, changed, network
    gc.collect()
    assert gone() is None


def test_no_bf16_arithmetic_no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoom_engine.runtime.lowered_networks.bf16_in_hardware", lambda: False)
    assert lowered_network(NET, probe_images(32, 32)) == (NET, "fp32: no bf16 arithmetic here")


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("name", ["eyeglasses", "mustache"])
def test_targets_of_the_avatars_point_where_they_did(name: str) -> None:
    synthesizer = choose_synthesizer(load_generator("avatars"), backend="torch")
    target = load_target(f"avatars:{name}")
    followed, runs = compiled_target(target, synthesizer, lower=True)
    assert runs.endswith("; gradients by torch in bf16")
    pictures = synthesizer.render(synthesizer.generator.sample(range(6)))
    with torch.no_grad():
        assert torch.equal(followed(pictures), target(pictures)), "forward passes stay in float32"
    slopes = []
    for judge in (followed, target):
        leaf = pictures.clone().requires_grad_(True)
        slopes += torch.autograd.grad(judge(leaf).sum(), leaf)
    assert float(F.cosine_similarity(slopes[0].flatten(1), slopes[1].flatten(1)).min()) > LEAST_COSINE


@pytest.mark.usefixtures("bf16")
def test_a_text_encoder_is_followed_too() -> None:
    domain = find_domain("avatars")
    assert domain is not None
    synthesizer = choose_synthesizer(load_generator("avatars"), backend="torch")
    encoder = domain.text_encoder()
    followed, runs = compiled_text_encoder(encoder, synthesizer, lower=True)
    assert runs.endswith("; gradients by torch in bf16")
    pictures = synthesizer.render(synthesizer.generator.sample(range(3)))
    with torch.no_grad():
        assert torch.equal(followed.embed_images(pictures), encoder.embed_images(pictures))
    near = followed.embed_images(pictures.clone().requires_grad_(True)).detach()
    assert float(F.cosine_similarity(near, encoder.embed_images(pictures)).min()) > 0.99


def test_only_where_bf16_multiplies() -> None:
    synthesizer = choose_synthesizer(load_generator("avatars"), backend="torch")
    _, runs = compiled_target(load_target("avatars:eyeglasses"), synthesizer, lower=True)
    assert ("bf16" in runs.partition("gradients")[2].partition(":")[0]) == bf16_in_hardware()


class LookedAtByAnother(nn.Module):
    """While it answers, another thread has one of its layers run, as audits of one domain's target do."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 1), nn.Linear(4 * 16, 2)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).flatten(1))
        other = threading.Thread(target=self.body, args=(x.detach(),))
        other.start()
        other.join()
        return outputs


def test_the_last_layer_is_the_one_that_ran_last_here_whatever_other_threads_run(bf16: None) -> None:
    network, _ = lowered_network(LookedAtByAnother(), probe_images(4, 4))
    assert isinstance(network, LoweredNetwork)
    assert next(network.network.head.parameters()).dtype == torch.float32
    assert next(network.network.body.parameters()).dtype == torch.bfloat16
