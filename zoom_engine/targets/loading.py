"""`load_target`: from a name, a path or an object to a checked `Target`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoom_engine.domains import Domain, find_domain
from zoom_engine.errors import TargetError, one_line
from zoom_engine.target_settings import Kind
from zoom_engine.targets.architectures import LIBRARIES, find_architecture
from zoom_engine.targets.black_box import BlackBox, find_black_box
from zoom_engine.targets.entry import Entry, one_tensor
from zoom_engine.targets.files import check_trust, kind_of_file
from zoom_engine.targets.found import Found
from zoom_engine.targets.guess import guess_task
from zoom_engine.targets.hugging_face import find_hugging_face
from zoom_engine.targets.module import find_module
from zoom_engine.targets.onnx_loader import onnx_preprocessing, read_onnx, tells_scale
from zoom_engine.targets.preprocessing import Preprocessing, scale_is_assumed
from zoom_engine.targets.published import HUB, hub_folder
from zoom_engine.targets.python_object import PREFIX, import_object
from zoom_engine.targets.target import Target, probe_images, task_from_dict
from zoom_engine.targets.task import Task
from zoom_engine.targets.torch_programs import find_exported_program, find_torchscript

PROBE_SIZE = 128
Spec = str | Path | nn.Module | BlackBox
Options = Preprocessing | Mapping[str, Any] | None


def load_target(
    spec: Spec,
    *,
    name: str | None = None,
    task: Task | None = None,
    preprocessing: Options = None,
    classes: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    resolution: int | None = None,
    output: str | int | None = None,
    kind: Kind | None = None,
    head: int | str | None = None,
    trust: bool = False,
    download: bool = False,
) -> Target:
    """Load the model under audit and try it.

    Args:
        spec: what to load, one of

            - "domain:target" such as "avatars:mustache"
            - the path of an ONNX file, a TorchScript file or a `torch.export` program (.pt2), told apart by
              content; the last two run a graph of their own, which takes `trust`
            - "torchvision:NAME@WEIGHTS" or "timm:NAME@WEIGHTS": an architecture of these libraries with a
              state-dict file (torch or safetensors), or with published weights by their tag where they are
              on this machine
            - the folder of a Hugging Face image classifier (safetensors only), or "hf-hub:OWNER/NAME" (with "@REVISION"
              for another than the newest) where its snapshot is on this machine
            - "python:FILE.py:NAME" or "python:MODULE:NAME": a function (or a torch module) of that name, as below;
              importing it runs code, which takes `trust`
            - a torch module (copied, then frozen in eval mode), or a `Target` (which is left as it is)
            - any function from uint8 RGB images `[B, H, W, 3]` to probabilities `[B]` or `[B, C]`: a black box
              without gradients
        name: how reports call it; the domain's, the file's or the class's name where not given.
        task: what it predicts. Where neither this nor the file says so it is guessed: one or two outputs
            are a binary decision, more are classes; a final sigmoid or softmax means probabilities. An
            output that could be either is an error.
        preprocessing: what its input looks like: a `Preprocessing`, or a mapping of those of its fields that
            differ from the model's own. The model's own comes from its file or library where it has one (an
            ONNX file's fixed size and layout stay), else it is RGB in [0, 1] of the image's size.
        classes: names of the classes, used where `task` is not given.
        labels: prompts that let the text encoder tell the classes apart; the target's own where not given.
        resolution: of the images it will meet, for the check; the preprocessing's size, else 128, where not
            given.
        output: of several outputs the one to audit: a name (ONNX, dict) or an index (ONNX, tuple); a name comes first.
        kind: "logits" or "probabilities", where the outputs could be either.
        head: index or class name of the one output of a multi-label model to audit, as a yes or no.
        trust: run files that contain a program, and import Python code.
        download: fetch published weights that are not on this machine, through their library's own cache and with its
            progress.

    Raises:
        TargetError: one line on what is wrong with the file, the outputs or the options.
    """
    complete = spec if isinstance(spec, Target) else _of_domain(spec)
    if complete is None:
        found = _find(spec, preprocessing, output, trust, download, resolution or PROBE_SIZE)
        complete = _as_target(found, name, task, classes, kind, head, resolution or PROBE_SIZE)
    elif (name, task, preprocessing, classes, output, kind, head) != (None,) * 7:
        raise TargetError(
            f"target {complete.name!r} is complete: of the options only labels can be given beside it, not"
            " name, task, preprocessing, classes, output, kind or head"
        )
    if labels is not None:
        complete = complete.replaced(labels=tuple(labels))
    hw = complete.preprocessing.hw
    complete.check(resolution or (max(hw) if hw else PROBE_SIZE))
    return complete


def check_target(spec: Spec) -> None:
    """Refuse, by a `TargetError`, a path or a domain's name that `load_target` could not find; loads nothing."""
    if not isinstance(spec, str | Path):
        return
    elsewhere = str(spec).partition(":")[0] in LIBRARIES or str(spec).startswith((PREFIX, HUB))
    if not elsewhere and _domain_of(spec) is None:
        kind_of_file(Path(spec))


def _of_domain(spec: Spec) -> Target | None:
    """The target "domain:name"; None where `spec` is something else."""
    domain = _domain_of(spec)
    return None if domain is None else domain.target(str(spec).partition(":")[2])


def _domain_of(spec: Spec) -> Domain | None:
    """The domain of "domain:name", which has a target of that name; None where `spec` is something else."""
    if not isinstance(spec, str):
        return None
    domain_name, colon, target_name = spec.partition(":")
    domain = find_domain(domain_name) if colon else None
    if domain is not None and target_name not in domain.target_names():
        raise TargetError(
            f"domain {domain_name!r} has no target {target_name!r}; it has {', '.join(domain.target_names())}"
        )
    return domain


def _find(
    spec: Spec, options: Options, output: str | int | None, trust: bool, download: bool, resolution: int
) -> Found:
    if isinstance(spec, str) and spec.startswith(PREFIX):
        spec = import_object(spec, trust=trust)
    if isinstance(spec, nn.Module):
        found = find_module(spec, options)
    elif isinstance(spec, str | Path):
        if str(spec).partition(":")[0] in LIBRARIES:
            found = find_architecture(str(spec), options, download=download)
        elif str(spec).startswith(HUB):
            found = find_hugging_face(hub_folder(str(spec), download=download), options)
            found = dataclasses.replace(found, name=str(spec).removeprefix(HUB))
        else:
            path = Path(spec)
            kind = kind_of_file(path)
            if kind == "onnx":
                return _find_onnx(path, options, output, resolution)
            if kind == "torchscript":
                check_trust(path, kind, trust)
                found = find_torchscript(path, options)
            elif kind == "exported-program":
                check_trust(path, kind, trust)
                found = find_exported_program(path, options)
            else:
                found = find_hugging_face(path, options)
    elif callable(spec):
        found = find_black_box(spec, options, resolution=resolution)
    else:
        raise TargetError(f"a {type(spec).__name__} is no target: give a name, a path, a torch module or a function")
    return found if output is None else dataclasses.replace(found, network=Entry(found.network, output), final="")


def _find_onnx(path: Path, options: Options, output: str | int | None, resolution: int) -> Found:
    hw = Preprocessing().updated(options).hw
    model = read_onnx(path, hw=hw, output=output, resolution=resolution)
    metadata = model.metadata
    return Found(
        network=model.network,
        name=str(metadata.get("name") or path.stem),
        preprocessing=onnx_preprocessing(metadata, model.kind, model.size, model.layout, options),
        assumed=scale_is_assumed(options, told=tells_scale(metadata, model.kind)),
        task=task_from_dict(metadata["task"]) if "task" in metadata else None,
        labels=tuple(metadata.get("labels", ())),
        final=model.final,
        differentiable=model.differentiable,
        note=model.note,
        content_hash=model.content_hash,
    )


def _as_target(
    found: Found,
    name: str | None,
    task: Task | None,
    classes: Sequence[str] | None,
    kind: Kind | None,
    head: int | str | None,
    resolution: int,
) -> Target:
    name = name or found.name
    if task is None and found.task is not None and (classes, kind, head) == (None, None, None):
        task = found.task
    if task is None:
        task = guess_task(
            _raw_outputs(found, name, resolution),
            name=name,
            classes=found.classes if classes is None else classes,
            final=found.final,
            kind=kind,
            head=head,
        )
    return Target(
        found.network,
        name=name,
        task=task,
        preprocessing=found.preprocessing,
        assumed=found.assumed,
        labels=found.labels,
        differentiable=found.differentiable,
        note=found.note,
        content_hash=found.content_hash,
    )


def _raw_outputs(found: Found, name: str, resolution: int) -> Tensor:
    height, width = found.preprocessing.hw or (resolution, resolution)
    try:
        with torch.no_grad():
            raw = found.network(found.preprocessing(probe_images(height, width)))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise TargetError(
            f"target {name!r} fails on an input of 3×{height}×{width}: {one_line(error)};"
            " set preprocessing size (and layout) to what the model wants"
        ) from error
    return one_tensor(raw, name)
