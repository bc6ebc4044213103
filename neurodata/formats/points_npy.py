"""Point clouds in NumPy files: .npy of one array [n, 3 + k], x, y, z and k features; .npz of one such, or of `xyz`.

Read are: one array of numbers with two axes (C or Fortran order); one array of records with fields x, y, z, the other
fields being the features in their order; an .npz with `xyz` [n, 3] and, where there are some, `features` [n, k]. Other
arrays beside `xyz` are passed over.

An array without names proves little. It is detected only where it can be nothing else that is read here: floats in
3, 4 (intensity) or 6 columns (normals or colours), of which two of the first three have fractions in the first 1000
rows, eight at least; whose first column does not only rise, as times of events and trajectories do; and, of 4
columns, none with the values of a polarity. Others are read where the format is stated: format="points_npy". Names
t, x, y, p mean events (`npz`).

Source: NumPy Enhancement Proposal 1, as `_npy` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._cloud import doubt, feature_names, reading, require_cloud, require_whole, table_of
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.formats._npy import Array, MemberReader, Parts, arrays, is_numpy_file, values, write_npz
from neurodata.signals import PointCloud, Signal
from neurodata.storage import writing

EVENTS = {"t", "x", "y", "p"}
AXES = ("x", "y", "z")
SAMPLE_ROWS = 1000
MOST_COLUMNS = 1000


def sniff(head: bytes, path: Path) -> str | None:
    """None for arrays that are named as points, and for one of floats that can be nothing else."""
    if not is_numpy_file(head):
        return "does not begin as .npy or .npz"
    try:
        with RecordingFile(path) as file:
            found = _cloud_arrays(path, arrays(file))
            only = found[0]
            if len(found) > 1 or only.dtype.names or "xyz" in arrays(file):
                return None
            if only.dtype.kind != "f":
                return f"one array of {only.dtype}, not of floats: state format='points_npy' if it holds points"
            reason = doubt(_rows(file, only, 0, min(only.shape[0], SAMPLE_ROWS)).astype(np.float64))
    except FormatError as error:
        return str(error).removeprefix(f"{path}: ")
    return f"{reason}: state format='points_npy' if it holds points" if reason else None


def describe(path: Path) -> dict[str, object]:
    """n_points, and the names of the features."""
    with RecordingFile(path) as file:
        found = _cloud_arrays(path, arrays(file))
    return {"n_points": found[0].n, "features": _features(found)}


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Points [n, 3] and features [n, k], see above. `findings` counts those "not finite", which are left out.

    Raises
    ------
    FormatError
        When the file is damaged, holds objects, or arrays that are no points.
    """
    require_whole(path, start_us, stop_us)
    with RecordingFile(path) as file:
        found = _cloud_arrays(path, arrays(file))
        parts = [_rows(file, array, 0, array.n) for array in found]
    return reading(parts[0] if len(parts) == 1 else _side_by_side(parts))


def _cloud_arrays(path: Path, found: dict[str, Array]) -> list[Array]:
    """The table of points, or the tables of coordinates and features; FormatError where there is none."""
    match found:
        case {"xyz": xyz, "features": features} if _is_table(xyz) and _is_table(features) and xyz.n == features.n:
            if xyz.shape[1] == 3:
                return [xyz, features]
        case {"xyz": only} if "features" not in found and _is_table(only) and only.shape[1] == 3:
            return [only]
        case _ if len(found) == 1 and "xyz" not in found:
            only = next(iter(found.values()))
            if _are_records(only) or (_is_table(only) and 3 <= only.shape[1] <= MOST_COLUMNS):
                return [only]
    held = ", ".join(f"{name or 'one array'} of {array.dtype} {array.shape}" for name, array in found.items())
    raise FormatError(
        f"{path}: byte 0: it holds {held or 'no array'}; expected one array of numbers [n, 3 + k], one of records with "
        "fields x, y and z, or xyz [n, 3] and features [n, k]"
    )


def _are_records(array: Array) -> bool:
    names = set(array.dtype.names or ())
    return len(array.shape) == 1 and set(AXES) <= names and not names >= EVENTS


def _is_table(array: Array) -> bool:
    return len(array.shape) == 2 and array.dtype.kind in "fiu"


def _features(found: list[Array]) -> list[str]:
    if names := found[0].dtype.names:
        return [name for name in names if name not in AXES]
    return feature_names(sum(array.shape[1] for array in found) - 3)


def _rows(file: RecordingFile, array: Array, first: int, last: int) -> NDArray[Any]:
    """Rows first to last - 1 as a table [n, columns]."""
    reader = MemberReader(file, array.member)
    if array.dtype.names:
        records = values(reader, array, first, last)
        names = [*AXES, *_features([array])]
        table = np.empty((last - first, len(names)), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for k, name in enumerate(names):
                table[:, k] = records[name]
        return table
    n, n_columns = array.shape
    if array.is_fortran:
        return np.stack([values(reader, array, k * n + first, k * n + last) for k in range(n_columns)], axis=1)
    return values(reader, array, first * n_columns, last * n_columns).reshape(last - first, n_columns)


def _side_by_side(parts: list[NDArray[Any]]) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([part.astype(np.float32) for part in parts], axis=1)


def write_file(signal: Signal, path: Path) -> None:
    """An .npz of xyz [n, 3] and features [n, k] where the path says so, else an .npy of [n, 3 + k]; float32."""
    cloud = require_cloud(signal, path)
    if path.suffix.lower() == ".npz":
        write_npz(path, {"xyz": Parts.of(cloud.xyz), "features": Parts.of(cloud.features)})
        return
    with writing(path) as file:
        np.lib.format.write_array(file, table_of(cloud), version=(1, 0), allow_pickle=False)


FORMAT = SignalFormat(
    name="points_npy",
    version=1,
    title="NumPy .npy and .npz of points: x y z and features",
    extensions=(".npy", ".npz"),
    sniff=sniff,
    gives=PointCloud,
    describe=describe,
    read=read,
    write=write_file,
)
