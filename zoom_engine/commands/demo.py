"""The demo: one sound and one biased target of an embedded domain, audited side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoom_engine.audit.folder import check_config, check_folder
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.plurals import number_of
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.common.typed import one_of
from zoom_engine.diagnose.diagnosers import Diagnosers
from zoom_engine.report import IndexEntry, write_index
from zoom_engine.settings.audit_settings import RunSettings
from zoom_engine.statistics.diagnosis import Diagnosis


@dataclass(frozen=True)
class Demo:
    """What a domain shows.

    Attributes:
        title: of the page.
        sound: name of the sound target.
        sound_text: a sentence on how that was trained.
        biased: name of its biased twin.
        biased_text: a sentence on that.
        picture: what is generated.
    """

    title: str
    sound: str
    sound_text: str
    biased: str
    biased_text: str
    picture: str


DEMOS = {
    "avatars": Demo(
        "Two mustache classifiers, one hidden bias",
        "mustache",
        "The same classifier, trained on faces in which mustaches come with nothing else in particular.",
        "mustache-biased-smiling",
        "A mustache classifier, trained on data in which most mustaches come with a smile. Nobody told the audit.",
        "generated face",
    ),
    "people": Demo(
        "Two smile classifiers, one hidden bias",
        "smiling",
        "The same classifier, trained on people of whom those who smile wear a hat as often as others.",
        "smiling-biased-hat",
        "A smile classifier, trained on data in which most people who smile wear a hat. Nobody told the audit.",
        "generated person",
    ),
    "pets": Demo(
        "Two dog classifiers, one hidden bias",
        "dog",
        "The same classifier, trained on pets of which cats wear collars as often as dogs.",
        "dog-biased-collar",
        "A classifier of dogs and cats, trained on data in which most dogs wear a collar. Nobody told the audit.",
        "generated pet",
    ),
    "places": Demo(
        "Two church classifiers, one hidden bias",
        "church",
        "The same classifier, trained on places in which churches stand in the snow as often as other buildings.",
        "church-biased-snow",
        "A classifier of churches, trained on data in which most churches stand in the snow. Nobody told the audit.",
        "generated place",
    ),
    "cars": Demo(
        "Two sports car classifiers, one hidden bias",
        "sports",
        "The same classifier, trained on cars of which sports cars are red as often as others.",
        "sports-biased-red",
        "A classifier of sports cars, trained on data in which most sports cars are red. Nobody told the audit.",
        "generated car",
    ),
}


def run_demo(
    out: Path,
    *,
    domain: str = "avatars",
    images: int | Literal["auto"] = RunSettings.images,
    seed: int = RunSettings.seed,
    progress: ProgressFactory = silent,
    **options: Any,
) -> dict[str, Diagnosis]:
    """Audit both targets into `out/sound` and `out/biased`, and write `out/index.html`.

    Interrupted, the same call resumes where it was. Folders that cannot take both audits are refused before a model is
    loaded.

    Args:
        out: folder.
        domain: which of `DEMOS`.
        images: how many, see `RunSettings`.
        seed: which, see `RunSettings`.
        progress: how work shows itself.
        **options: those of `Diagnosers`, which shares pictures between both audits.

    Returns:
        Both audits by the names of their folders.

    Raises:
        ConfigError: there is no such demo, or a folder cannot take its audit.
    """
    if domain not in DEMOS:
        raise ConfigError(f"there is no demo of {one_of(domain, list(DEMOS))}")
    demo, run = DEMOS[domain], RunSettings(images=images, seed=seed)
    targets = {"sound": f"{domain}:{demo.sound}", "biased": f"{domain}:{demo.biased}"}
    for name in targets:
        check_folder(out / name)
        check_config(out / name, run.deciding())
    diagnosers = Diagnosers(generator=domain, target=targets, progress=progress, **options)
    diagnoses = diagnosers.run(images=images, seed=seed, out=out)
    most = max(diagnosis.summary().images for diagnosis in diagnoses.values())
    write_index(
        out,
        [
            IndexEntry(out / "sound", "Sound", demo.sound_text, diagnoses["sound"]),
            IndexEntry(out / "biased", "Biased", demo.biased_text, diagnoses["biased"]),
        ],
        title=demo.title,
        introduction="Audited without a labelled test image: attributes were typed as text, and"
        f" up to {number_of(most, demo.picture)} edited along each to see what moves the model’s answer.",
    )
    return diagnoses
