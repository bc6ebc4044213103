"""SNNAugmentWide: one of six geometric changes, the augmentation of QKFormer, Spikingformer and others of their line.

It is TrivialAugment (S. Müller, F. Hutter, ICCV 2021, arXiv:2103.10158) with what suits events: Identity, ShearX ±0.3,
TranslateX and TranslateY ±5 pixels, Rotate ±30 degrees, Cutout of 0.1 to 11 % of the area. The code of QKFormer
(dvs128-gesture/train.py, C. Zhou et al. 2024, arXiv:2403.16552) draws one of 31 magnitudes from minus to plus the
largest, cuts translations to whole pixels towards zero (so that 0 is drawn most often), takes the shear of 0.3 as an
angle in radians, and takes the nearest pixel; so does this. Magnitudes are fifteenths of the largest here, exactly:
those of the code are float32, so that 1 and 2 pixels, a little too small, become 0 and 1 for some of them. One draw
holds for all time steps of a sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._boxes import erase, inner_squares
from neurodata.augmentations._contract import Axes, SampleAugmentation
from neurodata.augmentations._draws import integers
from neurodata.augmentations._warp import identities, rotations, shears, translations, warp
from neurodata.steps import MOVES_SPACE, Moves, check_range

MOST = 15  # magnitudes are -15 to 15 fifteenths of the largest
OPERATIONS = ("identity", "shear_x", "translate_x", "translate_y", "rotate", "cutout")


@dataclass(frozen=True, slots=True, kw_only=True)
class SNNAugment(SampleAugmentation):
    """One of six changes, drawn for each sample: none, shear, translation in x or y, rotation, cutout.

    Parameters
    ----------
    max_shear_rad
        Largest slant, in radians.
    max_shift_px
        Largest translation, in pixels.
    max_degrees
        Largest rotation.
    min_area, max_area
        Of the square that is cut out, as a part of the grid's.
    """

    max_shear_rad: float = 0.3
    max_shift_px: float = 5.0
    max_degrees: float = 30.0
    min_area: float = 0.001
    max_area: float = 0.11

    version: ClassVar[int] = 2
    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"max_degrees": 10.0, "p": 0.5})
    axes: ClassVar[Axes] = "image"
    n_draws: ClassVar[int] = 5

    def check(self) -> None:
        """Raise RecipeError when a number is out of range."""
        check_range(self.name, "max_shear_rad", self.max_shear_rad, 0, 1.5)
        check_range(self.name, "max_shift_px", self.max_shift_px, 0, 2**31)
        check_range(self.name, "max_degrees", self.max_degrees, 0, 45)
        check_range(self.name, "min_area", self.min_area, 0, 1)
        check_range(self.name, "max_area", self.max_area, self.min_area, 1)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Do one of the six to each chosen sample."""
        operation = integers(u[:, 0], 0, len(OPERATIONS) - 1)
        warp(frames, which, self._maps(operation, integers(u[:, 1], -MOST, MOST)), "nearest")
        cut = operation == OPERATIONS.index("cutout")
        height, width = frames.shape[-2:]
        erase(frames, which[cut], inner_squares(u[cut, 2:], height, width, self.min_area, self.max_area))

    def _maps(self, operation: NDArray[np.int64], fifteenths: NDArray[np.int64]) -> NDArray[np.float64]:
        # Multiplied first: 5 * 3 / 15 is 1, and 5 * (3 / 15) may be less.
        shift, still = np.trunc(self.max_shift_px * fifteenths / MOST), np.zeros(len(fifteenths))
        maps = {
            "shear_x": shears(np.tan(self.max_shear_rad * fifteenths / MOST)),
            "translate_x": translations(shift, still),
            "translate_y": translations(still, shift),
            "rotate": rotations(self.max_degrees * fifteenths / MOST),
        }
        same = identities(len(operation))
        every = np.stack([maps.get(name, same) for name in OPERATIONS])  # [6, n, 2, 3]
        return every[operation, np.arange(len(operation))]


AUGMENTATION = SNNAugment
