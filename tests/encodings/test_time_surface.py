from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurodata
from neurodata.encodings._surface_times import Decay
from neurodata.encodings.time_surface import TimeSurface, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays

steps = st.builds(
    TimeSurface,
    T=st.integers(1, 12),
    tau_us=st.sampled_from([1, 20, 1000, 10**9]),
    decay=st.sampled_from(["exponential", "linear"]),
    window_us=st.none() | st.sampled_from([1, 30, 400]),
)


def events_of(rows: list[tuple[int, int, int]], sensor: Sensor | None = None) -> EventArray:
    """Events (t, x, p) on one row of pixels."""
    t, x, p = np.array(rows, np.int64).reshape(-1, 3).T
    y = np.zeros(len(t), np.uint16)
    return EventArray(t.copy(), x.astype(np.uint16), y, p.astype(bool), sensor or Sensor(2, 1))


@pytest.mark.parametrize(
    ("decay", "values"), [("exponential", np.exp([-1, -11, -7, -2.0])), ("linear", [1 - 1 / 3, 0, 0, 1 - 2 / 3])]
)
def test_surfaces_by_hand(decay: Decay, values: list[float]) -> None:
    events = events_of([(0, 0, 1), (9, 0, 1), (13, 1, 0), (18, 1, 0), (41, 0, 1)])
    tally: Counter[str] = Counter()
    surfaces = TimeSurface(2, tau_us=1, decay=decay, window_us=10)(events, None, tally)
    assert surfaces.shape == (2, 2, 1, 2)
    expected = np.zeros((2, 2, 2))
    expected[0, 1, 0], expected[1, 1, 0], expected[1, 0, 1] = values[0], values[1], values[3]
    np.testing.assert_allclose(surfaces[:, :, 0], expected, rtol=1e-6)
    assert tally == {"after the last window": 1}


def test_the_last_event_of_a_sample_is_as_bright_as_can_be() -> None:
    surfaces = TimeSurface(3, tau_us=5)(events_of([(0, 0, 0), (30, 1, 1)]))
    np.testing.assert_allclose(surfaces[:, 0, 0, 0], np.exp([-2, -4, -6]), rtol=1e-6)
    assert surfaces[:, 1, 0, 1].tolist() == [0, 0, 1]


@pytest.mark.parametrize("rows", [[], [(3, 1, 1)]])
def test_pixels_that_never_fired_are_zero(rows: list[tuple[int, int, int]]) -> None:
    surfaces = TimeSurface(2, tau_us=1)(events_of(rows))
    assert np.count_nonzero(surfaces) == 2 * len(rows)


def test_a_sensor_of_one_polarity_has_one_channel() -> None:
    surfaces = TimeSurface(1)(events_of([(0, 0, 0), (0, 1, 1)], Sensor(2, 1, polarities=1)))
    assert surfaces.shape == (1, 1, 1, 2)
    assert (surfaces > 0.99).all()


@given(events=event_arrays(), step=steps)
def test_kernel_equals_the_reference(events: EventArray, step: TimeSurface) -> None:
    expected = reference(events, step.T, step.tau_us, step.decay, step.window_us)
    # A float32 from a product of T factors in double precision, which reach below the smallest float32.
    np.testing.assert_allclose(step(events), expected, rtol=2**-23, atol=1e-14)


@pytest.mark.parametrize("tau_us", [1, 7, 3000, 10**9])
@pytest.mark.parametrize("step_us", [2, 600])
def test_growth_from_event_to_event_does_not_drift(tau_us: int, step_us: int) -> None:
    """Windows of many thousand events, closer together than 256 us, and not."""
    rng, n = np.random.default_rng(0), 30_000
    t = np.cumsum(rng.integers(0, step_us, n))
    x, y = rng.integers(0, 40, (2, n)).astype(np.uint16)
    events = EventArray(t, x, y, rng.integers(0, 2, n).astype(bool), Sensor(40, 40))
    expected = reference(events, 2, tau_us, "exponential", None)
    np.testing.assert_allclose(TimeSurface(2, tau_us)(events), expected, rtol=2**-23, atol=1e-38)


@given(events=event_arrays(), step=steps)
def test_values_are_between_zero_and_one(events: EventArray, step: TimeSurface) -> None:
    surfaces = step(events)
    assert surfaces.min(initial=0) >= 0
    assert surfaces.max(initial=0) <= 1


@given(events=event_arrays(), step=steps, offset_us=st.integers(-(2**40), 2**40))
def test_the_clock_offset_does_not_matter(events: EventArray, step: TimeSurface, offset_us: int) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    np.testing.assert_array_equal(step(events), step(later))


@given(events=event_arrays(), n=st.integers(0, 60))
def test_surfaces_of_stated_windows_are_causal(events: EventArray, n: int) -> None:
    """What comes later does not change a surface."""
    step = TimeSurface(4, tau_us=50, window_us=100)
    n = min(n, len(events))
    whole, part = step(events), step(events[:n])
    for k in range(4):
        if n == len(events) or (n and events.t[n] >= events.t[0] + (k + 1) * 100):
            np.testing.assert_array_equal(whole[k], part[k])


@given(events=event_arrays(), step=steps)
def test_swapped_polarity_swaps_the_channels(events: EventArray, step: TimeSurface) -> None:
    swapped = EventArray(events.t, events.x, events.y, ~events.p, events.sensor)
    np.testing.assert_array_equal(step(swapped), step(events)[:, ::-1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"T": 0}, "T is 0"),
        ({"T": 1, "tau_us": 0}, "tau_us is 0"),
        ({"T": 1, "window_us": 0}, "window_us is 0"),
        ({"T": 1, "decay": "lin"}, "decay is 'lin'; expected exponential or linear"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"time_surface: {message}"):
        TimeSurface(**parameters)


def tonic_surfaces(events: EventArray, dt_us: int, tau_us: int) -> np.ndarray:
    transforms = pytest.importorskip("tonic.transforms")
    size = (events.sensor.width, events.sensor.height, 2)
    return np.asarray(transforms.ToTimesurface(sensor_size=size, dt=dt_us, tau=tau_us)(events.to_structured()))


@given(events=event_arrays(), dt_us=st.integers(1, 300), tau_us=st.integers(1, 300))
def test_surfaces_equal_tonic(events: EventArray, dt_us: int, tau_us: int) -> None:
    assume(len(events) > 0)
    expected = tonic_surfaces(events, dt_us, tau_us)
    step = TimeSurface(len(expected), tau_us, window_us=dt_us)
    np.testing.assert_allclose(step(events), expected, rtol=2**-23, atol=1e-14)


def test_tonic_fails_without_events_and_leaves_out_an_incomplete_window() -> None:
    with pytest.raises(IndexError):
        tonic_surfaces(events_of([]), 10, 10)
    assert len(tonic_surfaces(events_of([(0, 0, 1), (19, 1, 1)]), 10, 10)) == 1
    assert TimeSurface(2, 10, window_us=10)(events_of([(0, 0, 1), (19, 1, 1)]))[1, 1, 0, 1] > 0


def test_a_real_recording_equals_tonic_and_the_reference(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    expected = tonic_surfaces(events, 20_000, 50_000)
    assert len(expected) > 10
    surfaces = TimeSurface(len(expected), 50_000, window_us=20_000)(events)
    np.testing.assert_allclose(surfaces, expected, rtol=2**-23, atol=1e-14)
    np.testing.assert_allclose(
        TimeSurface(10)(events), reference(events, 10, 50_000, "exponential", None), rtol=2**-23, atol=1e-14
    )
