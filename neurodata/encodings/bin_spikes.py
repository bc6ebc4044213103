"""Spike counts of neural recordings in other bins and windows, as decoders of movement take them.

The recipe of NeuroBench's primate reaching (Yik et al., "The NeuroBench framework for benchmarking neuromorphic
computing algorithms and systems", Nature Communications 2025; `neurobench/datasets/primate_reaching.py` of its code) is
there as it computes, and repaired:

- NeuroBench: a 4 ms bin holds 1 for any number of spikes, and for any of the units of a channel (issue 216 of its
  repository); a window is the sum of its bins; as spikes go to the upper edge of their bin, a window that goes with the
  sample of behaviour at t holds the spikes of [t - window - 4 ms, t - 4 ms). Set collapse = "bins",
  units_per_channel, align = "neurobench".
- Repaired: counts as they are, and windows up to t: collapse = "none", align = "sample".

Spikes before the first sample of behaviour, which NeuroBench still takes into its first windows, are not in
SpikeCounts: there the first windows are shorter here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings.event_frame import CountType
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import SpikeCountsForm
from neurodata.signals import SpikeCounts
from neurodata.steps import ArraySpec, Kinds, SignalEncoding, Tally, check_choice, check_whole

Collapse = Literal["none", "bins", "windows"]
Align = Literal["whole", "sample", "neurobench"]
Reduce = Literal["last", "mean"]
LONGEST_US = 2**53
MOST_SPIKES = 2**62


@dataclass(frozen=True, slots=True)
class BinSpikes(SignalEncoding):
    """Counts of spikes in windows, one every stride: [rows, units].

    The recording's bins are summed to bins of bin_us, those to windows. Where windows neither overlap nor leave gaps
    (align = "whole", stride_us not stated) spikes are accounted for: those of bins at the end that do not make up a
    window are counted as dropped ("after the last window"), as are those that a collapsed bin or window does not show
    ("more than one in a bin").

    Parameters
    ----------
    bin_us
        Bins that windows are made of; None: the recording's. A multiple of these.
    window_us
        Length of a window; None: one bin. A multiple of bin_us.
    stride_us
        From one row to the next; None: a window. A multiple of bin_us; less than window_us makes windows overlap.
    collapse
        "none": counts. "bins": a bin of bin_us holds at most 1 for each channel, so that a window holds the number of
        its bins with spikes. "windows": a window holds at most 1.
    units_per_channel
        Units that stand side by side and become one column, [rows, units / units_per_channel]; their spikes are summed
        (and then collapsed). Readers say it: `n_per_channel` of a session of Zenodo 583331.
    align
        Which bins row r, with k = r * stride, is of, where a window has w bins (all in bins of bin_us).
        "whole": [k, k + w): whole windows only, floor((n - w) / stride) + 1 rows, none for shorter recordings.
        "sample": [k - w, k), clipped to the recording: the past of the moment at which bin k begins; ceil(n / stride)
        rows, the first empty. It is causal for a target that is sampled at the beginning of its bin.
        "neurobench": [k - w - 1, k - 1): the same, one bin late.
    dtype
        "uint8", "uint16" or "uint32". A count that does not fit is an error.

    Raises
    ------
    RecipeError
        When a parameter is out of range. When called, or before: a length is no multiple of the bins that it is made
        of, or units are none of units_per_channel.
    EncodingError
        When called: a count is negative, or one of the result does not fit dtype.
    """

    bin_us: int | None = None
    window_us: int | None = None
    stride_us: int | None = None
    collapse: Collapse = "none"
    units_per_channel: int = 1
    align: Align = "whole"
    dtype: CountType = "uint16"

    takes: ClassVar[Kinds] = SpikeCounts
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"window_us": 28_000, "stride_us": 4000, "collapse": "bins", "align": "neurobench"},
        {"window_us": 28_000, "stride_us": 4000, "align": "sample"},
        {"bin_us": 8000, "window_us": 40_000, "units_per_channel": 5, "collapse": "windows", "dtype": "uint8"},
    )
    aliases: ClassVar[Mapping[str, str]] = {}
    refused: ClassVar[Mapping[str, str]] = {
        "bin_width": "NeuroBench's is the window, in seconds: say window_us, and stride_us and collapse",
    }

    def __post_init__(self) -> None:
        for parameter in ("bin_us", "window_us", "stride_us"):
            if getattr(self, parameter) is not None:
                check_whole("bin_spikes", parameter, getattr(self, parameter), 1, LONGEST_US)
        check_whole("bin_spikes", "units_per_channel", self.units_per_channel, 1, 2**20)
        for parameter, choices in (("collapse", Collapse), ("align", Align), ("dtype", CountType)):
            check_choice("bin_spikes", parameter, getattr(self, parameter), get_args(choices))

    def spec(self, form: SpikeCountsForm) -> ArraySpec:
        """[rows, channels]."""
        self._lengths(form.bin_us)
        if form.n_units % self.units_per_channel:
            raise RecipeError(
                f"bin_spikes: units_per_channel is {self.units_per_channel}; {form} are no multiple of it"
            )
        n_rows = 0 if form.n_bins is None else len(self.windows(form.n_bins, form.bin_us)[0])
        shape = (n_rows, form.n_units // self.units_per_channel)
        return ArraySpec(shape, np.dtype(self.dtype), ("time", "unit"), has_variable_steps=form.n_bins is None)

    def n_steps(self, counts: SpikeCounts) -> int:
        """Number of rows."""
        return len(self.windows(len(counts.counts), counts.bin_us)[0])

    def windows(self, n_bins: int, bin_us: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First bin of the recording of each row's window, and one past its last: int64 [rows] each."""
        per_bin, per_window, stride = self._lengths(bin_us)
        n = n_bins // per_bin
        if self.align == "whole":
            starts = stride * np.arange(max(0, (n - per_window) // stride + 1))
            stops = starts + per_window
        else:
            stops = stride * np.arange(-(-n // stride)) - (self.align == "neurobench")
            starts = stops - per_window
        return np.maximum(starts, 0) * per_bin, np.maximum(stops, 0) * per_bin

    def sampled(self, n_bins: int, bin_us: int) -> NDArray[np.int64]:
        """Bin of the recording at whose beginning each row's moment is, with align "sample" or "neurobench"."""
        per_bin, _, stride = self._lengths(bin_us)
        return per_bin * stride * np.arange(-(-(n_bins // per_bin) // stride))

    def encode(self, signal: SpikeCounts, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the rows over `out`."""
        counts = signal.counts
        if counts.size and counts.min() < 0:
            raise EncodingError(f"bin_spikes: {signal!r} has a count of {counts.min()}; expected none below 0")
        if counts.size and int(counts.max()) > MOST_SPIKES // counts.size:
            raise EncodingError(
                f"bin_spikes: {signal!r} has a count of {counts.max()}; expected spikes that add up to less than 2^62"
            )
        per_bin, per_window, stride = self._lengths(signal.bin_us)
        n = len(counts) // per_bin
        sums = counts[: n * per_bin].astype(np.int64)
        if per_bin * self.units_per_channel > 1:
            bins = sums.reshape(n, per_bin, out.shape[1], self.units_per_channel)
            sums = bins.sum(axis=(1, 3))  # [bins, channels]
        starts, stops = (bounds // per_bin for bounds in self.windows(len(counts), signal.bin_us))
        rows = _window_sums(np.minimum(sums, 1) if self.collapse == "bins" else sums, starts, stops)
        if self.collapse == "windows":
            rows = np.minimum(rows, 1)
        largest = np.iinfo(out.dtype).max
        if rows.size and rows.max() > largest:
            raise EncodingError(
                f"bin_spikes: a window of {rows.max()} spikes, and a {self.dtype} count holds {largest}; choose a "
                "wider dtype (bin_spikes.dtype=uint32)"
            )
        out[...] = rows
        if self.align == "whole" and per_window == stride:
            n_inside = int(sums[: len(rows) * stride].sum())
            left_out = {
                "after the last window": int(counts.sum(dtype=np.uint64)) - n_inside,
                "more than one in a bin": n_inside - int(rows.sum()),
            }
            tally.update({reason: lost for reason, lost in left_out.items() if lost})

    def _lengths(self, recorded_us: int) -> tuple[int, int, int]:
        """Recorded bins in a bin; bins in a window and in a stride."""
        bin_us = self.bin_us or recorded_us
        window_us = self.window_us or bin_us
        stride_us = self.stride_us or window_us
        for name, length, unit, of in (
            ("bin_us", bin_us, recorded_us, "the recording's bins"),
            ("window_us", window_us, bin_us, "bin_us"),
            ("stride_us", stride_us, bin_us, "bin_us"),
        ):
            if length % unit:
                raise RecipeError(f"bin_spikes: {name} is {length}; expected a multiple of {of}, {unit} us")
        return bin_us // recorded_us, window_us // bin_us, stride_us // bin_us


def bin_targets(
    targets: Mapping[str, NDArray[Any]], step: BinSpikes, n_bins: int, bin_us: int, reduce: Reduce = "last"
) -> dict[str, NDArray[Any]]:
    """The target series of a recording, a row for each row of counts that `step` gives.

    Parameters
    ----------
    targets
        Series [n_bins, ...], as `SpikeCounts.targets`: row k is sampled at the beginning of bin k.
    step
        The step that bins the counts.
    n_bins, bin_us
        Of the recording, before.
    reduce
        "last": the series at the end of the window: with align = "sample" and "neurobench" the sample k that the row
        goes with (as NeuroBench pairs them), with "whole" that of the window's last bin. "mean": of the window's bins
        (of those with spikes counted), in double precision; where a window has none, the series at its end.

    Returns
    -------
    dict
        Series [rows, ...]; of their own types with "last", float64 with "mean".

    Raises
    ------
    EncodingError
        When a series has not n_bins rows.
    RecipeError
        When reduce is neither, or the step does not fit bins of bin_us.
    """
    check_choice("bin_targets", "reduce", reduce, get_args(Reduce))
    starts, stops = step.windows(n_bins, bin_us)
    ends = stops - 1 if step.align == "whole" else step.sampled(n_bins, bin_us)
    result = {}
    for name, series in targets.items():
        if len(series) != n_bins:
            raise EncodingError(f"bin_targets: target {name} has {len(series)} rows for {n_bins} bins")
        result[name] = series[ends]
        if reduce == "mean":
            result[name] = result[name].astype(np.float64)
            for row in np.flatnonzero(starts < stops):
                result[name][row] = series[starts[row] : stops[row]].mean(axis=0, dtype=np.float64)
    return result


def _window_sums(bins: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of the bins [n, channels] from each start to its stop: int64 [rows, channels]."""
    before = np.concatenate([np.zeros((1, bins.shape[1]), np.int64), np.cumsum(bins, axis=0)])  # [n + 1, channels]
    sums: NDArray[np.int64] = before[stops] - before[starts]
    return sums


STEP = BinSpikes
