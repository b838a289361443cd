"""`PictureScorer`: numbers of a model that say how much of each of some attributes a picture has."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.common.plurals import listed
from zoom_engine.common.probes import Answers
from zoom_engine.targets.loading import Spec, load_for_scores
from zoom_engine.targets.target import Target
from zoom_engine.targets.tasks import BinaryTask, MultiClassTask, MultiLabelTask, RegressionTask


class PictureScorer(nn.Module):
    """A model that scores pictures, frozen.

    A score is the log-odds of a class or label, and of a model that predicts a number this number: both go on where a
    probability has come to its end.

    Args:
        target: the model, with the task that reads its outputs.
        outputs: K classes or labels that are scores, or their indices; None is that of a model that has but one.

    Raises:
        TargetError: the model gives several numbers and none is chosen, there is no such output, or none is a score.
    """

    def __init__(self, target: Target, outputs: Sequence[str | None] = (None,)) -> None:
        """Find the outputs."""
        super().__init__()
        self.target, self.outputs = target, tuple(outputs)
        self.indices = tuple(_index(output, target) for output in self.outputs)

    def hash_of(self, place: int) -> str:
        """Return the SHA-256 (hex) of the model and of which of its outputs the score at this place is."""
        return hashlib.sha256(f"{self.target.content_hash} {self.indices[place]}".encode()).hexdigest()

    @property
    def differentiable(self) -> bool:
        """Return whether gradients reach pictures from the scores."""
        return self.target.differentiable

    @property
    def image_size(self) -> int | None:
        """Return the longer side that the model reads pictures at, in pixels; None where it takes any."""
        hw = self.target.preprocessing.hw
        return None if hw is None else max(hw)

    def replaced(self, target: Target) -> PictureScorer:
        """Return the same scorer with its model run elsewhere."""
        return PictureScorer(target, self.outputs)

    def check(self, resolution: int) -> Answers | None:
        """Try the model on pictures of this size, see `Target.check`."""
        return self.target.check(resolution)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores `[B, K]` (float32) of images `[B, 3, H, W]` in [-1, 1]."""
        if images.requires_grad and not self.target.differentiable:
            images = images.detach()
        outputs = self.target(images).float()
        return torch.cat([self._score(outputs, index) for index in self.indices], dim=1)

    def _score(self, outputs: Tensor, index: int) -> Tensor:
        """Return the score `[B, 1]` of one output among `outputs [B, C]` of the task."""
        match self.target.task:
            case RegressionTask():
                return outputs
            case BinaryTask():
                return outputs if index else -outputs
            case MultiClassTask():
                others = torch.cat([outputs[:, :index], outputs[:, index + 1 :]], dim=1)
                return outputs[:, index : index + 1] - others.logsumexp(dim=1, keepdim=True)
            case _:
                return outputs[:, index : index + 1]


def load_scorer(
    model: Spec, outputs: Sequence[str | None] = (None,), *, trust: bool = False, download: bool = False
) -> PictureScorer:
    """Load the model that `load_target` would load by this name, as a scorer, untried.

    Args:
        model: its name, its file, or the model itself.
        outputs: see `PictureScorer`.
        trust: run files that contain a program, and import Python code.
        download: fetch published weights that are not on this machine.

    Raises:
        TargetError: one line on what is wrong with the model or the outputs.
    """
    return PictureScorer(load_for_scores(model, trust=trust, download=download), outputs)


def _index(output: str | None, target: Target) -> int:
    """Return the index of the output that a name or a number means.

    Raises:
        TargetError: none is meant, or it is not there.
    """
    task = target.task
    if not isinstance(task, BinaryTask | MultiClassTask | MultiLabelTask | RegressionTask):
        raise TargetError(f"scorer {target.name!r} gives no score of a picture: its task is {task.name}")
    names = [] if isinstance(task, RegressionTask) else list(target.classes)
    choices = f"{listed(names[:8])}{' and others' if len(names) > 8 else ''}" if names else "none, its task chooses"
    if output is None:
        if isinstance(task, MultiClassTask | MultiLabelTask):
            raise TargetError(
                f"scorer {target.name!r} gives {len(names)} numbers: say which is the score by its name or index after"
                f" '#': {choices}"
            )
        return 1
    if output in names:
        return names.index(output)
    if output.isdecimal() and int(output) < len(names):
        return int(output)
    raise TargetError(f"scorer {target.name!r} has no output {output!r}: choose one of these: {choices}")
