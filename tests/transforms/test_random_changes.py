"""drop_events, jitter_space, jitter_time, uniform_noise, and the draws and amounts they are made of."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from neurodata.transforms._amount import drawn, drawn_whole, is_range
from neurodata.transforms._normal import normal
from neurodata.transforms.drop_events import DropEvents, choose, reference
from neurodata.transforms.jitter_space import JitterSpace
from neurodata.transforms.jitter_time import JitterTime
from neurodata.transforms.uniform_noise import UniformNoise
from tests.step_contract import CORNERS, events_of
from tests.strategies import event_arrays

seeds = st.integers(0, 2**32 - 1)
ratios = st.floats(0, 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def spread(n: int, sensor: Sensor | None = None) -> EventArray:
    """n events, one every microsecond, on pixels that take turns."""
    sensor = sensor or Sensor(10, 10)
    pixel = np.arange(n) % (sensor.width * sensor.height)
    x, y = (pixel % sensor.width).astype(np.uint16), (pixel // sensor.width).astype(np.uint16)
    return EventArray(np.arange(n), x, y, np.ones(n, np.bool_), sensor)


@given(n=st.integers(0, 40), seed=seeds, share=ratios)
def test_the_choosing_kernel_equals_the_reference_and_drops_exactly_as_many(n: int, seed: int, share: float) -> None:
    uniform, keep = rng(seed).random(n), np.empty(n, np.bool_)
    choose(uniform, int(share * n), keep)
    assert keep.tolist() == reference(uniform, int(share * n))
    assert np.count_nonzero(~keep) == int(share * n)


def test_every_subset_is_as_likely() -> None:
    keep = np.empty(4, np.bool_)
    counts: Counter[tuple[bool, ...]] = Counter()
    generator = rng()
    for _ in range(6000):
        choose(generator.random(4), 2, keep)
        counts[tuple(keep.tolist())] += 1
    assert len(counts) == 6
    assert all(abs(count - 1000) < 120 for count in counts.values())  # 4 standard deviations


def test_the_largest_draw_drops_what_must_be_dropped() -> None:
    keep = np.empty(3, np.bool_)
    choose(np.full(3, np.nextafter(1, 0)), 3, keep)
    assert not keep.any()


@given(events=event_arrays(), ratio=ratios, seed=seeds)
def test_random_drops_are_the_stated_part(events: EventArray, ratio: float, seed: int) -> None:
    tally: Counter[str] = Counter()
    found = DropEvents("random", ratio)(events, rng(seed), tally)
    n_dropped = int(ratio * len(events))
    assert len(found) == (len(events) - n_dropped or len(events))
    assert tally["dropped (random)"] == len(events) - len(found)


@given(events=event_arrays(), ratio=ratios, seed=seeds)
def test_drops_in_time_are_one_interval_of_the_stated_length(events: EventArray, ratio: float, seed: int) -> None:
    found = DropEvents("time", ratio)(events, rng(seed))
    length_us = int(ratio * events.duration_us)
    gone = events.t[~np.isin(events.t, found.t)]
    if len(gone):
        assert gone[-1] - gone[0] < length_us
        assert not ((found.t >= gone[0]) & (found.t <= gone[-1])).any()


def test_drops_in_time_reach_all_of_the_sample_and_the_far_clock() -> None:
    events = spread(100)
    gone = set()
    for seed in range(200):
        found = DropEvents("time", 0.25)(events, rng(seed))
        assert len(found) == 76  # int(0.25 * 99) = 24
        gone |= set(range(100)) - set(found.t.tolist())
    assert gone == set(range(100))
    far = CORNERS["a far clock"]
    assert {len(DropEvents("time", 0.9)(far, rng(seed))) for seed in range(20)} <= {1, 2}


@given(events=event_arrays(), ratio=ratios, seed=seeds)
def test_drops_in_an_area_are_one_box_of_the_stated_sides(events: EventArray, ratio: float, seed: int) -> None:
    found = DropEvents("area", ratio)(events, rng(seed))
    width, height = int(ratio * events.sensor.width), int(ratio * events.sensor.height)
    draws = rng(seed)
    left, top = draws.integers(0, events.sensor.width - width + 1), draws.integers(0, events.sensor.height - height + 1)
    x, y = events.x.astype(int), events.y.astype(int)
    inside = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
    expected = events.t if inside.all() else events.t[~inside]
    np.testing.assert_array_equal(found.t, expected)


def test_any_is_each_of_the_four_choices_with_the_ranges_of_the_paper() -> None:
    events = spread(1000, Sensor(20, 20))
    seen: Counter[str] = Counter()
    parts: dict[str, set[int]] = {"random": set(), "time": set(), "area": set()}
    for seed in range(600):
        tally: Counter[str] = Counter()
        DropEvents()(events, rng(seed), tally)
        reason = next(iter(tally), "nothing")
        seen[reason] += 1
        if reason != "nothing":
            parts[reason.removeprefix("dropped (").removesuffix(")")].add(tally[reason])
    assert all(abs(seen[reason] - 150) < 45 for reason in seen)  # 4 standard deviations
    assert len(seen) == 4
    assert parts["random"] == {100 * k for k in range(1, 10)}
    assert parts["time"] == {int(k / 10 * 999) for k in range(1, 10)}
    # Boxes of 1 to 5 pixels a side, on each of whose pixels 2 or 3 events lie.
    assert {round((part / 2.5) ** 0.5) for part in parts["area"]} == {1, 2, 3, 4, 5}


@given(events=event_arrays(), seed=seeds)
def test_a_sample_is_never_emptied_and_a_ratio_of_zero_gives_the_sample_itself(events: EventArray, seed: int) -> None:
    for method in ("random", "time", "area"):
        assert DropEvents(method, 0)(events, rng(seed)) is events  # type: ignore[arg-type]
        assert len(DropEvents(method, 1)(events, rng(seed))) > 0 or len(events) == 0  # type: ignore[arg-type]


def test_normal_numbers_are_normal() -> None:
    sample = normal(rng(), 200_001)
    assert len(sample) == 200_001
    assert abs(sample.mean()) < 0.01
    assert abs(sample.std() - 1) < 0.01
    assert abs((sample**4).mean() - 3) < 0.1
    assert abs(np.mean(np.abs(sample) < 1.96) - 0.95) < 0.003
    assert abs(np.corrcoef(sample[:100_000], sample[100_001:])[0, 1]) < 0.01


def test_normal_numbers_come_from_uniform_ones_in_the_documented_order() -> None:
    draws = rng(5)
    u, v = draws.random(2), draws.random(2)
    radius = np.sqrt(-2 * np.log(1 - u))
    expected = [*(radius * np.cos(2 * np.pi * v)), radius[0] * np.sin(2 * np.pi * v[0])]
    np.testing.assert_allclose(normal(rng(5), 3), expected, rtol=1e-12)


def test_jitter_in_space_has_the_stated_moments() -> None:
    n = 50_000
    events = events_of([0] * n, [100] * n, [100] * n, [1] * n, Sensor(200, 200))
    found = JitterSpace(4.0, 2.0, correlation=0.6)(events, rng())
    x, y = found.x - 100.0, found.y - 100.0
    assert len(found) == n
    assert abs(x.mean()) < 0.08
    assert abs(y.mean()) < 0.04
    assert abs(x.var() - 16 - 1 / 12) < 0.4  # rounding adds 1/12
    assert abs(y.var() - 4 - 1 / 12) < 0.1
    assert abs(np.mean(x * y) - 0.6 * 8) < 0.2


@given(events=event_arrays(), seed=seeds)
def test_jitter_in_space_counts_what_leaves_and_none_leaves_the_sample_itself(events: EventArray, seed: int) -> None:
    tally: Counter[str] = Counter()
    found = JitterSpace(5.0, 0.0)(events, rng(seed), tally)
    assert len(found) + tally["left the sensor"] == len(events)
    assert not JitterSpace(0, 0).stochastic
    assert JitterSpace(0, 0)(events) is events


@given(events=event_arrays(), seed=seeds, std_us=st.floats(0.1, 1e6))
def test_jittered_times_are_in_order_and_events_keep_their_pixels(events: EventArray, seed: int, std_us: float) -> None:
    found = JitterTime(std_us)(events, rng(seed))
    assert (np.diff(found.t) >= 0).all()
    shift_us = np.rint(std_us * normal(rng(seed), len(events))).astype(np.int64)
    moved = list(zip(events.t + shift_us, events.x, events.y, events.p, strict=True))
    expected = sorted(moved, key=lambda event: event[0])  # stable
    assert list(zip(found.t, found.x, found.y, found.p, strict=True)) == expected
    assert JitterTime(0)(events) is events


def test_jittered_times_stop_at_the_ends_of_the_clock() -> None:
    found = JitterTime(1e15)(CORNERS["a far clock"], rng(1))
    assert found.t[0] >= -(2**62)
    assert found.t[-1] <= 2**62 - 1


@given(events=event_arrays().filter(len), n=st.integers(0, 50), seed=seeds)
def test_noise_is_added_between_the_first_and_the_last_event(events: EventArray, n: int, seed: int) -> None:
    tally: Counter[str] = Counter()
    found = UniformNoise(n)(events, rng(seed) if n else None, tally)
    assert len(found) == len(events) + n
    assert tally["added: noise"] == n
    assert (found.start_us, found.stop_us) == (events.start_us, events.stop_us)
    rest = list(zip(found.t, found.x, found.y, found.p, strict=True))
    own = list(zip(events.t, events.x, events.y, events.p, strict=True))
    missing = Counter(own) - Counter(rest)
    assert not missing
    assert (found is events) == (n == 0)


def test_own_events_come_before_noise_at_the_same_time() -> None:
    events = events_of([5] * 3, [0, 1, 2], [0] * 3, [1, 0, 1], Sensor(3, 1))
    found = UniformNoise(100)(events, rng())
    assert found[:3] == events


def test_noise_is_uniform_over_time_pixels_and_polarities() -> None:
    events = events_of([0, 9999], [0, 3], [0, 4], [1, 0], Sensor(4, 5))
    found = UniformNoise(20_000)(events, rng())
    pixels = np.bincount(found.y.astype(int) * 4 + found.x, minlength=20)
    assert (np.abs(pixels - 1000) < 150).all()  # 4.7 standard deviations
    assert abs(found.p.mean() - 0.5) < 0.02
    assert (np.abs(np.histogram(found.t, 10, (0, 10_000))[0] - 2000) < 200).all()
    one_polarity = events_of([0, 9999], [0, 3], [0, 0], [1, 1], Sensor(4, 1, polarities=1))
    assert UniformNoise(100)(one_polarity, rng()).p.all()


def test_noise_at_a_rate_is_right_on_average() -> None:
    events = events_of([0, 500_000], [0, 3], [0, 4], [1, 0], Sensor(4, 5))
    numbers = [len(UniformNoise(rate_hz=0.25)(events, rng(seed))) - 2 for seed in range(400)]  # 0.25 * 20 * 0.5 = 2.5
    assert set(numbers) == {2, 3}
    assert abs(np.mean(numbers) - 2.5) < 0.1
    assert {len(UniformNoise((3, 5))(events, rng(seed))) - 2 for seed in range(50)} == {3, 4, 5}


def test_a_rate_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"makes .* events; expected a lower rate"):
        UniformNoise(rate_hz=1.0)(CORNERS["a far clock"], rng())


def test_amounts_are_numbers_or_ranges() -> None:
    assert drawn(2.5, None) == 2.5
    assert drawn((2.5, 2.5), None) == 2.5
    assert drawn_whole(3, None) == 3
    assert drawn_whole((3, 3), None) == 3
    assert is_range((1, 2))
    assert not is_range((2, 2))
    assert {drawn_whole((-1, 1), rng(seed)) for seed in range(50)} == {-1, 0, 1}
    assert drawn((2.0, 4.0), rng(7)) == 2 + 2 * rng(7).random()


def test_parameters_out_of_range_are_refused() -> None:
    for make, message in (
        (lambda: DropEvents("points"), "drop_events: method is 'points'"),  # type: ignore[arg-type]
        (lambda: DropEvents(ratio=1.5), "drop_events: ratio is 1.5; expected 0 to 1"),
        (lambda: JitterSpace(-1), "jitter_space: std_x_px is -1"),
        (lambda: JitterSpace(correlation=1.1), "jitter_space: correlation is 1.1"),
        (lambda: JitterTime(-1), "jitter_time: std_us is -1"),
        (lambda: UniformNoise(), "uniform_noise: n is None and rate_hz is None; expected one of them"),
        (lambda: UniformNoise(3, 1.0), "uniform_noise: n is 3 and rate_hz is 1.0; expected one of them"),
        (lambda: UniformNoise(-3), "uniform_noise: n is -3"),
        (lambda: UniformNoise(rate_hz=-1), "uniform_noise: rate_hz is -1"),
    ):
        with pytest.raises(RecipeError, match=message):
            make()
