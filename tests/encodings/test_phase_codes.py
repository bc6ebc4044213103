"""weighted_phase and oscillation_phase."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.oscillation_phase import OscillationPhase
from neurodata.encodings.weighted_phase import WeightedPhase
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Series

VALUES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20)


def encoded(step: Any, values: list[float]) -> np.ndarray:
    """Spikes [T, m]."""
    return step(Series(np.array([values], np.float32), 1.0))


def test_a_weighted_phase_is_a_binary_digit_the_heaviest_first() -> None:
    spikes = encoded(WeightedPhase(T=3), [0, 0.125, 0.25, 0.5, 0.625, 0.875, 0.99, 1])
    assert spikes.T.astype(int).tolist() == [
        [0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1],
        [1, 1, 1],  # no number of three digits is larger
        [1, 1, 1],
    ]  # fmt: skip


def test_digits_come_again_every_period() -> None:
    spikes = encoded(WeightedPhase(T=8, K=3), [0.625, 0.25])
    np.testing.assert_array_equal(spikes[3:6], spikes[:3])
    np.testing.assert_array_equal(spikes[6:], spikes[:2])


@given(st.integers(1, 24), VALUES)
def test_digits_decode_to_no_more_than_the_value_and_all_but_the_last_digit_of_it(K: int, values: list[float]) -> None:
    step = WeightedPhase(T=K + 2, K=K)
    decoded = step.decode(encoded(step, values))[0].astype(np.float64)
    left = np.array(values, np.float32) - decoded
    assert ((left >= 0) & (left <= 2.0**-K)).all()


@pytest.mark.parametrize("parameters", [{"T": 4, "K": 5}, {"T": 4, "K": 0}, {"T": 30, "K": 25}, {"T": 25}])
def test_digits_that_do_not_fit_are_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match="weighted_phase: K "):
        WeightedPhase(**parameters)


def test_a_larger_value_fires_earlier_in_every_cycle() -> None:
    spikes = encoded(OscillationPhase(T=10, period=4), [1, 0.8, 0.75, 0.5, 0.1, 0])
    # (1 - x) 4: 0, 0.8, 1, 2, 3.6, and the next cycle
    assert [np.flatnonzero(train).tolist() for train in spikes.T] == [
        [0, 4, 8], [0, 4, 8], [1, 5, 9], [2, 6], [3, 7], [],
    ]  # fmt: skip


def test_a_neuron_waits_for_its_next_peak() -> None:
    spikes = encoded(OscillationPhase(T=8, peak_every=4), [1, 1, 1, 1, 0.8, 0.8, 0.3, 0.3])
    # due in step 0 (four times), 1, 1, 5, 5; peaks at 0 1 2 3 0 1 2 3, and 4 later
    assert [np.flatnonzero(train).tolist() for train in spikes.T] == [[0], [1], [2], [3], [4], [1], [6], [7]]


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 7), VALUES)
def test_the_phase_tells_the_value_within_half_the_time_between_peaks(
    n_peaks: int, every: int, more: int, values: list[float]
) -> None:
    period = n_peaks * every
    step = OscillationPhase(T=period + more, period=period, peak_every=every)
    spikes = encoded(step, values)
    x, decoded, fired = np.array(values, np.float32), step.decode(spikes)[0], spikes[:period].any(axis=0)
    assert (np.abs(decoded - x)[fired] <= every / 2 / period + 1e-6).all()
    assert (x[~fired] <= every / period + 1e-6).all()
    due = np.floor((1 - x.astype(np.float64)) * period)
    assert (spikes[:period].argmax(axis=0)[fired] >= due[fired]).all()  # no spike before it is due


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"T": 4, "period": 5}, "period .* is 5"),
        ({"T": 8, "peak_every": 9}, "peak_every is 9"),
        ({"T": 8, "peak_every": 3}, "a period of 8 steps with peaks every 3"),
    ],
)
def test_cycles_that_do_not_fit_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        OscillationPhase(**parameters)


@pytest.mark.parametrize("step", [WeightedPhase(4), OscillationPhase(4)])
def test_values_outside_zero_to_one_are_refused(step: Any) -> None:
    with pytest.raises(EncodingError, match="phase: values reach from -1 to 0; expected 0 to 1"):
        encoded(step, [-1, 0])
