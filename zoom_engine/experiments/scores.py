"""Answers of people to the user study, scored in the form of Table 1 (Luo 2023, supplement)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.plurals import number_of
from zoom_engine.experiments.estimates import columns, percent, wilson
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.user_study import ANSWERS, GROUPS

STUDIES = {
    "fidelity": "Synthesis fidelity (recognition rate, best 50 %)",
    "consistency": "Attribute consistency (agreement rate, best 100 %)",
}
TABLE = "table-1"


def score_answers(out: str | Path, files: Sequence[str | Path]) -> str:
    """Score the answer `files` to user studies in `out`, and return Table 1 as text.

    It is also written to `out`/table-1.json and .csv. Proportions of answers have Wilson's 95 % intervals, which take
    answers as independent.

    Raises:
        ConfigError: a file holds no answers, or belongs to no study in `out`; or two are of one person.
    """
    out = Path(out)
    keys = {}
    for path in sorted(out.glob("*/user-study/data.json")):
        document = Folder(path.parent).finished() or {}
        keys[document["data"]["study"]] = (document["subject"], document["data"])
    counts: dict[tuple[str, str, int], list[int]] = {}
    people: Counter[tuple[str, str, int]] = Counter()  # that answered
    seen: dict[str, Path] = {}
    for file in map(Path, files):
        answers = _read(file)
        if answers["study"] not in keys:
            raise ConfigError(f"{file} answers no user study in {out}: name the folder that its page came from")
        of_whom = [answers[key] for key in ("study", "group", "person")] if "person" in answers else answers
        whose = json.dumps(of_whom, sort_keys=True)
        if whose in seen:
            raise ConfigError(
                f"{file} holds answers of the same person as {seen[whose]}: give each once, in the file saved last"
            )
        seen[whose] = file
        subject, data = keys[answers["study"]]
        group = answers["group"]
        questions = {
            question["id"]: question for one in data["groups"] if one["group"] == group for question in one["questions"]
        }
        asked = set[str]()
        for name, answer in answers["answers"].items():
            if name not in questions:
                raise ConfigError(f"{file}: there is no question '{name}' in group {group}")
            question = questions[name]
            good = answer == (question["right"] if question["study"] == "fidelity" else 1)
            count = counts.setdefault((question["study"], subject, group), [0, 0])
            count[0] += int(good)
            count[1] += 1
            asked.add(question["study"])
        people.update((study, subject, group) for study in asked)
    rows = [
        {
            "study": study,
            "domain": subject,
            "group": group,
            "people": people[study, subject, group],
            "answers": count[1],
            **columns("share", wilson(*count)),
        }
        for (study, subject, group), count in sorted(
            counts.items(), key=lambda item: (item[0][0] != "fidelity", item[0])
        )
    ]
    folder = Folder(out)
    folder.write(f"{TABLE}.json", json.dumps(rows, indent=2) + "\n")
    folder.write_table(rows, f"{TABLE}.csv")
    return _table(rows)


def _read(file: Path) -> dict[str, Any]:
    """Return the answers of a file, each checked for its type."""
    try:
        document = read_json(file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {file} ({one_line(error)}): give a file that a page of the study saved"
        ) from error
    answers = document.get("answers") if isinstance(document, dict) and document.get("format") == ANSWERS else None
    if (
        not isinstance(answers, dict)
        or not isinstance(document.get("study"), str)
        or document.get("group") not in GROUPS
        or not all(type(answer) is int and answer in (1, 2) for answer in answers.values())
    ):
        raise ConfigError(f"{file} holds no answers: give a file that a page of the study saved")
    return {key: document[key] for key in ("study", "group", "person", "answers") if key in document}


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for study, title in STUDIES.items():
        lines.append(title)
        of_study = [row for row in rows if row["study"] == study]
        for row in of_study:
            value = percent([row["share"], row["share_low"], row["share_high"]])
            about = f"{number_of(row['people'], 'person', 'people')}, {number_of(row['answers'], 'answer')}"
            lines.append(f"  {row['domain']:12} group {row['group']}  {value:>20}  ({about})")
        if not of_study:
            lines.append("  no answers")
    return "\n".join(lines)
