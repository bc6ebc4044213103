"""PCD, the format of the Point Cloud Library, versions 0.5 to 0.7: DATA ascii, binary and binary_compressed.

x, y and z are the coordinates; all other fields are features, in the order of the file: one for each number of a
field (COUNT 33 makes 33), none for padding ("_"). The packed colours of PCL, `rgb` and `rgba` of four bytes, are taken
apart into three features r g b, or four r g b a, 0 to 255: as numbers they mean nothing. An organised cloud (HEIGHT
above 1) comes row by row, without the points that have no return (NaN), which are counted. VIEWPOINT is not applied.

Source: "The PCD (Point Cloud Data) file format", documentation of PCL. It leaves open the byte order of the binary
forms: taken as little-endian, that of the machines that write them. binary_compressed holds two uint32 (bytes packed
and unpacked) and an LZF stream of all values of the first field, then of the second, and so on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._cloud import reading, require_room, require_whole
from neurodata.formats._cloud_text import rows
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.formats._lzf import MOST_PACKED, unpack
from neurodata.signals import PointCloud

LONGEST_HEADER_BYTES = 1 << 16
MOST_NUMBERS = 10_000  # of a point
TYPES = {
    f"{kind} {size}": f"<{kind.lower()}{size}"
    for kind, sizes in (("I", "1248"), ("U", "1248"), ("F", "48"))
    for size in sizes
}
COLOURS = {"rgb": ("r", "g", "b"), "rgba": ("r", "g", "b", "a")}
SHIFTS = {"r": 16, "g": 8, "b": 0, "a": 24}
PADDING = "_"
ENCODINGS = ("ascii", "binary", "binary_compressed")
_START = re.compile(rb"(?:[ \t\r\n]|#[^\n]*\n)*+VERSION[ \t]+0?\.\d+[ \t]*\r?\n")
_DATA = re.compile(rb"(?:^|\n)DATA[ \t]+(\w+)[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    code: str
    count: int

    @property
    def n_bytes(self) -> int:
        return np.dtype(self.code).itemsize * self.count

    @property
    def is_colour(self) -> bool:
        return self.name in COLOURS and self.n_bytes == 4 and self.count == 1

    @property
    def column_names(self) -> tuple[str, ...]:
        if self.name == PADDING:
            return ()
        if self.is_colour:
            return COLOURS[self.name]
        return (self.name,) if self.count == 1 else tuple(f"{self.name}_{k}" for k in range(self.count))


@dataclass(frozen=True, slots=True)
class _Header:
    fields: tuple[_Field, ...]
    n_points: int
    width: int
    height: int
    encoding: str
    n_bytes: int

    @property
    def features(self) -> list[str]:
        return [name for found in self.fields if found.name not in ("x", "y", "z") for name in found.column_names]

    @property
    def point_bytes(self) -> int:
        return sum(found.n_bytes for found in self.fields)


def sniff(head: bytes, path: Path) -> str | None:
    """None for text that begins with a line VERSION 0.7 or the like, after comments."""
    return None if _START.match(head) else "does not begin with VERSION 0.7 or the like"


def describe(path: Path) -> dict[str, object]:
    """n_points, width and height of an organised cloud, names of the features, and the encoding ("ascii" ...)."""
    with RecordingFile(path) as file:
        header = _header(file)
    return {
        "n_points": header.n_points,
        "width": header.width,
        "height": header.height,
        "features": header.features,
        "encoding": header.encoding,
    }


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Points [n, 3] and features [n, k], see above. `findings` counts those "not finite", which are left out.

    Raises
    ------
    FormatError
        When the header or a point is damaged, or the file ends before the last one.
    """
    require_whole(path, start_us, stop_us)
    with RecordingFile(path) as file:
        header = _header(file)
        raw = file.read_into(np.empty(file.size_bytes, np.uint8), 0)
    if header.encoding == "ascii":
        columns = _text_columns(path, raw, header)
    elif header.encoding == "binary":
        columns = _binary_columns(path, raw, header)
    else:
        columns = _packed_columns(path, raw, header)
    return reading(_table(header, columns))


def _header(file: RecordingFile) -> _Header:
    raw = file.read(LONGEST_HEADER_BYTES)
    end = _DATA.search(raw)
    if not _START.match(raw) or end is None:
        raise FormatError(
            f"{file.path}: byte 0: no header of PCD, from VERSION to DATA; the file is damaged: get it again"
        )
    lines = (line.split() for line in raw[: end.start() + 1].decode("latin-1").splitlines())
    found = {words[0]: words[1:] for words in lines if words and not words[0].startswith("#")}
    names = found.get("FIELDS", [])
    sizes, types = found.get("SIZE", []), found.get("TYPE", [])
    counts = found.get("COUNT", ["1"] * len(names))
    if len({len(names), len(sizes), len(types), len(counts)}) != 1:
        raise _damaged(
            file.path,
            f"FIELDS, SIZE, TYPE and COUNT have {len(names)}, {len(sizes)}, {len(types)}, {len(counts)} entries",
        )
    codes = [TYPES.get(f"{kind} {size}") for kind, size in zip(types, sizes, strict=True)]
    if None in codes:
        raise _damaged(file.path, f"TYPE {' '.join(types)[:60]} of SIZE {' '.join(sizes)[:60]} are no numbers")
    fields = tuple(
        _Field(name, str(code), _whole(file.path, "COUNT", count))
        for name, code, count in zip(names, codes, counts, strict=True)
    )
    width, height = (_whole(file.path, key, " ".join(found.get(key, []))) for key in ("WIDTH", "HEIGHT"))
    n_points = _whole(file.path, "POINTS", " ".join(found.get("POINTS", [str(width * height)])))
    header = _Header(fields, n_points, width, height, end[1].decode("latin-1"), end.end())
    if n_points != width * height:
        raise _damaged(file.path, f"{n_points} POINTS are not WIDTH {width} times HEIGHT {height}")
    if header.encoding not in ENCODINGS:
        raise _damaged(file.path, f"DATA {header.encoding} is none of {', '.join(ENCODINGS)}")
    _require_points(file.path, header)
    return header


def _require_points(path: Path, header: _Header) -> None:
    held = [found.name for found in header.fields if found.name != PADDING]
    axes = [found for found in header.fields if found.name in ("x", "y", "z")]
    counts = [found.count for found in header.fields]
    numbers = sum(counts)
    if (
        len(axes) != 3
        or len(set(held)) != len(held)
        or any(found.count != 1 for found in axes)
        or 0 in counts
        or numbers > MOST_NUMBERS
    ):
        raise FormatError(
            f"{path}: byte 0: points have the fields {' '.join(held[:9]) or 'none'}, {numbers} numbers each; expected "
            f"x, y and z once, no name twice, no COUNT 0, and at most {MOST_NUMBERS}"
        )


def _whole(path: Path, key: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII):
        raise _damaged(path, f"{key} is {text[:20]!r}, no whole number")
    return int(text)


def _damaged(path: Path, what: str) -> FormatError:
    return FormatError(f"{path}: byte 0: {what}; the header is damaged: get it again")


def _text_columns(path: Path, raw: NDArray[np.uint8], header: _Header) -> list[NDArray[Any]]:
    """For each field its numbers, [n, count]."""
    counts = [found.count for found in header.fields]
    plan = np.arange(sum(counts))
    require_room(path, header.n_bytes, header.n_points, 2 * len(plan), len(raw) + 1 - header.n_bytes)
    table, at = rows(path, raw, header.n_bytes, plan, header.n_points)
    if len(table) < header.n_points:
        raise FormatError(
            f"{path}: byte {at}: the file ends after {len(table)} of {header.n_points} points; it is truncated: "
            "get it again"
        )
    columns = np.split(table, np.cumsum(counts)[:-1], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        return [
            column.astype(found.code) if found.is_colour else column
            for found, column in zip(header.fields, columns, strict=True)
        ]


def _binary_columns(path: Path, raw: NDArray[np.uint8], header: _Header) -> list[NDArray[Any]]:
    """For each field its numbers, [n, count]."""
    require_room(path, header.n_bytes, header.n_points, header.point_bytes, len(raw) - header.n_bytes)
    record = np.dtype([(f"_{k}", found.code, (found.count,)) for k, found in enumerate(header.fields)])
    records = raw[header.n_bytes : header.n_bytes + header.n_points * header.point_bytes].view(record)
    return [records[name] for name in record.names or ()]


def _packed_columns(path: Path, raw: NDArray[np.uint8], header: _Header) -> list[NDArray[Any]]:
    """For each field its numbers, [n, count]."""
    at = header.n_bytes + 8
    require_room(path, header.n_bytes, 1, 8, len(raw) - header.n_bytes)
    n_packed, n_bytes = raw[header.n_bytes : at].view("<u4").tolist()
    require_room(path, at, 1, n_packed, len(raw) - at)
    if n_bytes != header.n_points * header.point_bytes or n_bytes > MOST_PACKED * n_packed:
        raise FormatError(
            f"{path}: byte {header.n_bytes}: {n_packed} bytes are to become {n_bytes}, and {header.n_points} points "
            f"take {header.n_points * header.point_bytes}; the file is damaged: get it again"
        )
    out = np.empty(n_bytes, np.uint8)
    used = unpack(raw[at : at + n_packed], out)
    if used < 0:
        raise FormatError(
            f"{path}: byte {at - 1 - used}: the packed points break off; the file is damaged: get it again"
        )
    ends = np.cumsum([header.n_points * found.n_bytes for found in header.fields])
    parts = np.split(out, ends[:-1])
    return [part.view(found.code).reshape(-1, found.count) for found, part in zip(header.fields, parts, strict=True)]


def _table(header: _Header, columns: list[NDArray[Any]]) -> NDArray[np.float32]:
    """Coordinates and features side by side, [n, 3 + k]."""
    names = ["x", "y", "z", *header.features]
    table = np.empty((header.n_points, len(names)), np.float32)
    feature = 3
    with np.errstate(over="ignore", invalid="ignore"):
        for found, column in zip(header.fields, columns, strict=True):
            if found.name in ("x", "y", "z"):
                table[:, names.index(found.name)] = column[:, 0]
            elif found.is_colour:
                packed = np.ascontiguousarray(column[:, 0]).view("<u4")
                for name in found.column_names:
                    table[:, feature] = packed >> SHIFTS[name] & 0xFF
                    feature += 1
            elif found.name != PADDING:
                table[:, feature : feature + found.count] = column
                feature += found.count
    return table


FORMAT = SignalFormat(
    name="pcd",
    version=1,
    title="PCD of the Point Cloud Library, ascii, binary and compressed",
    extensions=(".pcd",),
    sniff=sniff,
    gives=PointCloud,
    describe=describe,
    read=read,
)
