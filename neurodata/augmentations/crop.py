"""A window of the padded frame, drawn at random: the usual augmentation of small images (padding 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import Augmentation, Axes
from neurodata.augmentations._draws import Draws, integers
from neurodata.errors import LoaderError
from neurodata.steps import MOVES_SPACE, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(Augmentation):
    """Frames padded with zeros on all sides, and of that a window at a place drawn for each sample.

    Parameters
    ----------
    padding
        Pixels of zeros on each side.
    height, width
        Of the window; those of the frame when None.
    p
        Probability for each sample; the others get the window in the middle.
    """

    padding: int = 4
    height: int | None = None
    width: int | None = None
    p: float = 1.0

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"padding": 1, "height": 2, "width": 3, "p": 0.5})
    axes: ClassVar[Axes] = "image"

    def check(self) -> None:
        """Raise RecipeError when a number is out of range."""
        check_range(self.name, "padding", self.padding, 0)
        check_range(self.name, "p", self.p, 0, 1)
        for side in ("height", "width"):
            if (length := getattr(self, side)) is not None:
                check_range(self.name, side, length, 1)

    def apply(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The window of each sample, [B, T, C, height, width].

        Raises
        ------
        LoaderError
            When the window is larger than the padded frame.
        """
        u = draws.per_sample(3)
        happens = u[:, 0] < self.p
        top, height = self._window("height", frames.shape[-2], self.height, u[:, 1], happens)
        left, width = self._window("width", frames.shape[-1], self.width, u[:, 2], happens)
        result = frames.new_zeros((*frames.shape[:-2], height, width))
        for b in range(len(frames)):
            rows, into_rows = _overlap(int(top[b]), height, frames.shape[-2])
            columns, into_columns = _overlap(int(left[b]), width, frames.shape[-1])
            result[b, ..., into_rows, into_columns] = frames[b, ..., rows, columns]
        return result, targets

    def _window(
        self, name: str, length: int, wanted: int | None, u: NDArray[np.float64], happens: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], int]:
        """Where the window of each sample begins on the frame's own axis, int64 [B], and how long it is."""
        size = length if wanted is None else wanted
        slack = length + 2 * self.padding - size
        if slack < 0:
            raise LoaderError(
                f"crop: {name} {size} of frames of {length} with a padding of {self.padding}; "
                f"expected at most {length + 2 * self.padding}"
            )
        return np.where(happens, integers(u, 0, slack), slack // 2) - self.padding, size


def _overlap(start: int, size: int, length: int) -> tuple[slice, slice]:
    """Which part of an axis of this length a window from `start` on shows, and where in the window that part lies."""
    first, last = max(start, 0), min(start + size, length)
    last = max(first, last)
    return slice(first, last), slice(first - start, last - start)


AUGMENTATION = Crop
