"""The events of an interval: start_us <= t < stop_us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.errors import RecipeError
from neurodata.signals import LAST_TIME_US, EventArray
from neurodata.steps import MOVES_TIME, EventTransform, Moves, Tally, check_choice

Origin = Literal["first", "clock"]


@dataclass(frozen=True, slots=True)
class TimeSlice(EventTransform):
    """Keep the events of a half-open interval, at the times they have; the columns are views of those given.

    Parameters
    ----------
    start_us, stop_us
        First microsecond, and the one after the last; no stop: to the end of the sample.
    origin
        From where they count: "first", the first event of the sample, or "clock", zero of the recording's clock.

    Raises
    ------
    RecipeError
        When stop_us is before start_us.
    """

    start_us: int = 0
    stop_us: int | None = None
    origin: Origin = "first"

    moves: ClassVar[Moves] = MOVES_TIME
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"stop_us": 300},
        {"start_us": 10, "stop_us": 300, "origin": "clock"},
    )

    def __post_init__(self) -> None:
        check_choice("time_slice", "origin", self.origin, get_args(Origin))
        if self.stop_us is not None and self.stop_us < self.start_us:
            raise RecipeError(f"time_slice: stop_us is {self.stop_us}; expected at least start_us, {self.start_us}")

    def interval(self, first_us: int) -> tuple[int, int]:
        """The times that are kept, start <= t < stop on the recording's clock, of a sample that begins at first_us."""
        zero_us = first_us if self.origin == "first" else 0
        stop_us = LAST_TIME_US + 1 if self.stop_us is None else zero_us + self.stop_us
        return _on_the_clock(zero_us + self.start_us), _on_the_clock(stop_us)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events of the interval."""
        inside = events.between(*self.interval(events.start_us))
        if len(inside) == len(events):
            return events
        tally["outside the time slice"] += len(events) - len(inside)
        return inside


def _on_the_clock(us: int) -> int:
    """The nearest time that leaves the same events on its left; it fits int64."""
    return min(max(us, -LAST_TIME_US - 1), LAST_TIME_US + 1)


STEP = TimeSlice
