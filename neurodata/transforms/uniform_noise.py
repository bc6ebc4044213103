"""Noise events, uniform over the sample's time, the sensor's pixels and the polarities.

Known from tonic's `UniformNoise`, which draws a number of events only; no paper defines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.errors import RecipeError
from neurodata.signals import EventArray
from neurodata.steps import ADDED, MOVES_NOTHING, EventTransform, Moves, Tally, check_range
from neurodata.transforms._amount import Whole, check_whole, drawn_whole

LARGEST = 2**32


@dataclass(frozen=True, slots=True)
class UniformNoise(EventTransform):
    """Add noise events between the first and the last event of the sample; an empty one has no time to add them in.

    At equal times, the sample's own events come first. Its draws, none for an empty sample: the number n
    (`rng.integers` for a range, `rng.random()` for a rate), then `rng.integers` for n times, columns, rows and, on
    a sensor of two, polarities.

    Parameters
    ----------
    n
        How many; a pair (lowest, highest): a whole number between them, both included, for every sample.
    rate_hz
        Instead: noise events a second and pixel; their number is rate_hz * pixels * (t_last - t_first), rounded up
        or down at random so that it is right on average.

    Raises
    ------
    RecipeError
        When not exactly one of n and rate_hz is stated, or it is negative. When called: more than 2^32 events.
    """

    n: Whole | None = None
    rate_hz: float | None = None

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"n": 20}, {"n": (0, 9)}, {"rate_hz": 1e-9})

    def __post_init__(self) -> None:
        if (self.n is None) == (self.rate_hz is None):
            raise RecipeError(f"uniform_noise: n is {self.n} and rate_hz is {self.rate_hz}; expected one of them")
        if self.n is not None:
            check_whole("uniform_noise", "n", self.n, 0, LARGEST)
        if self.rate_hz is not None:
            check_range("uniform_noise", "rate_hz", self.rate_hz, 0)

    @property
    def stochastic(self) -> bool:
        """Whether there is any noise."""
        return self.n not in (0, (0, 0)) and self.rate_hz != 0

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events and the noise, in time order."""
        if not self.stochastic or len(events) == 0:
            return events
        assert rng is not None  # EventTransform.__call__ asks for one
        sensor = events.sensor
        if (n := self._number(events, rng)) == 0:
            return events
        t = np.sort(rng.integers(events.t[0], events.t[-1] + 1, n))
        x = rng.integers(0, sensor.width, n).astype(np.uint16)
        y = rng.integers(0, sensor.height, n).astype(np.uint16)
        p = rng.integers(0, 2, n) > 0 if sensor.polarities == 2 else np.ones(n, np.bool_)
        tally[ADDED + "noise"] += n
        return _merged(events, EventArray(t, x, y, p, sensor))

    def _number(self, events: EventArray, rng: np.random.Generator) -> int:
        if self.n is not None:
            return drawn_whole(self.n, rng)
        expected = (self.rate_hz or 0) * events.sensor.width * events.sensor.height * events.duration_us * 1e-6
        if expected > LARGEST:
            raise RecipeError(
                f"uniform_noise: rate_hz = {self.rate_hz} makes {expected:.0f} events; expected a lower rate"
            )
        return int(expected + float(rng.random()))


def _merged(events: EventArray, noise: EventArray) -> EventArray:
    """Both in time order, `events` first where times are equal."""
    t = np.concatenate([events.t, noise.t])
    order = np.argsort(t, kind="stable")
    x, y, p = (np.concatenate([getattr(events, name), getattr(noise, name)])[order] for name in "xyp")
    return EventArray(t[order], x, y, p, events.sensor)


STEP = UniformNoise
