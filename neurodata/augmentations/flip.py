"""Mirroring at random: left and right (the usual augmentation of event cameras), or up and down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import SampleAugmentation
from neurodata.errors import LoaderError
from neurodata.steps import MOVES_SPACE, Labels, Moves, check_choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip(SampleAugmentation):
    """Frames mirrored along x (the last axis; the channels of [B, T, N]) or y (the last but one).

    Parameters
    ----------
    axis
        "x" or "y".
    labels
        "map": classes follow the dataset's map `flip_x` or `flip_y` (a mirrored right hand is a left hand); "keep":
        they stay what they are.
    p
        Probability for each sample.
    """

    axis: Literal["x", "y"] = "x"
    labels: Labels = "map"
    p: float = 0.5

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"p": 1.0, "labels": "keep"}, {"axis": "y"})

    def check(self) -> None:
        """Raise RecipeError when a choice is none."""
        check_choice(self.name, "axis", self.axis, ("x", "y"))
        check_choice(self.name, "labels", self.labels, ("map", "keep"))

    @property
    def label_change(self) -> str | None:
        """`flip_x` or `flip_y`, unless labels stay."""
        return f"flip_{self.axis}" if self.labels == "map" else None

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Mirror the chosen samples.

        Raises
        ------
        LoaderError
            When there is no axis y.
        """
        if self.axis == "y" and frames.ndim < 5:
            raise LoaderError(
                f"flip: frames of the shape {list(frames.shape)} have no axis y; expected [B, T, C, H, W]"
            )
        for b in which.tolist():
            frames[b] = frames[b].flip(-1 if self.axis == "x" else -2)


AUGMENTATION = Flip
