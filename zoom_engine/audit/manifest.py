"""The manifest of an audit: what determines its records, and where they were made.

Folders come from other people and other versions. What a manifest says is checked here once, for all readers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

from msgspec import Meta

from zoom_engine.audit.records import ROUNDING, Record
from zoom_engine.common.errors import AuditError, ConfigError, one_line
from zoom_engine.common.files.json_file import check_depth
from zoom_engine.common.json_object import Count, Interval, JsonObject, Positive, Share, Whole, shown
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import (
    ABOUT,
    CORRECTIONS,
    DECISIVE_CHANGE,
    MOST_RANDOM_DIRECTIONS,
    Correction,
    EditRange,
    Mode,
)
from zoom_engine.settings.interim_analyses import InterimPlan

FORMAT = {"name": "zoom-engine audit", "version": 2}
PAPER_BOUND = 30.0
"""Edit weights of the paper's figures lie within ± this."""

_FREE = ("environment", "resumed_in", "workers", "searched", *ABOUT, "begun")
NUMBERS_OF_IMAGES = ("images", "interim_analyses")
"""What a run may raise that resumes the audit."""
MEASURED_LATER = ("random_drawn", "random_changing")
"""What a config lacks until the first records are there; the rest of it determines these."""
FOUND_WITH = ("samples", "level")
"""How edit directions were found, as far as their hash in the config does not say it: it determines no records."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """An edit that the engine did not make: its name, all strengths at which some image has it, and their unit."""

    name: str
    strengths: tuple[float, ...]
    unit: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest strength, 0 among them."""
        return range_of(self.strengths)


def range_of(strengths: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest of one or more strengths, 0 among them."""
    return min(0.0, *strengths), max(0.0, *strengths)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edits:
    """The edits of an audit whose pictures were not drawn by a generator.

    Attributes:
        kind: where they come from: "pairs", or the editor's name.
        images: what the unedited pictures are called, by their numbers.
        attributes: the edits of the N attributes, in their order.
        controls: edits that should not matter; they stand where random baseline directions do in other audits.
        records: how many records the finished audit has, of attributes and of controls.
        content_hash: SHA-256 of all that determines the pictures, hex.
    """

    kind: str
    images: tuple[str, ...]
    attributes: tuple[Edit, ...]
    controls: tuple[Edit, ...] = ()
    records: tuple[Count, Count]
    content_hash: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What determines the records of an audit, as far as anything reads it; None is what was not set.

    Attributes:
        mode: one attribute at a time ("single"), or all together ("multi").
        attributes: the N attributes, in the order of the records' edit weights.
        neutral: the prompt that they are compared with.
        target: its name.
        target_hash: SHA-256 of what defines its outputs, hex; "" where that is not said.
        task: what the target predicts, as `targets.task_from_dict` takes it.
        note: a line on the target.
        labels: a prompt of each class; none where the label check was turned off.
        search: its name.
        search_reason: why this search, in a few words.
        images: how many, see `RunSettings`; None where the audit chooses the number itself.
        interim_analyses: the interim analyses of an audit that chooses its number of images.
        seed: which images, see `RunSettings`.
        edit_range: "paper", edit weights within ±bound, or "calibrated", within calibrated_range.
        bound: the largest edit weight of the range "paper".
        calibrated_range: [low, high] edit weight of each of the N attributes.
        decisive_change: the smallest change of the output, in [0, 1], at which a flip is decisive.
        smallest_effect: the smallest mean change, in [0, 1], at which an attribute can be sensitive.
        random_directions: how many random baseline directions it is compared with.
        random_per_image: along how many of them each image is moved, in rotation, see `random_directions`. None: along
            all of them, on the first random_images images, or on all images (audits of older versions).
        random_images: see `random_per_image`.
        baseline_search: the search along them; "end" is one picture at the end of the range.
        random_drawn: their numbers among all that the seed drew; the numbers between were left out, as they change
            labels.
        random_changing: how many of those that are used change labels too, because too few directions do not;
            None where nothing says.
        control_prompts: control prompts, whose directions are numbered after the random ones.
        control_prompt_every: the first of so many images is moved along one of the control prompts, in rotation.
        correction: of the p-values over attributes.
        photographs: the files that the images are inversions of, by their numbers; none where the images were
            generated.
        given_by: of attributes that are no words, by name, what gives them ("examples", "scorers", or "edits", their
            own) and its SHA-256, hex.
        by: texts that divide the images into groups, see `Record.groups`.
        method: how the N edit directions were found; None where that is not said.
        own_directions: of directions that no method found, by the attribute's name, the SHA-256 of each, hex.
        samples: on how many unedited pictures they were measured; None where that is not said (older audits, too).
        level: at which their prompts were held to random texts, see `find_directions`; None as of `samples`.
        strength: of the N directions, see `EditDirections`; empty where that is not said.
        noise_floor: of the N directions, see `EditDirections`; empty where that is not said.
        backend: what drew the pictures of the search.
        precision: in which it drew them.
        edits: edits from elsewhere, of an audit without a generator: edit weights are their strengths then.
        content: all of it as it lies on disk, with what is not known here: for display and comparison.
    """

    mode: Mode
    attributes: tuple[Attribute, ...]
    neutral: str = ""
    target: str = ""
    target_hash: str = ""
    task: Mapping[str, Any] | None = None
    note: str
    labels: tuple[str, ...] | None = None
    search: str | None = None
    search_reason: str | None = None
    images: Positive | None = None
    interim_analyses: InterimPlan | None = None
    seed: Whole | None = None
    edit_range: EditRange = "paper"
    bound: Annotated[float, Meta(gt=0, description="a number above 0")] = PAPER_BOUND
    calibrated_range: tuple[Interval, ...] | None = None
    decisive_change: Share = DECISIVE_CHANGE
    smallest_effect: Share = 0.05  # of audits of older versions, which do not say it
    random_directions: Count = 0
    random_per_image: Positive | None = None
    random_images: Positive | None = None
    baseline_search: str | None = None
    random_drawn: tuple[Whole, ...] | None = None
    random_changing: Whole | None = None
    control_prompts: tuple[str, ...]
    control_prompt_every: int
    correction: Correction = CORRECTIONS[0]
    photographs: tuple[str, ...]
    given_by: Mapping[str, tuple[str, str]]
    own_directions: Mapping[str, str]
    by: tuple[str, ...]
    method: str | None = None
    samples: Positive | None = None
    level: Share | None = None
    strength: tuple[float, ...]
    noise_floor: tuple[float, ...]
    backend: str | None = None
    precision: str | None = None
    edits: Edits | None = None
    content: Mapping[str, Any] = field(repr=False)

    @property
    def has_course(self) -> bool:
        """Tell whether records say what comes next: a generator edits one attribute at a time."""
        return self.mode == "single" and self.edits is None

    @property
    def planned_analyses(self) -> int:
        """Return how many interim analyses the audit may have: 1 where the number of images is given."""
        return 1 if self.interim_analyses is None else len(self.interim_analyses.planned)

    @property
    def random_directions_left_out(self) -> int:
        """Return how many random directions were drawn and left out, because they change labels."""
        return max(self.random_drawn) + 1 - len(self.random_drawn) if self.random_drawn else 0

    def random_directions_of(self, image: int) -> Sequence[int]:
        """Return the numbers of the random baseline directions that an image is moved along.

        The J directions take turns, so that after any number of images each has been tried as often as any other, give
        or take one. After each full round the rotation starts one further on; otherwise the same directions would
        always share an image.
        """
        count, per_image = (
            self.random_directions,
            self.random_directions if self.random_per_image is None else self.random_per_image,
        )
        if not count or (self.random_images is not None and image >= self.random_images):
            return ()
        first = image * per_image + image // (count // math.gcd(count, per_image))
        return sorted((first + turn) % count for turn in range(per_image))

    def analyses(self, images: int) -> tuple[int, ...]:
        """Return the numbers of images at which verdicts are reached; `images` where nothing says the number."""
        if self.interim_analyses is not None:
            return self.interim_analyses.planned
        return (images if self.images is None else self.images,)

    def baseline_images(self, images: int) -> int:
        """Return how many of so many images are moved along random baseline directions, where they are needed."""
        return images if self.random_images is None else min(images, self.random_images)

    def baseline_trials(self, images: int) -> int:
        """Return how many trials of random baseline directions and control prompts so many `baseline_images` take."""
        per_image = self.random_directions if self.random_per_image is None else self.random_per_image
        controls = len(range(0, images, self.control_prompt_every)) if self.control_prompts else 0
        return images * per_image + controls

    def measurements(self, images: int) -> tuple[int, int]:
        """Return how many measurements so many images take at most: of attributes, and of random baseline directions.

        Of edits from elsewhere an image need not have each: then it is the number of all that there are.
        """
        if self.edits is not None:
            return self.edits.records
        per_image = 1 if self.mode == "multi" else len(self.attributes)
        return images * per_image, self.baseline_trials(self.baseline_images(images))

    def check(self, record: Record) -> None:
        """Refuse a record that no run with these settings can have written.

        Raises:
            ValueError: what is wrong with the record.
        """
        beside = self.random_directions + len(self.control_prompts)
        last = self.images if self.interim_analyses is None else self.interim_analyses.planned[-1]
        if record.baseline is not None and record.baseline < self.random_directions and self.random_images is not None:
            last = min(self.random_images, last or self.random_images)
        if last is not None and record.image >= last:
            raise ValueError(f"image {record.image} is none of its {last} images")
        count = len(self.attributes)
        if record.baseline is not None:
            if record.baseline >= beside:
                raise ValueError(f"random direction {record.baseline} is none of its {beside}")
            if record.baseline < self.random_directions and record.baseline not in self.random_directions_of(
                record.image
            ):
                raise ValueError(f"image {record.image} is not one that random direction {record.baseline} is tried on")
            turn = record.image // self.control_prompt_every % len(self.control_prompts) if self.control_prompts else 0
            if record.baseline >= self.random_directions and (
                record.image % self.control_prompt_every or record.baseline != self.random_directions + turn
            ):
                raise ValueError(
                    f"image {record.image} is not one that prompt {record.baseline - self.random_directions} is tried"
                    " on"
                )
            count, index = beside, record.baseline
        elif self.mode == "multi":
            if record.attribute is not None:
                raise ValueError(f"attribute {shown(record.attribute)} is edited alone, where all are edited together")
            index = None
        else:
            texts = [attribute.text for attribute in self.attributes]
            if record.attribute not in texts:
                raise ValueError(f"attribute {shown(record.attribute)} is none of its attributes")
            index = texts.index(record.attribute)
        if len(record.edit_weights) != count:
            raise ValueError(f"it has {len(record.edit_weights)} edit weights for {count}")
        if record.baseline is None and max(map(abs, record.edit_weights)) > self.bound + ROUNDING:
            raise ValueError(f"an edit weight is beyond ±{self.bound:g}")
        if index is not None and record.bounds is not None:
            low, high = record.bounds
            if not low - ROUNDING <= record.edit_weights[index] <= high + ROUNDING:
                raise ValueError(f"edit weight {record.edit_weights[index]:g} is out of its bounds [{low:g}, {high:g}]")
        if record.decisive and record.change < self.decisive_change - ROUNDING:
            raise ValueError(f"a change of {record.change:g} is called decisive, {self.decisive_change:g} is the least")
        if record.scores is not None and len(record.scores) != len(self.attributes) + len(self.labels or ()):
            raise ValueError(f"it has {len(record.scores)} scores for its attributes and labels")
        if record.groups is not None and len(record.groups) != len(self.by):
            raise ValueError(f"it has {len(record.groups)} groups for {len(self.by)}")

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Return the lowest and highest edit weight that the search may take, for each of the N attributes."""
        if self.edits is not None:
            return tuple(edit.range for edit in self.edits.attributes)
        if self.edit_range == "calibrated" and self.calibrated_range:
            return self.calibrated_range
        return ((-self.bound, self.bound),) * len(self.attributes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """How many trials of attributes were searched, in how many seconds."""

    trials: Count
    seconds: Annotated[float, Meta(ge=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """All that determines the records, and where they were made.

    Attributes:
        config: what determines the records.
        environment: versions, machine, backend.
        notices: what the run reported when it began.
        misread: prompts of the attributes whose edits add what the prompt denies.
        owner: who answers for the model; "" where nobody said.
        purpose: what the model or the audit is for, in its owner's words; "" where nobody said.
        model_version: of the model under audit; "" where nobody said.
        begun: when its first run began, ISO 8601 in UTC; "" where that is not told (older audits).
        resumed_in: other environments, of runs that resumed the audit.
        workers: what each worker of a cluster did, run by run: "machine" is the address of its machine, "trials" how
            many records it sent, "seconds" how long it searched, "loading_seconds" how long it loaded models before,
            "lost" why it was lost, where it was.
        searched: the trials that all runs together searched, and the seconds that took them; None in older audits.
        content: the manifest as it lies on disk, see `Config`.
    """

    config: Config
    environment: Mapping[str, Any]
    notices: tuple[str, ...]
    misread: tuple[str, ...]
    owner: str
    purpose: str
    model_version: str
    begun: str
    resumed_in: tuple[Mapping[str, Any], ...]
    workers: tuple[Mapping[str, Any], ...]
    searched: Searched | None = None
    content: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(
        cls,
        config: Mapping[str, object],
        environment: Mapping[str, object] | None = None,
        *,
        owner: str | None = None,
        purpose: str | None = None,
        model_version: str | None = None,
        begun: str | None = None,
    ) -> Manifest:
        """Make the manifest of a new audit from the values that it will have on disk.

        Raises:
            AuditError: as `from_json`.
        """
        about = {"owner": owner, "purpose": purpose, "model_version": model_version}
        told = {"environment": environment, **about, "begun": begun}
        made = {name: value for name, value in told.items() if value is not None}
        return cls.from_json({"format": FORMAT, "config": config, **made})

    @classmethod
    def from_json(cls, content: object, *, name: str = "the manifest") -> Manifest:
        """Check parsed JSON and return its manifest.

        Raises:
            AuditError: in one line that begins with `name`: another format or version, a value that JSON does not have
                (NaN), a config without mode or attributes, a value of a wrong type.
        """
        try:
            plain = json.loads(json.dumps(content, allow_nan=False))
            form = plain.get("format") if isinstance(plain, dict) else None
            if not isinstance(form, dict) or form.get("name") != FORMAT["name"]:
                raise AuditError(f"{name} is not the manifest of an audit: use another folder")
            if form.get("version") != FORMAT["version"]:
                raise AuditError(
                    f"{name} has audit format {shown(form.get('version'))}, this version reads {FORMAT['version']}: run"
                    " the audit again in a new folder"
                )
            check_depth(plain)
            known = JsonObject(plain)
            environment = known.object("environment")
            return cls(
                config=_config(known.object("config")),
                environment=environment.values,
                notices=environment.get("notices", tuple[str, ...]) or (),
                misread=environment.get("misread", tuple[str, ...]) or (),
                **{name: known.get(name, str) or "" for name in ABOUT},
                begun=known.get("begun", str) or "",
                resumed_in=known.get("resumed_in", tuple[dict[str, Any], ...]) or (),
                workers=known.get("workers", tuple[dict[str, Any], ...]) or (),
                searched=known.get("searched", Searched),
                content=known.values,
            )
        except (ValueError, TypeError, OverflowError, RecursionError, ConfigError) as error:
            raise AuditError(f"{name} is damaged ({one_line(error)}): run the audit again in a new folder") from None

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as its file holds it."""
        return dict(self.content)

    @property
    def fixed(self) -> dict[str, Any]:
        """Return the part that must be equal in a run that resumes the audit."""
        free = (*MEASURED_LATER, *FOUND_WITH)
        config = {key: value for key, value in self.config.content.items() if key not in free}
        return {**{key: value for key, value in self.content.items() if key not in _FREE}, "config": config}

    @property
    def about(self) -> dict[str, str]:
        """Return what the owner says of the audit, by the names of `ABOUT`; "" where nobody said."""
        return {name: getattr(self, name) for name in ABOUT}

    @property
    def brought_by(self) -> Mapping[str, str]:
        """Return, by "task level", the package with its version that brought what is not built in."""
        packages = self.environment.get("brought_by", {})
        return (
            {one_line(thing, 80): one_line(str(package), 80) for thing, package in packages.items()}
            if isinstance(packages, dict)
            else {}
        )

    @property
    def identity(self) -> str:
        """Return 16 hex digits that identify the audit, by what determines its records and when it was begun."""
        known = json.dumps([self.fixed, self.begun], sort_keys=True)
        return hashlib.sha256(known.encode()).hexdigest()[:16]

    def completed(self, begun: Manifest, now: Manifest) -> Manifest:
        """Return this manifest with what was measured since a run began: it had the manifest `begun`, and has `now`."""
        content = {**self.content, "config": now.content["config"]}
        if self.environment == begun.environment:
            content["environment"] = now.environment
        elif self.resumed_in:
            content["resumed_in"] = [now.environment if e == begun.environment else e for e in self.resumed_in]
        return Manifest.from_json(content)

    def grown(self, run: Manifest) -> Manifest:
        """Return this manifest for a run that resumes the audit with more images."""
        more = {name: run.config.content[name] for name in NUMBERS_OF_IMAGES if name in run.config.content}
        content = {**self.content, "config": {**self.config.content, **more}}
        return self if content == self.content else Manifest.from_json(content)

    def timed(self, trials: int, seconds: float) -> Manifest:
        """Return this manifest after a run that searched so many trials in so many seconds."""
        before = self.searched or Searched(trials=0, seconds=0.0)
        searched = {"trials": before.trials + trials, "seconds": round(before.seconds + seconds, 1)}
        return Manifest.from_json({**self.content, "searched": searched})

    def resumed(
        self,
        environment: Mapping[str, object],
        *,
        about: Mapping[str, str] | None = None,
        workers: Sequence[Mapping[str, object]] = (),
    ) -> Manifest:
        """Return this manifest for a run that resumes the audit in `environment`.

        The environment is noted if it is a new one; what is said `about` the audit replaces what was said, `workers`
        are added.
        """
        content = dict(self.content)
        if environment and environment not in (self.environment, *self.resumed_in):
            content["resumed_in"] = [*self.resumed_in, environment]
        content |= {name: line for name, line in (about or {}).items() if line}
        if workers:
            content["workers"] = [*self.workers, *workers]
        return self if content == self.content else Manifest.from_json(content)


def _config(values: JsonObject) -> Config:
    details, directions, synthesis = map(values.object, ("target_details", "directions", "synthesis"))
    attributes = tuple(map(Attribute.parse, values.get("attributes", tuple[str, ...]) or ()))
    control_prompts = values.object("control_prompts")
    interval = control_prompts.get("every", int)
    interim_analyses, width = values.get("interim_analyses", tuple[int, ...]), values.get("width", float)
    edits = values.get("edits", Edits)
    beside = {} if edits is None else {"random_directions": len(edits.controls)}
    config = values.read(
        Config,
        edits=edits,
        **beside,
        attributes=attributes,
        target_hash=details.get("content_hash", str) or "",
        task=details.get("task", dict),
        note=details.get("note", str) or "",
        interim_analyses=None if interim_analyses is None else InterimPlan(interim_analyses, width),
        baseline_search=values.object("baseline_search").get("name", str),
        control_prompts=control_prompts.get("prompts", tuple[str, ...]) or (),
        control_prompt_every=1 if interval is None else interval,
        photographs=values.get("audited", tuple[str, ...]) or (),
        given_by=_given_by(values.object("sources")),
        by=values.get("by", tuple[str, ...]) or (),
        method=directions.get("method", str),
        own_directions=directions.get("own", dict[str, str]) or {},
        strength=directions.get("strength", tuple[float, ...]) or (),
        noise_floor=directions.get("noise_floor", tuple[float, ...]) or (),
        backend=synthesis.get("backend", str),
        precision=synthesis.get("precision", str),
        content=values.values,
    )
    count, one_each, ranges = len(attributes), "have one for each attribute", config.calibrated_range
    task = config.task or {}
    classes = task.get("classes") or ["0", "1"]
    two = isinstance(classes, list) and len(classes) == 2
    details.check("task", task.get("task") != "binary" or two, "name two classes")
    values.check("attributes", count > 0 and len(set(attributes)) == count, "name one or more, each once")
    most_random_directions = MOST_RANDOM_DIRECTIONS if config.mode == "single" else 0
    values.check(
        "random_directions", config.random_directions <= most_random_directions, f"be in 0..{most_random_directions}"
    )
    values.check(
        "random_per_image",
        (config.random_per_image or 0) <= config.random_directions,
        f"be in 1..{config.random_directions}",
    )
    each_drawn = config.random_drawn is None or len(config.random_drawn) == config.random_directions
    values.check("random_drawn", each_drawn, "have a number for each random direction")
    control_prompts.check(
        "prompts", not config.control_prompts or config.random_directions > 0, "stand beside random directions"
    )
    control_prompts.check("every", config.control_prompt_every > 0, "be above 0")
    rising = interim_analyses is None or (
        len(interim_analyses) > 0 and interim_analyses[0] > 0 and all(a < b for a, b in pairwise(interim_analyses))
    )
    values.check("interim_analyses", rising, "be one or more rising numbers of images")
    values.check("level", config.level != 0, "be above 0")
    values.check("width", width is None or 0 < width <= 1, "be in (0, 1]")
    values.check("audited", len(config.photographs) in (0, config.images), "name a photograph for each image")
    values.check("calibrated_range", ranges is None or len(ranges) == count, one_each)
    values.check(
        "calibrated_range", all(low <= high for low, high in ranges or ()), "be [low, high] for each attribute"
    )
    directions.check("strength", len(config.strength) in (0, count), one_each)
    directions.check("noise_floor", len(config.noise_floor) in (0, count), one_each)
    if edits is not None:
        _check_edits(values, config, edits)
    return config


def _given_by(sources: JsonObject) -> dict[str, tuple[str, str]]:
    """Return of attributes that are no words what gives them, and its hash."""
    of_kinds = {kind: sources.get(kind, dict[str, str]) or {} for kind in ("examples", "scorers", "edits")}
    return {name: (kind, given) for kind, hashes in of_kinds.items() for name, given in hashes.items()}


def _check_edits(values: JsonObject, config: Config, edits: Edits) -> None:
    """Refuse edits from elsewhere that contradict the rest of the config, or themselves."""
    told = values.object("edits")
    named = [edit.name for edit in edits.attributes] == [attribute.text for attribute in config.attributes]
    told.check("attributes", named and config.mode == "single", "be the attributes of an audit of single ones")
    told.check("images", len(edits.images) == config.images, "name each image")
    controls = {edit.name for edit in edits.controls}
    told.check("controls", len(controls) == len(edits.controls), "name each control once")
    for edit in (*edits.attributes, *edits.controls):
        rising = all(low < high for low, high in pairwise(edit.strengths))
        finite = all(math.isfinite(strength) and strength for strength in edit.strengths)
        told.check("attributes", bool(edit.strengths) and rising and finite, "have rising strengths other than 0")
