"""The audit suite: what a gradient step and a counterfactual cost, beside the reference's own search.

Each case is an audit (`zoom_engine.Diagnoser`) in the paper's range of ±30 with the engine's defaults, once by each
search, and the reference's loop (`baseline.py`) on the same networks. A row's unit of work is that of its case:

- ``256-step``: a gradient step of one image and one attribute;
- ``256-single``: one image and one attribute, searched; ``avatars-single``: with weights that mean something;
- ``256-multi8``: one image, 8 attributes together, searched.

``-b4`` at the end gives the images that are searched together (8, from 512² on 4): the reference takes one at a time.

With random weights a target's logit is far from 0, so nothing flips, as most images do not by one attribute of a sound
model; for several together it is moved to within reach, so that there is a counterfactual to find. There the work is
equal: a search whose steps all cost the same (the reference's, SGD, PGD) is measured for a few of them and extrapolated
to its 100, and the row says so: what a unit costs once is counted once. The engine's are searched with three numbers of
steps, which tell the price of a step from that of evaluating a point again at the end. Others run whole. The avatars'
searches all run whole, and a ratio counts only where at least as many units flip as by the reference.

``audit-8x8-cold`` and the like are whole default audits instead, see `whole_audits.py`: their one variant beside the
baseline is the command, and the baseline's row says what the reference would take for the same answer.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import whole_audits
from baseline import BOUND, STEPS, Reference, ReferenceSearch
from memory import available, give_back
from whole_audits import COMMAND, Step, Whole
from worlds import TEMPLATES, World, avatars_world, random_world

from zoom_engine import Diagnoser, ops
from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.common.errors import ZoomError
from zoom_engine.search import find_search
from zoom_engine.settings.audit_settings import Mode

SUITE = "audit"
BASELINE = "baseline"
PAPERS = ("sgd", "pgd")  # searches that take a given number of steps
VARIANTS = (BASELINE, "scan", *PAPERS, "minimal", COMMAND)
CASES = (
    *(f"{resolution}-step" for resolution in (64, 128, 256, 512, 1024)),
    *(f"256-step-b{batch}" for batch in (1, 2, 4, 16)),
    *(f"{resolution}-{work}" for resolution in (256, 1024) for work in ("single", "multi1", "multi8", "multi32")),
    "avatars-single",
    *whole_audits.CASES,
)
CASE = re.compile(r"(?:(\d+)-(step|single|multi(\d+))|(avatars)-(single))(?:-b(\d+))?")
WORKS = ("step", "single", "multi", "audit")
UNITS = {"step": "gradient step", "single": "image and attribute", "multi": "image", "audit": "audit"}
AVATARS = 0  # in place of a resolution
AVATAR_IMAGES = 2
TIMED_STEPS = 2  # steps that are taken of the reference's search, all of which cost the same
SEARCHED = (2, 8, 24)  # of the engine's
MOST = 32  # attributes
MEMORY = {256: 4e9, 512: 6e9, 1024: 9e9}  # bytes that a case with pictures of such a size takes, at most

assert BOUND == PAPER_BOUND

Result = dict[str, Any]


class Case(NamedTuple):
    """What "256-multi8-b4" says; resolution 0 are the avatars, and the batch of a whole audit is its images."""

    resolution: int
    work: str
    attributes: int
    batch: int


def parse(case: str) -> tuple[int, ...]:
    """Resolution, place of the work in ``WORKS``, attributes and batch, by which cases are sorted, of whole audits also
    what else they say; ValueError for another string."""
    if (whole := whole_audits.parse(case)) is not None:
        check_resolution(case, whole.resolution)
        return whole.resolution, WORKS.index("audit"), whole.attributes, whole.images, whole.multi, whole.warm
    match = CASE.fullmatch(case)
    if match is None:
        raise ValueError(
            f"'{case}' is no case; write RESOLUTION-step, -single or -multiN, or avatars-single, then -bBATCH, or"
            " RESOLUTION-audit-IMAGESxATTRIBUTES, then -multi, then -cold or -warm"
        )
    resolution = AVATARS if match[4] else int(match[1])
    if resolution:
        check_resolution(case, resolution)
    attributes, batch = int(match[3] or 1), int(match[6] or (4 if resolution >= 512 else 8))
    if not 1 <= attributes <= MOST or not batch:
        raise ValueError(f"'{case}': 1 to {MOST} attributes and at least one image are needed")
    return resolution, WORKS.index((match[2] or match[5]).rstrip("0123456789")), attributes, batch


def check_resolution(case: str, resolution: int) -> None:
    if resolution < 16 or resolution & (resolution - 1):
        raise ValueError(f"'{case}': the resolution must be a power of two from 16 on")


def case_of(case: str) -> Case:
    resolution, work, attributes, batch, *_ = parse(case)
    return Case(resolution, WORKS[work], attributes, batch)


def run(
    cases: Sequence[str], variants: Sequence[str], *, repeats: int, memory: int, device: str = "cpu"
) -> Iterator[Result]:
    """One result for each case and variant; rounds of a case's variants are interleaved after one to warm up.

    ``rounds`` are each round's seconds per unit, ``seconds`` those of what was fastest: other work only adds.
    ``evaluations`` of pictures were made per unit, ``extrapolated`` says from what. A variant that cannot run has
    seconds None and the reason as ``skipped``.
    """
    with tempfile.TemporaryDirectory() as folder:
        for case in sorted(cases, key=parse):
            yield from run_case(case, variants, repeats=repeats, memory=memory, device=device, cache=Path(folder))


def run_case(
    case: str, variants: Sequence[str], *, repeats: int, memory: int, device: str, cache: Path
) -> Iterator[Result]:
    """The results of one case, see :func:`run`."""
    wanted, whole = case_of(case), whole_audits.parse(case)
    variants = [name for name in variants if name != COMMAND] if whole is None else [BASELINE, COMMAND]
    needed = next((size for side, size in MEMORY.items() if wanted.resolution <= side), MEMORY[1024])
    if needed > (allowed := min(memory, available())):
        reason = f"needs up to {needed / 1e9:.0f} GB, {allowed / 1e9:.1f} are allowed"
        yield from (skipped(case, variant, reason) for variant in variants)
        return
    if whole is not None:
        yield from run_whole(case, whole, repeats=repeats, device=device, cache=cache)
        return
    world = world_of(wanted, cache, device)
    calls: dict[str, Runner] = {}
    for variant in variants:
        try:
            calls[variant] = runner(world, wanted, variant, device, cache)
        except ZoomError as error:
            yield skipped(case, variant, str(error))
    rounds: dict[str, list[float]] = {variant: [] for variant in calls}
    for call in calls.values():
        call.warm_up()
    for _ in range(repeats):
        for variant, call in calls.items():
            rounds[variant].append(call.round())
    for variant, call in calls.items():
        yield {
            "suite": SUITE,
            "case": case,
            "variant": variant,
            "unit": UNITS[wanted.work],
            "seconds": round(call.fastest(rounds[variant]), 6),
            "rounds": [round(seconds, 6) for seconds in rounds[variant]],
            "evaluations": round(call.evaluations, 2),
            "extrapolated": call.extrapolated,
            "flip_rate": call.flip_rate,
        }
    calls.clear()
    ops.release_memory()


def run_whole(case: str, whole: Whole, *, repeats: int, device: str, cache: Path) -> Iterator[Result]:
    """The results of a whole audit: what the reference would take for the same answer, and what the command takes."""
    unit = Case(whole.resolution, "step", 1, 1)
    reference = BaselineRunner(world_of(unit, cache, device), unit)
    reference.warm_up()

    def step() -> Step:
        taken = reference.step()
        give_back()
        return taken

    try:
        steps, command = whole_audits.figures_of(whole, step, repeats=repeats, folder=cache / "whole", device=device)
    except RuntimeError as error:
        yield from (skipped(case, variant, str(error)) for variant in (BASELINE, COMMAND))
        return
    rounds = [round(whole.searches * STEPS * seconds, 1) for seconds in steps]
    about = {"suite": SUITE, "case": case, "unit": UNITS["audit"], "flip_rate": None}
    searched = whole.searches * (STEPS + 1)
    extrapolated = f"{TIMED_STEPS} of {STEPS} steps"
    seconds = statistics.median(rounds)
    yield {
        **about,
        "variant": BASELINE,
        "seconds": seconds,
        "rounds": rounds,
        "evaluations": searched,
        "extrapolated": extrapolated,
    }
    yield {**about, "variant": COMMAND, "extrapolated": None, **command}


def skipped(case: str, variant: str, reason: str) -> Result:
    """The row of a variant that was not measured."""
    return {"suite": SUITE, "case": case, "variant": variant, "seconds": None, "skipped": reason}


def settle(results: Sequence[Result]) -> None:
    """Add what takes several results: ``ratio``, units per minute over the baseline's, and ``spread``, by how much that
    of single rounds varies: (largest − smallest) / ratio.

    Ratio is None where the baseline was not measured, or where it flips more units. Both are of fastest rounds, which
    other work on a machine disturbs least.
    """
    baselines = {row["case"]: row for row in results if row["variant"] == BASELINE and row["seconds"] is not None}
    for row in results:
        row["baseline"], row["of_floor"], row["ratio"] = BASELINE, None, None
        baseline = baselines.get(row["case"])
        if baseline is None or row["seconds"] is None:
            continue
        fewer = row["flip_rate"] is not None and row["flip_rate"] < baseline["flip_rate"]
        row["ratio"] = None if fewer else round(baseline["seconds"] / row["seconds"], 3)
        ratios = [one / other for one, other in zip(baseline["rounds"], row["rounds"], strict=False)]
        row["spread"] = round((max(ratios) - min(ratios)) / statistics.median(ratios), 3)


def world_of(case: Case, cache: Path, device: str) -> World:
    """Where ``case`` is searched: loaded once for all cases of its resolution."""
    if case.resolution == AVATARS:
        return avatars_world(cache, device)
    world = random_world(case.resolution, MOST, device).of(case.attributes)
    return world.within_reach() if case.work == "multi" else world


class Runner:
    """One variant of one case."""

    evaluations = 0.0
    extrapolated: str | None = None
    flip_rate: float | None = None

    def warm_up(self) -> None:
        """What only the first time costs."""
        self.round()

    def round(self) -> float:
        """Do the case's work once: seconds per unit."""
        raise NotImplementedError

    def fastest(self, rounds: Sequence[float]) -> float:
        """Seconds per unit of the last rounds, from what other work disturbed least."""
        return min(rounds)


def runner(world: World, case: Case, variant: str, device: str, cache: Path) -> Runner:
    """What does the work of ``variant``. Raises ZoomError where there is no such search, or not for this case."""
    return BaselineRunner(world, case) if variant == BASELINE else EngineRunner(world, case, variant, device, cache)


class BaselineRunner(Runner):
    """The reference's loop."""

    def __init__(self, world: World, case: Case) -> None:
        matrix = world.directions.matrix.to(world.generator.device)
        self._reference = Reference(world.generator, matrix, world.target, world.text_encoder, world.labels)
        self._case = case
        self._images, self._attributes = 1, 1
        self.evaluations = 1.0 if case.work == "step" else float(STEPS + 1)
        if world.trained:
            self._images, self._attributes = AVATAR_IMAGES, len(world.directions.attributes)
        elif case.work != "step":
            self.extrapolated = f"{TIMED_STEPS} of {STEPS} steps"
        self._styles = world.generator.sample(range(self._images))
        self._trained = world.trained

    def warm_up(self) -> None:
        self._search(0, 0).run(1)

    def round(self) -> float:
        if self._trained:
            return self._all()
        begun = now()
        search = self._search(0, 0)
        original = now()
        search.run(TIMED_STEPS)
        step = (now() - original) / TIMED_STEPS
        return step if self._case.work == "step" else original - begun + STEPS * step

    def step(self) -> Step:
        """Time one of a few steps."""
        search = self._search(0, 0)
        begun, cpu = now(), time.process_time()
        search.run(TIMED_STEPS)
        return Step((now() - begun) / TIMED_STEPS, (time.process_time() - cpu) / TIMED_STEPS)

    def _search(self, image: int, attribute: int) -> ReferenceSearch:
        return ReferenceSearch(self._reference, self._styles[image], None if self._case.work == "multi" else attribute)

    def _all(self) -> float:
        """Every unit, all steps."""
        searches = []
        begun = now()
        for image in range(self._images):
            for attribute in range(self._attributes):
                searches.append(self._search(image, attribute))
                searches[-1].run(STEPS)
        seconds = now() - begun
        self.flip_rate = round(statistics.fmean(search.flipped for search in searches), 4)
        return seconds / len(searches)


class Audited(NamedTuple):
    """What an audit took, by the unit."""

    steps: float
    evaluations: float
    seconds: float


def step_price(audits: Sequence[Audited]) -> float:
    """Seconds of a step, from audits of which a unit takes a price for each step, another for each point that is
    evaluated again (what a search in bfloat16 rests on is, in float32, and so more where it is longer), and a third one
    once."""
    terms = np.array([[audit.steps, audit.evaluations - audit.steps, 1.0] for audit in audits])
    return float(np.linalg.lstsq(terms, np.array([audit.seconds for audit in audits]), rcond=None)[0][0])


class EngineRunner(Runner):
    """An audit, without the work before its first unit, which the paper's range and ready directions leave out."""

    def __init__(self, world: World, case: Case, search: str, device: str, cache: Path) -> None:
        mode: Mode = "multi" if case.work == "multi" else "single"
        kind = find_search(search, mode=mode)
        if case.work == "step" and not kind.needs_gradient:
            raise ZoomError(f"{search} takes no gradient steps")
        steps: tuple[int | None, ...] = (None,)
        if search in PAPERS and not world.trained:
            steps = SEARCHED
            self.extrapolated = None if case.work == "step" else f"{SEARCHED[-1]} of {STEPS} steps"
        self._per_step = case.work == "step"
        self._trained = world.trained
        self._images = AVATAR_IMAGES if world.trained else case.batch
        self._audits: list[list[Audited]] = []  # by round
        self._diagnosers = [
            Diagnoser(
                generator=world.generator,
                target=world.target,
                text_encoder=world.text_encoder,
                attributes=world.directions.attributes,
                neutral=world.directions.neutral,
                labels=world.labels,
                templates=TEMPLATES,
                directions=world.directions,
                edit_range="paper",
                mode=mode,
                search=search,
                # The first of them is taken from the unedited image, as the reference's is, and followed by one look.
                search_options={} if count is None else {"steps": count - 1, "early_stop": False},
                random_directions=0,  # the reference has none
                batch_size=case.batch,
                device=device,
                cache=cache,
            )
            for count in steps
        ]

    def round(self) -> float:
        audits = [self._audit(diagnoser) for diagnoser in self._diagnosers]
        self._audits.append(audits)
        self.evaluations = audits[0].evaluations
        if len(audits) > 1:
            self.evaluations = 1.0 if self._per_step else float(STEPS + 1)
        return self._seconds(audits)

    def fastest(self, rounds: Sequence[float]) -> float:
        # Of each length: the least of differences would be the one whose short audit was disturbed.
        lengths = zip(*self._audits[-len(rounds) :], strict=True)
        return self._seconds([min(audits, key=lambda audit: audit.seconds) for audits in lengths])

    def _seconds(self, audits: Sequence[Audited]) -> float:
        steps, _, seconds = audits[-1]
        if len(audits) == 1:
            return seconds
        step = step_price(audits)
        return step if self._per_step else seconds + (STEPS - steps) * step

    def _audit(self, diagnoser: Diagnoser) -> Audited:
        begun = now()
        records = diagnoser.run(images=self._images).records
        seconds = now() - begun
        if self._trained:
            self.flip_rate = round(statistics.fmean(record.flipped for record in records), 4)
        return Audited(
            statistics.fmean(record.steps for record in records),
            statistics.fmean(record.evaluations for record in records),
            seconds / len(records),
        )


def now() -> float:
    """Seconds, once a GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
