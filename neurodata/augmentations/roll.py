"""Shifting around the edges at random, as the recipes for CIFAR10-DVS do (TCJA-SNN and others: up to 5 pixels)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import SampleAugmentation
from neurodata.augmentations._draws import integers
from neurodata.steps import MOVES_SPACE, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll(SampleAugmentation):
    """Frames shifted by whole pixels, from -max to max in each direction; what leaves on one side enters on the other.

    Frames [B, T, N] are rolled along their channels by `max_x`, which is 5 unless stated.

    Parameters
    ----------
    max_x, max_y
        Largest shifts, in pixels.
    """

    max_x: int = 5
    max_y: int = 5

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"max_x": 2, "max_y": 0, "p": 0.5})
    n_draws: ClassVar[int] = 2

    def check(self) -> None:
        """Raise RecipeError when a shift is negative."""
        check_range(self.name, "max_x", self.max_x, 0)
        check_range(self.name, "max_y", self.max_y, 0)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Roll the chosen samples."""
        dx = integers(u[:, 0], -self.max_x, self.max_x).tolist()
        dy = integers(u[:, 1], -self.max_y, self.max_y).tolist()
        has_rows = frames.ndim >= 5
        for k, b in enumerate(which.tolist()):
            frames[b] = frames[b].roll((dy[k], dx[k]), (-2, -1)) if has_rows else frames[b].roll(dx[k], -1)


AUGMENTATION = Roll
