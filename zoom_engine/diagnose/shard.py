"""`ShardSearch`: images of an audit, or of several that differ in their targets alone, searched by this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from torch import nn

from zoom_engine.audit.records import Record
from zoom_engine.diagnose.cluster import Batch, Shard
from zoom_engine.diagnose.measurements import Measurements
from zoom_engine.diagnose.models import Models
from zoom_engine.diagnose.trials import bounds_of
from zoom_engine.diagnose.trials import trials as trials_of
from zoom_engine.directions import CalibratedRange, EditDirections, ImageBounds, joined_scales
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.generators import StyleRows
from zoom_engine.runtime import compiled_target
from zoom_engine.search import Search, SearchResult, Trial, searched
from zoom_engine.search.end import End
from zoom_engine.search.recorded import record_of
from zoom_engine.targets import Target

_TOLD: WeakKeyDictionary[nn.Module, Counter[str]] = WeakKeyDictionary()
"""By a target's network, the tries that some run has counted."""


class NewTries:
    """Counts how a target, a service, was asked since it was last counted, in this run or an earlier one.

    See `Target.tries`.
    """

    def __init__(self, target: Target) -> None:
        """Begin with all that no run has counted."""
        self._target = target

    def __call__(self) -> dict[str, int]:
        """Return the new tries by how they ended."""
        so_far = Counter(self._target.tries)
        new, _TOLD[self._target.network] = so_far - _TOLD.get(self._target.network, Counter()), so_far
        return dict(new)


class ShardSearch:
    """A search of trials of audits that have all but their targets in common, on what this process has loaded.

    It uses what was measured for all images. The batches of a call are what is new after each batch of pictures.
    """

    def __init__(self, models: Sequence[Models], measurements: Sequence[Measurements]) -> None:
        """Prepare the evaluators; `models` and `measurements` are those of each target."""
        self._models, self._first, common = models, models[0], measurements[0]
        device, codes = self._first.generator.device, common.codes
        self.styles: StyleRows = self._first.styles(common.seeds) if codes is None else codes.to(device)
        self.evaluators = [loaded.evaluator(common.directions) for loaded in models]
        phrased = common.phrased
        self.take(measurements)
        self._in_paraphrases = [] if phrased is None else [loaded.evaluator(phrased) for loaded in models]
        scales = [own_measurements.scale for own_measurements in measurements if own_measurements.scale is not None]
        scale, self._columns = joined_scales(scales, len(common.directions.attributes))
        self._bounds = bounds_of(self._first, common.directions, common.calibrated, scale)
        self._names = [attribute.text for attribute in self._first.attributes]
        self._tries = [NewTries(loaded.target) for loaded in models]

    def take(self, measurements: Sequence[Measurements]) -> None:
        """Search with these measurements; without baseline directions, trials of attributes alone."""
        self.measurements = measurements
        self._beside = [
            loaded.evaluator(baseline) if baseline is not None and len(baseline.matrix) else alone
            for loaded, baseline, alone in zip(
                self._models, (of_target.baseline for of_target in measurements), self.evaluators, strict=True
            )
        ]

    def __call__(self, shard: Shard) -> Iterator[Batch]:
        """Search a shard for the one target."""
        for _, batch in self.of(shard, [0]):
            yield batch

    def of(self, shard: Shard, targets: Sequence[int]) -> Iterator[tuple[int, Batch]]:
        """Search a shard for those of the targets, told with each batch.

        Attributes come first, then random baseline directions.
        """
        for target, records in self._records_of(shard, targets):
            yield target, Batch(records, tries=self.tries(target))

    def tries(self, target: int) -> dict[str, int]:
        """Return how the target, a service, was asked since the last call, see `Target.tries`."""
        return self._tries[target]()

    def _records_of(self, shard: Shard, targets: Sequence[int]) -> Iterator[tuple[int, list[Record]]]:
        common = self.measurements[0]
        wanted = [
            (image, None if name is None else self._names.index(name))
            for image, name in shard
            if not isinstance(name, int)
        ]
        if wanted:
            yield from self._attributes(wanted, targets)
        random = [(image, j) for image, j in shard if isinstance(j, int)]
        alike: dict[tuple[object, ...], list[int]] = {}  # targets of other labels may have other directions and lengths
        for target in targets if random else ():
            if (baseline := self.measurements[target].baseline) is not None:
                alike.setdefault((baseline.drawn, baseline.lengths), []).append(target)
        for together in alike.values():
            baseline = self.measurements[together[0]].baseline
            assert baseline is not None
            trials = [Trial(image, j, baseline.bounds(common.seeds[image], j)) for image, j in random]
            for target, results in self._searched(trials, self._beside, together, self._first.baseline_search):
                records = [
                    record_of(trial, result, common.seeds[trial.image], trial.attribute) for trial, result in results
                ]
                yield target, records

    def _attributes(
        self, wanted: list[tuple[int, int | None]], targets: Sequence[int]
    ) -> Iterator[tuple[int, list[Record]]]:
        first, common = self._first, self.measurements[0]
        belongs: dict[int, tuple[bool, ...]] = {}
        if common.groups is not None:
            images = sorted({image for image, _ in wanted})
            size = first.batch_size
            belongs = common.groups.of(first.text_encoder, first.synthesizer, self.styles, images, batch_size=size)
        trials = trials_of(first, self.styles, common.directions, common.calibrated, wanted, common.region)
        paraphrases: dict[tuple[int, int, int | None], tuple[float, ...]] = {}
        for target, results in self._searched(trials, self.evaluators, targets, first.search, self._bounds):
            new_trials = [trial for trial, _ in results if (target, trial.image, trial.attribute) not in paraphrases]
            paraphrases |= self._paraphrase_changes(new_trials, targets)
            records = []
            for trial, result in results:
                scores = trial.scores and tuple(trial.scores[column] for column in self._columns[target])
                records.append(
                    record_of(
                        replace(trial, scores=scores),
                        result,
                        common.seeds[trial.image],
                        None if trial.attribute is None else self._names[trial.attribute],
                        groups=belongs.get(trial.image),
                        paraphrases=paraphrases.get((target, trial.image, trial.attribute)),
                    )
                )
            yield target, records

    def _searched(
        self,
        trials: list[Trial],
        evaluators: Sequence[Evaluator],
        targets: Sequence[int],
        search: Search,
        bounds: ImageBounds | None = None,
    ) -> Iterator[tuple[int, list[tuple[Trial, SearchResult]]]]:
        """Yield the results of each target: of all together, but where a search follows the gradient of one."""
        for together in [[target] for target in targets] if search.needs_gradient else [targets]:
            for results in searched(
                trials,
                search=search,
                evaluators=[evaluators[target] for target in together],
                styles=self.styles,
                bounds=bounds,
                batch_size=self._first.batch_size,
            ):
                for place, target in enumerate(together):
                    if of_target := [(trial, result) for index, trial, result in results if index == place]:
                        yield target, of_target

    def _paraphrase_changes(
        self, trials: Sequence[Trial], targets: Sequence[int]
    ) -> dict[tuple[int, int, int | None], tuple[float, ...]]:
        """Return by target, image and attribute the change along each paraphrase's direction, to six decimals.

        It is the change at the trial's bound or, where the label is lost there, as near to it as it is kept.
        """
        if not self._in_paraphrases or not trials:
            return {}
        count, paraphrases = len(self._names), self._first.settings.paraphrases or 0
        ends = []
        for trial in trials:
            attribute = trial.attribute or 0
            for k in range(paraphrases):
                bounds = np.zeros((count * paraphrases, 2))
                bounds[k * count + attribute] = trial.bounds[attribute]
                ends.append(Trial(trial.image, k * count + attribute, bounds))
        changes_of: dict[tuple[int, int, int | None], list[float]] = {}
        for target, results in self._searched(ends, self._in_paraphrases, targets, End()):
            for end, result in results:
                k, attribute = divmod(end.attribute or 0, count)
                changes = changes_of.setdefault((target, end.image, attribute), [0.0] * paraphrases)
                changes[k] = round(result.change, 6)
        return {trial: tuple(changes) for trial, changes in changes_of.items()}


def search_targets(
    models: Models,
    targets: Sequence[Target],
    styles: StyleRows,
    directions: EditDirections,
    calibrated: CalibratedRange,
    on_result: Callable[[list[tuple[int, Trial, SearchResult]]], None],
) -> list[Evaluator]:
    """Search every attribute on every image for several `targets` at once, each picture made once.

    `on_result` gets finished trials, as `searched` hands them over. Returns the evaluators of `targets`.
    """
    compiled = [compiled_target(target, models.synthesizer, cache=models.cache)[0] for target in targets]
    evaluators = [
        Evaluator(models.synthesizer, directions.matrix, target, labels=models.labels_of(target.labels))
        for target in compiled
    ]
    wanted = [(image, which) for image in range(len(styles)) for which in range(len(models.attributes))]
    for results in searched(
        trials_of(models, styles, directions, calibrated, wanted),
        search=models.search,
        evaluators=evaluators,
        styles=styles,
        bounds=bounds_of(models, directions, calibrated),
        batch_size=models.batch_size,
        progress=models.progress,
    ):
        on_result(results)
    return evaluators
