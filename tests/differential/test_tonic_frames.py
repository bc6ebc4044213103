"""Our frames are tonic's where tonic keeps every event; where it loses some, ours are those that it lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neurodata.encodings.event_frame import EventFrame
from neurodata.signals import EventArray
from tests.encodings.test_event_frame import events_at, on_counts
from tests.strategies import event_arrays

functional = pytest.importorskip("tonic.functional", reason="needs the extra `tonic`")


def peer_frames(events: EventArray, **parameters: object) -> np.ndarray:
    size = (events.sensor.width, events.sensor.height, 2)
    frames: np.ndarray = functional.to_frame_numpy(events.to_structured(), size, **parameters)
    return frames


@given(events=event_arrays(max_events=200), duration_us=st.integers(2, 300), data=st.data())
def test_frames_of_a_fixed_duration_are_tonics_but_for_the_closed_end(
    events: EventArray, duration_us: int, data: st.DataObject
) -> None:
    assume(len(events))
    overlap_us = data.draw(st.integers(0, duration_us - 1))
    expected = peer_frames(events, time_window=duration_us, overlap=overlap_us, include_incomplete=True)
    step = EventFrame(duration_us=duration_us, overlap_us=overlap_us or None)
    frames = step(events)
    assert frames.shape == expected.shape
    np.testing.assert_array_equal(frames[:-1], expected[:-1])
    end_us = events.start_us + (len(frames) - 1) * (duration_us - overlap_us) + duration_us
    assert frames[-1].sum() - expected[-1].sum() == np.count_nonzero(events.t == end_us)


@given(events=event_arrays(max_events=200), n=st.integers(2, 70), data=st.data())
def test_frames_of_a_fixed_number_of_events_are_tonics(events: EventArray, n: int, data: st.DataObject) -> None:
    assume(len(events) >= n)  # with fewer, tonic's step is another one
    shared = data.draw(st.integers(0, n - 1))
    expected = peer_frames(events, event_count=n, overlap=shared, include_incomplete=True)
    frames = EventFrame(events_per_frame=n, overlap_events=shared or None)(events)
    np.testing.assert_array_equal(frames, expected)


def test_tonic_loses_events_at_the_edges_that_ours_keep() -> None:
    events = events_at([0, 10, 20, 25])
    assert on_counts(peer_frames(events, time_window=10)) == [1, 1]
    assert on_counts(EventFrame(duration_us=10)(events)) == [1, 1, 2]
    assert on_counts(peer_frames(events, event_count=3)) == [3]
    assert on_counts(EventFrame(events_per_frame=3)(events)) == [3, 1]
    assert on_counts(peer_frames(events, n_time_bins=2)) == [2, 1]
    assert on_counts(EventFrame(T=2, split_by="time")(events)) == [2, 2]
    assert on_counts(peer_frames(events, n_event_bins=3)) == [1, 1, 1]
    assert on_counts(EventFrame(T=3)(events)) == [1, 1, 2]
