"""The model under audit: preprocessing, network and task in one module that takes the engine's images."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from zoom_engine.common import registry
from zoom_engine.common.errors import TargetError, ZoomError, one_line
from zoom_engine.common.module_copy import other_precision
from zoom_engine.common.module_hash import module_hash
from zoom_engine.common.probes import Answers, short_answers
from zoom_engine.targets.entry import one_tensor
from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.tasks.contract import check_task_members, check_task_on
from zoom_engine.targets.tasks.detection import DetectionTask
from zoom_engine.targets.tasks.keypoints import KeypointsTask
from zoom_engine.targets.tasks.task import Task

PROBE_IMAGES = 8
FOLLOWED_IMAGES = 2  # show mostly that there are gradients: they cost several times what answers do
UNSTEADY = "asked twice about a picture it gives different answers"
"""The note on a target whose answers do not depend on the picture alone."""


def probe_images(height: int, width: int, *, count: int = PROBE_IMAGES) -> Tensor:
    """Return fixed random images `[count, 3, height, width]` in [-1, 1]: blurred and sharp noise, dark to bright."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 4, 4, generator=random)
    fine = torch.rand(count, 3, height, width, generator=random)
    smooth = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return (0.7 * smooth + 0.3 * fine) * 2 - 1


def probe_inputs(preprocessing: Preprocessing, resolution: int) -> Tensor:
    """Return `probe_images` as a network is fed them, of the size that it wants, or of that `resolution`."""
    height, width = preprocessing.hw or (resolution, resolution)
    return preprocessing(probe_images(height, width))


def raw_outputs(network: nn.Module, x: Tensor, name: str) -> Tensor:
    """Return what the network of target `name` returns for its input `x`.

    Raises:
        TargetError: it fails, or returns more than one tensor.
    """
    try:
        raw = network(x.clone())  # it may change its input in place
    except (torch.OutOfMemoryError, MemoryError, ZoomError):
        raise
    except SystemExit as error:  # would end the audit without a word
        raise TargetError(f"target {name!r} calls sys.exit({error}): let it raise an error that says why") from error
    except Exception as error:  # other people's code raises what it likes
        if other := other_precision(network):
            raise TargetError(
                f"target {name!r} has weights in {other}, and pictures come in float32: give it in float32, such as"
                " model.float()"
            ) from error
        shape = "×".join(str(n) for n in x.shape[1:])
        raise TargetError(
            f"target {name!r} fails on an input of {shape}: {one_line(error)};"
            " set preprocessing size (and layout) to what the model wants"
        ) from error
    return one_tensor(raw, name)


def _check_side(task: Task, preprocessing: Preprocessing, name: str) -> None:
    """Refuse, by a TargetError, places in pixels of one `side` where the input has two: of one axis they are wrong."""
    height, width = preprocessing.hw or (0, 0)
    if height != width and isinstance(task, DetectionTask | KeypointsTask) and task.side is not None:
        raise TargetError(
            f"target {name!r} reads pictures of {height}×{width}, and side ({task.side}) is that of a square: let the"
            " model return its places as shares of the picture, and leave side out"
        )


class Target(nn.Module):
    """A frozen model under audit, in evaluation mode."""

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        task: Task,
        preprocessing: Preprocessing | None = None,
        assumed: bool | None = None,
        labels: tuple[str, ...] = (),
        differentiable: bool = True,
        note: str = "",
        content_hash: str | None = None,
    ) -> None:
        """Freeze the network.

        Args:
            network: takes what `preprocessing` returns; its raw output is read by `task`.
            name: how reports call it.
            task: what its outputs mean.
            preprocessing: None is RGB in [0, 1] of the image's size.
            assumed: whether nobody said which numbers stand for black and white; by default where there is no
                preprocessing.
            labels: prompts of the classes that the text encoder can tell apart, for L_attr; empty when there are none.
            differentiable: False when `network` gives no gradients; then, as where the task has none, only forward-only
                searches run.
            note: one line for the run's manifest, such as why there are no gradients.
            content_hash: SHA-256 of what defines the outputs; computed from the module where not given.

        Raises:
            TargetError: `task` lacks what a `Task` has, or has one side of an input that has two.
        """
        super().__init__()
        check_task_members(task)
        self.network = network
        self.name = name
        self.task = task
        self.preprocessing = preprocessing if preprocessing is not None else Preprocessing()
        _check_side(task, self.preprocessing, name)
        self.assumed = preprocessing is None if assumed is None else assumed
        self.labels = labels
        self.differentiable = differentiable and task.differentiable
        self.note = note or ("" if task.differentiable else "its outputs have nothing between them for a gradient")
        self.eval().requires_grad_(False)
        self.content_hash = content_hash or module_hash(network, task.to_dict(), self.preprocessing.to_dict())

    @property
    def tries(self) -> dict[str, int]:
        """How many tries of a service ended as which kind so far, see `audit.service_file`; empty for all else."""
        return dict(getattr(self.network, "tries", {}))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        classes: tuple[str, ...] = getattr(self.task, "classes", ())
        return classes

    def replaced(
        self,
        *,
        network: nn.Module | None = None,
        labels: tuple[str, ...] | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> Target:
        """Return another target, with some parts replaced; the rest is shared, the content hash too.

        Args:
            network: does what this one's does.
            labels: prompts of the classes.
            preprocessing: in place of this one's.
        """
        return Target(
            self.network if network is None else network,
            name=self.name,
            task=self.task,
            preprocessing=self.preprocessing if preprocessing is None else preprocessing,
            assumed=self.assumed,
            labels=self.labels if labels is None else labels,
            differentiable=self.differentiable,
            note=self.note,
            content_hash=self.content_hash,
        )

    def train(self, mode: bool = True) -> Target:
        """Stay in evaluation mode: the model is audited as it would be used."""
        super().train(False)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs for images float `[B, 3, H, W]` RGB in [-1, 1].

        Returns:
            `[B, K]` or `[B, …]` of the task, float32 (binary: one logit) or whole numbers.

        Raises:
            TargetError: when the network cannot take the images, or returns something that the task cannot read.
        """
        raw = raw_outputs(self.network, self.preprocessing(images), self.name)
        if raw.ndim == 0 or raw.shape[0] != images.shape[0]:
            raise TargetError(
                f"target {self.name!r} returns shape {tuple(raw.shape)} for"
                f" {images.shape[0]} images: the first axis must be the image"
            )
        try:
            return self.task.outputs(raw)
        except TargetError as error:
            raise TargetError(f"target {self.name!r}: {error}") from error

    def check(self, resolution: int, *, gradients: bool = True) -> Answers | None:
        """Try the target on random images of the generator's resolution and refuse what cannot be audited.

        Args:
            resolution: in pixels.
            gradients: do what `check_gradients` does too.

        Returns:
            Its answers in short (`short_answers`), None where it answers differently each time.

        Raises:
            TargetError: for a failing forward pass, a non-finite or constant output, an output that depends on the
                other images of the batch, (where there are gradients) an input that no output answers to, or a task of
                somebody else's that breaks its contract on these outputs.
        """
        images = self._probe_images(resolution)
        with torch.no_grad():
            outputs = self(images)
        if not bool(outputs.isfinite().all()):
            raise TargetError(
                f"target {self.name!r} returns NaN or infinite outputs: check its weights and preprocessing"
            )
        spread = outputs.amax(0) - outputs.amin(0)
        # Whole numbers have nothing between: of noise a label map may well say "background" all over.
        constant = float(spread.max()) <= 1e-6 * (1 + float(outputs.float().abs().max()))
        if constant and outputs.is_floating_point() and not self.task.may_be_empty:
            raise TargetError(
                f"target {self.name!r} returns the same output for different"
                " images: check its weights and preprocessing"
            )
        if gradients:
            self.check_gradients(resolution)
        answers_of = self.task.in_any_order if isinstance(self.task, DetectionTask) else Tensor.float
        numbers = answers_of(outputs)
        widest = float((numbers.amax(0) - numbers.amin(0)).max())

        def alike(others: Tensor) -> bool:
            return torch.allclose(others, numbers[: len(others)], rtol=1e-2, atol=1e-3 * (1 + widest))

        def the_same(others: Tensor) -> bool:
            first = numbers[: len(others)]
            close = 1e-4 * (1e-6 + widest)
            return others.shape == first.shape and torch.allclose(others, first, rtol=1e-4, atol=close)

        with torch.no_grad():
            alone = answers_of(self(images[:1]))
            again = alone if the_same(alone) else answers_of(self(images))
        if not alike(alone) and alike(again):
            raise TargetError(
                f"target {self.name!r} gives an image another output"
                " when it comes alone: it mixes the images of a batch"
            )
        if not registry.is_ours(registry.TASKS, type(self.task)):
            check_task_on(self.task, outputs)
        answers = short_answers(numbers.cpu().numpy()) if the_same(again) else None
        if answers is None and UNSTEADY not in self.note:
            # It is audited all the same: random baseline directions meet the same noise.
            self.note = "; ".join(filter(None, (self.note, UNSTEADY)))
        return answers

    def check_gradients(self, resolution: int) -> None:
        """Refuse a target with gradients where none lead to random images of the generator's resolution.

        Raises:
            TargetError: there are none, or they are not finite or all 0.
        """
        images = self._probe_images(resolution)
        if self.differentiable and not any(self._follows(images[:count]) for count in (FOLLOWED_IMAGES, len(images))):
            raise TargetError(
                f"target {self.name!r} does not answer to its input (its"
                " gradient is 0 or not finite): check the value range"
            )

    def _probe_images(self, resolution: int) -> Tensor:
        """Return square `probe_images` where the network is."""
        images = probe_images(resolution, resolution)
        weights = next(itertools.chain(self.parameters(), self.buffers()), None)
        return images if weights is None else images.to(weights.device)

    def _follows(self, images: Tensor) -> bool:
        """Return whether finite gradients, not all 0, lead from the outputs to the images.

        Raises:
            TargetError: there are none.
        """
        with torch.enable_grad():
            images = images.clone().requires_grad_(True)
            outputs = self(images)
            if not outputs.requires_grad:
                raise TargetError(f"target {self.name!r} gives no gradients: load it with differentiable=False")
            (gradient,) = torch.autograd.grad(outputs.square().sum(), images)
        return bool(gradient.isfinite().all()) and bool(gradient.any())

    def describe(self) -> dict[str, Any]:
        """Return what a manifest keeps of this target, ready for JSON."""
        return {
            "name": self.name,
            "task": self.task.to_dict(),
            "preprocessing": self.preprocessing.to_dict(),
            "preprocessing_assumed": self.assumed,
            "labels": list(self.labels),
            "differentiable": self.differentiable,
            "note": self.note,
            "content_hash": self.content_hash,
        }
