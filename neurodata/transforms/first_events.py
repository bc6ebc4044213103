"""The first n events of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_TIME, EventTransform, Moves, Tally, check_range


@dataclass(frozen=True, slots=True)
class FirstEvents(EventTransform):
    """Keep the first n events; later ones are counted. The columns are views of those given.

    Parameters
    ----------
    n
        How many; a sample that has fewer keeps them all.

    Raises
    ------
    RecipeError
        When n is not positive.
    """

    n: int

    moves: ClassVar[Moves] = MOVES_TIME
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"n": 5},)

    def __post_init__(self) -> None:
        check_range("first_events", "n", self.n, 1)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The first events."""
        if len(events) <= self.n:
            return events
        tally["after the first events"] += len(events) - self.n
        return events[: self.n]


STEP = FirstEvents
