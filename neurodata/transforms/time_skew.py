"""Time stretched and shifted: t' = t_0 + factor (t - t_0) + offset.

Known from tonic's `TimeSkew`; no paper defines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.errors import RecipeError
from neurodata.signals import LAST_TIME_US, EventArray
from neurodata.steps import MOVES_TIME, EventTransform, Moves, Tally, check_choice
from neurodata.transforms._amount import Amount, check_amount, drawn, is_range

Origin = Literal["first", "clock"]


@dataclass(frozen=True, slots=True)
class TimeSkew(EventTransform):
    """Stretch and shift the time of a sample, to the nearest microsecond.

    Above 2^53 us (285 years) from t_0, times are as exact as float64 is.

    Parameters
    ----------
    factor
        By which times from t_0 are multiplied: 2 makes the sample twice as slow. A pair (lowest, highest): uniform
        between them for every sample (drawn first).
    offset_us
        What is added then; a pair likewise.
    origin
        What t_0 is: "first", the first event of the sample, or "clock", zero of the recording's clock (tonic's
        `TimeSkew`).

    Raises
    ------
    RecipeError
        When factor is not from 1e-6 to 1e6. When called: a time leaves -2^62 to 2^62 - 1.
    """

    factor: Amount = 1.0
    offset_us: Amount = 0.0
    origin: Origin = "first"

    moves: ClassVar[Moves] = MOVES_TIME
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"factor": (0.8, 1.2)},
        {"factor": 0.5, "offset_us": -7},
        {"factor": 3, "offset_us": (0.0, 50.0), "origin": "clock"},
    )

    def __post_init__(self) -> None:
        check_amount("time_skew", "factor", self.factor, 1e-6, 1e6)
        check_amount("time_skew", "offset_us", self.offset_us, -(2**62), 2**62)
        check_choice("time_skew", "origin", self.origin, get_args(Origin))

    @property
    def stochastic(self) -> bool:
        """Whether factor or offset is drawn."""
        return is_range(self.factor) or is_range(self.offset_us)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events at their new times."""
        factor, offset_us = float(drawn(self.factor, rng)), float(drawn(self.offset_us, rng))
        if len(events) == 0 or (factor == 1 and offset_us == 0):
            return events
        zero_us = int(events.t[0]) if self.origin == "first" else 0
        moved_us = np.rint(factor * (events.t - zero_us) + offset_us)  # float64 [n]
        for end_us in (moved_us[0], moved_us[-1]):
            if not -LAST_TIME_US - 1 <= zero_us + int(end_us) <= LAST_TIME_US:
                raise RecipeError(
                    f"time_skew: factor {factor} and offset {offset_us} us take times to {zero_us + int(end_us)} us; "
                    "expected -2^62 to 2^62 - 1"
                )
        return replace(events, t=zero_us + moved_us.astype(np.int64))


STEP = TimeSkew
