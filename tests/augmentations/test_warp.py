"""Affine maps, next to Pillow, SciPy and (where it can be imported) torchvision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from torch import Tensor

from neurodata.augmentations import Draws
from neurodata.augmentations._warp import identities, rotations, shears, translations, warp
from neurodata.augmentations.rotate import Rotate
from neurodata.augmentations.shear_x import ShearX
from neurodata.augmentations.translate import Translate

angles = st.floats(-180, 180)


def picture(height: int = 9, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 200, (height, width)).astype(np.float32)


def warped(image: np.ndarray, map_: np.ndarray, interpolation: str = "nearest") -> np.ndarray:
    frames = torch.from_numpy(image.copy())[None, None, None].repeat(1, 3, 2, 1, 1)
    warp(frames, np.array([0]), map_, interpolation)  # type: ignore[arg-type]
    assert torch.equal(frames, frames[:, :1, :1].expand_as(frames))
    return frames[0, 0, 0].numpy()


@settings(max_examples=30)
@given(angles.filter(lambda angle: abs(angle % 45) > 0.01))
def test_nearest_rotation_is_pillows(angle: float) -> None:
    image = picture()
    expected = np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.NEAREST))
    different = warped(image, rotations(np.array([angle]))) != expected
    assert different.sum() <= 1  # Pillow rounds its matrix to 15 digits and steps along in fixed point


@settings(max_examples=30)
@given(st.floats(-2, 2), st.integers(-4, 4), st.integers(-4, 4))
def test_shears_and_shifts_are_scipys(shear: float, dx: int, dy: int) -> None:
    image = picture()
    height, width = image.shape
    map_ = shears(np.array([shear]))
    map_[:, :, 2] += translations(np.array([dx]), np.array([dy]))[:, :, 2]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    matrix = map_[0, :, :2][::-1, ::-1]  # SciPy counts y, x
    offset = centre - matrix @ centre + map_[0, ::-1, 2]
    for interpolation, order in (("nearest", 0), ("bilinear", 1)):
        expected = ndimage.affine_transform(image, matrix, offset, order=order, mode="grid-constant", cval=0.0)
        found = warped(image, map_, interpolation)
        if order:
            np.testing.assert_allclose(found, expected, atol=0.02)
        else:
            assert (found != expected).mean() < 0.02  # where two pixels are as near


def test_a_quarter_turn_counter_clockwise_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    assert warped(image, rotations(np.array([90.0]))).tolist() == [[3, 6, 9], [2, 5, 8], [1, 4, 7]]
    assert warped(image, rotations(np.array([90.0]))).tolist() == np.rot90(image).tolist()


def test_a_shift_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    assert warped(image, translations(np.array([1.0]), np.array([-1.0]))).tolist() == [[0, 4, 5], [0, 7, 8], [0, 0, 0]]


def test_a_shear_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    assert warped(image, shears(np.array([1.0]))).tolist() == [[0, 1, 2], [4, 5, 6], [8, 9, 0]]


def test_no_turn_changes_nothing() -> None:
    image = picture()
    for interpolation in ("nearest", "bilinear"):
        assert (warped(image, rotations(np.zeros(1)), interpolation) == image).all()
        assert (warped(image, identities(1), interpolation) == image).all()
    for zero in (Rotate(max_degrees=0.0), ShearX(max_shear=0.0), Translate(max_x=0, max_y=0)):
        frames = torch.from_numpy(image)[None, None, None]
        assert torch.equal(zero(frames, torch.tensor([0]), Draws(("a",)))[0], frames)


def test_magnitudes_span_their_range() -> None:
    keys = tuple(map(str, range(200)))
    frames = torch.zeros(200, 1, 1, 11, 11)
    frames[..., 5, 5] = 1
    shifted, _ = Translate(max_x=2, max_y=1)(frames, torch.zeros(200), Draws(keys))
    places = {tuple(place) for place in shifted[:, 0, 0].nonzero()[:, 1:].tolist()}
    assert places == {(y, x) for y in (4, 5, 6) for x in (3, 4, 5, 6, 7)}


def torchvision_functional() -> object:
    try:  # A torchvision that was built against another torch fails in many ways.
        from torchvision.transforms import functional
    except Exception as error:
        pytest.skip(f"torchvision: {error}")
    return functional


@pytest.mark.parametrize("angle", [-30.0, -7.5, 11.0, 29.0, 123.0])
def test_rotations_and_shears_are_torchvisions(angle: float) -> None:
    functional = torchvision_functional()
    image = torch.from_numpy(picture(32, 40))
    clip: Tensor = image[None, None]
    rotated = functional.rotate(clip, angle)  # type: ignore[attr-defined]
    assert np.array_equal(warped(image.numpy(), rotations(np.array([angle]))), rotated[0, 0].numpy())
    slanted = functional.affine(  # type: ignore[attr-defined]
        clip, angle=0.0, translate=[3, -2], scale=1.0, shear=[angle / 4, 0.0]
    )
    map_ = shears(np.array([math.tan(math.radians(angle / 4))]))
    map_[0, :, 2] = [-3 + 2 * map_[0, 0, 1], 2]
    assert np.array_equal(warped(image.numpy(), map_), slanted[0, 0].numpy())
