from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from neurodata.encodings import _windows
from neurodata.encodings.sign_frame import SignFrame, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.encodings.test_windows import fixed_windows
from tests.step_contract import events_of
from tests.strategies import event_arrays


def test_signs_by_hand() -> None:
    events = events_of([0, 1, 2, 3, 19, 20, 39, 40], [0] * 8, [0] * 8, [1, 1, 0, 1, 0, 0, 1, 1], Sensor(2, 1))
    tally: Counter[str] = Counter()
    frames = SignFrame(T=2, duration_us=20)(events, None, tally)
    assert frames.dtype == np.int8
    assert frames.shape == (2, 1, 1, 2)
    assert frames[:, 0, 0].tolist() == [[1, 0], [0, 0]]  # 3 ON and 2 OFF; one of each; no event
    assert tally == {"after the last frame": 1}


@pytest.mark.parametrize(("p", "sign"), [(1, 1), (0, -1)])
@pytest.mark.parametrize("n", [127, 128, 255, 256, 65536])
def test_a_busy_pixel_does_not_wrap(n: int, p: int, sign: int) -> None:
    zeros = np.zeros(n, np.uint16)
    events = EventArray(zeros.astype(np.int64), zeros, zeros, np.full(n, p, bool), Sensor(1, 1))
    assert SignFrame(T=1, duration_us=20)(events).item() == sign


@given(events=event_arrays(), parameters=fixed_windows())
def test_frames_equal_the_reference(events: EventArray, parameters: dict[str, int]) -> None:
    step = SignFrame(**parameters)
    frames = step(events)
    np.testing.assert_array_equal(frames, reference(events, _windows.reference(step, events.t, len(frames))))


@given(events=event_arrays())
def test_turned_polarities_turn_the_sign(events: EventArray) -> None:
    turned = EventArray(events.t, events.x, events.y, ~events.p, events.sensor)
    np.testing.assert_array_equal(SignFrame(T=3)(turned), -SignFrame(T=3)(events))


def test_events_of_one_polarity_are_on() -> None:
    events = events_of([0, 1], [0, 2], [0, 0], [0, 1], Sensor(3, 1, polarities=1))
    assert SignFrame(T=1)(events)[0, 0, 0].tolist() == [1, 0, 1]
    inside = np.ones((1, 2), bool)
    np.testing.assert_array_equal(reference(events, inside), SignFrame(T=1)(events))


def test_there_is_exactly_one_way_to_split() -> None:
    with pytest.raises(RecipeError, match="sign_frame: state T"):
        SignFrame()
