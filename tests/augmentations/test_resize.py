from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from neurodata.augmentations import Draws
from neurodata.augmentations.resize import Resize
from neurodata.errors import RecipeError


def resized(image: np.ndarray, **parameters: object) -> np.ndarray:
    frames = torch.from_numpy(image)[None, None, None].expand(2, 3, 2, -1, -1)
    result, _ = Resize(**parameters)(frames, torch.zeros(2), Draws(("a", "b")))  # type: ignore[arg-type]
    assert torch.equal(result, result[:1, :1, :1].expand_as(result))
    return result[0, 0, 0].numpy()


def test_area_is_the_mean_and_nearest_the_pixel_under_the_centre() -> None:
    image = np.array([[0, 4, 8, 0], [4, 0, 0, 8]], np.float32)
    assert resized(image, height=1, width=2, mode="area").tolist() == [[2, 4]]
    assert resized(image, height=2, width=8, mode="nearest").tolist() == np.repeat(image, 2, axis=1).tolist()
    assert resized(image, height=2, width=4).tolist() == image.tolist()


@pytest.mark.parametrize("size", [(5, 7), (24, 30), (16, 16)])
def test_antialiased_bilinear_is_pillows(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((12, 20)).astype(np.float32)
    expected = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    found = resized(image, height=size[0], width=size[1], antialias=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_it_draws_nothing_and_parameters_are_checked() -> None:
    assert not Resize(height=3, width=3).random
    with pytest.raises(RecipeError, match=r"antialias with mode 'area'"):
        Resize(height=3, width=3, mode="area", antialias=True)
    with pytest.raises(RecipeError, match="resize: height is 0"):
        Resize(height=0, width=3)
