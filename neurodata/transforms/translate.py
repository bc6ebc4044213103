"""Events moved by whole pixels; what leaves the sensor is gone.

One of the set of SNNAugmentWide, with up to 5 pixels (see `rotate`); with up to 20, the shift of EST (Gehrig et al.,
ICCV 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import Tally
from neurodata.transforms._affine import shifted
from neurodata.transforms._shift import Shift


@dataclass(frozen=True, slots=True)
class Translate(Shift):
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

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The moved events."""
        x_px, y_px = self.drawn(rng)
        return shifted(events, x_px, y_px, events.sensor, tally)


STEP = Translate
