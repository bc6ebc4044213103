"""Values of a series brought to the range from 0 to 1, which encodings into spikes expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Series
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice

Per = Literal["sample", "channel"]


@dataclass(frozen=True, slots=True)
class Rescale(SignalTransform):
    """(x - low) / (high - low), clipped to 0 to 1; values that were outside are counted as "clipped".

    Parameters
    ----------
    low, high
        What becomes 0 and 1. None: the least and the largest value, of the whole sample or of each channel: what a
        sample becomes then depends on its own loudness, and on its end as much as on its start (it is not causal).
    per
        Whose least and largest value: "sample" or "channel". Where all values are equal they become 0.

    Raises
    ------
    RecipeError
        When low is not below high, or both are stated and per is "channel".
    EncodingError
        When called: a value is not a number, or all of a sample with only one limit stated are on the wrong side of it.
    """

    low: float | None = None
    high: float | None = None
    per: Per = "sample"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"per": "channel"},
        {"low": 0.25, "high": 0.75},
        {"low": 0.0},
    )
    takes: ClassVar[Kinds] = Series
    gives: ClassVar[type] = Series

    def __post_init__(self) -> None:
        check_choice("rescale", "per", self.per, get_args(Per))
        limits = [limit for limit in (self.low, self.high) if limit is not None]
        if not np.isfinite(limits).all() or (len(limits) == 2 and not limits[0] < limits[1]):
            raise RecipeError(f"rescale: low is {self.low} and high {self.high}; expected numbers, low below high")
        if len(limits) == 2 and self.per == "channel":
            raise RecipeError(
                'rescale: per is "channel", but low and high are stated for all; leave one of the two out'
            )

    def apply(self, signal: Series, rng: np.random.Generator | None, tally: Tally) -> Series:
        """The values from 0 to 1."""
        values = signal.values.astype(np.float64)  # [n_steps, n_channels]
        if not np.isfinite(values).all():
            raise EncodingError("rescale: a value is not a number (NaN or infinite)")
        if not values.size:
            return signal
        axis = 0 if self.per == "channel" else None
        low = values.min(axis) if self.low is None else np.float64(self.low)
        high = values.max(axis) if self.high is None else np.float64(self.high)
        if (low > high).any():
            raise EncodingError(
                f"rescale: values reach from {values.min():g} to {values.max():g}, all on one side of the limit "
                f"stated, low {self.low} and high {self.high}; state both"
            )
        scaled = (values - low) / np.where(high > low, high - low, 1)
        if outside := int(np.count_nonzero((scaled < 0) | (scaled > 1))):
            tally["clipped"] += outside
        return Series(np.clip(scaled, 0, 1).astype(np.float32), signal.rate_hz)


STEP = Rescale
