"""An audit in the metadata of a model card on Hugging Face's hub: the field `model-index`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zoom_engine.common.errors import AuditError, one_line
from zoom_engine.settings.attributes import short_names
from zoom_engine.statistics.diagnosis import Diagnosis

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASKS = {
    "regression": "image-regression",
    "keypoints": "keypoint-detection",
    "segmentation": "image-segmentation",
    "detection": "object-detection",
    "embedding": "image-feature-extraction",
}
"""What the hub calls a task; all others are image-classification."""


def model_index(diagnoses: Sequence[Diagnosis], model: str) -> str:
    """Return the field `model-index` as YAML, for the head of the card of `model`.

    It has a result for each audit, and a metric for each of its attributes.

    Raises:
        AuditError: an audit is not finished or not of single attributes, or two are of the same target and images.
    """
    from huggingface_hub import ModelCardData

    data = ModelCardData(model_name=model, eval_results=_results(diagnoses))
    return str(data.to_yaml()) + "\n"


def with_model_index(card: Path, diagnoses: Sequence[Diagnosis], model: str | None = None) -> str:
    """Return the text of a model card with the audits in its metadata.

    They replace those of the same target and images; all else stays.

    Args:
        card: the card's file.
        diagnoses: finished audits.
        model: its name in the metadata; by default the card's.

    Raises:
        AuditError: the card cannot be read, is no Markdown or names no model, or as `model_index`.
    """
    from huggingface_hub import ModelCard, ModelCardData

    if card.suffix.lower() != ".md":
        raise AuditError(f"{card} is no model card, which is Markdown, such as README.md: metadata would damage it")
    try:
        model_card = ModelCard(card.read_text(encoding="utf-8"))
        data = cast(ModelCardData, model_card.data)
    except Exception as error:  # whatever the readers of YAML and of its fields raise
        raise AuditError(f"cannot read the model card {card}: {one_line(error)}") from error
    name = model or data.model_name
    if name is None:
        raise AuditError(f"{card} names no model in its metadata: give --name")
    new = _results(diagnoses)
    identifiers = {result.unique_identifier for result in new}
    data.model_name = name
    others = [result for result in data.eval_results or [] if result.unique_identifier not in identifiers]
    data.eval_results = [*others, *new]
    return str(model_card)


def _results(diagnoses: Sequence[Diagnosis]) -> list[EvalResult]:
    results: dict[tuple[str | None, ...], list[EvalResult]] = {}
    for diagnosis in diagnoses:
        of_audit = list(_results_of(diagnosis))
        identifiers = {result.unique_identifier for result in of_audit}
        if identifiers & results.keys():  # one result with the version and hash of the first, as the hub groups them
            raise AuditError(
                f"two audits are of {of_audit[0].dataset_config or 'the model'} on {of_audit[0].dataset_split}, which a"
                " model card has one result for: give one of them, or audit other images"
            )
        results |= dict.fromkeys(identifiers, of_audit)
    return [result for of_audit in results.values() for result in of_audit]


def _results_of(diagnosis: Diagnosis) -> Iterator[EvalResult]:
    from huggingface_hub import EvalResult

    if diagnosis.missing or (diagnosis.path is not None and not diagnosis.finished):
        raise AuditError(f"{diagnosis.path or 'the audit'} is not finished: a model card takes whole audits")
    if diagnosis.mode == "multi":
        raise AuditError(
            f"{diagnosis.path or 'the audit'} edits all attributes together, so none has a sensitivity of its own: a"
            " model card takes audits of single attributes"
        )
    config, summary = diagnosis.config, diagnosis.summary()
    names = short_names(diagnosis.attributes, config.neutral)
    task = (config.task or {}).get("task", "")
    images = "photographs" if config.photographs else "generated images" if config.edits is None else "edited images"
    which = f"seed {config.seed}" if config.edits is None else f"edits by {config.edits.kind}"
    made_of = str(config.content.get("generator", "")) if config.edits is None else config.edits.content_hash
    if config.photographs:  # they have numbers of their own, and no seed says which they are
        made_of = hashlib.sha256(repr((made_of, sorted({one.seed for one in diagnosis.records}))).encode()).hexdigest()
    for row in summary.sensitivity:
        value, interval = row.value, row.interval
        if value is None:
            continue
        arguments: dict[str, Any] = {
            "attribute": row.attribute.text,
            "ci95": None if interval is None else [round(end, 4) for end in interval],
            "p_adjusted": None if row.p_adjusted is None else round(row.p_adjusted, 4),
            "verdict": row.verdict,
            "specificity": row.specificity,
        }
        yield EvalResult(
            task_type=TASKS.get(task, "image-classification"),
            dataset_type="zoom-engine",
            dataset_name=f"{summary.images} {images}, {which}",
            dataset_config=config.target or None,
            dataset_split=f"{summary.images} images, {which}",
            dataset_args={name: text for name, text in diagnosis.about.to_json().items() if text and name != "model"},
            dataset_revision=made_of[:12] or None,
            metric_type="sensitivity",
            metric_name=f"Sensitivity to {names[row.attribute]}",
            metric_value=round(value, 4),
            metric_args={name: one for name, one in arguments.items() if one is not None},
        )
