"""Whether two audits may be compared, and what must be known beside their figures."""

from __future__ import annotations

from collections.abc import Iterator

from zoom_engine.common.errors import AuditError
from zoom_engine.common.json_object import shown
from zoom_engine.common.plurals import agreeing
from zoom_engine.settings.attributes import short_name
from zoom_engine.statistics.diagnosis import Diagnosis

_EQUAL = {
    "mode": "edits",
    "generator": "generator",
    "generator_class": "class of the generator",
    "truncation": "truncation",
    "truncation_cutoff": "truncation cutoff",
    "text_encoder": "text encoder",
    "neutral": "neutral prompt",
    "edit_range": "range",
    "bound": "range",
    "search": "search",
    "search_options": "options of the search",
    "loss_weights": "loss weights",
}
"""The settings that decide what a change of the output means, with a word for each."""
_OF_DIRECTIONS = ("method", "threshold", "templates")


def title(diagnosis: Diagnosis) -> str:
    """Return what people call an audit: its target, and the folder where there is one."""
    target = diagnosis.config.target or "the model"
    return target if diagnosis.path is None else f"{target} in {diagnosis.path}"


def check_comparable(first: Diagnosis, other: Diagnosis) -> None:
    """Refuse two audits whose changes of the output do not mean the same.

    Raises:
        AuditError: in one line, what differs.
    """
    for diagnosis in (first, other):
        if diagnosis.mode == "multi":
            raise AuditError(f"{title(diagnosis)} edits all attributes together: compare audits of single attributes")
        if diagnosis.missing or not diagnosis.records:
            raise AuditError(f"{title(diagnosis)} is not finished: run its command again, then compare")
    a, b = ({**diagnosis.config.content, **_flat(diagnosis)} for diagnosis in (first, other))
    for name, words in {**_EQUAL, **dict.fromkeys(_flat(first), "edit directions"), "task": "task"}.items():
        if a.get(name) != b.get(name):
            values = f"{shown(a.get(name))} and {shown(b.get(name))}"
            raise AuditError(f"{title(first)} and {title(other)} cannot be compared: another {words} ({values})")
    if not set(first.attributes) & set(other.attributes):
        raise AuditError(f"{title(first)} and {title(other)} cannot be compared: they have no attribute in common")


def notes(first: Diagnosis, other: Diagnosis, *, pairs: int) -> Iterator[str]:
    """Yield a sentence on each difference between two audits that may be compared; `pairs` images are in both."""
    counts = [len({record.image for record in diagnosis.records}) for diagnosis in (first, other)]
    if not pairs:
        yield "No image is in both audits, so each mean is over other images: the intervals are wider."
    elif pairs < max(counts):
        are = agreeing(pairs, "is", "are")
        yield f"Of {counts[0]} and {counts[1]} images the {pairs} that {are} in both {are} compared."
    for one, beside in ((first, other), (other, first)):
        missing = [short_name(a, one.config.neutral) for a in one.attributes if a not in beside.attributes]
        if missing:
            yield f"Only {title(one)} has {', '.join(f'“{name}”' for name in missing)}."
    if first.config.labels != other.config.labels:
        yield "The label prompts differ, and with them which edits count as keeping the label."
    if (first.config.backend, first.config.precision) != (other.config.backend, other.config.precision):
        drawn = " and ".join(f"{one.config.backend} in {one.config.precision}" for one in (first, other))
        yield f"The pictures were drawn by {drawn}: edits differ slightly."


def _flat(diagnosis: Diagnosis) -> dict[str, object]:
    """Return the settings that lie deeper in the config: how directions were found, and the kind of task."""
    directions = diagnosis.config.content.get("directions") or {}
    return {
        **{f"directions.{name}": directions.get(name) for name in _OF_DIRECTIONS},
        "task": (diagnosis.config.task or {}).get("task"),
    }
