"""Target networks and image towers on OpenVINO: torch's answers, torch's gradients, and torch where it must be."""

from __future__ import annotations

import copy
import gc
import logging
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoom_engine import load_generator, load_target
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.evaluation.objectives import doubtful_labels, zero_shot_labels
from zoom_engine.runtime import choose_synthesizer, compiled_target, compiled_text_encoder
from zoom_engine.runtime.compiled_networks import CompiledNetwork, _converted
from zoom_engine.runtime.openvino_session import OpenVinoSession
from zoom_engine.runtime.select import Synthesizer
from zoom_engine.targets import Target, save_onnx
from zoom_engine.targets.target import probe_images
from zoom_engine.text import TextEncoder

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return choose_synthesizer(load_generator("avatars"), backend="openvino", precision="fp32")


@pytest.fixture(scope="module")
def pictures(synthesizer: Synthesizer) -> Tensor:
    generator = synthesizer.generator
    return synthesizer.render(generator.styles(generator.mapping(generator.latents(range(7)))))


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    domain = find_domain("avatars")
    assert domain is not None
    return domain.text_encoder()


def test_a_target_answers_as_before_and_is_the_same_target(synthesizer: Synthesizer, pictures: Tensor) -> None:
    target = load_target("avatars:eyeglasses")
    compiled, runs = compiled_target(target, synthesizer)
    assert runs == "openvino fp32"
    assert isinstance(compiled.network, CompiledNetwork)
    assert compiled.describe() == target.describe()
    with torch.no_grad():
        torch.testing.assert_close(compiled(pictures), target(pictures), rtol=1e-4, atol=1e-4)
        assert torch.equal(compiled(pictures)[2:3], compiled(pictures[2:3]))  # picture by picture, not a bit apart
    assert compiled_target(compiled, synthesizer) == (compiled, runs)


def test_an_onnx_target_runs_as_it_came(
    synthesizer: Synthesizer, pictures: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_onnx(load_target("avatars:eyeglasses"), tmp_path / "target.onnx", resolution=128)
    target = load_target(tmp_path / "target.onnx")
    wanted = load_target("avatars:eyeglasses")(pictures)

    def convert(*_: object) -> None:
        raise AssertionError("nothing is converted for a forward pass")

    monkeypatch.setattr("zoom_engine.runtime.compiled_networks._converted", convert)
    monkeypatch.setattr("zoom_engine.targets.onnx.graph.OnnxGraph.forward", convert)
    compiled, runs = compiled_target(target, synthesizer)
    assert runs == "openvino fp32"
    with torch.no_grad():
        torch.testing.assert_close(compiled(pictures), wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(target(pictures), wanted, rtol=1e-4, atol=1e-4)


def test_a_network_is_compiled_once_and_again_when_its_weights_change(
    synthesizer: Synthesizer, pictures: Tensor
) -> None:
    shipped = load_target("avatars:eyeglasses")
    network = copy.deepcopy(shipped.network)

    def compiled() -> tuple[Target, Target]:
        target = Target(network, name="t", task=shipped.task, preprocessing=shipped.preprocessing)
        return target, compiled_target(target, synthesizer)[0]

    sessions = [compiled()[1].network.session for _ in range(2)]
    assert sessions[0] is sessions[1]
    with torch.no_grad():
        network.head.weight.mul_(-2)
        tuned, fast = compiled()
        torch.testing.assert_close(fast(pictures), tuned(pictures), rtol=1e-4, atol=1e-4)


def test_a_target_of_a_network_that_another_was_compiled_of_too_outlives_that_one(
    synthesizer: Synthesizer, pictures: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compiles again for a single picture, which gets all threads where they are many."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    save_onnx(load_target("avatars:eyeglasses"), tmp_path / "target.onnx", resolution=128)
    target = load_target(tmp_path / "target.onnx")
    first, other = (compiled_target(target, synthesizer)[0] for _ in range(2))
    assert first.network.session is other.network.session
    del other
    gc.collect()
    with torch.no_grad():
        torch.testing.assert_close(first(pictures[:1]), target(pictures[:1]), rtol=1e-4, atol=1e-4)


def test_gradients_stay_those_of_torch(synthesizer: Synthesizer, pictures: Tensor) -> None:
    target = load_target("avatars:eyeglasses")
    result, wanted = [], []
    for judge, into in ((compiled_target(target, synthesizer)[0], result), (target, wanted)):
        leaf = pictures[:2].clone().requires_grad_(True)
        into += torch.autograd.grad(judge(leaf).sum(), leaf)
    assert torch.equal(result[0], wanted[0])


def test_a_text_encoder_sees_as_before(synthesizer: Synthesizer, pictures: Tensor, encoder: TextEncoder) -> None:
    compiled, runs = compiled_text_encoder(encoder, synthesizer)
    assert runs == "openvino fp32"
    assert compiled.content_hash == encoder.content_hash
    assert compiled.words == encoder.words
    with torch.no_grad():
        torch.testing.assert_close(
            compiled.embed_images(pictures), encoder.embed_images(pictures), rtol=1e-4, atol=1e-5
        )
    assert torch.equal(compiled.embed_texts(["a face"]), encoder.embed_texts(["a face"]))


def test_an_encoder_that_measures_looks_at_several_pictures_as_at_each_alone(
    synthesizer: Synthesizer, encoder: TextEncoder
) -> None:
    compiled, _ = compiled_text_encoder(encoder, synthesizer)
    pictures = probe_images(64, 64, count=4 * 2 * torch.get_num_threads() + 3)  # whole rounds, and what is left
    with torch.no_grad():
        one_by_one = torch.cat([compiled.embed_images(picture[None]) for picture in pictures])
        assert torch.equal(compiled.embed_images(pictures), one_by_one)


class Recording(OpenVinoSession):
    """Keeps how many rows requests took."""

    def _fill(self, outputs: Any, inputs: Any, starts: range, streams: int, images: int) -> None:
        self.rows = [*getattr(self, "rows", []), *[images] * len(starts)]
        super()._fill(outputs, inputs, starts, streams, images)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_share_a_request_only_where_that_changes_no_bit(threads: int) -> None:
    rows = torch.randn(11, 5, generator=torch.Generator().manual_seed(0))
    for network, wanted in ((lambda x: x.relu(), True), (lambda x: x - x.mean(0), False)):
        session = Recording(_of_one_row(network), threads=threads)
        assert session.take_together(4, {"x": rows}) is wanted
        session.rows = []
        result = session.run({"x": rows})["outputs"]
        torch.testing.assert_close(result, torch.cat([network(row[None]) for row in rows]))
        assert session.rows == [4] * 3 if wanted else [1] * 11, "the last request is filled up"
        assert list(session._networks) == [(threads, 4 if wanted else 1)], "weights are held once"


def test_nothing_is_left_to_compute_of_weights_alone() -> None:
    """Each compiled form would hold the result again: attention's weights for queries, keys and values are cut up."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval().requires_grad_(False)

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, x: Tensor) -> Tensor:
            attended: Tensor = self.attention(x, x, x, need_weights=False)[0]
            return attended

    with torch.no_grad():
        model: Any = _converted(Attending().eval(), torch.zeros(1, 3, 8))
    computed = [op for op in model.get_ordered_ops() if op.get_input_size()]
    assert computed
    for op in computed:
        sources = {op.input_value(i).get_node().get_type_name() for i in range(op.get_input_size())}
        assert sources != {"Constant"}, op


def test_rows_do_not_share_a_request_where_the_graph_is_of_one() -> None:
    session = OpenVinoSession(_of_one_row(lambda x: x.reshape(1, 5) * 2), threads=2)
    rows = torch.ones(9, 5)
    assert not session.take_together(4, {"x": rows})
    assert torch.equal(session.run({"x": rows})["outputs"], 2 * rows)


def _of_one_row(network: Callable[[Tensor], Tensor]) -> Any:
    """OpenVINO's model of a network for ``[1, 5]``, traced as those of others are."""

    class Traced(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return network(x)

    return _converted(Traced(), torch.zeros(1, 5))


@pytest.mark.skipif(not bf16_in_hardware(), reason="no bf16 arithmetic here")
def test_an_encoder_says_in_which_precision_it_looks(
    synthesizer: Synthesizer, pictures: Tensor, encoder: TextEncoder
) -> None:
    exact, _ = compiled_text_encoder(encoder, synthesizer)
    rough, runs = compiled_text_encoder(exact, synthesizer, precision="bf16")
    again, _ = compiled_text_encoder(rough, synthesizer)
    assert (exact.precision, rough.precision, again.precision, runs) == ("fp32", "bf16", "fp32", "openvino bf16")
    with torch.no_grad():
        embedded = [encoder_.embed_images(pictures) for encoder_ in (exact, rough, again)]
    assert torch.equal(embedded[0], embedded[2])
    assert 0 < float((embedded[0] - embedded[1]).abs().max()) < 0.05


def test_a_network_is_converted_once_for_all_precisions_and_nobody_is_told_of_it(
    synthesizer: Synthesizer, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO's own `convert_model` sends a report of each conversion, unless the user has forbidden it."""
    fresh = TextEncoder(copy.deepcopy(encoder.model), encoder.tokenizer, name="fresh")
    traced: list[object] = []
    trace = torch.jit.trace
    monkeypatch.setattr(torch.jit, "trace", lambda *a, **k: traced.append(a) or trace(*a, **k))
    monkeypatch.setattr(
        "openvino_telemetry.Telemetry.send_event", lambda *_, **__: pytest.fail("a report was sent"), raising=False
    )
    exact, runs = compiled_text_encoder(fresh, synthesizer)
    _, rough = compiled_text_encoder(exact, synthesizer, precision="bf16")
    assert (runs, rough) == ("openvino fp32", "openvino bf16")
    assert len(traced) == 1


@pytest.mark.ci
@pytest.mark.skipif(not bf16_in_hardware(), reason="no bf16 arithmetic here")
def test_an_encoder_in_bf16_leaves_no_doubt_about_most_labels(synthesizer: Synthesizer, encoder: TextEncoder) -> None:
    """And is right where it leaves none: of prompts of which unedited pictures are spread over both."""
    exact, _ = compiled_text_encoder(encoder, synthesizer)
    rough, _ = compiled_text_encoder(exact, synthesizer, precision="bf16")
    assert exact.rounding is None
    assert rough.rounding is not None
    with torch.no_grad():
        pictures = synthesizer.render(synthesizer.generator.sample(range(200)))
        wanted, result = exact.embed_images(pictures), rough.embed_images(pictures)
    for prompts in (["a young face", "an old face"], ["a male face", "a female face"]):
        labels = exact.embed_texts(prompts)
        doubtful = doubtful_labels(result, labels, rough.rounding)
        assert doubtful.sum() < 40
        same = zero_shot_labels(result, labels) == zero_shot_labels(wanted, labels)
        assert bool((same | doubtful).all())


class Branching(nn.Module):
    """Answers bright pictures otherwise than dark ones: a trace holds one of the two ways."""

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(1, 2, 3))
        return means if bool(means.mean() > 0) else -means


class Unknown(nn.Module):
    """An operator that OpenVINO does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.i0(x).mean(dim=(1, 2, 3))


@pytest.mark.parametrize("network", [Branching(), Unknown()])
def test_what_openvino_cannot_take_stays_with_torch_and_says_so(network: nn.Module, synthesizer: Synthesizer) -> None:
    target = load_target(network, name="odd", kind="logits")
    compiled, runs = compiled_target(target, synthesizer)
    assert compiled is target
    assert runs.startswith("torch: OpenVINO does not take it (")
    assert "\n" not in runs


class Talkative(nn.Module):
    """Logs as it is looked through, as models of transformers do."""

    @property
    def loss(self) -> None:
        logging.getLogger("transformers.models").warning("no loss is set")

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def test_what_a_model_of_transformers_logs_as_it_is_traced_reaches_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logging.getLogger("transformers"), "handlers", [handler])
    _converted(Talkative(), torch.rand(1, 3, 8, 8))
    assert "no loss" not in capsys.readouterr().err


def test_only_where_openvino_draws(encoder: TextEncoder) -> None:
    target: Target = load_target("avatars:eyeglasses")
    plain = choose_synthesizer(load_generator("avatars"), backend="torch")
    assert compiled_target(target, plain) == (target, "torch")
    assert compiled_text_encoder(encoder, plain) == (encoder, "torch")


def test_a_dropped_target_frees_what_was_compiled_of_it(synthesizer: Synthesizer) -> None:
    """It is kept as long as the target is, for the next audit of the same one, and no longer."""
    torch.manual_seed(0)
    target = load_target(
        nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 1))
    )
    compiled, runs = compiled_target(target, synthesizer)
    assert runs == "openvino fp32"
    assert isinstance(compiled.network, CompiledNetwork)
    session = weakref.ref(compiled.network.session)
    del compiled
    gc.collect()
    assert session() is not None
    del target
    gc.collect()
    assert session() is None
