"""PLY, the polygon file format of Stanford: the vertices as points. ASCII, binary little-endian and big-endian.

x, y and z of the element `vertex` are the coordinates; its other numbers (normals, colours, intensity ...) are the
features, in the order of the file and with the values of the file: a colour of type uchar is 0 to 255. What types the
file has, all become float32 (`_cloud`). Lists of a vertex, faces and all other elements are passed over, wherever
they stand; those after the vertices are not looked at.

Source: Turk, "The PLY polygon file format", 1994. It leaves open: the names of types (both `uchar` and `uint8` are
used, both are read); line ends (LF, CR LF and CR are read; the first line tells which); whether a text element can
break its line (taken as not: other readers do the same). Lists whose length is a float are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._cloud import feature_names, reading, require_cloud, require_room, require_whole, table_of
from neurodata.formats._cloud_text import LIST, rows, skip_lines
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.formats._ply_lists import NEGATIVE, walk
from neurodata.signals import PointCloud, Signal
from neurodata.storage import writing

LONGEST_HEADER_BYTES = 1 << 20
MOST_PROPERTIES = 1000
ENCODINGS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
TYPES = {
    name: code
    for code, names in {
        "i1": "char int8",
        "u1": "uchar uint8",
        "i2": "short int16",
        "u2": "ushort uint16",
        "i4": "int int32",
        "u4": "uint uint32",
        "f4": "float float32",
        "f8": "double float64",
    }.items()
    for name in names.split()
}
_START = re.compile(rb"ply[ \t]*(\r\n|\n|\r)")
_COUNT = re.compile(r"\d{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Property:
    """A number of an element, or a list of them: count_code is the type of its length."""

    name: str
    code: str
    count_code: str = ""


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    n: int
    properties: tuple[_Property, ...]

    @property
    def has_lists(self) -> bool:
        return any(found.count_code for found in self.properties)

    @property
    def scalars(self) -> tuple[_Property, ...]:
        return tuple(found for found in self.properties if not found.count_code)

    @property
    def least_bytes(self) -> int:
        """Bytes of one in binary, its lists being empty."""
        return sum(int((found.count_code or found.code)[1]) for found in self.properties)


@dataclass(frozen=True, slots=True)
class _Header:
    encoding: str
    elements: tuple[_Element, ...]
    n_bytes: int

    @property
    def vertex(self) -> _Element:
        return next(element for element in self.elements if element.name == "vertex")

    @property
    def features(self) -> list[str]:
        return [found.name for found in self.vertex.scalars if found.name not in ("x", "y", "z")]


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file whose first line is ply."""
    return None if _START.match(head) else "does not begin with a line ply"


def describe(path: Path) -> dict[str, object]:
    """n_points, the names of the features, and the encoding ("ascii" ...)."""
    with RecordingFile(path) as file:
        header = _header(file)
    return {"n_points": header.vertex.n, "features": header.features, "encoding": header.encoding}


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Points [n, 3] and features [n, k], see above. `findings` counts those "not finite", which are left out.

    Raises
    ------
    FormatError
        When the header or what stands before the last vertex is damaged, or there is no vertex with x, y and z.
    """
    require_whole(path, start_us, stop_us)
    with RecordingFile(path) as file:
        header = _header(file)
        raw = file.read_into(np.empty(file.size_bytes, np.uint8), 0)
    return reading(_text_table(path, raw, header) if header.encoding == "ascii" else _binary_table(path, raw, header))


def _header(file: RecordingFile) -> _Header:
    raw = file.read(LONGEST_HEADER_BYTES)
    start = _START.match(raw)
    if start is None:
        raise FormatError(f"{file.path}: byte 0: does not begin with a line ply")
    line_end = start[1]
    end = re.search(rb"[\r\n]end_header[ \t]*" + line_end, raw)
    if end is None:
        raise FormatError(
            f"{file.path}: byte {len(raw)}: no line end_header before it; the file is truncated or damaged: "
            "get it again"
        )
    encoding, elements = "", list[_Element]()
    at = start.end()
    for line in raw[at : end.start() + 1].split(line_end):
        words = line.decode("latin-1").split()
        match words:
            case [] | ["comment" | "obj_info", *_]:
                pass
            case ["format", name, "1.0"] if name in ENCODINGS:
                encoding = name
            case ["element", name, count] if _COUNT.fullmatch(count):
                elements.append(_Element(name, int(count), ()))
            case ["property", *what] if elements and (found := _property(what)):
                last = elements[-1]
                elements[-1] = _Element(last.name, last.n, (*last.properties, found))
            case _:
                raise FormatError(
                    f"{file.path}: byte {at}: a header line that PLY 1.0 does not have: {line[:60].decode('latin-1')!r}"
                )
        at += len(line) + len(line_end)
    header = _Header(encoding, tuple(elements), end.end())
    _require_points(file.path, header)
    return header


def _property(what: list[str]) -> _Property | None:
    match what:
        case ["list", count_type, type_, name] if type_ in TYPES and TYPES.get(count_type, "f")[0] != "f":
            return _Property(name, TYPES[type_], TYPES[count_type])
        case [type_, name] if type_ in TYPES:
            return _Property(name, TYPES[type_])
    return None


def _require_points(path: Path, header: _Header) -> None:
    names = [element.name for element in header.elements]
    if not header.encoding or names.count("vertex") != 1:
        raise FormatError(
            f"{path}: byte 0: the header has the format {header.encoding or 'missing'!r} and the elements "
            f"{', '.join(names[:9]) or 'none'}; expected a format and one element vertex"
        )
    held = [found.name for found in header.vertex.properties]
    scalars = [found.name for found in header.vertex.scalars]
    if len(set(held)) != len(held) or not {"x", "y", "z"} <= set(scalars) or len(held) > MOST_PROPERTIES:
        raise FormatError(
            f"{path}: byte 0: vertices have {', '.join(held[:9]) or 'no properties'}; expected numbers x, y and z, "
            f"no name twice, and at most {MOST_PROPERTIES}"
        )


def _columns(header: _Header) -> dict[str, int]:
    """Column of the table for each number of a vertex: x, y, z, and the features."""
    return {name: k for k, name in enumerate(["x", "y", "z", *header.features])}


def _text_table(path: Path, raw: NDArray[np.uint8], header: _Header) -> NDArray[np.float64]:
    at = header.n_bytes
    for element in header.elements:
        if element.name == "vertex":
            break
        if element.properties:
            at, n_seen = skip_lines(raw, at, element.n)
            if n_seen < element.n:
                raise _ends_early(path, len(raw), n_seen, element)
    vertex, columns = header.vertex, _columns(header)
    # A field and what parts it from the next; the last row may have no end.
    require_room(path, at, vertex.n, 2 * len(vertex.properties), len(raw) + 1 - at)
    plan = np.array([LIST if found.count_code else columns[found.name] for found in vertex.properties], np.int64)
    table, _ = rows(path, raw, at, plan, vertex.n)
    if len(table) < vertex.n:
        raise _ends_early(path, len(raw), len(table), vertex)
    return table


def _ends_early(path: Path, at: int, n: int, element: _Element) -> FormatError:
    return FormatError(
        f"{path}: byte {at}: the file ends after {n} of {element.n} elements {element.name}; it is truncated: "
        "get it again"
    )


def _binary_table(path: Path, raw: NDArray[np.uint8], header: _Header) -> NDArray[Any]:
    at = header.n_bytes
    order = ENCODINGS[header.encoding]
    for element in header.elements:
        require_room(path, at, element.n, element.least_bytes, len(raw) - at)
        if element.name == "vertex":
            break
        at, _ = _passed(path, raw, at, element, order, keep=False)
    vertex, columns = header.vertex, _columns(header)
    record = np.dtype([(found.name, order + found.code) for found in vertex.scalars])
    _, scalars = _passed(path, raw, at, vertex, order, keep=True)
    codes = {found.code for found in vertex.scalars}
    if len(codes) == 1 and [found.name for found in vertex.scalars] == list(columns):  # the bytes are the table
        return scalars.reshape(-1).view(order + codes.pop()).reshape(vertex.n, len(columns))
    records = scalars.reshape(-1).view(record)
    table = np.empty((vertex.n, len(columns)), np.float32)  # [n, 3 + k]
    with np.errstate(over="ignore", invalid="ignore"):
        for name, k in columns.items():
            table[:, k] = records[name]
    return table


def _passed(
    path: Path, raw: NDArray[np.uint8], at: int, element: _Element, order: str, keep: bool
) -> tuple[int, NDArray[np.uint8]]:
    """The byte after an element, and its numbers that are in no list, uint8 [n, bytes]."""
    n_bytes = sum(int(found.code[1]) for found in element.scalars)
    if not element.has_lists:
        end = at + element.n * n_bytes
        return end, raw[at:end].reshape(element.n if n_bytes else 0, n_bytes)
    plan = np.array(
        [
            (int(found.code[1]), int((found.count_code or "u0")[1]), found.count_code.startswith("i"))
            for found in element.properties
        ],
        np.int64,
    )
    scalars = np.empty((element.n, n_bytes) if keep else (0, 0), np.uint8)
    end, damage = walk(raw, at, element.n, plan, order == ">", scalars)
    if damage:
        what = "a list of negative length" if damage == NEGATIVE else "it ends within"
        raise FormatError(
            f"{path}: byte {end}: an element {element.name}: {what}; the file is truncated or damaged: get it again"
        )
    return end, scalars


def write_file(signal: Signal, path: Path) -> None:
    """Binary little-endian float32: x, y, z, and the features as feature_0, feature_1 ..."""
    cloud = require_cloud(signal, path)
    names = ["x", "y", "z", *feature_names(cloud.features.shape[1])]
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(cloud.xyz)}",
        *(f"property float {name}" for name in names),
        "end_header",
    ]
    with writing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.write(table_of(cloud).astype("<f4", copy=False).tobytes())


FORMAT = SignalFormat(
    name="ply",
    version=1,
    title="PLY polygon files, ASCII and binary: the vertices",
    extensions=(".ply",),
    sniff=sniff,
    gives=PointCloud,
    describe=describe,
    read=read,
    write=write_file,
)
