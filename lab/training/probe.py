"""The probe: a multi-attribute classifier that judges generators and edits, and that no search ever sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.training.augment import augment
from lab.training.loop import Average, cosine, rng_for, run
from lab.training.renders import Renders, renders
from lab.training.saving import save_network
from lab.training.subject import TrainingSubject
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.domains.networks import SmallCNN

STEPS = 2_000
BATCH = 64
LEARNING_RATE = 2e-3


def label_matrix(subject: TrainingSubject[Any], data: Renders[Any]) -> Tensor:
    """float32 ``[n, A]`` of 0 and 1 in the order of the subject's attributes."""
    table = subject.truth.labels(data.parameters)
    return torch.from_numpy(np.stack([table[name] for name in subject.truth.attributes], axis=1)).float()


def train_probe(subject: TrainingSubject[Any], work: Path, out: Path, *, steps: int = STEPS) -> None:
    data = renders(subject, work, subject.count, subject.seed)
    truth = label_matrix(subject, data)
    attributes = subject.truth.attributes
    torch.manual_seed(subject.seed)
    network = SmallCNN(len(attributes))
    average = Average(network, SmallCNN(len(attributes)))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)

    def step(index: int) -> dict[str, float]:
        rng = rng_for(subject.seed, index)
        rows = np.sort(data.draw(rng, BATCH))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * cosine(index, steps)
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_in_hardware()):
            logits = network(augment(data.batch(rows), rng))
        loss = F.binary_cross_entropy_with_logits(logits.float(), truth[rows])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        average.update(network, index)
        return {"loss": float(loss.detach())}

    run(
        "probe",
        steps=steps,
        step=step,
        state={"network": network, "average": average.module, "optimizer": optimizer},
        folder=work,
        images=len(data),
    )
    save_network(
        average.module,
        out / subject.probe.name,
        {
            "kind": "SmallCNN",
            "outputs": list(attributes),
            "recipe": f"{steps} steps of AdamW, batch {BATCH}",
            "seed": subject.seed,
        },
    )
