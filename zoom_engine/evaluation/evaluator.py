"""`Evaluator`: styles + edit weights @ directions → images → what target and text encoder see in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoom_engine.common.errors import TargetError
from zoom_engine.common.machine import followed_at_once
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.evaluation.objectives import is_viewed_whole, ssim, structure_loss
from zoom_engine.evaluation.side_by_side import side_by_side
from zoom_engine.generators import Renderer
from zoom_engine.runtime.lowered_networks import LoweredNetwork
from zoom_engine.settings.audit_settings import DECISIVE_CHANGE, LossWeights, check_decisive_change
from zoom_engine.targets.target import Target
from zoom_engine.targets.tasks.contract import out_of_range

LARGEST_COMPARED = 1024
"""The shorter side, in pixels, from whose double on SSIM looks at a smaller picture."""
WhichSSIM = Literal["all", "flipped", "none"]
_COMPARED = 1 << 21  # numbers of the pictures whose SSIM is computed at a time, which takes 18 times their memory

_SlopesOf = Callable[[Tensor, "Originals", Tensor | None], tuple["Evaluation", list[Tensor]]]
"""A function of pictures that need gradients, their originals and their embeddings (None where none are needed).

It returns the evaluation, and slopes with respect to the pictures.
"""


@dataclasses.dataclass(frozen=True)
class Originals:
    """The unedited images and what was measured of them, row by row.

    Attributes:
        pictures: B tensors `[3, R, R]`, or one `[B, 3, R, R]`. They are needed for few rows, so they stay on their
            device until somebody asks.
        outputs: `[B, K]`, the target's.
        labels: int64 `[B]`, or None without labels.
    """

    pictures: Tensor | Sequence[Tensor]
    outputs: Tensor
    labels: Tensor | None

    def __len__(self) -> int:
        """Return the number of images B."""
        return len(self.outputs)

    @property
    def images(self) -> Tensor:
        """Return all pictures `[B, 3, R, R]`."""
        return self.pictures if isinstance(self.pictures, Tensor) else torch.stack(list(self.pictures))

    def rows(self, index: Tensor) -> Originals:
        """Return the rows of int64 `index`, which may repeat."""
        pictures = [self.pictures[row] for row in index.tolist()]
        return Originals(pictures, self.outputs[index], None if self.labels is None else self.labels[index])

    @staticmethod
    def cat(parts: Sequence[Originals]) -> Originals:
        """Concatenate the rows of several."""
        labels = [part.labels for part in parts if part.labels is not None]
        return Originals(
            [picture for part in parts for picture in part.pictures],
            torch.cat([part.outputs for part in parts]),
            torch.cat(labels) if labels else None,
        )


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The evaluation of B images, one row per image.

    Attributes:
        outputs: `[B, K]`, the task's.
        recorded: `[B, M]`, what a record keeps, such as probabilities.
        change: `[B]` in [0, 1], of the output.
        margin: `[B]`, above 0 while the prediction is that of the original.
        flipped: bool `[B]`.
        decisive: bool `[B]`, flipped, and the output moved far enough to prove something.
        label_kept: bool `[B]`, True where labels are off.
        ssim: `[B]`, NaN where it was not requested.
        labels_on: whether there are labels.
        loss: `[B]`, None where it was not requested.
    """

    outputs: Tensor
    recorded: Tensor
    change: Tensor
    margin: Tensor
    flipped: Tensor
    decisive: Tensor
    label_kept: Tensor
    ssim: Tensor
    labels_on: bool
    loss: Tensor | None = None

    @staticmethod
    def cat(parts: Sequence[Evaluation]) -> Evaluation:
        """Concatenate the rows of several that were made with the same options."""
        rows: dict[str, Any] = {
            name: torch.cat([getattr(part, name) for part in parts])
            for name, value in vars(parts[0]).items()
            if isinstance(value, Tensor)
        }
        return dataclasses.replace(parts[0], **rows)


class Evaluator:
    """Directions, target and losses over any batch of styles and edit weights.

    Nothing is kept between calls, and rows never mix.

    Args:
        renderer: what draws; differentiable if gradients are wanted.
        directions: float `[N, S]`, what one unit of each edit weight adds to the styles.
        target: the model under audit.
        labels: tell points apart that change the ground truth; without them there is no L_attr either.
        loss_weights: of the three terms, for searches that need the loss.
        decisive_change: how far, in [0, 1], the output must move for a flip to prove something.

    `evaluate` takes what `render` draws: to ask several targets about the same images, render once and call `evaluate`
    of each one's evaluator. Call both without autograd (`torch.no_grad`, not `inference_mode`: whatever a generator
    caches in a forward pass must stay usable in a later backward pass) unless a gradient is wanted.
    """

    def __init__(
        self,
        renderer: Renderer,
        directions: Tensor,
        target: Target,
        *,
        labels: ZeroShotLabels | None = None,
        loss_weights: LossWeights | None = None,
        decisive_change: float = DECISIVE_CHANGE,
    ) -> None:
        """Check the decisive change and keep the parts.

        Raises:
            ConfigError: the decisive change is out of its range.
        """
        check_decisive_change(decisive_change)
        self.renderer = renderer
        self.directions = directions
        self.target = target
        self.labels = labels
        self.loss_weights = loss_weights or LossWeights()
        self.decisive_change = decisive_change

    def render(self, styles: Tensor, edit_weights: Tensor | None = None) -> Tensor:
        """Draw images `[B, 3, R, R]` in [-1, 1] of styles `[B, S]`, edited by weights `[B, N]` where given.

        They are differentiable where autograd is on.
        """
        return self.renderer.render(styles, edit_weights, self.directions)

    def label_embeddings(self, images: Tensor) -> Tensor | None:
        """Return the embeddings `[B, D]` that tell the labels of images, rechecked; None without labels."""
        return (
            None if self.labels is None else self.labels.rechecked(self.labels.low_precision_embeddings(images), images)
        )

    @torch.no_grad()
    def originals(self, styles: Tensor) -> Originals:
        """Render and evaluate the unedited images of styles `[B, S]`; once per image is enough."""
        return self.originals_of(self.render(styles))

    @torch.no_grad()
    def originals_of(self, images: Tensor, *, embeddings: Tensor | None = None) -> Originals:
        """Evaluate unedited images `[B, 3, R, R]` that are rendered already.

        `embeddings` are those of `label_embeddings`, where they exist already.
        """
        embeddings = self.label_embeddings(images) if embeddings is None else embeddings
        labels = None if self.labels is None or embeddings is None else self.labels.read(embeddings)
        return Originals(images, self._outputs(images), labels)

    def evaluate(
        self,
        images: Tensor,
        originals: Originals,
        *,
        embeddings: Tensor | None = None,
        ssim: WhichSSIM = "all",
        loss: bool = False,
    ) -> Evaluation:
        """Evaluate edited images by target and text encoder, row by row against `originals`.

        Args:
            images: `[B, 3, R, R]`.
            originals: the unedited ones, of the same rows.
            embeddings: those of `label_embeddings`, where they are there, and with `loss` those of
                `ZeroShotLabels.embed`.
            ssim: for which rows it is worth its price: "all", those "flipped" with the label kept, or "none".
            loss: whether it is computed too.

        Raises:
            TargetError: when an output is not finite, and when what the task makes of one is none: a change out of
                [0, 1], recorded numbers that are not finite.
        """
        task = self.target.task
        outputs = self._outputs(images)
        margin = task.margin(outputs.detach() if loss else outputs, originals.outputs)  # one of both is followed
        labels = self.labels
        if labels is not None and embeddings is None:
            embeddings = labels.embed(images) if loss else self.label_embeddings(images)
        with torch.no_grad():
            label_kept = torch.ones(len(images), dtype=torch.bool, device=images.device)
            if labels is not None and embeddings is not None and originals.labels is not None:
                label_kept = labels.read(embeddings) == originals.labels
            flipped = task.flipped(outputs, originals.outputs)
            change, recorded = task.change(outputs, originals.outputs), task.recorded(outputs, originals.outputs)
            if wrong := out_of_range(change):
                raise TargetError(f"task {task.name!r}: the change of an output must lie in [0, 1], but {wrong}")
            if not bool(recorded.isfinite().all()):
                raise TargetError(f"task {task.name!r}: what it records of an output is NaN or infinite")
            similarity = _ssim_rows(images, originals, flipped & label_kept, ssim)
            evaluation = Evaluation(
                outputs=outputs.detach(),
                recorded=recorded,
                change=change,
                margin=margin,
                flipped=flipped,
                decisive=flipped & (change >= self.decisive_change),
                label_kept=label_kept,
                ssim=similarity,
                labels_on=labels is not None,
            )
        if not loss:
            return evaluation
        total = self.loss_weights.target * task.loss(outputs, originals.outputs)
        if self.loss_weights.structure:
            structure = structure_loss(images, originals.images)
            total = total + self.loss_weights.structure * structure
            if is_viewed_whole(images):
                evaluation = dataclasses.replace(evaluation, ssim=1 - structure.detach())
        if self.loss_weights.label and labels is not None and embeddings is not None and originals.labels is not None:
            total = total + self.loss_weights.label * labels.loss(embeddings, originals.labels)
        return dataclasses.replace(evaluation, loss=total)

    @property
    def follows_exactly(self) -> bool:
        """Return whether `value_and_grad` says of a point what `evaluate` says, but for rounding in float32.

        It does where no network that it follows computes in less.
        """
        towers = [] if self.labels is None else [getattr(self.labels.text_encoder, "image_tower", None)]
        networks = [module for module in (self.target, *towers) if isinstance(module, nn.Module)]
        return not any(isinstance(part, LoweredNetwork) for module in networks for part in module.modules())

    def value_and_grad(self, styles: Tensor, edit_weights: Tensor, originals: Originals) -> tuple[Evaluation, Tensor]:
        """Evaluate with the loss; return its gradient `[B, N]` too, with respect to each row's own edit weights.

        Nothing else gets gradients. On the CPU each picture is looked at alone: the last digits of a network's outputs
        depend on what else is in a batch, and a search that follows them would too. In bfloat16 each has a thread.

        Raises:
            TargetError: when an output or a gradient is not finite, or the target gives no gradients.
        """
        evaluation, (gradient,) = self._followed(
            styles, edit_weights, originals, self._loss_and_slope, with_labels=True
        )
        return evaluation, gradient

    def value_and_slopes(self, styles: Tensor, edit_weights: Tensor, originals: Originals) -> tuple[Evaluation, Tensor]:
        """Evaluate; return the gradients `[B, 2, N]` of margin and 1 − SSIM too, each by the row's own edit weights.

        A row whose margin has no slope at all has that of L_target in its place: how far an output moved is flat where
        nothing has moved yet. Labels are only looked at. Pictures are looked at as `value_and_grad` does.

        Raises:
            TargetError: as `value_and_grad`.
        """
        evaluation, slopes = self._followed(styles, edit_weights, originals, self._margin_and_structure_slopes)
        return evaluation, torch.stack(slopes, dim=1)

    def _followed(
        self,
        styles: Tensor,
        edit_weights: Tensor,
        originals: Originals,
        evaluate: _SlopesOf,
        *,
        with_labels: bool = False,
    ) -> tuple[Evaluation, list[Tensor]]:
        """Return what `evaluate` returns, and its slopes carried on from pictures to edit weights, `[B, N]` each.

        Labels get gradients only `with_labels`. What the generator keeps of each picture until its gradient is there
        takes far more than the picture, so the CPU draws some at a time.
        """
        if not self.target.differentiable:
            raise TargetError(
                f"target {self.target.name!r} gives no gradients ({self.target.note or 'forward only'}):"
                " use search scan (mode single) or cmaes (mode multi), which need none"
            )
        at_once = len(styles)
        if styles.device.type == "cpu":
            at_once = followed_at_once(originals.pictures[0].shape[-1])
        evaluated, gradients = zip(
            *(
                self._followed_at_once(
                    styles[rows], edit_weights[rows], originals.rows(rows), evaluate, with_labels=with_labels
                )
                for rows in torch.split(torch.arange(len(styles), device=styles.device), at_once)
            ),
            strict=True,
        )
        return Evaluation.cat(evaluated), [torch.cat(parts) for parts in zip(*gradients, strict=True)]

    def _followed_at_once(
        self, styles: Tensor, edit_weights: Tensor, originals: Originals, evaluate: _SlopesOf, *, with_labels: bool
    ) -> tuple[Evaluation, list[Tensor]]:
        """Do what `_followed` does, with all pictures drawn together."""
        with torch.enable_grad():
            point = edit_weights.detach().clone().requires_grad_(True)
            pictures = self.render(styles.detach(), point)
            on_cpu = pictures.device.type == "cpu"
            # On the CPU each picture is evaluated alone: the last digits of a network's outputs depend on what else is
            # in its batch, and a search that follows them would too.
            parts = torch.split(torch.arange(len(pictures), device=pictures.device), 1 if on_cpu else len(pictures))
            seen = pictures.detach()
            embeddings = [None if with_labels else self.label_embeddings(seen[rows]) for rows in parts]

            @torch.enable_grad()
            def evaluate_part(part: int) -> tuple[Evaluation, list[Tensor]]:
                rows = parts[part]
                return evaluate(seen[rows].requires_grad_(True), originals.rows(rows), embeddings[part])

            # In bfloat16 networks have copies for threads, so that each picture gets a thread.
            threads = on_cpu and self._has_copies_for_threads(with_labels)
            evaluated = list((side_by_side if threads else map)(evaluate_part, range(len(parts))))
            slopes = [torch.cat(parts) for parts in zip(*(slopes for _, slopes in evaluated), strict=True)]
            gradients = [
                torch.autograd.grad(pictures, point, slope, retain_graph=slope is not slopes[-1])[0] for slope in slopes
            ]
        if not all(bool(gradient.isfinite().all()) for gradient in gradients):
            raise TargetError(
                f"the gradient of target {self.target.name!r} is NaN or infinite:"
                " check it, or use the scan search, which needs none"
            )
        return Evaluation.cat([evaluation for evaluation, _ in evaluated]), gradients

    def _has_copies_for_threads(self, with_labels: bool) -> bool:
        """Tell whether each thread has its own copy of all networks that get gradients.

        Other networks may keep something between two layers.
        """
        networks: list[object] = [self.target]
        if with_labels and self.labels is not None:
            networks.append(getattr(self.labels.text_encoder, "image_tower", None))
        return all(
            isinstance(network, nn.Module) and any(isinstance(part, LoweredNetwork) for part in network.modules())
            for network in networks
        )

    def _loss_and_slope(
        self, images: Tensor, originals: Originals, embeddings: Tensor | None
    ) -> tuple[Evaluation, list[Tensor]]:
        """Return the evaluation of images `[B, 3, R, R]`, and the gradient of the loss with respect to them."""
        evaluation = self.evaluate(images, originals, embeddings=embeddings, ssim="flipped", loss=True)
        assert evaluation.loss is not None
        (slope,) = torch.autograd.grad(evaluation.loss.sum(), images)
        return dataclasses.replace(evaluation, loss=evaluation.loss.detach()), [slope]

    def _margin_and_structure_slopes(
        self, images: Tensor, originals: Originals, embeddings: Tensor | None
    ) -> tuple[Evaluation, list[Tensor]]:
        """Return the evaluation of images `[B, 3, R, R]`, and the gradients of margin and 1 − SSIM."""
        whole = is_viewed_whole(images)
        evaluation = self.evaluate(images, originals, embeddings=embeddings, ssim="none" if whole else "flipped")
        structure = structure_loss(images, originals.images)
        (picture,) = torch.autograd.grad(structure.sum(), images)
        (slope,) = torch.autograd.grad(evaluation.margin.sum(), images)
        flat = ~slope.flatten(1).any(dim=1)
        if bool(flat.any()):
            loss = self.target.task.loss(self._outputs(images), originals.outputs)
            (push,) = torch.autograd.grad(loss.sum(), images)
            slope = torch.where(flat[:, None, None, None], push, slope)
        similarity = 1 - structure.detach() if whole else evaluation.ssim
        return dataclasses.replace(evaluation, margin=evaluation.margin.detach(), ssim=similarity), [slope, picture]

    def _outputs(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.target(images)
        if not bool(outputs.isfinite().all()):
            raise TargetError(
                f"target {self.target.name!r} returns NaN or infinite outputs: check its weights and preprocessing"
            )
        return outputs


def _compared(images: Tensor) -> Tensor:
    """Return what SSIM looks at: pictures larger than any generator draws are averaged over squares.

    It takes many times the memory of its pictures.
    """
    square = max(1, min(images.shape[-2:]) // LARGEST_COMPARED)
    return functional.avg_pool2d(images, square) if square > 1 else images


def _ssim_rows(images: Tensor, originals: Originals, worth: Tensor, which: WhichSSIM) -> Tensor:
    rows = images.new_full((len(images),), torch.nan)
    if which == "none":
        return rows
    chosen = torch.arange(len(images), device=images.device) if which == "all" else worth.nonzero().flatten()
    for part in torch.split(chosen, max(1, _COMPARED // images[:1].numel())) if len(chosen) else ():
        rows[part] = ssim(_compared(images[part]), _compared(originals.rows(part).images))
    return rows
