"""What recorded outputs mean, against the tasks that recorded them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.audit.outputs import Counts, OutputReading
from zoom_engine.audit.records import Record, output_change
from zoom_engine.targets import BinaryTask, MultiClassTask

TASKS = (BinaryTask(classes=("no", "yes")), MultiClassTask(classes=("a", "b", "c")))
LOGITS = st.lists(st.floats(-6, 6).map(lambda x: round(x, 2)), min_size=3, max_size=3)


def reading(task: BinaryTask | MultiClassTask) -> OutputReading:
    return OutputReading.of({"target_details": {"task": task.to_dict()}}, [])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@given(before=LOGITS, after=LOGITS)
def test_changes_and_flips_are_the_tasks_own(task: BinaryTask | MultiClassTask, before, after) -> None:
    width = 1 if task.name == "binary" else 3
    original, edited = torch.tensor([before[:width]]), torch.tensor([after[:width]])
    recorded = [task.recorded(output)[0].tolist() for output in (original, edited)]
    read = reading(task)
    assert output_change(recorded[1], recorded[0]) == pytest.approx(float(task.change(edited, original)[0]), abs=1e-6)
    flipped = read.predicted(recorded[1]) != read.predicted(recorded[0])
    if min(abs(float(task.margin(output, output)[0])) for output in (original, edited)) > 1e-3:
        assert flipped == bool(task.flipped(edited, original)[0])


def test_a_caption_of_several_classes_names_the_class_predicted_now_a_curve_follows_the_first() -> None:
    read = reading(TASKS[1])
    assert "predicts for the picture" in read.corner
    assert "before the edit" in read.curve
    assert read.followed([0.7, 0.2, 0.1], [0.1, 0.8, 0.1]) == 0.2
    assert read.boundary is None
    assert read.class_name(2) == "“c”"


def test_a_binary_caption_is_the_probability_of_class_1() -> None:
    read = reading(TASKS[0])
    assert read.corner == read.curve == "the probability of “yes”"
    assert read.boundary == 0.5
    assert read.predicted([0.5]) == 1


def test_records_tell_what_an_older_manifest_does_not() -> None:
    assert OutputReading.of({}, []).binary
    read = OutputReading.of({}, [replace(unit(0, 0.2, 0.3), original_output=(0.2, 0.3, 0.5))])
    assert not read.binary
    assert read.class_name(2) == "class 2"
    assert read.decisive_change == 0.1


def unit(image: int, before: float, after: float) -> Record:
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
    read = reading(TASKS[0])
    records = [unit(0, 0.49, 0.51), unit(1, 0.2, 0.7), unit(2, 0.1, 0.4), unit(3, 0.1, 0.1)]
    assert Counts.of(records, read) == Counts(units=4, moved=2, flipped=2, decisive=1)
    assert Counts.of([*records, unit(1, 0.2, 0.3)], read) == Counts(units=4, moved=2, flipped=2, decisive=1)
    beyond = replace(unit(4, 0.1, 0.9), natural=False)
    assert Counts.of([*records, beyond], read) == Counts(units=4, moved=2, flipped=2, decisive=1, beyond=1)
    said = replace(records[0], decisive=True)
    assert read.decisive(said)
    assert not read.decisive(replace(said, natural=False))
