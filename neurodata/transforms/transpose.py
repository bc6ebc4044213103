"""Rows become columns: x' = y, y' = x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOVES_SPACE, EventTransform, Labels, Moves, Tally, check_choice


@dataclass(frozen=True, slots=True)
class Transpose(EventTransform):
    """Exchange x and y, and width and height of the sensor: a mirror at the diagonal.

    Parameters
    ----------
    labels
        "map": the class follows the dataset's map "transpose". "keep": it stays what it is, as where recordings are
        stored transposed and this step sets them upright.
    """

    labels: Labels = "map"

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    label_map: ClassVar[str | None] = "transpose"

    def __post_init__(self) -> None:
        check_choice("transpose", "labels", self.labels, get_args(Labels))

    def sensor_after(self, sensor: Sensor) -> Sensor:
        """Width and height exchanged."""
        return Sensor(sensor.height, sensor.width, sensor.polarities)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The same columns under other names."""
        return EventArray(events.t, events.y, events.x, events.p, self.sensor_after(events.sensor))


STEP = Transpose
