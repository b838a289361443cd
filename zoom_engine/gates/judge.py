"""Whether an audit keeps its rules. Each rule is decided three ways, by intervals and never by a point estimate.

==================  ====================================  =======================================  ==================
rule                pass                                  fail                                     else
==================  ====================================  =======================================  ==================
max_sensitivity L   the upper end is L or less            the lower end is above L, and random     inconclusive
                                                          edits do not do the same
max_growth L        the upper end of the growth is L or   the permutation test of growth above L   inconclusive
                    less                                  has an adjusted p-value below 5 %
min_power P         the fraction of such audits that      it is less                               inconclusive
                    find the effect sensitive is P or
                    more
==================  ====================================  =======================================  ==================

The ends are those of the audit's own intervals, which hold for all its attributes at once and allow for images that
were not seen (`statistics.attribute_tests`, `statistics.intervals`): that nothing moves on 20 images does not prove
less than 0.1. With a lower end above the limit a rule fails where the effect is *specific*, or where no random edits
were tried: what any edit does says nothing of the attribute. Growth needs its own correction: a rule fails by the
p-values after Holm's method, within the rule. An audit that is not finished is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.gates.bounds import images_for
from zoom_engine.gates.comparable import title
from zoom_engine.gates.compare import Difference, Pair, judged_by_seed
from zoom_engine.gates.rules import Rule
from zoom_engine.settings.attributes import Attribute, short_name
from zoom_engine.statistics.attribute_tests import LEVEL, adjust
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.power import SIZES
from zoom_engine.statistics.table import decimal, percent, signed

Outcome = Literal["holds", "broken", "unjudged"]
Found = tuple[Outcome, str]
WORST_FIRST: tuple[Outcome, ...] = ("broken", "unjudged", "holds")
EXIT_CODES: dict[Outcome, int] = {"holds": 0, "broken": 1, "unjudged": 2}
IN_WORDS: dict[Outcome, str] = {"holds": "holds", "broken": "broken", "unjudged": "could not be judged"}


@dataclass(frozen=True)
class Finding:
    """The outcome of one rule for one attribute.

    Attributes:
        rule: the rule.
        attribute: its short name; "" for a rule on the whole audit.
        outcome: pass, fail or inconclusive.
        measured: the figure with what is known of it, and where it is inconclusive, why.
    """

    rule: Rule
    attribute: str
    outcome: Outcome
    measured: str

    @property
    def subject(self) -> str:
        """Return what the rule is about here."""
        return self.attribute or "the audit"


@dataclass(frozen=True)
class Verdict:
    """The outcome of all rules for an audit, in the order of the rules."""

    audit: str
    baseline: str | None
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """Return fail where one rule fails, else inconclusive where one is inconclusive, else pass."""
        return min((finding.outcome for finding in self.findings), key=WORST_FIRST.index, default="holds")

    @property
    def exit_code(self) -> int:
        """Return 0 for pass, 1 for fail, 2 for inconclusive."""
        return EXIT_CODES[self.outcome]

    def of(self, outcome: Outcome) -> list[Finding]:
        """Return the findings with this outcome."""
        return [finding for finding in self.findings if finding.outcome == outcome]

    def worst_first(self) -> list[Finding]:
        """Return all findings: failures, then inconclusive ones, then passes."""
        return [finding for outcome in WORST_FIRST for finding in self.of(outcome)]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as strict JSON."""
        return {
            "audit": self.audit,
            "baseline": self.baseline,
            "outcome": self.outcome,
            "findings": [
                {
                    "rule": {name: value for name, value in asdict(finding.rule).items() if value is not None},
                    "attribute": finding.attribute or None,
                    "outcome": finding.outcome,
                    "measured": finding.measured,
                }
                for finding in self.findings
            ],
        }


def judge(audit: Diagnosis, rules: Sequence[Rule], *, baseline: Diagnosis | None = None) -> Verdict:
    """Hold an audit to rules; rules of growth compare it with the `baseline`.

    Raises:
        ConfigError: there is no rule, a rule of growth has no baseline, or neither audit has an attribute.
        AuditError: the audit edits all attributes together, or the baseline cannot be compared.
    """
    if not rules:
        raise ConfigError("there is nothing to hold the audit to: give a rule")
    effect = next((rule.effect for rule in rules if rule.effect not in SIZES), None)
    if effect is not None:
        raise ConfigError(f"audits tell their power for effects of {', '.join(map(str, SIZES))}, not of {effect:g}")
    if audit.mode == "multi":
        raise AuditError(f"{title(audit)} edits all attributes together: rules are for audits of single attributes")
    if baseline is None and any(rule.max_growth is not None for rule in rules):
        raise ConfigError("a rule of growth needs a baseline: give --baseline")
    findings = [finding for rule in rules for finding in _findings(rule, audit, baseline)]
    return Verdict(title(audit), None if baseline is None else title(baseline), tuple(findings))


def _findings(rule: Rule, audit: Diagnosis, baseline: Diagnosis | None) -> Iterator[Finding]:
    over = baseline if rule.max_growth is not None else None
    asked = _asked(rule, audit, over)
    unfinished = _unfinished(audit, "audit") or (over and _unfinished(over, "baseline"))
    if unfinished:
        found = [unfinished] * len(asked)
    elif over is not None:
        found = _grown(rule, audit, over, asked)
    else:
        found = [_power(audit, rule) if one is None else _sensitivity(rule, audit, one) for one in asked]
    for attribute, one in zip(asked, found, strict=True):
        yield Finding(rule, "" if attribute is None else short_name(attribute, audit.config.neutral), *one)


def _sensitivity(rule: Rule, audit: Diagnosis, attribute: Attribute) -> Found:
    limit = rule.max_sensitivity or 0.0
    row = next((row for row in audit.sensitivity if row.attribute == attribute), None)
    if row is None:
        return "unjudged", "not in the audit"
    if row.interval is None:
        return "unjudged", f"{decimal(row.value, 3)}: an interval takes two images or more"
    low, high = row.interval
    measured = f"{decimal(row.value, 3)} [{low:.3f}, {high:.3f}]"
    if high <= limit:
        return "holds", measured
    if low > limit and row.specificity in ("specific", None):
        return "broken", measured
    if low > limit and row.specificity == "unspecific":
        return "unjudged", f"{measured}: unspecific, {row.as_far} random edits move the output as far"
    if low > limit:
        return "unjudged", f"{measured}: too few random directions tell it from any edit (give --random-directions)"
    return "unjudged", f"{measured}{_too_few(audit, attribute, limit)}"


def _grown(rule: Rule, audit: Diagnosis, over: Diagnosis, asked: Sequence[Attribute | None]) -> list[Found]:
    pair, limit = Pair(over, audit), rule.max_growth or 0.0
    above = dict(zip(pair.attributes, pair.p_above(limit), strict=True))
    tested = [attribute for attribute in pair.attributes if attribute in asked]
    adjusted = dict(zip(tested, adjust(np.array([above[one] for one in tested]), "holm"), strict=True))

    def found(attribute: Attribute | None) -> Found:
        if attribute is None or attribute not in adjusted:
            return "unjudged", f"not in the {'baseline' if attribute in audit.attributes else 'audit'}"
        return _growth(pair.differences[attribute], float(adjusted[attribute]), limit)

    return [found(attribute) for attribute in asked]


def _growth(difference: Difference, p_adjusted: float, limit: float) -> Found:
    low, high = difference.interval
    ends = f"[{decimal(low, 3)}, {decimal(high, 3)}], at most {decimal(difference.most, 3)}"
    measured = f"{signed(difference.mean, 3, fixed=True)} {ends}"
    if p_adjusted < LEVEL and difference.mean > limit:
        return "broken", f"{measured}; adjusted p {p_adjusted:.4f}"
    if max(high, difference.most) <= limit:
        return "holds", measured
    return "unjudged", f"{measured}: more images would tell"


def _power(audit: Diagnosis, rule: Rule) -> Found:
    power = audit.summary().power
    reached = None if power is None else power.sensitive.get(f"{rule.effect:g}")
    if reached is None:
        return "unjudged", "the audit does not tell its power: it takes two images or more"
    return "holds" if reached >= (rule.min_power or 0.0) else "broken", percent(reached)


def _too_few(audit: Diagnosis, attribute: Attribute, limit: float) -> str:
    """Say about how many images it takes to show that an effect such as this one is below the limit."""
    changes = np.array(list(judged_by_seed(audit, [attribute]).values()))
    needed = images_for(
        limit,
        analyses=audit.config.planned_analyses,
        attributes=len(audit.attributes),
        mean=float(changes.mean()),
        spread=float(changes.std(ddof=1)),
    )
    if needed is None:
        return f": that it is {limit:g} or less cannot be shown of such an effect; more images would tell if it is more"
    images = audit.summary().images
    return f": it takes about {needed} images, not {images}" if images < needed else ": more images would tell"


def _unfinished(audit: Diagnosis, which: str) -> Found | None:
    if not audit.missing and audit.records:
        return None
    missing = number_of(audit.missing, "measurement")
    return "unjudged", f"the {which} is not finished: {missing} {agreeing(audit.missing, 'is', 'are')} missing"


def _asked(rule: Rule, audit: Diagnosis, over: Diagnosis | None) -> list[Attribute | None]:
    """Return the attributes that a rule is about, by prompt or by short name; None alone for the whole audit."""
    if rule.min_power is not None:
        return [None]
    every = list(dict.fromkeys([*audit.attributes, *(over.attributes if over else ())]))
    if rule.attributes is None:
        return [*every]
    names: dict[str, Attribute] = {}
    for attribute in every:
        for name in (attribute.text, *attribute.paraphrases, short_name(attribute, audit.config.neutral)):
            names[name.casefold()] = attribute
    unknown = next((name for name in rule.attributes if name.casefold() not in names), None)
    if unknown is not None:
        known = ", ".join(short_name(attribute, audit.config.neutral) for attribute in every)
        raise ConfigError(f"no attribute '{unknown}' to hold to '{rule.text}': the audit has {known}")
    return [names[name.casefold()] for name in rule.attributes]
