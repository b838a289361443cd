"""What the explorer moves: the models of a command line, or those of an audit, loaded again from its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from zoom_engine.audit.folder import MANIFEST, read_manifest
from zoom_engine.audit.manifest import FOUND_WITH, Config, Manifest
from zoom_engine.common import registry
from zoom_engine.common.errors import AuditError, ConfigError, DirectionError, one_line
from zoom_engine.common.json_object import JsonObject
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.diagnose.measurements import calibrated_range, edit_directions
from zoom_engine.diagnose.models import Models, load_models
from zoom_engine.diagnose.own_photographs import audited_photographs, crops_of, photographs_of_audit
from zoom_engine.directions import CalibratedRange, EditDirections, NaturalRegion, natural_region
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN, AuditSettings, RunSettings

FIRST_IMAGES = 12
"""Images to choose from, where nobody says how many."""
MOST_TARGETS = 8


@dataclass(frozen=True, kw_only=True)
class Explored:
    """Models with what was measured of the generator, and the images to begin with.

    Attributes:
        name: what is explored, for the head of the page.
        models: those of each target; the generator and the text encoder are the same.
        directions: N edit directions.
        calibrated: their range; None where an audit took the paper's.
        region: what the generator draws, along these directions.
        seeds: of generated images.
        photographs: names and codes `[1, S]` of own photographs.
    """

    name: str
    models: tuple[Models, ...]
    directions: EditDirections
    calibrated: CalibratedRange | None
    region: NaturalRegion
    seeds: tuple[int, ...]
    photographs: tuple[tuple[str, Tensor], ...] = ()

    @property
    def notices(self) -> list[str]:
        """Return lines on what was assumed, each once."""
        return list(dict.fromkeys(line for models in self.models for line in models.notices.lines))


def load_explored(
    audits: Sequence[Path],
    given: Mapping[str, Any],
    *,
    progress: ProgressFactory = silent,
    notify: Notify = null_notifier,
) -> Explored:
    """Load what a command line names.

    Args:
        audits: folders of audits along the same attributes of one generator; their targets are shown beside one
            another. A folder that holds audits stands for all of them.
        given: fields of `AuditSettings`, in place of what an audit says; `target` is a list, shown beside the audits'.
        progress: how work shows itself.
        notify: receives lines on what was assumed.

    Raises:
        AuditError: an audit cannot be read, or was made with another model than is here.
        ConfigError: an option is missing or wrong.
    """
    folders = [folder for audit in audits for folder in _audits_in(audit)]
    targets = list(given.get("target") or ())
    if not folders:
        missing = [name for name in ("generator", "target") if not given.get(name)]
        if missing:
            raise ConfigError(f"--{missing[0]} is missing: give it, or the folder of an audit")
        settings = [AuditSettings(**_alone(given), target=target) for target in targets]
        return _measured(_loaded(settings, progress, notify), range(FIRST_IMAGES))
    if "preset" in given:
        raise ConfigError("a preset says what nobody else does, and the folder of an audit says it: leave out --preset")
    if not targets and given.get("target_options", {}).keys() - {"trust"}:
        raise ConfigError("options on how a target is read are for one that --target names: name it")
    manifests = [read_manifest(folder) for folder in folders]
    settings = [_settings_of(*pair, given, targets) for pair in zip(folders, manifests, strict=True)]
    named, options = [one.target for one in settings], given.get("target_options")
    further = [target for target in targets if target not in named]
    settings += [
        replace(settings[0], target=target, target_options=options, labels=given.get("labels")) for target in further
    ]
    _check_alike(folders, manifests)
    models = _loaded(settings, progress, notify)
    for folder, manifest, of_target in zip(folders, manifests, models, strict=False):
        _check_models(folder, manifest.config, of_target)
    first, config = models[0], manifests[0].config
    seed = config.seed or RunSettings.seed
    photographs, codes = photographs_of_audit(first, folders[0], seed=seed)
    images = range(seed * SEEDS_PER_RUN, seed * SEEDS_PER_RUN + min(config.images or FIRST_IMAGES, SEEDS_PER_RUN))
    wanted = JsonObject(config.content).object("directions").get("content_hash", str)
    others = "attributes" in given  # than the audit's
    if others or config.level is not None or "level" in given:
        directions = edit_directions(first)
    else:  # of an older version, whose manifests do not say the level
        directions = _directions_at_some_level(first, wanted)
    theirs = config.own_directions
    if other := next((name for name, row in directions.row_hashes.items() if theirs.get(name, row) != row), None):
        raise AuditError(
            f"{folders[0]} was made along another edit direction of “{other}” than --directions holds: give the file"
            " that diagnose had"
        )
    explored = _measured(models, range(FIRST_IMAGES) if photographs else images, directions)
    if directions.content_hash != wanted and not others:
        guessed = config.level is None or any(name in given for name in FOUND_WITH)
        otherwise = ", or with other --samples or --level" if guessed else ""
        first.notices.add(
            "the edit directions were found again here and are not those of the audit to the last digit: it ran on"
            f" another machine or version{otherwise}"
        )
    named_codes = zip((one.file for one in photographs), codes, strict=True)
    of_audit = tuple((name, code[None]) for name, code in named_codes)
    return replace(explored, photographs=(*of_audit, *explored.photographs))


def _audits_in(folder: Path) -> list[Path]:
    """Return the folder of an audit, or those of the audits that a folder holds."""
    if (folder / MANIFEST).is_file() or not folder.is_dir():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}")) or [folder]


def _alone(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options that nothing but attributes one by one needs: no random directions, no search."""
    return {**{name: value for name, value in given.items() if name != "target"}, "random_directions": 0}


def _settings_of(folder: Path, manifest: Manifest, given: Mapping[str, Any], targets: list[str]) -> AuditSettings:
    """Return the settings that load an audit's models again.

    What a folder names is loaded where that runs no code: what a domain brings, and a generator's file. Any other
    target is the next of `targets`, those of the command line, and no longer among them.
    """
    config, known = manifest.config, JsonObject(manifest.config.content)
    if config.edits is not None:
        raise AuditError(
            f"the edits of {folder} come from elsewhere ({config.edits.kind}), and sliders need a generator: open its"
            " report"
        )
    directions, details = known.object("directions"), known.object("target_details")
    brought = _is_of_domain(config.target)
    if not brought and not targets:
        raise AuditError(
            f"the target of {folder} is '{one_line(config.target, 80)}', which no domain brings: give it by --target,"
            " as to diagnose"
        )
    domains = registry.names(registry.DOMAINS)
    generator = given.get("generator") or str(manifest.environment.get("generator", ""))
    if generator not in domains and not os.path.isfile(str(generator)) and "generator" not in given:
        raise AuditError(
            f"the generator of {folder} was '{one_line(str(generator), 80)}', which is no file here: give it by"
            " --generator"
        )
    if config.given_by and "attributes" not in given:
        raise AuditError(
            f"attributes of {folder} are given by examples, a scorer or ready directions, which the folder does not"
            " hold: give all of them by --attribute, as to diagnose"
        )
    method, methods = config.method, registry.all_names(registry.DIRECTION_METHODS)
    if method is not None and method not in methods and "directions" not in given:
        raise AuditError(
            f"the edit directions of {folder} are '{one_line(method, 80)}', which no method here finds: give"
            " their file by --directions, as to diagnose"
        )
    encoder = known.object("text_encoder").get("name", str)
    truncation = known.get("truncation", float)  # may be 0
    options: dict[str, Any] = {
        "generator": generator,
        "generator_class": known.get("generator_class", int),
        "attributes": [attribute.text for attribute in config.attributes],
        "neutral": config.neutral or None,
        "labels": list(config.labels or ()),
        "keep": known.get("keep", list),
        "text_encoder": None if encoder == generator else encoder,
        "templates": directions.get("templates", list) or AuditSettings.templates,
        "directions": method or AuditSettings.directions,
        "threshold": directions.get("threshold", float),
        "samples": None if "attributes" in given else config.samples,
        "level": config.level,
        "edit_range": config.edit_range,
        "decisive_change": config.decisive_change,
        "truncation": AuditSettings.truncation if truncation is None else truncation,
        "truncation_cutoff": known.get("truncation_cutoff", int),
    }
    if not brought:
        stated = {"task": details.get("task", dict), "preprocessing": details.get("preprocessing", dict)}
        options["target_options"] = {
            **{name: value for name, value in stated.items() if value},
            **(given.get("target_options") or {}),
        }
    target = config.target if brought else targets.pop(0)
    options |= {name: value for name, value in _alone(given).items() if name not in ("target_options", "generator")}
    return AuditSettings(**options, target=target)


def _is_of_domain(target: str) -> bool:
    name, colon, rest = target.partition(":")
    domain = find_domain(name) if colon and name in registry.names(registry.DOMAINS) else None
    return domain is not None and rest in domain.target_names()


def _check_alike(folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
    """Refuse audits that have not all in common that sliders move."""
    first = _in_common(manifests[0].config)
    for folder, manifest in zip(folders[1:], manifests[1:], strict=True):
        for what, value in _in_common(manifest.config).items():
            unsaid = what == "number_of_samples" and None in (value, first[what])  # by older audits
            if value != first[what] and not unsaid:
                raise AuditError(
                    f"{folder} has another {what.replace('_', ' ')} than {folders[0]}: only targets may differ between"
                    " audits that are explored together"
                )


def _in_common(config: Config) -> dict[str, Any]:
    """Return what says which pictures sliders move, and along what: those of the first audit are shown for all."""
    content, directions = config.content, JsonObject(config.content).object("directions").values
    names = ("generator", "generator_class", "truncation", "truncation_cutoff", "attributes", "neutral", "edit_range")
    of_directions = {name: directions.get(name) for name in ("method", "threshold", "templates")}
    samples = {"keep": content.get("keep"), "number_of_samples": config.samples}
    ready = {"source_of_edit_directions": directions.get("own")}
    return {**{name: content.get(name) for name in names}, **of_directions, **samples, **ready}


def _check_models(folder: Path, config: Config, models: Models) -> None:
    """Refuse models that are not those of the audit."""
    known, reader = JsonObject(config.content), models.text_encoder.described
    hashes = {
        "generator": (known.get("generator", str), models.generator.content_hash),
        "text encoder": (
            known.object("text_encoder").get("content_hash", str),
            reader["content_hash"],
        ),
        "target": (known.object("target_details").get("content_hash", str), models.target.content_hash),
    }
    for what, (then, now) in hashes.items():
        if then is not None and then != now:
            raise AuditError(
                f"{folder} was made with another {what} than is here: give what was audited by"
                f" --{what.replace(' ', '-')}, with the options that diagnose had"
            )


def _loaded(settings: Sequence[AuditSettings], progress: ProgressFactory, notify: Notify) -> list[Models]:
    if len(settings) > MOST_TARGETS:
        raise ConfigError(f"{len(settings)} targets do not fit beside one another: give {MOST_TARGETS} at most")
    loaded: list[Models] = []
    for of_target in settings:
        like = loaded[0] if loaded else None
        loaded.append(load_models(of_target, progress=progress, notify=notify, like=like))
    return loaded


def _directions_at_some_level(models: Models, wanted: str | None) -> EditDirections:
    """Find the edit directions of this hash, or those that come nearest, of an audit that does not say the level.

    At level 1, where no prompt is refused, samples are counted otherwise.
    """
    level = models.settings.level
    candidates, refusals = [], []
    for one in dict.fromkeys([level, 1.0]):
        try:
            directions = edit_directions(replace(models, settings=replace(models.settings, level=one)))
        except DirectionError as error:
            refusals.append(error)
            continue
        if directions.content_hash == wanted:
            return directions
        candidates.append(directions)
    if not candidates:
        raise refusals[0]
    return candidates[0]


def _measured(models: Sequence[Models], seeds: Sequence[int], directions: EditDirections | None = None) -> Explored:
    """Find what is not given, the edit directions and how far they lead, or take it from the cache."""
    first = models[0]
    directions = edit_directions(first) if directions is None else directions
    calibrated = calibrated_range(first, directions) if first.settings.edit_range == "calibrated" else None
    region = natural_region(first.generator, directions, cache=first.cache)
    photographs: tuple[tuple[str, Tensor], ...] = ()
    if first.settings.photos is not None:
        audited = audited_photographs(first, crops_of(first))
        photographs = tuple((name, code[None]) for name, code in zip(audited.files, audited.codes, strict=True))
    population = first.generator.population
    return Explored(
        name=" · ".join(of_target.target.name for of_target in models),
        models=tuple(models),
        directions=directions,
        calibrated=calibrated,
        region=region,
        seeds=tuple(seeds if population is None else seeds[:population]),
        photographs=photographs,
    )
