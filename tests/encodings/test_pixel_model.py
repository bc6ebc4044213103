from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodata.encodings._pixel_model import (
    LARGEST_LOG_INTENSITY,
    SMALLEST_THRESHOLD,
    Pixel,
    PixelArray,
    crossings,
    reference_crossings,
    reference_rested,
    rested,
)
from neurodata.errors import EncodingError
from neurodata.signals import EventArray, Sensor

EXACT = Pixel(on_threshold=0.5, off_threshold=0.25, mismatch=0, refractory_us=0, noise_hz=0)
ONE_PIXEL = Sensor(1, 1)


def see_levels(pixel: Pixel, levels: list[float], every_us: int = 1000) -> EventArray:
    """What a single pixel says to log intensities that follow each other."""
    camera = PixelArray(pixel, ONE_PIXEL, np.random.default_rng(0))
    packets = [camera.see(np.array([[level]], np.float32), i * every_us) for i, level in enumerate(levels)]
    return joined(packets)


def joined(packets: list[EventArray]) -> EventArray:
    columns = {c: np.concatenate([getattr(packet, c) for packet in packets]) for c in "txyp"}
    return EventArray(**columns, sensor=packets[0].sensor)


@pytest.mark.parametrize(
    ("levels", "times_us", "polarities"),
    [
        ([0, 0.5], [1000], [True]),  # the threshold is reached at the end
        ([0, 1], [500, 1000], [True, True]),  # two crossings, interpolated
        ([0, 2], [250, 500, 750, 1000], [True] * 4),
        ([0, -1], [250, 500, 750, 1000], [False] * 4),  # the OFF threshold is half the ON threshold
        ([0, 0.375, 0.625], [1500], [True]),  # what was left over is carried on
        ([0, 0.4, 0], [], []),  # the way back is below both thresholds
        ([0, 0.5, 0.5, 0.5], [1000], [True]),  # a picture that stands still is silent
        ([0, 0.5, 0.25], [1000, 2000], [True, False]),  # the reference is the level of the last event
        ([7], [], []),  # the first picture only sets the reference
    ],
)
def test_events_by_hand(levels: list[float], times_us: list[int], polarities: list[bool]) -> None:
    events = see_levels(EXACT, levels)
    assert events.t.tolist() == times_us
    assert events.p.tolist() == polarities


def test_an_event_in_the_refractory_period_is_lost_and_moves_the_reference() -> None:
    tired = Pixel(on_threshold=0.5, off_threshold=0.5, mismatch=0, refractory_us=600, noise_hz=0)
    # Crossings at 250, 500, 750, 1000: of these, 500 and 750 are too early, and 1000 counts from 250.
    assert see_levels(tired, [0, 2]).t.tolist() == [250, 1000]
    assert see_levels(tired, [0, 2, 2.25, 2.5]).t.tolist() == [250, 1000, 3000]


def test_the_refractory_period_reaches_over_pictures() -> None:
    tired = Pixel(on_threshold=0.5, off_threshold=0.5, mismatch=0, refractory_us=1500, noise_hz=0)
    assert see_levels(tired, [0, 0.5, 1, 1.5]).t.tolist() == [1000, 3000]


def test_a_leaking_pixel_is_on_now_and_then_while_it_sees_nothing() -> None:
    leaking = Pixel(on_threshold=0.5, off_threshold=0.5, mismatch=0, refractory_us=0, noise_hz=0, leak_hz=250)
    events = see_levels(leaking, [0] * 21)
    assert events.t.tolist() == [4000, 8000, 12000, 16000, 20000]
    assert events.p.all()
    # A fall of a threshold in 2 ms, of which leak makes good a half.
    assert see_levels(leaking, [0, -0.25, -0.5, -0.625]).t.tolist() == []


films = st.integers(0, 2**32 - 1).map(lambda seed: film(np.random.default_rng(seed)))


def film(rng: np.random.Generator) -> NDArray[np.float32]:
    height, width, n = rng.integers(1, 5, 3)
    return rng.normal(0, rng.choice([0.05, 0.5, 3]), (n + 1, height, width)).astype(np.float32)  # [n, H, W]


@given(pictures=films, seed=st.integers(0, 1000))
def test_kernel_equals_the_reference(pictures: NDArray[np.float32], seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = pictures.shape[1:]
    on, off = rng.uniform(0.01, 1, (2, *shape))
    level = pictures[0].astype(np.float64)
    for before, now in pairwise(pictures):
        leak = rng.choice([0, 0.3, 2.5])
        t, x, y, p, expected_level = reference_crossings(before, now, level, on, off, leak, 100, 5100)
        moved = np.empty(shape)
        columns = [np.empty(len(t), dtype) for dtype in (np.int64, np.uint16, np.uint16, np.bool_)]
        n = crossings(before, now, level, on, off, moved, leak, 100, 5100, *columns)
        assert n == len(t)
        for found, expected in zip(columns, (t, x, y, p), strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(moved, expected_level)
        level = moved


@given(pictures=films)
def test_a_short_buffer_changes_neither_the_count_nor_what_fits(pictures: NDArray[np.float32]) -> None:
    before, now = pictures[0], pictures[-1]
    threshold, level, moved = np.full(now.shape, 0.2), before.astype(np.float64), np.empty(now.shape)
    whole = reference_crossings(before, now, level, threshold, threshold, 0.0, 0, 1000)
    columns = [np.empty(2, dtype) for dtype in (np.int64, np.uint16, np.uint16, np.bool_)]
    assert crossings(before, now, level, threshold, threshold, moved, 0.0, 0, 1000, *columns) == len(whole[0])
    fits = min(2, len(whole[0]))
    for found, expected in zip(columns, whole, strict=False):
        np.testing.assert_array_equal(found[:fits], expected[:fits])


@given(seed=st.integers(0, 1000), n=st.integers(0, 60), refractory_us=st.integers(0, 40))
def test_refractory_kernel_equals_the_reference(seed: int, n: int, refractory_us: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 200, n))
    x, y = rng.integers(0, 2, (2, n)).astype(np.uint16)
    keep = np.empty(n, np.bool_)
    rested(t, x, y, refractory_us, np.full((2, 2), np.iinfo(np.int64).min // 2), keep)
    np.testing.assert_array_equal(keep, reference_rested(t, 2 * y.astype(np.int64) + x, refractory_us))


@given(pictures=films, refractory_us=st.sampled_from([0, 300, 5000]))
def test_events_stay_within_their_interval_and_obey_the_refractory_period(
    pictures: NDArray[np.float32], refractory_us: int
) -> None:
    sensor = Sensor(pictures.shape[2], pictures.shape[1])
    camera = PixelArray(Pixel(refractory_us=refractory_us, noise_hz=500), sensor, np.random.default_rng(0))
    packets = [camera.see(picture, 1000 * i) for i, picture in enumerate(pictures)]
    for i, packet in enumerate(packets[1:]):
        assert all((1000 * i <= packet.t) & (packet.t <= 1000 * (i + 1)))
    events = joined(packets)
    for y, x in np.ndindex(sensor.height, sensor.width):
        assert all(np.diff(events.t[(events.x == x) & (events.y == y)]) >= refractory_us)


@given(pictures=films)
def test_summed_polarities_follow_the_log_intensity_to_within_a_threshold(pictures: NDArray[np.float32]) -> None:
    sensor = Sensor(pictures.shape[2], pictures.shape[1])
    camera = PixelArray(Pixel(0.2, 0.2, 0, 0, 0), sensor, np.random.default_rng(0))
    events = joined([camera.see(picture, 1000 * i) for i, picture in enumerate(pictures)])
    followed = np.zeros(pictures.shape[1:])
    np.add.at(followed, (events.y, events.x), np.where(events.p, 0.2, -0.2))
    assert np.abs(pictures[-1] - pictures[0] - followed).max() < 0.2 + 1e-6


def test_an_inverted_film_gives_the_same_events_with_opposite_polarity() -> None:
    pictures = film(np.random.default_rng(1))
    sensor = Sensor(pictures.shape[2], pictures.shape[1])
    even = Pixel(0.2, 0.2, mismatch=0, noise_hz=0)
    cameras = [PixelArray(even, sensor, np.random.default_rng(0)) for _ in range(2)]
    plain, inverted = (
        joined([camera.see(sign * picture, 1000 * i) for i, picture in enumerate(pictures)])
        for camera, sign in zip(cameras, (np.float32(1), np.float32(-1)), strict=True)
    )
    assert len(plain) > 0
    assert inverted == EventArray(plain.t, plain.x, plain.y, ~plain.p, sensor)


def test_mismatch_gives_pixels_thresholds_of_their_own() -> None:
    sensor = Sensor(50, 40)
    camera = PixelArray(Pixel(0.5, 0.5, mismatch=0.05, refractory_us=0, noise_hz=0), sensor, np.random.default_rng(3))
    camera.see(np.zeros((40, 50), np.float32), 0)
    first_us = np.full((40, 50), 1_000_000)
    events = camera.see(np.ones((40, 50), np.float32), 1_000_000)
    np.minimum.at(first_us, (events.y, events.x), events.t)
    # Log intensity rises by 1 in 1 s: the time of the first event is the threshold.
    assert abs(first_us.mean() * 1e-6 - 0.5) < 0.005
    assert abs(first_us.std() * 1e-6 - 0.05) < 0.005


def test_noise_is_poisson_at_the_stated_rate_with_even_polarity() -> None:
    sensor = Sensor(20, 20)
    camera = PixelArray(Pixel(refractory_us=0, noise_hz=5), sensor, np.random.default_rng(4))
    dark = np.zeros((20, 20), np.float32)
    counts = np.array([len(camera.see(dark, 100_000 * i)) for i in range(401)])[1:]  # 5 Hz * 400 pixels * 0.1 s = 200
    assert abs(counts.mean() - 200) < 3 * np.sqrt(200 / 400)
    assert 0.8 < counts.var() / counts.mean() < 1.2
    events = camera.see(dark, 1_000_000_000)
    assert abs(events.p.mean() - 0.5) < 0.01
    assert set(events.x.tolist()) == set(range(20))


def test_the_same_generator_gives_the_same_events() -> None:
    pictures = film(np.random.default_rng(5))
    sensor = Sensor(pictures.shape[2], pictures.shape[1])

    def watch(seed: int) -> EventArray:
        camera = PixelArray(Pixel(noise_hz=1000), sensor, np.random.default_rng(seed))
        return joined([camera.see(picture, 1000 * i) for i, picture in enumerate(pictures)])

    assert watch(1) == watch(1)
    assert watch(1) != watch(2)


def test_the_picture_may_be_reused_and_is_left_as_it_is() -> None:
    camera = PixelArray(EXACT, ONE_PIXEL, np.random.default_rng(0))
    picture = np.zeros((1, 1), np.float32)
    camera.see(picture, 0)
    picture[:] = 1
    assert camera.see(picture, 1000).t.tolist() == [500, 1000]
    assert picture.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("picture", "t_us", "message"),
    [
        (np.zeros((1, 1), np.float64), 1, "float64"),
        (np.zeros((2, 1), np.float32), 1, r"shape \(2, 1\)"),
        (np.full((1, 1), np.nan, np.float32), 1, "reaches nan"),
        (np.full((1, 1), -np.inf, np.float32), 1, "small light before the logarithm"),
        (np.full((1, 1), 1e30, np.float32), 1, f"to {LARGEST_LOG_INTENSITY}"),
        (np.zeros((1, 1), np.float32), 0, "does not come after the last one, 0 us"),
        (np.zeros((1, 1), np.float32), 2**52 + 1, f"picture at {2**52 + 1} us; expected times from"),
    ],
)
def test_a_picture_that_does_not_fit_is_refused(picture: NDArray[np.float32], t_us: int, message: str) -> None:
    camera = PixelArray(EXACT, ONE_PIXEL, np.random.default_rng(0))
    camera.see(np.zeros((1, 1), np.float32), 0)
    with pytest.raises(EncodingError, match=message):
        camera.see(picture, t_us)


@pytest.mark.parametrize("field", ["on_threshold", "off_threshold", "mismatch", "refractory_us", "noise_hz"])
def test_a_parameter_out_of_range_is_refused_by_name(field: str) -> None:
    with pytest.raises(EncodingError, match=f"{field} is -1"):
        Pixel(**{field: -1})


def test_a_refractory_period_beyond_every_clock_is_refused() -> None:
    with pytest.raises(EncodingError, match=f"refractory_us is {2**63}; expected at most"):
        Pixel(refractory_us=2**63)


def test_the_first_event_comes_at_any_time_of_the_clock() -> None:
    still = Pixel(on_threshold=1, off_threshold=1, mismatch=0, refractory_us=2**52, noise_hz=0)
    for start_us in (-(2**52), -1000, 2**52 - 1000):
        camera = PixelArray(still, ONE_PIXEL, np.random.default_rng(0))
        camera.see(np.zeros((1, 1), np.float32), start_us)
        assert camera.see(np.full((1, 1), 2, np.float32), start_us + 1000).t.tolist() == [start_us + 500]


@pytest.mark.parametrize(
    ("pixel", "light", "way_out"),
    [
        (Pixel(noise_hz=1e18), 0, "a smaller noise_hz"),
        (Pixel(on_threshold=SMALLEST_THRESHOLD, mismatch=0, noise_hz=0), 104, "larger thresholds"),
    ],
)
def test_more_events_than_memory_holds_are_refused_before_they_are_made(
    pixel: Pixel, light: float, way_out: str
) -> None:
    camera = PixelArray(pixel, Sensor(200, 200), np.random.default_rng(0))
    camera.see(np.full((200, 200), -light, np.float32), 0)
    with pytest.raises(EncodingError, match=rf"dvs pixel: .* events up to 1000 us, more than \d+: {way_out}"):
        camera.see(np.full((200, 200), light, np.float32), 1000)
