"""OFF, the object file format of Geomview: the vertices as points; ModelNet10 and ModelNet40 as they are published.

The first three numbers of a vertex are its coordinates; further ones are features in the order of the file: normals
(NOFF), colours (COFF), texture coordinates (STOFF). Faces are passed over and not looked at: the vertices of a mesh
are not spread evenly over its surface, and points for training are sampled from its faces, which is no matter of
reading.

Source: Geomview's manual, "OFF files". The keyword and the counts may share a line, with nothing between them, as
in some files of ModelNet40 ("OFF490 518 0"). Not read: files without the keyword, binary ones, and 4OFF and nOFF,
whose coordinates are others; a vertex that breaks its line is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodata.errors import FormatError
from neurodata.formats._cloud import feature_names, reading, require_cloud, require_room, require_whole
from neurodata.formats._cloud_text import first_row, rows
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.signals import PointCloud, Signal
from neurodata.storage import writing

HEAD_BYTES = 1 << 16
_BLANK = rb"(?:[ \t\r\n]|#[^\r\n]*[\r\n])*+"
_HEADER = re.compile(
    _BLANK
    + rb"((?:ST)?C?N?OFF)(?![A-Z])"
    + _BLANK
    + rb"(\d{1,15})[ \t]+(\d{1,15})(?:[ \t]+\d{1,15})?[ \t]*(?:#[^\r\n]*)?[\r\n]"
)
_KEYWORD = re.compile(_BLANK + rb"(?:ST)?C?N?OFF(?![A-Z])[ \t]*(?:[\d#\r\n]|$)")


@dataclass(frozen=True, slots=True)
class _Header:
    n_bytes: int
    n_points: int
    n_faces: int
    n_columns: int


def sniff(head: bytes, path: Path) -> str | None:
    """None for text that begins with OFF, COFF, NOFF ... and a number or the end of the line."""
    return None if _KEYWORD.match(head) else "does not begin with OFF and two counts"


def describe(path: Path) -> dict[str, object]:
    """n_points, n_faces, and names of the features."""
    with RecordingFile(path) as file:
        header = _header(file)
    return {
        "n_points": header.n_points,
        "n_faces": header.n_faces,
        "features": feature_names(header.n_columns - 3),
    }


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Vertices as points [n, 3] and features [n, k]. `findings` counts those "not finite", which are left out.

    Raises
    ------
    FormatError
        When the header or a vertex is damaged, or the file ends before the last one.
    """
    require_whole(path, start_us, stop_us)
    with RecordingFile(path) as file:
        header = _header(file)
        raw = file.read_into(np.empty(file.size_bytes, np.uint8), 0)
    require_room(path, header.n_bytes, header.n_points, 2 * header.n_columns, len(raw) + 1 - header.n_bytes)
    table, at = rows(path, raw, header.n_bytes, np.arange(header.n_columns), header.n_points)
    if len(table) < header.n_points:
        raise FormatError(
            f"{path}: byte {at}: the file ends after {len(table)} of {header.n_points} vertices; it is truncated: "
            "get it again"
        )
    return reading(table)


def _header(file: RecordingFile) -> _Header:
    head = file.read(HEAD_BYTES)
    found = _HEADER.match(head)
    if found is None:
        raise FormatError(
            f"{file.path}: byte 0: begins with {head[:40]!r}; expected OFF, COFF, NOFF or STOFF and the numbers of "
            "vertices and faces"
        )
    n_points, n_faces = int(found[2]), int(found[3])
    n_columns = len(first_row(head, found.end())) if n_points else 3
    if n_columns < 3:
        raise FormatError(
            f"{file.path}: byte {found.end()}: {n_columns} numbers where a vertex has at least 3; the file is "
            "truncated or damaged: get it again"
        )
    return _Header(found.end(), n_points, n_faces, n_columns)


def write_file(signal: Signal, path: Path) -> None:
    """The points as vertices without faces, each number with the nine digits that tell every float32.

    Raises
    ------
    FormatError
        When there are features: nothing in the file could tell what they are.
    """
    cloud = require_cloud(signal, path)
    if cloud.features.shape[1]:
        raise FormatError(f"{path}: {cloud.features.shape[1]} features a point; OFF is written without: use ply")
    with writing(path) as file:
        file.write(f"OFF\n{len(cloud.xyz)} 0 0\n".encode())
        file.writelines(b"%.9g %.9g %.9g\n" % (x, y, z) for x, y, z in cloud.xyz.tolist())


FORMAT = SignalFormat(
    name="off",
    version=1,
    title="OFF meshes of ModelNet: the vertices",
    extensions=(".off",),
    sniff=sniff,
    gives=PointCloud,
    describe=describe,
    read=read,
    write=write_file,
)
