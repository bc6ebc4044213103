from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurodata
from neurodata.encodings.tore import Tore, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays

OLDEST = np.log(5_000_001) - np.log(151)
steps = st.builds(
    Tore,
    T=st.integers(1, 4),
    k=st.integers(1, 4),
    min_us=st.sampled_from([0, 10]),
    max_us=st.sampled_from([11, 500, 2**24]),
    window_us=st.none() | st.sampled_from([1, 30, 400]),
)


def events_at(t_us: list[int], p: list[int], sensor: Sensor | None = None) -> EventArray:
    zeros = np.zeros(len(t_us), np.uint16)
    return EventArray(np.array(t_us, np.int64), zeros, zeros, np.array(p, np.bool_), sensor or Sensor(1, 1))


def ages_of(volumes: np.ndarray, min_us: int = 150) -> np.ndarray:
    return np.exp(volumes[..., 0, 0] + np.log(min_us + 1)) - 1


def test_volumes_by_hand() -> None:
    events = events_at([0, 100, 300, 1000, 1500, 2000], [1, 1, 1, 0, 1, 1])
    tally: Counter[str] = Counter()
    volumes = Tore(2, k=2, min_us=0, max_us=5000, window_us=1000)(events, None, tally)
    # [T, OFF latest, OFF before, ON latest, ON before]
    np.testing.assert_allclose(ages_of(volumes, 0), [[5000, 5000, 700, 900], [1000, 5000, 500, 1700]], rtol=1e-5)
    assert tally == {"after the last window": 1}  # at the end of a window is after it


def test_the_scale_is_the_authors() -> None:
    volumes = Tore(1, k=3)(events_at([0, 151, 100_000], [1, 1, 1]))[0, 3:, 0, 0]
    np.testing.assert_allclose(volumes, [0, np.log(99_850) - np.log(151), np.log(100_001) - np.log(151)], rtol=1e-6)


@pytest.mark.parametrize("t_us", [[], [-(2**62), 2**62 - 1]])
def test_what_never_happened_is_as_old_as_what_is_long_ago(t_us: list[int]) -> None:
    volumes = Tore(2)(events_at(t_us, [1] * len(t_us)))
    assert volumes.shape == (2, 8, 1, 1)
    is_new = np.zeros((2, 8), bool)
    is_new[1, 4] = bool(t_us)
    np.testing.assert_allclose(volumes[:, :, 0, 0], np.where(is_new, 0, OLDEST), rtol=1e-6)


def test_a_sensor_of_one_polarity_has_k_channels() -> None:
    assert Tore(1, k=3)(events_at([0], [1], Sensor(1, 1, polarities=1))).shape == (1, 3, 1, 1)


@settings(max_examples=50)
@given(events=event_arrays(max_events=40), step=steps)
def test_kernel_equals_the_reference(events: EventArray, step: Tore) -> None:
    volumes = step(events)
    np.testing.assert_allclose(volumes, reference(events, step).reshape(volumes.shape), rtol=1e-6, atol=1e-12)


@given(events=event_arrays(), step=steps)
def test_a_pixel_remembers_in_the_order_of_time(events: EventArray, step: Tore) -> None:
    volumes = step(events).reshape(step.T, 2, step.k, events.sensor.height, events.sensor.width)
    assert (np.diff(volumes, axis=2) >= 0).all()
    assert (volumes >= 0).all()


@given(events=event_arrays(), step=steps, offset_us=st.integers(-(2**40), 2**40))
def test_the_clock_offset_does_not_matter(events: EventArray, step: Tore, offset_us: int) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    np.testing.assert_array_equal(step(events), step(later))


@given(events=event_arrays(), step=steps)
def test_a_shorter_memory_is_the_first_part_of_a_longer_one(events: EventArray, step: Tore) -> None:
    longer = Tore(step.T, step.k + 1, step.min_us, step.max_us, step.window_us)(events)
    shape = (step.T, 2, step.k + 1, events.sensor.height, events.sensor.width)
    np.testing.assert_array_equal(step(events), longer.reshape(shape)[:, :, :-1].reshape(step(events).shape))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"T": 0}, "T is 0"),
        ({"T": 1, "k": 0}, "k is 0"),
        ({"T": 1, "max_us": 2**24 + 1}, "max_us is 16777217"),
        ({"T": 1, "min_us": 5, "max_us": 5}, "min_us is 5; expected 0 to 4"),
        ({"T": 1, "window_us": -1}, "window_us is -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"tore: {message}"):
        Tore(**parameters)


def test_a_real_recording_equals_the_reference(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    step = Tore(2, k=4)
    volumes = step(events)
    np.testing.assert_allclose(volumes, reference(events, step).reshape(volumes.shape), rtol=1e-6, atol=1e-12)
