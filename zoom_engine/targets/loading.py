"""`load_target`: from a name, a path or an object to a checked `Target`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from zoom_engine.common import registry
from zoom_engine.common.errors import TargetError
from zoom_engine.common.files.asked_path import asked_path
from zoom_engine.common.files.kinds_of_file import FileKind, kind_of_file
from zoom_engine.common.threads import working
from zoom_engine.common.typed import named_options, one_of
from zoom_engine.settings.model_settings import Kind
from zoom_engine.targets.entry import Entry
from zoom_engine.targets.loaders.architectures import load_architecture
from zoom_engine.targets.loaders.black_box import BlackBox, FunctionNetwork
from zoom_engine.targets.loaders.hugging_face import load_from_hub, load_hugging_face
from zoom_engine.targets.loaders.loaded_model import LARGEST_PROBE, PROBE_SIZE, LoadedModel, Reading
from zoom_engine.targets.loaders.predictor import Predictor
from zoom_engine.targets.loaders.python_object import import_object, is_onnx_object, load_object
from zoom_engine.targets.loaders.service import Service, load_service
from zoom_engine.targets.loaders.torch_programs import load_exported_program, load_torchscript
from zoom_engine.targets.loaders.transforms import StatedInput, stated_preprocessing
from zoom_engine.targets.onnx.load import load_onnx, load_onnx_model, load_tfjs
from zoom_engine.targets.onnx.session import OnnxSession, load_session
from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.target import Target, probe_inputs, raw_outputs
from zoom_engine.targets.tasks import (
    EmbeddingTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    Task,
    task_from_dict,
)
from zoom_engine.targets.tasks.guess import TAKEN_FOR_EMBEDDING, guess_task

NAMED: dict[str, Callable[[str, Reading], LoadedModel]] = {
    "torchvision": load_architecture,
    "timm": load_architecture,
    "hf-hub": load_from_hub,
    "python": lambda spec, how: _of_object(import_object(spec, trust=how.trust), how),
    "http": load_service,
    "https": load_service,
}
"""What loads "KEY:…"."""
FILES: dict[FileKind, Callable[[Path, Reading], LoadedModel]] = {
    "onnx": load_onnx,
    "tfjs": load_tfjs,
    "torchscript": load_torchscript,
    "exported-program": load_exported_program,
    "hugging-face": load_hugging_face,
}
"""What loads a file or folder of that kind."""
_OUTPUTS = {
    "logits": ("logits", "logit", "two-logits"),
    "probabilities": ("probabilities", "probability", "two-probabilities"),
}
"""What tasks call their outputs, by what the user may say that these are."""
_USUAL = {"multiclass": 0, "multilabel": 0, "segmentation": 0, "binary": 1}
"""Which of these a task that is described without its output has."""
_NUMBER = RegressionTask(range=(0.0, 1.0))
"""Of a model that gives a number: nothing asks for its range where it scores pictures."""
Spec = str | Path | nn.Module | BlackBox | Predictor | OnnxSession | onnx.ModelProto


@named_options
@working()
def load_target(
    spec: Spec,
    *,
    name: str | None = None,
    task: Task | str | Mapping[str, Any] | None = None,
    preprocessing: StatedInput = None,
    classes: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    resolution: int | None = None,
    output: str | int | None = None,
    kind: Kind | None = None,
    head: int | str | None = None,
    trust: bool = False,
    download: bool = False,
    service: Mapping[str, Any] | None = None,
) -> Target:
    """Load the model under audit and try it.

    Args:
        spec: what to load, one of

            - "domain:target" such as "avatars:mustache"
            - the path of an ONNX file, a TensorFlow.js graph (its model.json), a TorchScript file or a `torch.export`
              program (.pt2), told apart by content; the last two run a graph of their own, which takes `trust`
            - "torchvision:NAME@WEIGHTS" or "timm:NAME@WEIGHTS": an architecture of these libraries with a
              state-dict file (torch or safetensors), or with published weights by their tag where they are
              on this machine
            - the folder of a Hugging Face image classifier (safetensors only), or "hf-hub:OWNER/NAME" (with "@REVISION"
              for another than the newest) where its snapshot is on this machine
            - "python:FILE.py:NAME" or "python:MODULE:NAME": a function (or a torch module) of that name, as below;
              importing it runs code, which takes `trust`
            - "http://HOST:PORT/PATH" or https: a service, asked about one picture in a request (see `service`)
            - a torch module (copied, then frozen in eval mode), or a `Target` (which is left as it is)
            - a model of transformers, or its pipeline for image-classification, which brings its preprocessing
            - an `onnx.ModelProto`, or an ONNX Runtime session (without gradients)
            - an object with `predict`, such as an estimator of scikit-learn or a Keras model, which is given float32
              RGB pictures in [0, 1], `[B, H, W, 3]` or rows of them, as it says itself: a black box without gradients
            - any function from uint8 RGB images `[B, H, W, 3]` to probabilities `[B]` or `[B, C]`: a black box
              without gradients
        name: how reports call it; the domain's, the file's or the class's name where not given.
        task: what it predicts: a `Task`, the name of one, or its `to_dict`. Where neither this nor the file says so it
            is guessed: one or two outputs are a binary decision, more are classes, or labels where they are independent
            probabilities; a final sigmoid or softmax means probabilities; maps with a channel for each named class are
            areas; rows of 8 numbers or more that have length 1 for every picture are an embedding. An output that could
            be several things is an error.
        preprocessing: what its input looks like: a `Preprocessing`, or a mapping of those of its fields that
            differ from the model's own; or what another library makes pictures with in evaluation: a transform of
            torchvision's, the dictionary of `timm.data.resolve_data_config`, an image processor of transformers.
            The model's own comes from its file or library where it has one (an ONNX file's fixed size and layout
            stay), else it is RGB in [0, 1] of the image's size.
        classes: names of the classes, for a task that is guessed, or given without them.
        labels: prompts that let the text encoder tell the classes apart; the target's own where not given.
        resolution: of the images it will meet, for the check; the preprocessing's size, else 128, where not
            given.
        output: of several outputs the one to audit: a name (ONNX, dict) or an index (ONNX, tuple); a name comes first.
        kind: "logits" or "probabilities", where the outputs could be either.
        head: index or class name of the one output of a multi-label model to audit, as a yes or no.
        trust: run files that contain a program, and import Python code.
        download: fetch published weights that are not on this machine, through their library's own cache and with its
            progress.
        service: how a service is asked, see `zoom_engine.settings.model_settings.ServiceSettings`.

    Raises:
        TargetError: one line on what is wrong with the file, the outputs or the options.
    """
    complete = load_untried(
        spec,
        name=name,
        task=task,
        preprocessing=preprocessing,
        classes=classes,
        labels=labels,
        resolution=resolution,
        output=output,
        kind=kind,
        head=head,
        trust=trust,
        download=download,
        service=service,
    )
    hw = complete.preprocessing.hw
    complete.check(resolution or (min(max(hw), LARGEST_PROBE) if hw else PROBE_SIZE))
    return complete


@working()
def load_untried(
    spec: Spec,
    *,
    name: str | None = None,
    task: Task | str | Mapping[str, Any] | None = None,
    preprocessing: StatedInput = None,
    classes: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    resolution: int | None = None,
    output: str | int | None = None,
    kind: Kind | None = None,
    head: int | str | None = None,
    trust: bool = False,
    download: bool = False,
    service: Mapping[str, Any] | None = None,
) -> Target:
    """Load a target as `load_target` does, without the check, which is up to the caller."""
    if service is not None and not asks_a_service(spec):
        raise TargetError("service options belong to a target behind HTTP, such as http://127.0.0.1:8000/predict")
    if wrong := next((option for option in (labels, classes) if isinstance(option, str)), None):
        raise TargetError(f"labels and classes are lists of texts, not the text {wrong[:40]!r}")
    if isinstance(task, str | Mapping):
        described: dict[str, Any] = {"task": task} if isinstance(task, str) else dict(task)
        usual = _USUAL.get(str(described.get("task")))
        if kind in _OUTPUTS and usual is not None:
            described.setdefault("output", _OUTPUTS[kind][usual])
        task = task_from_dict(described if classes is None else {"classes": tuple(classes), **described})
    complete = spec if isinstance(spec, Target) else _of_domain(spec)
    if complete is None:
        stated = stated_preprocessing(preprocessing)
        loaded = _load(spec, Reading(stated, output, trust, download, resolution or PROBE_SIZE, service))
        complete = _as_target(loaded, name, task, classes, kind, head, resolution or PROBE_SIZE)
    elif (name, task, preprocessing, classes, output, kind, head) != (None,) * 7:
        raise TargetError(
            f"target {complete.name!r} is complete: of the options only labels can be given beside it, not"
            " name, task, preprocessing, classes, output, kind or head"
        )
    if labels is not None:
        complete = complete.replaced(labels=tuple(labels))
    return complete


def load_for_scores(spec: Spec, *, trust: bool = False, download: bool = False) -> Target:
    """Load the model of a scorer, untried: as a target, but a number in a unit of its own needs no range.

    The one number that a function or a service gives for a picture is taken as it is.

    Raises:
        TargetError: as `load_target`.
    """
    complete = spec if isinstance(spec, Target) else _of_domain(spec)
    if complete is None:
        loaded = _load(spec, Reading(None, None, trust, download, PROBE_SIZE, None))
        number = loaded.task is None and (loaded.final == "number" or _calls_for_one_number(loaded))
        complete = _as_target(loaded, None, _NUMBER if number else None, None, None, None, PROBE_SIZE)
    return complete


def _calls_for_one_number(loaded: LoadedModel) -> bool:
    """Tell whether a model is a function or a service that returns one number for each picture."""
    if not isinstance(loaded.network, FunctionNetwork | Service):
        return False
    raw = raw_outputs(loaded.network, probe_inputs(loaded.preprocessing, PROBE_SIZE), loaded.name)
    return raw.ndim == 1 or tuple(raw.shape[1:]) == (1,)


def check_target(spec: Spec) -> None:
    """Refuse, by a `TargetError`, a path or a domain's name that `load_target` could not find; load nothing."""
    if not isinstance(spec, str | Path):
        return
    if _named(spec) is None and _domain_of(spec) is None:
        kind_of_file(Path(spec))


def _of_domain(spec: Spec) -> Target | None:
    """Load the target "domain:name"; None where `spec` is something else.

    Raises:
        TargetError: the domain has no such target, or gives something else for it.
        ConfigError: the package of the domain fails.
    """
    domain = _domain_of(spec)
    if domain is None:
        return None
    name, _, target_name = str(spec).partition(":")
    with registry.asking(registry.DOMAINS, name, f"load its target '{target_name}'"):
        target = domain.target(target_name)
    if not isinstance(target, Target):
        raise TargetError(f"domain {name!r}: its target {target_name!r} is a {type(target).__name__}, not a Target")
    return target


def _domain_of(spec: Spec) -> Any:
    """Find the domain of "domain:name", which has a target of that name; None where `spec` is something else.

    Raises:
        TargetError: the domain has no such target.
        ConfigError: the package of the domain fails.
    """
    if not isinstance(spec, str):
        return None
    domain_name, colon, target_name = spec.partition(":")
    domain = registry.find(registry.DOMAINS, domain_name, taken=NAMED) if colon else None
    if domain is None:
        return None
    with registry.asking(registry.DOMAINS, domain_name, "name its targets"):
        known = [str(name) for name in domain.target_names()]
    if target_name not in known:
        raise TargetError(f"domain {domain_name!r} has no target {one_of(target_name, known)}")
    return domain


def _named(spec: str | Path) -> Callable[[str, Reading], LoadedModel] | None:
    """Return what loads "KEY:…"; None where `spec` is something else."""
    key, colon, _ = str(spec).partition(":")
    return NAMED.get(key) if colon else None


def asks_a_service(spec: object) -> bool:
    """Tell whether `spec` is a target behind HTTP."""
    return isinstance(spec, str | Path) and _named(spec) is load_service


def _load(spec: Spec, how: Reading) -> LoadedModel:
    if not isinstance(spec, str | Path):
        loaded = _of_object(spec, how)
    elif (named := _named(spec)) is not None:
        loaded = named(str(spec), how)
    else:
        path = asked_path(spec, TargetError)
        loaded = FILES[kind_of_file(path)](path, how)
    resize = how.options.get("resize") if isinstance(how.options, Mapping) else None
    if resize not in (None, Preprocessing.resize) and loaded.preprocessing.hw is None:
        raise TargetError(
            f"target {loaded.name!r} takes pictures of any size, so none is resized: give the size too (--input-size),"
            " or leave resize out (--input-resize)"
        )
    output_hash = _of_output(loaded.content_hash, how.output)
    if how.output is None or loaded.output_chosen:
        return dataclasses.replace(loaded, content_hash=output_hash)
    return dataclasses.replace(loaded, network=Entry(loaded.network, how.output), final="", content_hash=output_hash)


def _of_object(given: Any, how: Reading) -> LoadedModel:
    if is_onnx_object(given):
        return load_onnx_model(given, how) if isinstance(given, onnx.ModelProto) else load_session(given, how)
    return load_object(given, how)


def _of_output(content_hash: str | None, output: str | int | None) -> str | None:
    """Return the hash of a file, of which one output was chosen."""
    if content_hash is None or output is None:
        return content_hash
    return hashlib.sha256(f"{content_hash} {output}".encode()).hexdigest()


def _as_target(
    loaded: LoadedModel,
    name: str | None,
    task: Task | None,
    classes: Sequence[str] | None,
    kind: Kind | None,
    head: int | str | None,
    resolution: int,
) -> Target:
    name, note = name or loaded.name, loaded.note
    if task is not None:
        _check_said(task, name, kind, head, classes)
    _check_names(loaded, classes if classes is not None else getattr(task, "classes", None))
    if task is None and head is None and kind in (None, getattr(loaded.task, "output", None)):
        task = _named_task(loaded.task, classes)
    if task is None:
        with torch.no_grad():
            raw = raw_outputs(loaded.network, probe_inputs(loaded.preprocessing, resolution), name)
        task = guess_task(
            raw,
            name=name,
            classes=_classes_of(loaded) if classes is None else classes,
            final=loaded.final,
            kind=kind,
            head=head,
        )
        if isinstance(task, EmbeddingTask):
            note = "; ".join(filter(None, (note, TAKEN_FOR_EMBEDDING)))
    return Target(
        loaded.network,
        name=name,
        task=task,
        preprocessing=loaded.preprocessing,
        assumed=loaded.assumed,
        labels=loaded.labels,
        differentiable=loaded.differentiable,
        note=note,
        content_hash=loaded.content_hash,
    )


def _check_said(
    task: Task, name: str, kind: Kind | None, head: int | str | None, classes: Sequence[str] | None
) -> None:
    """Refuse, by a TargetError, what is said of outputs beside a task that says otherwise: it would be left out."""
    if kind is not None and getattr(task, "output", None) not in _OUTPUTS.get(kind, ()):
        raise TargetError(
            f"target {name!r}: kind={kind!r} (--output-kind) helps to guess a task, and the task {task.name} is given"
            " and says itself what outputs are: leave one out, or say it by the task's own option (--task-option"
            " output=…)"
        )
    of_task: Any = getattr(task, "head", None)
    if head is not None and (of_task is None or str(head) not in (str(of_task), *getattr(task, "classes", ())[-1:])):
        raise TargetError(
            f"target {name!r}: head={head!r} (--head) helps to guess a task, and the task {task.name} is given: leave"
            " one out, or say it by the option of a binary task or a regression (--task-option head=NUMBER)"
        )
    if classes is not None and tuple(classes) != tuple(getattr(task, "classes", ())):
        raise TargetError(
            f"target {name!r}: classes (--class) name others than the task {task.name}, which is given: leave one out"
        )


def _check_names(loaded: LoadedModel, classes: Sequence[str] | None) -> None:
    """Refuse, by a TargetError, a service's own names of its numbers in another order than they are read in."""
    names = loaded.network.names if isinstance(loaded.network, Service) else None
    if names and classes is not None and sorted(classes) == sorted(names) and tuple(classes) != names:
        raise TargetError(
            f"service {loaded.name} names its numbers, which are read in the order {', '.join(names)}: name the classes"
            " in this order (--class), or leave them out"
        )


def _named_task(task: Task | None, classes: Sequence[str] | None) -> Task | None:
    """Return what a model says of its task, with the user's names of its classes; None where they leave it open."""
    if task is None or classes is None:
        return task
    described: Any = task
    names = {field.name for field in dataclasses.fields(described)} if dataclasses.is_dataclass(described) else set()
    if "classes" not in names:
        return None
    renamed: Task = dataclasses.replace(described, classes=tuple(classes))
    return renamed


def _classes_of(loaded: LoadedModel) -> Sequence[str] | None:
    """Return the names of a model's outputs, those of the task that it says included; None where it names none."""
    if loaded.classes is None and isinstance(loaded.task, MultiClassTask | MultiLabelTask):
        return loaded.task.classes
    return loaded.classes
