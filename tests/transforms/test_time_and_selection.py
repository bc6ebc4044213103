"""time_slice, first_events, decimate, merge_polarities and time_skew."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from neurodata.transforms._keep import kept
from neurodata.transforms._keep import reference as reference_kept
from neurodata.transforms.decimate import Decimate, reference
from neurodata.transforms.first_events import FirstEvents
from neurodata.transforms.merge_polarities import MergePolarities
from neurodata.transforms.time_skew import TimeSkew
from neurodata.transforms.time_slice import TimeSlice
from tests.step_contract import CORNERS, events_of
from tests.strategies import event_arrays


def at(*t: int) -> EventArray:
    return events_of(list(t), [0] * len(t), [0] * len(t), [1] * len(t), Sensor(1, 1))


@given(events=event_arrays(), seed=st.integers(0, 99), density=st.sampled_from([0, 0.1, 0.5, 0.9, 1]))
def test_kept_events_equal_the_reference(events: EventArray, seed: int, density: float) -> None:
    keep = np.random.default_rng(seed).random(len(events)) < density
    tally: Counter[str] = Counter()
    found = kept(events, keep, tally, "lost")
    assert found == reference_kept(events, keep)
    assert tally["lost"] == len(events) - len(found)
    assert (found is events) == bool(keep.all())


@pytest.mark.parametrize(
    ("start_us", "stop_us", "origin", "expected"),
    [
        (0, None, "first", [10, 20, 20, 30]),
        (0, 10, "first", [10]),  # half-open
        (0, 11, "first", [10, 20, 20]),
        (10, 20, "first", [20, 20]),
        (-5, 1, "first", [10]),
        (0, 20, "clock", [10]),
        (20, None, "clock", [20, 20, 30]),
        (31, None, "clock", []),
        (5, 5, "first", []),
    ],
)
def test_time_slices_by_hand(start_us: int, stop_us: int | None, origin: str, expected: list[int]) -> None:
    tally: Counter[str] = Counter()
    found = TimeSlice(start_us, stop_us, origin)(at(10, 20, 20, 30), None, tally)  # type: ignore[arg-type]
    assert found.t.tolist() == expected
    assert tally["outside the time slice"] == 4 - len(expected)


@pytest.mark.parametrize("origin", ["first", "clock"])
def test_a_time_slice_reaches_beyond_any_clock(origin: str) -> None:
    far = CORNERS["a far clock"]
    assert TimeSlice(-(10**30), 10**30, origin)(far) is far  # type: ignore[arg-type]
    assert TimeSlice(0, 2**63 - 1, "first")(far).t.tolist() == [-(2**62)]
    assert TimeSlice(1, None, "first")(far).t.tolist() == [2**62 - 1]
    assert len(TimeSlice(10**30, None, "first")(far)) == 0


@given(events=event_arrays(), cut_us=st.integers(0, 3000))
def test_slices_that_touch_make_up_the_sample(events: EventArray, cut_us: int) -> None:
    first, second = TimeSlice(stop_us=cut_us)(events), TimeSlice(start_us=cut_us)(events)
    np.testing.assert_array_equal(np.concatenate([first.t, second.t]), events.t)
    assert np.shares_memory(first.t, events.t) or len(first) == 0


@given(events=event_arrays(), n=st.integers(1, 70))
def test_first_events_are_a_view_and_the_others_are_counted(events: EventArray, n: int) -> None:
    tally: Counter[str] = Counter()
    found = FirstEvents(n)(events, None, tally)
    assert found == events[:n]
    assert tally["after the first events"] == max(0, len(events) - n)
    assert found is events or np.shares_memory(found.t, events.t)


def test_decimation_by_hand() -> None:
    events = events_of([0, 1, 2, 3, 4, 5, 6], [0, 1, 0, 0, 1, 0, 0], [0] * 7, [1, 0] * 3 + [1], Sensor(2, 1))
    assert Decimate(2)(events).t.tolist() == [2, 4, 5]  # pixel 0: 0 2 3 5 6, pixel 1: 1 4
    assert Decimate(2, "sensor")(events).t.tolist() == [1, 3, 5]
    assert Decimate(1)(events) is events


@given(events=event_arrays(Sensor(3, 2)), n=st.integers(2, 6))
def test_decimation_equals_the_reference(events: EventArray, n: int) -> None:
    keep = reference(events, n)
    assert Decimate(n)(events) == EventArray(
        events.t[keep], events.x[keep], events.y[keep], events.p[keep], events.sensor
    )
    assert Decimate(n, "sensor")(events) == events[n - 1 :: n]


@given(events=event_arrays())
def test_merged_polarities_sum_the_channels(events: EventArray) -> None:
    merged = MergePolarities()(events)
    np.testing.assert_array_equal(EventFrame(2)(merged)[:, 0], EventFrame(2)(events).sum(axis=1))
    assert MergePolarities()(merged) is merged
    assert np.shares_memory(merged.t, events.t) or len(events) == 0


@pytest.mark.parametrize(
    ("factor", "offset_us", "origin", "expected"),
    [
        (2, 0, "first", [10, 12, 16]),
        (2, 0, "clock", [20, 22, 26]),
        (0.5, 0, "first", [10, 10, 12]),  # 10.5 and 11.5: half to even, as rint does
        (1, -15, "clock", [-5, -4, -2]),
        (1, 0.4, "first", [10, 11, 13]),
        (3, 1, "first", [11, 14, 20]),
    ],
)
def test_time_skews_by_hand(factor: float, offset_us: float, origin: str, expected: list[int]) -> None:
    assert TimeSkew(factor, offset_us, origin)(at(10, 11, 13)).t.tolist() == expected  # type: ignore[arg-type]


@given(events=event_arrays(), factor=st.floats(1e-6, 1e3))
def test_skewed_time_stays_in_order_and_shares_the_other_columns(events: EventArray, factor: float) -> None:
    found = TimeSkew(factor)(events)
    assert (np.diff(found.t) >= 0).all()
    assert found.x is events.x
    assert TimeSkew()(events) is events


def test_a_skew_that_leaves_the_clock_is_refused_and_one_at_its_ends_is_not() -> None:
    far = CORNERS["a far clock"]
    with pytest.raises(RecipeError, match=r"factor 2.0 and offset 0.0 us take times to 13835058055282163712 us"):
        TimeSkew(2)(far)
    with pytest.raises(RecipeError, match=r"take times to -4611686018427388904 us"):
        TimeSkew(offset_us=-1000)(far)
    assert TimeSkew(0.5)(far).t.tolist() == [-(2**62), 0]


def test_a_drawn_skew_is_factor_then_offset() -> None:
    rng = np.random.default_rng(0)
    fixed = TimeSkew(0.5 + 1.5 * rng.random(), 100 * rng.random())
    events = at(0, 1000, 5000)
    assert TimeSkew((0.5, 2.0), (0.0, 100.0))(events, np.random.default_rng(0)) == fixed(events)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(RecipeError, match="time_slice: stop_us is 3; expected at least start_us, 4"):
        TimeSlice(4, 3)
    with pytest.raises(RecipeError, match="first_events: n is 0"):
        FirstEvents(0)
    with pytest.raises(RecipeError, match="decimate: n is 0"):
        Decimate(0)
    with pytest.raises(RecipeError, match="time_skew: factor is 0"):
        TimeSkew(0)
