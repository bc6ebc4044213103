"""refractory, denoise, hot_pixels and drop_pixels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from neurodata.transforms import denoise, refractory
from neurodata.transforms._pixels import count_pixels, look_up, reference_counts, reference_look_up
from neurodata.transforms.denoise import Denoise
from neurodata.transforms.drop_pixels import DropPixels
from neurodata.transforms.hot_pixels import HotPixels
from neurodata.transforms.refractory import Refractory
from tests.step_contract import CORNERS, events_of
from tests.strategies import event_arrays


def chosen(events: EventArray, keep: np.ndarray) -> EventArray:
    return EventArray(events.t[keep], events.x[keep], events.y[keep], events.p[keep], events.sensor)


def of_one_pixel(t: list[int], p: list[int] | None = None) -> EventArray:
    return events_of(t, [0] * len(t), [0] * len(t), p or [1] * len(t), Sensor(1, 1))


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("kept", [0, 10, 20, 100]),  # 10 rests from 0, 20 from 10
        ("any", [0, 100]),  # the pixel never rests from 0 to 24
    ],
)
def test_refractory_by_hand(since: str, expected: list[int]) -> None:
    tally: Counter[str] = Counter()
    events = of_one_pixel([0, 4, 8, 10, 15, 20, 24, 100])
    assert Refractory(10, since)(events, None, tally).t.tolist() == expected  # type: ignore[arg-type]
    assert tally == {"refractory": 8 - len(expected)}


def test_polarities_may_rest_on_their_own() -> None:
    events = of_one_pixel([0, 4, 5, 10, 14], [1, 0, 1, 1, 0])
    assert Refractory(10)(events).t.tolist() == [0, 10]
    assert Refractory(10, per_polarity=True)(events).t.tolist() == [0, 4, 10, 14]


@given(
    events=event_arrays(Sensor(2, 2)),
    refractory_us=st.integers(1, 200),
    since=st.sampled_from(["kept", "any"]),
    per_polarity=st.booleans(),
)
def test_the_refractory_kernel_equals_the_reference(
    events: EventArray, refractory_us: int, since: str, per_polarity: bool
) -> None:
    expected = refractory.reference(events, refractory_us, since, per_polarity)
    found = Refractory(refractory_us, since, per_polarity)(events)  # type: ignore[arg-type]
    assert found == chosen(events, expected)


@given(events=event_arrays(Sensor(3, 2)), refractory_us=st.integers(0, 200))
def test_a_rested_sample_stays_as_it_is(events: EventArray, refractory_us: int) -> None:
    step = Refractory(refractory_us)
    once = step(events)
    assert step(once) is once
    assert Refractory(0)(events) is events


@pytest.mark.parametrize("since", ["kept", "any"])
def test_the_ends_of_the_clock_are_further_apart_than_any_rest(since: str) -> None:
    ends = of_one_pixel([-(2**62), -(2**62) + 1, 2**62 - 1])
    assert Refractory(2**62, since)(ends).t.tolist() == [-(2**62), 2**62 - 1]  # type: ignore[arg-type]
    pair = events_of([-(2**62), 2**62 - 1], [0, 1], [0, 0], [1, 1], Sensor(2, 1))
    assert len(Denoise(2**62)(pair)) == 0
    at_the_start = events_of([-(2**62), -(2**62)], [0, 1], [0, 0], [1, 1], Sensor(2, 1))
    assert Denoise(1)(at_the_start).x.tolist() == [1]


def test_denoise_by_hand() -> None:
    events = events_of(
        [0, 5, 9, 10, 100, 100, 104],
        [2, 3, 2, 5, 0, 1, 0],
        [2, 3, 2, 0, 0, 0, 0],
        [1, 0, 1, 1, 1, 1, 0],
        Sensor(6, 5),
    )
    # (3, 3) at 5 touches (2, 2) at 0 by a corner; (2, 2) at 9 is supported by (3, 3); (5, 0) is alone; (0, 0) at 100
    # comes before its neighbour at the same time, (1, 0) after it; (0, 0) at 104 has (1, 0) 4 us before.
    assert Denoise(10)(events).t.tolist() == [5, 9, 100, 104]
    assert Denoise(10, neighbours=4)(events).t.tolist() == [100, 104]
    assert Denoise(5)(events).t.tolist() == [9, 100, 104]  # less than filter_time_us: 5 us are too long
    tally: Counter[str] = Counter()
    Denoise(10)(events, None, tally)
    assert tally == {"background activity": 3}


def test_an_event_does_not_support_its_own_pixel() -> None:
    assert len(Denoise(1000)(of_one_pixel([0, 1, 2, 3]))) == 0


@given(events=event_arrays(), filter_time_us=st.integers(1, 300), neighbours=st.sampled_from([4, 8]))
def test_the_denoise_kernel_equals_the_reference(events: EventArray, filter_time_us: int, neighbours: int) -> None:
    expected = denoise.reference(events, filter_time_us, neighbours)
    assert Denoise(filter_time_us, neighbours)(events) == chosen(events, expected)  # type: ignore[arg-type]


@given(events=event_arrays(), filter_time_us=st.integers(1, 300))
def test_a_mirrored_sample_is_denoised_to_the_mirrored_result(events: EventArray, filter_time_us: int) -> None:
    def mirrored(events: EventArray) -> EventArray:
        x = (events.sensor.width - 1 - events.x).astype(np.uint16)
        return EventArray(events.t, x, events.y, events.p, events.sensor)

    step = Denoise(filter_time_us)
    assert step(mirrored(events)) == mirrored(step(events))


@given(events=event_arrays(), seed=st.integers(0, 99))
def test_pixel_kernels_equal_their_references(events: EventArray, seed: int) -> None:
    shape = events.sensor.height, events.sensor.width
    counts, keep = np.zeros(shape, np.int64), np.empty(len(events), np.bool_)
    count_pixels(events.x, events.y, counts)
    np.testing.assert_array_equal(counts, reference_counts(events))
    marked = np.random.default_rng(seed).random(shape) < 0.5
    look_up(events.x, events.y, marked, keep)
    np.testing.assert_array_equal(keep, reference_look_up(events, marked))


def hot_sample() -> EventArray:
    """1 s: pixel (1, 0) fires 11 times, (0, 0) 10 times, (0, 1) and (1, 1) once."""
    t = [*range(0, 1_000_001, 100_000), *range(5, 900_006, 100_000), 7, 8]
    x, y = [1] * 11 + [0] * 10 + [0, 1], [0] * 21 + [1, 1]
    order = np.argsort(t, kind="stable")
    t, x, y = ([column[i] for i in order] for column in (t, x, y))
    return events_of(t, x, y, [1] * 23, Sensor(2, 2))


def test_hot_pixels_by_hand() -> None:
    events = hot_sample()
    tally: Counter[str] = Counter()
    assert set(HotPixels(max_rate_hz=10)(events, None, tally).x.tolist()) == {0, 1}
    assert tally == {"hot pixel": 11}  # more than 10 a second: not the pixel with 10
    # Mean 5.75, standard deviation sqrt(22.6875) = 4.76: above 10.51 is hot.
    assert HotPixels(max_deviation=1)(events) == HotPixels(max_rate_hz=10)(events)
    assert len(HotPixels(max_deviation=0)(events)) == 2
    assert len(HotPixels(pixels=((0, 1), (9, 9)))(events)) == 22
    assert len(HotPixels(max_rate_hz=10, pixels=((0, 1),))(events)) == 11  # either rule


def test_a_sample_without_duration_tells_no_rate() -> None:
    assert HotPixels(max_rate_hz=0)(CORNERS["equal times"]) is CORNERS["equal times"]
    assert HotPixels(max_rate_hz=1, max_deviation=0)(CORNERS["no event"]) is CORNERS["no event"]


@given(events=event_arrays())
def test_rules_that_hit_nothing_give_the_sample_itself(events: EventArray) -> None:
    assert HotPixels(max_rate_hz=1e12)(events) is events
    assert HotPixels(pixels=())(events) is events
    assert DropPixels(0)(events) is events


@given(events=event_arrays(), p=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_dropped_pixel_loses_all_its_events(events: EventArray, p: float, seed: int) -> None:
    tally: Counter[str] = Counter()
    found = DropPixels(p)(events, np.random.default_rng(seed), tally)
    before, after = reference_counts(events), reference_counts(found)
    assert ((after == before) | (after == 0)).all()
    assert tally["dropped pixel"] == len(events) - len(found)
    assert len(DropPixels(1)(events)) == 0


def test_pixels_are_dropped_as_often_as_stated() -> None:
    sensor = Sensor(100, 100)
    pixels = np.arange(10_000)
    zeros = np.zeros(10_000, np.int64)
    events = EventArray(zeros, (pixels % 100).astype(np.uint16), (pixels // 100).astype(np.uint16), zeros > 0, sensor)
    assert abs(len(DropPixels(0.3)(events, np.random.default_rng(0))) - 7000) < 200  # 4 standard deviations


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(RecipeError, match="refractory: refractory_us is -1"):
        Refractory(-1)
    with pytest.raises(RecipeError, match="refractory: since is 'last'; expected kept or any"):
        Refractory(1, "last")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="denoise: filter_time_us is 0"):
        Denoise(0)
    with pytest.raises(RecipeError, match="denoise: neighbours is 6; expected 4 or 8"):
        Denoise(1, 6)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="state max_rate_hz, max_deviation or pixels"):
        HotPixels()
    with pytest.raises(RecipeError, match="hot_pixels: max_rate_hz is -1"):
        HotPixels(max_rate_hz=-1)
    with pytest.raises(RecipeError, match="hot_pixels: x of a pixel is -1"):
        HotPixels(pixels=((-1, 0),))
    with pytest.raises(RecipeError, match="drop_pixels: p is 2"):
        DropPixels(2)
