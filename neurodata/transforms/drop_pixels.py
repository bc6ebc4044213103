"""Dead pixels: each one is silent for the whole sample, with some probability.

Known from tonic's `DropPixel`; no paper defines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally, check_range
from neurodata.transforms._pixels import without


@dataclass(frozen=True, slots=True)
class DropPixels(EventTransform):
    """Drop all events of pixels that are drawn anew for every sample.

    Its draws: `rng.random((height, width))`; pixels below p are dead.

    Parameters
    ----------
    p
        Probability of a pixel to be dead.

    Raises
    ------
    RecipeError
        When p is outside 0 to 1.
    """

    p: float

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"p": 0.3},)

    def __post_init__(self) -> None:
        check_range("drop_pixels", "p", self.p, 0, 1)

    @property
    def stochastic(self) -> bool:
        """Whether pixels are drawn: not when all or none are dead."""
        return 0 < self.p < 1

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events of the other pixels."""
        shape = events.sensor.height, events.sensor.width
        if not self.stochastic:
            return without(events, np.full(shape, self.p == 1), tally, "dropped pixel")
        assert rng is not None  # EventTransform.__call__ asks for one
        return without(events, rng.random(shape) < self.p, tally, "dropped pixel")


STEP = DropPixels
