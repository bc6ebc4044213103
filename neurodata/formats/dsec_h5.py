"""HDF5 with a dataset for each column, events/{t, x, y, p}: DSEC, TUM-VIE, RVT (Gen1, 1 Mpx).

Times are microseconds; a dataset `t_offset` beside the group is added to all of them, as DSEC has it. The sensor is
the stated one, else `height` and `width` where RVT and evutils put them (datasets of the group, attributes of the
group or file); DSEC itself does not tell it (640x480). `ms_to_idx` (first event at or after each millisecond) is
written, but not needed to read: opening checks every event and indexes the file more finely. Filters of hdf5plugin
are read, blosc among them.

Sources: https://dsec.ifi.uzh.ch/data-format/ (Gehrig et al., RA-L 6(3), 2021); RVT's `H5Reader` by its behaviour.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from neurodata.errors import FormatError
from neurodata.formats._columns import ColumnRecording, not_told, open_columns
from neurodata.formats._contract import Format
from neurodata.formats._hdf5 import (
    Datasets,
    damage_named,
    library,
    opened,
    reason_not,
    require_sound,
    tell_sensor,
    told_sensor,
    whole_number,
)
from neurodata.signals import EventArray, Sensor
from neurodata.storage import write_bytes

COLUMNS = ("events/t", "events/x", "events/y", "events/p")
EVENTS_PER_CHUNK = 1 << 15
LONGEST_US = 24 * 3600 * 10**6  # ms_to_idx has an entry for every millisecond


def sniff(head: bytes, path: Path) -> str | None:
    """None for HDF5 with these four datasets."""
    return reason_not(head, path, COLUMNS)


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> ColumnRecording:
    """A recording. `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the file is damaged, of other types, or does not tell its sensor where none is stated.
    MissingExtraError
        When the extra `hdf5` is not installed.
    """
    with opened(path) as file:
        n = require_sound(path, file, COLUMNS)
        offset_us = whole_number(path, file, "t_offset") or 0
        sensor = sensor or _told_sensor(path, file)
    if sensor is None:
        raise not_told(path)
    return open_columns(path, "dsec_h5", Datasets(path, COLUMNS, n, offset_us), sensor, keep)


def _told_sensor(path: Path, file: Any) -> Sensor | None:
    with damage_named(path):
        holders = (file["events"], file["events"].attrs, file.attrs)
    found = (told_sensor(path, holder) for holder in holders)
    return next((sensor for sensor in found if sensor is not None), None)


def write_file(events: EventArray, path: Path) -> None:
    """DSEC's layout: x, y uint16, p uint8, t from 0 on with t_offset beside it, ms_to_idx; blosc with zstd.

    Attributes of the file tell the sensor.

    Raises
    ------
    FormatError
        When a time is negative, or events span more than a day.
    MissingExtraError
        When the extra `hdf5` is not installed.
    """
    start_us = int(events.t[0]) if len(events) else 0
    if start_us < 0 or events.duration_us > LONGEST_US:
        raise FormatError(
            f"{path}: times reach from {start_us} to {events.t[-1]} us; DSEC's layout holds a day from 0 on: cut them"
        )
    memory = io.BytesIO()
    h5py = library(path)
    with h5py.File(memory, "w") as file:
        _fill(file, events, start_us)
    write_bytes(path, memory.getvalue())


def _fill(file: Any, events: EventArray, start_us: int) -> None:
    import hdf5plugin  # type: ignore[import-untyped, unused-ignore]

    packed = hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE)
    t = events.t - start_us
    span_us = int(t[-1]) if len(t) else 0
    starts_us = np.arange(span_us // 1000 + 2) * 1000 if len(t) else np.zeros(1, np.int64)
    columns = {
        "events/t": t.astype(np.uint32 if span_us < 1 << 32 else np.int64),
        "events/x": events.x,
        "events/y": events.y,
        "events/p": events.p.astype(np.uint8),
        "ms_to_idx": np.searchsorted(t, starts_us).astype(np.uint64),
    }
    for name, column in columns.items():
        chunk = (min(EVENTS_PER_CHUNK, max(1, len(column))),)
        file.create_dataset(name, data=column, chunks=chunk, maxshape=(None,), compression=packed)
    file["t_offset"] = np.int64(start_us)
    tell_sensor(file, events.sensor)


FORMAT = Format(
    name="dsec_h5",
    version=1,
    title="HDF5 events/{t,x,y,p}: DSEC, TUM-VIE, RVT",
    extensions=(".h5", ".hdf5"),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
