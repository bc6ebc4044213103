from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.frame_difference import FrameDifference
from neurodata.errors import RecipeError
from neurodata.forms import ClipForm
from neurodata.signals import Clip


def one_pixel(*values: int) -> Clip:
    return Clip(np.array(values, np.uint8).reshape(-1, 1, 1, 1), 25.0)


def test_differences_by_hand() -> None:
    clip = one_pixel(0, 51, 51, 255, 204)
    np.testing.assert_allclose(
        FrameDifference(output="signed", threshold=0.3)(clip).ravel(), [0, 0, 0, 0.8, 0], atol=1e-6
    )
    spikes = FrameDifference(threshold=0.15)(clip)
    assert spikes.shape == (5, 2, 1, 1)
    assert spikes[:, 0].ravel().tolist() == [False, False, False, False, True]
    assert spikes[:, 1].ravel().tolist() == [False, True, False, True, False]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1, 3]))
def test_without_a_threshold_differences_sum_to_the_last_frame(seed: int, n: int, n_channels: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (n, 3, 4, n_channels)).astype(np.uint8)
    differences = FrameDifference(output="signed", threshold=0.0)(Clip(frames, 25.0))
    brightness = frames @ (np.array([0.299, 0.587, 0.114]) if n_channels == 3 else np.ones(1)) / 255
    np.testing.assert_allclose(brightness[0] + differences.sum(axis=0)[0], brightness[-1], atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_spikes_are_where_the_signed_difference_is_not_zero(seed: int, threshold: float) -> None:
    clip = Clip(np.random.default_rng(seed).integers(0, 256, (4, 3, 4, 3)).astype(np.uint8), 25.0)
    signed = FrameDifference(output="signed", threshold=threshold)(clip)
    spikes = FrameDifference(output="polarity", threshold=threshold)(clip)
    np.testing.assert_array_equal(spikes[:, 1].astype(int) - spikes[:, 0], np.sign(signed[:, 0]))


def test_a_clip_of_one_frame_gives_zeros() -> None:
    assert not FrameDifference()(one_pixel(255)).any()


def test_what_it_cannot_take_is_refused() -> None:
    with pytest.raises(RecipeError, match="4 channels"):
        FrameDifference().spec(ClipForm(3, 3, n_channels=4))
    for parameters in ({"threshold": -0.1}, {"output": "both"}):
        with pytest.raises(RecipeError, match="frame_difference"):
            FrameDifference(**parameters)
