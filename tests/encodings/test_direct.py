from __future__ import annotations

import numpy as np
import pytest

from neurodata.encodings.direct import Direct
from neurodata.errors import RecipeError
from neurodata.signals import Clip, Image, Series


def test_a_picture_stands_in_every_step_with_channels_first() -> None:
    pixels = np.arange(24, dtype=np.float32).reshape(2, 4, 3) / 24
    frames = Direct(T=5)(Image(pixels))
    assert frames.shape == (5, 3, 2, 4)
    for frame in frames:
        np.testing.assert_array_equal(frame, pixels.transpose(2, 0, 1))
    np.testing.assert_allclose(Direct(T=5).decode(frames), pixels.transpose(2, 0, 1)[np.newaxis], rtol=1e-6)


def test_steps_of_a_row_come_before_those_of_the_next() -> None:
    rows = Direct(T=2)(Series(np.array([[1, -2], [3, 4]], np.float32), 100.0))
    assert rows.tolist() == [[1, -2], [1, -2], [3, 4], [3, 4]]


def test_frames_of_a_video_reach_from_zero_to_one() -> None:
    frames = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    np.testing.assert_allclose(Direct()(Clip(frames, 25.0)).ravel(), [0, 0.2, 1], rtol=1e-6)


@pytest.mark.parametrize("T", [0, -1, 2.5, 2**24 + 1])
def test_a_number_of_steps_that_is_none_is_refused(T: object) -> None:
    with pytest.raises(RecipeError, match="direct: T is"):
        Direct(T=T)  # type: ignore[arg-type]
