"""Attributes at degrees between absent and present, and pools that hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lab.places.train.subject import POOL, SUBJECT
from lab.training.degrees import at_degree
from zoom_engine.domains.places.attributes import TRUTH


def test_a_degree_lies_between_absent_and_present_and_changes_nothing_else() -> None:
    parameters = SUBJECT.parameters(20, 4)
    night = parameters.scheme.column("night")
    for degree in (0.0, 0.25, 1.0):
        changed = at_degree(TRUTH, parameters, "night", degree)
        np.testing.assert_allclose(changed["night"], degree, atol=1e-6)
        np.testing.assert_allclose(np.delete(changed.values, night, 1), np.delete(parameters.values, night, 1))
    degrees = np.linspace(0, 1, 20)
    np.testing.assert_allclose(at_degree(TRUTH, parameters, "night", degrees)["night"], degrees, atol=1e-6)
    shares = at_degree(TRUTH, parameters, "church", 0.5).colour_shares()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    assert (shares[:, 0] >= 0.49).all()


def test_half_of_a_graded_pool_has_each_attribute_at_some_degree_tied_to_nothing() -> None:
    pool = replace(POOL, size=4000, graded=POOL.untied)
    parameters = pool.untie(SUBJECT.parameters(4000, pool.seed))
    labels = TRUTH.labels(parameters)
    for name in ("night", "snow", "tall_steeple"):
        value = parameters[TRUTH.table[name].parameter]
        between = (value > 1e-3) & (value < 1 - 1e-3)
        assert 0.45 < between.mean() < 0.55
        assert abs(value[labels["church"]].mean() - value[~labels["church"]].mean()) < 0.05
    ends = POOL.untie(SUBJECT.parameters(4000, POOL.seed))["night"]
    assert set(np.unique(ends)) == {0.0, 1.0}
