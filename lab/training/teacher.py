"""What w is taught to be: render parameters, what several of them show together, and what pictures ask for beside."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from lab.training.renders import latents_for
from lab.training.subject import TrainingSubject
from zoom_engine.domains.parameters import ParameterTable


class Bend(nn.Module):
    """What is added to the teacher's w: nothing at first, then what the pictures ask for."""

    def __init__(self, columns: int, w_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns, w_dim), nn.LeakyReLU(0.2), nn.Linear(w_dim, w_dim), nn.LeakyReLU(0.2),
            nn.Linear(w_dim, w_dim),
        )  # fmt: skip
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, columns: Tensor) -> Tensor:
        w: Tensor = self.layers(columns)
        return w


class Teacher:
    """The w that the mapping network learns to produce: rotated, standardised columns, and the :class:`Bend` of them.

    The columns are the parameters, what the subject says that several of them show together, and, where pictures are
    mirrored too, whether this one is: backgrounds have no parameter that would mirror them.
    """

    def __init__(self, subject: TrainingSubject[Any], parameters: ParameterTable) -> None:
        self.subject = subject
        columns = self._columns(parameters)
        self.mean, self.std = columns.mean(0), columns.std(0)
        count, w_dim = columns.shape[1] + bool(subject.mirrored), subject.generator.w_dim
        generator = torch.Generator().manual_seed(subject.seed)
        self.basis = torch.linalg.qr(torch.randn(w_dim, count, generator=generator))[0]
        self.bend = Bend(count, w_dim)

    def __call__(self, parameters: ParameterTable) -> Tensor:
        """``[n, w_dim]``; without the bend it is of unit variance."""
        return self.of(self.standard(parameters))

    def of(self, standard: Tensor) -> Tensor:
        """``[n, w_dim]`` of columns ``[n, C]``, see :meth:`standard`."""
        linear = standard @ self.basis.t() * math.sqrt(len(self.basis) / standard.shape[1])
        w: Tensor = linear + self.bend(standard)
        return w

    def standard(self, parameters: ParameterTable, *, mirror: bool = False) -> Tensor:
        """The standardised columns ``[n, C]`` of pictures, or of their mirror images."""
        values = parameters.values.copy()
        if mirror:
            values[:, [parameters.scheme.column(name) for name in self.subject.mirrored]] *= -1
        standard = (self._columns(type(parameters)(values)) - self.mean) / self.std
        if not self.subject.mirrored:
            return standard
        return torch.cat([standard, torch.full((len(standard), 1), 1.0 if mirror else -1.0)], dim=1)

    def _columns(self, parameters: ParameterTable) -> Tensor:
        values = torch.from_numpy(parameters.values.copy())
        together = self.subject.together
        return values if together is None else torch.cat([values, torch.from_numpy(together(parameters))], dim=1)


def teacher_of(subject: TrainingSubject[Any]) -> Teacher:
    """Return the teacher of all images that are planned: w means the same while they are rendered."""
    torch.manual_seed(subject.seed)
    return Teacher(subject, subject.table.from_latents(latents_for(subject.images, subject.seed)))
