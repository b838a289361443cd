"""A run of audits: what is left of them, who searches it, where records go, and when it ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import torch

from zoom_engine.audit.folder import (
    DIRECTIONS,
    INVERSIONS,
    MANIFEST,
    MEASURED,
    AuditFolder,
    check_config,
    check_folder,
    first_difference,
    read_manifest,
)
from zoom_engine.audit.gallery_file import is_drawn
from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.photographs_file import PHOTOGRAPHS, photographs_json
from zoom_engine.audit.records import Record
from zoom_engine.audit.records import TrialKey as Done
from zoom_engine.common.errors import AuditError, ClusterError, system_errors
from zoom_engine.common.machine import describe_environment, find_device
from zoom_engine.common.notices import Notices
from zoom_engine.common.plurals import number_of, tries_in_words
from zoom_engine.common.threads import working
from zoom_engine.diagnose.cluster import Batch, RayWorkers, Shard, Work, dispatched
from zoom_engine.diagnose.gallery import SHEET_ROWS, build_gallery, write_photographs
from zoom_engine.diagnose.identity import chosen, config, known, manifest, of_directions, of_photographs
from zoom_engine.diagnose.measurements import Measurements, directions_of, measure, measurements_for, with_baselines
from zoom_engine.diagnose.models import Models, load_models, run_of
from zoom_engine.diagnose.own_photographs import audited_photographs, crops_of
from zoom_engine.diagnose.shard import ShardSearch
from zoom_engine.diagnose.trials import shards, wanted
from zoom_engine.directions import EditDirections, Keeper, kept_by
from zoom_engine.photographs import Crop
from zoom_engine.report import write_report
from zoom_engine.settings.audit_settings import AUTO, AuditSettings, RunSettings
from zoom_engine.settings.model_settings import ServiceSettings
from zoom_engine.statistics.course import Course
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import asks_a_service

FIRST_TRIALS = 16  # first records come soon
TRIALS_PER_SHARD = 64  # of a worker, at least
TRIALS_AT_ONCE = 512  # after them: memory does not grow with the images
SHARDS_A_WORKER = 4  # or more, where there are images enough: at the end none waits long for the others


@working()
def diagnosed(
    models: Sequence[Models],
    run: RunSettings,
    outs: Sequence[str | Path | None],
    *,
    index: Path | None = None,
) -> list[Diagnosis]:
    """Audit the targets of `models`, which have all else in common, into the folders `outs`, see `Diagnoser.run`.

    What is measured is measured once, and a picture that several of them look at is made once. Reports link the `index`
    that will show them side by side.

    Several are audited by this process, and not around photographs: which of these are left out is up to the target.
    """
    first = models[0]
    find_device(first.settings.device)
    run = run_of(first, run)
    crops = None if first.settings.photos is None else crops_of(first)
    for loaded, out in zip(models, outs, strict=True):
        if out is not None:
            check_folder(out)
            _check_same_audit(loaded, Path(out), run, crops)
    audited = None
    if crops is not None:
        (out,) = outs
        audited = audited_photographs(
            first, crops, seed=run.seed, inversions=None if out is None else Path(out) / INVERSIONS
        )
        run = replace(run, images=len(audited.seeds))
    with contextlib.ExitStack() as stack:
        workers = stack.enter_context(_workers(first))
        keepers = [Keeper(Path(out) / MEASURED) for out in outs if out is not None]
        stack.enter_context(kept_by(keepers))
        begun = next(filter(None, (directions_of(out) for out in outs if out is not None)), None)
        measurements = [measure(first, run, audited, begun)]
        measurements += [measurements_for(other, first, measurements[0]) for other in models[1:]]
        search = ShardSearch(models, measurements)

        def manifest_of(target: int) -> Manifest:
            return manifest(models[target], search.measurements[target], run, crops, audited)

        sinks: list[Sink] = []
        for target, out in enumerate(outs):
            written = manifest_of(target)
            if out is None:
                sinks.append(InMemory(written))
                continue
            audit = stack.enter_context(AuditFolder.open(out, written))
            sinks.append(InFolder(audit, written))
            with system_errors(AuditError, f"cannot write {audit.path / MEASURED}"):
                (audit.path / MEASURED).mkdir(exist_ok=True)
            measurements[0].directions.save(audit.path / MEASURED / DIRECTIONS)
            if crops is not None and audited is not None:
                shown = write_photographs(audit, audited, crops, search.evaluators[0])
                audit.write_json(PHOTOGRAPHS, photographs_json(shown))

        for keeper in keepers:
            keeper.write()

        def measure_baselines(targets: Sequence[int]) -> None:
            """Measure baseline directions, unless that was done, and note them in the manifests of these targets."""
            if search.measurements[0].baseline is None:
                search.take(with_baselines(models, search.measurements))
            for keeper in keepers:
                keeper.write()
            for target in targets:
                sinks[target].note_measured(manifest_of(target))

        _search(models, run, search, workers, sinks, measure_baselines)
        diagnoses = []
        for target, (loaded, sink) in enumerate(zip(models, sinks, strict=True)):
            diagnoses.append(sink.finish(partial(_draw, loaded, search, target), partial(search.tries, target)))
            tell_tries(loaded.target.name, diagnoses[-1], loaded.notices)
    for out, diagnosis in zip(outs, diagnoses, strict=True):
        if out is not None:
            write_report(Path(out), diagnosis, index=index)
    return diagnoses


def tell_tries(target: str, diagnosis: Diagnosis, notices: Notices) -> None:
    """Say how a service, the `target`, answered; nothing of other targets."""
    if diagnosis.tries:
        notices.notify(f"service {target}: {tries_in_words(diagnosis.tries)}")


def _draw(models: Models, search: ShardSearch, target: int, audit: AuditFolder, diagnosis: Diagnosis) -> None:
    """Draw the pictures of a finished search into the folder of an audit, that of the target of this index."""
    rows = min(SHEET_ROWS, len(search.styles))
    around_photographs = search.measurements[target].codes is not None
    sheet_source = search.styles if around_photographs else models.styles(range(rows))
    build_gallery(
        audit,
        diagnosis,
        evaluator=search.evaluators[target],
        styles=search.styles,
        sheet_styles=sheet_source[:rows],
        batch_size=models.batch_size,
        cache=models.cache,
        drawn_by={"generator": models.generator.content_hash, **models.synthesizer.describe()},
    )


def _search(
    models: Sequence[Models],
    run: RunSettings,
    search: ShardSearch,
    workers: RayWorkers | None,
    sinks: Sequence[Sink],
    measure_baselines: Callable[[Sequence[int]], None],
) -> None:
    """Search what the records ask for, until they ask for nothing more.

    `measure_baselines` is called with the targets that are compared with random edits, before the first such trial.
    """
    first = models[0]
    asked = known(first, run)
    if workers is not None:
        settings = _settings_of_workers(first, workers.count)
        workers.prepare(_Job(settings, run, chosen(first, run), search.measurements[0], Path.cwd()))
    done = [set(sink.done) for sink in sinks]
    started: list[int] = []
    while True:
        courses = [None if first.settings.mode == "multi" else sink.read().course for sink in sinks]
        wanted_by = [wanted(asked, progress, run.most) for progress in courses]
        left = [set(trials) - known_ones for trials, known_ones in zip(wanted_by, done, strict=True)]
        if not any(left):
            break
        of_baselines = [i for i, trials in enumerate(left) if any(isinstance(trial[1], int) for trial in trials)]
        if of_baselines:
            measure_baselines(of_baselines)
        trials = sorted(dict.fromkeys(itertools.chain(*wanted_by)), key=itemgetter(0))
        flips = searched = 0
        measurements = sum(map(len, wanted_by))
        initial, start = measurements - sum(map(len, left)), time.perf_counter()
        with first.progress(measurements, _stage(run, courses), unit="trial", initial=initial) as bar:
            try:
                for target, batch in _batches(first, trials, search, workers, started, left=left):
                    sinks[target].keep(batch)
                    done[target].update(record.trial for record in batch.records)
                    flips += sum(record.flipped for record in batch.records if record.baseline is None)
                    searched += sum(record.baseline is None for record in batch.records)
                    note = f"flip rate {flips / searched:.2f}" if searched else ""
                    bar.update(len(batch.records), note=note)
            except BaseException:
                for target, sink in enumerate(sinks):  # what a service was asked in vain counts too
                    with contextlib.suppress(AuditError):
                        sink.keep(Batch([], tries=search.tries(target)))
                if workers is not None:
                    with contextlib.suppress(AuditError):
                        _tell_shares(first, workers, *sinks)
                raise
        seconds = time.perf_counter() - start
        for sink, trials_left in zip(sinks, left, strict=True):
            if searched_trials := sum(not isinstance(trial[1], int) for trial in trials_left):
                sink.note_time(searched_trials, seconds * searched_trials / sum(map(len, left)))
        if all(progress is None or progress.baseline_images is not None for progress in courses):
            break  # nothing comes after random edits, nor in multi mode: the records are not read again
    if workers is not None:
        _tell_shares(first, workers, *sinks)
        workers.close()


def _stage(run: RunSettings, courses: Sequence[Course | None]) -> str:
    """Say what is searched next."""
    under_way = [progress for progress in courses if progress is not None and progress.missing]
    if under_way and all(progress.baseline_images is not None for progress in under_way):
        return "Comparing with random edits"
    if run.images != AUTO or not under_way:
        return "Searching"
    analyses = [progress.sizes.next_analysis or 0 for progress in under_way]
    active = max(sum(stopped is None for stopped in progress.sizes.stopped) for progress in under_way)
    return f"Searching {max(analyses)} images, {number_of(active, 'attribute')}"


def _tell_shares(models: Models, workers: RayWorkers, sink: Sink) -> None:
    """Say what each worker did, and note it."""
    for number, share in sorted(workers.shares.items()):
        models.notices.notify(f"worker {number} on {share}")
    sink.note_workers([workers.shares[number].to_json() for number in sorted(workers.shares)])


class Sink(Protocol):
    """The place where the records of an audit go; `done` are those that are there already."""

    done: Set[Done]

    def keep(self, batch: Batch) -> None:
        """Add new records."""

    def note_measured(self, manifest: Manifest) -> None:
        """Note what was measured since the run began: `manifest` is the run's, with that."""

    def note_workers(self, shares: Sequence[Mapping[str, object]]) -> None:
        """Note what each worker of a cluster did in this run."""

    def note_time(self, trials: int, seconds: float) -> None:
        """Note how long it took to search so many trials of attributes."""

    def read(self) -> Diagnosis:
        """Return all that is there."""

    def finish(
        self, draw: Callable[[AuditFolder, Diagnosis], None], tries: Callable[[], Mapping[str, int]]
    ) -> Diagnosis:
        """Return all that is there at the end; a folder gets its pictures, by `draw`, and its summary.

        `tries` returns how a service was asked since the last batch.
        """


class InMemory:
    """Records that nobody writes down, without pictures."""

    def __init__(self, manifest: Manifest) -> None:
        """Begin without a record."""
        self.done: Set[Done] = set()
        self._manifest, self._records, self._tries = manifest, list[Record](), Counter[str]()

    def keep(self, batch: Batch) -> None:
        """Add new records, see `Sink`."""
        self._records += batch.records
        self._tries.update(batch.tries)
        self._manifest = self._manifest.resumed({**self._manifest.environment, **batch.environment})

    def note_measured(self, manifest: Manifest) -> None:
        """Note what was measured, see `Sink`."""
        self._manifest = manifest

    def note_workers(self, shares: Sequence[Mapping[str, object]]) -> None:
        """Note what workers did, see `Sink`."""
        self._manifest = self._manifest.resumed({}, workers=shares)

    def note_time(self, trials: int, seconds: float) -> None:
        """Note how long trials took, see `Sink`."""
        self._manifest = self._manifest.timed(trials, seconds)

    def finish(
        self, draw: Callable[[AuditFolder, Diagnosis], None], tries: Callable[[], Mapping[str, int]]
    ) -> Diagnosis:
        """Return all that is there, see `Sink`."""
        return self.read()

    def read(self) -> Diagnosis:
        """Return all that is there, see `Sink`."""
        return Diagnosis(self._manifest, tuple(self._records), tries=dict(self._tries))


class InFolder:
    """An audit folder that is open, and what this run adds to it."""

    def __init__(self, audit: AuditFolder, manifest: Manifest) -> None:
        """Go on with what the folder holds; `manifest` is that of this run."""
        self.done: Set[Done] = audit.done()
        self.audit, self._manifest = audit, manifest

    def note_measured(self, manifest: Manifest) -> None:
        """Note what was measured, see `Sink`."""
        self.audit.note_measured(self._manifest, manifest)
        self._manifest = manifest

    def keep(self, batch: Batch) -> None:
        """Add new records, see `Sink`."""
        self.audit.note_environment({**self._manifest.environment, **batch.environment})
        self.audit.append(batch.records)
        self.audit.count(batch.tries)

    def note_workers(self, shares: Sequence[Mapping[str, object]]) -> None:
        """Note what workers did, see `Sink`."""
        self.audit.note_environment({}, workers=shares)

    def note_time(self, trials: int, seconds: float) -> None:
        """Note how long trials took, see `Sink`."""
        self.audit.note_time(trials, seconds)

    def read(self) -> Diagnosis:
        """Return all that is there, see `Sink`."""
        return Diagnosis.load(self.audit.path)

    def finish(
        self, draw: Callable[[AuditFolder, Diagnosis], None], tries: Callable[[], Mapping[str, int]]
    ) -> Diagnosis:
        """Draw pictures and write the summary, see `Sink`; not again where nothing is new and no picture is gone."""
        diagnosis = self.read()
        if len(self.audit.done()) > len(self.done) or not self.audit.finished or not is_drawn(self.audit.path):
            draw(self.audit, diagnosis)
            self.audit.count(tries())
            if self.audit.tries != diagnosis.tries:  # another one adds up its records anew
                diagnosis = replace(diagnosis, tries=self.audit.tries)
            self.audit.finish(diagnosis.summary())
        return diagnosis


def _check_same_audit(models: Models, out: Path, run: RunSettings, crops: Sequence[Crop] | None) -> None:
    """Refuse to go on with another audit before hours are spent; of another runtime, with what to give instead."""
    if not (out / MANIFEST).is_file():
        return
    written, synthesizer = read_manifest(out).config, models.synthesizer
    if (written.backend, written.precision) != (synthesizer.backend, synthesizer.precision):
        raise AuditError(
            f"{out} was begun with --backend {written.backend} --precision {written.precision}, this run"
            f" would go on with {synthesizer.backend} in {synthesizer.precision}: give the same, or another folder"
        )
    asked = {**config(models, run), "answers": models.answers}
    if isinstance(models.settings.directions, EditDirections):
        asked["directions"] = of_directions(models.settings.directions)
    if crops is not None:  # how many of them are audited is known when they are inverted
        asked = {name: value for name, value in asked.items() if name != "images"}
        asked |= of_photographs(models, crops, run.seed)
    check_config(out, asked)


@contextlib.contextmanager
def _workers(models: Models) -> Iterator[RayWorkers | None]:
    """Yield the workers of the settings' cluster; None where this process does all."""
    settings = models.settings
    if settings.cluster is None:
        if settings.workers is not None or settings.worker_cores != AuditSettings.worker_cores:
            models.notices.notify(
                "workers are those of a cluster, and none is given (--cluster): this process does all"
            )
        yield None
        return
    gpu = models.generator.device.type == "cuda"
    with RayWorkers(
        settings.cluster, count=settings.workers, cores=settings.worker_cores, gpu=gpu, notify=models.notices.notify
    ) as workers:
        if asks_a_service(settings.target):
            workers.count = min(workers.count, _service(settings).at_once)
        workers.check(_settings_of_workers(models, workers.count))
        yield workers


def _service(settings: AuditSettings) -> ServiceSettings:
    return ServiceSettings(**((settings.target_options or {}).get("service") or {}))


def _settings_of_workers(models: Models, count: int) -> AuditSettings:
    """Return the settings of one of so many workers; limits hold for all together."""
    settings = models.settings
    options = settings.target_options
    if asks_a_service(settings.target):
        options = {**(options or {}), "service": asdict(_service(settings).shared(count))}
    return replace(
        settings,
        target_options=options,
        preset=None,  # what it says is filled in
        device=models.generator.device.type,
        cluster=None,
    )


def _batches(
    models: Models,
    trials: Sequence[Done],
    search: ShardSearch,
    workers: RayWorkers | None,
    started: list[int],
    *,
    left: Sequence[Set[Done]],
) -> Iterator[tuple[int, Batch]]:
    """Search those of the `trials` that are `left` to each target, some images at a time.

    Yields what was found after each batch of pictures, and for which target. `started` are workers that have nothing to
    do, and are again afterwards. Trials of random baseline directions are few pictures, and are left to this process.
    """
    lacking = [trial for trial in trials if any(trial in of_target for of_target in left)]
    if workers is None or any(isinstance(trial[1], int) for trial in lacking):
        for shard in shards(lacking, itertools.chain([FIRST_TRIALS], itertools.repeat(TRIALS_AT_ONCE))):
            yield from _searched(search, shard, left)
        return
    size = max(1, min(TRIALS_PER_SHARD, len(lacking) // (SHARDS_A_WORKER * workers.count)))
    for batch in dispatched(shards(lacking, itertools.repeat(size)), workers, free=started):
        yield 0, batch


def _searched(search: ShardSearch, shard: Shard, left: Sequence[Set[Done]]) -> Iterator[tuple[int, Batch]]:
    """Search the trials of a shard, each for the targets that it is `left` to."""
    lacking: dict[tuple[int, ...], Shard] = {}
    for trial in shard:
        lacking.setdefault(tuple(i for i, trials in enumerate(left) if trial in trials), []).append(trial)
    for targets, trials in lacking.items():
        yield from search.of(trials, targets)


@dataclass(frozen=True)
class _Job:
    """The task of a worker that searches images as the audit's own process would.

    Relative paths lead on from `folder`.
    """

    settings: AuditSettings
    run: RunSettings
    chosen: dict[str, Any]
    measurements: Measurements
    folder: Path

    def __call__(self) -> Work:
        """Load the models.

        Raises:
            ClusterError: they are not those of the audit.
        """
        torch.set_num_threads(self.settings.worker_cores)
        with contextlib.suppress(OSError):  # the machine need not have it, where nothing is read by a relative path
            os.chdir(self.folder)
        models = load_models(self.settings)
        expected, actual = (json.loads(json.dumps(choice)) for choice in (self.chosen, chosen(models, self.run)))
        if difference := first_difference(expected, actual):
            raise ClusterError(
                f"a worker would measure something else ({difference}): all machines need the same files and packages;"
                " --backend and --precision choose for all"
            )
        search, environment = ShardSearch([models], [self.measurements]), describe_environment()

        def work(shard: Shard) -> Iterator[Batch]:
            yield Batch([], environment)
            yield from search(shard)

        return work
