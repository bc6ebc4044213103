"""Events displaced by normally distributed numbers of pixels.

Known from tonic's `SpatialJitter`; no paper defines it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally, check_range
from neurodata.transforms._affine import LEFT_THE_SENSOR
from neurodata.transforms._keep import kept
from neurodata.transforms._normal import normal


@dataclass(frozen=True, slots=True)
class JitterSpace(EventTransform):
    """Displace every event by a two-dimensional normal distribution, to the nearest pixel; what leaves is counted.

    Its draws are those of 2 n normal numbers (`_normal.py`): g for all events, then h; dx = std_x_px g,
    dy = std_y_px (r g + sqrt(1 - r^2) h), with r the correlation.

    Parameters
    ----------
    std_x_px, std_y_px
        Standard deviations in pixels, the square roots of tonic's var_x and var_y.
    correlation
        Of the two displacements: tonic's sigma_xy / (std_x std_y).

    Raises
    ------
    RecipeError
        When a standard deviation is negative, or the correlation outside -1 to 1.
    """

    std_x_px: float = 1.0
    std_y_px: float = 1.0
    correlation: float = 0.0

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"std_x_px": 3.0, "std_y_px": 0.5, "correlation": -0.5})

    def __post_init__(self) -> None:
        check_range("jitter_space", "std_x_px", self.std_x_px, 0, 65536)
        check_range("jitter_space", "std_y_px", self.std_y_px, 0, 65536)
        check_range("jitter_space", "correlation", self.correlation, -1, 1)

    @property
    def stochastic(self) -> bool:
        """Whether anything moves."""
        return self.std_x_px > 0 or self.std_y_px > 0

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The displaced events."""
        if not self.stochastic:
            return events
        assert rng is not None  # EventTransform.__call__ asks for one
        g, h = normal(rng, 2 * len(events)).reshape(2, -1)
        x_px = self.std_x_px * g
        y_px = self.std_y_px * (self.correlation * g + math.sqrt(1 - self.correlation**2) * h)
        x, y = events.x + np.rint(x_px).astype(np.int32), events.y + np.rint(y_px).astype(np.int32)
        keep = (x >= 0) & (x < events.sensor.width) & (y >= 0) & (y < events.sensor.height)
        x, y = np.where(keep, x, 0).astype(np.uint16), np.where(keep, y, 0).astype(np.uint16)
        return kept(replace(events, x=x, y=y), keep, tally, LEFT_THE_SENSOR)


STEP = JitterSpace
