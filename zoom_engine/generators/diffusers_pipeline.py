"""A text-to-image pipeline of diffusers as a generator, "diffusers:FOLDER": noise and prompt are one code.

The folder is what `save_pretrained` wrote, with its weights as safetensors. Nothing is fetched, and no code of it runs.
A code is the first latent of the pipeline, which edits leave alone, then the embedding of its prompt, of as many tokens
as `MOST_ENTRIES` leaves room for. It is made for pipelines distilled to one step or few; they go forward only.
Tested with small pipelines of random weights; it has not been run on real ones.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.pipeline_folder import folder_hash, load_pipeline, pipeline_class
from zoom_engine.common.machine import find_device
from zoom_engine.generators.codes import MOST_ENTRIES
from zoom_engine.generators.generator import shown
from zoom_engine.generators.prompted_codes import DrawnFromPrompts, PromptedCodes, read_prompts
from zoom_engine.ops.modulation import edited

TAKEN = {"prompt_embeds", "latents", "num_inference_steps", "guidance_scale", "generator"}


class DiffusersGenerator(DrawnFromPrompts):
    """A generator that runs a pipeline, see `DiffusersFamily`."""

    differentiable = False
    batch_size = 4

    def __init__(
        self, pipeline: Any, prompts: Sequence[str], *, steps: int, guidance: float, side: int | None, files: str
    ) -> None:
        """Embed the prompts, and read from the pipeline what a code is; `files` is the hash of its files.

        Raises:
            ConfigError: the pipeline draws no pictures of prompts alone, or a prompt is too long.
        """
        kind, taken = type(pipeline).__name__, inspect.signature(pipeline.__call__).parameters
        unet, scale = getattr(pipeline, "unet", None), getattr(pipeline, "vae_scale_factor", None)
        if not set(taken) >= TAKEN or "image" in taken or "pooled_prompt_embeds" in taken or not (unet and scale):
            raise ConfigError(f"{kind} is not supported: give a text-to-image pipeline like Stable Diffusion's")
        latent = unet.config.sample_size if side is None else side // scale
        if not isinstance(latent, int) or latent < 1 or steps < 1 or (side is not None and side % scale):
            raise ConfigError(f"{kind} draws squares of a multiple of {scale} pixels, in 1 step or more")
        self._pipeline, self._shape = pipeline, (unet.config.in_channels, latent, latent)
        self._how: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
        self.resolution = latent * scale
        noise = self._shape[0] * latent * latent
        width, longest = unet.config.cross_attention_dim, pipeline.tokenizer.model_max_length
        self._tokens, self._width = min(longest, (MOST_ENTRIES - noise) // width), width
        if self._tokens < 8:
            raise ConfigError(
                f"noise for {self.resolution}² takes {noise} of the {MOST_ENTRIES} numbers of a code, which leaves too"
                " few for prompts: give a smaller side (--generator-option side=256)"
            )
        self.codes = PromptedCodes(noise, prompts, self.embedded(prompts))
        self._negative = self.embedded([""]).view(1, -1, width) if guidance > 1 else None
        about = [files, self.codes.identity, self._how, self._shape, str(unet.dtype)]
        self.content_hash = hashlib.sha256(json.dumps(about).encode()).hexdigest()

    @property
    def device(self) -> torch.device:
        """The device of the pipeline."""
        return torch.device(self._pipeline.device)

    def to(self, device: torch.device | str) -> Self:
        """Move the pipeline."""
        self._pipeline.to(device)
        return self

    @torch.no_grad()
    def embedded(self, prompts: Sequence[str]) -> Tensor:
        """Return the embeddings of the first tokens of prompts, `[N, P]`.

        Raises:
            ConfigError: a prompt has more of them.
        """
        for prompt in prompts:
            if (count := len(self._pipeline.tokenizer(prompt).input_ids)) > self._tokens:
                raise ConfigError(
                    f"prompt {one_line(prompt, 60)!r} has {count} tokens: {self._tokens} fit into a code, shorten it"
                )
        # No token sees those after it, so the first ones are as they would be alone.
        rows = [self._pipeline.encode_prompt([one], self.device, 1, False)[0][:, : self._tokens] for one in prompts]
        return torch.cat(rows).flatten(1).float().cpu()

    @torch.no_grad()
    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Draw pictures, see `EditableGenerator.render`.

        Raises:
            ConfigError: the pipeline's safety checker blackens one.
        """
        codes = edited(codes, edit_weights, directions).to(self.device, self._pipeline.unet.dtype)
        noise, prompts = codes[:, : self.codes.noise], codes[:, self.codes.noise :]
        tokens = (len(codes), self._tokens, self._width)
        negative = {} if self._negative is None else {"negative_prompt_embeds": self._negative.to(codes).expand(tokens)}
        result = self._pipeline(
            prompt_embeds=prompts.reshape(tokens),
            latents=noise.reshape(-1, *self._shape),
            generator=[torch.Generator("cpu").manual_seed(0) for _ in codes],  # of later steps, the same for each
            output_type="pt",
            **self._how,
            **negative,
        )
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise ConfigError("the pipeline's safety checker blackened a picture: change the population's prompts")
        return shown(2 * result.images.float() - 1)


class DiffusersFamily:
    """``--generator diffusers:FOLDER``; `guidance` above 1 is classifier-free, each step takes twice as long then."""

    name: ClassVar[str] = "diffusers"

    @staticmethod
    def load(
        rest: str,
        *,
        population: str | Path | None = None,
        steps: int = 1,
        guidance: float = 0.0,
        side: int | None = None,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        device: str = "cpu",
    ) -> DiffusersGenerator:
        """Return the generator of a folder that draws the prompts of the file `population`; refuse by a ConfigError."""
        if population is None:
            raise ConfigError(
                "the pipeline needs prompts to draw: --generator-option population=prompts.txt, one a line"
            )
        prompts, folder = read_prompts(population), Path(rest)
        kind = pipeline_class(folder, ConfigError)
        dtype = getattr(torch, precision)
        pipeline = load_pipeline(kind, folder, place=find_device(device), dtype=dtype, refusal=ConfigError)
        files = folder_hash(folder)
        return DiffusersGenerator(pipeline, prompts, steps=steps, guidance=guidance, side=side, files=files)
