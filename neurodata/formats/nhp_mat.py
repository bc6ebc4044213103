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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import Reading, SignalFormat
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
    with opened(path) as found:
        spikes, t, _, _ = require(path, found, NEEDED, "expected a session of Zenodo 583331")
        grid = _grid(path, t)
        part = grid.cut(start_us, stop_us)
        counts, n_outside = _counts(path, spikes, grid, part)
        targets = _targets(path, found, grid, part)
    findings = Counter({"outside the recording": n_outside} if n_outside else {})
    return Reading(SpikeCounts(counts, grid.bin_us, targets), findings)


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


def _counts(path: Path, spikes: Array, grid: _Grid, part: slice) -> tuple[NDArray[np.uint8], int]:
    """Counts [n_bins, n_units] of a part of the grid, and how many spikes lie in no bin of the whole."""
    n_channels, n_per_channel = _two_axes(path, "spikes", spikes)
    cells = spikes.cells()
    n_bins, n_units = part.stop - part.start, len(cells)
    if n_bins * n_units > max(SMALL_BYTES, MOST_PACKED * path.stat().st_size):
        raise FormatError(
            f"{path}: {n_bins} bins of {n_units} units in a file of {path.stat().st_size} bytes; it is damaged"
        )
    counts = np.zeros((n_bins, n_units), np.uint8)
    n_outside = 0
    for k, cell in enumerate(cells):
        times_s = vector(path, f"spikes{{{k + 1}}}", cell).astype(np.float64)
        if not np.isfinite(times_s).all():
            raise FormatError(f"{path}: {cell.place}: a spike time is not finite; the file is damaged: get it again")
        bins = grid.bins(times_s)
        n_outside += len(times_s) - len(bins)
        where, n_spikes = np.unique(bins[(bins >= part.start) & (bins < part.stop)] - part.start, return_counts=True)
        if n_spikes.max(initial=0) > MOST_SPIKES:
            raise FormatError(
                f"{path}: {cell.place}: {n_spikes.max()} spikes of one unit in {grid.bin_us} us; expected at most "
                f"{MOST_SPIKES}: the file is damaged"
            )
        channel, unit = k % n_channels, k // n_channels  # cells come first axis fastest
        counts[where, channel * n_per_channel + unit] = n_spikes
    return counts, n_outside


def _targets(path: Path, found: Mapping[str, Array], grid: _Grid, part: slice) -> dict[str, NDArray[np.float64]]:
    """Series [n_bins, 2 or 3] on a part of the grid."""
    whole = {name: _series(path, name, found[name], len(grid.t_s)) for name in UNITS if name in found}
    targets = {UNITS[name]: series[part] for name, series in whole.items()}
    with np.errstate(over="ignore", invalid="ignore"):
        velocity = np.gradient(whole["cursor_pos"], grid.bin_us * 1e-6, axis=0)
    return targets | {"cursor_velocity_mm_s": velocity[part]}


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
)
