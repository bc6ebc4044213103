"""A shift by whole pixels, the same or another one for every sample: what `roll` and `translate` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.steps import MOVES_SPACE, EventTransform, Moves
from neurodata.transforms._amount import Whole, check_whole, drawn_whole, is_range


@dataclass(frozen=True, slots=True)
class Shift(EventTransform):
    """Base of transforms that move events by x_px to the right and y_px down.

    Raises
    ------
    RecipeError
        When a shift is not from -65535 to 65535.
    """

    x_px: Whole = (-5, 5)
    y_px: Whole = (-5, 5)

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"x_px": 2, "y_px": -1})

    def __post_init__(self) -> None:
        for name in ("x_px", "y_px"):
            check_whole(type(self).__name__.lower(), name, getattr(self, name), -65535, 65535)

    @property
    def stochastic(self) -> bool:
        """Whether a shift is drawn."""
        return is_range(self.x_px) or is_range(self.y_px)

    def drawn(self, rng: np.random.Generator | None) -> tuple[int, int]:
        """The shift of one sample in pixels, x drawn first."""
        return drawn_whole(self.x_px, rng), drawn_whole(self.y_px, rng)
