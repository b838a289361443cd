"""How many images move, flip, and flip decisively."""

from __future__ import annotations

from dataclasses import replace

from zoom_engine.audit.records import NOT_EDITED, Point, Record, is_decisive
from zoom_engine.statistics.counts import Counts, natural_records


def trial(image: int, before: float, after: float) -> Record:
    flipped = (before >= 0.5) != (after >= 0.5)
    return Record(
        image=image,
        seed=image,
        attribute="a hat",
        edit_weights=(1.0,),
        original_output=(before,),
        output=(after,),
        change=abs(after - before),
        flipped=flipped,
        label_kept=None,
        ssim=None,
    )


def test_counts_tell_decisive_flips_from_borderline_ones() -> None:
    records = [trial(0, 0.49, 0.51), trial(1, 0.2, 0.7), trial(2, 0.1, 0.4), trial(3, 0.1, 0.1)]
    assert Counts.of(records, least=0.1) == Counts(images=4, moved=2, flipped=2, decisive=1)
    assert Counts.of([*records, trial(1, 0.2, 0.3)], least=0.1) == Counts(images=4, moved=2, flipped=2, decisive=1)
    beyond = replace(trial(4, 0.1, 0.9), natural=False)
    assert Counts.of([*records, beyond], least=0.1) == Counts(images=4, moved=2, flipped=2, decisive=1, beyond=1)
    decisive = replace(records[0], decisive=True)
    assert is_decisive(decisive)
    assert not is_decisive(replace(decisive, natural=False))


def test_pictures_that_no_edit_changed_are_not_counted() -> None:
    """They say nothing of the model: that none of them flips would be told as if it did."""
    records = [trial(0, 0.2, 0.7), trial(1, 0.1, 0.1)]
    unedited = [replace(trial(image, 0.1, 0.1), stop=NOT_EDITED) for image in (0, 2, 3)]
    assert Counts.of([*records, *unedited], least=0.1) == Counts.of(records, least=0.1)
    assert natural_records([*records, *unedited]) == records


def test_records_of_older_versions_are_decisive_by_the_change_at_their_counterfactual() -> None:
    def point(weight: float, change: float) -> Point:
        return Point(weights=(weight,), output=(0.6,), change=change, label_kept=None, ssim=None)

    record = replace(trial(0, 0.45, 0.52), change=0.3, trajectory=(point(1.0, 0.07), point(2.0, 0.3)))
    assert not is_decisive(record)
    assert is_decisive(record, least=0.05)
