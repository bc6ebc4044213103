"""Slanting to the left or right at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import Axes, SampleAugmentation
from neurodata.augmentations._draws import between
from neurodata.augmentations._warp import INTERPOLATIONS, Interpolation, shears, warp
from neurodata.steps import MOVES_SPACE, Moves, check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class ShearX(SampleAugmentation):
    """Rows shifted in proportion to their distance from the middle one, by a slope from -max_shear to max_shear.

    Parameters
    ----------
    max_shear
        Largest shift of a row against its neighbour, in pixels (the tangent of the angle of slant).
    interpolation
        "nearest" keeps counts whole and works on any type; "bilinear" needs reals.
    """

    max_shear: float = 0.3
    interpolation: Interpolation = "nearest"

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"interpolation": "bilinear", "p": 0.5})
    axes: ClassVar[Axes] = "image"
    n_draws: ClassVar[int] = 1

    def check(self) -> None:
        """Raise RecipeError when the slope is negative or no number, or a choice is none."""
        check_range(self.name, "max_shear", self.max_shear, 0, 1000)
        check_choice(self.name, "interpolation", self.interpolation, INTERPOLATIONS)

    @property
    def moves_only(self) -> bool:
        """Whether pixels are moved whole."""
        return self.interpolation == "nearest"

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Slant the chosen samples."""
        warp(frames, which, shears(between(u[:, 0], -self.max_shear, self.max_shear)), self.interpolation)


AUGMENTATION = ShearX
