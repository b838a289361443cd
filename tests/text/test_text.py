"""TextEncoder over a real, tiny, randomly initialised open_clip model."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import threading
import time
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from registered import a_domain, register
from safetensors.torch import save_file

from zoom_engine.common import registry
from zoom_engine.common.errors import TextEncoderError
from zoom_engine.text import TextEncoder, find_templates, load_text_encoder, text_encoder_for
from zoom_engine.text.load import _Unset
from zoom_engine.text.templates import GENERAL

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
    "resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8},
}


def write_model(folder: Path, *, tower: str = "vit", text: dict[str, Any] = TEXT, save: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_cfg": {"embed_dim": 12, "vision_cfg": TOWERS[tower], "text_cfg": text},
        "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    if save:
        torch.manual_seed(3)
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TextEncoder:
    return load_text_encoder(folder)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a text encoder opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def picture(size: int | tuple[int, int], *, seed: int = 0, batch: int = 1) -> torch.Tensor:
    noise = torch.rand(batch, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return F.interpolate(noise, size=size, mode="bilinear")


def test_texts_are_the_renormalised_mean_over_templates(encoder: TextEncoder) -> None:
    templates = ("{}", "a photo of {}")
    rows = encoder.embed_texts(["a beard", "a smile"], templates=templates)
    assert rows.shape == (2, encoder.dim) == (2, 12)
    assert rows.dtype == torch.float32
    for row, prompt in zip(rows, ["a beard", "a smile"], strict=True):
        normalised = []
        for template in templates:
            tokens = encoder.tokenizer([template.replace("{}", prompt)], context_length=16)
            vector = encoder.model.encode_text(tokens)[0]
            normalised.append(vector / vector.norm())
        mean = (normalised[0] + normalised[1]) / 2
        torch.testing.assert_close(row, mean / mean.norm())


@pytest.mark.parametrize(
    "layer",
    [
        lambda: torch.nn.Linear(4, 4),
        lambda: torch.nn.Conv2d(3, 4, 3),
        lambda: torch.nn.Embedding(4, 4),
        lambda: torch.nn.MultiheadAttention(4, 2),
    ],
)
def test_no_weights_are_drawn_before_those_of_a_file(layer: Callable[[], object]) -> None:
    """Of a ViT-B/32 that takes longer than to read them."""
    state = torch.random.get_rng_state()
    with _Unset():
        layer()
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (2.9, 3.0)])
def test_weights_that_are_drawn_until_they_lie_within_bounds_do_not_wait_for_ever(bounds: tuple[float, float]) -> None:
    weights = torch.full((4, 4), 99.0)  # what memory may hold
    with warnings.catch_warnings(), _Unset():
        warnings.simplefilter("ignore")  # bounds far from the mean
        torch.nn.init.trunc_normal_(weights, a=bounds[0], b=bounds[1])
    assert bool((weights < 99).all())


@pytest.mark.parametrize("causal", [True, False])
def test_what_no_token_sees_is_not_computed(folder: Path, causal: bool) -> None:
    """Sentences are read up to the last end of a batch where no token sees those after it, else whole."""
    encoder, read = load_text_encoder(folder), []
    if not causal:
        encoder.model.attn_mask[0, 1] = 0.0
    encoder.model.token_embedding.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].shape[1]))
    prompts = ["a beard", "a smile of an old man"]
    rows = encoder.embed_texts(prompts)
    assert read == [8 if causal else 16]
    whole = encoder.model.encode_text(encoder.tokenizer(prompts, context_length=16), normalize=True)
    torch.testing.assert_close(rows, whole)


def test_the_same_texts_are_read_once(folder: Path) -> None:
    """By an encoder and by those whose image tower alone is another; what a caller does with the result is its own."""
    encoder, read = load_text_encoder(folder), []
    encoder.model.token_embedding.register_forward_pre_hook(lambda *_: read.append(1))
    prompts, templates = ["a beard", "a smile of an old man"], ("{}", "a photo of {}")
    first = encoder.embed_texts(prompts, templates=templates)
    other = encoder.replaced(image_tower=encoder.image_tower, precision="bf16")
    encoder.embed_texts(prompts, templates=templates).zero_()
    assert torch.equal(other.embed_texts(prompts, templates=templates), first)
    assert other.content_hash == encoder.content_hash
    assert other.precision == "bf16"
    assert len(read) == 2, "and what tells the other's width"
    fewer = (
        encoder.embed_texts(["a beard", "a photo of a beard"]),
        encoder.embed_texts(["a beard"], templates=templates),
    )
    assert [len(rows) for rows in fewer] == [2, 1], "the same sentences, as two prompts and as one"


@pytest.mark.parametrize("size", [32, 57, 128, 20, (40, 64), (75, 50)])
def test_images_go_through_the_models_own_preprocessing(encoder: TextEncoder, size: int | tuple[int, int]) -> None:
    """Against open_clip's transform on the PIL image; only the 8-bit rounding between may differ."""
    images = picture(size, batch=2)
    transform = open_clip.image_transform(
        32, is_train=False, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), interpolation="bicubic"
    )
    array = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    pil = torch.stack([transform(Image.fromarray(np.ascontiguousarray(a))) for a in array])
    expected = encoder.model.encode_image(pil, normalize=True)
    torch.testing.assert_close(encoder.embed_images(images), expected, atol=5e-3, rtol=0)


def test_image_embedding_is_differentiable_and_clamped(encoder: TextEncoder) -> None:
    images = picture(48).double().requires_grad_(True)
    direction = F.normalize(torch.randn(12, generator=torch.Generator().manual_seed(1)), dim=0)
    score = (encoder.embed_images(images) @ direction).sum()
    (gradient,) = torch.autograd.grad(score, images)
    step = F.normalize(gradient.flatten(), dim=0).view_as(gradient) * 0.5
    with torch.no_grad():
        ends = [(encoder.embed_images(images + s * step) @ direction).sum().item() for s in (1, -1)]
    assert ends[0] - ends[1] == pytest.approx(2 * 0.5 * gradient.norm().item(), rel=0.05)
    torch.testing.assert_close(encoder.embed_images(images * 0 + 9), encoder.embed_images(images * 0 + 1))


@pytest.mark.parametrize("tower", ["vit", "resnet"])
def test_frozen_and_hashed_by_content(tmp_path: Path, tower: str) -> None:
    one = load_text_encoder(write_model(tmp_path / "a", tower=tower))
    two = load_text_encoder(f"local-dir:{write_model(tmp_path / 'b', tower=tower)}")
    assert one.content_hash == two.content_hash
    assert not one.train(True).model.training
    assert not any(p.requires_grad for p in one.parameters())
    batch = picture(32, batch=3)
    torch.testing.assert_close(one.embed_images(batch)[:1], one.embed_images(batch[:1]))
    with torch.no_grad():
        next(two.model.parameters()).view(-1)[0] += 1e-3
    assert TextEncoder(two.model, two.tokenizer, name="b").content_hash != one.content_hash
    assert load_text_encoder(one) is one


@pytest.mark.parametrize("change", ["activation", "heads", "pool", "mask", "case"])
def test_what_no_weight_shows_is_part_of_the_identity(folder: Path, tmp_path: Path, change: str) -> None:
    """The caches gave what ViT-B-32 saw to ViT-B-32-quickgelu, which reads the same file of weights."""
    shutil.copytree(folder, tmp_path / "other")
    path = tmp_path / "other" / "open_clip_config.json"
    config = json.loads(path.read_text())
    model = config["model_cfg"]
    {
        "activation": lambda: model.update(quick_gelu=True),
        "heads": lambda: model["vision_cfg"].update(head_width=4),
        "pool": lambda: model["vision_cfg"].update(pool_type="avg"),
        "mask": lambda: model["text_cfg"].update(no_causal_mask=True),
        "case": lambda: model["text_cfg"].update(tokenizer_kwargs={"clean": "whitespace"}),
    }[change]()
    path.write_text(json.dumps(config))
    one, other = load_text_encoder(folder), load_text_encoder(tmp_path / "other")
    pictures, texts = picture(32, batch=2), ["a Beard"]
    same = torch.equal(one.embed_images(pictures), other.embed_images(pictures))
    assert not (same and torch.equal(one.embed_texts(texts), other.embed_texts(texts)))
    assert other.content_hash != one.content_hash


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        ("", "empty"),
        ("  \t ", "empty"),
        ("a face\x00", r"U\+0000"),
        ("a face\nwith", r"U\+000A"),
        ("a \u202eface", r"U\+202E"),
        ("hat " * 15, "takes 17 tokens"),
        ("x" * 5000, "5000 characters"),
        ("a face <end_of_text> with glasses", "special token"),
        ("&nbsp;", "no text left"),
        (7, "must be a string"),
    ],
)
def test_hostile_prompts_are_refused_in_one_line(encoder: TextEncoder, prompt: Any, complaint: str) -> None:
    with pytest.raises(TextEncoderError, match=complaint) as caught:
        encoder.embed_texts([prompt])
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_longest_prompt_that_fits_is_read_whole(encoder: TextEncoder) -> None:
    fits = encoder.embed_texts(["hat " * 14, "hat " * 13 + "cap"])
    assert (fits[0] - fits[1]).abs().max() > 1e-3


def test_templates_are_filled_not_formatted(encoder: TextEncoder) -> None:
    braces = encoder.embed_texts(["{0.__class__}"], templates=["a {}"])
    torch.testing.assert_close(braces, encoder.embed_texts(["a {0.__class__}"]))
    for template in ("a face", "{} {}"):
        with pytest.raises(TextEncoderError, match="exactly once"):
            encoder.embed_texts(["a beard"], templates=[template])


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("ViT-B-32:openai", r"hf download timm/vit_base_patch32_clip_224.openai open_clip_model.safetensors"),
        (
            "ViT-B-32:openai",
            r"with --download \(download=True in Python\), .*, or give the file as 'ViT-B-32-quickgelu:FILE'",
        ),
        ("ViT-B-32:laion2b_s34b_b79k", r"or give the file as 'ViT-B-32:FILE'"),
        ("ViT-B-16-SigLIP:webli", r"or give the file as 'ViT-B-16-SigLIP:FILE'"),
        ("ViT-L-14:laion2b_s32b_b82k", r"fetch \S+ once with 'hf download [^']*' \(to [^)]*\)$"),
        ("ViT-B-32:nonsense", "no such file: its tags are openai"),
        ("ViT-B-32", "NAME:TAG such as ViT-B-32:openai"),
        ("ViT-Z-99:openai", "no model 'ViT-Z-99'"),
        ("hf-hub:nobody/nothing", "with --download .*, or fetch it once with 'hf download nobody/nothing'"),
        ("hf-hub:a/b/c/d", "no Hugging Face repository"),
        ("no-such-domain", "no text encoder 'no-such-domain'"),
        ("local-dir:/does/not/exist", "open_clip_config.json is missing"),
    ],
)
def test_what_is_missing_is_named(spec: str, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(TextEncoderError, match=complaint) as caught:
        load_text_encoder(spec)
    assert "\n" not in str(caught.value)


@pytest.fixture
def tiny_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """open_clip knows "tiny" with the tag "owner" then; the folder of its snapshot in an empty Hugging Face cache."""
    config = {"embed_dim": 12, "vision_cfg": TOWERS["vit"], "text_cfg": TEXT}
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "tiny.json").write_text(json.dumps(config))
    for name in ("_MODEL_CONFIG_PATHS", "_MODEL_CONFIGS"):
        monkeypatch.setattr(f"open_clip.factory.{name}", getattr(open_clip.factory, name).copy())
    open_clip.add_model_config(tmp_path / "configs")
    known = {"hf_hub": "owner/tiny/", "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25), "quick_gelu": True}
    monkeypatch.setattr(
        open_clip, "get_pretrained_cfg", lambda name, tag: known if (name, tag) == ("tiny", "owner") else {}
    )
    monkeypatch.setattr(open_clip, "list_pretrained_tags_by_model", lambda name: ["owner"] if name == "tiny" else [])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--owner--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    return repository / "snapshots" / ("0" * 40)


def test_a_model_by_name_and_tag_is_read_from_the_cache_with_what_belongs_to_the_tag(
    tiny_model: Path, folder: Path
) -> None:
    with pytest.raises(TextEncoderError, match=r"hf download owner/tiny open_clip_model\.safetensors"):
        load_text_encoder("tiny:owner")
    tiny_model.mkdir(parents=True)
    weights = tiny_model / "open_clip_model.safetensors"
    weights.write_bytes((folder / "open_clip_model.safetensors").read_bytes())
    by_tag = load_text_encoder("tiny:owner")
    assert by_tag.mean.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])
    by_file = load_text_encoder(f"tiny:{weights}")
    assert by_file.preprocessing == by_tag.preprocessing, "of a name whose tags all have it"
    difference = (by_tag.embed_texts(["a smiling face"]) - by_file.embed_texts(["a smiling face"])).abs().max()
    assert difference > 1e-4  # the tag's activation is QuickGELU, which the name alone does not say
    assert text_encoder_for("avatars", "tiny:owner").content_hash == by_tag.content_hash


def test_a_file_of_a_model_whose_tags_differ_in_scale_is_refused_with_what_says_it(
    tiny_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was shown pictures on open_clip's own scale."""
    of_tags = {"owner": {"hf_hub": "owner/owner/"}, "other": {"hf_hub": "owner/other/", "mean": (0.5, 0.5, 0.5)}}
    monkeypatch.setattr(open_clip, "list_pretrained_tags_by_model", lambda name: list(of_tags))
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda name, tag: of_tags.get(tag, {}))
    with pytest.raises(TextEncoderError, match=r"give the tag of its weights, tiny:TAG, or a folder with open_clip_"):
        load_text_encoder(f"tiny:{folder / 'open_clip_model.safetensors'}")
    with pytest.raises(TextEncoderError, match="hf download owner/owner ") as caught:
        load_text_encoder("tiny:owner")
    assert "tiny:FILE" not in str(caught.value)
    of_tags["other"] = {"hf_hub": "owner/other/", "resize_mode": "squash"}
    assert load_text_encoder(f"tiny:{folder / 'open_clip_model.safetensors'}").resize_mode == "shortest"


def test_with_download_open_clip_fetches_what_is_missing_and_only_then(
    tiny_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def fetch(known: dict[str, Any]) -> str:
        asked.append(known)
        tiny_model.mkdir(parents=True)
        weights = tiny_model / "open_clip_model.safetensors"
        weights.write_bytes((folder / "open_clip_model.safetensors").read_bytes())
        return str(weights)

    monkeypatch.setattr(open_clip, "download_pretrained", fetch)
    with pytest.raises(TextEncoderError, match="--download"):
        load_text_encoder("tiny:owner")
    assert asked == []
    fetched = load_text_encoder("tiny:owner", download=True)
    assert [known["hf_hub"] for known in asked] == ["owner/tiny/"]
    assert text_encoder_for("network.pkl", "tiny:owner", download=True).content_hash == fetched.content_hash
    assert len(asked) == 1


def test_with_download_a_snapshot_is_fetched_without_other_weights_than_are_read(
    tiny_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def snapshot(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repository, revision, allow_patterns))
        tiny_model.mkdir(parents=True, exist_ok=True)
        (tiny_model / "open_clip_config.json").write_bytes((folder / "open_clip_config.json").read_bytes())
        return str(tiny_model)

    def file(repository: str, name: str) -> str:
        asked.append((repository, name))
        if name != "model.safetensors":
            raise huggingface_hub.errors.EntryNotFoundError(f"no {name}")
        (tiny_model / name).write_bytes((folder / "open_clip_model.safetensors").read_bytes())
        return str(tiny_model / name)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", file)
    with pytest.raises(TextEncoderError, match="--download"):
        load_text_encoder("hf-hub:owner/tiny")
    assert asked == []
    encoder = load_text_encoder("hf-hub:owner/tiny", download=True)
    assert encoder.content_hash == load_text_encoder(folder).content_hash
    assert asked[0] == ("owner/tiny", None, ["*.json", "*.txt", "*.model"])
    assert [name for _, name in asked[1:]] == [
        "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors",
    ]  # fmt: skip
    count = len(asked)
    load_text_encoder("hf-hub:owner/tiny", download=True)
    load_text_encoder("hf-hub:owner/tiny")
    assert len(asked) == count


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_with_download_the_hub_may_be_asked_for_what_a_folder_names(
    prefix: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text towers of transformers are shaped by a published file, whose name is all that the folder has."""
    asked: list[bool] = []

    def offline(wanted: bool) -> AbstractContextManager[None]:
        asked.append(wanted)
        return nullcontext()

    monkeypatch.setattr("zoom_engine.text.load.hub.offline", offline)
    load_text_encoder(f"{prefix}{folder}", download=True)
    load_text_encoder(f"{prefix}{folder}")
    assert asked == [False, True]


@pytest.mark.parametrize("spec", ["ViT-B-32:openai", "hf-hub:owner/none"])
def test_a_hub_that_cannot_be_reached_is_one_line(spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests' HF_HUB_OFFLINE refuses every request."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(TextEncoderError, match=r"cannot be fetched \(.*\): fetch .* once with 'hf download ") as caught:
        load_text_encoder(spec, download=True)
    assert "\n" not in str(caught.value)


def test_outside_a_domain_the_papers_model_is_the_default(
    monkeypatch: pytest.MonkeyPatch, encoder: TextEncoder
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("zoom_engine.text.load.load_text_encoder", lambda spec, **_: asked.append(spec) or encoder)
    assert text_encoder_for("network.pkl", None) is encoder
    assert asked == ["ViT-B-32:openai"]


def test_a_tokenizer_of_another_repository_that_is_not_here_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(TextEncoderError, match=r"hf download timm/ViT-B-16-SigLIP --include \"\*\.json\"") as caught:
        load_text_encoder(f"ViT-B-16-SigLIP:{tmp_path / 'w.safetensors'}")
    assert "\n" not in str(caught.value)


def test_a_domains_name_gives_its_encoder(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, registry.DOMAINS, toys=a_domain(text_encoder=lambda: encoder))
    assert load_text_encoder("toys") is encoder


def test_a_folder_of_pictures_named_as_a_domain_is_not_taken_for_its_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pets").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_text_encoder("pets").name == "pets"
    with pytest.raises(TextEncoderError, match="holds no text encoder"):
        load_text_encoder("local-dir:pets")


def test_damaged_folders(tmp_path: Path) -> None:
    empty = write_model(tmp_path / "empty", save=False)
    with pytest.raises(TextEncoderError, match="has no weights"):
        load_text_encoder(empty)
    (empty / "open_clip_model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(TextEncoderError, match="cannot be loaded"):
        load_text_encoder(empty)
    other = write_model(tmp_path / "other", tower="resnet")
    (empty / "open_clip_model.safetensors").write_bytes((other / "open_clip_model.safetensors").read_bytes())
    with pytest.raises(TextEncoderError, match="cannot be loaded"):
        load_text_encoder(empty)
    for damaged in ("{", "[" * 100_000):
        (empty / "open_clip_config.json").write_text(damaged)
        with pytest.raises(TextEncoderError, match="cannot be read"):
            load_text_encoder(empty)
    for other_json in ("[1]", '{"model_cfg": 5}', '{"model_cfg": "embed_dim vision_cfg text_cfg"}'):
        (empty / "open_clip_config.json").write_text(other_json)
        with pytest.raises(TextEncoderError, match="no open_clip configuration"):
            load_text_encoder(empty)


def test_pickles_cannot_run_code(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "evil", save=False)
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    torch.save({"state_dict": Evil()}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(TextEncoderError, match="cannot be loaded"):
        load_text_encoder(folder)
    assert not marker.exists()
    with zipfile.ZipFile(folder / "open_clip_pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", bytes(1 << 20))
    with pytest.raises(TextEncoderError, match="unpacks to more than it is"):
        load_text_encoder(folder)
    hostile = write_model(tmp_path / "code", text={**TEXT, "tokenizer_kwargs": {"trust_remote_code": True}}, save=False)
    with pytest.raises(TextEncoderError, match="trust_remote_code"):
        load_text_encoder(hostile)


def test_vocabulary_of_the_folder_is_used(tmp_path: Path) -> None:
    import gzip

    merges = "#version: 0.2\nf a\nfa c\nfac e</w>"
    text = {**TEXT, "vocab_size": 600}
    folder = write_model(tmp_path / "small", text=text)
    with pytest.raises(TextEncoderError, match="only 600"):
        load_text_encoder(folder)
    (folder / "bpe.txt.gz").write_bytes(gzip.compress(merges.encode()))
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"bpe_path": "bpe.txt.gz"}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    encoder = load_text_encoder(folder)
    assert encoder.tokenizer.encode("face") == [514]
    (folder / "bpe.txt.gz").write_bytes(gzip.compress(bytes((1 << 24) + 1), compresslevel=1))
    with pytest.raises(TextEncoderError, match="unpacks to more than 16 MB"):
        load_text_encoder(folder)
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"bpe_path": "../../etc/passwd"}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(TextEncoderError, match="must be a file in"):
        load_text_encoder(folder)


def test_template_sets_by_name_and_the_users_own(encoder: TextEncoder) -> None:
    imagenet = find_templates("imagenet")
    assert len(imagenet) == 80
    assert {"a bad photo of {}.", "itap of {}.", "{} in a video game.", "a photo of the large {}."} <= set(imagenet)
    assert not any("a {}" in template or "the {}" in template for template in imagenet)
    assert find_templates("general") == GENERAL
    assert find_templates(["a mugshot of {}"]) == ("a mugshot of {}",)
    assert encoder.embed_texts(["a face"], templates=imagenet).shape == (1, encoder.dim)
    for wrong, message in (
        ("best", "choose one of none, general"),
        ([], "non-empty"),
        (["a face"], "exactly once"),
        ([5], "must be a string, not int"),
    ):
        with pytest.raises(TextEncoderError, match=message):
            find_templates(wrong)  # type: ignore[arg-type]


def test_words_that_training_never_read_are_refused_where_they_are_known(folder: Path, tmp_path: Path) -> None:
    load_text_encoder(folder).check_words(["a zorblax"])  # nothing is known of its training
    copy = tmp_path / "clip"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "open_clip_config.json").read_text())
    (copy / "open_clip_config.json").write_text(json.dumps({**config, "trained_words": ["a", "jet", "black", "hat"]}))
    encoder = load_text_encoder(copy)
    encoder.check_words(["A jet-black hat|a hat"])
    with pytest.raises(TextEncoderError, match="cannot read 'a zorblax hat': it was never trained on 'zorblax'; use"):
        encoder.check_words(["a hat", "a zorblax hat"])
    with pytest.raises(TextEncoderError) as caught:
        encoder.check_words(["a blak zorblax haat"])
    assert "on 'blak' (did you mean 'black'?), 'zorblax', 'haat' (did you mean 'hat'?); use words" in str(caught.value)
    assert f"'zoom-engine words {copy}' lists" in str(caught.value)
    with pytest.raises(TextEncoderError, match="text encoder 'hats' cannot read 'a zorblax': it was never trained on"):
        load_text_encoder(copy, name_as="hats").check_words(["a zorblax"])
    (copy / "open_clip_config.json").write_text(json.dumps({**config, "trained_words": "hat"}))
    with pytest.raises(TextEncoderError, match="must be a list of words"):
        load_text_encoder(copy)


def test_two_loads_at_once_leave_nothing_behind_in_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that began last ends last: what it found is what the other had set."""
    folder, create = write_model(tmp_path / "toy"), open_clip.create_model
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    second_is_in, first_is_out = threading.Event(), threading.Event()

    def created(*args: Any, **options: Any) -> Any:
        if threading.current_thread().name == "second":
            second_is_in.set()
            first_is_out.wait(30)
        else:
            second_is_in.wait(1)
        return create(*args, **options)

    def load() -> None:
        load_text_encoder(folder)
        first_is_out.set()

    monkeypatch.setattr(open_clip, "create_model", created)
    filters = list(warnings.filters)
    first, second = threading.Thread(target=load), threading.Thread(target=load, name="second")
    first.start()
    time.sleep(0.2)
    second.start()
    first.join()
    second.join()
    assert second_is_in.is_set()
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False
    assert logging.root.manager.disable == 0
    assert warnings.filters == filters


def test_threads_read_texts_of_any_length_at_once(encoder: TextEncoder) -> None:
    prompts = [" ".join(["hat"] * (1 + number % 9)) for number in range(64)]
    alone = [encoder.embed_texts([prompt]) for prompt in prompts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda prompt: encoder.embed_texts([prompt]), prompts))
    for mine, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(mine, expected)
