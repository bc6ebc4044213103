from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.population import Population
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Image, Series


def encoded(step: Population, values: list[float]) -> np.ndarray:
    """Spikes [n * T, n_fields], one channel."""
    return step(Series(np.array(values, np.float32)[:, np.newaxis], 1.0), np.random.default_rng(0))


def test_centres_are_those_of_bohte() -> None:
    n = 6
    expected = [(2 * i - 3) / 2 / (n - 2) for i in range(1, n + 1)]
    np.testing.assert_allclose(Population(4, n).centres(), expected)
    np.testing.assert_allclose(expected, [-0.125, 0.125, 0.375, 0.625, 0.875, 1.125])


def test_the_field_at_a_value_fires_first_and_others_by_their_distance() -> None:
    # x = 0.375 is the centre of field 2; one distance (0.25) away the activity is exp(-beta^2 / 2) = 0.3247
    spikes = encoded(Population(T=11, n_fields=6, beta=1.5), [0.375])
    first = [np.flatnonzero(train).tolist() for train in spikes.T]
    assert first == [[], [7], [0], [7], [], []]  # 10 (1 - 0.3247) = 6.75; two away 0.011, which is silent


@given(
    st.integers(3, 30), st.floats(0.2, 4.2), st.integers(1, 40), st.lists(st.floats(0, 1, width=32), min_size=1)
)  # fmt: skip
def test_every_value_fires_some_neuron_and_each_once_at_most(
    n_fields: int, beta: float, T: int, values: list[float]
) -> None:
    spikes = encoded(Population(T, n_fields, beta), values).reshape(len(values), T, n_fields)
    assert spikes.any(axis=(1, 2)).all()
    assert (spikes.sum(axis=1) <= 1).all()


@given(st.integers(3, 30), st.integers(8, 40), st.lists(st.floats(0, 1, width=32), min_size=1))
def test_latencies_tell_the_value_within_the_distance_of_two_centres(n: int, T: int, values: list[float]) -> None:
    step = Population(T, n)
    decoded = step.decode(encoded(step, values))
    assert decoded.shape == (len(values), 1)
    assert (np.abs(decoded[:, 0] - np.array(values, np.float32)) <= 1 / (n - 2)).all()


def test_rates_are_the_activities() -> None:
    step = Population(T=20000, n_fields=5, beta=1.0, readout="rate")
    spikes = encoded(step, [0.3])
    expected = np.exp(-0.5 * ((0.3 - step.centres()) * 3) ** 2)  # sigma 1 / 3
    assert (np.abs(spikes.mean(axis=0) - expected) < 5 * 0.5 / np.sqrt(20000)).all()
    assert abs(step.decode(spikes)[0, 0] - 0.3) < 1 / 3


def test_fields_of_a_channel_stand_side_by_side() -> None:
    pixels = np.random.default_rng(0).random((2, 3, 2), np.float32)
    step = Population(T=4, n_fields=5)
    spikes = step(Image(pixels))
    assert spikes.shape == (4, 10, 2, 3)
    for channel in range(2):
        for y in range(2):
            for x in range(3):
                alone = encoded(step, [float(pixels[y, x, channel])])
                np.testing.assert_array_equal(spikes[:, 5 * channel : 5 * channel + 5, y, x], alone)
    decoded = step.decode(spikes)
    assert decoded.shape == (1, 2, 2, 3)
    assert (np.abs(decoded[0] - pixels.transpose(2, 0, 1)) < 1 / 3).all()


def test_so_narrow_fields_that_values_would_be_silent_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"between two centres the activity is 0\.0439 with beta 5"):
        Population(4, beta=5.0)
    assert Population(4, beta=5.0, silent_below=0.04)
    assert Population(4, beta=5.0, readout="rate")


@pytest.mark.parametrize("parameters", [{"n_fields": 2}, {"beta": 0.0}, {"readout": "phase"}, {"silent_below": 1.5}])
def test_parameters_out_of_range_are_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match=f"population: {next(iter(parameters))} is"):
        Population(4, **parameters)


def test_a_value_outside_the_range_of_the_fields_is_refused() -> None:
    with pytest.raises(EncodingError, match="population: values reach from 0 to 7"):
        encoded(Population(4), [0, 7])
