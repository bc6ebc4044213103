"""Our background activity filter is that of dv-processing, by the sensor's maker, event for event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.formats import read
from neurodata.signals import EventArray
from neurodata.transforms.denoise import Denoise
from tests.strategies import event_arrays

dv = pytest.importorskip("dv_processing", reason="needs dv-processing")
# It takes pixels that never fired to have fired at zero of the clock.
LATE_US = 10**9


def dv_times_and_pixels(events: EventArray, filter_time_us: int) -> np.ndarray:
    resolution = events.sensor.width, events.sensor.height
    filter = dv.noise.BackgroundActivityNoiseFilter(resolution, timedelta(microseconds=filter_time_us))
    store = dv.EventStore()
    for t, x, y, p in zip(*(getattr(events, name).tolist() for name in "txyp"), strict=True):
        store.push_back(t, x, y, p)
    filter.accept(store)
    kept = filter.generateEvents().numpy()
    return np.stack([kept["timestamp"], kept["x"], kept["y"], kept["polarity"]], axis=1).astype(np.int64)


def ours(events: EventArray, filter_time_us: int) -> np.ndarray:
    kept = Denoise(filter_time_us)(events)
    return np.stack([kept.t, kept.x, kept.y, kept.p], axis=1).astype(np.int64)


def later(events: EventArray) -> EventArray:
    return EventArray(events.t + LATE_US, events.x, events.y, events.p, events.sensor)


@given(events=event_arrays().filter(len), filter_time_us=st.integers(1, 300))
def test_denoised_events_are_those_of_dv_processing(events: EventArray, filter_time_us: int) -> None:
    events = later(events)
    np.testing.assert_array_equal(ours(events, filter_time_us), dv_times_and_pixels(events, filter_time_us))


def test_real_digits_are_denoised_as_by_dv_processing(recordings: Path) -> None:
    for path in sorted((recordings / "n-mnist").rglob("*.bin"))[::200]:
        events = read(path)
        assert isinstance(events, EventArray)
        events = later(events)
        np.testing.assert_array_equal(ours(events, 5000), dv_times_and_pixels(events, 5000))
