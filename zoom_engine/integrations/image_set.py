"""The pictures of an audit's strips as a data set for others: pairs of files, a table of them, and its description.

==============  ==============================================================================================
images/         NUMBER-original.png and NUMBER-edited.png of each pair
pairs.csv       a line for each pair: files, attribute, edit weight, what the target says of both, and more
croissant.json  the set in the vocabulary of Croissant 1.0 (mlcommons.org/croissant), with hash and licence
==============  ==============================================================================================
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoom_engine.audit.folder import IMAGES, check_folder, inside
from zoom_engine.audit.gallery_file import Gallery, StripEntry
from zoom_engine.common.errors import AuditError, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.json_file import opened
from zoom_engine.settings.attributes import short_names

if TYPE_CHECKING:
    from zoom_engine.statistics.diagnosis import Diagnosis

COLUMNS = {
    "pair": ("sc:Integer", "number of the pair"),
    "original": ("sc:Text", "file of the unedited picture"),
    "edited": ("sc:Text", "file of the edited picture"),
    "attribute": ("sc:Text", "the prompt whose direction was edited along; empty where all were edited together"),
    "name": ("sc:Text", "what the prompt adds to the neutral one"),
    "edit_weight": ("sc:Float", "how far, in standard deviations along the direction; empty for all together"),
    "seed": ("sc:Integer", "of the generator, for the unedited picture; a number of a photograph"),
    "original_output": ("sc:Text", "what the target says of the unedited picture"),
    "edited_output": ("sc:Text", "what it says of the edited one"),
    "flipped": ("sc:Boolean", "its decision changed"),
    "label_kept": ("sc:Boolean", "the zero-shot label stayed; empty where that was not checked"),
    "ssim": ("sc:Float", "likeness of the two pictures; empty where it was not measured"),
    "kind": ("sc:Text", "why the pair was chosen: typical, flip, extreme or clearest"),
}
OF_EDITS = {
    "attribute": ("sc:Text", "what was edited"),
    "name": ("sc:Text", "the same"),
    "edit_weight": ("sc:Float", "the strength of the edit"),
    "seed": ("sc:Integer", "a number of the unedited picture"),
}
"""What columns are instead, of edits from elsewhere."""
_CR = (
    *("citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes"),
    *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated"),
    *("replace", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _CR},
}


def export_images(diagnosis: Diagnosis, out: Path, *, licence: str) -> int:
    """Write the pairs that an audit's strips show into the new or empty folder `out`, and return how many there are.

    `licence` is that of the generator's pictures: a URL or an SPDX name.

    Raises:
        AuditError: the audit has no pictures, or the folder cannot be used.
    """
    if diagnosis.path is None:
        raise AuditError("an audit in memory has no pictures: run it with out=FOLDER")
    strips = Gallery.load(diagnosis.path).strips
    if not strips:
        raise AuditError(f"{diagnosis.path} has no pictures: they are drawn when the audit is finished")
    check_folder(out)
    if (out / "manifest.json").exists():
        raise AuditError(f"{out} holds an audit: choose another folder")
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        with system_errors(AuditError, f"cannot write {out}"):
            (out / IMAGES).mkdir(parents=True, exist_ok=True)
            table = _write_pairs(diagnosis, diagnosis.path, strips, out)
            (out / "pairs.csv").write_bytes(table)
            atomic.write_json(out / "croissant.json", describe(diagnosis, table, licence=licence))
    except BaseException:
        _remove(out, missing)
        raise
    return len(strips)


def _remove(out: Path, missing: Sequence[Path]) -> None:
    """Remove what was written into a folder that was empty, and the folders that were `missing` before."""
    shutil.rmtree(out / IMAGES, ignore_errors=True)
    with contextlib.suppress(OSError):
        (out / "pairs.csv").unlink(missing_ok=True)
    for folder in missing:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _write_pairs(diagnosis: Diagnosis, folder: Path, strips: tuple[StripEntry, ...], out: Path) -> bytes:
    """Copy the pictures, and return the table as its file holds it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    names = short_names(diagnosis.config.attributes, diagnosis.config.neutral)
    for number, strip in enumerate(strips):
        files = {what: f"images/{number:04d}-{what}.png" for what in ("original", "edited")}
        for frame, name in zip((strip.way[0], strip.way[-1]), files.values(), strict=True):
            picture = inside(folder, frame.file)
            with system_errors(AuditError, f"cannot read {picture}"), opened(picture) as file:
                content = file.read()
            (out / name).write_bytes(content)
        attribute = strip.attribute
        values = {
            **files,
            "pair": number,
            "attribute": attribute and attribute.text,
            "name": attribute and names.get(attribute, attribute.name),
            "edit_weight": strip.way[-1].weight,
            "seed": strip.seed,
            "original_output": strip.original_caption,
            "edited_output": strip.caption,
            "flipped": strip.flipped,
            "label_kept": strip.label_kept,
            "ssim": strip.ssim,
            "kind": strip.kind,
        }
        writer.writerow({name: "" if value is None else value for name, value in values.items()})
    return text.getvalue().encode("utf-8", "backslashreplace")


def describe(diagnosis: Diagnosis, table: bytes, *, licence: str) -> dict[str, Any]:
    """Describe the set in Croissant's vocabulary, by the bytes of its `table`."""
    config, edits = diagnosis.config, diagnosis.config.edits
    columns = COLUMNS if edits is None else {**COLUMNS, **OF_EDITS}
    known = diagnosis.manifest.environment.get("generator") or config.content.get("generator") or "unknown"
    generator = Path(str(known)).name  # where a file lies on this machine is nobody else's business
    labels = ", ".join(f"“{label}”" for label in config.labels or ()) or "none"
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"pairs/{name}",
            "name": name,
            "description": about,
            "dataType": kind,
            "source": {"fileObject": {"@id": "pairs.csv"}, "extract": {"column": name}},
        }
        for name, (kind, about) in columns.items()
    ]
    drawn = (
        f"Each unedited one is what the generator {generator} draws of a photograph, whose subject it may show: the"
        " licence that is given is the generator’s, and says nothing of the photographs."
        if config.photographs
        else f"All are synthetic, drawn by the generator {generator}, whose licence is given."
    )
    made = (
        f"Generated pictures before and after an edit, from an audit of {config.target} with zoom-engine. {drawn}"
        f" Attributes are what a model of text and images takes them for. Label prompts: {labels}."
    )
    if edits is not None:
        made = (
            f"Pictures before and after an edit, from an audit of {config.target} with zoom-engine. The edits come from"
            f" elsewhere ({edits.kind}), and so do their names. The licence that is given is the pictures'."
        )
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "counterfactual pairs",
        "description": f"{made} Typical pairs come first.",
        "license": licence,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "pairs.csv",
                "name": "pairs.csv",
                "contentUrl": "pairs.csv",
                "encodingFormat": "text/csv",
                "sha256": hashlib.sha256(table).hexdigest(),
            },
            {
                "@type": "cr:FileSet",
                "@id": "pictures",
                "name": "pictures",
                "encodingFormat": "image/png",
                "includes": "images/*.png",
            },
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "pairs", "name": "pairs", "field": fields}],
    }
