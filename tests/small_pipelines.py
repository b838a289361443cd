"""Parts of pipelines of diffusers, small and of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

diffusers = pytest.importorskip("diffusers", reason="the extra zoom-engine[diffusers] is not installed")
transformers = pytest.importorskip("transformers")


def tokenizer(folder: Path, longest: int) -> Any:
    folder.mkdir()
    letters = [chr(code) for code in range(97, 123)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=longest, pad_token="<|endoftext|>"
    )


def parts(folder: Path, channels: int, *, longest: int = 16) -> dict[str, Any]:
    """A pipeline's parts; its network reads that many channels of latents, and prompts of so many letters."""
    torch.manual_seed(0)
    text = transformers.CLIPTextConfig(
        vocab_size=54,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=longest,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return {
        "vae": diffusers.AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
        ),
        "text_encoder": transformers.CLIPTextModel(text),
        "tokenizer": tokenizer(folder / "words", longest),
        "unet": diffusers.UNet2DConditionModel(
            sample_size=16,
            in_channels=channels,
            out_channels=4,
            layers_per_block=1,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        "scheduler": diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        "safety_checker": None,
        "feature_extractor": None,
    }
