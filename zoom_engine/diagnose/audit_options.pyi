"""The fields of `AuditSettings` as keywords, for type checkers. Written by tests/options_stub.py."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict
from zoom_engine.common.backends import Backend, Precision
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import Correction, EditRange, LossWeights, Mode
from zoom_engine.directions import EditDirections
from zoom_engine.edits.editor import Editor
from zoom_engine.generators.loading import Spec as GeneratorSpec
from zoom_engine.targets.loading import Spec as TargetSpec
from zoom_engine.text import TextEncoder

Targets = list[Any] | tuple[TargetSpec, ...] | Mapping[str, TargetSpec]

class _Target(TypedDict):
    target: TargetSpec

class _Models(_Target):
    generator: GeneratorSpec

class _Shared(TypedDict, total=False):
    generator_options: Mapping[str, Any] | None
    generator_class: int | None
    target_options: Mapping[str, Any] | None
    neutral: str | None
    labels: Sequence[str] | None
    text_encoder: str | Path | TextEncoder | None
    templates: str | Sequence[str]
    smallest_effect: float
    truncation: float
    truncation_cutoff: int | None
    batch_size: int | None
    device: str
    backend: Backend
    precision: Precision
    cache: str | Path | None
    download: bool

class _OfAudits(_Shared, total=False):
    generator: GeneratorSpec | None
    pairs: str | Path | None
    editor: str | Editor | None
    editor_options: Mapping[str, Any] | None
    photos: str | Path | None
    attributes: Sequence[str | Attribute] | None
    preset: str | Path | None
    mode: Mode
    search: str | None
    search_options: Mapping[str, Any] | None
    directions: str | EditDirections | None
    keep: Sequence[str | Attribute] | None
    samples: int | None
    threshold: float | None
    level: float | None
    edit_range: EditRange
    decisive_change: float
    random_directions: int | None
    correction: Correction
    by: Sequence[str | Attribute] | None
    paraphrases: int | None
    loss_weights: LossWeights
    owner: str | None
    purpose: str | None
    model_version: str | None
    cluster: str | None
    workers: int | None
    worker_cores: int

class AuditOptions(_Target, _OfAudits): ...

class AuditChanges(_OfAudits, total=False):
    target: TargetSpec

class SeveralTargets(_OfAudits):
    target: Targets

class SeveralChanges(_OfAudits, total=False):
    target: Targets

class DiscoveryOptions(_Models, _Shared): ...
