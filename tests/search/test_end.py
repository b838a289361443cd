"""A look at the end of a range finds there what a scan finds, by a picture or two."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_toys import LABELS, ColourLabels, evaluator, run_trials, trial

from zoom_engine.audit.manifest import Config, Manifest
from zoom_engine.audit.records import Record, to_line
from zoom_engine.common.errors import ConfigError
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import End, Scan, Search, SearchResult
from zoom_engine.search.recorded import record_of
from zoom_engine.statistics.effects import effects

CONFIG: Config = Manifest.of({"mode": "single", "attributes": ["red", "green", "blue"]}).config


def searched(search: Search, where: Evaluator, attribute: int, low: float, high: float) -> tuple[SearchResult, Record]:
    """The one result, and its record."""
    results: list[SearchResult] = []
    one = trial(0, attribute, low, high)
    run_trials(
        [one],
        search=search,
        evaluator=where,
        styles=torch.zeros(1, 4),
        on_result=lambda new: results.extend(result for _, result in new),
    )
    return results[0], record_of(one, results[0], 7, CONFIG.attributes[attribute].text)


def at_end(record: Record) -> float | None:
    return effects(CONFIG, [record])[0].at_end


@pytest.mark.parametrize(("low", "high"), [(0.0, 9.0), (-6.0, 0.0)])
@pytest.mark.parametrize("attribute", [0, 1, 2])
def test_one_picture_says_what_a_scan_finds_at_its_end(attribute: int, low: float, high: float) -> None:
    scanned, looked = (searched(search, evaluator(), attribute, low, high)[1] for search in (Scan(), End()))
    assert looked.change == at_end(looked) == at_end(scanned)
    assert [point.weights[attribute] for point in looked.trajectory] == sorted((0.0, low or high))
    assert (looked.evaluations, looked.stop, looked.bounds) == (1, "end", (low, high))
    flips = scanned.trajectory[0 if low else -1].output[0] > 0.5
    assert (looked.flipped, looked.label_kept, looked.original_output) == (flips, None, scanned.original_output)
    assert Record.from_json(json.loads(to_line(looked))) == looked
    CONFIG.check(looked)


@settings(max_examples=25, deadline=None)
@given(keeps=st.floats(0.02, 1.2))
def test_where_the_label_is_lost_the_point_nearest_to_the_end_that_keeps_it_counts(keeps: float) -> None:
    """As in a scan of eight points, of which green is lost after a share of the way."""
    where = evaluator(
        lambda x: 0.3 * x[:, 1] - 8,
        labels=ZeroShotLabels(ColourLabels(at=16 * keeps), LABELS),
    )
    scanned, looked = (searched(search, where, 1, 0.0, 16.0)[1] for search in (Scan(), End()))
    assert looked.change == at_end(looked) == at_end(scanned)
    assert looked.evaluations == (1 if keeps >= 1 else 4)
    if keeps < 1 / 8:
        assert (looked.change, looked.label_kept, looked.stop) == (0.0, False, "label-lost")
    else:
        assert looked.label_kept is True


def test_what_turns_back_on_the_way_counts_as_it_is_nearest_to_the_end() -> None:
    """The largest change lies elsewhere."""
    where = evaluator(
        lambda x: 4 - (x[:, 1] - 8).abs(),
        labels=ZeroShotLabels(ColourLabels(at=15.0), LABELS),
    )
    scanned, looked = (searched(search, where, 1, 0.0, 16.0)[1] for search in (Scan(), End()))
    assert looked.change == at_end(scanned) < scanned.change


def test_a_range_that_leads_nowhere_or_both_ways_has_no_end_to_look_at() -> None:
    assert searched(End(), evaluator(), 0, 0.0, 0.0)[0].stop == "no-range"
    with pytest.raises(ConfigError, match="not from -1 to 2"):
        searched(End(), evaluator(), 0, -1.0, 2.0)
