from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.event_frame import BLOCK, CountType, EventFrame, reference
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays, many_events

split_ways = st.sampled_from(["count", "time"])


def events_at(t_us: list[int], sensor: Sensor | None = None) -> EventArray:
    n = len(t_us)
    return EventArray(
        np.array(t_us, np.int64),
        np.zeros(n, np.uint16),
        np.zeros(n, np.uint16),
        np.ones(n, np.bool_),
        sensor or Sensor(1, 1),
    )


def on_counts(frames: np.ndarray) -> list[int]:
    return [int(count) for count in frames[:, 1].sum(axis=(1, 2))]


@pytest.mark.parametrize(
    ("t_us", "T", "split_by", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6], 3, "count", [2, 2, 3]),  # d = 2, the last frame takes the remainder
        ([0, 1], 3, "count", [0, 0, 2]),  # d = 0: everything is remainder
        ([0, 10, 20, 29], 3, "time", [1, 1, 2]),  # width 29 // 3 = 9: 27 and later are the last bin
        ([0, 9, 18, 27], 3, "time", [1, 1, 2]),  # boundaries are half-open, the last bin is closed
        ([0, 100], 4, "time", [1, 0, 0, 1]),  # quiet bins are zeros
        ([5, 6], 4, "time", [1, 1, 0, 0]),  # shorter than T us: bins of 1 us
        ([7], 2, "time", [1, 0]),
        ([7], 2, "count", [0, 1]),
        ([], 2, "count", [0, 0]),
        ([], 2, "time", [0, 0]),
        ([3, 3, 3], 2, "time", [3, 0]),  # equal times stay together
    ],
)
def test_frames_count_events_by_hand(t_us: list[int], T: int, split_by: str, expected: list[int]) -> None:
    assert on_counts(EventFrame(T=T, split_by=split_by)(events_at(t_us))) == expected


def test_polarity_row_and_column_are_the_axes() -> None:
    events = EventArray(
        np.array([0, 1], np.int64), np.array([2, 0], np.uint16), np.array([0, 1], np.uint16),
        np.array([True, False]), Sensor(3, 2),
    )  # fmt: skip
    frames = EventFrame(T=1)(events)
    assert frames.shape == (1, 2, 2, 3)
    assert frames[0, 1, 0, 2] == 1
    assert frames[0, 0, 1, 0] == 1
    assert frames.sum() == 2


def test_one_polarity_sensor_has_one_channel() -> None:
    frames = EventFrame(T=2)(events_at([0, 1, 2], Sensor(1, 1, polarities=1)))
    assert frames.shape == (2, 1, 1, 1)
    assert frames.sum() == 3


@given(events=event_arrays(), T=st.integers(1, 20), split_by=split_ways)
def test_kernel_equals_the_reference(events: EventArray, T: int, split_by: str) -> None:
    np.testing.assert_array_equal(EventFrame(T=T, split_by=split_by)(events), reference(events, T, split_by))


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
@pytest.mark.parametrize("polarities", [1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_windows_of_many_blocks_equal_the_reference(n: int, polarities: int, dtype: CountType) -> None:
    """With counts that fit, and with counts that do not."""
    events, tally = many_events(n, Sensor(2, 3, polarities)), Counter[str]()
    frames = EventFrame(2, "time", dtype=dtype, overflow="saturate")(events, None, tally)
    expected, limit = reference(events, 2, "time"), np.iinfo(dtype).max
    np.testing.assert_array_equal(frames, np.minimum(expected, limit))
    assert tally["saturated"] == np.maximum(expected - limit, 0).sum()


@given(events=event_arrays(), T=st.integers(1, 20), split_by=split_ways)
def test_every_event_lands_in_exactly_one_bin(events: EventArray, T: int, split_by: str) -> None:
    assert EventFrame(T=T, split_by=split_by)(events).sum() == len(events)


@given(events=event_arrays(), T=st.integers(1, 5), split_by=split_ways)
def test_the_input_is_left_as_it_is(events: EventArray, T: int, split_by: str) -> None:
    before = [getattr(events, name).copy() for name in "txyp"]
    EventFrame(T=T, split_by=split_by)(events)
    for name, column in zip("txyp", before, strict=True):
        np.testing.assert_array_equal(getattr(events, name), column)


@given(events=event_arrays(), T=st.integers(1, 9), offset_us=st.integers(-(2**32), 2**40))
def test_time_frames_do_not_depend_on_the_clock_offset(events: EventArray, T: int, offset_us: int) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    step = EventFrame(T=T, split_by="time")
    np.testing.assert_array_equal(step(events), step(later))


@pytest.mark.parametrize(("dtype", "n"), [("uint8", 256), ("uint16", 65536)])
def test_a_count_that_does_not_fit_is_an_error_that_names_the_way_out(dtype: str, n: int) -> None:
    with pytest.raises(EncodingError, match=r'1 events exceed .* wider dtype .*overflow="saturate"'):
        EventFrame(T=1, dtype=dtype)(events_at([0] * n))


def test_saturation_is_counted_and_never_wraps() -> None:
    tally: Counter[str] = Counter()
    frames = EventFrame(T=1, dtype="uint8", overflow="saturate")(events_at([0] * 300), None, tally)
    assert frames.max() == 255
    assert tally == {"saturated": 45}


def test_t_must_be_positive() -> None:
    with pytest.raises(RecipeError, match="T is 0"):
        EventFrame(T=0)


@pytest.mark.parametrize(
    "parameters", [{"split_by": "tmie"}, {"dtype": "int16"}, {"overflow": "saturated"}], ids=lambda p: next(iter(p))
)
def test_a_parameter_that_is_no_choice_is_refused(parameters: dict) -> None:
    (name,) = parameters
    with pytest.raises(RecipeError, match=f"event_frame: {name} is '.*'; expected .* or "):
        EventFrame(4, **parameters)


@pytest.mark.parametrize("times", [[2**62 - 1], [-(2**62)], [-(2**62), 2**62 - 1], [2**62 - 20, 2**62 - 1]])
@pytest.mark.parametrize("T", [1, 2, 16])
def test_time_bins_do_not_overflow_at_the_ends_of_the_clock(times: list[int], T: int) -> None:
    zeros = np.zeros(len(times), np.uint16)
    events = EventArray(np.array(times), zeros, zeros, zeros.astype(bool), Sensor(1, 1))
    frames = EventFrame(T, "time")(events)
    bin_us = max(1, (times[-1] - times[0]) // T)
    expected = np.bincount([min((t - times[0]) // bin_us, T - 1) for t in times], minlength=T)
    np.testing.assert_array_equal(frames[:, 0, 0, 0], expected)
