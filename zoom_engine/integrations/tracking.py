"""A finished audit in a tracking server of MLflow: settings as parameters, results as metrics, files as artefacts."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from zoom_engine.audit.copying import plain_files
from zoom_engine.audit.folder import IMAGES
from zoom_engine.common.errors import AuditError, TrackingError, imported, one_line, system_errors
from zoom_engine.settings.attributes import short_name
from zoom_engine.settings.target_names import without_password
from zoom_engine.statistics.diagnosis import Diagnosis

EXPERIMENT = "zoom-engine"
LONGEST_PARAMETER = 500  # characters, what the oldest servers take
LONGEST_NAME = 200  # bytes of an attribute's name: metrics have 250 characters at most, files 255 bytes
_OTHER = re.compile(r"[^\w. -]+")
FILES = (
    *("manifest.json", "summary.json", "records.jsonl", "gallery.json", "photographs.json", "service.json"),
    *("gate.json", "report.html"),
)


def track(diagnosis: Diagnosis, uri: str, *, experiment: str = EXPERIMENT, name: str | None = None) -> str:
    """Write the audit as a new run into the MLflow store at `uri`, and return the run's id.

    The run belongs to `experiment`, which is made where it does not exist, and is called `name`, by default as the
    target is.

    Raises:
        AuditError: the audit is not finished, or not in a folder.
        TrackingError: MLflow is missing, or its store cannot be written.
    """
    audit = diagnosis.path
    if audit is None or not diagnosis.finished:
        raise AuditError(f"{audit or 'an audit in memory'} is no finished audit: run it to its end with --out")
    with system_errors(AuditError, f"cannot read {audit}"):
        list(plain_files(audit, (*FILES, IMAGES)))  # it may be somebody else's: a link could bring any file along
    client_of = _mlflow().MlflowClient
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

    try:
        client = client_of(tracking_uri=uri)
        known = client.get_experiment_by_name(experiment)
        of = client.create_experiment(experiment) if known is None else known.experiment_id
        run = client.create_run(of, run_name=name or diagnosis.config.target)
        started, identity = run.info.start_time, str(run.info.run_id)
        try:
            client.log_batch(
                identity,
                metrics=[Metric(key, value, started, 0) for key, value in metrics(diagnosis)],
                params=[Param(key, value) for key, value in parameters(diagnosis)],
                tags=[RunTag(key, value) for key, value in tags(diagnosis)],
            )
            for file in FILES:
                if (audit / file).is_file():
                    client.log_artifact(identity, str(audit / file))
            if (audit / IMAGES).is_dir():  # an audit that was saved from memory has no pictures
                client.log_artifacts(identity, str(audit / IMAGES), IMAGES)
        except BaseException:  # half an audit is nobody's finished run
            with contextlib.suppress(MlflowException, OSError):
                client.set_terminated(identity, "FAILED")
            raise
        client.set_terminated(identity)
    except (MlflowException, OSError, ImportError) as error:  # the last where a store needs more than the client
        where, reason = without_password(uri), without_password(str(error)) or error
        raise TrackingError(
            f"MLflow cannot keep the audit at {one_line(where, 120)}: {one_line(reason, 300)}"
        ) from error
    return identity


def parameters(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """Yield the settings of the manifest that are a value or a list of texts."""
    for name, value in diagnosis.config.content.items():
        text = "; ".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value
        if isinstance(text, str | int | float):
            yield name, str(text)[:LONGEST_PARAMETER]


def metrics(diagnosis: Diagnosis) -> Iterator[tuple[str, float]]:
    """Yield the numbers of the summary and of each attribute, such as "sensitivity/smiling".

    Of attributes that are edited together none has a sensitivity: their shares of the range stand in its place.

    No name is the first part of another, because a store of files makes folders of them. Attributes whose short names
    are one there, no name of a file or too long for one, have those that their pictures have.
    """
    summary = diagnosis.summary()
    whole = {
        "flip_rate": summary.flip_rate,
        "decisive_flip_rate": summary.decisive_flip_rate,
        "label_kept": summary.label_kept,
        "random_edits": None if summary.baseline is None else summary.baseline.mean_change,
        **{f"power/{size}": power for size, power in (summary.power.sensitive if summary.power else {}).items()},
    }
    if summary.mode == "single":
        whole |= {
            "sensitive": float(sum(row.verdict == "sensitive" for row in summary.sensitivity)),
            "specific": None if summary.baseline is None else sum(row.is_specific for row in summary.sensitivity),
            "inconclusive": float(sum(row.verdict == "inconclusive" for row in summary.sensitivity)),
        }
    neutral = diagnosis.config.neutral
    names = {one: _OTHER.sub("_", short_name(one, neutral)) for one in diagnosis.attributes}
    counts = Counter([*names.values(), ".", ".."])
    for row in summary.sensitivity:
        name = names[row.attribute]
        attribute = name if counts[name] == 1 and len(name.encode()) <= LONGEST_NAME else row.attribute.slug
        low, high = row.interval or (None, None)
        what = "sensitivity" if row.mode == "single" else "range_share"
        figures = {what: row.value, f"{what}_low": low, f"{what}_high": high, "effect": row.effect}
        figures |= {"flips": row.flip_rate, "p_adjusted": row.p_adjusted}
        whole |= {f"{kind}/{attribute}": value for kind, value in figures.items()}
    yield from ((name, float(value)) for name, value in whole.items() if value is not None)


def tags(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """Yield what a list of runs shows at once."""
    sensitive = [
        row.attribute.text if row.is_specific else f"{row.attribute.text} ({row.specificity})"
        for row in diagnosis.sensitivity
        if row.verdict == "sensitive"
    ]
    if diagnosis.mode == "single":  # of attributes that are edited together none is judged
        yield "sensitive", "; ".join(sensitive) or "nothing"
    about = diagnosis.about.to_json()
    yield from ((name, text) for name in ("owner", "model_version", "audit_id") if (text := about[name]))
    if diagnosis.manifest.purpose:
        yield "mlflow.note.content", diagnosis.manifest.purpose


def _mlflow() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it reports its use to its makers otherwise
    return imported("mlflow", TrackingError, "an audit cannot be tracked", install="zoom-engine[tracking]")
