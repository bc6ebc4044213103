"""One polarity instead of two: every event counts as ON, and frames have one channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally


@dataclass(frozen=True, slots=True)
class MergePolarities(EventTransform):
    """Forget polarity: the sensor has one, p is True for all events."""

    moves: ClassVar[Moves] = MOVES_NOTHING

    def sensor_after(self, sensor: Sensor) -> Sensor:
        """The same pixels with one polarity."""
        return Sensor(sensor.width, sensor.height, polarities=1)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events without polarity."""
        if events.sensor.polarities == 1:
            return events
        return EventArray(
            events.t, events.x, events.y, np.ones(len(events), np.bool_), self.sensor_after(events.sensor)
        )


STEP = MergePolarities
