"""Many audits over versions or time: how each sensitivity went, with its interval and the limit that it is held to.

Audits are ordered by the version of the model, then by their dates. Those whose figures do not mean the same as others'
(another generator, task, range or source of edits, no attribute in common: `comparable`) are a group of their own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoom_engine.audit.gate_file import Outcome, counted, worst
from zoom_engine.audit.summary import Sensitivity
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.common.plurals import agreeing, listed, number_of
from zoom_engine.gates.comparable import check_comparable
from zoom_engine.gates.compare import Difference, Pair, inconclusive_in_words
from zoom_engine.gates.judge import attributes_by_name, attributes_called, judge
from zoom_engine.gates.rules import Rule
from zoom_engine.settings.attributes import Attribute, short_names
from zoom_engine.statistics.diagnosis import Diagnosis

_ID_DIGITS = 6
"""Of an audit's id, to tell audits of one version or one day apart."""


@dataclass(frozen=True)
class Course:
    """An attribute in all audits of a group.

    Attributes:
        attribute: the attribute.
        name: its short name.
        figures: in each audit; None where it lacks the attribute.
        limit: the largest sensitivity that the rules allow; None where they do not say.
        outcomes: of that rule in each audit; None without one. The latest audit is inconclusive where it lacks an
            attribute that a rule names.
    """

    attribute: Attribute
    name: str
    figures: tuple[Sensitivity | None, ...]
    limit: float | None
    outcomes: tuple[Outcome | None, ...]


@dataclass(frozen=True)
class Group:
    """Audits that may be compared, in their order.

    Attributes:
        audits: the audits, each comparable with every other.
        reason: why they are not shown with those of the group before; "" for the first group.
        courses: the attributes: first those that fail in the latest audit, then by the largest sensitivity in it.
        changes: the differences of the latest audit from the one before it, by the attribute; empty where it is alone,
            or nothing was edited in both.
        matters: the smallest change that matters.
        lacks: the names in rules of which neither these audits nor others of the latest version have an attribute.
        left: how many rules limit no sensitivity: a history holds no audit to these.
    """

    audits: tuple[Diagnosis, ...]
    reason: str
    courses: tuple[Course, ...]
    changes: Mapping[Attribute, Difference]
    matters: float
    lacks: tuple[str, ...]
    left: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what each audit is called: the version of its model, else its date."""
        return tuple(label(audit) for audit in self.audits)

    @property
    def unique_labels(self) -> tuple[str, ...]:
        """Return the labels, those that two audits share with the beginning of the audit's id, or its place here."""
        ids = [audit.about.audit_id[:_ID_DIGITS] or str(place) for place, audit in enumerate(self.audits, start=1)]
        return tuple(
            text if self.labels.count(text) == 1 else f"{text} ({audit_id})"
            for text, audit_id in zip(self.labels, ids, strict=True)
        )

    @property
    def is_limited(self) -> bool:
        """Tell whether a rule limits an attribute of these audits, be it in the latest or not."""
        return any(course.limit is not None for course in self.courses)

    @property
    def outcome(self) -> Outcome | None:
        """Return the outcome of all rules in the latest audit; None without rules."""
        outcomes = self.latest_outcomes
        return worst(outcomes) if outcomes else None

    @property
    def latest_outcomes(self) -> list[Outcome]:
        """Return the outcomes of the rules in the latest audit; inconclusive for each name that its version lacks."""
        outcomes = [course.outcomes[-1] for course in self.courses if course.outcomes[-1] is not None]
        outcomes.extend("inconclusive" for _ in self.lacks)
        return outcomes

    @property
    def headline(self) -> str:
        """Say what changed from the audit before the latest to the latest."""
        if len(self.audits) == 1:
            return f"One audit, {self.labels[0]}: a trend takes two."
        before, latest = self.unique_labels[-2:]
        if not self.changes:
            return f"No attribute has edited pictures in both {before} and {latest}."
        when = f"from {before} to {latest}"
        names = {course.attribute: course.name for course in self.courses}
        shown = [(names[a], one) for a, one in self.changes.items() if one.is_shown]
        if not shown:
            rest = inconclusive_in_words(self.changes.values())
            return f"No sensitivity is shown to have changed by more than {self.matters:g} {when}{rest}."
        name, most = max(shown, key=lambda item: abs(item[1].mean))
        went = "rose" if most.mean > 0 else "fell"
        more = len(shown) - 1
        rest = f"; {more} more {agreeing(more, 'changes', 'change')} by more than {self.matters:g}" if more else ""
        return f"Sensitivity to “{name}” {went} by {most.size(self.matters)} {when}{rest}."

    @property
    def latest_in_words(self) -> str:
        """Say how the latest audit does by the rules, which limited attributes it lacks, and how many rules are left.

        "" without rules.
        """
        outcomes = self.latest_outcomes
        limited = (course for course in self.courses if course.limit is not None)
        lacking = [f"“{course.name}”" for course in limited if course.figures[-1] is None]
        lacking += [f"“{name}”" for name in self.lacks]
        without = f"; it lacks {listed(lacking)}" if lacking else ""
        rules, are = number_of(self.left, "rule"), agreeing(self.left, "is", "are")
        left = f"; {rules} of growth or power {are} not checked here, but by zoom-engine gate" if self.left else ""
        return f"{self.unique_labels[-1]}: {counted(outcomes)}{without}{left}" if outcomes else ""


@dataclass(frozen=True)
class History:
    """Groups of audits, the largest first, and why audits were left out, a line each."""

    groups: tuple[Group, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as strict JSON."""
        return {
            "groups": [
                {
                    "reason": group.reason or None,
                    "lacks": list(group.lacks),
                    "audits": [
                        {"path": None if audit.path is None else str(audit.path), **audit.about.to_json()}
                        for audit in group.audits
                    ],
                    "attributes": [
                        {
                            "attribute": course.attribute.text,
                            "name": course.name,
                            "limit": course.limit,
                            "sensitivity": [
                                None
                                if one is None
                                else {"value": one.value, "ci95": one.interval, "verdict": one.verdict}
                                for one in course.figures
                            ],
                            "outcome": list(course.outcomes),
                        }
                        for course in group.courses
                    ],
                }
                for group in self.groups
            ],
            "left_out": list(self.left_out),
        }


def history(audits: Sequence[Diagnosis], rules: Sequence[Rule] = ()) -> History:
    """Order finished audits of single attributes, group those that may be compared, and hold them to the rules.

    Raises:
        AuditError: none of the audits can be shown.
        ConfigError: no rule limits a sensitivity, or one names an attribute that no audit has.
    """
    limiting = [rule for rule in rules if rule.max_sensitivity is not None]
    if rules and not limiting:
        raise ConfigError("no rule has max-sensitivity: a history shows the limits of these")
    names = attributes_by_name(*audits)
    named = [name for rule in limiting for name in rule.attributes or ()]
    if unknown := next((name for name in named if name.casefold() not in names), None):
        raise ConfigError(f"no audit has the attribute '{unknown}' of a rule")
    groups: list[list[Diagnosis]] = []
    left_out = []
    for audit in sorted(audits, key=_order):
        try:
            check_comparable(audit, audit)
        except AuditError as error:  # it is not finished, or has no single attributes
            left_out.append(str(error))
            continue
        like = next((group for group in groups if not _refusals(group, [audit])), None)
        if like is None:
            groups.append(like := [])
        like.append(audit)
    if not groups:
        raise AuditError(left_out[0] if len(left_out) == 1 else f"none of {len(left_out)} audits: {left_out[0]}")
    first, *others = sorted(groups, key=len, reverse=True)
    reasons = ["", *(_refusals(first, group)[0] for group in others)]
    return History(
        tuple(
            _group(
                group, reason, limiting, _lacking(named, group, itertools.chain(*groups)), len(rules) - len(limiting)
            )
            for group, reason in zip((first, *others), reasons, strict=True)
        ),
        tuple(left_out),
    )


def label(audit: Diagnosis) -> str:
    """Return what an audit is called: the version of its model, else its date, else its folder."""
    about = audit.about
    return about.model_version or about.date or ("an audit" if audit.path is None else audit.path.name)


def _order(audit: Diagnosis) -> tuple[list[tuple[int, int, str]], str]:
    """Return what audits are ordered by: numbers in versions count as numbers, so that 1.10 follows 1.9."""
    parts = re.findall(r"\d+|[^\d.]+", audit.about.model_version)
    # Letters come before the end, so that 1.4-rc precedes 1.4.
    numbered = [(2, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
    return [*numbered, (1, 0, "")], audit.manifest.begun


def _refusals(audits: Sequence[Diagnosis], others: Sequence[Diagnosis]) -> list[str]:
    """Say why audits may not be compared with others, for each two of which that is so."""
    refusals = []
    for one, other in itertools.product(audits, others):
        try:
            check_comparable(one, other)
        except AuditError as error:
            refusals.append(str(error))
    return refusals


def _lacking(names: Sequence[str], group: Sequence[Diagnosis], audits: Iterable[Diagnosis]) -> tuple[str, ...]:
    """Return those of the names in rules that no audit of the group calls an attribute, nor any of its latest version.

    Those that an earlier one of the group has are courses of it.
    """
    version = label(group[-1])
    called = attributes_by_name(*group, *(audit for audit in audits if label(audit) == version))
    return tuple(name for name in dict.fromkeys(names) if name.casefold() not in called)


def _group(audits: Sequence[Diagnosis], reason: str, rules: Sequence[Rule], lacks: tuple[str, ...], left: int) -> Group:
    attributes = list(dict.fromkeys(attribute for audit in audits for attribute in audit.attributes))
    names = short_names(attributes, audits[0].config.neutral)
    limits = _limits(rules, audits, attributes)
    figures = [{row.attribute: row for row in audit.sensitivity} for audit in audits]
    outcomes = [_outcomes(audit, limits) for audit in audits]
    for name in (name for rule in rules for name in rule.attributes or ()):
        called = attributes_called([name], *audits)
        if not {*called} & {*audits[-1].attributes}:
            outcomes[-1] |= dict.fromkeys(called, "inconclusive")
    courses = [
        Course(
            attribute,
            names[attribute],
            tuple(rows.get(attribute) for rows in figures),
            limits.get(attribute),
            tuple(of_audit.get(attribute) for of_audit in outcomes),
        )
        for attribute in attributes
    ]
    courses.sort(key=lambda course: (course.outcomes[-1] != "fail", -_latest(course)))
    pair = Pair(*audits[-2:]) if len(audits) > 1 else None
    return Group(
        tuple(audits),
        reason,
        tuple(courses),
        {} if pair is None else pair.differences,
        max(audit.config.smallest_effect for audit in audits[-2:]),
        lacks,
        left,
    )


def _latest(course: Course) -> float:
    latest = course.figures[-1]
    return -1.0 if latest is None or latest.value is None else latest.value


def _limits(
    rules: Sequence[Rule], audits: Sequence[Diagnosis], attributes: Sequence[Attribute]
) -> dict[Attribute, float]:
    """Return the strictest limit of each of the audits' `attributes` that a rule is about."""
    limits: dict[Attribute, float] = {}
    for rule in rules:
        for attribute in attributes if rule.attributes is None else attributes_called(rule.attributes, *audits):
            if rule.max_sensitivity is not None:
                limits[attribute] = min(limits.get(attribute, 1.0), rule.max_sensitivity)
    return limits


def _outcomes(audit: Diagnosis, limits: Mapping[Attribute, float]) -> dict[Attribute, Outcome]:
    """Return the outcome of each limit on an attribute that the audit has."""
    limited = [attribute for attribute in audit.attributes if attribute in limits]
    rules = [Rule(max_sensitivity=limits[attribute], attributes=[attribute.text]) for attribute in limited]
    findings = judge(audit, rules).findings if rules else ()
    return {attribute: finding.outcome for attribute, finding in zip(limited, findings, strict=True)}
