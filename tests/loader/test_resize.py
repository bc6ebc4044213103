from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from neurodata.loader._resize import reference, resized

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(max_examples=60)
@given(SIZES, SIZES, st.sampled_from(["float32", "float64"]), st.integers(0, 2**32 - 1))
def test_frames_are_resized_as_torch_and_the_reference_do(
    old: tuple[int, int], new: tuple[int, int], dtype: str, seed: int
) -> None:
    frames = np.random.default_rng(seed).poisson(0.5, (3, 2, *old)).astype(dtype)
    shrinks = new[0] < old[0] or new[1] < old[1]
    expected = interpolate(torch.from_numpy(frames), new, mode="bilinear", align_corners=False, antialias=shrinks)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    found = resized(frames, *new)
    assert found.dtype == frames.dtype
    np.testing.assert_allclose(found, reference(frames, *new), rtol=tolerance, atol=tolerance)
    # torch 2.13 repeats the first row where a width of 1 is antialiased: [0, 1, 2] becomes [0.375, 0.375].
    if new[1] > 1 or not shrinks:
        np.testing.assert_allclose(found, expected.numpy(), rtol=tolerance, atol=tolerance)


def test_one_column_is_right() -> None:
    column = np.array([0, 1, 2], np.float32).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(resized(column, 2, 1)[0, 0, :, 0], [0.375, 1.625])


def test_halving_weighs_four_neighbours() -> None:
    frames = np.array([0, 0, 0, 8, 0, 0, 0, 0], np.float32).reshape(1, 1, 1, 8)
    # A triangle as wide as two new pixels: weights 1/8, 3/8, 3/8, 1/8 of the old ones.
    np.testing.assert_allclose(resized(frames, 1, 4)[0, 0, 0], [0, 3, 1, 0], atol=1e-6)


def test_frames_of_no_steps_stay_so() -> None:
    assert resized(np.empty((0, 2, 4, 4), np.float32), 2, 3).shape == (0, 2, 2, 3)
