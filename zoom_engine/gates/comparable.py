"""Whether two audits may be compared, and what must be known beside their figures."""

from __future__ import annotations

from collections.abc import Iterator

from zoom_engine.common.errors import AuditError
from zoom_engine.common.json_object import shown
from zoom_engine.common.plurals import agreeing
from zoom_engine.settings.attributes import short_names
from zoom_engine.statistics.diagnosis import Diagnosis

_EQUAL = {
    "mode": "edits",
    "generator": "generator",
    "generator_class": "class of the generator",
    "truncation": "truncation",
    "truncation_cutoff": "truncation cutoff",
    "text_encoder": "text encoder",
    "neutral": "neutral prompt",
    "keep": "text that edits keep",
    "edit_range": "range",
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


def check_whole(diagnosis: Diagnosis) -> None:
    """Refuse an audit whose attributes have no figures of their own, or not all of them yet.

    Raises:
        AuditError: in one line, why.
    """
    if diagnosis.mode == "multi":
        raise AuditError(f"{title(diagnosis)} edits all attributes together: compare audits of single attributes")
    if diagnosis.missing or not diagnosis.records:
        raise AuditError(f"{title(diagnosis)} is not finished: run its command again, then compare")


def check_comparable(first: Diagnosis, other: Diagnosis) -> None:
    """Refuse two audits whose changes of the output do not mean the same.

    Raises:
        AuditError: in one line, what differs.
    """
    for diagnosis in (first, other):
        check_whole(diagnosis)
    a, b = ({**diagnosis.config.content, **_flat(diagnosis)} for diagnosis in (first, other))
    shared = [attribute.text for attribute in first.attributes if attribute in other.attributes]
    for name in shared:
        ours, theirs = (one.config.own_directions.get(name) for one in (first, other))
        if None not in (ours, theirs) and ours != theirs:  # older audits do not say it
            raise AuditError(
                f"{title(first)} and {title(other)} cannot be compared: “{name}” is another edit direction in each:"
                " give both audits the same file of them"
            )
        given = [one.config.given_by.get(name) for one in (first, other)]
        if given[0] != given[1]:
            raise AuditError(
                f"{title(first)} and {title(other)} cannot be compared: “{name}” is not given by the same"
                f" {'words, examples or model' if None in given else 'pictures or model'} in both"
            )
    flat = dict.fromkeys(_flat(first), "edit directions")
    for name, words in {**_EQUAL, **flat, "edits": "source of edits", "bound": "range", "task": "task"}.items():
        if a.get(name) != b.get(name):
            values = f"{shown(a.get(name))} and {shown(b.get(name))}"
            raise AuditError(f"{title(first)} and {title(other)} cannot be compared: another {words} ({values})")
    samples = [one.config.samples for one in (first, other)]
    if None not in samples and samples[0] != samples[1]:  # older audits do not say it
        raise AuditError(
            f"{title(first)} and {title(other)} cannot be compared: their edits were measured on other samples"
            f" ({samples[0]} and {samples[1]}): audit both with the same --samples"
        )
    _check_strengths(first, other)
    _check_task_options(first, other)
    if not set(first.attributes) & set(other.attributes):
        raise AuditError(f"{title(first)} and {title(other)} cannot be compared: they have no attribute in common")
    _check_measure(first, other)


def _check_task_options(first: Diagnosis, other: Diagnosis) -> None:
    """Refuse targets whose changes are of another scale or selection, though their kind of task is the same."""
    if first.config.task == other.config.task:
        return
    from zoom_engine.report.source import task_of  # imports torch

    a, b = (task_of(one.manifest, one.records).view.change_options for one in (first, other))
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            values = f"{shown(a.get(name))} and {shown(b.get(name))}"
            raise AuditError(
                f"{title(first)} and {title(other)} cannot be compared: the task has another {name} ({values}):"
                " audit both with the same"
            )


def _check_measure(first: Diagnosis, other: Diagnosis) -> None:
    """Refuse an audit that is judged at the end of the range beside one that is judged by the largest change."""
    edited = [one for one in (first, other) if any(record.was_edited for record in one.records)]
    if len({one.summary().is_judged_at_end for one in edited}) > 1:
        measures = ("the change at the end of the range", "the largest change on the way")
        one, beside = measures if first.summary().is_judged_at_end else measures[::-1]
        raise AuditError(
            f"{title(first)} and {title(other)} cannot be compared: the first is judged by {one}, the second by"
            f" {beside}: audit both with the same edits and controls"
        )


def _check_strengths(first: Diagnosis, other: Diagnosis) -> None:
    """Refuse edits from elsewhere that go further in one of two audits."""
    edits, others = (
        {e.name: e for e in one.config.edits.attributes} if one.config.edits else {} for one in (first, other)
    )
    for name in edits.keys() & others.keys():
        if (edits[name].strengths, edits[name].unit) != (others[name].strengths, others[name].unit):
            raise AuditError(
                f"{title(first)} and {title(other)} cannot be compared: “{name}” is edited at other strengths"
                f" ({shown(edits[name].strengths)} and {shown(others[name].strengths)})"
            )


def notes(first: Diagnosis, other: Diagnosis, *, pairs: int) -> Iterator[str]:
    """Yield a sentence on each difference between two audits that may be compared; `pairs` images are in both."""
    counts = [len({record.image for record in diagnosis.records}) for diagnosis in (first, other)]
    if not pairs:
        yield "No image is in both audits, so each mean is over other images: the intervals are wider."
    elif pairs < max(counts):
        are = agreeing(pairs, "is", "are")
        yield f"Of {counts[0]} and {counts[1]} images the {pairs} that {are} in both {are} compared."
    names = short_names([*first.attributes, *other.attributes], first.config.neutral)
    for one, beside in ((first, other), (other, first)):
        missing = [names[a] for a in one.attributes if a not in beside.attributes]
        if missing:
            yield f"Only {title(one)} has {', '.join(f'“{name}”' for name in missing)}."
    if first.config.labels != other.config.labels:
        yield "The label prompts differ, and with them which edits count as keeping the label."
    if (first.config.backend, first.config.precision) != (other.config.backend, other.config.precision):
        drawn = " and ".join(f"{one.config.backend} in {one.config.precision}" for one in (first, other))
        yield f"The pictures were drawn by {drawn}: edits differ slightly."
    edits = [diagnosis.config.edits for diagnosis in (first, other)]
    if len({edit.content_hash for edit in edits if edit is not None}) > 1:
        yield "The edited pictures are not the same in both."


def _flat(diagnosis: Diagnosis) -> dict[str, object]:
    """Return the settings that lie deeper in the config: how directions were found, and the kind of task."""
    directions = diagnosis.config.content.get("directions") or {}
    edits = diagnosis.config.edits
    return {
        **{f"directions.{name}": directions.get(name) for name in _OF_DIRECTIONS},
        "edits": None if edits is None else [edits.kind, diagnosis.config.content["edits"].get("made_by")],
        "bound": diagnosis.config.content.get("bound") if edits is None else None,
        "task": (diagnosis.config.task or {}).get("task"),
    }
