"""HDF5 with a dataset for each column, events/{t, x, y, p}: DSEC, TUM-VIE, RVT (Gen1, 1 Mpx).

Times are microseconds; a dataset `t_offset` beside the group is added to all of them, as DSEC has it. The sensor is
the stated one, else `height` and `width` where RVT and evutils put them (datasets of the group, attributes of the
group or file); DSEC itself does not tell it (640x480). `ms_to_idx` (first event at or after each millisecond) is
written, but not needed to read: opening checks every event and indexes the file more finely. Filters of hdf5plugin
are read, blosc among them.

Sources: https://dsec.ifi.uzh.ch/data-format/ (Gehrig et al., RA-L 6(3), 2021); RVT's `H5Reader` by its behaviour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._columns import ColumnRecording, not_told, open_columns
from neurodata.formats._contract import Format, Stream
from neurodata.formats._hdf5 import (
    Datasets,
    Target,
    created,
    damage_named,
    opened,
    reason_not,
    require_sound,
    tell_sensor,
    told_sensor,
    whole_number,
)
from neurodata.signals import Sensor

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


def write_file(events: Stream, path: Path) -> None:
    """DSEC's layout: x, y uint16, p uint8, t from 0 on with t_offset beside it, ms_to_idx; blosc with zstd.

    Attributes of the file tell the sensor. One dataset follows the other, so the stream is gone through once for each.

    Raises
    ------
    FormatError
        When a time is negative, or events span more than a day.
    MissingExtraError
        When the extra `hdf5` is not installed.
    """
    if events.start_us < 0 or events.stop_us - 1 - events.start_us > LONGEST_US:
        raise FormatError(
            f"{path}: times reach from {events.start_us} to {events.stop_us - 1} us; "
            "DSEC's layout holds a day from 0 on: cut them"
        )
    with created(path) as (file, target):
        _fill(file, target, events)


def _fill(file: Any, target: Target, events: Stream) -> None:
    n, start_us, stop_us = events.n_events, events.start_us, events.stop_us
    time_type = np.uint32 if stop_us - start_us <= 1 << 32 else np.int64

    def column(name: str) -> Iterator[NDArray[Any]]:
        return (getattr(part, name) for part in events.packets(EVENTS_PER_CHUNK))

    _add(file, target, "events/t", time_type, n, (t - start_us for t in column("t")))
    for name, dtype in (("x", np.uint16), ("y", np.uint16), ("p", np.uint8)):
        _add(file, target, f"events/{name}", dtype, n, column(name))
    n_starts = (stop_us - 1 - start_us) // 1000 + 2 if n else 1
    starts = _first_events((t - start_us for t in column("t")), n_starts)
    _add(file, target, "ms_to_idx", np.uint64, n_starts, starts)
    file["t_offset"] = np.int64(start_us)
    tell_sensor(file, events.sensor)


def _add(file: Any, target: Target, name: str, dtype: type[np.generic], n: int, parts: Iterable[NDArray[Any]]) -> None:
    """A dataset of n values that come in parts."""
    import hdf5plugin  # type: ignore[import-untyped, unused-ignore]

    packed = hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE)
    chunk = (min(EVENTS_PER_CHUNK, max(1, n)),)
    dataset = file.create_dataset(name, (n,), dtype, chunks=chunk, maxshape=(None,), compression=packed)
    first = 0
    for part in parts:
        dataset[first : first + len(part)] = part.astype(dtype, copy=False)
        target.require_written()
        first += len(part)


def _first_events(times: Iterable[NDArray[np.int64]], n_starts: int) -> Iterator[NDArray[np.uint64]]:
    """For the start of each millisecond, in pieces, the number of the first event from there on."""
    n_done, n_before = 0, 0
    for t in times:
        n_reached = int(t[-1]) // 1000 + 1
        for k in range(n_done, n_reached, EVENTS_PER_CHUNK):
            starts_us = np.arange(k, min(k + EVENTS_PER_CHUNK, n_reached)) * 1000
            yield (np.searchsorted(t, starts_us) + n_before).astype(np.uint64)
        n_done, n_before = n_reached, n_before + len(t)
    yield np.full(n_starts - n_done, n_before, np.uint64)


FORMAT = Format(
    name="dsec_h5",
    version=1,
    title="HDF5 events/{t,x,y,p}: DSEC, TUM-VIE, RVT",
    extensions=(".h5", ".hdf5"),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
