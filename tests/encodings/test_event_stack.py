from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.event_stack import EventStack, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.step_contract import events_of
from tests.strategies import event_arrays


def test_windows_halve_towards_the_end() -> None:
    events = events_of(list(range(8)), list(range(8)), [0] * 8, [1, 0] * 4, Sensor(8, 1))
    frames = EventStack(T=5)(events)
    assert frames.dtype == np.int8
    assert frames[:, 0, 0].tolist() == [
        [1, -1, 1, -1, 1, -1, 1, -1],  # all 8
        [0, 0, 0, 0, 1, -1, 1, -1],  # the last 4
        [0, 0, 0, 0, 0, 0, 1, -1],
        [0, 0, 0, 0, 0, 0, 0, -1],
        [0, 0, 0, 0, 0, 0, 0, 0],  # 8 // 16
    ]


def test_the_latest_polarity_stays() -> None:
    events = events_of([0, 1, 2, 3], [0] * 4, [0] * 4, [1, 1, 1, 0], Sensor(1, 1))
    assert EventStack(T=3)(events)[:, 0, 0, 0].tolist() == [-1, -1, -1]


@given(events=event_arrays(), T=st.integers(1, 70))
def test_stacks_equal_the_reference(events: EventArray, T: int) -> None:
    np.testing.assert_array_equal(EventStack(T=T)(events), reference(events, T))


@given(events=event_arrays(), T=st.integers(2, 8))
def test_a_wider_window_keeps_what_a_narrower_one_shows(events: EventArray, T: int) -> None:
    frames = EventStack(T=T)(events)
    for wide, narrow in pairwise(frames):
        assert ((narrow == 0) | (narrow == wide)).all()


def test_events_of_one_polarity_are_on() -> None:
    events = events_of([0, 1], [0, 2], [0, 0], [0, 1], Sensor(3, 1, polarities=1))
    assert EventStack(T=2)(events)[:, 0, 0].tolist() == [[1, 0, 1], [0, 0, 1]]
    np.testing.assert_array_equal(EventStack(T=2)(events), reference(events, 2))


def test_t_must_be_positive() -> None:
    with pytest.raises(RecipeError, match="event_stack: T is 0"):
        EventStack(T=0)
