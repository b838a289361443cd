"""A scheme turns latents into parameters, whatever parts it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.parameters import LATENT_DIM, STEEP, Parameter, ParameterTable, Scheme


class Plates(ParameterTable):
    """Pictures of one colour, on which nothing excludes anything."""

    scheme = Scheme(
        subject="plate",
        columns=(Parameter("size", -1.0, "small to large"), Parameter("chipped", 0.0, "whole to chipped", STEEP, 0.3)),
        colours={},
        sharpness=1.0,
        ties={},
        plain={},
        seed=1,
    )


def test_a_scheme_needs_no_kinds_that_exclude_one_another() -> None:
    plates = Plates.from_latents(np.random.default_rng(0).standard_normal((4000, LATENT_DIM)))
    assert abs(float(plates["size"].mean())) < 0.05
    assert abs(float((plates["chipped"] > 0.5).mean()) - 0.3) < 0.03
    assert len(Plates.neutral(2)) == 2
    assert plates.colour_shares().shape == (4000, 0)


def test_ties_that_leave_no_variance_are_refused() -> None:
    replace(Plates.scheme, ties={"chipped": {"size": -1.0}})
    with pytest.raises(ConfigError, match=r"'chipped' are too strong: 1\.21"):
        replace(Plates.scheme, ties={"chipped": {"size": 1.1}})


def test_a_colour_without_a_plain_share_is_named() -> None:
    with pytest.raises(ConfigError, match="'chipped' is one of the colours"):
        replace(Plates.scheme, colours={"chipped": 0.0})
