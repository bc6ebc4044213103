"""Turning around the centre at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import Axes, SampleAugmentation
from neurodata.augmentations._draws import between
from neurodata.augmentations._warp import INTERPOLATIONS, Interpolation, rotations, warp
from neurodata.steps import MOVES_SPACE, SAFE_DEGREES, Labels, Moves, check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(SampleAugmentation):
    """Frames turned by an angle drawn uniformly from -max_degrees to max_degrees; zeros come from outside.

    Parameters
    ----------
    max_degrees
        Largest angle, 0 to 180; positive angles turn counter-clockwise.
    interpolation
        "nearest" keeps counts whole and works on any type; "bilinear" needs reals.
    labels
        Turns beyond 45 degrees may change what a class means, and "map" asks the dataset's map `rotate` then;
        "keep" says that classes stay what they are.
    """

    max_degrees: float = 30.0
    interpolation: Interpolation = "nearest"
    labels: Labels = "map"

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"interpolation": "bilinear", "p": 0.5},
        {"max_degrees": 180.0, "labels": "keep"},
    )
    aliases: ClassVar[Mapping[str, str]] = {"degrees": "max_degrees"}
    axes: ClassVar[Axes] = "image"
    n_draws: ClassVar[int] = 1

    def check(self) -> None:
        """Raise RecipeError when the angle is out of range, or a choice is none."""
        check_range(self.name, "max_degrees", self.max_degrees, 0, 180)
        check_choice(self.name, "interpolation", self.interpolation, INTERPOLATIONS)
        check_choice(self.name, "labels", self.labels, ("map", "keep"))

    @property
    def moves_only(self) -> bool:
        """Whether pixels are moved whole."""
        return self.interpolation == "nearest"

    @property
    def label_change(self) -> str | None:
        """`rotate` for turns that may change what a class means, unless labels stay."""
        return "rotate" if self.labels == "map" and self.max_degrees > SAFE_DEGREES else None

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Turn the chosen samples."""
        degrees = between(u[:, 0], -self.max_degrees, self.max_degrees)
        warp(frames, which, rotations(degrees), self.interpolation)


AUGMENTATION = Rotate
