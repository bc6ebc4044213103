"""Event stacks: the latest polarity of each pixel in windows that halve towards the end of the recording.

The mixed-density event stack of Nam et al., "Stereo depth from events cameras: concentrate and focus on the future",
CVPR 2022, as a detector's input in Zubić et al., "From chaos comes order", ICCV 2023. Where the number of events is a
power of two, windows are those of the latter's published code; elsewhere that code loses step with what is left
(7 events: 7, 4, 3, 3), and here they are n, n // 2, n // 4 ... RVT's code has another representation of that name,
which halves time and sums polarities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOST_STEPS, ArraySpec, DenseEncoding, Tally, check_whole


@dataclass(frozen=True, slots=True)
class EventStack(DenseEncoding):
    """Latest polarity of each pixel among the last n // 2^k events, k = 0 ... T - 1: array [T, 1, H, W] of int8.

    1 = ON, -1 = OFF, 0 = no event; on a sensor of one polarity every event is ON. Frame 0 sees all n events, the
    last frame the fewest, and all end with the last event: the frames are nested, not one after the other,
    and look at the whole sample (not causal).

    Parameters
    ----------
    T
        Number of windows.

    Raises
    ------
    RecipeError
        When T is not positive.
    """

    T: int

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 4},)
    aliases: ClassVar[Mapping[str, str]] = {"stack_size": "T"}

    def __post_init__(self) -> None:
        check_whole("event_stack", "T", self.T, 1, MOST_STEPS)

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, 1, H, W] of -1, 0 and 1."""
        axes = ("time", "channel", "y", "x")
        return ArraySpec((self.T, 1, sensor.height, sensor.width), np.dtype(np.int8), axes)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the polarities into frames [T, 1, H, W] of zeros."""
        starts = len(events) - (len(events) >> np.minimum(np.arange(self.T), 63))  # int64 [T]
        latest_polarities(events.x, events.y, events.p, events.sensor.polarities == 1, starts, out)


@kernel
def latest_polarities(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    all_on: bool,
    starts: NDArray[np.int64],
    frames: NDArray[np.int8],
) -> None:
    """Polarity of the latest event of each pixel from event starts[k] on in frames[k, 0]."""
    for k in range(len(starts)):
        frame, rows, columns, on = frames[k, 0], y[starts[k] :], x[starts[k] :], p[starts[k] :]
        for i in range(len(on)):
            frame[rows[i], columns[i]] = 1 if on[i] or all_on else -1


def reference(events: EventArray, T: int) -> NDArray[np.int8]:
    """The definition, one window after the other; of indices that come twice, NumPy keeps the last value."""
    frames = np.zeros((T, 1, events.sensor.height, events.sensor.width), np.int8)
    for k in range(T):
        last = events[len(events) - len(events) // 2**k :]
        frames[k, 0, last.y, last.x] = np.where(last.p | (events.sensor.polarities == 1), 1, -1)
    return frames


STEP = EventStack
