from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurodata
from neurodata.encodings.hats import Hats, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays

steps = st.builds(
    Hats,
    cell=st.integers(1, 13),
    radius=st.integers(0, 3),
    tau_us=st.sampled_from([1, 30, 10**9]),
    window_us=st.sampled_from([1, 60, 10**6]),
)


def events_of(rows: list[tuple[int, int, int]], sensor: Sensor | None = None) -> EventArray:
    """Events (t, x, p) on one row of pixels."""
    t, x, p = np.array(rows, np.int64).reshape(-1, 3).T
    y = np.zeros(len(t), np.uint16)
    return EventArray(t.copy(), x.astype(np.uint16), y, p.astype(bool), sensor or Sensor(4, 1))


def distinct_times(events: EventArray) -> EventArray:
    later = events.t + np.arange(len(events))
    return EventArray(later, events.x, events.y, events.p, events.sensor)


def test_surfaces_by_hand() -> None:
    events = events_of([(0, 0, 1), (0, 1, 1), (10, 1, 1), (10, 0, 0), (10, 2, 1), (31, 0, 1)])
    surfaces = Hats(cell=2, radius=1, tau_us=10, window_us=30)(events)
    assert surfaces.shape == (2, 2, 3, 3)
    e = np.exp(-1.0)
    # The first two are of one time and see nothing; the third sees one to its left and one at its own pixel; the
    # one of the other polarity, and the one of the other cell, see nothing; to the last, only t = 10 is in the window.
    np.testing.assert_allclose(surfaces[0, 1, 1], [e / 4, e / 4, np.exp(-2.1) / 4], rtol=1e-6)
    assert np.count_nonzero(surfaces) == 3


def test_the_window_is_closed_at_its_far_end() -> None:
    for window_us, value in ((9, 0), (10, 0.5)):
        surfaces = Hats(window_us=window_us)(events_of([(0, 0, 1), (10, 0, 1)]))
        np.testing.assert_allclose(surfaces[0, 1, 3, 3], value, rtol=1e-6)


@pytest.mark.parametrize("rows", [[], [(3, 1, 1)]])
def test_events_alone_see_nothing(rows: list[tuple[int, int, int]]) -> None:
    assert not Hats()(events_of(rows)).any()


def test_the_ends_of_the_clock_are_far_apart() -> None:
    surfaces = Hats(window_us=2**62 - 1)(events_of([(-(2**62), 0, 1), (2**62 - 1, 0, 1)]))
    assert not surfaces.any()


def test_a_sensor_of_one_polarity_has_one_channel() -> None:
    surfaces = Hats(radius=0)(events_of([(0, 0, 0), (1, 0, 1)], Sensor(4, 1, polarities=1)))
    np.testing.assert_allclose(surfaces, np.full((1, 1, 1, 1), 0.5), rtol=1e-6)


@settings(max_examples=200)
@given(events=event_arrays(), step=steps)
def test_kernel_equals_the_reference(events: EventArray, step: Hats) -> None:
    np.testing.assert_allclose(step(events), reference(events, step), rtol=1e-6, atol=1e-12)


@given(events=event_arrays(sensor=Sensor(12, 8)), tau_us=st.sampled_from([5, 10**6]))
def test_a_mirrored_sensor_mirrors_cells_and_surfaces(events: EventArray, tau_us: int) -> None:
    step = Hats(cell=4, radius=2, tau_us=tau_us)
    mirrored = EventArray(events.t, (11 - events.x).astype(np.uint16), events.y, events.p, events.sensor)
    grids = [step(side).reshape(2, 3, 2, 5, 5) for side in (events, mirrored)]  # [cell rows, cell columns, ...]
    np.testing.assert_array_equal(grids[1], grids[0][:, ::-1, :, :, ::-1])


@given(events=event_arrays(), step=steps, offset_us=st.integers(-(2**40), 2**40))
def test_the_clock_offset_does_not_matter(events: EventArray, step: Hats, offset_us: int) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    np.testing.assert_array_equal(step(events), step(later))


@given(events=event_arrays(), step=steps)
def test_swapped_polarity_swaps_the_channels(events: EventArray, step: Hats) -> None:
    swapped = EventArray(events.t, events.x, events.y, ~events.p, events.sensor)
    np.testing.assert_array_equal(step(swapped), step(events)[:, ::-1])


def test_a_hot_pixel_does_not_take_the_square_of_its_events() -> None:
    """All 200,000 events are in one window: pair by pair that would be 2e10 steps."""
    n = 200_000
    zeros = np.zeros(n, np.uint16)
    events = EventArray(np.arange(n, dtype=np.int64), zeros, zeros, np.ones(n, bool), Sensor(1, 1))
    step = Hats(radius=0, tau_us=10**9, window_us=10**9)
    step(events[:2])  # compiled
    start_s = time.perf_counter()
    mean = step(events)[0, 1, 0, 0]
    assert time.perf_counter() - start_s < 2
    np.testing.assert_allclose(mean, (n - 1) / 2, rtol=1e-3)


@pytest.mark.parametrize("parameters", [{"cell": 0}, {"radius": -1}, {"tau_us": 0}, {"window_us": 0}])
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any]) -> None:
    ((name, value),) = parameters.items()
    with pytest.raises(RecipeError, match=f"hats: {name} is {value}"):
        Hats(**parameters)


def tonic_surfaces(events: EventArray, step: Hats) -> np.ndarray:
    transforms = pytest.importorskip("tonic.transforms")
    to_surfaces = transforms.ToAveragedTimesurface(
        sensor_size=(events.sensor.width, events.sensor.height, 2),
        surface_size=2 * step.radius + 1,
        cell_size=step.cell,
        time_window=step.window_us,
        tau=step.tau_us,
    )
    return np.asarray(to_surfaces(events.to_structured()))


def with_the_event_itself(surfaces: np.ndarray, events: EventArray, step: Hats) -> np.ndarray:
    """What tonic has, from ours: 1 more at the centre, where a cell has events."""
    cells = events.y // step.cell * -(-events.sensor.width // step.cell) + events.x // step.cell
    found = surfaces.copy()
    found[np.unique(cells), :, step.radius, step.radius] += [
        [np.any(~events.p[cells == cell]), np.any(events.p[cells == cell])] for cell in np.unique(cells)
    ]
    return found


@settings(max_examples=50)
@given(events=event_arrays(sensor=Sensor(11, 6)), tau_us=st.sampled_from([20, 10**6]), window_us=st.integers(1, 400))
def test_surfaces_equal_tonic_but_for_the_event_itself(events: EventArray, tau_us: int, window_us: int) -> None:
    step = Hats(cell=5, radius=2, tau_us=tau_us, window_us=window_us)
    # Times that are all different, and that a float32 (tonic's) holds.
    near = distinct_times(EventArray(events.t - events.start_us, events.x, events.y, events.p, events.sensor))
    if len(near) == 0:
        return
    expected = tonic_surfaces(near, step)
    np.testing.assert_allclose(with_the_event_itself(step(near), near, step), expected, rtol=1e-5, atol=1e-6)


def test_tonic_takes_events_of_the_same_time_for_past_ones() -> None:
    step, events = Hats(cell=4, radius=1), events_of([(5, 0, 1), (5, 1, 1)])
    assert tonic_surfaces(events, step)[0, 1].tolist() == [[0, 0, 0], [0.5, 1, 0], [0, 0, 0]]
    assert not step(events).any()


def test_tonics_single_precision_loses_times_of_long_recordings() -> None:
    late_us = 100_000_000
    step, events = Hats(radius=0, tau_us=1, window_us=100), events_of([(late_us + 1, 0, 1), (late_us + 4, 0, 1)])
    assert abs(tonic_surfaces(events, step)[0, 1, 0, 0] - 1 - np.exp(-3.0) / 2) > 0.1 * np.exp(-3.0)
    np.testing.assert_allclose(step(events)[0, 1, 0, 0], np.exp(-3.0) / 2, rtol=1e-6)


def test_a_real_recording_equals_the_reference_and_tonic(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    events, step = events[:1500], Hats(cell=10, radius=3, tau_us=20_000, window_us=50_000)
    np.testing.assert_allclose(step(events), reference(events, step), rtol=1e-6, atol=1e-12)
    events = distinct_times(events)
    expected = tonic_surfaces(events, step)
    np.testing.assert_allclose(with_the_event_itself(step(events), events, step), expected, rtol=1e-4, atol=1e-5)
