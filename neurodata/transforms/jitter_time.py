"""Events displaced in time by normally distributed numbers of microseconds.

Known from tonic's `TimeJitter`; no paper defines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.signals import LAST_TIME_US, EventArray
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally, check_range
from neurodata.transforms._normal import normal


@dataclass(frozen=True, slots=True)
class JitterTime(EventTransform):
    """Displace every event by a normal distribution, to the nearest microsecond; then sort, stably.

    Its draws are those of n normal numbers (`_normal.py`). Times may fall before zero of the clock; they stop at the
    ends of what an EventArray holds.

    Parameters
    ----------
    std_us
        Standard deviation.

    Raises
    ------
    RecipeError
        When std_us is negative or above 2^50.
    """

    std_us: float

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"std_us": 100.0},)
    aliases: ClassVar[Mapping[str, str]] = {"std": "std_us"}

    def __post_init__(self) -> None:
        check_range("jitter_time", "std_us", self.std_us, 0, 2**50)

    @property
    def stochastic(self) -> bool:
        """Whether anything moves."""
        return self.std_us > 0

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The displaced events."""
        if not self.stochastic:
            return events
        assert rng is not None  # EventTransform.__call__ asks for one
        shift_us = np.rint(self.std_us * normal(rng, len(events))).astype(np.int64)
        t = np.clip(events.t + shift_us, -LAST_TIME_US - 1, LAST_TIME_US)
        return EventArray.from_unsorted(t, events.x, events.y, events.p, events.sensor)[0]


STEP = JitterTime
