"""send_on_delta, step_forward, simple_delta, moving_window and threshold_representation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings import send_on_delta, simple_delta, step_forward
from neurodata.encodings.moving_window import MovingWindow
from neurodata.encodings.send_on_delta import SendOnDelta
from neurodata.encodings.simple_delta import SimpleDelta
from neurodata.encodings.step_forward import StepForward
from neurodata.encodings.threshold_representation import ThresholdRepresentation
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Series

SIGNALS = st.lists(st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=2), min_size=1, max_size=25)
THRESHOLDS = st.floats(0.01, 4)


def encoded(step: Any, values: Any) -> np.ndarray:
    """Spikes [n, 2, C]."""
    array = np.array(values, np.float32)
    return step(Series(array if array.ndim == 2 else array[:, np.newaxis], 1.0))


def signed(step: Any, values: list[float]) -> list[int]:
    """ON less OFF of one channel."""
    spikes = encoded(step, values).astype(int)
    return (spikes[:, 1, 0] - spikes[:, 0, 0]).tolist()


def test_send_on_delta_tells_all_thresholds_of_a_move() -> None:
    assert signed(SendOnDelta(0.5), [1, 1.4, 1.5, 3.2, 3.2, 0]) == [0, 0, 1, 3, 0, -6]


def test_what_send_on_delta_has_no_spikes_for_is_told_later() -> None:
    assert signed(SendOnDelta(0.5, most_spikes=2), [0, 3, 3, 3, 3, 0]) == [0, 2, 2, 2, 0, -2]
    assert encoded(SendOnDelta(0.5), [0.0]).dtype == np.uint8
    assert encoded(SendOnDelta(0.5, most_spikes=1), [0.0]).dtype == np.bool_


def test_step_forward_follows_one_threshold_at_a_time() -> None:
    assert signed(StepForward(0.5), [1, 1.5, 1.75, 3.5, 3.5, 3.5, 0]) == [0, 0, 1, 1, 1, 1, -1]


def test_simple_delta_looks_at_the_step_before_only() -> None:
    values = [0.5, 1, 1.25, 1.5, 0.5]
    assert signed(SimpleDelta(0.5), values) == [1, 1, 0, 0, -1]
    assert signed(SimpleDelta(0.5, padding=True), values) == [0, 1, 0, 0, -1]


def test_moving_window_looks_at_the_mean_of_what_came_before() -> None:
    # means before: -, 0, 0, 1, 2, 3 of two values each, but for the first two
    assert signed(MovingWindow(1.0, window=2), [0, 0, 2, 2, 4, 0]) == [0, 0, 1, 0, 1, -1]
    assert signed(MovingWindow(1.0, window=100), [0, 0, 2, 2, 4, 0]) == [0, 0, 1, 1, 1, -1]


def test_a_steady_level_makes_no_window_fire_however_large_it_is() -> None:
    assert not encoded(MovingWindow(1e-30, window=3), np.full((1000, 1), 0.1 + 1e6)).any()


def test_a_change_fires_where_it_is_larger_than_most() -> None:
    # sizes 1 1 1 1 6, mean 2, standard deviation 2
    values = [0, 1, 0, 1, 0, 6]
    assert signed(ThresholdRepresentation(1.0), values) == [0, 0, 0, 0, 0, 1]
    assert signed(ThresholdRepresentation(1.0), [-x for x in values]) == [0, 0, 0, 0, 0, -1]
    assert signed(ThresholdRepresentation(3.0), values) == [0] * 6


def test_a_falling_signal_fires_as_a_rising_one_does() -> None:
    """With the changes' signs the threshold of this one would be below 0, and an even fall would fire in every step."""
    values = np.array([0, -1, -2, -3, -9, -10], np.float32)
    assert np.diff(values).mean() + 0.5 * np.diff(values).std() < 0
    assert signed(ThresholdRepresentation(0.5), values.tolist()) == [0, 0, 0, 0, -1, 0]
    assert signed(ThresholdRepresentation(0.5), (-values).tolist()) == [0, 0, 0, 0, 1, 0]


@given(SIGNALS, THRESHOLDS, st.integers(1, 255))
def test_the_level_of_send_on_delta_is_less_than_a_threshold_off(values: list, threshold: float, most: int) -> None:
    step = SendOnDelta(threshold, most)
    spikes, x = encoded(step, values), np.array(values, np.float32).astype(np.float64)
    assert ((spikes[:, 0] == 0) | (spikes[:, 1] == 0)).all()
    off = np.abs(step.decode(spikes, x[0]) - x)
    told = spikes.sum(axis=1) < most
    told[0] = True
    assert (off[told] < threshold * (1 + 1e-9) + 1e-9).all()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), THRESHOLDS)
def test_the_baseline_of_step_forward_stays_with_a_slow_signal(moves: list[float], threshold: float) -> None:
    x = np.cumsum(np.array(moves) * threshold * 0.999)[:, np.newaxis].astype(np.float32)
    step = StepForward(threshold)
    assert (np.abs(step.decode(encoded(step, x), x[0]) - x) <= threshold * 1.001 + 1e-5).all()


@given(SIGNALS, THRESHOLDS)
def test_one_spike_a_step_at_most_is_step_forward_but_for_values_at_the_threshold(
    values: list, threshold: float
) -> None:
    ours = encoded(SendOnDelta(threshold, most_spikes=1), values)
    one, baseline = encoded(StepForward(threshold), values), StepForward(threshold)
    before = np.concatenate([np.array(values[:1]), baseline.decode(one, np.array(values[0], np.float32))[:-1]])
    gap = np.abs(np.array(values, np.float32) - before)
    if not np.isclose(gap, threshold).any():
        np.testing.assert_array_equal(ours, one)


@given(SIGNALS, THRESHOLDS, st.integers(1, 255))
def test_kernels_do_what_their_references_do(values: list, threshold: float, most: int) -> None:
    x = np.array(values, np.float32)
    n, C = x.shape
    followed, expected = np.zeros((2, n, 2, C), np.uint8)
    send_on_delta.follow(x, threshold, most, np.zeros(C, np.int64), followed)
    send_on_delta.reference(x, threshold, most, expected)
    np.testing.assert_array_equal(followed, expected)
    stepped, stepped_too, compared, compared_too = np.zeros((4, n, 2, C), np.bool_)
    step_forward.step_after(x, threshold, np.zeros(C, np.int64), stepped)
    step_forward.reference(x, threshold, stepped_too)
    np.testing.assert_array_equal(stepped, stepped_too)
    simple_delta.compare(x, x[0], np.float32(threshold), compared)
    simple_delta.reference(x, x[0], np.float32(threshold), compared_too)
    np.testing.assert_array_equal(compared, compared_too)


@given(SIGNALS, THRESHOLDS, st.integers(1, 6))
def test_a_moving_window_compares_with_the_mean_of_its_rows(values: list, threshold: float, window: int) -> None:
    x = np.array(values, np.float32).astype(np.float64)
    spikes = encoded(MovingWindow(threshold, window), values)
    for i in range(1, len(x)):
        gap = x[i] - x[max(0, i - window) : i].mean(axis=0)
        sure = np.abs(np.abs(gap) - threshold) > 1e-9
        np.testing.assert_array_equal(spikes[i, 1][sure], (gap > threshold)[sure])
        np.testing.assert_array_equal(spikes[i, 0][sure], (gap < -threshold)[sure])


@given(SIGNALS, st.integers(1, 24))
def test_what_comes_later_changes_no_spike_before_it(values: list, stop: int) -> None:
    for step in (SendOnDelta(0.3), StepForward(0.3), SimpleDelta(0.3), MovingWindow(0.3, 4)):
        np.testing.assert_array_equal(encoded(step, values)[:stop], encoded(step, values[:stop]))


def test_the_largest_values_do_not_overflow() -> None:
    largest = float(np.finfo(np.float32).max)
    values = [-largest, largest, -largest]
    assert signed(SendOnDelta(1e-30), values) == [0, 255, 0]  # next to so large a first value the level has not moved
    assert signed(StepForward(1e-30), values) == [0, 1, 0]
    assert signed(MovingWindow(1e-30), values) == [0, 1, -1]
    assert signed(ThresholdRepresentation(0.0), [0, *values]) == [0, 0, 1, -1]


def test_spikes_of_another_shape_are_not_decoded() -> None:
    with pytest.raises(EncodingError, match=r"shape \(4, 3\); expected \[n, 2, channels\]"):
        SendOnDelta(1.0).decode(np.zeros((4, 3), np.uint8))


@pytest.mark.parametrize(
    ("step", "parameters", "message"),
    [
        (SendOnDelta, {"threshold": 0.0}, "send_on_delta: threshold is 0.0"),
        (SendOnDelta, {"threshold": 1.0, "most_spikes": 256}, "send_on_delta: most_spikes is 256"),
        (StepForward, {"threshold": -1.0}, "step_forward: threshold is -1.0"),
        (SimpleDelta, {"threshold": float("nan")}, "simple_delta: threshold is nan"),
        (MovingWindow, {"threshold": float("inf")}, "moving_window: threshold is inf"),
        (MovingWindow, {"threshold": 1.0, "window": 0}, "moving_window: window is 0"),
        (ThresholdRepresentation, {"factor": -0.1}, "threshold_representation: factor is -0.1"),
    ],
)
def test_parameters_out_of_range_are_refused(step: Any, parameters: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        step(**parameters)
