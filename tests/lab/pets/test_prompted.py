"""A generator of noise and prompt: its pictures show what prompts claim, and an audit along prompts finds what was
planted, beside random directions in the prompt's part of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.pets.evaluate import EVALUATION
from lab.pets.prompted import PromptedPets, prompted_pets
from lab.pets.train.prompted import claimed_captions, latents_with, obeyed, train_prompted
from zoom_engine import Diagnoser, check_editable_generator, load_generator
from zoom_engine.diagnose.measurements import measure, with_baselines
from zoom_engine.domains.pets.domain import DOMAIN
from zoom_engine.settings.audit_settings import RunSettings

pytestmark = pytest.mark.slow

PLANTED = "dog-biased-collar"
ATTRIBUTES = ("collar", "on_grass", "fluffy", "ginger_fur", "sleepy")
EACH = 4  # pictures of a prompt


@pytest.fixture(scope="module")
def generator() -> PromptedPets:
    return prompted_pets()


def test_it_holds_the_contract_of_generators(generator: PromptedPets) -> None:
    check_editable_generator(generator, attributes=("a dog", "a fluffy pet"), neutral="a pet")
    assert generator.space.layers[1].name == "prompt"


def test_a_file_of_prompts_decides_what_it_draws(tmp_path: Path, generator: PromptedPets) -> None:
    (tmp_path / "prompts.txt").write_text("a dog\n")
    dogs: Any = load_generator(
        f"python:{Path(__file__).parents[3] / 'lab' / 'pets' / 'prompted.py'}:prompted_pets",
        trust=True,
        population=str(tmp_path / "prompts.txt"),
    )
    assert dogs.codes.prompts == ("a dog",)
    assert dogs.content_hash != generator.content_hash
    with torch.no_grad():
        share = obeyed(dogs.render(dogs.sample(range(24))), [{"dog": True}] * 24, EVALUATION.probe())
    assert share["dog"] >= 0.75, "of pets half are dogs"


def test_pictures_show_what_prompts_claim(generator: PromptedPets) -> None:
    claims = [{name: present} for name in ATTRIBUTES for present in (True, False)]
    texts = [text for name in ATTRIBUTES for text in both_prompts(name)]
    noise = torch.randn(len(texts) * EACH, generator.codes.noise, generator=torch.Generator().manual_seed(3))
    codes = torch.cat([noise, generator.embedded(texts).repeat_interleave(EACH, dim=0)], dim=1)
    with torch.no_grad():
        images = torch.cat([generator.render(part) for part in torch.split(codes, 16)])
    shares = obeyed(images, [claim for claim in claims for _ in range(EACH)], EVALUATION.probe())
    assert np.mean(list(shares.values())) >= 0.85, shares


def both_prompts(name: str) -> tuple[str, str]:
    """With the attribute, and without it."""
    return EVALUATION.subject.zero_shot_prompts(name)


def test_its_teacher_sets_claims_and_leaves_the_rest() -> None:
    latents = np.random.default_rng(5).standard_normal((200, 64)).astype(np.float32)
    texts, claims = claimed_captions(200, 6)
    assert len(set(texts)) > 100
    truth, table = DOMAIN.subject.truth, DOMAIN.subject.table
    before = truth.margins(table.from_latents(latents))
    after = truth.margins(table.from_latents(latents_with(latents, claims)))
    claimed = {name: column != 0 for name, column in claims.items()}
    right = [after[name][rows] * claims[name][rows] > 0 for name, rows in claimed.items() if rows.any()]
    assert np.mean(np.concatenate(right)) > 0.97
    moved = [np.abs(after[name] - before[name])[~claimed[name]] > 0.25 for name in ("sleepy", "collar", "on_grass")]
    assert np.mean(np.concatenate(moved)) < 0.08


def test_it_learns_and_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_prompted(tmp_path / "work", tmp_path, steps=3, count=256)
    assert (tmp_path / "prompts.txt").read_text().count("\n") == 65
    assert (tmp_path / "prompted.safetensors").stat().st_size < 500_000
    train_prompted(tmp_path / "work", tmp_path, steps=3, count=256)


@pytest.mark.ci
def test_an_audit_along_prompts_finds_what_was_planted(generator: PromptedPets, tmp_path: Path) -> None:
    attributes = [EVALUATION.subject.prompt(name) for name in ATTRIBUTES]
    diagnoser = Diagnoser(
        generator=generator,
        target=f"pets:{PLANTED}",
        attributes=attributes,
        text_encoder="pets",
        neutral="a pet",
        random_directions=4,
        search_options={"points": 2, "outer_points": 2, "tolerance": None},
    )
    diagnosis = diagnoser.run(images=6, seed=3, out=tmp_path / "audit")
    changes = {row.attribute.text: row.value or 0.0 for row in diagnosis.sensitivity}
    assert max(changes, key=lambda text: changes[text]) == DOMAIN.planted(PLANTED), changes
    assert diagnosis.config.method == "generator"
    models = diagnoser.models
    (completed,) = with_baselines([models], [measure(models, RunSettings(images=6, seed=3))])
    assert completed.baseline is not None
    rows = completed.baseline.matrix[: models.random_directions]
    assert not bool(rows[:, : generator.codes.noise].any())
    assert bool(rows[:, generator.codes.noise :].any(dim=1).all())
