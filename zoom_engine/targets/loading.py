"""`load_target`: from a domain's name, a module or an ONNX file to a checked `Target`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoom_engine.domains import find_domain
from zoom_engine.errors import TargetError
from zoom_engine.targets.binary import BinaryOutput, BinaryTask
from zoom_engine.targets.multiclass import MultiClassTask
from zoom_engine.targets.onnx_loader import OnnxModel, read_onnx
from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.target import Target, one_line, probe_images, task_from_dict
from zoom_engine.targets.task import Task

PROBE_SIZE = 128
PASS_THROUGH = (nn.Identity, nn.Flatten, nn.Dropout)


def load_target(
    spec: str | Path | nn.Module,
    *,
    name: str | None = None,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    classes: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    resolution: int | None = None,
    output: str | None = None,
) -> Target:
    """Load the model under audit and try it.

    Args:
        spec: "domain:target" such as "avatars:mustache"; the path of an ONNX file; a torch module (copied,
            then frozen in eval mode); or a `Target`.
        name: how reports call it; the domain's, the file's or the class's name where not given.
        task: what it predicts. Where neither this nor the file says so it is guessed: one or two outputs
            are a binary decision, more are classes; a final sigmoid or softmax means probabilities. An
            output that could be either is an error.
        preprocessing: what its input looks like (a size and layout that an ONNX file fixes are taken from
            it); the file's own where it has one, else RGB in [0, 1] of the file's input size.
        classes: names of the classes, used where `task` is not given.
        labels: prompts that let the text encoder tell the classes apart; the target's own where not given.
        resolution: of the images it will meet, for the check; the preprocessing's size, else 128, where not
            given.
        output: name of the output to audit, for an ONNX file that has several.

    Raises:
        TargetError: one line on what is wrong with the file, the outputs or the options.
    """
    if isinstance(spec, Target):
        target = spec
    elif isinstance(spec, nn.Module):
        target = _from_module(spec, name, task, preprocessing, classes, resolution)
    elif str(spec).lower().endswith(".onnx"):
        hw = preprocessing.hw if preprocessing else None
        model = read_onnx(Path(spec), hw=hw, output=output, resolution=resolution or PROBE_SIZE)
        target = _from_onnx(model, name, task, preprocessing, classes)
    else:
        target = _from_domain(str(spec))
    if labels is not None:
        target.labels = tuple(labels)
    hw = target.preprocessing.hw
    target.check(resolution or (max(hw) if hw else PROBE_SIZE))
    return target


def _from_domain(spec: str) -> Target:
    domain_name, colon, target_name = spec.partition(":")
    domain = find_domain(domain_name) if colon else None
    if domain is None:
        raise TargetError(
            f"no target {spec!r}: give the path of an .onnx file, a torch module, or a name such as 'avatars:mustache'"
        )
    if target_name not in domain.target_names():
        raise TargetError(
            f"domain {domain_name!r} has no target {target_name!r}; it has {', '.join(domain.target_names())}"
        )
    return domain.target(target_name)


def _from_module(
    module: nn.Module,
    name: str | None,
    task: Task | None,
    preprocessing: Preprocessing | None,
    classes: Sequence[str] | None,
    resolution: int | None,
) -> Target:
    try:
        network = copy.deepcopy(module).eval().requires_grad_(False)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise TargetError(
            f"the module {type(module).__name__} cannot be copied ({one_line(error)}):"
            " give one that copy.deepcopy takes"
        ) from error
    preprocessing = preprocessing or Preprocessing()
    name = name or type(module).__name__
    if task is None:
        height, width = preprocessing.hw or (resolution or PROBE_SIZE, resolution or PROBE_SIZE)
        final = _final_activation(network)
        task = guess_task(
            _raw_outputs(network, preprocessing, height, width, name), classes=classes, final=final, name=name
        )
    return Target(network, name=name, task=task, preprocessing=preprocessing)


def _from_onnx(
    model: OnnxModel,
    name: str | None,
    task: Task | None,
    preprocessing: Preprocessing | None,
    classes: Sequence[str] | None,
) -> Target:
    metadata: Mapping[str, Any] = model.metadata
    if preprocessing is None:
        stored = metadata.get("preprocessing")
        preprocessing = Preprocessing.from_dict(stored) if stored else Preprocessing(layout=model.layout)
    if model.size is not None:
        size = preprocessing.size or model.size
        preprocessing = dataclasses.replace(preprocessing, size=size, layout=model.layout)
    name = name or str(metadata.get("name") or model.path.stem)
    if task is None and "task" in metadata:
        task = task_from_dict(metadata["task"])
    if task is None:
        height, width = preprocessing.hw or (PROBE_SIZE, PROBE_SIZE)
        raw = _raw_outputs(model.network, preprocessing, height, width, name)
        task = guess_task(raw, classes=classes, final=model.final, name=name)
    return Target(
        model.network,
        name=name,
        task=task,
        preprocessing=preprocessing,
        labels=tuple(metadata.get("labels", ())),
        differentiable=model.differentiable,
        note=model.note,
        content_hash=model.content_hash,
    )


def _raw_outputs(network: nn.Module, preprocessing: Preprocessing, height: int, width: int, name: str) -> Tensor:
    try:
        with torch.no_grad():
            raw = network(preprocessing(probe_images(height, width)))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise TargetError(
            f"target {name!r} fails on an input of 3×{height}×{width}: {one_line(error)};"
            " set preprocessing size (and layout) to what the model wants"
        ) from error
    if not isinstance(raw, Tensor):
        raise TargetError(
            f"target {name!r} returns a {type(raw).__name__}, not a tensor: wrap it so that it returns one tensor"
        )
    return raw


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    if not children:
        yield module
    for child in children:
        yield from _leaves(child)


def _final_activation(module: nn.Module) -> str:
    """ "sigmoid", "softmax" or "": the last leaf module that does anything."""
    for leaf in reversed(list(_leaves(module))):
        if isinstance(leaf, nn.Sigmoid):
            return "sigmoid"
        if isinstance(leaf, nn.Softmax):
            return "softmax"
        if not isinstance(leaf, PASS_THROUGH):
            return ""
    return ""


def guess_task(raw: Tensor, *, classes: Sequence[str] | None, final: str, name: str) -> Task:
    """The task of a model that does not declare one, from its outputs `[B, …]` on random images.

    Args:
        raw: outputs of the network.
        classes: names, in the order of the outputs, where the user gave them.
        final: "sigmoid" or "softmax" where the network is known to end with one, else "".
        name: of the target, for messages.
    """
    flat = (raw if raw.ndim > 1 else raw[:, None]).flatten(1).float()
    count = flat.shape[1]
    if not bool(flat.isfinite().all()):
        raise TargetError(f"target {name!r} returns NaN or infinite outputs: check its weights and preprocessing")
    within = bool(((flat >= 0) & (flat <= 1)).all())
    sums_to_one = within and count > 1 and bool((flat.sum(1) - 1).abs().max() < 1e-3)
    if count > 2:
        names = tuple(classes) if classes else tuple(str(index) for index in range(count))
        if final == "sigmoid":
            raise TargetError(
                f"target {name!r} gives {count} independent probabilities: wrap it so that it returns the one to audit"
            )
        probable = final == "softmax" or sums_to_one
        return MultiClassTask(classes=names, output="probabilities" if probable else "logits")
    if classes is not None and len(classes) != 2:
        raise TargetError(
            f"target {name!r} has {count} output{'s' * (count > 1)}, a decision"
            f" between two classes, but {len(classes)} are named"
        )
    pair = (str(classes[0]), str(classes[1])) if classes else ("0", "1")
    kind: BinaryOutput
    if count == 2:
        if final == "sigmoid":
            raise TargetError(
                f"target {name!r} gives 2 independent probabilities: wrap it so that it returns the one to audit"
            )
        kind = "two-probabilities" if final == "softmax" or sums_to_one else "two-logits"
    elif final == "sigmoid":
        kind = "probability"
    elif within:
        raise TargetError(
            f"target {name!r} returns one number in [0, 1], which may be a logit or a probability:"
            " pass task=BinaryTask(output='logit') or BinaryTask(output='probability')"
        )
    else:
        kind = "logit"
    return BinaryTask(classes=pair, output=kind)
