"""NumPy files of events: .npz with arrays t, x, y, p (SpikingJelly, HARDVS), .npy or .npz with records (tonic).

Times are whole microseconds, as both libraries have them; floating-point times are refused, since nothing tells
their unit. Polarity is bool, 0 and 1, or -1 and 1. The files do not tell the sensor: state it. What we write has
it in an array `sensor` (width, height, polarities), which other readers pass over.

Sources: SpikingJelly 2.0, `spikingjelly.datasets.utils.np_savez`; tonic 1.7, `tonic.io.make_structured_array`.
Plain arrays of several columns are not read as events: neither the order nor the unit is told. (Those that cannot be
events, and records of x, y, z, are point clouds: `points_npy`.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, SignalError
from neurodata.formats._blocks import Columns
from neurodata.formats._columns import ColumnRecording, checked, not_told, open_columns, require_types
from neurodata.formats._contract import Format, Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._npy import Array, MemberReader, Parts, arrays, is_numpy_file, values, write_npz
from neurodata.formats._writing import pieces, require_times
from neurodata.signals import Sensor

TYPES = {"t": np.int64, "x": np.uint16, "y": np.uint16, "p": np.bool_}
NAMES = tuple(TYPES)


def sniff(head: bytes, path: Path) -> str | None:
    """None for arrays, or one array of records, named t, x, y, p; and for damaged files: `open_file` says why."""
    if not is_numpy_file(head):
        return "does not begin as .npy or .npz"
    try:
        with RecordingFile(path) as file:
            found = arrays(file)
    except FormatError:
        return None
    return None if _named(found) else f"holds {_held(found)}, not t, x, y and p"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> ColumnRecording:
    """A recording. `findings` counts events whose time goes back ("late").

    Compressed columns are read forward: a time slice inflates the file from its start to the end of the slice.

    Raises
    ------
    FormatError
        When the file is damaged or of another layout, holds objects or fractions, or does not tell its sensor
        where none is stated.
    """
    with RecordingFile(path) as file:
        found = arrays(file)
        sensor = sensor or _told_sensor(file, found)
    source = _source(path, found)
    if sensor is None:
        raise not_told(path)
    return open_columns(path, "npz", source, sensor, keep)


def _told_sensor(file: RecordingFile, found: dict[str, Array]) -> Sensor | None:
    array = found.get("sensor")
    if array is None or array.shape != (3,) or array.dtype.kind not in "iu":
        return None
    sizes = values(MemberReader(file, array.member), array, 0, 3).tolist()
    try:
        return Sensor(*sizes)
    except SignalError as error:
        raise FormatError(f"{file.path}: byte {array.member.offset}: {error}; the file is damaged") from error


@dataclass(frozen=True, slots=True)
class _Arrays:
    """A `Source`: t, x, y, p, or the one array whose records have these fields."""

    path: Path
    columns: tuple[Array, ...]

    @property
    def n_events(self) -> int:
        return self.columns[0].n

    @contextmanager
    def opened(self, fingerprint: tuple[int, int] | None = None) -> Iterator[_Reader]:
        with RecordingFile(self.path, fingerprint) as file:
            yield _Reader(self, [MemberReader(file, column.member) for column in self.columns])


@dataclass(frozen=True, slots=True)
class _Reader:
    source: _Arrays
    readers: list[MemberReader]

    def read(self, first: int, last: int) -> Columns:
        pairs = zip(self.readers, self.source.columns, strict=True)
        found = [values(reader, array, first, last) for reader, array in pairs]
        t, x, y, p = found if len(found) == 4 else (found[0][name] for name in NAMES)
        return checked(self.source.path, (t, x, y, p), self.place, first)

    def place(self, k: int) -> str:
        array = self.source.columns[-1]
        inside = 0 if array.member.is_deflated else array.header_bytes + k * array.dtype.itemsize
        return f"event {k}, byte {array.member.offset + inside}"


def _named(found: dict[str, Array]) -> tuple[str, ...]:
    """Names of the arrays that hold events: t, x, y and p, or the only one, of records with these fields."""
    if all(name in found for name in NAMES):
        return NAMES
    only = tuple(found) if len(found) == 1 else ()
    return tuple(name for name in only if set(NAMES) <= set(found[name].dtype.names or ()))


def _source(path: Path, found: dict[str, Array]) -> _Arrays:
    names = _named(found)
    if not names:
        raise FormatError(
            f"{path}: byte 0: it holds {_held(found)}; expected arrays t, x, y and p, or one of records with these "
            "fields: save it as np.savez(path, t=t_us, x=x, y=y, p=p)"
        )
    columns = tuple(found[name] for name in names)
    for name, array in zip(names, columns, strict=True):
        if len(array.shape) != 1:
            raise FormatError(
                f"{path}: byte {array.member.offset}: {name or 'the array'} has the shape {array.shape} of "
                f"{array.dtype}; expected one axis"
            )
    if len({array.n for array in columns}) != 1:
        lengths = ", ".join(f"{name} {found[name].n}" for name in names)
        raise FormatError(f"{path}: the columns have different lengths ({lengths}); the file is damaged")
    records = columns[0].dtype
    require_types(path, {name: found[name].dtype if len(columns) > 1 else records[name] for name in NAMES})
    return _Arrays(path, columns)


def _held(found: dict[str, Array]) -> str:
    """What a file holds, for messages."""
    return (
        ", ".join(f"{name or 'one array'} of {array.dtype} {array.shape}" for name, array in found.items())
        or "no array"
    )


def write_file(events: Stream, path: Path) -> None:
    """SpikingJelly's layout, deflated: t int64 (us), x and y uint16, p bool, each of shape [n].

    The file holds one column after the other, so the stream is gone through once for each.

    Raises
    ------
    FormatError
        When a time is negative: SpikingJelly's recordings have none; or the file is named .npy.
    """
    if path.suffix.lower() == ".npy":
        raise FormatError(f"{path}: events are written as four arrays, in .npz: name it so")
    require_times(events, path, "npz of events")
    grid = np.array([events.sensor.width, events.sensor.height, events.sensor.polarities])
    members = {
        name: Parts(np.dtype(dtype), (events.n_events,), _column(events, path, name)) for name, dtype in TYPES.items()
    }
    write_npz(path, members | {"sensor": Parts.of(grid)})


def _column(events: Stream, path: Path, name: str) -> Iterator[NDArray[Any]]:
    return (getattr(piece, name) for piece in pieces(events, path, "npz"))


FORMAT = Format(
    name="npz",
    version=1,
    title="NumPy .npz and .npy of events: SpikingJelly, tonic, HARDVS",
    extensions=(".npz", ".npy"),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
