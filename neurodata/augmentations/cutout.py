"""Squares of the field of view without events.

`size_px`: T. DeVries, G. W. Taylor, "Improved regularization of convolutional neural networks with cutout", 2017,
arXiv:1708.04552 (spike-driven transformers use one square of 16 pixels). `min_area`, `max_area`: random erasing,
Z. Zhong et al. 2017, arXiv:1708.04896, with squares only, as QKFormer and Spikingformer use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._boxes import centred_boxes, erase, inner_squares
from neurodata.augmentations._contract import Axes, SampleAugmentation
from neurodata.steps import MOVES_NOTHING, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout(SampleAugmentation):
    """Squares set to zero at all time steps and in both polarities.

    Parameters
    ----------
    size_px
        Side of the squares; their centres are drawn from all pixels, and what lies outside is cut off. None: the area
        is drawn instead.
    min_area, max_area
        Area as a part of the grid's, drawn uniformly; such squares lie on the grid whole. Without effect where
        `size_px` is stated.
    n_holes
        Squares for each sample; they may overlap.
    """

    size_px: int | None = None
    min_area: float = 0.001
    max_area: float = 0.11
    n_holes: int = 1

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"size_px": 3, "n_holes": 2, "p": 0.5})
    aliases: ClassVar[Mapping[str, str]] = {"length": "size_px"}
    axes: ClassVar[Axes] = "image"

    def check(self) -> None:
        """Raise RecipeError when a number is out of range."""
        if self.size_px is not None:
            check_range(self.name, "size_px", self.size_px, 1)
        check_range(self.name, "min_area", self.min_area, 0, 1)
        check_range(self.name, "max_area", self.max_area, self.min_area, 1)
        check_range(self.name, "n_holes", self.n_holes, 1)

    @property
    def n_draws(self) -> int:  # type: ignore[override]  # as many as there are holes
        """Three for each hole."""
        return 3 * self.n_holes

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Cut squares out of the chosen samples."""
        height, width = frames.shape[-2:]
        for hole in range(self.n_holes):
            drawn = u[:, 3 * hole : 3 * hole + 3]
            if self.size_px is None:
                boxes = inner_squares(drawn, height, width, self.min_area, self.max_area)
            else:
                side = np.full(len(which), self.size_px)
                boxes = centred_boxes(drawn, height, width, side, side)
            erase(frames, which, boxes)


AUGMENTATION = Cutout
