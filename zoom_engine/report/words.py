"""The audit in words: short names of attributes, the headline, how sure it is, what limits it.

Plain text only: escaping is the templates' work.
"""

from __future__ import annotations

from typing import Any

from zoom_engine.tables import decimal, percent, signed

SMALL = 0.05
"""A mean change below this is called small: the study behind the method counts such true effects as none."""

_LABELS_OFF = (
    "No label prompts were given, so nothing checked that an edit left alone the very thing that the model "
    "is meant to recognise. A flip may be a right answer to a changed picture."
)
_GENERATED = (
    "All pictures are synthetic. The audit sees what its generator can draw and what its text model "
    "understands by the prompts; it cannot find a sensitivity to anything else."
)
_NOT_A_FAULT = "A model may rightly use an attribute. The audit says what moves the output, not whether it should."
_SEARCHES = {
    "scan": "a scan (no gradients, one attribute at a time)",
    "sgd": "SGD (it follows the model’s gradient)",
    "pgd": "PGD (it follows the sign of the model’s gradient)",
    "cmaes": "CMA-ES (no gradients, all attributes together)",
}
_COVERED = "not how well an edit matches its words: look at the direction sheets for that."


def short_name(attribute: str, neutral: str) -> str:
    """What an attribute adds to the neutral prompt: "a face with pale skin" → "pale skin".

    Likewise "a smiling face" → "smiling". The first wording as it stands when it is not the neutral prompt
    with words added.
    """
    first = attribute.partition("|")[0].strip()
    left = [word.lower() for word in neutral.split()]
    added = []
    for word in first.split():
        if left and _article(word.lower()) == _article(left[0]):
            left = left[1:]
        else:
            added.append(word)
    if left or not added:
        return first
    if added[0].lower() == "with" and len(added) > 1:
        added = added[1:]
    return " ".join(added)


def headline(summary: dict[str, Any], names: dict[str, str]) -> str:
    """The finding in one sentence or two. `names` maps attributes to their short names."""
    rows = summary["sensitivity"]
    top = rows[0] if rows else None
    if top is None or not summary["units"]:
        return "This audit has no finished measurements yet."
    name = f"“{names[top['attribute']]}”"
    if summary["mode"] == "multi":
        flips, share = percent(summary["flip_rate"]), percent(top["share"])
        return f"Edited together, the attributes flip {flips} of the images; {name} is {share} of the editing."
    mean = top["mean_change"]
    flips = f"{percent(top['flip_rate'])} of the images flip"
    if mean < SMALL:
        most = f"the most is {decimal(mean)} on average, for {name}"
        return f"None of {len(rows)} attributes moves this model’s output by much: {most}."
    return f"Adding or removing {name} moves this model’s output by {_measured(top)} on average; {flips}."


def certainty(summary: dict[str, Any], names: dict[str, str]) -> tuple[str, str]:
    """How far the first place is to be trusted: a verdict of a word or two, and a sentence that says why."""
    rows = [row for row in summary["sensitivity"] if _interval(row) is not None]
    if len(rows) < 2:
        return "One measurement", "With fewer than two images or attributes there is nothing to compare."
    top, second = rows[0], rows[1]
    if top["mean_change"] is not None and top["mean_change"] < SMALL:
        highest = decimal(max(_interval(row)[1] for row in rows))
        return "Nothing stands out", f"Even the upper ends of all intervals stay at or below {highest}."
    name = f"“{names[top['attribute']]}”"
    runner_up = f"“{names[second['attribute']]}” with {_measured(second)}"
    first, apart = top["first"], _interval(top)[0] > _interval(second)[1]
    again = f"{name} comes first {_often(first)} when the images are drawn again"
    if first >= 0.95 and apart:
        return "Clear lead", f"{again}, and its interval is clear of the runner-up’s, {runner_up}."
    if first >= 0.95:
        return "Likely lead", f"{again}, though its interval overlaps the runner-up’s, {runner_up}."
    return "No clear lead", f"{again}: it is close to {runner_up}. More images would tell them apart."


def notices(manifest: dict[str, Any]) -> tuple[str, ...]:
    """What the run told when it began, such as what it assumed of the target's input, as sentences."""
    told = (manifest.get("environment") or {}).get("notices") or []
    return tuple(f"{text[:1].upper()}{text[1:]}." for text in map(str, told))


def search_sentence(config: dict[str, Any]) -> str:
    """Which search ran and, where the manifest says so, why."""
    name = str(config.get("search") or "")
    sentence = f"The search was {_SEARCHES.get(name, name)}"
    reason = config.get("search_reason")
    return f"{sentence}: {reason}." if reason else f"{sentence}."


def effect(at_low: float | None, at_high: float | None) -> str:
    """What adding and removing an attribute does to the mean output: its changes at the ends of the range."""
    parts = [
        f"{what} it: {signed(change, 2)}"
        for what, change in (("adding", at_high), ("removing", at_low))
        if change is not None
    ]
    if not parts or all(abs(change or 0.0) < 0.01 for change in (at_low, at_high)):
        return "Hardly any change on average."
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]} on average."


def limits(
    summary: dict[str, Any],
    config: dict[str, Any],
    names: dict[str, str],
    *,
    beyond: float | None,
    expected: int | None,
) -> list[tuple[str, str]]:
    """What a reader must not conclude: (title, explanation) pairs.

    `beyond` is the share of paper-range flips that need weights outside the calibrated range, `expected` how
    many units a finished audit has; both None where unknown.
    """
    found = []
    if expected is not None and summary["units"] < expected:
        done = f"{summary['units']} of {expected} measurements are done."
        found.append(("Not finished", f"{done} Run the audit again to go on."))
    if summary["label_kept"] is None:
        found.append(("Label check off", _LABELS_OFF))
    else:
        labels = ", ".join(f"“{label}”" for label in config.get("labels") or [])
        labels = f" ({labels})" if labels else ""
        kept = f"{percent(summary['label_kept'])} of the reported edits keep their label"
        found.append(
            (
                "Label check on",
                f"A model of text and images compared the edited pictures with the label prompts{labels}; "
                f"{kept}. It can be wrong too.",
            )
        )
    if beyond is not None:
        bound = f"±{config.get('bound', 30):g}"
        found.append(
            (
                "Edits out of range",
                f"Of the flips found with edit weights up to {bound}, {percent(beyond)} need a stronger edit "
                "than the attribute varies by itself. Pictures out there can look unreal.",
            )
        )
    weak = _weak(config, names)
    if weak:
        found.append(("Faint directions", f"The generator hardly answers to {weak}: read those rows with care."))
    note = (config.get("target_details") or {}).get("note")
    if note:
        found.append(("About the target", str(note)))
    found.append(("Generated pictures", _GENERATED))
    found.append(("Sensitivity is not yet a fault", _NOT_A_FAULT))
    here = f"They say how much the means could differ with other images ({summary['images']} here)"
    found.append(("What the intervals cover", f"{here}, {_COVERED}"))
    return found


def _measured(row: dict[str, Any]) -> str:
    value = row["mean_change"] if row["mean_change"] is not None else row["range_share"]
    interval = _interval(row)
    return decimal(value) if interval is None else f"{decimal(value)} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _interval(row: dict[str, Any]) -> Any:
    return row["ci95"] if row["mean_change"] is not None else row.get("range_share_ci95")


def _often(share: float) -> str:
    return "in more than 99 of 100 cases" if share > 0.99 else f"in {100 * share:.0f} of 100 cases"


def _weak(config: dict[str, Any], names: dict[str, str]) -> str:
    """The attributes whose relevance is less than half above what random text reaches, as a list in words."""
    directions = config.get("directions") or {}
    found = zip(
        config["attributes"],
        directions.get("strength") or [],
        directions.get("noise_floor") or [],
        strict=False,
    )
    return ", ".join(f"“{names[attribute]}”" for attribute, strength, floor in found if strength < 1.5 * floor)


def _article(word: str) -> str:
    return "a" if word == "an" else word
