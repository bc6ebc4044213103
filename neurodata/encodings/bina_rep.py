"""Bina-Rep frames: N binary frames, one after the other, read as the bits of one number.

Barchid, Mennesson, Djeraba, "Bina-Rep event frames: a simple and effective representation for event-based cameras",
ICIP 2022 (arXiv 2202.13662). A recent event weighs more than all before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import WindowedEncoding, polarity_shape
from neurodata.encodings.event_frame import reference_counts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOST_STEPS, ArraySpec, Tally, check_whole

MOST_BITS = 24  # whole numbers that float32 holds exactly


@dataclass(frozen=True, slots=True)
class BinaRep(WindowedEncoding):
    """T frames of n_bits-bit numbers: array [T, C, H, W] of float32 in [0, 1], channel 0 = OFF, 1 = ON.

    value = sum over i of 2^(n_bits - 1 - i) b_i / (2^n_bits - 1), where b_i is 1 if the pixel had an event in the
    i-th of the n_bits windows of a frame. A recording is split into T n_bits windows; T alone looks at the
    whole sample and is not causal.

    Parameters
    ----------
    T, split_by, duration_us, events_per_frame, overlap_us, overlap_events
        The windows: see `WindowedEncoding`; `duration_us`, `events_per_frame` and overlaps are those of one
        binary frame. Without T the bits after the last event are 0. tonic's example splits by time.
    n_bits
        Windows a frame (N in the paper), 1 to 24.

    Raises
    ------
    RecipeError
        When there is not exactly one way to split, or a parameter is out of its range or none of its choices.
    """

    n_bits: int = 8

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 2},
        {"split_by": "time", "T": 2, "n_bits": 3},
        {"duration_us": 9},
    )
    aliases: ClassVar[Mapping[str, str]] = {
        "n_frames": "T",
        "frames_number": "T",
        "time_window": "duration_us",
        "event_count": "events_per_frame",
    }
    refused: ClassVar[Mapping[str, str]] = {
        **WindowedEncoding.refused,
        **dict.fromkeys(
            ("n_time_bins", "n_event_bins"),
            "in tonic it is the number of binary frames, T n_bits: say T, and split_by as time or count",
        ),
    }

    def __post_init__(self) -> None:
        self.check_windows("bina_rep")
        check_whole("bina_rep", "n_bits", self.n_bits, 1, MOST_BITS)
        if self.T is not None:
            check_whole("bina_rep", "T", self.T, 1, MOST_STEPS // self.n_bits)

    @property
    def windows_per_frame(self) -> int:
        """As many windows as bits."""
        return self.n_bits

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] of numbers from 0 to 1."""
        axes = ("time", "polarity", "y", "x")
        return ArraySpec(polarity_shape(self.T, sensor), np.dtype(np.float32), axes, self.T is None)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the numbers into frames [T, C, H, W] of zeros."""
        starts, stops = self.bounds(events.t, len(out) * self.n_bits)
        set_bits(events.x, events.y, events.p, starts, stops, self.n_bits, out)
        out /= 2**self.n_bits - 1
        self.count_rest(events, stops, tally)


@kernel
def set_bits(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    n_bits: int,
    frames: NDArray[np.float32],
) -> None:
    """Set bit n_bits - 1 - k % n_bits in frames[k // n_bits] where the events starts[k] to stops[k] - 1 are."""
    both = frames.shape[1] == 2
    for k in range(len(starts)):
        bit = 1 << (n_bits - 1 - k % n_bits)
        frame, on = frames[k // n_bits], p[starts[k] : stops[k]]
        rows, columns = y[starts[k] : stops[k]], x[starts[k] : stops[k]]
        for i in range(len(on)):
            channel = np.uint8(on[i] and both)
            code = np.int64(frame[channel, rows[i], columns[i]])
            frame[channel, rows[i], columns[i]] = code | bit


def reference(events: EventArray, inside: NDArray[np.bool_], n_bits: int) -> NDArray[np.float32]:
    """The definition, for windows given as bool [T n_bits, n]."""
    binary = reference_counts(events, inside) > 0
    bits = binary.reshape(-1, n_bits, *binary.shape[1:])  # [T, n_bits, C, H, W]
    weights = 2 ** np.arange(n_bits - 1, -1, -1)
    codes: NDArray[np.int64] = np.einsum("tncyx,n->tcyx", bits, weights)
    return codes.astype(np.float32) / np.float32(2**n_bits - 1)


STEP = BinaRep
