from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import SignalError
from neurodata.signals import Clip, EventArray, Image, PointCloud, Sensor, Series, SpikeCounts, Waveform
from tests.strategies import event_arrays


def columns(**changed: np.ndarray) -> dict:
    base = {
        "t": np.array([1, 2, 2], np.int64),
        "x": np.array([0, 1, 2], np.uint16),
        "y": np.array([0, 0, 1], np.uint16),
        "p": np.array([True, False, True]),
    }
    return base | changed | {"sensor": Sensor(3, 2)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"t": np.array([1, 2, 2], np.int32)}, "column t has type int32"),
        ({"x": np.array([0, 1], np.uint16)}, r"column x has type uint16 and shape \(2,\)"),
        ({"p": np.array([0, 1, 1], np.uint8)}, "column p has type uint8"),
        ({"t": np.array([1, 3, 2], np.int64)}, "event 2: time goes back from 3 to 2 us; sort first"),
        ({"x": np.array([0, 1, 3], np.uint16)}, "column x reaches 3, but the sensor is 3x2x2"),
        ({"y": np.array([0, 2, 1], np.uint16)}, "column y reaches 2"),
        ({"t": np.array([1, 2, 2**62], np.int64)}, "times reach from 1 to 4611686018427387904 us; expected -2"),
        ({"t": np.array([-(2**62) - 1, 2, 2], np.int64)}, "times reach from -4611686018427387905"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changed: dict, message: str) -> None:
    with pytest.raises(SignalError, match=message):
        EventArray(**columns(**changed))


def test_unsorted_events_are_sorted_stably_and_the_late_ones_counted() -> None:
    t = np.array([5, 1, 5, 3, 9], np.int64)  # 1, and 3, stand after a later event
    x = np.arange(5, dtype=np.uint16)
    events, n_late = EventArray.from_unsorted(t, x, np.zeros(5, np.uint16), np.ones(5, bool), Sensor(5, 1))
    assert events.t.tolist() == [1, 3, 5, 5, 9]
    assert events.x.tolist() == [1, 3, 0, 2, 4]
    assert n_late == 2
    assert EventArray.from_unsorted(events.t, events.x, events.y, events.p, events.sensor)[1] == 0


@given(events=event_arrays(), start=st.integers(-5, 3000), length=st.integers(-5, 3000))
def test_between_is_half_open_and_shares_memory(events: EventArray, start: int, length: int) -> None:
    first = int(events.t[0]) + start if len(events) else start
    part = events.between(first, first + length)
    mask = (events.t >= first) & (events.t < first + length)
    np.testing.assert_array_equal(part.t, events.t[mask])
    np.testing.assert_array_equal(part.x, events.x[mask])
    assert len(part) == 0 or np.shares_memory(part.t, events.t)


@given(events=event_arrays())
def test_structured_events_round_trip(events: EventArray) -> None:
    assert EventArray.from_structured(events.to_structured(), events.sensor) == events


@given(event_arrays())
def test_trusted_events_are_those_that_are_checked(events: EventArray) -> None:
    assert EventArray.trusted(events.t, events.x, events.y, events.p, events.sensor) == events


def test_a_slice_that_turns_time_back_is_refused() -> None:
    with pytest.raises(SignalError, match="negative step"):
        EventArray(**columns())[::-1]
    assert EventArray(**columns())[1:].t.tolist() == [2, 2]


def test_structured_events_with_missing_fields_or_negative_coordinates_are_refused() -> None:
    events = EventArray(**columns()).to_structured()
    with pytest.raises(SignalError, match="missing: p"):
        EventArray.from_structured(events[["x", "y", "t"]], Sensor(3, 2))
    events["x"][0] = -1
    with pytest.raises(SignalError, match="field x leaves the range"):
        EventArray.from_structured(events, Sensor(3, 2))


def test_the_other_signals_check_their_shape_and_type() -> None:
    f32 = np.zeros
    with pytest.raises(SignalError, match="waveform has type float64"):
        Waveform(np.zeros(3), 8000)
    with pytest.raises(SignalError, match="rate_hz is 0"):
        Waveform(f32(3, np.float32), 0)
    with pytest.raises(SignalError, match="rate_hz is inf"):
        Waveform(f32(3, np.float32), np.inf)
    with pytest.raises(SignalError, match="series: rate_hz is inf"):
        Series(f32((3, 1), np.float32), np.inf)
    with pytest.raises(SignalError, match="clip has type uint8 and 3 axes"):
        Clip(f32((1, 2, 3), np.uint8), 25)
    with pytest.raises(SignalError, match="image has type"):
        Image(f32((2, 3, 1)))
    with pytest.raises(SignalError, match="point cloud: xyz"):
        PointCloud(f32((4, 3), np.float32), f32((3, 0), np.float32))
    with pytest.raises(SignalError, match="target velocity has 4 rows for 5 bins"):
        SpikeCounts(f32((5, 2), np.uint8), 4000, {"velocity": f32(4)})


def test_a_sensor_without_pixels_is_refused() -> None:
    with pytest.raises(SignalError, match="sensor 0x1x2"):
        Sensor(0)


def test_the_longest_recording_has_a_duration() -> None:
    events = EventArray(**columns(t=np.array([-(2**62), 0, 2**62 - 1], np.int64)))
    assert events.duration_us == 2**63 - 1


@pytest.mark.parametrize(("field", "dtype"), [("t", "f8"), ("x", "f4"), ("y", "f8"), ("p", "f4")])
def test_record_arrays_of_fractions_are_refused_not_rounded(field: str, dtype: str) -> None:
    types = {"x": "u2", "y": "u2", "t": "i8", "p": "i1"} | {field: dtype}
    with pytest.raises(SignalError, match=f"event field {field} has type float"):
        EventArray.from_structured(np.zeros(3, list(types.items())), Sensor(3, 2))


def test_times_beyond_int64_do_not_wrap() -> None:
    records = np.zeros(2, [("x", "u2"), ("y", "u2"), ("t", "u8"), ("p", "?")])
    records["t"] = np.uint64(2**63)
    with pytest.raises(SignalError, match="times reach from"):
        EventArray.from_structured(records, Sensor(1, 1))


def test_an_index_that_is_no_slice_says_what_to_do() -> None:
    events = EventArray(**columns())
    for index in (0, events.p):
        with pytest.raises(TypeError, match="taken by slices"):
            events[index]


def test_signals_say_what_they_are_in_a_line() -> None:
    signals = [
        Waveform(np.zeros((5, 2), np.float32), 8000),
        Clip(np.zeros((2, 3, 4, 3), np.uint8), 25.0),
        Image(np.zeros((3, 4, 1), np.float32)),
        PointCloud(np.zeros((7, 3), np.float32), np.zeros((7, 1), np.float32)),
        SpikeCounts(np.zeros((5, 2), np.int64), 4000, {"cursor": np.zeros((5, 2))}),
    ]
    assert [repr(signal) for signal in signals] == [
        "Waveform(5x2 samples at 8000 Hz)",
        "Clip(2x3x4x3, 25 frames a second)",
        "Image(3x4x1)",
        "PointCloud(7 points, 1 features)",
        "SpikeCounts(5x2 bins of 4000 us and units, targets: cursor)",
    ]
