"""A window of the sensor: events outside are dropped, the window becomes the sensor.

Known from images, and from tonic's `RandomCrop` and `CenterCrop`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOVES_SPACE, EventTransform, Moves, Tally, check_choice, check_range
from neurodata.transforms._affine import shifted

At = Literal["centre", "random", "fixed"]


@dataclass(frozen=True, slots=True)
class Crop(EventTransform):
    """Keep the events in a window: x' = x - left, y' = y - top, on a sensor of width x height.

    Parameters
    ----------
    width, height
        Size of the window in pixels.
    at
        "centre": left = floor((sensor width - width) / 2), and top likewise.
        "random": anywhere on the sensor, uniform, for every sample (left is drawn first, then top).
        "fixed": at left, top.
    left, top
        First column and row of a fixed window.

    Raises
    ------
    RecipeError
        When the window is empty, or left or top are stated and at is not "fixed".
        When called: the window reaches over the sensor; `canvas` pads recordings that are smaller.
    """

    width: int
    height: int
    at: At = "centre"
    left: int = 0
    top: int = 0

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"width": 1, "height": 1},
        {"width": 1, "height": 1, "at": "random"},
        {"width": 1, "height": 1, "at": "fixed"},
    )

    def __post_init__(self) -> None:
        check_range("crop", "width", self.width, 1, 65536)
        check_range("crop", "height", self.height, 1, 65536)
        check_choice("crop", "at", self.at, get_args(At))
        check_range("crop", "left", self.left, 0, 65535)
        check_range("crop", "top", self.top, 0, 65535)
        if self.at != "fixed" and (self.left or self.top):
            raise RecipeError(f'crop: left and top are for at = "fixed"; at is {self.at!r}')

    @property
    def stochastic(self) -> bool:
        """Whether the place is drawn."""
        return self.at == "random"

    def sensor_after(self, sensor: Sensor) -> Sensor:
        """The window."""
        if self.left + self.width > sensor.width or self.top + self.height > sensor.height:
            raise RecipeError(
                f"crop: a window of {self.width}x{self.height} at ({self.left}, {self.top}) reaches over the sensor "
                f'{sensor}; choose a smaller one, or canvas with policy = "pad" or "crop"'
            )
        return Sensor(self.width, self.height, sensor.polarities)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events in the window."""
        sensor = self.sensor_after(events.sensor)
        free = events.sensor.width - self.width, events.sensor.height - self.height
        left, top = self._place(free, rng)
        return shifted(events, -left, -top, sensor, tally, "outside the window")

    def _place(self, free: tuple[int, int], rng: np.random.Generator | None) -> tuple[int, int]:
        if self.at == "fixed":
            return self.left, self.top
        if self.at == "centre":
            return free[0] // 2, free[1] // 2
        assert rng is not None  # EventTransform.__call__ asks for one
        return int(rng.integers(0, free[0] + 1)), int(rng.integers(0, free[1] + 1))


STEP = Crop
