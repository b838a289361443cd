"""All parts of a drawn domain, trained and measured in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from lab.evaluation import Evaluation, Unseen, unseen_quality
from lab.task_quality import task_quality
from lab.training.generator import phases_of, train_generator
from lab.training.probe import train_probe
from lab.training.targets import Recipe, train_targets
from lab.training.tasks import train_tasks
from lab.training.text import train_text
from zoom_engine.domains.embedded import RenderedDomain
from zoom_engine.generators import StyleGAN2Config

MACHINE: dict[str, Any] = {
    "packages": {}, "system": "Linux", "cores": 2, "cpu_features": [], "python": "3", "zoom_engine": "0",
}  # fmt: skip


def trained_in_miniature(
    book: ModuleType, domain: RenderedDomain, work: Path, out: Path, recipes: Sequence[Recipe], **changed: Any
) -> Evaluation:
    """The recipes of `book` (a domain's `train.subject`), a step or two on a few pictures; weights lie in `out`."""
    small = StyleGAN2Config(128, (16, 16, 16, 16, 8, 8), z_dim=64, w_dim=48, mapping_layers=2)
    subject = replace(book.SUBJECT, images=24, generator=small, probe=out / "probe.safetensors", **changed)
    pool = replace(book.POOL, subject=subject, size=48, held_out=8)
    train_probe(subject, work, out, steps=1)
    phases = [replace(phase, steps=1, batch=2) for phase in book.PHASES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda function: function)  # which takes a minute
        train_generator(subject, phases, work, out, mapping_steps=2)
    assert phases_of(out / "generator.safetensors") == phases
    train_text(subject, work, out, image_steps=1, text_steps=1)
    train_targets(pool, recipes, work, out, steps=1, width=4)
    train_tasks(pool, [replace(recipe, steps=1, batch=4) for recipe in book.TASKS], work, out)
    return Evaluation(replace(domain, weights=out), subject)


def measured_in_miniature(
    trained: Evaluation, book: ModuleType, unseen: Unseen, units: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Figures of all parts but the edits, for a card; effects are made up."""
    names = trained.subject.truth.attributes
    effect = {name: 0.02 * rank for rank, name in enumerate(names)}
    classifiers = trained.domain.classifier_names()
    monkeypatch.setattr(
        Evaluation, "true_effects", lambda self, names=None, *, count=1: dict.fromkeys(names or classifiers, effect)
    )
    embedded, table = trained.embedded(16)
    rng = np.random.default_rng(0)
    table = {name: rng.choice([-0.5, 0.5], 16).astype(np.float32) for name in table}  # 16 pictures have not everything
    for row in table.values():
        row[:2] = -0.5, 0.5
    return {
        "text": {
            **trained.zero_shot(embedded, table),
            "unseen": unseen_quality(trained.domain.text_encoder(), embedded, table, unseen),
        },
        "generator": trained.generator_quality(12, psnr_on=4),
        "targets": trained.target_quality(twins=4),
        "tasks": task_quality(trained, book.TASKS, units, count=8),
        "environments": {"text": MACHINE},
    }
