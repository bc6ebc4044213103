"""The sample backwards: t' = t_first + t_last - t, ON becomes OFF.

Known from tonic's `RandomTimeReversal`; no paper defines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from neurodata.signals import EventArray
from neurodata.steps import MOVES_TIME, Moves
from neurodata.transforms._chance import Chance


@dataclass(frozen=True, slots=True)
class ReverseTime(Chance):
    """Play the sample backwards, with probability p; it covers the same interval as before.

    The order of events is reversed too, also of those at the same time, so that twice is the sample itself. It looks
    at the whole sample: it is not causal.

    Parameters
    ----------
    p
        Probability of a sample to be reversed; 1 reverses every one, without a draw.
    labels
        "map": the class follows the dataset's map "reverse_time" (clockwise becomes counter-clockwise).
        "keep": it stays what it is.
    flip_polarity
        Whether ON and OFF are exchanged: backwards, what became brighter becomes darker. A sensor of one polarity
        has none to exchange.

    Raises
    ------
    RecipeError
        When p is outside 0 to 1.
    """

    flip_polarity: bool = True

    moves: ClassVar[Moves] = MOVES_TIME
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"p": 0.5}, {"flip_polarity": False})
    label_map: ClassVar[str | None] = "reverse_time"

    def changed(self, events: EventArray) -> EventArray:
        """The events backwards."""
        if len(events) == 0:
            return events
        # In this order, every number on the way fits int64.
        t = (events.t[-1] - events.t[::-1]) + events.t[0]
        flipped = self.flip_polarity and events.sensor.polarities == 2
        p = ~events.p[::-1] if flipped else events.p[::-1].copy()
        return EventArray(t, events.x[::-1].copy(), events.y[::-1].copy(), p, events.sensor)


STEP = ReverseTime
