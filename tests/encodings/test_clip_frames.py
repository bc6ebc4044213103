from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from torch.nn.functional import interpolate

from neurodata.encodings._bilinear import reference, resized, weights
from neurodata.encodings.clip_frames import ClipFrames
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import ClipForm
from neurodata.signals import Clip

sides = st.integers(1, 40)


def numbered(n: int) -> Clip:
    """Frame k has the value k everywhere."""
    return Clip(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 2, 3, 1)).copy(), 25.0)


def taken(step: ClipFrames, n: int, seed: int = 0) -> list[int]:
    frames = step(numbered(n), np.random.default_rng(seed))
    return np.rint(frames[:, 0, 0, 0] * 255).astype(int).tolist()


@pytest.mark.parametrize(
    ("parameters", "n", "expected"),
    [
        ({"T": 3}, 9, [1, 4, 7]),
        ({"T": 4}, 10, [1, 3, 6, 8]),
        ({"T": 3, "at": "first"}, 10, [0, 3, 6]),
        ({"T": 4}, 2, [0, 0, 1, 1]),
        ({"T": 4}, 1, [0, 0, 0, 0]),
        ({"T": 3, "sampling": "stride", "stride": 2}, 9, [2, 4, 6]),
        ({"T": 3, "sampling": "stride", "stride": 2, "at": "first"}, 9, [0, 2, 4]),
        ({"T": 4, "sampling": "stride", "stride": 2}, 5, [0, 2, 4, 4]),
        ({"T": 4, "sampling": "stride", "stride": 2, "short": "loop"}, 5, [0, 2, 4, 1]),
        ({"sampling": "all"}, 3, [0, 1, 2]),
    ],
)
def test_frames_by_hand(parameters: dict, n: int, expected: list[int]) -> None:
    assert taken(ClipFrames(**parameters), n) == expected


@given(n=st.integers(1, 200), T=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_a_random_frame_lies_in_its_part(n: int, T: int, seed: int) -> None:
    frames = ClipFrames(T=T, at="random").frame_numbers(n, np.random.default_rng(seed))
    k = np.arange(T)
    assert (frames >= np.floor(k * n / T)).all()
    assert (frames <= np.minimum(np.floor((k + 1) * n / T), n - 1)).all()


@given(n=st.integers(1, 50), T=st.integers(1, 9), stride=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_random_strided_frames_are_within_the_clip_and_apart(n: int, T: int, stride: int, seed: int) -> None:
    step = ClipFrames(T=T, sampling="stride", stride=stride, at="random")
    frames = step.frame_numbers(n, np.random.default_rng(seed))
    assert 0 <= frames.min() <= frames.max() < n
    if (T - 1) * stride < n:
        assert (np.diff(frames) == stride).all()


# torch 2.13 repeats the first row where a width of 1 is antialiased: widths of 1 are left to the test with Pillow.
wide = st.integers(2, 40)


@given(old_height=sides, old_width=wide, height=sides, width=wide, seed=st.integers(0, 1000))
def test_sizes_are_those_of_torch(old_height: int, old_width: int, height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).random((old_height, old_width, 2), np.float32)
    planes = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]
    expected = interpolate(planes, size=[height, width], mode="bilinear", align_corners=False, antialias=True)
    np.testing.assert_allclose(resized(picture, height, width), expected[0].permute(1, 2, 0), atol=2e-5)


@given(old=st.tuples(sides, sides, st.integers(1, 3)), new=st.tuples(sides, sides), seed=st.integers(0, 1000))
def test_the_kernel_equals_the_reference(old: tuple[int, int, int], new: tuple[int, int], seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, old).astype(np.uint8)
    np.testing.assert_allclose(resized(picture, *new), reference(picture, *new), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("old", "new"), [((24, 31), (40, 13)), ((5, 1), (3, 1)), ((1, 5), (3, 1)), ((5, 5), (1, 1))])
def test_sizes_are_those_of_pillow(old: tuple[int, int], new: tuple[int, int]) -> None:
    picture = np.random.default_rng(2).random(old, np.float32)
    expected = PillowImage.fromarray(picture).resize(new[::-1], PillowImage.Resampling.BILINEAR)
    np.testing.assert_allclose(resized(picture[..., None], *new)[..., 0], np.asarray(expected), atol=1e-5)


@given(old=sides, new=sides)
def test_an_even_picture_stays_even(old: int, new: int) -> None:
    np.testing.assert_allclose(weights(old, new).sum(axis=1), 1, rtol=1e-5)


def test_the_short_side_is_resized_and_the_centre_cut_out() -> None:
    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, None, :, None], (1, 20, 40, 1))
    step = ClipFrames(T=1, short_side=10, width=8, height=10)
    frames = step(Clip(ramp.copy(), 25.0))
    assert frames.shape == (1, 1, 10, 8)
    # 20 columns of pairs of old ones, 0.5, 2.5 ...; the window starts at column 6, away from edges.
    np.testing.assert_allclose(frames[0, 0, 3] * 255, 12.5 + 2 * np.arange(8), rtol=1e-4)


def test_channels_come_first_and_are_normalised_each() -> None:
    frames = np.array([51, 102, 255], np.uint8).reshape(1, 1, 1, 3)
    step = ClipFrames(T=2, mean=(0.2, 0.4, 0.5), std=(1.0, 1.0, 0.25))
    np.testing.assert_allclose(step(Clip(frames, 25.0))[:, :, 0, 0], [[0, 0, 2]] * 2, atol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"T": 0},
        {"T": 3, "sampling": "all"},
        {"T": 3, "stride": 2},
        {"T": 3, "width": 3},
        {"T": 3, "std": 0.0},
        {"T": 3, "mean": float("nan")},
        {"T": 3, "at": "last"},
    ],
)
def test_parameters_that_are_none_are_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match="clip_frames"):
        ClipFrames(**parameters)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"short_side": 10, "width": 11, "height": 10}, "reaches over"),
        ({"mean": (0.1, 0.2)}, "2 values of mean"),
    ],
)
def test_forms_that_do_not_fit_are_refused_before_anything_is_read(parameters: dict, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        ClipFrames(T=2, **parameters).spec(ClipForm(20, 20))


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(EncodingError, match="no frames"):
        ClipFrames(T=2)(numbered(0))
    with pytest.raises(RecipeError, match="no pixels"):
        ClipFrames(T=2)(Clip(np.zeros((1, 0, 3, 1), np.uint8), 25.0))


def test_frames_beyond_memory_are_refused_before_they_are_made() -> None:
    thin = Clip(np.zeros((1, 1, 3000, 1), np.uint8), 25.0)
    with pytest.raises(EncodingError, match=r"resized to 9000000x3000 takes .* GB"):
        ClipFrames(T=1, short_side=3000, width=1, height=1)(thin)
