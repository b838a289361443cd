"""The demo: one sound and one biased target of the avatars, audited side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoom_engine.audit.folder import check_config, check_folder
from zoom_engine.common.plurals import number_of
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.diagnosers import Diagnosers
from zoom_engine.report import IndexEntry, write_index
from zoom_engine.settings.audit_settings import RunSettings
from zoom_engine.statistics.diagnosis import Diagnosis

AUDITS = (
    (
        "sound",
        "avatars:mustache",
        "Sound",
        "The same classifier, trained on faces in which mustaches come with nothing else in particular.",
    ),
    (
        "biased",
        "avatars:mustache-biased-smiling",
        "Biased",
        "A mustache classifier, trained on data in which most mustaches come with a smile. Nobody told the audit.",
    ),
)
IMAGES = 32


def run_demo(
    out: Path, *, images: int = IMAGES, seed: int = 0, progress: ProgressFactory = silent, **options: Any
) -> dict[str, Diagnosis]:
    """Audit both targets into `out/sound` and `out/biased`, and write `out/index.html`.

    Interrupted, the same call resumes where it was. Folders that cannot take both audits are refused before a model is
    loaded.

    Args:
        out: folder.
        images: how many.
        seed: which.
        progress: how work shows itself.
        **options: those of `Diagnosers`, which shares pictures between both audits.

    Returns:
        Both audits by the names of their folders.
    """
    run = RunSettings(images=images, seed=seed)
    for name, *_ in AUDITS:
        check_folder(out / name)
        check_config(out / name, run.deciding())
    targets = {name: target for name, target, _, _ in AUDITS}
    diagnosers = Diagnosers(generator="avatars", target=targets, progress=progress, **options)
    diagnoses = diagnosers.run(images=images, seed=seed, out=out)
    write_index(
        out,
        [IndexEntry(out / name, title, text, diagnoses[name]) for name, _, title, text in AUDITS],
        title="Two mustache classifiers, one hidden bias",
        introduction="Audited without a labelled test image: attributes were typed as text, and"
        f" {number_of(images, 'generated face')} edited along each to see what moves the model’s answer.",
    )
    return diagnoses
