"""Labels, margins and interventions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.avatars.attributes import (
    ATTRIBUTES,
    CLEAR_MARGIN,
    HAIR_ATTRIBUTES,
    exclusions,
    intervene,
    labels,
    margins,
)
from zoom_engine.domains.avatars.parameters import (
    HAIR_COLORS,
    LATENT_DIM,
    PARAMETER_NAMES,
    SCHEME,
    Parameters,
    parameters_from_latents,
)

COLOURS = ("black_hair", "brown_hair", "blond_hair", "red_hair", "gray_hair")
SKIN = ("pale_skin", "dark_skin")


def faces(seed: int, *, extreme: bool) -> Parameters:
    """Natural faces, or faces with every parameter anywhere in its range, its ends included."""
    rng = np.random.default_rng(seed)
    if not extreme:
        return parameters_from_latents(rng.standard_normal((24, LATENT_DIM)))
    low, high = SCHEME.bounds
    values = low + (high - low) * rng.random((24, len(low)))
    ends = rng.random(values.shape)
    values = np.where(ends < 0.15, low, np.where(ends > 0.85, high, values))
    return Parameters(values)


any_faces = st.builds(lambda seed, extreme: faces(seed, extreme=extreme), st.integers(0, 10_000), st.booleans())


@given(parameters=any_faces)
@settings(max_examples=40, deadline=None)
def test_labels_are_the_signs_of_margins(parameters: Parameters) -> None:
    table, truth = margins(parameters), labels(parameters)
    assert tuple(table) == tuple(truth) == ATTRIBUTES
    for name in ATTRIBUTES:
        assert table[name].dtype == np.float32
        assert np.abs(table[name]).max() <= 0.5
        assert (truth[name] == (table[name] > 0)).all()


@given(parameters=any_faces)
@settings(max_examples=40, deadline=None)
def test_groups_exclude_each_other(parameters: Parameters) -> None:
    truth = labels(parameters)
    for group in (COLOURS, SKIN):
        assert (sum(truth[name].astype(int) for name in group) <= 1).all()
    for name in HAIR_ATTRIBUTES:
        assert not (truth["bald"] & truth[name]).any()


@given(parameters=any_faces, attribute=st.sampled_from(ATTRIBUTES), value=st.booleans())
@settings(max_examples=150, deadline=None)
def test_an_intervention_sets_its_attribute_clearly_and_keeps_the_rest(
    parameters: Parameters, attribute: str, value: bool
) -> None:
    changed = intervene(parameters, attribute, value)
    before, after = labels(parameters), labels(changed)
    assert (after[attribute] == value).all()
    sign = 1.0 if value else -1.0
    assert (sign * margins(changed)[attribute] >= CLEAR_MARGIN - 1e-6).all()
    same_head = before["bald"] == after["bald"]
    for name in ATTRIBUTES:
        if name != attribute and name not in exclusions(attribute):
            unchanged = before[name] == after[name]
            # where baldness gave way, the hair it hid comes into view
            assert unchanged[same_head].all(), name
            assert unchanged.all() or name in HAIR_ATTRIBUTES, name
    np.testing.assert_allclose(intervene(changed, attribute, value).values, changed.values, atol=1e-6)


@given(parameters=any_faces, attribute=st.sampled_from(ATTRIBUTES), value=st.booleans())
@settings(max_examples=100, deadline=None)
def test_an_intervention_moves_no_other_parameter(parameters: Parameters, attribute: str, value: bool) -> None:
    moved = (intervene(parameters, attribute, value).values != parameters.values).any(axis=0)
    names = {name for name, changed in zip(PARAMETER_NAMES, moved, strict=True) if changed}
    allowed = 2 if attribute in HAIR_ATTRIBUTES and value else 1  # its own, and baldness
    assert len(names) <= (len(HAIR_COLORS) + 1 if attribute in COLOURS else allowed)


def test_a_bald_head_hides_hair_until_hair_is_asked_for() -> None:
    bald = Parameters.neutral(2).replace(baldness=1.0, bangs=1.0, hair_length=1.0, curliness=1.0)
    truth = labels(bald)
    assert truth["bald"].all()
    assert not any(truth[name].any() for name in HAIR_ATTRIBUTES)
    truth = labels(intervene(bald, "red_hair", True))
    assert truth["red_hair"].all()
    assert not truth["bald"].any()
    assert truth["bangs"].all()
    assert intervene(bald, "bangs", False)["baldness"].tolist() == [1.0, 1.0]


def test_taking_a_colour_away_leaves_the_next_most_likely_pure() -> None:
    face = Parameters.neutral().replace(hair_brown=0.8, hair_red=0.15, hair_black=0.05)
    assert labels(intervene(face, "brown_hair", False))["red_hair"].all()
    pure = intervene(Parameters.neutral(), "brown_hair", False)
    assert sum(labels(pure)[name][0] for name in COLOURS) == 1


def test_taking_pale_skin_away_does_not_make_it_dark() -> None:
    pale, dark = Parameters.neutral().replace(skin_tone=0.05), Parameters.neutral().replace(skin_tone=0.95)
    assert not labels(intervene(pale, "pale_skin", False))["dark_skin"].any()
    assert intervene(dark, "pale_skin", False) == dark


def test_exclusions_are_declared_both_ways() -> None:
    for attribute in ATTRIBUTES:
        for other in exclusions(attribute):
            assert attribute in exclusions(other)
    assert exclusions("smiling") == frozenset()
    assert exclusions("bald") == frozenset(HAIR_ATTRIBUTES)
    assert exclusions("bangs") == {"bald"}


def test_unknown_attributes_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown avatar attribute 'hat'; choose from eyeglasses"):
        intervene(Parameters.neutral(), "hat", True)
    with pytest.raises(ConfigError, match="unknown avatar attribute 'hat'"):
        exclusions("hat")
