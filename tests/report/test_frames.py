"""Pictures of samples: colours, sheets and animations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurodata.errors import NeurodataError
from neurodata.report import contact_sheet, paint, save_sample


def one_event(channel: int, count: int = 1, dtype: str = "uint16") -> np.ndarray:
    frames = np.zeros((1, 2, 2, 2), dtype)  # [T, C, H, W]
    frames[0, channel, 0, 1] = count
    return frames


def test_on_is_orange_and_off_is_blue_on_white_at_the_place_of_the_event() -> None:
    off, on = paint(one_event(0)), paint(one_event(1))
    assert off.shape == (1, 2, 2, 3)
    assert off[0, 0, 1].tolist() == [0, 114, 178]
    assert on[0, 0, 1].tolist() == [213, 94, 0]
    assert (off[0, 1] == 255).all()
    assert (off[0, 0, 0] == 255).all()


def test_no_events_are_white_and_more_events_are_darker() -> None:
    assert (paint(np.zeros((3, 2, 4, 4), "uint8")) == 255).all()
    frames = np.zeros((1, 2, 1, 3), "uint32")
    frames[0, 1, 0] = 0, 1, 4_000_000_000
    white, light, dark = paint(frames)[0, 0].astype(int).sum(axis=1)
    assert white > light > dark


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "bool"])
def test_every_stored_type_is_painted_without_changing_it(dtype: str) -> None:
    frames = one_event(1, dtype=dtype)
    before = frames.copy()
    assert (paint(frames) == paint(one_event(1))).all()
    assert (frames == before).all()


def test_one_channel_is_painted_in_one_colour() -> None:
    assert paint(np.ones((1, 1, 1, 1)))[0, 0, 0].tolist() == [213, 94, 0]


@pytest.mark.parametrize(
    ("shape", "widest_px"), [((1, 2, 8, 8), 200), ((300, 2, 34, 34), 1300), ((3, 2, 720, 1280), 1300)]
)
def test_a_sheet_of_any_number_of_steps_stays_within_a_page(shape: tuple[int, ...], widest_px: int) -> None:
    sheet = contact_sheet(np.ones(shape, "uint8"), "title")
    assert sheet.width <= widest_px
    assert sheet.height >= 128


def test_a_gif_has_one_picture_for_each_step_and_repeats(tmp_path: Path) -> None:
    frames = np.zeros((5, 2, 16, 16), "uint8")
    for step in range(5):
        frames[step, 1, step, step] = 1
    save_sample(frames, tmp_path / "a.gif", "title", frames_per_second=10)
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.n_frames, picture.info["duration"], picture.info["loop"]) == (5, 100, 0)
        assert picture.size == (128, 128)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_single_step_is_a_picture_too(tmp_path: Path, suffix: str) -> None:
    save_sample(np.ones((1, 2, 8, 8), "float32"), tmp_path / f"a{suffix}", "title")
    with Image.open(tmp_path / f"a{suffix}") as picture:
        assert getattr(picture, "n_frames", 1) == 1


def test_another_suffix_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(NeurodataError, match=r"a\.jpg: pictures end in \.png .* or \.gif"):
        save_sample(np.ones((1, 2, 8, 8)), tmp_path / "a.jpg", "title")
    assert list(tmp_path.iterdir()) == []


def test_numbers_below_zero_have_the_colour_of_off() -> None:
    signed = np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
    assert paint(signed)[0, 0].tolist() == [[0, 114, 178], [255, 255, 255], [213, 94, 0]]
    assert (paint(-np.ones((1, 2, 1, 1))) == paint(np.ones((1, 2, 1, 1)))).all()


def test_a_raster_is_one_picture_with_time_to_the_right(tmp_path: Path) -> None:
    raster = np.zeros((7, 3), np.uint8)  # [T, N]
    raster[5, 1] = 1
    picture = paint(raster)
    assert picture.shape == (1, 3, 7, 3)
    assert np.argwhere((picture[0] != 255).any(-1)).tolist() == [[1, 5]]
    save_sample(raster, tmp_path / "raster.png", "a raster")


def test_a_spectrogram_in_decibels_is_white_where_it_is_silent() -> None:
    decibels = np.full((5, 3), -100.0, np.float32)  # [T, N]
    decibels[4, 1] = -20.0
    picture = paint(decibels)[0]
    assert picture.shape == (3, 5, 3)
    assert (picture[0] == 255).all()
    assert picture[1, 4].tolist() == [213, 94, 0]


def test_a_raster_of_two_polarities_has_both_colours() -> None:
    raster = np.zeros((4, 2, 3), np.uint8)  # [T, C, N]
    raster[0, 0, 1] = raster[3, 1, 2] = 1
    (picture,) = paint(raster)
    assert picture.shape == (3, 4, 3)
    assert picture[1, 0].tolist() == [0, 114, 178]
    assert picture[2, 3].tolist() == [213, 94, 0]


def test_three_channels_are_red_green_and_blue() -> None:
    frame = np.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    assert paint(frame)[0, 0, 0].tolist() == [0, 127, 255]
    assert (paint(np.zeros((2, 3, 4, 4))) == 0).all()


def test_a_grid_is_seen_from_above() -> None:
    grid = np.zeros((1, 1, 4, 2, 3), np.uint8)  # [T, C, Z, Y, X]
    grid[0, 0, 3, 1, 2] = 1
    assert (paint(grid) == paint(grid[:, :, 3])).all()


def test_a_shape_that_cannot_be_drawn_is_named() -> None:
    with pytest.raises(NeurodataError, match="a sample of shape 7 is none that can be drawn"):
        paint(np.zeros(7))
