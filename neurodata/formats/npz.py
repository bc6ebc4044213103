"""NumPy files of events: .npz with arrays t, x, y, p (SpikingJelly, HARDVS), .npy or .npz with records (tonic).

Times are whole microseconds, as both libraries have them; floating-point times are refused, since nothing tells
their unit. Polarity is bool, 0 and 1, or -1 and 1. The files do not tell the sensor: state it. What we write has
it in an array `sensor` (width, height, polarities), which other readers pass over.

Sources: SpikingJelly 2.0, `spikingjelly.datasets.utils.np_savez`; tonic 1.7, `tonic.io.make_structured_array`.
Plain arrays of several columns are not read: neither the order nor the unit is told.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
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
from neurodata.formats._npy import Array, MemberReader, arrays, is_numpy_file, values
from neurodata.formats._writing import pieces, require_times
from neurodata.signals import Sensor
from neurodata.storage import writing

TYPES = {"t": np.int64, "x": np.uint16, "y": np.uint16, "p": np.bool_}
NAMES = tuple(TYPES)
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the clock is no part of a file


def sniff(head: bytes, path: Path) -> str | None:
    """None for .npy, and for .zip that begins with one."""
    return None if is_numpy_file(head) else "does not begin as .npy or .npz"


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
    if array is None or array.n != 3 or array.dtype.kind not in "iu":
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


def _source(path: Path, found: dict[str, Array]) -> _Arrays:
    if all(name in found for name in NAMES):
        columns = tuple(found[name] for name in NAMES)
        if len({array.n for array in columns}) != 1:
            lengths = ", ".join(f"{name} {found[name].n}" for name in NAMES)
            raise FormatError(f"{path}: the columns have different lengths ({lengths}); the file is damaged")
        types = {name: found[name].dtype for name in NAMES}
    elif len(found) == 1 and set(NAMES) <= set((only := next(iter(found.values()))).dtype.names or ()):
        columns = (only,)
        types = {name: only.dtype[name] for name in NAMES}
    else:
        held = ", ".join(f"{name or 'one array'} of {array.dtype}" for name, array in found.items()) or "no array"
        raise FormatError(
            f"{path}: byte 0: it holds {held}; expected arrays t, x, y and p, or one of records with these fields: "
            "save it as np.savez(path, t=t_us, x=x, y=y, p=p)"
        )
    require_types(path, types)
    return _Arrays(path, columns)


def write_file(events: Stream, path: Path) -> None:
    """SpikingJelly's layout, deflated: t int64 (us), x and y uint16, p bool, each of shape [n].

    The file holds one column after the other, so the stream is gone through once for each.

    Raises
    ------
    FormatError
        When a time is negative: SpikingJelly's recordings have none.
    """
    require_times(events, path, "npz of events")
    grid = np.array([events.sensor.width, events.sensor.height, events.sensor.polarities])
    with writing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, dtype in TYPES.items():
            parts = (getattr(piece, name) for piece in pieces(events, path, "npz"))
            _write_array(archive, name, np.dtype(dtype), events.n_events, parts)
        _write_array(archive, "sensor", grid.dtype, len(grid), [grid])


def _write_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], n: int, parts: Iterable[NDArray[Any]]
) -> None:
    """A member of n elements, as `numpy.savez_compressed` has it, but with no clock in it."""
    entry = zipfile.ZipInfo(f"{name}.npy", EARLIEST)
    entry.compress_type = zipfile.ZIP_DEFLATED
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n,)}
    with archive.open(entry, "w", force_zip64=n * dtype.itemsize > 1 << 31) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(part.tobytes())


FORMAT = Format(
    name="npz",
    version=1,
    title="NumPy .npz and .npy of events: SpikingJelly, tonic, HARDVS",
    extensions=(".npz", ".npy"),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
