"""Left and right exchanged: x' = width - 1 - x.

The usual augmentation of images and of event cameras (tonic's `RandomFlipLR`); no paper defines it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_SPACE, Moves
from neurodata.transforms._chance import Chance


@dataclass(frozen=True, slots=True)
class FlipX(Chance):
    """Mirror the sample from left to right, with probability p.

    Parameters
    ----------
    p
        Probability of a sample to be mirrored; 1 mirrors every one, without a draw.
    labels
        "map": the class follows the dataset's map "flip_x" (a right hand becomes a left hand).
        "keep": it stays what it is.

    Raises
    ------
    RecipeError
        When p is outside 0 to 1.
    """

    moves: ClassVar[Moves] = MOVES_SPACE
    label_map: ClassVar[str | None] = "flip_x"

    def changed(self, events: EventArray) -> EventArray:
        """The mirrored events."""
        return replace(events, x=np.uint16(events.sensor.width - 1) - events.x)


STEP = FlipX
