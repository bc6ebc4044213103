"""Spike raster: spikes of each neuron counted in bins of time, as recurrent networks take SHD and SSC.

Bins and sums of neighbours are those of SNN-delays (Hammouamri et al., ICLR 2024), SpikeSCR and SpikCommander, which
bin by SpikingJelly (Fang et al., Science Advances 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings.event_frame import CountType, Overflow
from neurodata.errors import EncodingError, RecipeError
from neurodata.kernel import kernel
from neurodata.signals import LAST_TIME_US, EventArray, Sensor
from neurodata.steps import MOST_STEPS, ArraySpec, DenseEncoding, Tally, check_choice, check_whole

Origin = Literal["file", "first-spike"]
Binning = Literal["exact", "spikingjelly-float16"]
LONGEST_FLOAT16_US = 65_504_000  # a float16 holds no more than 65,504 ms


@dataclass(frozen=True, slots=True)
class SpikeRaster(DenseEncoding):
    """Counts of spikes in bins of bin_us: array [T, N], or [bins of the sample, N] where T is None.

    Bins are half-open and begin at the origin: the spike at t is in bin (t - origin) // bin_us. Neurons are pixels in
    the order of [C, H, W], so on a sensor of one row and polarity neuron x is channel x. Spikes before the first bin
    and after the last one are counted as dropped ("before the first bin", "after the last bin"); a sample that is
    shorter than T bins ends with zeros. It is causal.

    Parameter sets that papers use for SHD and SSC (700 channels), in the order of `examples`:

    - SNN-delays, SpikeSCR, SpikCommander: bins of 10 ms, 700 channels summed to 140, counts kept; T = 100 here, cut.
    - The same with as many bins as the sample is long, as there (they pad to the longest of a batch).
    - SpyTorch's tutorial 4: 100 bins over 1.4 s, binary. It is not its arithmetic: its edges are 1.4 s / 99 apart, its
      first bin stays empty, and what it feeds adds duplicates up (as binary=False does).

    To have the first two as SpikingJelly bins them, add binning="spikingjelly-float16".

    Parameters
    ----------
    bin_us
        Length of a bin.
    T
        Number of bins; None: all bins up to the last spike, at least one.
    neurons_per_bin
        Neighbours along x that are summed: 5 makes 140 of 700. The last bin of a row may have fewer.
    origin
        "file": the time 0 of the recording's clock; "first-spike": the first spike of the sample, whose leading
        silence is then lost.
    binary
        Whether a bin holds 1 for any number of spikes; the others are counted as dropped ("more than one in a bin").
    dtype, overflow
        Of a count, as in event_frame: "uint8", "uint16" or "uint32"; "error" or "saturate".
    binning
        "exact": as above. "spikingjelly-float16": as SpikingJelly computes it from the float16 seconds of the files,
        in float16 milliseconds since the first spike: bins differ from the exact ones by rounding, and the last spike,
        if it is at the end of a bin, stays in the bin before. Equal for all samples without a spike in the first 2 ms
        (a float16 below that is finer than our microseconds); beyond 65 s it is an error. Takes origin="first-spike"
        and whole milliseconds.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or binning does not fit the others.
    EncodingError
        When called: a count does not fit and overflow is "error", or a sample is too long for its bins.
    """

    bin_us: int
    T: int | None = None
    neurons_per_bin: int = 1
    origin: Origin = "file"
    binary: bool = False
    dtype: CountType = "uint16"
    overflow: Overflow = "error"
    binning: Binning = "exact"

    counts_events: ClassVar[bool] = True
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"bin_us": 10_000, "T": 100, "neurons_per_bin": 5},
        {"bin_us": 10_000, "neurons_per_bin": 5, "origin": "first-spike"},
        {"bin_us": 14_000, "T": 100, "binary": True},
    )
    refused: ClassVar[Mapping[str, str]] = {
        "n_bins": "it is neighbours to sum in SNN-delays, and bins of time elsewhere: say neurons_per_bin, or T",
    }

    def __post_init__(self) -> None:
        if self.T is not None:
            check_whole("spike_raster", "T", self.T, 1, MOST_STEPS)
        check_whole("spike_raster", "bin_us", self.bin_us, 1, LAST_TIME_US // (self.T or 1))
        check_whole("spike_raster", "neurons_per_bin", self.neurons_per_bin, 1, 65536)
        for parameter, choices in (
            ("origin", Origin),
            ("dtype", CountType),
            ("overflow", Overflow),
            ("binning", Binning),
        ):
            check_choice("spike_raster", parameter, getattr(self, parameter), get_args(choices))
        if self.binning != "exact" and (
            self.origin != "first-spike" or self.bin_us % 1000 or self.bin_us > LONGEST_FLOAT16_US
        ):
            raise RecipeError(
                f"spike_raster: binning is {self.binning}, origin {self.origin} and bin_us {self.bin_us}; "
                "expected origin first-spike and whole milliseconds up to 65,504, as in SpikingJelly"
            )

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, N] counts; T is 0 where it depends on the sample."""
        n_neurons = sensor.polarities * sensor.height * -(-sensor.width // self.neurons_per_bin)
        shape = (self.T or 0, n_neurons)
        return ArraySpec(shape, np.dtype(self.dtype), ("time", "neuron"), has_variable_steps=self.T is None)

    def n_steps(self, events: EventArray) -> int:
        """Bins up to the last spike, or T.

        Raises
        ------
        EncodingError
            When they are more than 2^24, as where a clock jumps.
        """
        if self.T is not None:
            return self.T
        if self.binning == "spikingjelly-float16":
            return _spikingjelly_bins(events.t, self.bin_us)[1]
        n_steps = max(1, (events.stop_us - 1 - self._start_us(events)) // self.bin_us + 1) if len(events) else 1
        if n_steps > MOST_STEPS:
            raise EncodingError(
                f"spike_raster: {n_steps} bins of {self.bin_us} us, more than {MOST_STEPS}; state T, a longer bin_us, "
                'or origin="first-spike"'
            )
        return n_steps

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Count the spikes into bins [T, N] of zeros."""
        boundaries = self.boundaries(events, len(out))
        limit = 1 if self.binary else np.iinfo(out.dtype).max
        sensor = events.sensor
        size = (sensor.polarities, sensor.height, -(-sensor.width // self.neurons_per_bin))
        n_over = count_spikes(
            events.x, events.y, events.p, boundaries, self.neurons_per_bin, limit, out.reshape(len(out), *size)
        )
        if n_over and not self.binary and self.overflow == "error":
            raise EncodingError(
                f"spike_raster: {n_over} spikes exceed the {limit} that a {self.dtype} count holds; "
                'choose a wider dtype (spike_raster.dtype=uint32) or overflow="saturate"'
            )
        left_out = {
            "before the first bin": boundaries[0],
            "after the last bin": len(events) - boundaries[-1],
            "more than one in a bin" if self.binary else "saturated": n_over,
        }
        tally.update({reason: int(n) for reason, n in left_out.items() if n})

    def boundaries(self, events: EventArray, n_steps: int) -> NDArray[np.int64]:
        """Index of the first spike of each bin, and one past the last spike of the last bin: shape [n_steps + 1]."""
        if self.binning == "spikingjelly-float16":
            bins, _ = _spikingjelly_bins(events.t, self.bin_us)
            return np.searchsorted(bins, np.arange(n_steps + 1)).astype(np.int64)
        start_us = self._start_us(events)
        firsts = np.searchsorted(events.t, start_us + self.bin_us * np.arange(n_steps, dtype=np.int64))
        # The end of the last bin can lie beyond every clock where the bins are as many as the sample is long.
        n_inside = len(events) if self.T is None else np.searchsorted(events.t, start_us + self.bin_us * self.T)
        return np.append(firsts, n_inside).astype(np.int64)

    def _start_us(self, events: EventArray) -> int:
        return events.start_us if self.origin == "first-spike" else 0


def _spikingjelly_bins(t: NDArray[np.int64], bin_us: int) -> tuple[NDArray[np.int64], int]:
    """Bin of each spike, int64 [n], non-decreasing, and the number of bins, by SpikingJelly's arithmetic."""
    if len(t) == 0:
        return np.zeros(0, np.int64), 1
    if max(-int(t[0]), int(t[-1]), int(t[-1] - t[0])) > LONGEST_FLOAT16_US:
        raise EncodingError(
            f"spike_raster: spikes from {t[0]} to {t[-1]} us, and SpikingJelly's float16 milliseconds reach no further "
            f'than {LONGEST_FLOAT16_US} us; choose binning="exact"'
        )
    bin_ms = bin_us // 1000
    t_ms = (t / 1e6).astype(np.float16) * np.float16(1000)
    t_ms -= t_ms[0]
    n_bins = max(1, ceil(t_ms[-1] / bin_ms))
    return np.minimum((t_ms // bin_ms).astype(np.int64), n_bins - 1), n_bins


@kernel
def count_spikes(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    boundaries: NDArray[np.int64],
    neurons_per_bin: int,
    limit: int,
    raster: NDArray[Any],
) -> int:
    """Add the spikes of each bin to raster[bin] [C, H, W], up to the limit; the number of those beyond."""
    n_over = 0
    for k in range(len(raster)):
        for i in range(boundaries[k], boundaries[k + 1]):
            channel = np.intp(p[i]) if raster.shape[1] == 2 else 0
            count = raster[k, channel, y[i], x[i] // neurons_per_bin]
            if count < limit:
                raster[k, channel, y[i], x[i] // neurons_per_bin] = count + 1
            else:
                n_over += 1
    return n_over


def reference(events: EventArray, step: SpikeRaster, n_steps: int) -> NDArray[np.int64]:
    """The definition, one exact bin number per spike: counts [n_steps, N] without a limit."""
    sensor = events.sensor
    bins = (events.t - (events.start_us if step.origin == "first-spike" else 0)) // step.bin_us
    inside = (bins >= 0) & (bins < n_steps)
    channel = events.p.astype(np.intp) * (sensor.polarities - 1)
    n_x = -(-sensor.width // step.neurons_per_bin)
    raster = np.zeros((n_steps, sensor.polarities, sensor.height, n_x), np.int64)
    place = (bins[inside], channel[inside], events.y[inside], events.x[inside] // step.neurons_per_bin)
    np.add.at(raster, place, 1)
    return raster.reshape(n_steps, -1)


STEP = SpikeRaster
