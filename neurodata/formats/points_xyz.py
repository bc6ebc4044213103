"""Text of points: a row of x, y, z and features for each, separated by spaces, tabs, commas or semicolons.

The form of modelnet40_normal_resampled (x,y,z,nx,ny,nz) and of most .xyz, .txt, .asc and .csv of points; .pts with
the number of points in its first line. There is no specification. A line of names before the first row tells the
columns ("x y z nx ny nz", "//X Y Z R G B", also as a # comment): x, y and z may then stand anywhere, and the others
are the features in their order. Without it the first three columns are x, y, z. Empty lines and what follows a # are
passed over; chemists' .xyz, whose rows begin with an element, are not read.

Numbers without names prove little: rows of events, poses and inertial sensors look the same. They are detected by the
rules of `points_npy`, or by the line with the number of points; others are read where the format is stated:
format="points_xyz".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._cloud import doubt, feature_names, reading, require_whole
from neurodata.formats._cloud_text import BETWEEN, NUMBER, rows
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.signals import PointCloud

HEAD_BYTES = 1 << 16
MOST_COLUMNS = 1000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
AXES = ("x", "y", "z")
_COUNT = re.compile(r"\d{1,15}", re.ASCII)


@dataclass(slots=True)
class _Head:
    """What a file says before its first row, and a sample of its rows."""

    n_bytes: int = 0
    names: tuple[str, ...] | None = None
    n_points: int | None = None
    rows: list[list[str]] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """A name for each column."""
        n = len(self.rows[0]) if self.rows else 3
        return self.names or (*AXES, *feature_names(n - 3))

    @property
    def features(self) -> list[str]:
        return [name for name in self.columns if name not in AXES]


def sniff(head: bytes, path: Path) -> str | None:
    """None for rows of numbers after a line that names x, y and z or counts them, or that can be nothing but points."""
    found = _parse_head(head, is_all=path.stat().st_size == len(head))
    if isinstance(found, str):
        return found
    if found.names or found.n_points is not None:
        return None
    reason = doubt(np.array(found.rows, np.float64))
    return f"{reason}: state format='points_xyz' if it holds points" if reason else None


def describe(path: Path) -> dict[str, object]:
    """Names of the features, and n_points where the first line tells it."""
    with RecordingFile(path) as file:
        head = _head(file)
    told = {} if head.n_points is None else {"n_points": head.n_points}
    return {**told, "features": head.features}


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Points [n, 3] and features [n, k], see above. `findings` counts those "not finite", which are left out.

    Raises
    ------
    FormatError
        When a row is damaged or not as long as the first one, or there are not as many as the first line says.
    """
    require_whole(path, start_us, stop_us)
    with RecordingFile(path) as file:
        head = _head(file)
        raw = file.read_into(np.empty(file.size_bytes, np.uint8), 0)
    columns = head.columns
    order = [*AXES, *head.features]
    plan = np.array([order.index(name) for name in columns], np.int64)
    table, _ = rows(path, raw, head.n_bytes, plan, _most_rows(raw[head.n_bytes :], len(columns)))
    if head.n_points not in (None, len(table)):
        raise FormatError(
            f"{path}: byte {len(raw)}: the file ends after {len(table)} rows, and its first line says {head.n_points}; "
            "it is truncated or damaged: get it again"
        )
    return reading(table)


def _most_rows(raw: NDArray[np.uint8], n_columns: int) -> int:
    """Rows that text can hold: a line for each, and two bytes for each number; one more, so that all is looked at."""
    n_lines = int(np.count_nonzero((raw == ord("\n")) | (raw == ord("\r")))) + 1
    return min(n_lines, (len(raw) + 1) // (2 * n_columns) + 1)


def _head(file: RecordingFile) -> _Head:
    found = _parse_head(file.read(HEAD_BYTES), is_all=file.size_bytes <= HEAD_BYTES)
    if isinstance(found, str):
        raise FormatError(f"{file.path}: byte 0: {found}; expected rows of x, y, z")
    return found


def _parse_head(head: bytes, is_all: bool) -> _Head | str:
    """Header and first rows, or why these bytes are no text of points. is_all: they are the whole file."""
    if b"\0" in head:
        return "is no text"
    found = _Head(n_bytes=len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0, rows=[])
    assert found.rows is not None
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$", head[found.n_bytes :]):
        if not (is_all or line.endswith((b"\n", b"\r"))):
            break
        text = line.decode("utf-8", "replace").strip()
        fields = BETWEEN.split(text.split("#")[0].strip())
        if all(map(NUMBER.fullmatch, fields)):
            if len(fields) == 1 and _COUNT.fullmatch(fields[0]) and not found.rows and found.n_points is None:
                found.n_points = int(fields[0])
            elif not 3 <= len(fields) <= MOST_COLUMNS:
                return f"a row of {len(fields)} numbers where points have 3 to {MOST_COLUMNS}: {text[:60]!r}"
            elif len(fields) != len(found.rows[0] if found.rows else found.names or fields):
                return f"a row of {len(fields)} numbers unlike what stands before it: {text[:60]!r}"
            else:
                found.rows.append(fields)
        elif not found.rows and (names := _names(text)):
            found.names = names
        elif fields != [""] and (found.rows or not text.startswith("//")):
            return f"a line that is neither a row of numbers nor names x, y and z: {text[:60]!r}"
        if not found.rows:
            found.n_bytes += len(line)
    if not found.rows and found.names is None and found.n_points != 0:
        return "no row of numbers, and no names x, y and z"
    return found


def _names(text: str) -> tuple[str, ...] | None:
    """Names of columns in a line, when x, y and z are among them and none is there twice."""
    names = tuple(name.strip("\"'").lower() for name in BETWEEN.split(text.lstrip("#/ \t")))
    return names if set(AXES) <= set(names) and len(set(names)) == len(names) <= MOST_COLUMNS else None


FORMAT = SignalFormat(
    name="points_xyz",
    version=1,
    title="Text of points: rows of x y z and features (.xyz, .pts, .txt)",
    extensions=(".xyz", ".pts", ".txt", ".asc", ".csv"),
    sniff=sniff,
    gives=PointCloud,
    describe=describe,
    read=read,
)
