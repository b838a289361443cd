"""Experiments from a name to a finished folder, and the report that links everything a folder holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.experiments import ALL, EMBEDDED, EXPERIMENTS
from zoom_engine.experiments.experiment import find_experiment
from zoom_engine.experiments.folder import DATA, ITEM, TABLE, TEXT, Folder
from zoom_engine.experiments.study import Study, UnsuitedError
from zoom_engine.experiments.style import check_plots, saved, styled
from zoom_engine.report import Section, write_experiments

OF_ONE = frozenset({"targets", "attributes", "labels", "neutral", "text_encoder"})
FORMAT = "zoom-engine/experiment/1"
JOINED = "all-generators"
"""In place of a generator's name, where several are shown together."""


def run_experiment(
    name: str,
    out: str | Path,
    *,
    generator: Any = None,
    domains: Sequence[str] = (),
    progress: ProgressFactory = silent,
    **options: Any,
) -> Path:
    """Make the experiment `name`, or "all", write `out`/report.html, and return its path.

    Each lies in `out`/GENERATOR/NAME: data.json, data.csv, figures as SVG and PNG, text.txt. What shows several
    generators in one figure lies in `out`/all-generators/NAME. Interrupted, the same call resumes where it was; what is
    finished is only drawn again.

    Args:
        name: of the experiment.
        out: folder.
        generator: by default each of the `domains`.
        domains: by default all embedded ones.
        progress: how work shows itself.
        **options: those of `Study`: targets, attributes, images, seed, text_encoder and so on, as `Diagnoser` has them.

    Raises:
        ConfigError: the folder was begun with other options, there is no such domain, or both a generator and domains
            are named.
    """
    if generator is not None and domains:
        raise ConfigError("name a generator, or domains")
    if unknown := [domain for domain in domains if find_domain(domain) is None]:
        raise ConfigError(f"no domain '{unknown[0]}': give one of {', '.join(EMBEDDED)}")
    if generator is None and (given := OF_ONE.intersection(key for key, value in options.items() if value)):
        raise ConfigError(f"{min(given)} belongs to one generator: name a generator too, such as {EMBEDDED[0]}")
    chosen = list(EXPERIMENTS) if name == ALL else [name]
    experiments = {experiment_name: find_experiment(experiment_name) for experiment_name in chosen}
    asks_target = any(experiment.asks_target for experiment in experiments.values())
    if options.get("labels") is not None and not asks_target:
        raise ConfigError(f"{name} asks no target, so no labels are to be kept: leave them out (--label)")
    check_plots()
    out = Path(out)
    for subject in (domains or EMBEDDED) if generator is None else (generator,):
        study = Study(subject, out, progress=progress, **options)
        if study.given and not asks_target:
            study.notify(f"{name} asks no target: leave it out")
        for experiment_name, experiment in experiments.items():
            folder = Folder(study.out / experiment_name)
            folder.begin(study.identity())
            if folder.finished() is None:
                try:
                    data = experiment.run(study, folder)
                except UnsuitedError as reason:
                    if name != ALL and generator is not None:
                        raise
                    study.notify(f"{experiment_name} has nothing to show of {study.name}: {reason}")
                    continue
                _write(folder, experiment_name, study.name, study.identity(), data)
            draw(folder, experiment_name)
            write_page(out)
    for experiment_name, experiment in experiments.items():
        if experiment.join is not None and (parts := _finished(out, experiment_name)):
            folder = Folder(out / JOINED / experiment_name)
            documents = {subject: (document["data"], part) for subject, (document, part) in parts.items()}
            settings = _shared([document["settings"] for document, _ in parts.values()])
            _write(folder, experiment_name, JOINED, settings, experiment.join(documents, folder))
            draw(folder, experiment_name)
    return write_page(out)


def _shared(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that several generators have in common, and all their seeds: each may be of another run."""
    first, *others = settings
    same = {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}
    seeds = dict.fromkeys(one["seed"] for one in settings)
    return {**same, "generator": None, "seed": first["seed"] if len(seeds) == 1 else ", ".join(map(str, seeds))}


def _finished(out: Path, name: str) -> dict[str, tuple[dict[str, Any], Folder]]:
    """Return document and folder of an experiment by generator; nothing where fewer than two have finished it."""
    folders = [Folder(path.parent) for path in sorted(out.glob(f"*/{name}/{DATA}"))]
    finished = {folder.path.parent.name: (document, folder) for folder in folders if (document := folder.finished())}
    finished.pop(JOINED, None)
    return finished if len(finished) > 1 else {}


def _write(folder: Folder, name: str, subject: str, settings: Mapping[str, Any], data: dict[str, Any]) -> None:
    about = {"format": FORMAT, "experiment": name, "subject": subject, "settings": settings}
    atomic.write_json(folder.path / DATA, {**about, "made_on": describe_environment(), "data": data})


def draw(folder: Folder, name: str) -> None:
    """Write table, figures and text of an experiment, by its data alone."""
    experiment, document = find_experiment(name), folder.finished()
    if document is None:
        raise ConfigError(f"{folder.path} has no {DATA}: run the experiment first")
    data = document["data"]
    folder.write_table(experiment.rows(data))
    before = set(folder.path.glob("figure*"))
    with styled():
        for number, (title, drawn) in enumerate(experiment.draw(data, folder), start=1):
            for kind in ("svg", "png"):
                before.discard(folder.write(f"figure-{number}-{title}.{kind}", saved(drawn, kind)))
    for left in before:  # of an older drawing
        left.unlink()
    if experiment.files is not None:
        experiment.files(data, folder)
    folder.write(TEXT, experiment.tell(data).strip() + "\n")


def draw_again(out: str | Path, names: Sequence[str] = tuple(EXPERIMENTS)) -> Path:
    """Draw these experiments of `out` again without running anything, and return the path of report.html."""
    check_plots()
    finished = [(name, path.parent) for name in names for path in sorted(Path(out).glob(f"*/{name}/{DATA}"))]
    if not finished:
        raise ConfigError(f"{out} holds no finished experiment to draw")
    for name, path in finished:
        draw(Folder(path), name)
    return write_page(Path(out))


def write_page(out: Path) -> Path:
    """Write report.html of all finished experiments in `out`, and return its path."""
    sections = [
        _section(out, name, path.parent)
        for name in EXPERIMENTS
        for path in sorted(out.glob(f"*/{name}/{TEXT}"))
        if (path.parent / DATA).is_file()
    ]
    return write_experiments(out, sections)


def _section(out: Path, name: str, folder: Path) -> Section:
    document = Folder(folder).finished() or {}
    figures = sorted(folder.glob("figure*.svg"))
    files = [
        *sorted(folder.glob("*.html")),
        folder / DATA,
        folder / TABLE,
        *(path.with_suffix(".png") for path in figures),
    ]
    made, settings = document["made_on"], document["settings"]
    return Section(
        title=f"{name}: {EXPERIMENTS[name]}",
        subject=document["subject"],
        anchor=f"{name}-{document['subject']}",
        paragraphs=tuple(tuple(text.split(ITEM)) for text in (folder / TEXT).read_text("utf-8").strip().split("\n\n")),
        figures=tuple(_link(path, out) for path in figures),
        links=tuple((path.name, _link(path, out)) for path in files if path.is_file()),
        made=f"seed {settings['seed']}, zoom-engine {made['zoom_engine']}, {made['system']}, {made['cores']} cores",
    )


def _link(path: Path, out: Path) -> str:
    return quote(path.relative_to(out).as_posix())
