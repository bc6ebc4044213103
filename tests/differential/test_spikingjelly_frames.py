"""Our frames are SpikingJelly's, bit for bit, wherever SpikingJelly gives any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neurodata.encodings.event_frame import EventFrame
from neurodata.signals import EventArray, Sensor
from tests.peers import spikingjelly_event_functions
from tests.strategies import event_arrays

spikingjelly = spikingjelly_event_functions()
NAMES = {"count": "number", "time": "time"}


def peer_frames(events: EventArray, T: int, split_by: str) -> np.ndarray:
    columns = {"t": events.t, "x": events.x, "y": events.y, "p": events.p}
    return spikingjelly.integrate_events_by_fixed_frames_number(
        columns, NAMES[split_by], T, events.sensor.height, events.sensor.width
    )


def peer_frames_of(events: EventArray, duration_us: int) -> np.ndarray:
    columns = {"t": events.t, "x": events.x, "y": events.y, "p": events.p}
    return spikingjelly.integrate_events_by_fixed_duration(
        columns, duration_us, events.sensor.height, events.sensor.width
    )


@given(events=event_arrays(max_events=300), T=st.integers(1, 20))
def test_frames_by_count_equal_spikingjelly(events: EventArray, T: int) -> None:
    np.testing.assert_array_equal(EventFrame(T=T)(events), peer_frames(events, T, "count"))


@given(events=event_arrays(max_events=300), T=st.integers(1, 20))
def test_frames_by_time_equal_spikingjelly_where_it_does_not_crash(events: EventArray, T: int) -> None:
    try:
        expected = peer_frames(events, T, "time")
    except IndexError:  # a quiet bin
        assume(False)
    np.testing.assert_array_equal(EventFrame(T=T, split_by="time")(events), expected)


def test_spikingjelly_crashes_on_a_quiet_bin_where_ours_are_zeros() -> None:
    events = EventArray(
        np.array([0, 100], np.int64), np.zeros(2, np.uint16), np.zeros(2, np.uint16), np.ones(2, bool), Sensor(1, 1)
    )
    with pytest.raises(IndexError):
        peer_frames(events, 4, "time")
    assert EventFrame(T=4, split_by="time")(events)[:, 1, 0, 0].tolist() == [1, 0, 0, 1]
    assert EventFrame(T=4, split_by="time", dtype="uint8")(events).sum() == 2


@given(events=event_arrays(max_events=300), duration_us=st.integers(1, 300))
def test_frames_of_a_fixed_duration_equal_spikingjelly_where_it_does_not_crash(
    events: EventArray, duration_us: int
) -> None:
    assume(events.duration_us > 0)
    expected = peer_frames_of(events, duration_us)
    np.testing.assert_array_equal(EventFrame(duration_us=duration_us)(events), expected)


def test_the_end_of_the_last_frame_is_inside_as_in_spikingjelly_and_with_t_it_is_not() -> None:
    """An exact multiple of the duration: SpikingJelly makes no frame for the last instant; nor do we without T."""
    events = EventArray(
        np.array([0, 10, 20], np.int64), np.zeros(3, np.uint16), np.zeros(3, np.uint16), np.ones(3, bool), Sensor(1, 1)
    )
    assert peer_frames_of(events, 10)[:, 1, 0, 0].tolist() == [1, 2]
    assert EventFrame(duration_us=10)(events)[:, 1, 0, 0].tolist() == [1, 2]
    assert EventFrame(T=3, duration_us=10)(events)[:, 1, 0, 0].tolist() == [1, 1, 1]


def test_spikingjelly_crashes_on_a_single_event_where_ours_is_one_frame() -> None:
    events = EventArray(
        np.zeros(1, np.int64), np.zeros(1, np.uint16), np.zeros(1, np.uint16), np.ones(1, bool), Sensor(1, 1)
    )
    with pytest.raises(IndexError):
        peer_frames_of(events, 10)
    assert EventFrame(duration_us=10)(events)[:, 1, 0, 0].tolist() == [1]


@pytest.mark.parametrize("split_by", ["count", "time"])
def test_a_large_recording_equals_spikingjelly(split_by: str) -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    events = EventArray(
        np.sort(rng.integers(0, 6_000_000, n)),
        rng.integers(0, 128, n).astype(np.uint16),
        rng.integers(0, 128, n).astype(np.uint16),
        rng.integers(0, 2, n).astype(bool),
        Sensor(128, 128),
    )
    frames = EventFrame(T=16, split_by=split_by)(events)
    np.testing.assert_array_equal(frames, peer_frames(events, 16, split_by))
    assert frames.sum() == n
