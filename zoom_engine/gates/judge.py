"""Whether an audit passes its rules. A rule passes, fails or is inconclusive, by intervals and not by estimates alone.

==================  ====================================  =======================================  ==================
rule                pass                                  fail                                     else
==================  ====================================  =======================================  ==================
max_sensitivity L   the effect is shown to be below L     it is shown to be above L, and random    inconclusive
                                                          edits do not do the same
max_growth L        the upper end of the growth is L or   the permutation test of growth above L   inconclusive
                    less                                  has an adjusted p-value below 5 %
min_power P         the fraction of such audits that      it is less                               inconclusive
                    find the effect sensitive is P or
                    more
==================  ====================================  =======================================  ==================

Sizes are tested as the audit tests them (`statistics.course`), with L in place of its smallest effect: for all
attributes at once, and with allowance for images that were not seen. No change on 20 images does not prove less than
0.1. Above the limit a rule fails where the effect is *specific*, or where the audit has no random edits: what any edit
does says nothing of the attribute. Growth needs its own correction: a rule fails by the p-values after
Holm's method, within the rule. An audit that is not finished is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from zoom_engine.audit.about import About
from zoom_engine.audit.gate_file import WORST_FIRST, Outcome, worst
from zoom_engine.audit.summary import Interval, Sensitivity
from zoom_engine.audit.summary import Verdict as SizeVerdict
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.common.plurals import agreeing, digits_beside, number_of
from zoom_engine.gates.bounds import MOST_IMAGES, images_for
from zoom_engine.gates.comparable import title
from zoom_engine.gates.compare import Pair, judged_by_seed
from zoom_engine.gates.rules import Rule
from zoom_engine.settings.attributes import Attribute, short_name, short_names
from zoom_engine.statistics.attribute_tests import LEVEL, adjust, attribute_tests
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.power import SIZES, most_images
from zoom_engine.statistics.summarise import images_for_power
from zoom_engine.statistics.table import beside, decimal, p_value, percent, signed, with_interval

_STILL = "no edit moves the output at all: the model may not read these pictures"
Judgement = tuple[Outcome, str]
EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 2}


@dataclass(frozen=True)
class Finding:
    """The outcome of one rule for one attribute.

    Attributes:
        rule: the rule.
        attribute: its short name; "" for a rule on the whole audit.
        outcome: pass, fail or inconclusive.
        estimate: the figure with what is known of it, and where it is inconclusive, why.
    """

    rule: Rule
    attribute: str
    outcome: Outcome
    estimate: str

    @property
    def subject(self) -> str:
        """Return what the rule is about here."""
        return self.attribute or "the audit"


@dataclass(frozen=True)
class Verdict:
    """The outcome of all rules for an audit.

    Attributes:
        audit: what people call it, with its folder.
        baseline: the same of the audit that it was compared with; None without one.
        findings: in the order of the rules.
        about: who and what was audited.
        about_baseline: the same of the baseline.
        notes: what differs between both besides the target, where rules of growth compare them, a sentence each.
    """

    audit: str
    baseline: str | None
    findings: tuple[Finding, ...]
    about: About
    about_baseline: About | None = None
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Return fail where one rule fails, else inconclusive where one is inconclusive, else pass."""
        return worst(finding.outcome for finding in self.findings)

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
            "about": self.about.to_json(),
            "outcome": self.outcome,
            "notes": list(self.notes),
            "findings": [
                {
                    "rule": {name: value for name, value in asdict(finding.rule).items() if value is not None},
                    "attribute": finding.attribute or None,
                    "outcome": finding.outcome,
                    "estimate": finding.estimate,
                }
                for finding in self.findings
            ],
        }


def judge(audit: Diagnosis, rules: Sequence[Rule], *, baseline: Diagnosis | None = None) -> Verdict:
    """Check an audit against rules; rules of growth compare it with the `baseline`.

    Raises:
        ConfigError: there is no rule, a rule of growth has no baseline, or neither audit has an attribute.
        AuditError: the audit edits all attributes together, or the baseline cannot be compared.
    """
    if not rules:
        raise ConfigError("there is no rule to check: give a rule")
    effect = next((rule.effect for rule in rules if rule.effect not in SIZES), None)
    if effect is not None:
        raise ConfigError(f"audits give their power for effects of {', '.join(map(str, SIZES))}, not of {effect:g}")
    if audit.mode == "multi":
        raise AuditError(f"{title(audit)} edits all attributes together: rules are for audits of single attributes")
    grows = any(rule.max_growth is not None for rule in rules)
    if baseline is None and grows:
        raise ConfigError("a rule of growth needs a baseline: give --baseline")
    finished = baseline and not (_unfinished(audit, "audit") or _unfinished(baseline, "baseline"))
    pair = Pair(baseline, audit) if baseline and grows and finished else None
    findings = [finding for rule in rules for finding in _findings(rule, audit, baseline, pair)]
    beside = (None, None) if baseline is None else (title(baseline), baseline.about)
    return Verdict(title(audit), beside[0], tuple(findings), audit.about, beside[1], pair.notes if pair else ())


def _findings(rule: Rule, audit: Diagnosis, baseline: Diagnosis | None, pair: Pair | None) -> Iterator[Finding]:
    over = baseline if rule.max_growth is not None else None
    asked = _asked(rule, audit, over)
    unfinished = _unfinished(audit, "audit") or (over and _unfinished(over, "baseline"))
    if unfinished:
        judgements = [unfinished] * len(asked)
    elif over is not None and pair is not None:
        judgements = _grown(rule, pair, asked)
    else:
        sizes = _sizes(audit, rule.max_sensitivity)
        judgements = [_power(audit, rule) if one is None else _sensitivity(rule, audit, one, sizes) for one in asked]
    names = short_names([*audit.attributes, *(baseline.attributes if baseline else ())], audit.config.neutral)
    for attribute, one in zip(asked, judgements, strict=True):
        yield Finding(rule, "" if attribute is None else names[attribute], *one)


class _Size(NamedTuple):
    """How large an effect is beside the limit of a rule, and the interval that agrees with it."""

    verdict: SizeVerdict
    interval: Interval | None


def _sizes(audit: Diagnosis, limit: float | None) -> dict[Attribute, _Size]:
    """Test the effects of an audit against a limit; its own verdicts stand for the smallest effect that matters."""
    if limit is None:
        return {}
    if limit == audit.config.smallest_effect:
        return {row.attribute: _Size(row.verdict or "inconclusive", row.interval) for row in audit.sensitivity}
    changes = np.array([*judged_by_seed(audit, audit.attributes).values()]).reshape(-1, len(audit.attributes))
    tests = attribute_tests(changes, changes[:, :0], limit, audit.config.correction)
    return {one: _Size(t.verdict, t.interval) for one, t in zip(audit.attributes, tests, strict=True)}


def _sensitivity(rule: Rule, audit: Diagnosis, attribute: Attribute, sizes: Mapping[Attribute, _Size]) -> Judgement:
    limit = rule.max_sensitivity or 0.0
    row = next((row for row in audit.sensitivity if row.attribute == attribute), None)
    if row is None:
        return "inconclusive", "not in the audit"
    if row.value is None and audit.of(attribute):
        return "inconclusive", "not edited: no picture shows the edit"
    verdict, interval = sizes[attribute]
    if interval is None:
        return "inconclusive", f"{decimal(row.value, 3, limit=limit)}: an interval takes two images or more"
    estimate = with_interval(row.value, interval, limit=limit)
    if audit.config.interim_analyses is not None:
        estimate += f" on {number_of(row.images, 'image')}"
    if verdict == "negligible" or (verdict == "inconclusive" and row.shows_little):
        return _unless_little_is_shown(row, estimate)
    if verdict == "inconclusive":
        return verdict, f"{estimate}{_too_few(audit, attribute, limit)}"
    if row.specificity is None and audit.config.random_directions and audit.config.edits is None:
        return "inconclusive", (
            f"{estimate}: not compared with random edits, as no attribute is sensitive at"
            f" {audit.config.smallest_effect:g} (--smallest-effect {limit:g} compares it)"
        )
    if row.specificity in ("specific", None):
        return "fail", estimate
    if row.specificity == "unspecific":
        words = beside(audit.summary())
        as_far = row.as_far or 0
        which = f"{number_of(as_far, words.one, words.several)} {agreeing(as_far, 'moves', 'move')}"
        return "inconclusive", f"{estimate}: unspecific, {which} the output as far"
    several = beside(audit.summary()).several
    more = "more --random-directions" if audit.config.edits is None else "more of them"
    more = "controls of as many strengths" if row.strengths_differ else more
    return "inconclusive", f"{estimate}: these {several} do not tell whether any edit does the same ({more} may)"


def _unless_little_is_shown(row: Sensitivity, estimate: str) -> Judgement:
    """Return that a small effect passes, if the edits could have shown a large one."""
    if row.shows_little is None:
        return "pass", estimate
    reasons = {
        "edit not seen": "the text encoder sees no edit",
        "label lost": f"only {percent(row.label_kept)} of the edits keep the label",
        "nothing moves": _STILL,
        "hardly drawn": "the generator hardly draws it",
    }
    return "inconclusive", f"{estimate}, but {reasons[row.shows_little]}"


def _grown(rule: Rule, pair: Pair, asked: Sequence[Attribute | None]) -> list[Judgement]:
    over, audit, limit = pair.first, pair.other, rule.max_growth or 0.0
    above = dict(zip(pair.attributes, pair.p_above(limit), strict=True))
    tested = [attribute for attribute in pair.attributes if attribute in asked]
    adjusted = dict(zip(tested, adjust(np.array([above[one] for one in tested]), "holm"), strict=True))
    rows = {row.attribute: row for row in audit.sensitivity}

    def judged(attribute: Attribute | None) -> Judgement:
        if attribute is None or attribute not in adjusted:
            return "inconclusive", _not_compared(audit, over, attribute)
        return _growth(pair, rows[attribute], float(adjusted[attribute]), limit)

    return [judged(attribute) for attribute in asked]


def _not_compared(audit: Diagnosis, over: Diagnosis, attribute: Attribute | None) -> str:
    """Say why an attribute has no growth."""
    audits = {"audit": audit, "baseline": over}
    if lacking := [which for which, one in audits.items() if attribute not in one.attributes]:
        return f"not in the {lacking[0]}"
    unedited = [which for which, one in audits.items() if not one.edited(attribute)]
    if unedited:
        return f"not edited in the {' and the '.join(unedited)}: no picture shows the edit"
    return "no image has a picture of the edit in both the audit and the baseline"


def _growth(pair: Pair, row: Sensitivity, p_adjusted: float, limit: float) -> Judgement:
    difference = pair.differences[row.attribute]
    low, high = difference.interval
    lowest, highest, most = (decimal(end, 3, limit=limit) for end in (low, high, difference.most))
    mean = signed(difference.mean, digits_beside(limit, difference.mean, 3), fixed=True)
    estimate = f"{mean} [{lowest}, {highest}], at most {most}"
    if p_adjusted < LEVEL and difference.mean > limit:
        return "fail", f"{estimate}; adjusted p {p_value(p_adjusted)}"
    if max(high, difference.most) <= limit:
        return _unless_little_is_shown(row, estimate)
    images, needed = pair.images_for(row.attribute, limit)
    return "inconclusive", f"{estimate}{_images_needed('growth', needed, images, limit)}"


def _power(audit: Diagnosis, rule: Rule) -> Judgement:
    summary = audit.summary()
    power = summary.power
    reached = None if power is None else power.sensitive.get(f"{rule.effect:g}")
    if reached is None:
        return "inconclusive", "the audit has no power: it takes two images or more"
    if summary.never_moves:
        return "inconclusive", f"no power is known, since {_STILL}"
    shown = percent(reached, limit=rule.min_power)
    if reached >= (rule.min_power or 0.0):
        return "pass", shown
    return "fail", f"{shown}: {_images_for_power(audit, rule.effect, rule.min_power or 0.0)}"


def _images_for_power(audit: Diagnosis, effect: float, share: float) -> str:
    """Say about how many images such an audit takes to find an effect in so many cases."""
    least = audit.config.smallest_effect
    if effect <= least:
        return f"no number of images shows that {effect:g} is above the smallest effect that matters, {least:g}"
    images, needed = images_for_power(audit.config, (*audit.records, *audit.baseline), effect=effect, share=share)
    if needed is None:
        return f"it takes more than {most_images(images)} images"
    return f"it takes about {needed} images, not {images}"


def _too_few(audit: Diagnosis, attribute: Attribute, limit: float) -> str:
    """Say about how many images it takes to show on which side of the limit an effect such as this one lies."""
    changes = np.array(list(judged_by_seed(audit, [attribute]).values()))
    needed = images_for(
        limit,
        attributes=len(audit.attributes),
        mean=float(changes.mean()),
        spread=float(changes.std(ddof=1)),
    )
    return _images_needed("an effect", needed, len(changes), limit)


def _images_needed(what: str, needed: int | None, images: int, limit: float) -> str:
    """Say how many images an effect or a growth of such a size and spread takes; an audit of so many was too small."""
    if needed is None:
        return f": such {what} is too near to {limit:g}, it takes more than {MOST_IMAGES} images"
    return f": such {what} takes about {max(needed, images + 1)} images, not {images}"


def _unfinished(audit: Diagnosis, which: str) -> Judgement | None:
    if not audit.missing and audit.records:
        return None
    missing = number_of(audit.missing, "measurement")
    return "inconclusive", f"the {which} is not finished: {missing} {agreeing(audit.missing, 'is', 'are')} missing"


def attributes_by_name(*audits: Diagnosis) -> dict[str, list[Attribute]]:
    """Return the attributes of audits by all names that a rule may call them: prompts and short names, in lower case.

    Several of an audit may have a name, but for the whole text of one, which is its own.
    """
    named: dict[str, list[Attribute]] = {}
    for audit in audits:
        texts = {attribute.text.casefold() for attribute in audit.attributes}
        for attribute in audit.attributes:
            shared = {*attribute.paraphrases, short_name(attribute, audit.config.neutral)}
            for name in {attribute.text.casefold()} | ({name.casefold() for name in shared} - texts):
                named.setdefault(name, []).append(attribute)
    return named


def attributes_called(names: Sequence[str], *audits: Diagnosis) -> list[Attribute]:
    """Return the attributes of audits that a rule calls by `names`, each once.

    A whole text is of one, though another's may differ from it in case alone.
    """
    named = attributes_by_name(*audits)
    whole = {attribute.text: [attribute] for audit in audits for attribute in audit.attributes}
    return [*dict.fromkeys(one for name in names for one in whole.get(name, named.get(name.casefold(), [])))]


def _asked(rule: Rule, audit: Diagnosis, over: Diagnosis | None) -> list[Attribute | None]:
    """Return the attributes that a rule is about, by prompt or by short name; None alone for the whole audit."""
    if rule.min_power is not None:
        return [None]
    attributes = list(dict.fromkeys([*audit.attributes, *(over.attributes if over else ())]))
    if rule.attributes is None:
        return [*attributes]
    names = attributes_by_name(audit, *([over] if over else []))
    unknown = next((name for name in rule.attributes if name.casefold() not in names), None)
    if unknown is not None:
        known = ", ".join(short_names(attributes, audit.config.neutral).values())
        raise ConfigError(f"no attribute '{unknown}' for the rule '{rule.text}': the audit has {known}")
    return [*attributes_called(rule.attributes, audit, *([over] if over else []))]
