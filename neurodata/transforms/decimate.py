"""Every n-th event, of each pixel or of the whole sensor."""

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

Per = Literal["pixel", "sensor"]


@dataclass(frozen=True, slots=True)
class Decimate(EventTransform):
    """Keep the events number n, 2n, 3n ... and count the others.

    Parameters
    ----------
    n
        One of how many events stays; 1 keeps all.
    per
        What is counted on its own: every "pixel" (both polarities together), or the whole "sensor".

    Raises
    ------
    RecipeError
        When n is not positive.
    """

    n: int
    per: Per = "pixel"

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"n": 3}, {"n": 3, "per": "sensor"})

    def __post_init__(self) -> None:
        check_range("decimate", "n", self.n, 1, 2**62)
        check_choice("decimate", "per", self.per, get_args(Per))

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """Every n-th event."""
        if self.n == 1:
            return events
        keep = np.zeros(len(events), np.bool_)
        if self.per == "sensor":
            keep[self.n - 1 :: self.n] = True
        else:
            seen = np.zeros((events.sensor.height, events.sensor.width), np.int64)  # [H, W]: since the last one kept
            every_nth(events.x, events.y, self.n, seen, keep)
        return kept(events, keep, tally, "decimated")


@kernel
def every_nth(
    x: NDArray[np.uint16], y: NDArray[np.uint16], n: int, seen: NDArray[np.int64], keep: NDArray[np.bool_]
) -> None:
    """Mark every n-th event of each pixel; seen [H, W] is carried from call to call."""
    for i in range(len(x)):
        count = seen[y[i], x[i]] + 1
        keep[i] = count == n
        seen[y[i], x[i]] = 0 if count == n else count


def reference(events: EventArray, n: int) -> NDArray[np.bool_]:
    """What `every_nth` marks, one pixel after the other."""
    keep = np.zeros(len(events), np.bool_)
    pixel = events.y.astype(np.int64) * events.sensor.width + events.x
    for one in np.unique(pixel):
        keep[np.flatnonzero(pixel == one)[n - 1 :: n]] = True
    return keep


STEP = Decimate
