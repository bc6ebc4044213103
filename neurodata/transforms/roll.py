"""Events moved by whole pixels around the sensor: what leaves on one side comes in on the other.

What np.roll does to frames. With up to 5 pixels, the augmentation in the training code of TCJA-SNN; one of the family
of geometric augmentations of Li et al., "Neuromorphic Data Augmentation for Training Spiking Neural Networks",
ECCV 2022 (that it is among them is from memory).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurodata.signals import EventArray
from neurodata.steps import Tally
from neurodata.transforms._shift import Shift


@dataclass(frozen=True, slots=True)
class Roll(Shift):
    """Move the sample around the sensor: x' = (x + x_px) mod width, y' = (y + y_px) mod height.

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

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The moved events."""
        x_px, y_px = self.drawn(rng)
        x, y = _around(events.x, x_px, events.sensor.width), _around(events.y, y_px, events.sensor.height)
        return events if x is events.x and y is events.y else replace(events, x=x, y=y)


def _around(column: NDArray[np.uint16], shift_px: int, size: int) -> NDArray[np.uint16]:
    if shift_px % size == 0:
        return column
    new = (np.arange(size) + shift_px) % size  # [size]: where each old pixel goes
    return new.astype(np.uint16)[column]


STEP = Roll
