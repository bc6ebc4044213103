from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from neurodata.encodings import _windows
from neurodata.encodings.binary_frame import BinaryFrame, reference
from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import RecipeError
from neurodata.signals import EventArray
from tests.encodings.test_event_frame import events_at
from tests.encodings.test_windows import fixed_windows
from tests.strategies import event_arrays


def test_a_pixel_is_one_however_many_events_it_had() -> None:
    tally: Counter[str] = Counter()
    frames = BinaryFrame(duration_us=10, T=3)(events_at([0, 1, 2, 25, 30]), None, tally)
    assert frames.dtype == np.uint8
    assert frames[:, :, 0, 0].tolist() == [[0, 1], [0, 0], [0, 1]]
    assert tally == {"after the last frame": 1}
    assert not BinaryFrame(T=3).counts_events


@given(events=event_arrays(), parameters=fixed_windows())
def test_frames_equal_the_reference(events: EventArray, parameters: dict[str, int]) -> None:
    step = BinaryFrame(**parameters)
    frames = step(events)
    np.testing.assert_array_equal(frames, reference(events, _windows.reference(step, events.t, len(frames))))


@given(events=event_arrays())
def test_frames_are_event_frames_cut_at_one(events: EventArray) -> None:
    for split_by in ("count", "time"):
        counts = EventFrame(T=5, split_by=split_by)(events)
        np.testing.assert_array_equal(BinaryFrame(T=5, split_by=split_by)(events), np.minimum(counts, 1))


def test_there_is_exactly_one_way_to_split() -> None:
    with pytest.raises(RecipeError, match="binary_frame: state T"):
        BinaryFrame()
