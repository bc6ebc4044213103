"""Hot pixels, which fire without a stimulus, are silenced: by their rate, by statistics, or by a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import RecipeError
from neurodata.signals import EventArray
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally, check_range
from neurodata.transforms._pixels import counts_of, without


@dataclass(frozen=True, slots=True)
class HotPixels(EventTransform):
    """Drop all events of pixels that are hot by one of the stated rules; events of both polarities count together.

    The two rules that count look at the whole sample: they are not causal.

    Parameters
    ----------
    max_rate_hz
        Hot is a pixel with more than max_rate_hz * (t_last - t_first) events (tonic's `hot_pixel_frequency`). A
        sample of no duration tells no rate: none is hot.
    max_deviation
        Hot is a pixel with more events than the mean of the pixels that have any, and this many of their
        (population) standard deviations.
    pixels
        Known hot pixels, as pairs (x, y); those off the sensor are left aside.

    Raises
    ------
    RecipeError
        When no rule is stated, or a number is negative.
    """

    max_rate_hz: float | None = None
    max_deviation: float | None = None
    pixels: tuple[tuple[int, int], ...] | None = None

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"max_rate_hz": 2000.0},
        {"max_deviation": 1.0},
        {"pixels": ((0, 0), (2, 3), (9, 9))},
    )
    aliases: ClassVar[Mapping[str, str]] = {"hot_pixel_frequency": "max_rate_hz", "coordinates": "pixels"}

    def __post_init__(self) -> None:
        if self.max_rate_hz is None and self.max_deviation is None and self.pixels is None:
            raise RecipeError("hot_pixels: says nothing about what is hot; state max_rate_hz, max_deviation or pixels")
        for parameter in ("max_rate_hz", "max_deviation"):
            if (found := getattr(self, parameter)) is not None:
                check_range("hot_pixels", parameter, found, 0)
        for x, y in self.pixels or ():
            check_range("hot_pixels", "x of a pixel", x, 0, 65535)
            check_range("hot_pixels", "y of a pixel", y, 0, 65535)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events of pixels that are not hot."""
        return without(events, self.hot(events), tally, "hot pixel") if len(events) else events

    def hot(self, events: EventArray) -> NDArray[np.bool_]:
        """Which pixels are hot in this sample: bool [H, W]."""
        sensor = events.sensor
        hot = np.zeros((sensor.height, sensor.width), np.bool_)
        if self.max_rate_hz is not None or self.max_deviation is not None:
            counts = counts_of(events)
            if self.max_rate_hz is not None and events.duration_us > 0:
                hot |= counts > self.max_rate_hz * events.duration_us * 1e-6
            if self.max_deviation is not None and len(events):
                active = counts[counts > 0]
                hot |= counts > active.mean() + self.max_deviation * active.std()
        for x, y in self.pixels or ():
            if x < sensor.width and y < sensor.height:
                hot[y, x] = True
        return hot


STEP = HotPixels
