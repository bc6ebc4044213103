from __future__ import annotations

import numpy as np
import torch

from neurodata.augmentations import Draws
from neurodata.augmentations._draws import integers
from neurodata.augmentations._warp import rotations, shears, translations, warp
from neurodata.augmentations.snn_augment import MOST, OPERATIONS, SNNAugment

N = 600
KEYS = tuple(map(str, range(N)))


def test_each_sample_gets_one_of_six_with_one_of_31_magnitudes() -> None:
    clip = torch.rand(1, 2, 2, 24, 24, generator=torch.Generator().manual_seed(0)) + 1
    frames, _ = SNNAugment()(clip.expand(N, -1, -1, -1, -1), torch.zeros(N), Draws(KEYS, seed=4))
    u = Draws(KEYS, seed=4).per_sample(6)
    operation = integers(u[:, 1], 0, 5)
    fifteenths = integers(u[:, 2], -15, 15)
    assert np.bincount(operation).min() > 70  # 100 each, standard deviation 9
    for k in range(N):
        name, m = OPERATIONS[operation[k]], fifteenths[k : k + 1] / 15
        if name == "cutout":
            zeros = (frames[k] == 0).sum((-2, -1)).unique()
            assert len(zeros) == 1
            assert int(zeros) in {side * side for side in range(1, 9)}  # 0.001 to 0.11 of 576 pixels
            continue
        expected = clip.clone()
        whole = np.sign(m) * (abs(fifteenths[k : k + 1]) // 3)
        maps = {
            "identity": translations(0 * m, 0 * m),
            "shear_x": shears(np.tan(0.3 * m)),
            "translate_x": translations(whole, 0 * m),
            "translate_y": translations(0 * m, whole),
            "rotate": rotations(30 * m),
        }
        warp(expected, np.array([0]), maps[name], "nearest")
        assert torch.equal(frames[k], expected[0]), name


def test_every_whole_shift_is_as_likely_to_the_left_as_to_the_right() -> None:
    fifteenths = np.arange(-MOST, MOST + 1)
    maps = SNNAugment()._maps(np.full(31, OPERATIONS.index("translate_x")), fifteenths)
    shifts, counts = np.unique(-maps[:, 0, 2], return_counts=True)
    # Magnitudes are k / 3 pixels, cut towards zero: 0 for |k| < 3, three of each but the largest.
    assert dict(zip(shifts.tolist(), counts.tolist(), strict=True)) == {
        -5: 1, -4: 3, -3: 3, -2: 3, -1: 3, 0: 5, 1: 3, 2: 3, 3: 3, 4: 3, 5: 1
    }  # fmt: skip
