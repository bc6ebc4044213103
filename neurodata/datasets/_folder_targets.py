"""Targets of a folder's samples besides classes: columns `target.NAME` of its labels file, of numbers or .npy files.

A column of numbers is one number a sample: int64 where all are whole, else float32. A column of paths is an array a
sample, read from an .npy file below the folder; `target.NAME:KIND` says which kind of target it is ("values" where
nothing is said). Boxes as Prophesee publishes them (records with t or ts, x, y, w, h, class_id and class_confidence)
become rows of seven numbers, of which a sample has those in its interval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats import NpyArray, read_npy, read_npy_header
from neurodata.storage import is_file
from neurodata.targets import TARGET_KINDS, TargetKind, TargetSpec, check_target_name

PREFIX = "target."
WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)  # fits int64
DIGITS = re.compile(r"[+-]?\d+", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
# Prophesee's record of a box, and what it becomes. Times are of the recording's clock, places in pixels.
BOX_FIELDS = ("x", "y", "w", "h", "class_id")
BOX_TIMES = ("t", "ts")
BOX_CONFIDENCE = "class_confidence"
BOX_COLUMNS = ("t_us", "x", "y", "w", "h", "class_id", "confidence")
BOX_DTYPE = np.dtype(np.float64)  # float32 holds no microsecond after 17 s


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column of a labels file as its header names it: `target.NAME` or `target.NAME:KIND`."""

    header: str
    name: str
    kind: TargetKind


def target_column(labels: Path, header: str) -> TargetColumn | None:
    """What the name of a column says of a target; None for another column.

    Raises
    ------
    FormatError
        When the target cannot be called so, or is of no known kind.
    """
    if not header.startswith(PREFIX):
        return None
    name, _, kind = header.removeprefix(PREFIX).partition(":")
    try:
        check_target_name(name)
    except RecipeError as error:
        raise FormatError(f"{labels}: line 1: column {header!r}: {error}") from None
    if (kind or "values") not in TARGET_KINDS:
        raise FormatError(
            f"{labels}: line 1: column {header!r}: {kind!r} is no kind of target; expected {', '.join(TARGET_KINDS)}"
        )
    return TargetColumn(header, name, cast(TargetKind, kind or "values"))


def target_spec(labels: Path, folder: Path, column: TargetColumn, cells: Sequence[str]) -> TargetSpec:
    """Shape and type of a target, from the cells of its column and the headers of the files that these name.

    Raises
    ------
    SourceNotFoundError
        When a file is missing.
    FormatError
        When cells are neither all numbers nor all files, or files do not fit each other or the kind; names one.
    """
    where = f"{labels}: column {column.header}"
    if not any(_is_path(cell) for cell in cells):
        if column.kind != "values":
            raise FormatError(f"{where}: holds numbers; {column.kind} are paths of .npy files")
        return TargetSpec(column.name, "values", _number_dtype(where, cells), (), ())
    found: dict[str, NpyArray] = {}
    for cell in dict.fromkeys(cells):
        found[cell] = read_npy_header(_file(where, folder, cell))
    first, of_first = next(iter(found.items()))
    expected = _kind_of_file(where, column, first, of_first)
    for cell, array in found.items():
        if (spec := _kind_of_file(where, column, cell, array)) != expected:
            raise FormatError(
                f"{where}: {cell} holds {spec.dtype} {list(spec.shape)}, and {first} {expected.dtype} "
                f"{list(expected.shape)}; expected files that are alike (along their first axis as well, unless the "
                f"column is called {PREFIX}{column.name}:boxes or {PREFIX}{column.name}:series)"
            )
    return expected


def target_files(cells: Sequence[str]) -> list[str]:
    """The cells that name files."""
    return [cell for cell in cells if _is_path(cell)]


def read_target(folder: Path, spec: TargetSpec, cell: str, start_us: int | None, stop_us: int | None) -> NDArray[Any]:
    """The target that a cell tells: of boxes with times, those with start_us <= t < stop_us.

    Raises
    ------
    FormatError, SourceNotFoundError, StorageError
        When its file has changed since the folder was looked at, or cannot be read.
    """
    if not _is_path(cell):
        return np.array(float(cell) if spec.dtype.kind == "f" else int(cell), spec.dtype)
    array = read_npy(folder / cell)
    if array.dtype.names:
        array = _boxes(array, start_us, stop_us)
    found = array.astype(array.dtype.newbyteorder("="), copy=False)
    if (found.dtype, found.shape[spec.is_ragged :]) != (spec.dtype, spec.item_shape):
        raise FormatError(f"{folder / cell}: holds {found.dtype} {list(found.shape)}; target {spec} was expected")
    return found


def has_times(spec: TargetSpec) -> bool:
    """Whether a target is boxes of which each has a time, as rows of BOX_COLUMNS."""
    return spec.kind == "boxes" and spec.dtype == BOX_DTYPE and spec.shape == (0, len(BOX_COLUMNS))


def box_times(path: Path) -> NDArray[np.int64]:
    """The times of all boxes of a file on the recording's clock, whole microseconds, int64 [n].

    Raises
    ------
    FormatError, SourceNotFoundError, StorageError
        When the file cannot be read, or its boxes have no times.
    """
    records = read_npy(path)
    time = _box_time(records.dtype)
    if time is None:
        raise FormatError(f"{path}: holds {records.dtype}; expected records with {' or '.join(BOX_TIMES)}")
    return records[time].astype(np.int64)


def _is_path(cell: str) -> bool:
    return cell.lower().endswith(".npy")


def _number_dtype(where: str, cells: Sequence[str]) -> np.dtype[Any]:
    for cell in cells:
        if not NUMBER.fullmatch(cell) or abs(float(cell)) > LARGEST_FLOAT32:
            raise FormatError(
                f"{where}: {cell!r} is neither a number that float32 holds nor the path of an .npy file, as all cells "
                "of a target are"
            )
        if DIGITS.fullmatch(cell) and not WHOLE.fullmatch(cell):
            raise FormatError(
                f"{where}: {cell} has more than the 18 digits of a whole number; write it as a real, {cell}.0"
            )
    return np.dtype(np.int64 if all(WHOLE.fullmatch(cell) for cell in cells) else np.float32)


def _file(where: str, folder: Path, cell: str) -> Path:
    place = PurePosixPath(cell)
    if not _is_path(cell):
        raise FormatError(f"{where}: {cell!r} is no .npy file, others are: state a file for all samples, or numbers")
    if place.is_absolute() or ".." in place.parts or Path(cell).is_absolute():
        raise FormatError(f"{where}: {cell!r} points elsewhere; expected a file below {folder}, without '..'")
    if not is_file(folder / cell):
        raise SourceNotFoundError(f"{where}: {folder / cell} is missing; correct the path, or take the row out")
    return folder / cell


def _kind_of_file(where: str, column: TargetColumn, cell: str, array: NpyArray) -> TargetSpec:
    """The target that a file by itself makes."""
    dtype, shape = array.dtype.newbyteorder("="), array.shape
    if dtype.names:
        if column.kind != "boxes" or len(shape) != 1 or _box_time(dtype) is None:
            raise FormatError(
                f"{where}: {cell} holds records {list(dtype.names)}; expected numbers, or in a column "
                f"{PREFIX}{column.name}:boxes records with {', '.join(BOX_FIELDS)} and {' or '.join(BOX_TIMES)}"
            )
        return TargetSpec(column.name, "boxes", BOX_DTYPE, (0, len(BOX_COLUMNS)), ("box", "field"))
    if column.kind in ("boxes", "series"):
        shape = (0, *shape[1:]) if shape else shape
    try:
        return TargetSpec(column.name, column.kind, dtype, shape, _axes(column.kind, len(shape)))
    except RecipeError as error:
        raise FormatError(f"{where}: {cell}: {error}") from None


def _axes(kind: TargetKind, n: int) -> tuple[str, ...]:
    """Names of n axes. The first of a map that has more than rows and columns is taken for time: it may be that."""
    first = {"boxes": ("box", "field"), "series": ("time",), "map": ("time",) * (n > 2), "values": ()}[kind][:n]
    last = ("y", "x") if kind == "map" and n > 1 else ()
    return (*first, *(f"axis_{k}" for k in range(len(first), n - len(last))), *last)


def _box_time(records: np.dtype[Any]) -> str | None:
    """The field of a record of boxes that is its time; None where the records are no boxes."""
    names = [name for name in records.names or () if records[name].kind in "iuf"]
    if not set(BOX_FIELDS) <= set(names) or BOX_CONFIDENCE in set(records.names or ()).difference(names):
        return None
    return next((name for name in BOX_TIMES if name in names), None)


def _boxes(records: NDArray[Any], start_us: int | None, stop_us: int | None) -> NDArray[np.float64]:
    """Rows of BOX_COLUMNS, float64 [n, 7]; the confidence of records without one is 1."""
    time = _box_time(records.dtype)
    assert time is not None  # as the header said
    t = records[time]
    inside = np.ones(len(t), np.bool_)
    if start_us is not None:
        inside &= t >= start_us
    if stop_us is not None:
        inside &= t < stop_us
    has_confidence = BOX_CONFIDENCE in (records.dtype.names or ())
    confidence = records[BOX_CONFIDENCE] if has_confidence else np.ones(len(t))
    columns = [t, *(records[name] for name in BOX_FIELDS), confidence]
    return np.stack([column.astype(BOX_DTYPE) for column in columns], axis=1)[inside]
