"""ST-MNIST: one digit written on a tactile array of 10x10, as a MATLAB matrix `spiketrain`.

The matrix is [101, n]: a column for each moment, a row for each of 100 taxels with +1 (ON, more pressure), -1 (OFF)
or 0, and in the last row the time in seconds. Taxel a (from 0) is at x = a mod 10, y = a div 10. Times become the
nearest whole microseconds (the real sample's are multiples of 16 ns); spikes of one column keep the order of their
taxels.

Sources: See et al., "ST-MNIST", arXiv:2005.04319, 2020; layout, unit and the place of a taxel as tonic's prototype
reader has them (which cuts times down, and gives every event the polarity of the largest one: all ON). Which way up a
person would see the digit is not said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import Columns
from neurodata.formats._columns import ColumnRecording, open_columns
from neurodata.formats._contract import Format
from neurodata.formats._file import RecordingFile
from neurodata.formats._mat import Array, opened, reason_not, require
from neurodata.formats._mat_columns import Loaded
from neurodata.signals import Sensor

SIDE = 10
N_TAXELS = SIDE * SIDE
NAME = "spiketrain"
LAST_S = 2.0**42  # in microseconds less than the latest time that events have


def sniff(head: bytes, path: Path) -> str | None:
    """None for a MATLAB file with a variable `spiketrain`."""
    return reason_not(head, path, (NAME,))


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> ColumnRecording:
    """A recording, in memory, on a sensor of 10x10. `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the file is damaged or of another layout, or an event lies off a smaller sensor.
    MissingExtraError
        When it is of version 7.3 and the extra `hdf5` is not installed.
    """
    with RecordingFile(path) as file:
        fingerprint = file.fingerprint
    with opened(path, fingerprint) as found:
        (array,) = require(path, found, (NAME,), "expected a sample of ST-MNIST")
        source = Loaded(path, _events(path, array), array.place)
    return open_columns(path, "stmnist_mat", source, sensor or Sensor(SIDE, SIDE), keep)


def _events(path: Path, array: Array) -> Columns:
    if len(array.shape) != 2 or array.shape[0] != N_TAXELS + 1:
        raise FormatError(
            f"{path}: {array.place}: {NAME} has the shape {array.shape}; expected {N_TAXELS + 1} rows: {N_TAXELS} "
            "taxels and the time in seconds"
        )
    matrix = array.numbers()
    spikes, t_s = matrix[:N_TAXELS], matrix[N_TAXELS].astype(np.float64)
    _require(path, array, spikes, (spikes == 0) | (spikes == 1) | (spikes == -1), "-1, 0 or 1")
    _require(path, array, t_s, np.abs(t_s) < LAST_S, "a time in seconds")
    column, taxel = np.nonzero(spikes.T)
    t = np.rint(t_s * 1e6).astype(np.int64)[column]
    x, y = (taxel % SIDE).astype(np.uint16), (taxel // SIDE).astype(np.uint16)
    return Columns(t, x, y, spikes[taxel, column] > 0)


def _require(path: Path, array: Array, values: NDArray[Any], is_right: NDArray[np.bool_], expected: str) -> None:
    if not is_right.all():
        at = tuple(int(k) for k in np.argwhere(~is_right)[0])
        raise FormatError(
            f"{path}: {array.place}: column {at[-1]} of {NAME} holds {values[at]}; expected {expected}: the "
            "file is damaged"
        )


FORMAT = Format(
    name="stmnist_mat",
    version=1,
    title="ST-MNIST tactile digits: MATLAB spiketrain of 100 taxels and times",
    extensions=(".mat",),
    sniff=sniff,
    open=open_file,
)
