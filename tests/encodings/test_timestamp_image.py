from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from neurodata.encodings import _windows
from neurodata.encodings.timestamp_image import TimestampImage, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.encodings.test_event_frame import events_at
from tests.encodings.test_windows import fixed_windows
from tests.step_contract import events_of
from tests.strategies import event_arrays


def test_times_by_hand() -> None:
    events = events_of([100, 149, 199, 199], [0, 0, 1, 0], [0] * 4, [1, 1, 0, 0], Sensor(3, 1))
    image = TimestampImage(T=1)(events)
    assert image.dtype == np.float32
    assert image[0, :, 0].tolist() == [[1, 1, 0], [0.5, 0, 0]]


def test_a_window_shows_its_own_events_on_the_scale_of_the_sample() -> None:
    tally: Counter[str] = Counter()
    frames = TimestampImage(T=3, duration_us=3)(events_at([0, 1, 6, 9]), None, tally)
    assert frames[:, 1, 0, 0].tolist() == [np.float32(0.2), 0, np.float32(0.7)]
    assert tally == {"after the last frame": 1}


@pytest.mark.parametrize("t_us", [[7], [7, 7]])
def test_the_only_instant_is_the_latest_one(t_us: list[int]) -> None:
    assert TimestampImage(T=1)(events_at(t_us))[0, :, 0, 0].tolist() == [0, 1]


@given(events=event_arrays(), parameters=fixed_windows())
def test_images_equal_the_reference(events: EventArray, parameters: dict[str, int]) -> None:
    step = TimestampImage(**parameters)
    frames = step(events)
    np.testing.assert_array_equal(frames, reference(events, _windows.reference(step, events.t, len(frames))))


@given(events=event_arrays())
def test_the_latest_event_is_one_and_only_silent_pixels_are_zero(events: EventArray) -> None:
    image = TimestampImage(T=1)(events)
    assert image.max() == (1 if len(events) else 0)
    channel = events.p.astype(int)
    assert np.count_nonzero(image) == len(set(zip(channel.tolist(), events.y.tolist(), events.x.tolist(), strict=True)))


def test_times_at_the_ends_of_the_clock() -> None:
    frames = TimestampImage(T=1)(events_of([-(2**62), 0, 2**62 - 1], [0, 1, 2], [0] * 3, [1] * 3, Sensor(3, 1)))
    np.testing.assert_allclose(frames[0, 1, 0], [0, 0.5, 1], atol=1e-6)
    assert frames[0, 1, 0, 0] > 0


def test_there_is_exactly_one_way_to_split() -> None:
    with pytest.raises(RecipeError, match="timestamp_image: state T"):
        TimestampImage()
