"""Parameters: their ranges and errors, and how latents become them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.avatars.attributes import ATTRIBUTES, labels
from zoom_engine.domains.avatars.parameters import (
    HAIR_COLORS,
    LATENT_DIM,
    PARAMETER_NAMES,
    SCHEME,
    TIES,
    Parameters,
    parameters_from_latents,
)


def draw(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, LATENT_DIM))


def test_values_are_float32_in_range_and_read_only() -> None:
    parameters = parameters_from_latents(draw(500))
    low, high = SCHEME.bounds
    assert parameters.values.dtype == np.float32
    assert parameters.values.shape == (500, len(PARAMETER_NAMES))
    assert (parameters.values >= low).all()
    assert (parameters.values <= high).all()
    with pytest.raises(ValueError, match="read-only"):
        parameters.values[0, 0] = 0.5


def test_columns_rows_and_iteration() -> None:
    parameters = parameters_from_latents(draw(6))
    assert parameters["smile"].tolist() == parameters.values[:, PARAMETER_NAMES.index("smile")].tolist()
    assert len(parameters[2]) == 1
    assert parameters[-1] == parameters[5:6]
    assert len(parameters[[0, 3]]) == 2
    assert len(parameters[parameters["smile"] > 2]) == 0
    assert [row["age"][0] for row in parameters] == parameters["age"].tolist()
    assert parameters[:3] != parameters[3:]


def test_replace_sets_the_named_columns_only() -> None:
    parameters = parameters_from_latents(draw(4))
    changed = parameters.replace(smile=1.0, age=[0.0, 0.1, 0.2, 0.3])
    assert changed["smile"].tolist() == [1.0] * 4
    np.testing.assert_allclose(changed["age"], [0.0, 0.1, 0.2, 0.3], rtol=1e-6)
    others = [i for i, name in enumerate(PARAMETER_NAMES) if name not in ("smile", "age")]
    assert (changed.values[:, others] == parameters.values[:, others]).all()
    assert (parameters["smile"] != 1.0).any()


def test_the_neutral_face_has_no_attribute_but_brown_hair() -> None:
    truth = labels(Parameters.neutral(2))
    present = {name for name in ATTRIBUTES if truth[name].all()}
    assert present <= {"brown_hair", "pale_skin"}
    assert "brown_hair" in present


@pytest.mark.parametrize("bad", [np.nan, 1.01, -1.01, np.inf])
def test_a_value_out_of_range_is_one_clear_line(bad: float) -> None:
    with pytest.raises(ConfigError, match=r"avatar parameter tilt is .* in row 1; keep it within \[-1, 1\]") as error:
        Parameters.neutral(3).replace(tilt=[0.0, bad, 0.0])
    assert "\n" not in str(error.value)


def test_wrong_shapes_and_names_are_refused() -> None:
    with pytest.raises(ConfigError, match=rf"give an array \[n, {len(PARAMETER_NAMES)}\]"):
        Parameters(np.zeros((2, 3)))
    with pytest.raises(ConfigError, match=r"give an array \[n, 64\]"):
        parameters_from_latents(np.zeros((2, 63)))
    with pytest.raises(ConfigError, match="unknown avatar parameter 'hat'"):
        Parameters.neutral()["hat"]
    with pytest.raises(ConfigError, match="unknown avatar parameter 'hat'"):
        Parameters.neutral().replace(hat=1.0)


def test_factors_have_unit_variance_and_the_declared_ties() -> None:
    gram = SCHEME.factor_matrix.T @ SCHEME.factor_matrix
    np.testing.assert_allclose(np.diag(gram), 1.0, atol=1e-12)
    column = {name: index for index, name in enumerate(PARAMETER_NAMES)}
    for name, ties in TIES.items():
        for other, weight in ties.items():
            assert gram[column[name], column[other]] == pytest.approx(weight, abs=1e-12)
    untied = [column[name] for name in PARAMETER_NAMES if name not in TIES]
    np.testing.assert_allclose(gram[np.ix_(untied, untied)], np.eye(len(untied)), atol=1e-12)


def test_hair_length_is_free_of_bangs_and_nearly_of_baldness() -> None:
    """Length and baldness are tied through perceived gender alone: -0.5 * 0.3."""
    gram = SCHEME.factor_matrix.T @ SCHEME.factor_matrix
    length, bangs, bald = (PARAMETER_NAMES.index(name) for name in ("hair_length", "bangs", "baldness"))
    assert gram[length, bangs] == pytest.approx(0.0, abs=1e-12)
    assert gram[bald, bangs] == pytest.approx(0.0, abs=1e-12)
    assert gram[length, bald] == pytest.approx(-0.15, abs=1e-12)


def test_only_the_direction_of_a_latent_counts() -> None:
    z = draw(20)
    np.testing.assert_allclose(parameters_from_latents(z).values, parameters_from_latents(3.0 * z).values, atol=1e-5)


def test_a_row_depends_on_its_own_latent_alone() -> None:
    z = draw(20)
    whole = parameters_from_latents(z)
    np.testing.assert_allclose(whole.values[7:8], parameters_from_latents(z[7:8]).values, atol=1e-6)


def test_even_parameters_follow_the_normal_cdf() -> None:
    z = draw(200)
    column = PARAMETER_NAMES.index("skin_tone")
    expected = [NormalDist().cdf(x) for x in SCHEME.factors(z)[:, column]]
    np.testing.assert_allclose(parameters_from_latents(z)["skin_tone"], expected, atol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_parameters_are_continuous_in_the_latent(seed: int) -> None:
    """Halving a small step about halves the change: no jump, even where the squash is steep."""
    rng = np.random.default_rng(seed)
    z, step = rng.standard_normal((1, LATENT_DIM)), rng.standard_normal((1, LATENT_DIM))
    step *= 1e-3 / np.linalg.norm(step)
    change = np.abs(parameters_from_latents(z + step).values - parameters_from_latents(z).values)
    assert change.max() < 20 * 0.25 * 8 * 1e-3  # steepest slope times the step, with room for the soft-max


def test_hair_colours_share_out_to_one_and_are_mostly_pure() -> None:
    weights = parameters_from_latents(draw(2000)).colour_shares()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)
    assert (weights.max(axis=1) > 0.75).mean() > 0.75
    bare = Parameters.neutral().replace(**dict.fromkeys(HAIR_COLORS, 0.0))
    assert bare.colour_shares()[0].argmax() == HAIR_COLORS.index("hair_brown")


def test_every_attribute_is_common_enough() -> None:
    truth = labels(parameters_from_latents(draw(6000, seed=3)))
    rare = {"black_hair", "brown_hair", "blond_hair", "red_hair", "gray_hair", "bald"}
    for name in ATTRIBUTES:
        assert (0.12 if name in rare else 0.20) <= truth[name].mean() <= 0.52, name


def test_natural_ties_show_in_the_labels() -> None:
    truth = labels(parameters_from_latents(draw(6000, seed=4)))

    def gap(name: str, given: str) -> float:
        return float(truth[name][truth[given]].mean() - truth[name][~truth[given]].mean())

    assert gap("beard", "male") > 0.2
    assert gap("mustache", "male") > 0.2
    assert gap("lipstick", "male") < -0.2
    assert gap("long_hair", "male") < -0.2
    assert gap("gray_hair", "old") > 0.08
    assert gap("bald", "old") > 0.1
    assert gap("eyeglasses", "old") > 0.1
    assert abs(gap("smiling", "male")) < 0.06
