"""A dead time of pixels: events that follow one of their pixel too soon are dropped."""

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

Since = Literal["kept", "any"]
NEVER_US = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Refractory(EventTransform):
    """Keep an event when its pixel has rested for refractory_us: t - t_before >= refractory_us.

    Parameters
    ----------
    refractory_us
        Shortest time between two events of a pixel; 0 keeps all.
    since
        What t_before is. "kept": the last event of the pixel that was kept, as in a sensor's pixel, which does not
        see the light while it rests. "any": the last event of the pixel, kept or not, so that a pixel that never
        rests is silent after its first event (tonic's `RefractoryPeriod`, which asks for more than refractory_us).
    per_polarity
        Whether ON and OFF events of a pixel rest on their own.

    Raises
    ------
    RecipeError
        When refractory_us is negative.
    """

    refractory_us: int
    since: Since = "kept"
    per_polarity: bool = False

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"refractory_us": 30},
        {"refractory_us": 30, "since": "any"},
        {"refractory_us": 30, "per_polarity": True},
    )

    def __post_init__(self) -> None:
        check_range("refractory", "refractory_us", self.refractory_us, 0, 2**62)
        check_choice("refractory", "since", self.since, get_args(Since))

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events of rested pixels."""
        if self.refractory_us == 0:
            return events
        channels = 2 if self.per_polarity and events.sensor.polarities == 2 else 1
        last_us = np.full((channels, events.sensor.height, events.sensor.width), NEVER_US)  # [C, H, W]
        keep = np.empty(len(events), np.bool_)
        rested(events.t, events.x, events.y, events.p, self.refractory_us, self.since == "any", last_us, keep)
        return kept(events, keep, tally, "refractory")


@kernel
def rested(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    refractory_us: int,
    any_restarts: bool,
    last_us: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> None:
    """Mark the events of rested pixels; last_us [C, H, W] starts as NEVER_US and is carried from call to call."""
    for i in range(len(t)):
        channel = np.intp(p[i]) if len(last_us) == 2 else 0
        before_us = last_us[channel, y[i], x[i]]
        keep[i] = before_us == NEVER_US or t[i] - before_us >= refractory_us
        last_us[channel, y[i], x[i]] = t[i] if keep[i] or any_restarts else before_us


def reference(events: EventArray, refractory_us: int, since: str, per_polarity: bool) -> NDArray[np.bool_]:
    """What `rested` marks, one event after the other."""
    keep = np.zeros(len(events), np.bool_)
    for i in range(len(events)):
        same = (events.x[:i] == events.x[i]) & (events.y[:i] == events.y[i])
        if per_polarity and events.sensor.polarities == 2:
            same &= events.p[:i] == events.p[i]
        before = events.t[:i][same if since == "any" else same & keep[:i]]
        keep[i] = len(before) == 0 or events.t[i] - before[-1] >= refractory_us
    return keep


STEP = Refractory
