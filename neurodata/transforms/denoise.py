"""Background activity filter: an event that no neighbour supports is noise.

T. Delbruck, "Frame-free dynamic digital vision", 2008 (title from memory), as dv-processing, by the sensor's maker,
implements it: the supporting event is in the past, on a neighbouring pixel and not on the own one, of either polarity,
and itself need not be supported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally, check_choice, check_range
from neurodata.transforms._keep import kept

Neighbours = Literal[4, 8]
NEVER_US = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Denoise(EventTransform):
    """Keep an event when a neighbouring pixel had one shortly before: t - t_neighbour < filter_time_us.

    Of events at the same time, an earlier one in the array supports a later one. Nothing precedes the first events
    of a sample: they are dropped until neighbours have fired.

    Parameters
    ----------
    filter_time_us
        How long an event supports its neighbours.
    neighbours
        8, or the 4 that share an edge (tonic's `Denoise`, which keeps all events of the first filter_time
        microseconds of the clock besides).

    Raises
    ------
    RecipeError
        When filter_time_us is not positive.
    """

    filter_time_us: int = 10_000
    neighbours: Neighbours = 8

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"filter_time_us": 40}, {"filter_time_us": 40, "neighbours": 4})
    aliases: ClassVar[Mapping[str, str]] = {"filter_time": "filter_time_us"}

    def __post_init__(self) -> None:
        check_range("denoise", "filter_time_us", self.filter_time_us, 1, 2**62)
        check_choice("denoise", "neighbours", self.neighbours, get_args(Neighbours))

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The supported events."""
        # [H + 2, W + 2]: pixels have neighbours on all sides, of which those off the sensor never fire.
        last_us = np.full((events.sensor.height + 2, events.sensor.width + 2), NEVER_US)
        keep = np.empty(len(events), np.bool_)
        supported(events.t, events.x, events.y, self.filter_time_us, self.neighbours == 8, last_us, keep)
        return kept(events, keep, tally, "background activity")


@kernel
def supported(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    filter_time_us: int,
    diagonal: bool,
    last_us: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> None:
    """Mark the supported events; last_us [H + 2, W + 2] starts as NEVER_US and is carried from call to call."""
    for i in range(len(t)):
        row, column = np.intp(y[i]) + 1, np.intp(x[i]) + 1
        latest = max(
            max(last_us[row - 1, column], last_us[row + 1, column]),
            max(last_us[row, column - 1], last_us[row, column + 1]),
        )
        if diagonal:
            above = max(last_us[row - 1, column - 1], last_us[row - 1, column + 1])
            below = max(last_us[row + 1, column - 1], last_us[row + 1, column + 1])
            latest = max(latest, max(above, below))
        keep[i] = latest != NEVER_US and t[i] - latest < filter_time_us
        last_us[row, column] = t[i]


def reference(events: EventArray, filter_time_us: int, neighbours: int) -> NDArray[np.bool_]:
    """What `supported` marks, one event after the other."""
    keep = np.zeros(len(events), np.bool_)
    x, y = events.x.astype(np.int64), events.y.astype(np.int64)
    for i in range(len(events)):
        dx, dy = np.abs(x[:i] - x[i]), np.abs(y[:i] - y[i])
        near = np.maximum(dx, dy) == 1 if neighbours == 8 else dx + dy == 1
        keep[i] = np.any(near & (events.t[i] - events.t[:i] < filter_time_us))
    return keep


STEP = Denoise
