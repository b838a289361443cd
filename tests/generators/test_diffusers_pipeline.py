"""A text-to-image pipeline of diffusers as a generator: a small one of random weights, saved in a folder by the real
library. None was run on real weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small_pipelines import parts

from zoom_engine import Diagnosis, check_editable_generator, load_generator
from zoom_engine.cli import main
from zoom_engine.common.errors import ConfigError

diffusers = pytest.importorskip("diffusers", reason="the extra zoom-engine[diffusers] is not installed")

pytestmark = pytest.mark.slow

PROMPTS = ("a cat", "a dog on grass", "a pet", "a dog")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pipeline")
    (root / "of").mkdir()
    pipeline = diffusers.StableDiffusionPipeline(**parts(root / "of", 4, longest=24), requires_safety_checker=False)
    pipeline.save_pretrained(root / "saved", safe_serialization=True)
    (root / "prompts.txt").write_text("\n".join(PROMPTS))
    return root


def loaded(folder: Path, **options: Any) -> Any:
    return load_generator(f"diffusers:{folder / 'saved'}", population=str(folder / "prompts.txt"), **options)


def test_it_holds_the_contract_and_noise_and_prompt_are_one_code(folder: Path) -> None:
    generator = loaded(folder)
    check_editable_generator(generator, attributes=("a dog", "a cat"), neutral="a pet")
    assert (generator.resolution, generator.differentiable, generator.batch_size) == (32, False, 4)
    assert [layer.channels for layer in generator.space.layers] == [4 * 16 * 16, 24 * 16]
    noise, prompt = generator.space.layers
    assert bool(generator.space.fixed_mask()[: noise.stop].all())
    assert not bool(generator.space.fixed_mask()[prompt.start :].any())
    codes = generator.sample(range(5))
    assert torch.equal(codes[0, prompt.start :], codes[4, prompt.start :]), "the fifth seed has the first prompt again"


def test_a_whole_difference_of_prompts_draws_the_other_prompt(folder: Path) -> None:
    generator = loaded(folder)
    cat, dog = generator.embedded(["a cat", "a dog"])
    noise = generator.sample([7])[:, : generator.codes.noise]
    cats = torch.cat([noise, cat[None]], dim=1)
    direction = generator.text_directions(["a dog"], "a cat")
    turned = generator.render(cats, torch.ones(1, 1), direction)
    torch.testing.assert_close(turned, generator.render(torch.cat([noise, dog[None]], dim=1)), atol=1e-4, rtol=0)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder / "saved", safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    itself = pipeline(
        "a dog",
        latents=noise.view(1, 4, 16, 16),
        num_inference_steps=1,
        guidance_scale=0.0,
        output_type="pt",
    ).images
    torch.testing.assert_close(turned, 2 * itself - 1, atol=1e-4, rtol=0)


def test_options_are_part_of_what_it_draws(folder: Path) -> None:
    plain, steps, guided, larger = (
        loaded(folder, **options) for options in ({}, {"steps": 3}, {"guidance": 4.0}, {"side": 48})
    )
    assert len({generator.content_hash for generator in (plain, steps, guided, larger)}) == 4
    pictures = [generator.render(generator.sample([1])) for generator in (plain, steps, guided)]
    assert not torch.allclose(pictures[0], pictures[1])
    assert not torch.allclose(pictures[0], pictures[2])
    assert larger.render(larger.sample([0])).shape == (1, 3, 48, 48)
    together = steps.render(steps.sample([1, 2]))
    torch.testing.assert_close(together[:1], pictures[1], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": None}, "needs prompts to draw: --generator-option population=prompts.txt"),
        ({"population": "none.txt"}, "the population none.txt cannot be read"),
        ({"steps": 0}, "in 1 step or more"),
        ({"side": 33}, "a multiple of 2 pixels"),
        ({"side": 256}, "leaves too few for prompts"),
        ({"stepz": 2}, "has no option 'stepz'; did you mean 'steps'"),
        ({"precision": "double"}, "generator option 'precision' must be 'float32', 'bfloat16' or 'float16'"),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, options: dict[str, Any], message: str) -> None:
    given = {"population": str(folder / "prompts.txt"), **options}
    with pytest.raises(ConfigError, match=message) as caught:
        load_generator(f"diffusers:{folder / 'saved'}", **given)
    assert "\n" not in str(caught.value)


def test_what_is_no_pipeline_or_would_run_code_is_one_line(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "saved", tmp_path / "saved")
    shutil.copy(folder / "prompts.txt", tmp_path)
    index = tmp_path / "saved" / "model_index.json"
    stored = json.loads(index.read_text())

    def refused(message: str) -> None:
        with pytest.raises(ConfigError, match=message) as caught:
            loaded(tmp_path)
        assert "\n" not in str(caught.value)

    (tmp_path / "prompts.txt").write_text("a very long prompt of so many letters\n")
    refused(r"has \d+ tokens: 24 fit into a code")
    (tmp_path / "saved" / "mine.py").write_text("raise SystemExit")
    refused(r"mine\.py is a program, which is not run")
    (tmp_path / "saved" / "mine.py").unlink()
    index.write_text(json.dumps({**stored, "_class_name": "StableDiffusionImg2ImgPipeline"}))
    refused("StableDiffusionImg2ImgPipeline is not supported")
    index.write_text("{")
    refused("holds no pipeline of diffusers")


@pytest.mark.ci
def test_an_audit_goes_through_by_the_command_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    audit = ["diagnose", "--generator", f"diffusers:{folder / 'saved'}", "--target", "pets:dog", "--images", "2"]
    audit += ["--generator-option", f"population={folder / 'prompts.txt'}", "--text-encoder", "pets"]
    audit += ["--neutral", "a pet", "--attribute", "a dog", "--attribute", "a pet on grass", "--level", "1"]
    audit += [
        "--random-directions",
        "2",
        "--cache",
        str(tmp_path / "cache"),
        "--template",
        "none",
        "--batch-size",
        "32",
    ]
    audit += ["--label", "a cat", "--label", "a dog with a collar", "--out", str(out)]
    assert main(audit) == 0
    diagnosis = Diagnosis.load(out)
    assert diagnosis.config.method == "generator"
    assert len(diagnosis.records) >= 4
    control = diagnosis.config.content["control_prompts"]["prompts"]
    assert [prompt for prompt in control if len(prompt.replace(" ", "")) > 22] == [], "only those that it can read"
    assert (out / "report.html").is_file()
