"""The sections of a model card that all embedded domains have, from the figures of `evaluation`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.benchmark import Table, mean_table
from lab.evaluation import SAMPLES
from lab.scatter import truth_scatter
from zoom_engine.common.files import atomic

LEAST_TOLD = 0.1  # of a true effect, to be told beside what audits measure of it


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
        f"## Text encoder\n\nBalanced zero-shot accuracy (%) on {figures['renders']} held-out renders (seed {figures['seed']}) that are clearly on one side: by at least"
        f" {figures['margin']} of the parameter's range. Training never saw these templates. {good} of {len(rows)} attributes reach 95 %.\n\n"
        + table(["attribute", "all held-out templates", "worst single template"], rows)
        + (_unseen(figures["unseen"]) if "unseen" in figures else "")
    )


def _unseen(figures: dict[str, Any]) -> str:
    rows = [
        [name, pair, value if isinstance(value, str) else percent(value)]
        for name, pairs in figures["attributes"].items()
        for pair, value in pairs.items()
    ]
    refused = f"{figures['refused']} are refused for words that were never read"
    if figures["refused"] == figures["pairs"]:
        refused = "all are refused, for words that were never read"
    if figures["mean_accuracy"] is not None:
        mean = percent(figures["mean_accuracy"])
        refused += f"; of the others the mean accuracy is {mean} %, and {figures['least_0.8']} reach 80 %"
    return (
        f"\nOrdinary English that no caption holds, {figures['pairs']} pairs of wordings written before training: {refused}.\n\n<details>"
        f"<summary>All of them</summary>\n\n{table(['attribute', 'present / absent', 'accuracy, %'], rows)}\n</details>\n"
    )


def generator_section(figures: dict[str, Any]) -> str:
    rows = [[name, percent(row["renders"]), percent(row["samples"])] for name, row in figures["frequencies"].items()]
    return (
        f"## Generator\n\nψ = 1, {figures['samples']} samples, in features of the probe (Kynkäänniemi 2019, k = {figures['neighbours']}):"
        f" precision **{figures['precision']:.3f}**, recall **{figures['recall']:.3f}**; one half of"
        f" the renders covers {figures['between_renders']:.3f} of the other, which is what a perfect generator would reach. PSNR to the renderer for equal latents:"
        f" {figures['psnr_db']:.1f} dB. Largest difference of an attribute's frequency: {percent(figures['largest_frequency_gap'])} points.\n\n"
        + table(["attribute", "renders, % as the probe sees it", "samples, %"], rows)
    )


def edits_section(figures: dict[str, Any], whom: str) -> str:
    text = (
        f"## Edits\n\nShare of {whom} (%) in which an edit changes the wanted attribute, and the other attribute that it changes most (those that"
        f" exclude it left out), judged by the probe. {whom.capitalize()} without the attribute are edited by +w, the others by −w; w is chosen on other samples. Refused: the"
        " method found no channel that responds to the attribute more than to random text.\n\n"
    )
    methods = [method for method in SAMPLES if method in figures]
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
    text += "".join(f"\n{method}: not measured yet." for method in SAMPLES if method not in methods)
    text += "\n"
    short = [name[:9] for name in names]
    for method in methods:
        rows_of = {n: row for n, row in figures[method]["attributes"].items() if "refused" not in row}
        matrix = table(
            ["", *short], [[n, *(f"{100 * v:.0f}" for v in row["row"].values())] for n, row in rows_of.items()]
        )
        text += f"\n<details><summary>The whole matrix for {method} (rows: edited, columns: changed, %)</summary>\n\n{matrix}\n</details>\n"
    return text


def targets_section(figures: dict[str, Any], domain: str, trained: str) -> str:
    """``trained`` is a sentence."""
    rows = [
        [
            f"{domain}:{name}",
            row["planted"] or "none",
            percent(row["untied_accuracy"]),
            percent(row["agreement"]),
            "" if row["planted_effect"] is None else f"{row['planted_effect']:.2f}",
            f"{max(v for a, v in row['effects'].items() if a not in (row['attribute'], row['planted'])):.2f}",
        ]
        for name, row in figures.items()
    ]
    effects_of = max(row.get("effects_of", 300) for row in figures.values())
    return (
        f"## Targets\n\n{trained} "
        f"A true effect is mean |f(render(do(a = 1))) − f(render(do(a = 0)))| over {effects_of} {domain}.\n\n"
        + table(
            [
                "target",
                "planted",
                "accuracy on untied renders, %",
                "decided alike on renders and on what the generator draws for the same latents, %",
                "planted effect",
                "largest effect of any other",
            ],
            rows,
        )
    )


def tasks_section(figures: dict[str, Any], domain: str, told: str) -> str:
    """``told`` are sentences on what was planted, and how to read the figures."""
    rows = []
    for name, row in figures.items():
        split, others = row["split_by"], {a: v for a, v in row["effects"].items() if a != row["split_by"]}
        most = max(others, key=others.__getitem__)
        rows.append(
            [
                f"{domain}:{name}",
                row["task"],
                row["planted"] or "none",
                f"{row['error']:.3g} ({row['unit']})",
                "" if split is None else f"{row['error_planted']:.3g} / {row['error_without']:.3g} ({split})",
                "" if split is None else f"{row['effects'][split]:.2f}",
                f"{others[most]:.2f} ({most})",
            ]
        )
    return (
        f"## Targets of other tasks\n\nTrained on renders alone: `python -m lab.{domain}.train tasks`. {told}\n\n"
        + table(
            [
                "target",
                "task",
                "planted",
                "error",
                "with / without the attribute",
                "effect of the attribute",
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


def benchmark_section(figures: dict[str, Any] | None, domain: str) -> str:
    """Of `Benchmark.run`'s figures; None where it has not been run."""
    command = f"python -m lab.{domain}.benchmark"
    if figures is None:
        return f"## Planted bias and truth\n\nThe benchmark's ten seeds (`{command}`) have not been run to their end yet.\n"
    seeds, images, means = figures["seeds"], figures["images"], mean_table(figures["runs"], "sensitivity")
    rows = [
        [name, f"{row['biased']}/{len(seeds)}", f"{row['sound']}/{len(seeds)}", f"{paper['biased']}/{len(seeds)}"]
        for (name, row), paper in zip(
            figures["top_bars"]["calibrated"].items(), figures["top_bars"]["paper"].values(), strict=True
        )
    ]
    whose = "" if seeds == list(range(100, 110)) else f" {len(seeds)} of the ten seeds have been run so far."
    text = (
        f"## Planted bias and truth\n\n`{command} --seeds {seeds[0]}-{seeds[-1]} --images {images}`: single mode,"
        f" scan, the fixed list of attributes without the target's own.{whose}\n\n"
    )
    text += table(
        ["target with something planted", "planted on top", "on top for the sound twin", "planted on top within ±30"],
        rows,
    )
    text += "".join(_leading_twins(figures, means))
    for kind, spans in figures["agreement"].items():
        for span, row in spans.items():
            low, high = row["spearman_ci95"]
            auc = "none" if row["auc"] is None else f"{row['auc']:.3f}"
            text += (
                f"\n- {kind}, {span} range, {row['pairs']} pairs of target and attribute: AUC {auc} ({row['large']} large"
                f" against {row['small']} small effects), Spearman {row['spearman']:.2f} [{low:.2f}, {high:.2f}]."
            )
    text += (
        "\n\n![True effects against sensitivities, both on logarithmic axes](pictures/truth.svg)\n\n"
        + _large_effects(figures, means)
    )
    truth_kept = figures["truth_kept"]
    if truth_kept["kept"] is not None:
        text += (
            f"\n\nIn {truth_kept['flips']} counterfactuals that flip a classifier, the probe sees the target's own attribute"
            f" unchanged in {percent(truth_kept['kept'])} %. That does not prove that the ground truth is kept: the probe is a"
            " network of the targets’ own kind, trained on the same renders, and may err where they do. What a probe of"
            " another kind says stands in docs/explanation/method.md (`bench/truth_kept.py`)."
        )
    for name, row in figures.get("counterfactuals", {}).items():
        text += (
            f"\n\nSeveral attributes together (`{row['search']}`), `{name}`, {row['images']} images of seed {row['seed']}:"
            f" {row['decisive']} flip decisively ({row['flips']} in all); of these the probe sees the own attribute"
            f" unchanged in {row['kept']}, at a median SSIM of {'-' if row['ssim'] is None else row['ssim']}."
        )
    return text + "\n"


def _leading_twins(figures: dict[str, Any], means: Table) -> Iterator[str]:
    """What falls short: sound twins for which the planted attribute leads in more than a fifth of the seeds."""
    for name, row in figures["top_bars"]["calibrated"].items():
        if 5 * row["sound"] > len(figures["seeds"]):
            twin, planted = figures["targets"][name]["twin"], figures["targets"][name]["planted"]
            yield (
                f"\nFalls short: `{planted}` leads for the sound `{twin}` in {row['sound']} of {len(figures['seeds'])} seeds,"
                f" with a mean sensitivity of {means[twin][planted]:.3f} (true effect"
                f" {figures['effects'][twin][planted]:.3f}) against {means[name][planted]:.3f} for `{name}`.\n"
            )


def _large_effects(figures: dict[str, Any], means: Table) -> str:
    """What audits measure of each true effect that matters, as a share of it."""
    rows = []
    for target, effects in figures["effects"].items():
        told = [name for name, effect in effects.items() if effect >= LEAST_TOLD and name in means[target]]
        if told:
            shares = ", ".join(f"{name} {means[target][name] / effects[name]:.2f}" for name in told)
            rows.append([target, shares])
    text = table(["target", "share of each"], rows).rstrip()
    return f"True effects of {LEAST_TOLD} and more, mean sensitivity / effect:\n\n{text}"


@dataclass(frozen=True)
class Card:
    """A domain's card: its introduction, then all sections that were measured, and the names of the others.

    Attributes:
        introduction: Markdown.
        domain: its name.
        whom: what edits change, in the plural.
        trained: a sentence on what targets were trained on.
        told: sentences on what was planted into targets of other tasks, where there are such.
    """

    introduction: str
    domain: str
    whom: str
    trained: str
    told: str | None = None

    def markdown(self, quality: dict[str, Any], benchmark: dict[str, Any] | None) -> str:
        """The card's Markdown."""
        sections: dict[str, Callable[[dict[str, Any]], str]] = {
            "text": text_section,
            "generator": generator_section,
            "edits": lambda figures: edits_section(figures, self.whom),
            "targets": lambda figures: targets_section(figures, self.domain, self.trained),
        }
        if (told := self.told) is not None:
            sections["tasks"] = lambda figures: tasks_section(figures, self.domain, told)
        parts = [section(quality[part]) for part, section in sections.items() if part in quality]
        missing = [f"Not measured yet: {part}.\n" for part in sections if part not in quality]
        planted = benchmark_section(benchmark, self.domain)
        return "\n".join([self.introduction, *parts, *missing, planted, environments_section(quality["environments"])])


def write_card(path: Path, card: Callable[[dict[str, Any], dict[str, Any] | None], str]) -> None:
    """The command line of a domain's card: QUALITY.json, and BENCHMARK.json if there is one; the scatter of the latter
    goes into ``pictures/`` beside the card."""
    quality = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    benchmark = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")) if len(sys.argv) > 2 else None
    if benchmark is not None:
        planted = {name: target["planted"] for name, target in benchmark["targets"].items()}
        means = mean_table(benchmark["runs"], "sensitivity")
        (path.parent / "pictures").mkdir(exist_ok=True)
        atomic.write_text(path.parent / "pictures" / "truth.svg", truth_scatter(means, benchmark["effects"], planted))
    atomic.write_text(path, card(quality, benchmark))
