"""Which texts and which encoders are refused on the avatars, where the truth is known: and which must not be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import open_clip
import pytest
import torch

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import find_directions
from zoom_engine.domains.avatars.attributes import ATTRIBUTES
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.wording import prompt
from zoom_engine.text import TextEncoder

# All of words that the encoder knows.
SAYS_NOTHING = (
    "a face of a face", "this is a photo", "who has with without", "an image of the face", "we see a person",
    "a view of the", "a picture", "the character is a character", "a good photo of this", "or and with the",
)  # fmt: skip
GIBBERISH = (
    "xqzzt blorf", "glimpor vastu", "zzz", "qwerty uiop", "lorem ipsum dolor", "asdfgh", "wug", "snark of boojum",
    "blah blah blah", "12345",
)  # fmt: skip
OWN: dict[str, Any] = json.loads((DOMAIN.weights / "text" / "open_clip_config.json").read_text())["model_cfg"]
SMALL_VIT: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


def untrained(config: dict[str, Any], seed: int) -> TextEncoder:
    torch.manual_seed(seed)
    model = open_clip.CLIP(**config)
    size = config["vision_cfg"]["image_size"]
    model.visual.preprocess_cfg = {"size": size, "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    return TextEncoder(model, open_clip.SimpleTokenizer(context_length=40), name="untrained")


@pytest.fixture(scope="module")
def reads_anything() -> TextEncoder:
    """The avatars' own encoder with its list of words left out."""
    encoder = DOMAIN.text_encoder()
    return TextEncoder(encoder.model, encoder.tokenizer, name=encoder.name)


def find(encoder: TextEncoder, prompts: list[str], cache: Any, samples: int = 16) -> Any:
    return find_directions(DOMAIN.generator(), encoder, prompts, neutral=DOMAIN.neutral, samples=samples, cache=cache)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.ci
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("config", [OWN, SMALL_VIT], ids=["avatars", "small-vit"])
def test_an_encoder_of_random_weights_is_refused(config: dict[str, Any], seed: int, cache: Any) -> None:
    encoder = untrained(config, seed)
    with pytest.raises(DirectionError, match="text encoder 'untrained' knows nothing of these pictures"):
        find(encoder, [prompt(name) for name in ATTRIBUTES], cache)


@pytest.mark.slow(88)
@pytest.mark.ci
@pytest.mark.timeout(900)
def test_a_vit_b_32_of_random_weights_is_refused(cache: Any) -> None:
    torch.manual_seed(1)
    model = open_clip.create_model("ViT-B-32", load_weights=False)
    encoder = TextEncoder(model, open_clip.get_tokenizer("ViT-B-32"), name="untrained")
    with pytest.raises(DirectionError, match="text encoder 'untrained' knows nothing of these pictures"):
        find(encoder, [prompt("smiling")], cache)  # random texts tell, not this one


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_known_words_that_say_nothing_are_refused(text: str, cache: Any) -> None:
    with pytest.raises(DirectionError, match="no better than random text"):
        find(DOMAIN.text_encoder(), [text], cache)


@pytest.mark.parametrize("text", GIBBERISH)
def test_gibberish_is_refused_where_words_are_not_checked(text: str, cache: Any, reads_anything: TextEncoder) -> None:
    with pytest.raises(DirectionError, match="no better than random text"):
        find(reads_anything, [text], cache)
