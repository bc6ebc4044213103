"""Events moved by whole pixels; what leaves the sensor is gone.

One of the set of SNNAugmentWide, with up to 5 pixels (see `rotate`); with up to 20, the shift of EST (Gehrig et al.,
ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import EventTransform, Tally
from neurodata.transforms._affine import shifted
from neurodata.transforms._amount import Whole, check_amount, drawn_whole, is_range


@dataclass(frozen=True, slots=True)
class Translate(EventTransform):
    """Move the sample; events that leave the sensor are counted.

    Parameters
    ----------
    x_px, y_px
        Pixels to the right and down; a pair (lowest, highest): a whole number between them, both included, for
        every sample (x is drawn first).

    Raises
    ------
    RecipeError
        When a shift is not from -65535 to 65535.
    """

    x_px: Whole = (-5, 5)
    y_px: Whole = (-5, 5)

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"x_px": 2, "y_px": -1})

    def __post_init__(self) -> None:
        check_amount("translate", "x_px", self.x_px, -65535, 65535)
        check_amount("translate", "y_px", self.y_px, -65535, 65535)

    @property
    def stochastic(self) -> bool:
        """Whether a shift is drawn."""
        return is_range(self.x_px) or is_range(self.y_px)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The moved events."""
        x_px, y_px = drawn_whole(self.x_px, rng), drawn_whole(self.y_px, rng)
        return shifted(events, x_px, y_px, events.sensor, tally)


STEP = Translate
