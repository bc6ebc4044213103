from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings._luma import luma
from neurodata.encodings.dvs_pixel import DvsPixel, decode, log_intensity, times_us
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import ClipForm, Sensor
from neurodata.signals import Clip


def one_pixel(*values: int, fps: float = 100.0) -> Clip:
    return Clip(np.array(values, np.uint8).reshape(-1, 1, 1, 1), fps)


def moving_edge(n: int, height: int, width: int, dark: int, bright: int) -> Clip:
    """A vertical edge that goes one pixel to the right from frame to frame; what it has passed is bright."""
    lit = np.arange(width) < np.arange(n)[:, None]  # [n, width]
    frames = np.where(lit, bright, dark).astype(np.uint8)
    return Clip(np.broadcast_to(frames[:, None, :, None], (n, height, width, 1)).copy(), 1000.0)


@given(
    dark=st.integers(20, 100),
    bright=st.integers(101, 255),
    threshold=st.floats(0.02, 0.5),
    mismatch=st.sampled_from([0, 0.01]),
)
def test_a_moving_edge_gives_contrast_over_threshold_events_for_each_pixel(
    dark: int, bright: int, threshold: float, mismatch: float
) -> None:
    clip = moving_edge(n=9, height=30, width=8, dark=dark, bright=bright)
    step = DvsPixel(on_threshold=threshold, off_threshold=threshold, mismatch=mismatch)
    events = step(clip, np.random.default_rng(1))
    assert events.p.all()
    contrast = log(bright / dark)
    if mismatch == 0:
        n_expected = int(contrast / threshold * (1 + 1e-6))
        assert len(events) in (8 * 30 * n_expected, 8 * 30 * int(contrast / threshold * (1 - 1e-6)))
    if contrast / threshold > 20 and threshold > 5 * mismatch:
        assert len(events) / (8 * 30) == pytest.approx(contrast / threshold, rel=0.05 + 2 * (mismatch / threshold) ** 2)


def test_events_of_an_edge_follow_it() -> None:
    events = DvsPixel(on_threshold=0.1)(moving_edge(n=9, height=2, width=8, dark=50, bright=200))
    assert (events.t // 1000 == events.x)[events.t % 1000 != 0].all()  # column x is lit between frames x and x + 1


def test_times_are_interpolated_and_a_way_back_is_off() -> None:
    clip = one_pixel(20, 200, 20)  # ln 10 = 2.303
    events = DvsPixel(on_threshold=1.0, off_threshold=0.5)(clip)
    # ON at 1 and 2 of 2.303 up; the reference stays at 2, and OFF are 1.5, 1, 0.5 and 0 on the way down.
    assert events.p.tolist() == [True, True, False, False, False, False]
    up, down = np.array([1, 2]) / log(10), 1 + (log(10) - np.array([1.5, 1, 0.5, 0])) / log(10)
    np.testing.assert_allclose(events.t, 10_000 * np.concatenate([up, down]), atol=1)


def test_the_first_frame_sets_the_reference() -> None:
    for clip in (one_pixel(), one_pixel(255), one_pixel(255, 255, 255)):
        assert len(DvsPixel()(clip)) == 0


def test_no_two_events_of_a_pixel_within_the_refractory_period() -> None:
    rng = np.random.default_rng(5)
    clip = Clip(rng.integers(0, 256, (20, 3, 4, 3)).astype(np.uint8), 200.0)
    events = DvsPixel(on_threshold=0.1, off_threshold=0.1, refractory_us=3000, noise_hz=200.0)(clip, rng)
    assert len(events) > 100
    for pixel in range(12):
        assert (np.diff(events.t[events.y * 4 + events.x == pixel]) >= 3000).all()


def test_leak_and_noise_have_their_rates() -> None:
    still = Clip(np.full((101, 20, 20, 1), 90, np.uint8), 100.0)  # one second
    leaking = DvsPixel(leak_hz=8.0)(still)
    # The eighth event is due with the last frame, and a rounding may keep it.
    assert leaking.p.all()
    assert 7 * 400 <= len(leaking) <= 8 * 400
    for value, share in ((90, 0.7), (255, 0.25), (0, 1 - 0.75 * 20 / 275)):
        grey = Clip(np.full((101, 20, 20, 1), value, np.uint8), 100.0)
        noisy = DvsPixel(noise_hz=50.0)(grey, np.random.default_rng(0))
        assert len(noisy) == pytest.approx(20_000 * share, rel=0.05)
        assert noisy.p.mean() == pytest.approx(0.5, abs=0.04)


def test_brightness_is_that_of_bt_601() -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    black_first = np.stack([np.zeros_like(colours), colours])[:, None]  # [2, 1, 4, 3]
    events = DvsPixel(on_threshold=0.05)(Clip(black_first, 25.0))
    lumas = np.array([0.299 * 255, 0.587 * 255, 0.114 * 255, 255])
    np.testing.assert_array_equal(np.bincount(events.x), np.floor(np.log(lumas) / 0.05))


def test_log_intensity_is_a_line_and_then_a_logarithm() -> None:
    np.testing.assert_allclose(
        log_intensity(np.array([0, 10, 20, 40, 255], np.float32)),
        [0, log(20) / 2, log(20), log(40), log(255)],
        rtol=1e-6,
    )


def test_frames_are_seen_at_whole_microseconds() -> None:
    assert times_us(4, 30.0).tolist() == [0, 33333, 66667, 100000]
    for n, fps in ((2, 2e6), (2, 1e-300), (1000, 1e-9)):
        with pytest.raises(EncodingError, match="frames at"):
            times_us(n, fps)


clips = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1, 3])).map(
    lambda x: Clip(np.random.default_rng(x[0]).integers(0, 256, (x[1], 3, 4, x[2])).astype(np.uint8), 100.0)
)
thresholds = st.floats(0.05, 1.5)


@given(clips, thresholds, thresholds)
def test_events_of_a_frame_are_as_many_as_those_of_v2e(clip: Clip, on: float, off: float) -> None:
    """v2e's rule: floor of the change since the base level over the threshold; then the base follows by as many."""
    events = DvsPixel(on_threshold=on, off_threshold=off)(clip)
    levels = log_intensity(luma(clip.frames)).astype(np.float64)  # [n, 3, 4]
    base, n_on, n_off = levels[0].copy(), np.zeros((3, 4), int), np.zeros((3, 4), int)
    for level in levels[1:]:
        rises, falls = (np.maximum(change, 0).astype(int) for change in ((level - base) / on, (base - level) / off))
        base += rises * on - falls * off
        n_on, n_off = n_on + rises, n_off + falls
    pixel = events.y.astype(int) * 4 + events.x
    np.testing.assert_array_equal(np.bincount(pixel[events.p], minlength=12).reshape(3, 4), n_on)
    np.testing.assert_array_equal(np.bincount(pixel[~events.p], minlength=12).reshape(3, 4), n_off)


@given(clips, thresholds, thresholds)
def test_events_tell_the_last_frame_to_within_a_threshold(clip: Clip, on: float, off: float) -> None:
    step = DvsPixel(on_threshold=on, off_threshold=off)
    levels = log_intensity(luma(clip.frames))
    error = decode(step(clip), levels[0], step) - levels[-1]
    assert (-on - 1e-9 < error).all()
    assert (error < off + 1e-9).all()


def test_pixels_beyond_memory_are_refused_before_they_are_made() -> None:
    assert len(DvsPixel()(Clip(np.empty((0, 65536, 65536, 1), np.uint8), 25.0))) == 0
    wide = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (1, 65536, 65536, 1))
    with pytest.raises(EncodingError, match=r"pixels of .* take .* GB"):
        DvsPixel()(Clip(wide, 25.0))


def test_another_seed_gives_other_thresholds() -> None:
    clip = moving_edge(n=9, height=4, width=8, dark=30, bright=200)
    step = DvsPixel(mismatch=0.05)
    assert step(clip, np.random.default_rng(0)) == step(clip, np.random.default_rng(0))
    assert step(clip, np.random.default_rng(0)) != step(clip, np.random.default_rng(1))


def test_frames_without_a_brightness_are_refused() -> None:
    for form in (ClipForm(4, 4, n_channels=4), ClipForm(4, 4, n_channels=2), ClipForm(0, 4), ClipForm(70_000, 4)):
        with pytest.raises(RecipeError, match="dvs_pixel"):
            DvsPixel().form_after(form)
    assert DvsPixel().form_after(ClipForm(4, 3, n_channels=1)) == Sensor(4, 3)


@pytest.mark.parametrize(
    "parameters", [{"on_threshold": 0.001}, {"noise_hz": -1}, {"leak_hz": float("nan")}, {"refractory_us": 2.5}]
)
def test_parameters_that_are_none_are_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match="dvs_pixel"):
        DvsPixel(**parameters)


def test_a_real_clip_gives_both_polarities_all_over_it(recordings: Path) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from neurodata.registry import formats

    clip = formats["avi"].read(recordings / "video" / "mmaction2_test.avi", 0, 400_000).signal
    events = DvsPixel()(clip)
    assert 0.1 < events.p.mean() < 0.9
    assert events.stop_us <= clip.duration_us
