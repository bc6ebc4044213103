"""Event spike tensor with the fixed trilinear kernel: time stamps spread over the two nearest of T points in time.

D. Gehrig, A. Loquercio, K. G. Derpanis, D. Scaramuzza, "End-to-end learning of representations for asynchronous
event-based data", ICCV 2019. The paper learns the kernel, beginning with the trilinear one that is fixed here; a
learned one is part of a model. Measurement and scale are those of the authors' code
(rpg_event_representation_learning), which divides times by the last one, on clocks that begin near zero; here they
count from the first event on.
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
class EventSpikeTensor(DenseEncoding):
    """Sums of normalised times, by polarity, at T points in time: float32 [T, C, H, W], channel 0 = OFF, 1 = ON.

    With s = (t - t_first) / (t_last - t_first), V(c, p, y, x) = sum over the events of a pixel and polarity of
    s max(0, 1 - (T - 1) |s - c / (T - 1)|). So a tensor sums to the sum of all s, but for rounding: the first event
    (s = 0), and all of a sample without a duration, leave no trace. The authors order channels as polarity, then time.

    Weights are computed in float64, and rounded to float32 where they are added: a voxel to which n events come is
    off by at most n / 2^24 of its value. It looks at the whole sample, for its duration: it is not causal.

    Parameters
    ----------
    T
        Number of points in time, at least 2; the paper's C, there 9.

    Raises
    ------
    RecipeError
        When T is less than 2.
    """

    T: int = 9

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 9}, {"T": 2})
    aliases: ClassVar[Mapping[str, str]] = {"n_bins": "T", "num_bins": "T"}

    def __post_init__(self) -> None:
        check_whole("est", "T", self.T, 2, MOST_STEPS)

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] values of at least 0."""
        shape = (self.T, sensor.polarities, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(np.float32), ("time", "polarity", "y", "x"))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Add the events to the tensor [T, C, H, W] of zeros."""
        add_times(events.t, events.x, events.y, events.p, out)


@kernel
def add_times(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.bool_], out: NDArray[np.float32]
) -> None:
    """Add the normalised time of each event to the points before and after it."""
    if len(t) == 0:
        return
    last = len(out) - 1
    duration_us = np.float64(max(t[-1] - t[0], 1))
    for i in range(len(t)):
        passed_us = np.float64(t[i] - t[0])
        s = passed_us / duration_us
        before = min(int(last * passed_us / duration_us), last - 1)
        weight = min(max((last * passed_us - before * duration_us) / duration_us, 0.0), 1.0)
        channel = np.intp(p[i]) if out.shape[1] == 2 else 0
        out[before, channel, y[i], x[i]] += np.float32(s * (1.0 - weight))
        out[before + 1, channel, y[i], x[i]] += np.float32(s * weight)


def reference(events: EventArray, T: int) -> NDArray[np.float64]:
    """The definition, point by point, in double precision: [T, C, H, W]."""
    sensor = events.sensor
    channel = events.p.astype(np.intp) * (sensor.polarities - 1)
    s = (events.t - events.t[:1]) / max(events.duration_us, 1)
    tensor = np.zeros((T, sensor.polarities, sensor.height, sensor.width))
    for c in range(T):
        weight = np.maximum(0, 1 - (T - 1) * np.abs(s - c / (T - 1)))
        np.add.at(tensor[c], (channel, events.y, events.x), s * weight)
    return tensor


STEP = EventSpikeTensor
