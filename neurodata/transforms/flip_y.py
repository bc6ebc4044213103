"""Top and bottom exchanged: y' = height - 1 - y.

Known from images, and from tonic's `RandomFlipUD`; no paper defines it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_SPACE, Moves
from neurodata.transforms._chance import Chance


@dataclass(frozen=True, slots=True)
class FlipY(Chance):
    """Mirror the sample from top to bottom, with probability p.

    Parameters
    ----------
    p
        Probability of a sample to be mirrored; 1 mirrors every one, without a draw.
    labels
        "map": the class follows the dataset's map "flip_y" (a 6 is no longer one). "keep": it stays what it is.

    Raises
    ------
    RecipeError
        When p is outside 0 to 1.
    """

    moves: ClassVar[Moves] = MOVES_SPACE
    label_map: ClassVar[str | None] = "flip_y"

    def changed(self, events: EventArray) -> EventArray:
        """The mirrored events."""
        return replace(events, y=np.uint16(events.sensor.height - 1) - events.y)


STEP = FlipY
