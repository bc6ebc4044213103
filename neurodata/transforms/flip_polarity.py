"""ON and OFF exchanged, as if the picture were a negative.

Known from tonic's `RandomFlipPolarity`; no paper defines it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from neurodata.signals import EventArray
from neurodata.steps import MOVES_NOTHING, Moves
from neurodata.transforms._chance import Chance


@dataclass(frozen=True, slots=True)
class FlipPolarity(Chance):
    """Exchange the polarities of the whole sample, with probability p; a sensor of one polarity has none to exchange.

    Parameters
    ----------
    p
        Probability of a sample to be exchanged; 1 exchanges every one, without a draw.
    labels
        "map": the class follows the dataset's map "flip_polarity". "keep": it stays what it is.

    Raises
    ------
    RecipeError
        When p is outside 0 to 1.
    """

    moves: ClassVar[Moves] = MOVES_NOTHING
    label_map: ClassVar[str | None] = "flip_polarity"

    def changed(self, events: EventArray) -> EventArray:
        """The events with opposite polarity."""
        return replace(events, p=~events.p) if events.sensor.polarities == 2 else events


STEP = FlipPolarity
