"""Our transforms are tonic's, event for event, or a test shows by hand what tonic gets wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.formats import read
from neurodata.signals import EventArray, Sensor
from neurodata.steps import EventTransform
from tests.strategies import event_arrays

tonic_transforms = pytest.importorskip("tonic.transforms", reason="needs the extra `test`")
functional = pytest.importorskip("tonic.functional", reason="needs the extra `test`")

some_events = event_arrays(max_events=200).filter(len)


def ours(name: str, events: EventArray, **parameters: object) -> EventArray:
    step: EventTransform = registry.transforms[name](**parameters)
    return step(events, np.random.default_rng(0) if step.stochastic else None)


def check_same(found: EventArray, tonics: np.ndarray) -> None:
    for name in "txyp":
        np.testing.assert_array_equal(getattr(found, name), tonics[name], err_msg=name)


def size_of(events: EventArray) -> tuple[int, int, int]:
    return events.sensor.width, events.sensor.height, 2


def at(t: list[int], x: list[int], y: list[int] | None = None, sensor: Sensor | None = None) -> EventArray:
    row = [0] * len(t) if y is None else y
    columns = np.array(x, np.uint16), np.array(row, np.uint16)
    return EventArray(np.array(t, np.int64), *columns, np.ones(len(t), bool), sensor or Sensor(8, 8))


def later(events: EventArray, by_us: int) -> EventArray:
    return EventArray(events.t + by_us, events.x, events.y, events.p, events.sensor)


@given(some_events)
def test_flips_are_tonics(events: EventArray) -> None:
    size, tonics = size_of(events), events.to_structured()
    check_same(ours("flip_x", events), tonic_transforms.RandomFlipLR(size, p=1)(tonics))
    check_same(ours("flip_y", events), tonic_transforms.RandomFlipUD(size, p=1)(tonics))
    check_same(ours("flip_polarity", events), tonic_transforms.RandomFlipPolarity(p=1)(tonics))


@given(some_events, st.booleans())
def test_reversed_time_is_tonics_from_the_first_event_on(events: EventArray, flip: bool) -> None:
    found = ours("reverse_time", events, flip_polarity=flip)
    expected = tonic_transforms.RandomTimeReversal(p=1, flip_polarities=flip)(events.to_structured())
    check_same(later(found, -events.start_us), expected)


@given(some_events, st.integers(1, 12), st.integers(1, 12))
def test_centre_crop_and_centred_canvas_are_tonics(events: EventArray, width: int, height: int) -> None:
    expected = tonic_transforms.CenterCrop(size_of(events), (width, height))(events.to_structured())
    check_same(ours("canvas", events, width=width, height=height), expected)
    if width <= events.sensor.width and height <= events.sensor.height:
        check_same(ours("crop", events, width=width, height=height), expected)


def test_tonics_random_crop_never_takes_the_last_place_and_ours_does() -> None:
    events = at(list(range(4)), [0, 1, 2, 3], sensor=Sensor(4, 1))
    tonics = {
        int(functional.crop_numpy(events.to_structured(), (4, 1, 2), (3, 1))["t"].min()) for _ in range(100)
    }  # fmt: skip
    step = registry.transforms["crop"](width=3, height=1, at="random")
    found = {step(events, np.random.default_rng(seed)).start_us for seed in range(100)}
    assert tonics == {0}
    assert found == {0, 1}


@given(some_events, st.integers(0, 300), st.integers(0, 300))
def test_time_slice_is_tonics_with_the_stop_included(events: EventArray, start_us: int, length_us: int) -> None:
    start_us += events.start_us
    expected = tonic_transforms.CropTime(start_us, start_us + length_us)(events.to_structured())
    found = ours("time_slice", events, start_us=start_us, stop_us=start_us + length_us + 1, origin="clock")
    check_same(found, expected)


@given(some_events, st.integers(1, 100))
def test_denoise_with_four_neighbours_is_tonics_once_its_first_microseconds_are_over(
    events: EventArray, filter_time_us: int
) -> None:
    events = later(events, filter_time_us)
    expected = functional.denoise_numpy(events.to_structured(), filter_time_us)
    check_same(ours("denoise", events, filter_time_us=filter_time_us, neighbours=4), expected)


def test_tonics_denoise_keeps_noise_at_the_start_of_the_clock() -> None:
    alone = at([3, 5], [0, 4], [0, 4])  # two pixels that are no neighbours
    assert len(functional.denoise_numpy(alone.to_structured(), 10)) == 2
    assert len(functional.denoise_numpy(later(alone, 10).to_structured(), 10)) == 0
    assert len(ours("denoise", alone, filter_time_us=10)) == 0


@given(some_events, st.integers(0, 200))
def test_refractory_since_any_event_is_tonics_which_asks_for_a_microsecond_more(
    events: EventArray, refractory_us: int
) -> None:
    events = later(events, 1)
    expected = functional.refractory_period_numpy(events.to_structured(), refractory_us)
    check_same(ours("refractory", events, refractory_us=refractory_us + 1, since="any"), expected)


def test_tonics_refractory_period_loses_the_first_event_at_time_zero() -> None:
    events = at([0, 50], [0, 1])
    assert len(functional.refractory_period_numpy(events.to_structured(), 10)) == 1
    assert len(ours("refractory", events, refractory_us=10, since="any")) == 2


@given(some_events, st.integers(1, 6))
def test_decimation_is_tonics(events: EventArray, n: int) -> None:
    expected = functional.decimate_numpy(events.to_structured(), n)
    found = ours("decimate", events, n=n)
    assert len(found) == len(expected)
    if len(expected):
        check_same(found, expected)


@given(some_events, st.integers(1, 2000))
def test_hot_pixels_by_rate_are_tonics(events: EventArray, rate_hz: int) -> None:
    assume(events.duration_us > 0)
    expected = tonic_transforms.DropPixel(hot_pixel_frequency=rate_hz)(events.to_structured())
    check_same(ours("hot_pixels", events, max_rate_hz=float(rate_hz)), expected)


@given(some_events, st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=9))
def test_hot_pixels_by_list_are_tonics(events: EventArray, pixels: list[tuple[int, int]]) -> None:
    expected = tonic_transforms.DropPixel(coordinates=pixels)(events.to_structured())
    check_same(ours("hot_pixels", events, pixels=tuple(pixels)), expected)


@given(some_events, st.floats(0, 1))
def test_dropped_pixels_are_tonics_for_the_same_draws(events: EventArray, p: float) -> None:
    shape = events.sensor.height, events.sensor.width
    y, x = np.where(np.random.default_rng(0).random(shape) < p)
    expected = functional.drop_pixel_numpy(events.to_structured(), list(zip(x, y, strict=True)))
    check_same(ours("drop_pixels", events, p=p), expected)


@given(some_events, st.sampled_from([1, 2, 4, 8]))
def test_downsampling_by_a_power_of_two_is_tonics(events: EventArray, factor: int) -> None:
    expected = tonic_transforms.Downsample(spatial_factor=1 / factor)(events.to_structured())
    check_same(ours("downsample", events, factor=factor), expected)


def test_tonics_downsampling_puts_pixel_49_of_factor_49_into_the_first_large_pixel() -> None:
    events = at([0], [49], sensor=Sensor(98, 1))
    assert tonic_transforms.Downsample(spatial_factor=1 / 49)(events.to_structured())["x"].tolist() == [0]
    assert ours("downsample", events, factor=49).x.tolist() == [1]


@given(some_events)
def test_merged_polarities_are_tonics_but_for_the_polarity_that_all_have(events: EventArray) -> None:
    expected = tonic_transforms.MergePolarities()(events.to_structured())
    found = ours("merge_polarities", events)
    assert found.p.all()
    assert not expected["p"].any()
    for name in "txy":
        np.testing.assert_array_equal(getattr(found, name), expected[name])


@given(some_events, st.integers(1, 5), st.integers(-9, 9))
def test_whole_time_skews_are_tonics(events: EventArray, factor: int, offset_us: int) -> None:
    expected = tonic_transforms.TimeSkew(factor, offset_us)(events.to_structured())
    check_same(ours("time_skew", events, factor=factor, offset_us=offset_us, origin="clock"), expected)


@given(some_events, st.floats(0.01, 5))
def test_time_skews_are_tonics_to_the_nearest_microsecond_instead_of_the_one_below(
    events: EventArray, factor: float
) -> None:
    expected = tonic_transforms.TimeSkew(factor, 0)(events.to_structured())["t"]
    difference = ours("time_skew", events, factor=factor, origin="clock").t - expected
    assert ((difference == 0) | (difference == 1)).all()


def test_tonics_jitter_in_space_moves_up_and_left_by_half_a_pixel() -> None:
    n = 20_000
    events = at([0] * n, [50] * n, [50] * n, Sensor(100, 100))
    tonics = functional.spatial_jitter_numpy(events.to_structured(), (100, 100, 2), 4, 4)
    assert abs(tonics["x"].mean() - 49.5) < 0.1
    assert abs(ours("jitter_space", events, std_x_px=2.0, std_y_px=2.0).x.mean() - 50) < 0.1


def test_tonics_jitter_in_time_leaves_events_unsorted_unless_asked() -> None:
    events = at(list(range(1000, 2000)), [0] * 1000)
    assert (np.diff(tonic_transforms.TimeJitter(50)(events.to_structured())["t"]) < 0).any()
    assert (np.diff(ours("jitter_time", events, std_us=50.0).t) >= 0).all()


def test_tonics_uniform_noise_is_always_on_where_polarity_is_bool() -> None:
    events = at([0, 1000], [0, 1])
    tonics = functional.uniform_noise_numpy(events.to_structured(), (8, 8, 2), 2000)
    assert tonics["p"].mean() > 0.99
    assert abs(ours("uniform_noise", events, n=2000).p.mean() - 0.5) < 0.05


def test_tonics_drop_by_time_misses_a_recording_whose_clock_starts_late() -> None:
    events = at(list(range(10_000_000, 10_001_000)), [0] * 1000)
    kept = [len(functional.drop_by_time_numpy(events.to_structured(), 0.2)) for _ in range(20)]
    assert set(kept) <= {0, 1000}  # the interval lies before the recording, or over all of it
    assert abs(len(ours("drop_events", events, method="time", ratio=0.2)) - 800) <= 1


def test_tonics_random_drop_takes_as_many_to_the_nearest_event() -> None:
    events = at(list(range(37)), [0] * 37)
    for ratio in (0.0, 0.1, 0.5, 0.77, 1.0):
        tonics = len(functional.drop_event_numpy(events.to_structured(), ratio))
        found = len(registry.transforms["drop_events"]("random", ratio)(events, np.random.default_rng(0)))
        assert abs(found - tonics) <= 1 or ratio == 1


def spread(events: EventArray) -> EventArray:
    """The events, and one of another pixel far later, which tonic's frames may lose."""
    return EventArray(
        np.append(events.t - events.t[0], 10_000),
        np.append(events.x, 0).astype(np.uint16),
        np.append(events.y, 0).astype(np.uint16),
        np.append(events.p, True),
        events.sensor,
    )


def rows_before(stop_us: int, events: np.ndarray) -> list[tuple[int, ...]]:
    """Sorted: the order of events at the same time is nobody's definition."""
    return sorted(tuple(int(event[name]) for name in "txyp") for event in events[events["t"] < stop_us])


@given(event_arrays(Sensor(8, 6), max_events=200).filter(len), st.integers(1, 3))
def test_the_integrator_is_tonics(events: EventArray, threshold: int) -> None:
    events = spread(events)
    found = ours("downsample", events, factor=2, method="integrator", step_us=100, threshold=threshold)
    try:
        expected = functional.integrator_downsample(
            events.to_structured(), (8, 6, 2), (4, 3), dt=0.1, noise_threshold=threshold
        )
    except ValueError:  # it cannot give nothing
        assert not (found.t < 9000).any()
        return
    assert rows_before(9000, found.to_structured()) == rows_before(9000, expected)


@given(event_arrays(Sensor(8, 6), max_events=200).filter(len), st.integers(1, 2), st.integers(2, 3))
def test_the_differentiator_is_tonics_but_for_its_first_window_and_its_early_dates(
    events: EventArray, threshold: int, steps: int
) -> None:
    events, window_us = spread(events), 125 * steps
    parameters = {"factor": 2, "step_us": 125, "steps_per_window": steps, "threshold": threshold}
    found = ours("downsample", events, method="differentiator", **parameters)
    try:
        expected = functional.differentiator_downsample(
            events.to_structured(), (8, 6, 2), (4, 3), 0.125 * steps, steps, noise_threshold=threshold
        )
    except (IndexError, ValueError):  # it cannot give nothing
        assert not (found.t < 9000).any()
        return
    after_the_first = later(found, -window_us).to_structured()[found.t >= window_us]
    assert rows_before(8000, after_the_first) == rows_before(8000, expected)


def test_tonics_default_threshold_lets_every_pixel_fire_at_every_step() -> None:
    events = at([0, 5000], [0, 0])
    found = functional.integrator_downsample(events.to_structured(), (8, 8, 2), (4, 4), dt=1, noise_threshold=0)
    assert len(found) >= 5 * 2 * 15  # two events for each of the 15 pixels that saw nothing
    assert len(ours("downsample", events, factor=2, method="integrator", step_us=1000)) == 2


@pytest.fixture(scope="module")
def digits(recordings: Path) -> list[EventArray]:
    paths = sorted((recordings / "n-mnist").rglob("*.bin"))[::100]
    return [signal for path in paths if isinstance(signal := read(path), EventArray)]


def test_real_digits_come_out_as_from_tonic(digits: list[EventArray]) -> None:
    assert len(digits) >= 8
    for events in digits:
        tonics, events = events.to_structured(), later(events, 0)
        late = later(events, 10_000)
        check_same(
            ours("denoise", late, filter_time_us=10_000, neighbours=4),
            functional.denoise_numpy(late.to_structured(), 10_000),
        )
        check_same(
            ours("refractory", late, refractory_us=1001, since="any"),
            functional.refractory_period_numpy(late.to_structured(), 1000),
        )
        check_same(ours("decimate", events, n=3), functional.decimate_numpy(tonics, 3))
        check_same(ours("hot_pixels", events, max_rate_hz=60.0), tonic_transforms.DropPixel(None, 60)(tonics))
        check_same(
            ours("crop", events, width=20, height=21), tonic_transforms.CenterCrop((34, 34, 2), (20, 21))(tonics)
        )
        check_same(ours("flip_x", events), tonic_transforms.RandomFlipLR((34, 34, 2), 1)(tonics))
        check_same(
            later(ours("reverse_time", events), -events.start_us), tonic_transforms.RandomTimeReversal(1)(tonics)
        )
        check_same(ours("downsample", events, factor=2), tonic_transforms.Downsample(spatial_factor=0.5)(tonics))
        tally: Counter[str] = Counter()
        filtered = registry.transforms["denoise"](filter_time_us=10_000)(events, None, tally)
        assert 0 < len(filtered) < len(events) == len(filtered) + tally["background activity"]
