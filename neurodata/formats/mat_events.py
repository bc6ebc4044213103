"""MATLAB files of events, in the two layouts of the field; coordinates are kept as they stand.

- Variables `x`, `y`, `pol`, `ts`, one number an event: ASL-DVS, and Barranco's navigation dataset (evbench). `ts` is
  in microseconds, `x` and `y` count from 0, `pol` is 1 for ON. Both are from a DAVIS240 (240x180) whose rows are
  numbered from below: with format="mat_asl_dvs" they are turned, so that (0, 0) is at the top left.
- A struct `TD` with fields `x`, `y`, `p`, `ts`, as G. Orchard's functions save it (ATIS recordings; EBSSA): `x` and
  `y` count from 1, `ts` is in microseconds, `p` is -1, 0 or 1, or else 1 (OFF) and 2 (ON). Where nothing but 1 occurs
  it is taken for ON. `EM`, the exposure measurements of an ATIS beside it, are counted.

Other names or structures are refused, since nothing tells unit and base. No layout tells the sensor: state it. MATLAB
keeps whole numbers as doubles: fractions are refused. Files of level 5 need no library, those of version 7.3 the
extra `hdf5`. Whole files are held in memory.

Sources: Bi et al., "Graph-based object classification for neuromorphic vision sensing", ICCV 2019 (ASL-DVS; its
layout as tonic 1.7 and SpikingJelly 2.0 read it); Barranco et al., Front. Neurosci. 10:49, 2016,
`getDVSeventsDavis.m` in https://github.com/fbarranco/eventVision-evbench (which writes 1 - the address's polarity
bit; how that bit is meant is not said there); `Read_Ndataset.m` of N-MNIST, and tonic's EBSSA, for `TD`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodata.errors import FormatError
from neurodata.formats._columns import ColumnRecording, not_told, open_columns
from neurodata.formats._contract import Format
from neurodata.formats._file import RecordingFile
from neurodata.formats._mat import Array, opened, reason_not, require
from neurodata.formats._mat_columns import Loaded, load
from neurodata.signals import Sensor

VECTORS = ("ts", "x", "y", "pol")
TD = ("ts", "x", "y", "p")
WAY_OUT = "save('events.mat', 'x', 'y', 'pol', 'ts') with ts in whole microseconds, and x and y from 0"


def sniff(head: bytes, path: Path) -> str | None:
    """None for a MATLAB file with `TD`, or with `ts`, `x`, `y` and `pol`."""
    reason = reason_not(head, path, VECTORS)
    return None if reason is None or reason_not(head, path, ("TD",)) is None else reason


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> ColumnRecording:
    """A recording, in memory. `findings` counts events whose time goes back ("late"), and "exposure measurements".

    Raises
    ------
    FormatError
        When the file is damaged or of another layout, holds fractions, no sensor is stated, or an event lies off it.
    MissingExtraError
        When it is of version 7.3 and the extra `hdf5` is not installed.
    """
    return open_as(path, "mat_events", sensor, keep, rows_from_below=False)


def open_as(path: Path, format: str, sensor: Sensor | None, keep: bool, rows_from_below: bool) -> ColumnRecording:
    """As `open_file`; rows counted from below are turned."""
    with RecordingFile(path) as file:
        fingerprint = file.fingerprint
    with opened(path, fingerprint) as found:
        source, n_exposures = _loaded(path, found)
    if sensor is None:
        raise not_told(path)
    if rows_from_below:
        source = _turned(source, sensor)
    recording = open_columns(path, format, source, sensor, keep)
    counted = Counter({"exposure measurements": n_exposures} if n_exposures else {})
    return replace(recording, findings=recording.findings + counted)


def _loaded(path: Path, found: Mapping[str, Array]) -> tuple[Loaded, int]:
    """The events, and the number of exposure measurements."""
    if "TD" in found and all(name in found for name in VECTORS):
        raise FormatError(f"{path}: holds both TD and {', '.join(VECTORS)}: save one of them by itself")
    if "TD" in found:
        fields = found["TD"].fields()
        arrays = require(path, fields, TD, WAY_OUT)
        n_exposures = _n_exposures(path, found["EM"]) if "EM" in found else 0
        return load(path, arrays, TD, base=1), n_exposures
    return load(path, require(path, found, VECTORS, WAY_OUT), VECTORS, base=0), 0


def _n_exposures(path: Path, array: Array) -> int:
    (times,) = require(path, array.fields(), ("ts",), WAY_OUT)
    return math.prod(times.shape)


def _turned(source: Loaded, sensor: Sensor) -> Loaded:
    """Rows counted from the top; those off the sensor are left to be refused."""
    y = source.columns.y
    y = np.where(y < sensor.height, sensor.height - 1 - y.astype(np.int64), y).astype(np.uint16)
    return replace(source, columns=source.columns._replace(y=y))


FORMAT = Format(
    name="mat_events",
    version=1,
    title="MATLAB events: x, y, pol, ts (ASL-DVS, evbench), or a struct TD (Orchard's functions, EBSSA)",
    extensions=(".mat",),
    sniff=sniff,
    open=open_file,
)
