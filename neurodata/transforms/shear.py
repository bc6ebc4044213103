"""Shear about the centre of the sensor, each event to the nearest pixel.

One of the set of SNNAugmentWide, with slopes up to 0.3 (see `rotate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_SPACE, EventTransform, Moves, Tally
from neurodata.transforms._affine import turned
from neurodata.transforms._amount import Amount, check_amount, drawn, is_range


@dataclass(frozen=True, slots=True)
class Shear(EventTransform):
    """Slant the sample; events that leave the sensor are counted.

    With dx, dy from the centre: dx' = dx + x dy, dy' = dy + y dx.

    Parameters
    ----------
    x, y
        Slopes: pixels to the right for every pixel down, and down for every pixel to the right; a pair
        (lowest, highest): uniform between them for every sample (x is drawn first).

    Raises
    ------
    RecipeError
        When a slope is not from -1 to 1.
    """

    x: Amount = (-0.3, 0.3)
    y: Amount = 0.0

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"x": 0.3, "y": -0.5})

    def __post_init__(self) -> None:
        check_amount("shear", "x", self.x, -1, 1)
        check_amount("shear", "y", self.y, -1, 1)

    @property
    def stochastic(self) -> bool:
        """Whether a slope is drawn."""
        return is_range(self.x) or is_range(self.y)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The slanted events."""
        x, y = drawn(self.x, rng), drawn(self.y, rng)
        return turned(events, ((1.0, x), (y, 1.0)), tally)


STEP = Shear
