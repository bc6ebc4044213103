"""Reaching monkeys: spikes of M1 (and S1) with the cursor's path, one session a MATLAB file (Zenodo 583331).

Read are `spikes`, a cell array [n_channels, n_per_channel] of spike times in seconds (the first column of a channel
holds the spikes that were left unsorted, the others its sorted units), `t`, the seconds of the behaviour's samples,
250 a second, and on that grid `cursor_pos` and `target_pos` (x, y in mm) and `finger_pos` (z, -x, -y in cm; the
angles that some sessions have after these are left out). The waveforms, `wf`, are most of the file and are not
touched.

A bin is the time from one sample to the next, [t(k), t(k+1)), compared as the numbers stand in the file: `bin_us` is
that of the grid, 4000. Counts are uint8 [n_bins, n_channels * n_per_channel], a channel's units side by side (sum
over counts.reshape(n_bins, n_channels, -1)'s last axis for channels); cells without spikes are columns of zeros, so
sessions of one implant have the same columns. Targets have n_bins rows: `cursor_pos_mm`, `cursor_velocity_mm_s`
(central differences), `target_pos_mm`, `finger_pos_cm`. Times are on the file's clock, which begins at some thousand
seconds; spikes before the first sample or after the last bin are counted as "outside the recording".

NeuroBench 1.0 puts spikes on the upper edge of their bin, makes several spikes of a bin one, and one of all units of
a channel; its velocities are mm a bin.

Sources: O'Doherty et al., "Nonhuman primate reaching with multichannel sensorimotor cortex electrophysiology", 2017,
https://zenodo.org/records/583331 (variables, units); shapes as reported of indy_20161005_06.mat; the angles of
`finger_pos` from memory. The files are of version 7.3 (extra `hdf5`); the same variables in a file of level 5 are
read as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import Interval, Reading, SignalFormat
from neurodata.formats._hdf5 import MOST_PACKED, SMALL_BYTES
from neurodata.formats._mat import Array, opened, reason_not, require, vector
from neurodata.signals import SpikeCounts

NEEDED = ("spikes", "t", "cursor_pos", "target_pos")
UNITS = {"cursor_pos": "cursor_pos_mm", "target_pos": "target_pos_mm", "finger_pos": "finger_pos_cm"}
N_AXES = {"cursor_pos": 2, "target_pos": 2, "finger_pos": 3}
UNEVEN = 0.1  # of a bin: how far apart samples of one grid may be
MOST_SPIKES = 255  # of a unit in one bin: 4 ms hold a handful


def sniff(head: bytes, path: Path) -> str | None:
    """None for a MATLAB file with these four variables."""
    return reason_not(head, path, NEEDED)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The bins: their first moments in seconds, strictly rising, shape [n_bins]; and the length of each."""

    t_s: NDArray[np.float64]
    bin_us: int

    @property
    def t_us(self) -> NDArray[np.int64]:
        return np.rint(self.t_s * 1e6).astype(np.int64)

    def cut(self, start_us: int | None, stop_us: int | None) -> slice:
        """The bins that begin at start_us <= t < stop_us."""
        t_us = self.t_us
        first = 0 if start_us is None else int(np.searchsorted(t_us, start_us))
        last = len(t_us) if stop_us is None else int(np.searchsorted(t_us, stop_us))
        return slice(first, max(first, last))

    def bins(self, times_s: NDArray[np.float64]) -> NDArray[np.intp]:
        """The bin of each time that lies in one, in the order given."""
        inside = times_s[(times_s >= self.t_s[0]) & (times_s < self.t_s[-1] + self.bin_us * 1e-6)]
        found: NDArray[np.intp] = np.searchsorted(self.t_s, inside, side="right") - 1
        return found


def describe(path: Path) -> dict[str, object]:
    """Bins, units and channels of a session; `channels` names them ("M1 001"), in the order of the columns.

    Raises
    ------
    FormatError
        When the file is damaged or of another layout.
    MissingExtraError
        When it is of version 7.3 and the extra `hdf5` is not installed.
    """
    with opened(path) as found:
        spikes, t, _, _ = require(path, found, NEEDED, "expected a session of Zenodo 583331")
        grid = _grid(path, t)
        n_channels, n_per_channel = _two_axes(path, "spikes", spikes)
        names = [cell.text() for cell in found["chan_names"].cells()] if "chan_names" in found else []
    return {
        "n_bins": len(grid.t_s),
        "bin_us": grid.bin_us,
        "start_us": int(grid.t_us[0]),
        "duration_s": len(grid.t_s) * grid.bin_us / 1e6,
        "n_units": n_channels * n_per_channel,
        "n_channels": n_channels,
        "n_per_channel": n_per_channel,
        "channels": names,
    }


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Counts and targets of the bins that begin at start_us <= t < stop_us; `findings` is of the whole file.

    Raises
    ------
    FormatError, MissingExtraError
        As `describe`; FormatError also when samples are not evenly spaced, or a unit has more than 255 spikes in a bin.
    """
    return next(parts(path, [(start_us, stop_us)]))


def parts(path: Path, intervals: Sequence[Interval]) -> Iterator[Reading]:
    """What `read` gives for each interval in turn; spikes and targets are read once.

    Raises
    ------
    FormatError, MissingExtraError
        As `read`.
    """
    with opened(path) as found:
        spikes, t, _, _ = require(path, found, NEEDED, "expected a session of Zenodo 583331")
        grid = _grid(path, t)
        cuts = [grid.cut(*interval) for interval in intervals]
        _require_room(path, spikes, max((cut.stop - cut.start for cut in cuts), default=0))
        placed = _placed(path, spikes, grid)
        targets = _targets(path, found, grid)
    findings = Counter({"outside the recording": placed.n_outside} if placed.n_outside else {})
    for cut in cuts:
        series = {name: whole[cut] for name, whole in targets.items()}
        yield Reading(SpikeCounts(placed.counts(path, cut), grid.bin_us, series), findings.copy())


def reaches(path: Path) -> NDArray[np.int64]:
    """Times at which reaches begin, and the end of the last one, in us, shape [n + 1]; reads only times and targets.

    A reach is the time to one target, as NeuroBench cuts it: it begins with the first bin, or with the last bin of the
    target before. It is empty where the target changes after the first bin. No spikes are read.

    Raises
    ------
    FormatError, MissingExtraError
        As `describe`; FormatError also when samples are not evenly spaced.
    """
    with opened(path) as found:
        _, t, _, target = require(path, found, NEEDED, "expected a session of Zenodo 583331")
        grid = _grid(path, t)
        place = _series(path, "target_pos", target, len(grid.t_s))
    changes = np.flatnonzero((np.diff(place, axis=0) != 0).any(axis=1))
    t_us = grid.t_us
    ends: NDArray[np.int64] = np.concatenate([t_us[:1], t_us[changes], t_us[-1:] + grid.bin_us])
    return ends


def _grid(path: Path, array: Array) -> _Grid:
    t_s = vector(path, "t", array).astype(np.float64)
    if len(t_s) < 2 or not (np.abs(t_s) < 2.0**42).all():
        raise FormatError(f"{path}: {array.place}: t holds {len(t_s)} samples; expected two or more times in seconds")
    steps_s = np.diff(t_s)
    bin_us = round(float(np.median(steps_s)) * 1e6)
    uneven = ~(np.abs(steps_s * 1e6 - bin_us) <= UNEVEN * bin_us)
    if bin_us < 1 or uneven.any():
        k = int(uneven.argmax())
        raise FormatError(
            f"{path}: {array.place}: t({k + 1}) is {t_s[k]} s and t({k + 2}) {t_s[k + 1]} s, where samples are "
            f"{bin_us} us apart; expected an even grid: the file is damaged, or has gaps"
        )
    return _Grid(t_s, bin_us)


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """All spikes of a session that lie in a bin, in the order of bins: numbers of bin and column, [n] each."""

    bins: NDArray[np.intp]
    columns: NDArray[np.intp]
    n_units: int
    bin_us: int
    n_outside: int

    def counts(self, path: Path, part: slice) -> NDArray[np.uint8]:
        """Counts [n_bins, n_units] of a part of the grid."""
        first, last = np.searchsorted(self.bins, (part.start, part.stop))
        bins, columns = self.bins[first:last] - part.start, self.columns[first:last]
        counts = np.zeros((part.stop - part.start, self.n_units), np.uint8)
        places, n_spikes = np.unique(bins * self.n_units + columns, return_counts=True)
        if n_spikes.max(initial=0) > MOST_SPIKES:
            column = int(places[n_spikes.argmax()]) % self.n_units
            raise FormatError(
                f"{path}: spikes: column {column} of the counts: {n_spikes.max()} spikes of one unit in {self.bin_us} "
                f"us; expected at most {MOST_SPIKES}: the file is damaged"
            )
        counts.reshape(-1)[places] = n_spikes
        return counts


def _require_room(path: Path, spikes: Array, n_bins: int) -> None:
    """Refuse counts that a file of this size cannot hold the spikes of, before they are made."""
    n_channels, n_per_channel = _two_axes(path, "spikes", spikes)
    n_units = n_channels * n_per_channel
    if n_bins * n_units > max(SMALL_BYTES, MOST_PACKED * path.stat().st_size):
        raise FormatError(
            f"{path}: {n_bins} bins of {n_units} units in a file of {path.stat().st_size} bytes; it is damaged"
        )


def _placed(path: Path, spikes: Array, grid: _Grid) -> _Placed:
    n_channels, n_per_channel = _two_axes(path, "spikes", spikes)
    cells = spikes.cells()
    bins, n_outside = [], 0
    for k, cell in enumerate(cells):
        times_s = vector(path, f"spikes{{{k + 1}}}", cell).astype(np.float64)
        if not np.isfinite(times_s).all():
            raise FormatError(f"{path}: {cell.place}: a spike time is not finite; the file is damaged: get it again")
        bins.append(grid.bins(times_s))
        n_outside += len(times_s) - len(bins[-1])
    # Cells come first axis fastest: all channels' first units, then their second ones.
    columns = np.arange(len(cells)) % n_channels * n_per_channel + np.arange(len(cells)) // n_channels
    bin_of = np.concatenate(bins)
    column_of = np.repeat(columns, [len(some) for some in bins])
    order = np.argsort(bin_of, kind="stable")
    return _Placed(bin_of[order], column_of[order], len(cells), grid.bin_us, n_outside)


def _targets(path: Path, found: Mapping[str, Array], grid: _Grid) -> dict[str, NDArray[np.float64]]:
    """Series [n_bins, 2 or 3]."""
    whole = {name: _series(path, name, found[name], len(grid.t_s)) for name in UNITS if name in found}
    with np.errstate(over="ignore", invalid="ignore"):
        velocity = np.gradient(whole["cursor_pos"], grid.bin_us * 1e-6, axis=0)
    return {UNITS[name]: series for name, series in whole.items()} | {"cursor_velocity_mm_s": velocity}


def _series(path: Path, name: str, array: Array, n: int) -> NDArray[np.float64]:
    n_rows, n_columns = _two_axes(path, name, array)
    if n_rows != n or n_columns < N_AXES[name]:
        raise FormatError(
            f"{path}: {array.place}: {name} has the shape {array.shape}; expected {n} rows, as t has, of {N_AXES[name]}"
        )
    return np.ascontiguousarray(array.numbers()[:, : N_AXES[name]], np.float64)


def _two_axes(path: Path, name: str, array: Array) -> tuple[int, int]:
    if len(array.shape) != 2 or 0 in array.shape:
        raise FormatError(
            f"{path}: {array.place}: {name} has the shape {array.shape}; expected a matrix that is not empty"
        )
    return array.shape[0], array.shape[1]


FORMAT = SignalFormat(
    name="nhp_mat",
    version=1,
    title="Reaching monkeys (O'Doherty et al., Zenodo 583331): spike counts, cursor and targets from MATLAB files",
    extensions=(".mat",),
    sniff=sniff,
    gives=SpikeCounts,
    describe=describe,
    read=read,
    parts=parts,
)
