"""Recordings whose container holds the four columns as arrays: NumPy files and HDF5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, UntoldSensorError
from neurodata.formats._blocks import BLOCK, BLOCK_BYTES, CURSOR, Columns, Decode, IndexedRecording
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import survey
from neurodata.formats._sidecar import Index, indexed
from neurodata.signals import LAST_TIME_US, Sensor

STATE = np.dtype(CURSOR)  # all zeros: nothing is decoded from a stream of bytes
BLOCK_EVENTS = BLOCK_BYTES // 8  # columns, and what they are converted from, stay near a core's second-level cache


class Reader(Protocol):
    """An open container."""

    def read(self, first: int, last: int) -> Columns:
        """Events first to last - 1, in the order of the file; raises FormatError."""
        ...

    def place(self, k: int) -> str:
        """Where event k stands, such as "event 7, byte 56"; for a packed one, where its pack begins."""
        ...


class Source(Protocol):
    """How to open a container again; pickles, and holds nothing open."""

    @property
    def n_events(self) -> int:
        """Events in the container."""
        ...

    def opened(self, fingerprint: tuple[int, int] | None = None) -> AbstractContextManager[Reader]:
        """The container, open; raises FormatError when its size and modification time are others."""
        ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ColumnRecording(IndexedRecording):
    """A recording on arrays; its blocks are stretches of them, `offset` being the first event."""

    source: Source

    @contextmanager
    def _opened(self) -> Iterator[Decode]:
        with self.source.opened(self.fingerprint) as reader:
            yield partial(self._read_from, reader)

    def _read_from(self, reader: Reader, wanted: NDArray[np.intp]) -> Columns:
        blocks = self.blocks[wanted[0] : wanted[-1] + 1]
        first, last = int(blocks["offset"][0]), int(blocks["offset"][-1] + blocks["n_events"][-1])
        return self._as_indexed(reader.read(first, last), blocks)


def open_columns(path: Path, format: str, source: Source, sensor: Sensor, keep: bool) -> ColumnRecording:
    """Check every event of a container, and index them by time.

    Raises
    ------
    FormatError
        When a value is none that an event can have, or an event lies off the sensor.
    """
    with RecordingFile(path) as file:
        return indexed(
            file,
            format,
            [sensor],
            STATE,
            keep,
            fits=partial(_cover, n_events=source.n_events),
            first_pass=lambda: _first_pass(file, format, source, sensor, keep),
            restored=lambda index: _recording(file, format, source, index, None),
        )


def _cover(index: Index, n_events: int) -> bool:
    """Whether blocks are all events of a container in turn."""
    n = index.blocks["n_events"]
    return bool(
        (n <= n_events).all()
        and n.sum() == n_events
        and np.array_equal(index.blocks["offset"], np.cumsum(n) - n)
        and (index.blocks["n_bytes"] == 0).all()
    )


def _recording(file: RecordingFile, format: str, source: Source, index: Index, held: Columns | None) -> ColumnRecording:
    return ColumnRecording(
        path=file.path,
        format=format,
        sensor=index.sensor,
        findings=index.findings,
        fingerprint=file.fingerprint,
        blocks=index.blocks,
        states=index.states,
        held=held,
        source=source,
    )


def _first_pass(file: RecordingFile, format: str, source: Source, sensor: Sensor, keep: bool) -> ColumnRecording:
    n = source.n_events
    held = Columns.empty(n) if keep else None
    blocks = []
    n_late, latest_us = 0, int(np.iinfo(np.int64).min)
    with source.opened(file.fingerprint) as reader:
        for first in range(0, n, BLOCK_EVENTS):
            last = min(first + BLOCK_EVENTS, n)
            events = reader.read(first, last)
            min_us, max_us, n_back, x_max, y_max = survey(events.t, events.x, events.y, latest_us)
            if x_max >= sensor.width or y_max >= sensor.height:
                raise _off_sensor(file.path, reader, events, first, sensor)
            if held is not None:
                held.part(first, last).fill_from(events)
            blocks.append((first, 0, last - first, min_us, max_us))
            n_late, latest_us = n_late + n_back, max(latest_us, max_us)
    findings = Counter({"late": n_late} if n_late else {})
    index = Index(sensor, findings, np.array(blocks, BLOCK), np.zeros(len(blocks), STATE))
    return _recording(file, format, source, index, held)


def _off_sensor(path: Path, reader: Reader, events: Columns, first: int, sensor: Sensor) -> FormatError:
    k = int(np.argmax((events.x >= sensor.width) | (events.y >= sensor.height)))
    return FormatError(
        f"{path}: {reader.place(first + k)}: event at x={events.x[k]}, y={events.y[k]} lies off the sensor {sensor}; "
        "the file is damaged, or from another sensor: state it with sensor="
    )


def not_told(path: Path) -> UntoldSensorError:
    """The error for a container that does not tell its sensor."""
    return UntoldSensorError(
        f"{path}: the file does not tell its sensor: state it, as in sensor=Sensor(128, 128) (--sensor 128x128)"
    )


def require_types(path: Path, types: dict[str, np.dtype[Any]]) -> None:
    """Refuse columns of other types than whole numbers (p: or bool): the unit of fractions is not told."""
    for name, dtype in types.items():
        if dtype.kind not in ("iub" if name == "p" else "iu"):
            way_out = "save whole microseconds" if name == "t" else "save whole numbers"
            raise FormatError(f"{path}: column {name} holds {dtype}; expected whole numbers: {way_out}")


def checked(
    path: Path,
    columns: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
    place: Callable[[int], str],
    first: int,
    offset_us: int = 0,
) -> Columns:
    """Columns t, x, y, p of whole numbers in the types of `EventArray`; event `first` is the first one.

    Raises
    ------
    FormatError
        When a time, a coordinate or a polarity is out of range.
    """
    t, x, y, p = columns
    limits = (
        ("t", t, -LAST_TIME_US - 1 - offset_us, LAST_TIME_US - offset_us),
        ("x", x, 0, 65535),
        ("y", y, 0, 65535),
        ("p", p, -1, 1),
    )
    for name, column, lowest, highest in limits:
        if column.dtype.kind == "b" or len(column) == 0 or _holds_only(column.dtype, lowest, highest):
            continue
        low, high = int(column.min()), int(column.max())
        if low < lowest or high > highest:
            k = int(column.argmin() if low < lowest else column.argmax())
            raise FormatError(
                f"{path}: {place(first + k)}: {name} is {column[k]}; expected {lowest} to {highest}: "
                "the file is damaged, or of another layout"
            )
    return Columns(
        t.astype(np.int64) + np.int64(offset_us) if offset_us else t.astype(np.int64, copy=False),
        x.astype(np.uint16, copy=False),
        y.astype(np.uint16, copy=False),
        p if p.dtype == np.bool_ else p > 0,
    )


def _holds_only(dtype: np.dtype[Any], lowest: int, highest: int) -> bool:
    """Whether whole numbers of a type are all within limits."""
    limits = np.iinfo(dtype)
    return lowest <= limits.min and limits.max <= highest
