"""EventDrop: events are dropped at random, in an interval of time, or in an area.

Gu et al., "EventDrop: Data Augmentation for Event-based Learning", IJCAI 2021. Choices and ranges are those of the
authors' code. Unlike there, the interval lies within the sample and the box within the sensor (there, both may be cut
off by the end), and a box is dropped (there, its rows and its columns are: the two conditions for an event to lie
outside are joined by "and").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray
from neurodata.steps import MOVES_NOTHING, EventTransform, Moves, Tally, check_choice
from neurodata.transforms._amount import Amount, check_amount, drawn
from neurodata.transforms._keep import kept

Method = Literal["any", "random", "time", "area"]
# What "any" chooses from, with equal chances.
CHOICES = ("nothing", "time", "area", "random")


@dataclass(frozen=True, slots=True)
class DropEvents(EventTransform):
    """Drop a part of the events of a sample, drawn anew for each; where all would go, all stay.

    It looks at the whole sample: it is not causal. Its draws, none for an empty sample: for "any",
    `rng.integers(4)`; the ratio (`rng.random()`, or `rng.integers` where none is stated); then `rng.random(n)` for
    "random", `rng.random()` for "time", `rng.integers` twice for "area", x before y.

    Parameters
    ----------
    method
        "random": floor(ratio * n) of the n events. "time": those of an interval of ratio * duration, somewhere in
        the sample. "area": those of a box of ratio * width by ratio * height pixels, somewhere on the sensor.
        "any": nothing, or one of the three, with equal chances.
    ratio
        A number, or a pair (lowest, highest): uniform between them. None, as in the paper: one of 0.1, 0.2 ... 0.9
        for "random" and "time", one of 0.05, 0.1 ... 0.25 for "area".

    Raises
    ------
    RecipeError
        When ratio is outside 0 to 1.
    """

    method: Method = "any"
    ratio: Amount | None = None

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"method": "random", "ratio": 0.4},
        {"method": "time", "ratio": (0.0, 0.5)},
        {"method": "area", "ratio": 0.5},
    )

    def __post_init__(self) -> None:
        check_choice("drop_events", "method", self.method, get_args(Method))
        if self.ratio is not None:
            check_amount("drop_events", "ratio", self.ratio, 0, 1)

    @property
    def stochastic(self) -> bool:
        """Always: at least the place is drawn."""
        return True

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events that are left."""
        assert rng is not None  # EventTransform.__call__ asks for one
        if len(events) == 0:
            return events
        method = CHOICES[rng.integers(len(CHOICES))] if self.method == "any" else self.method
        if method == "nothing":
            return events
        ratio = self._ratio(method, rng)
        if method == "random":
            keep = _at_random(events, ratio, rng)
        elif method == "time":
            keep = _in_time(events, ratio, rng)
        else:
            keep = _in_area(events, ratio, rng)
        return kept(events, keep, tally, f"dropped ({method})") if keep.any() else events

    def _ratio(self, method: str, rng: np.random.Generator) -> float:
        if self.ratio is not None:
            return drawn(self.ratio, rng)
        return float(rng.integers(1, 6)) / 20 if method == "area" else float(rng.integers(1, 10)) / 10


def _at_random(events: EventArray, ratio: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    keep = np.empty(len(events), np.bool_)
    choose(rng.random(len(events)), int(ratio * len(events)), keep)
    return keep


def _in_time(events: EventArray, ratio: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    length_us = int(ratio * events.duration_us)
    latest_us = events.duration_us + 1 - length_us  # then the last event is the last to go
    start_us = min(int(float(rng.random()) * (latest_us + 1)), latest_us)
    if length_us == 0:
        return np.ones(len(events), np.bool_)
    elapsed_us = events.t - events.t[0]
    outside: NDArray[np.bool_] = (elapsed_us < start_us) | (elapsed_us - start_us >= length_us)
    return outside


def _in_area(events: EventArray, ratio: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    sensor = events.sensor
    width, height = int(ratio * sensor.width), int(ratio * sensor.height)
    left = int(rng.integers(0, sensor.width - width + 1))
    top = int(rng.integers(0, sensor.height - height + 1))
    # In uint16, what is left of the box wraps around to beyond it.
    outside: NDArray[np.bool_] = (events.x - np.uint16(left) >= width) | (events.y - np.uint16(top) >= height)
    return outside


@kernel
def choose(uniform: NDArray[np.float64], n_dropped: int, keep: NDArray[np.bool_]) -> None:
    """Mark all but n_dropped events, every subset being as likely: Knuth, TAOCP 2, 3.4.2, algorithm S."""
    left = n_dropped
    n = len(uniform)
    for i in range(n):
        keep[i] = uniform[i] >= left / (n - i)
        left -= 0 if keep[i] else 1


def reference(uniform: Sequence[float], n_dropped: int) -> list[bool]:
    """What `choose` marks."""
    keep: list[bool] = []
    for i, u in enumerate(uniform):
        n_to_drop = n_dropped - keep.count(False)
        keep.append(u >= n_to_drop / (len(uniform) - i))
    return keep


STEP = DropEvents
