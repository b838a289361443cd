"""The sections of a model card that all embedded domains have, from the figures of `evaluation`."""

from __future__ import annotations

from typing import Any

from zoom_engine.audit.settings import METHODS


def table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def text_section(figures: dict[str, Any]) -> str:
    rows = [
        [name, percent(row["accuracy"]), percent(row["worst_template"])] for name, row in figures["attributes"].items()
    ]
    good = sum(row["accuracy"] >= 0.95 for row in figures["attributes"].values())
    return (
        f"## Text encoder\n\nBalanced zero-shot accuracy (%) on {figures['renders']} held-out renders (seed {figures['seed']}) whose margin is at least"
        f" {figures['margin']} of the parameter's range, with templates that training never saw. {good} of {len(rows)} attributes reach 95 %.\n\n"
        + table(["attribute", "all held-out templates", "worst single template"], rows)
    )


def generator_section(figures: dict[str, Any]) -> str:
    rows = [[name, percent(row["renders"]), percent(row["samples"])] for name, row in figures["frequencies"].items()]
    return (
        f"## Generator\n\nψ = 1, {figures['samples']} samples, in features of the probe (Kynkäänniemi 2019, k = {figures['neighbours']}):"
        f" precision **{figures['precision']:.3f}**, recall **{figures['recall']:.3f}**. PSNR to the renderer for equal latents:"
        f" {figures['psnr_db']:.1f} dB. Largest difference of an attribute's frequency: {percent(figures['largest_frequency_gap'])} points.\n\n"
        + table(["attribute", "renders, % as the probe sees it", "samples, %"], rows)
    )


def edits_section(figures: dict[str, Any], whom: str) -> str:
    text = (
        f"## Edits\n\nShare of {whom} (%) in which an edit changes the wanted attribute, and the one attribute outside its exclusion group that it"
        f" changes most, judged by the probe. {whom.capitalize()} without the attribute are edited by +w, the others by −w; w is chosen on other samples. Refused: the"
        " method finds no channel that answers the attribute more than random text.\n\n"
    )
    methods = [method for method in METHODS if method in figures]
    head = ["attribute"] + [f"{method}: w, wanted, worst other" for method in methods]
    names = list(figures[methods[0]]["attributes"])
    rows = []
    for name in names:
        cells = [figures[method]["attributes"][name] for method in methods]
        rows.append(
            [name]
            + [
                "refused"
                if "refused" in c
                else f"{c['weight']:g}, {percent(c['changed'])}, {percent(c['worst_other'])} ({c['which_other']})"
                for c in cells
            ]
        )
    text += table(head, rows)
    for method in methods:
        passing = figures[method]["passing"]
        text += (
            f"\n{method}: {len(passing)} of {len(names)} change at least 80 % and every other attribute at most 15 %."
        )
    text += "".join(f"\n{method}: not measured yet." for method in METHODS if method not in methods)
    text += "\n"
    short = [name[:9] for name in names]
    for method in methods:
        found = {n: row for n, row in figures[method]["attributes"].items() if "refused" not in row}
        matrix = table(
            ["", *short], [[n, *(f"{100 * v:.0f}" for v in row["row"].values())] for n, row in found.items()]
        )
        text += f"\n<details><summary>The whole matrix for {method} (rows: edited, columns: changed, %)</summary>\n\n{matrix}\n</details>\n"
    return text


def targets_section(figures: dict[str, Any], domain: str, trained: str, drawn: tuple[str, str]) -> str:
    """``trained`` is a sentence; ``drawn`` the figure about the generator's pictures and its column's head."""
    rows = [
        [
            f"{domain}:{name}",
            row["planted"] or "none",
            percent(row["untied_accuracy"]),
            percent(row[drawn[0]]),
            "" if row["planted_effect"] is None else f"{row['planted_effect']:.2f}",
            f"{max(v for a, v in row['effects'].items() if a not in (row['own'], row['planted'])):.2f}",
        ]
        for name, row in figures.items()
    ]
    return (
        f"## Targets\n\n{trained} "
        f"A true effect is mean |f(render(do(a = 1))) − f(render(do(a = 0)))| over 300 {domain}.\n\n"
        + table(
            [
                "target",
                "planted",
                "accuracy on untied renders, %",
                drawn[1],
                "planted effect",
                "largest effect of any other",
            ],
            rows,
        )
    )


def environments_section(environments: dict[str, dict[str, Any]]) -> str:
    """Of each part the machine that it was measured on; parts of the same one together."""
    parts: dict[str, list[str]] = {}
    for part, environment in environments.items():
        packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
        machine = (
            f"{environment['system']}, {environment['cores']} cores ({', '.join(environment['cpu_features'])}), Python"
            f" {environment['python']}, {packages}; zoom-engine {environment['zoom_engine']}"
        )
        parts.setdefault(machine, []).append(part)
    lines = [f"- {', '.join(names)}: {machine}." for machine, names in parts.items()]
    return "\n".join(["## Measured on", "", *lines, ""])
