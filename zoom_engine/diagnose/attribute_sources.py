"""Attributes that are no words: the pictures and models that the settings name, read into an `AttributeEncoder`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.notices import Notices
from zoom_engine.common.plurals import number_of
from zoom_engine.common.probes import Answers
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.domain import Domain, face_points_of
from zoom_engine.generators import EditableGenerator
from zoom_engine.photographs import Crop, crops_of_pictures, read_crops
from zoom_engine.settings.attributes import Attribute, Examples, OwnEdits, Pictures, Scorer, Source, sources_of
from zoom_engine.settings.audit_settings import DEFAULT_TEMPLATES, EVERY_ATTRIBUTE, AuditSettings
from zoom_engine.targets import check_target
from zoom_engine.targets.scorer import PictureScorer, load_scorer
from zoom_engine.text import NO_WORDS, AttributeEncoder, ExamplePictures, TextEncoder, find_templates
from zoom_engine.text.examples import FEWEST


def given_sources(settings: AuditSettings) -> dict[str, Source]:
    """Return what the settings name in place of words, by the attributes' names, checked as far as that needs no model.

    Raises:
        ConfigError: a folder of examples is none.
        TargetError: the model of a scorer is not there.
    """
    sources = sources_of(settings.attributes, settings.keep, settings.by)
    for name, source in sources.items():
        if isinstance(source, Scorer):
            check_target(source.model)
        if not isinstance(source, Examples):
            continue
        for folder in (source.having, source.without):
            if isinstance(folder, Path) and not folder.is_dir():
                raise ConfigError(f"attribute '{name}': there is no folder of examples {folder}")
    return sources


def words_of(settings: AuditSettings, attributes: Sequence[str | Attribute] | None = None) -> list[str]:
    """Return the texts that a text encoder must read, of `attributes` and of what the settings keep and compare by."""
    sources = sources_of(settings.attributes, settings.keep, settings.by)
    by = [text for text in settings.by or () if text != EVERY_ATTRIBUTE]
    given: list[str | Attribute] = [
        *(settings.attributes or () if attributes is None else attributes),
        *(settings.keep or ()),
        *by,
    ]
    texts = (Attribute.parse(text).text for text in given)
    return [text for text in dict.fromkeys(texts) if text not in sources]


def needs_text_encoder(settings: AuditSettings, domain: Domain | None) -> bool:
    """Return whether a text encoder is loaded: where there are words, one is chosen, or the domain has its unmade.

    Raises:
        ConfigError: the settings want none, and have words for it; or templates, which have no words then.
    """
    words = [*words_of(settings), *(settings.labels or ())]
    if settings.text_encoder != NO_WORDS and (words or settings.text_encoder is not None or domain is not None):
        return True
    if settings.text_encoder == NO_WORDS and (words or settings.attributes is None):
        told = f"'{words[0]}' is" if words else "the domain's attributes are"
        raise ConfigError(f"{told} given by words: leave out --text-encoder {NO_WORDS}, or give examples or a scorer")
    if find_templates(settings.templates) != find_templates(DEFAULT_TEMPLATES):
        raise ConfigError(
            "templates are sentences for attributes that are words, and there are none: leave them out (--template, or"
            " a preset)"
        )
    return False


def unread_neutral(settings: AuditSettings, *, read: bool) -> str:
    """Return what to tell of a neutral prompt that no text encoder has `read`; "" elsewhere."""
    if read or settings.neutral is None:
        return ""
    return "no text encoder reads the neutral prompt here: it shortens the names of attributes, and does no more"


def check_options(settings: AuditSettings, sources: Mapping[str, Source]) -> None:
    """Refuse options that are of words alone, and edits that nothing makes.

    Raises:
        ConfigError: paraphrases are asked for, or something means its unmade edits and has no ready direction, or is
            not edited itself.
    """
    if sources and settings.paraphrases is not None:
        raise ConfigError(f"paraphrases are of words, and '{next(iter(sources))}' is given by none: leave them out")
    of_edits, ready = [name for name, source in sources.items() if isinstance(source, OwnEdits)], settings.directions
    if of_edits and (ready is None or isinstance(ready, str)):
        raise ConfigError(
            f"'{of_edits[0]}=edits' means what a ready edit direction does: give its file with --directions"
        )
    attributes = getattr(ready, "attributes", ()) if settings.attributes is None else settings.attributes
    edited = [Attribute.parse(attribute).text for attribute in attributes]
    if alone := [name for name in of_edits if name not in edited]:
        raise ConfigError(
            f"'{alone[0]}=edits' means what the edits of an attribute do, and '{alone[0]}' is none of this audit's:"
            " give it as one (--attribute) too"
        )


def load_scorers(
    settings: AuditSettings, sources: Mapping[str, Source], resolution: int
) -> tuple[list[tuple[list[str], PictureScorer]], Answers | None]:
    """Load and try the scorers; return each with the names that it scores, and how all together answer probes.

    A model that scores several attributes is loaded, and asked, once.

    Raises:
        TargetError: a model cannot be loaded, or gives no score.
    """
    trust = bool((settings.target_options or {}).get("trust"))
    given = {name: source for name, source in sources.items() if isinstance(source, Scorer)}
    scorers, answers = [], []
    by_model: dict[object, list[str]] = {}
    for name, source in given.items():
        by_model.setdefault(source.model if isinstance(source.model, str) else id(source.model), []).append(name)
    for names in by_model.values():
        outputs = [given[name].output for name in names]
        scorer = load_scorer(given[names[0]].model, outputs, trust=trust, download=settings.download).to(
            settings.device
        )
        scorers.append((names, scorer))
        answers.append(scorer.check(resolution))
    known = [rows for rows in answers if rows is not None]
    joined = [[value for row in rows for value in row] for rows in zip(*known, strict=True)]
    return scorers, joined if known and len(known) == len(answers) else None


def assumed_inputs(scorers: Sequence[tuple[Sequence[str], PictureScorer]]) -> Iterator[str]:
    """Yield a notice on each scorer that does not say which numbers stand for black and white."""
    for names, scorer in scorers:
        if scorer.target.assumed:
            yield (
                f"the scorer of '{names[0]}' does not say what its input looks like, and is fed RGB in [0, 1]: write it"
                " with save_onnx, whose files say so, if it was trained on other numbers"
            )


def read_examples(
    sources: Mapping[str, Source],
    generator: EditableGenerator,
    domain: Domain | None,
    notices: Notices,
    progress: ProgressFactory = silent,
) -> dict[str, ExamplePictures]:
    """Read the pictures of attributes by examples as squares of the generator's size, by name.

    Raises:
        ConfigError: a folder holds fewer than `FEWEST` pictures, or a picture lies in both folders of an attribute.
        PhotographError: landmarks that cannot be read.
    """
    canonical = face_points_of(domain)

    def read(name: str, shown: Path | Pictures) -> list[Crop]:
        if isinstance(shown, Path):
            crops = read_crops(shown, side=generator.resolution, canonical=canonical, progress=progress)
        else:
            crops = crops_of_pictures(shown.given, side=generator.resolution)
        fine = [crop for crop in crops if crop.pixels is not None]
        refused = [f"{crop.file} {crop.refused}" for crop in crops if crop.pixels is None]
        why = f" ({refused[0]})" if refused else ""
        if len(fine) < FEWEST:
            raise ConfigError(
                f"attribute '{name}': {shown} holds {number_of(len(fine), 'picture')} that can be read{why}:"
                f" {FEWEST} are the fewest, and 20 say much more"
            )
        if refused:
            notices.add(f"of the examples of '{name}' {number_of(len(refused), 'file')} left out{why}")
        return fine

    def pictures(name: str, source: Examples) -> ExamplePictures:
        having = read(name, source.having)
        without = None if source.without is None else read(name, source.without)
        known = {crop.sha256: crop.file for crop in having}
        for crop in without or ():
            if crop.sha256 in known:
                raise ConfigError(
                    f"attribute '{name}': {crop.file} shows the same as {known[crop.sha256]}, which has it: a picture"
                    " has it or lacks it"
                )
        digest = hash_of_examples(*([str(crop.sha256) for crop in side] for side in (having, without or ())))
        return ExamplePictures(_images(having), None if without is None else _images(without), digest)

    return {name: pictures(name, source) for name, source in sources.items() if isinstance(source, Examples)}


def attribute_encoder(
    reader: TextEncoder | None,
    scorers: Sequence[tuple[Sequence[str], PictureScorer]],
    examples: Mapping[str, ExamplePictures],
    sources: Mapping[str, Source],
    answers: Answers | None,
) -> TextEncoder:
    """Return what tells all attributes apart: the text encoder itself where words are all that there is."""
    if reader is not None and not sources:
        return reader
    edits = [name for name, source in sources.items() if isinstance(source, OwnEdits)]
    return AttributeEncoder(reader, scorers=scorers, examples=examples, edits=edits, answers=answers)


def unlike_examples(encoder: TextEncoder) -> Iterator[str]:
    """Yield a notice on each attribute whose examples alone look unlike the generator's pictures."""
    for name, pictures in encoder.examples.items() if isinstance(encoder, AttributeEncoder) else ():
        assert isinstance(encoder, AttributeEncoder)
        if pictures.without is None and encoder.separation_of(name).unlike:
            yield (
                f"the examples of '{name}' look unlike the generator's pictures: what else sets them apart may be taken"
                " for it; give pictures of their kind that lack it too (,without:FOLDER)"
            )


def _images(crops: Sequence[Crop]) -> torch.Tensor:
    return torch.cat([crop.image for crop in crops])


def hash_of_examples(having: Iterable[str], without: Iterable[str]) -> str:
    """Return the SHA-256 (hex) of pictures by theirs, on each side in whatever order and by whatever names."""
    return hashlib.sha256(repr([sorted(having), sorted(without)]).encode()).hexdigest()
