"""Shifting at random, with zeros from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import Axes, SampleAugmentation
from neurodata.augmentations._draws import integers
from neurodata.augmentations._warp import translations, warp
from neurodata.steps import MOVES_SPACE, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Translate(SampleAugmentation):
    """Frames shifted by whole pixels, from -max to max in each direction; what leaves is lost, what enters is zero.

    Parameters
    ----------
    max_x, max_y
        Largest shifts, in pixels.
    """

    max_x: int = 5
    max_y: int = 5

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"max_x": 0, "max_y": 3, "p": 0.5})
    axes: ClassVar[Axes] = "image"
    n_draws: ClassVar[int] = 2

    def check(self) -> None:
        """Raise RecipeError when a shift is negative."""
        check_range(self.name, "max_x", self.max_x, 0)
        check_range(self.name, "max_y", self.max_y, 0)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Shift the chosen samples."""
        dx, dy = integers(u[:, 0], -self.max_x, self.max_x), integers(u[:, 1], -self.max_y, self.max_y)
        warp(frames, which, translations(dx.astype(np.float64), dy.astype(np.float64)), "nearest")


AUGMENTATION = Translate
