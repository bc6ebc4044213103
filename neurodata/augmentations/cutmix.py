"""CutMix: a box of another sample, and as much of its label as the box covers.

S. Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", ICCV 2019,
arXiv:1905.04899: λ from Beta(α, α); the box is sqrt(1 - λ) as high and wide as the frame, around a pixel drawn from
all, cut off at the edges, and λ is then what it leaves. The same box at all time steps. Over time instead of space: a
stretch of time steps, 1 - λ of them, as recipes for spiking speech do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._boxes import centred_boxes
from neurodata.augmentations._mixing import MixAugmentation
from neurodata.errors import LoaderError
from neurodata.steps import check_choice


@dataclass(frozen=True, slots=True, kw_only=True)
class CutMix(MixAugmentation):
    """A box of each sample replaced by that of its partner; targets soft.

    Parameters
    ----------
    over
        "space": a box of the pixel grid, at all time steps; "time": a stretch of time steps, whole.
    """

    over: Literal["space", "time"] = "space"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"over": "time"}, {"per": "sample", "p": 0.5})
    aliases: ClassVar[Mapping[str, str]] = {"prob": "p", "cutmix_alpha": "alpha"}
    n_draws: ClassVar[int] = 2

    def check(self) -> None:
        """Raise RecipeError when a number is out of range, or a choice is none."""
        MixAugmentation.check(self)
        check_choice(self.name, "over", self.over, ("space", "time"))

    def mix(self, sample: Tensor, other: Tensor, stays: float, u: NDArray[np.float64]) -> float:
        """Replace a box.

        Raises
        ------
        LoaderError
            When frames have no pixel grid.
        """
        if self.over == "time":
            return _replace(sample[:, None], other[:, None], (int((1 - stays) * len(sample)), 1), u)
        if sample.ndim < 4:
            raise LoaderError(
                f"cutmix: frames of the shape {['B', *sample.shape]} have no pixel grid: "
                'expected [B, T, C, H, W], or over = "time"'
            )
        height, width = sample.shape[-2:]
        part = math.sqrt(1 - stays)
        box = int(part * height), int(part * width)
        return _replace(sample.movedim((-2, -1), (0, 1)), other.movedim((-2, -1), (0, 1)), box, u)


def _replace(sample: Tensor, other: Tensor, box: tuple[int, int], u: NDArray[np.float64]) -> float:
    """Replace a box, so high and so wide, of the grid of the first two axes; gives the part that stays."""
    height, width = sample.shape[:2]
    sides = (np.array([side]) for side in box)
    [[top, left, bottom, right]] = centred_boxes(u[None], height, width, *sides).tolist()
    sample[top:bottom, left:right] = other[top:bottom, left:right]
    return float(1 - (bottom - top) * (right - left) / (height * width))


AUGMENTATION = CutMix
