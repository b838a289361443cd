"""The identity of an audit: all that determines its records, before anything is measured and after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoom_engine.audit.manifest import FOUND_WITH, PAPER_BOUND, Config, Manifest
from zoom_engine.common import registry
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.typed import fits
from zoom_engine.diagnose.measurements import Measurements
from zoom_engine.diagnose.models import Models
from zoom_engine.diagnose.own_photographs import inverter
from zoom_engine.directions import EditDirections
from zoom_engine.photographs import Audited, Crop
from zoom_engine.search import describe_search
from zoom_engine.search.end import End
from zoom_engine.settings.audit_settings import ABOUT, RANDOM_IMAGES, AuditSettings, RunSettings
from zoom_engine.text import AttributeEncoder


def config(models: Models, run: RunSettings) -> dict[str, Any]:
    """Return what determines the records and is known before anything is measured, as the manifest's file has it."""
    settings, attributes = models.settings, [attribute.text for attribute in models.attributes]
    beside = {
        "random_per_image": settings.random_per_image(
            len(attributes), at_end=models.baseline_search is not models.search
        ),
        "random_images": RANDOM_IMAGES,
        "baseline_search": describe_search(models.baseline_search),
    }
    control_prompts = {"prompts": list(models.control_prompts), "every": models.control_prompt_every}
    return {
        **settings.deciding(),
        **_keep(settings),
        **run.deciding(),
        "random_directions": models.random_directions,
        **(beside if models.random_directions else {}),
        **({"control_prompts": control_prompts} if models.control_prompts else {}),
        **({"paraphrase_search": describe_search(End())} if settings.paraphrases else {}),
        "target": models.target.name,
        "target_details": models.target.describe(),
        "attributes": attributes,
        **({"by": settings.told_apart_by(attributes)} if settings.by else {}),
        "neutral": models.neutral,
        "labels": list(models.labels),
        "search": models.search.name,
        "search_options": describe_search(models.search),
        "search_reason": models.search_reason,
        "generator": models.generator.content_hash,
        "resolution": models.generator.resolution,
        **({"sources": encoder.sources()} if isinstance(encoder := models.text_encoder, AttributeEncoder) else {}),
        "text_encoder": models.text_encoder.described,
        "bound": PAPER_BOUND,
        "synthesis": models.synthesizer.describe(),
    }


def _keep(settings: AuditSettings) -> dict[str, Any]:
    """Return what ready directions were found to keep, which settings need not repeat."""
    ready = settings.directions
    keep = ready.found_by.get("keep") if isinstance(ready, EditDirections) else None
    return {"keep": list(keep)} if keep else {}


def known(models: Models, run: RunSettings) -> Config:
    """Return `config` as it is read from a manifest."""
    return Manifest.of(config(models, run)).config


def chosen(models: Models, run: RunSettings) -> dict[str, Any]:
    """Return `config`, and what looks at pictures: an audit's processes have it in common, or numbers end otherwise."""
    networks = {name: models.networks[name] for name in ("target", "text_encoder")}
    return {**config(models, run), "answers": models.answers, "networks": networks}


def of_photographs(models: Models, crops: Sequence[Crop], seed: int) -> dict[str, Any]:
    """Return what an audit around photographs depends on beside `config`, and is known before they are inverted."""
    files = {crop.file: crop.sha256 for crop in crops}
    return {"photographs": {"files": files, "inversion": inverter(models, seed=seed).identity}}


def of_directions(directions: EditDirections) -> dict[str, Any]:
    """Return what the manifest's file says of edit directions."""
    named_alone = directions.method not in registry.all_names(registry.DIRECTION_METHODS)  # by no text, and may mislead
    return {
        "method": directions.method,
        "threshold": directions.threshold,
        "templates": directions.provenance["templates"],
        "content_hash": directions.content_hash,
        "channels": list(directions.channels),
        "strength": list(directions.strength),
        "noise_floor": list(directions.noise_floor),
        **({"own": directions.row_hashes} if named_alone else {}),
    }


def _found_with(directions: EditDirections) -> dict[str, Any]:
    """Return how directions were found, as far as ready ones say it."""
    told: dict[str, Any] = {name: directions.provenance.get(name) for name in FOUND_WITH}
    is_sound = {
        "samples": fits(int, told["samples"]) and told["samples"] > 0,
        "level": fits(float, told["level"]) and 0 < told["level"] <= 1,
    }
    return {name: value for name, value in told.items() if is_sound[name]}


def manifest(
    models: Models,
    measurements: Measurements,
    run: RunSettings,
    crops: Sequence[Crop] | None = None,
    audited: Audited | None = None,
) -> Manifest:
    """Return all that determines the records, and where they were made."""
    directions, calibrated, baseline = measurements.directions, measurements.calibrated, measurements.baseline
    given = models.settings.generator
    return Manifest.of(
        {
            **config(models, run),
            "answers": models.answers,
            **({} if crops is None else of_photographs(models, crops, run.seed)),
            **({} if audited is None else {"audited": audited.files}),
            **(
                {"random_drawn": list(baseline.drawn), "random_changing": baseline.changing}
                if models.random_directions and baseline is not None
                else {}
            ),
            "calibrated_range": None if calibrated is None else calibrated.bounds.tolist(),
            "directions": of_directions(directions),
            **_found_with(directions),
        },
        {
            **describe_environment(),
            **({"brought_by": brought} if (brought := _brought(models)) else {}),
            "generator": str(given) if isinstance(given, str | Path) else f"a {type(given).__name__}",
            "synthesis": models.synthesizer.explain(),
            "networks": models.networks,
            "notices": models.notices.lines,
            **({"misread": [misread.prompt for misread in models.misread]} if models.misread else {}),
        },
        **{name: getattr(models.settings, name) for name in ABOUT},
        begun=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _brought(models: Models) -> dict[str, str]:
    """Return the packages that brought what the audit is made of: who reads it needs them too."""
    given = (models.settings.generator, models.settings.target)
    generator, target = (spec if isinstance(spec, str) else "" for spec in given)
    directions = models.settings.directions
    family, colon, _ = generator.partition(":")
    return registry.brought(
        [
            (registry.DOMAINS, generator),
            *([(registry.GENERATORS, family)] if colon else []),
            (registry.DOMAINS, target.partition(":")[0]),
            (registry.TASKS, models.target.task.name),
            (registry.SEARCHES, models.search.name),
            *([(registry.DIRECTION_METHODS, directions)] if isinstance(directions, str) else []),
        ]
    )
