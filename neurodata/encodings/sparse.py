"""Sparse event frames: only the counts that are not zero, with their places in [T, C, H, W].

The coordinate form (COO) of `event_frame`, over the same windows: rows (time step, polarity, y, x, count) in the
order of the dense array. For use in memory (sparse convolutions, statistics); a dense store holds samples of one shape,
and refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import WindowedEncoding
from neurodata.errors import EncodingError
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, Tally, check_memory

LARGEST_COUNT = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class Sparse(WindowedEncoding):
    """The counts of event_frame that are not zero: int32 [entries, 5], columns time, polarity, y, x and count.

    Rows stand in the order of the dense array [T, C, H, W], each place at most once: for PyTorch that is
    `torch.sparse_coo_tensor(rows[:, :4].T, rows[:, 4], shape, is_coalesced=True)`. `to_dense(rows, shape)` gives the
    frames; their shape is that of event_frame with the same windows. Without an overlap the counts, and the events
    that the tally says are dropped, sum to the events. Working memory: 4 bytes for each pixel and polarity.

    Parameters
    ----------
    T, split_by, duration_us, events_per_frame, overlap_us, overlap_events
        The windows: see `WindowedEncoding`. Events after the last window are counted as dropped.

    Raises
    ------
    RecipeError
        When there is not exactly one way to split, or a parameter is out of its range or none of its choices.
    EncodingError
        When called: a frame has more than 2^31 - 1 events, which may be one count, or frames are too many, or the
        pixels too many for memory.
    """

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 4},
        {"T": 4, "split_by": "time"},
        {"T": 3, "duration_us": 40, "overlap_us": 10},
        {"events_per_frame": 7},
    )

    def __post_init__(self) -> None:
        self.check_windows("sparse")

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[entries, 5]; how many entries depends on the sample."""
        return ArraySpec((0, 5), np.dtype(np.int32), ("entry", "coordinate"), has_variable_steps=True)

    def n_steps(self, events: EventArray) -> int:
        """Number of places that have events."""
        return int(count_places(events.x, events.y, events.p, *self._bounds(events), _frame(events.sensor)))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write a row for every place that has events."""
        starts, stops = self._bounds(events)
        if (largest := int((stops - starts).max())) > LARGEST_COUNT:
            raise EncodingError(
                f"sparse: a frame of {largest} events, and a count holds {LARGEST_COUNT}; state shorter frames"
            )
        list_places(events.x, events.y, events.p, starts, stops, _frame(events.sensor), out)
        self.count_rest(events, stops, tally)

    def _bounds(self, events: EventArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First event of each frame, and one past its last: int64 [T] each."""
        return self.bounds(events.t, self.n_windows(events.t))


def _frame(sensor: Sensor) -> NDArray[np.int32]:
    shape = sensor.polarities, sensor.height, sensor.width
    check_memory(f"sparse: counts of one frame {shape} take", 4 * prod(shape), "a smaller sensor")
    return np.zeros(shape, np.int32)


def to_dense(rows: NDArray[np.int32], shape: Sequence[int]) -> NDArray[np.int32]:
    """The frames [T, C, H, W] that these rows [entries, 5] are the counts of."""
    frames = np.zeros(shape, np.int32)
    frames[tuple(rows[:, :4].T)] = rows[:, 4]
    return frames


@kernel
def count_places(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    frame: NDArray[np.int32],
) -> int:
    """How many places have events; in the frame [C, H, W], each pixel is stamped with its last time step + 1."""
    n_places = 0
    for k in range(len(starts)):
        for i in range(starts[k], stops[k]):
            channel = np.intp(p[i]) if len(frame) == 2 else 0
            if frame[channel, y[i], x[i]] != k + 1:
                frame[channel, y[i], x[i]] = k + 1
                n_places += 1
    return n_places


@kernel
def list_places(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    frame: NDArray[np.int32],
    rows: NDArray[np.int32],
) -> None:
    """Count the events of one time step after the other in the frame [C, H, W], and clear it while listing it."""
    n = 0
    channels, height, width = frame.shape
    for k in range(len(starts)):
        if starts[k] == stops[k]:
            continue
        for i in range(starts[k], stops[k]):
            channel = np.intp(p[i]) if channels == 2 else 0
            frame[channel, y[i], x[i]] += 1
        for channel in range(channels):
            for row in range(height):
                for column in range(width):
                    if frame[channel, row, column] != 0:
                        rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3] = k, channel, row, column
                        rows[n, 4] = frame[channel, row, column]
                        frame[channel, row, column] = 0
                        n += 1


def reference(frames: NDArray[Any]) -> NDArray[np.int32]:
    """The definition, from dense frames [T, C, H, W]."""
    places = np.nonzero(frames)
    return np.stack([*places, frames[places]], axis=1).astype(np.int32)


STEP = Sparse
