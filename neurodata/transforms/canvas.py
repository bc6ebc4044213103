"""One pixel grid for recordings that differ in size, as those of N-Caltech101 and N-Cars do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOVES_SPACE, EventTransform, Moves, Tally, check_choice, check_range
from neurodata.transforms._affine import shifted
from neurodata.transforms._scale import scaled

Policy = Literal["crop", "pad", "scale"]
Anchor = Literal["centre", "top-left"]


@dataclass(frozen=True, slots=True)
class Canvas(EventTransform):
    """Put the sample on a canvas of width x height, whatever its own size.

    Parameters
    ----------
    width, height
        Size of the canvas in pixels.
    policy
        What becomes of a recording of another size. "crop": what reaches over the canvas is dropped and counted, on
        either axis; a smaller one is padded. "pad": a smaller one is padded, a larger one is an error: no event is
        lost. "scale": each axis is scaled to the canvas, x' = floor(x * width / sensor width); no event is lost, and
        the aspect changes where those of recording and canvas differ.
    anchor
        What falls on each other when cropping and padding: "centre" (half a pixel is rounded as in `crop`) or
        "top-left".

    Raises
    ------
    RecipeError
        When the canvas is empty. When called: the recording is larger, and policy is "pad".
    """

    width: int
    height: int
    policy: Policy = "crop"
    anchor: Anchor = "centre"

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"width": 5, "height": 4},
        {"width": 5, "height": 4, "anchor": "top-left"},
        {"width": 16, "height": 16, "policy": "pad"},
        {"width": 7, "height": 3, "policy": "scale"},
    )

    def __post_init__(self) -> None:
        check_range("canvas", "width", self.width, 1, 65536)
        check_range("canvas", "height", self.height, 1, 65536)
        check_choice("canvas", "policy", self.policy, get_args(Policy))
        check_choice("canvas", "anchor", self.anchor, get_args(Anchor))

    def sensor_after(self, sensor: Sensor) -> Sensor:
        """The canvas."""
        if self.policy == "pad" and (sensor.width > self.width or sensor.height > self.height):
            raise RecipeError(
                f"canvas: a recording of {sensor} does not fit {self.width}x{self.height}; choose a larger canvas, or "
                'policy = "crop" or "scale"'
            )
        return Sensor(self.width, self.height, sensor.polarities)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events on the canvas."""
        sensor, old = self.sensor_after(events.sensor), events.sensor
        if sensor == old:
            return events
        if self.policy == "scale":
            return scaled(events, (sensor.width, sensor.height), (old.width, old.height), sensor)
        x_px, y_px = 0, 0
        if self.anchor == "centre":
            x_px, y_px = -((old.width - sensor.width) // 2), -((old.height - sensor.height) // 2)
        return shifted(events, x_px, y_px, sensor, tally, "outside the canvas")


STEP = Canvas
