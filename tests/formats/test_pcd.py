from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import FormatError
from neurodata.formats import _lzf, pcd, read
from neurodata.signals import PointCloud
from tests.formats.clouds import same
from tests.golden import pcd as golden


def header(fields: str, sizes: str, types: str, counts: str, n: int, encoding: str) -> bytes:
    return (
        f"# .PCD v.7 - Point Cloud Data file format\nVERSION .7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\n"
        f"COUNT {counts}\nWIDTH {n}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA {encoding}\n"
    ).encode()


def lzf_packed(data: bytes) -> bytes:
    """A packer of the simplest kind: runs of literals, and references to the last of the last 300 places that fit."""
    out, at, literals = b"", 0, b""

    def flushed() -> bytes:
        runs = [literals[k : k + 32] for k in range(0, len(literals), 32)]
        return b"".join(bytes([len(run) - 1]) + run for run in runs)

    while at < len(data):
        found = data.rfind(data[at : at + 3], max(0, at - 300), at + 2) if at + 3 <= len(data) else -1
        if 0 <= found < at:
            length = 3
            while length < 264 and at + length < len(data) and data[found + length] == data[at + length]:
                length += 1
            distance = at - found - 1
            out, literals = out + flushed(), b""
            if length < 9:
                out += bytes([(length - 2) << 5 | distance >> 8, distance & 255])
            else:
                out += bytes([7 << 5 | distance >> 8, length - 9, distance & 255])
            at += length
        else:
            literals += data[at : at + 1]
            at += 1
    return out + flushed()


ROWS = [(float(k), 0.5, -2.0, k % 3, 0xFF0000 + k, 7.25) for k in range(50)]
FIELDS = ("x y z ring rgb time", "4 4 8 1 4 4", "F F F U U F", "1 1 1 1 1 1", 50)


def packed_file() -> bytes:
    """A file of binary_compressed: field after field, by LZF."""
    columns = zip(*ROWS, strict=True)
    data = b"".join(struct.pack(f"<50{code}", *column) for code, column in zip("ffdBIf", columns, strict=True))
    packed = lzf_packed(data)
    assert len(packed) < len(data) / 2
    return header(*FIELDS, "binary_compressed") + struct.pack("<II", len(packed), len(data)) + packed


def file_of(encoding: str) -> bytes:
    """The same points in three encodings."""
    if encoding == "ascii":
        return header(*FIELDS, encoding) + "".join(" ".join(map(str, row)) + "\n" for row in ROWS).encode()
    if encoding == "binary":
        return header(*FIELDS, encoding) + b"".join(struct.pack("<ffdBIf", *row) for row in ROWS)
    return packed_file()


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "a.pcd"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_all_encodings_give_the_same_points(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, file_of(encoding))
    found = read(path)
    assert found.xyz.tolist() == [list(row[:3]) for row in ROWS]
    assert found.features.tolist() == [[row[3], 255, 0, k, 7.25] for k, row in enumerate(ROWS)]
    expected = {"n_points": 50, "width": 50, "height": 1, "features": ["ring", "r", "g", "b", "time"]}
    assert pcd.describe(path) == {**expected, "encoding": encoding}


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_colours_packed_into_a_float_are_taken_apart(tmp_path: Path, encoding: str) -> None:
    packed = struct.unpack("<f", struct.pack("<I", 0x00204060))[0]
    content = header("x y z rgb", "4 4 4 4", "F F F F", "1 1 1 1", 1, encoding)
    body = f"1 2 3 {packed!r}\n".encode() if encoding == "ascii" else struct.pack("<4f", 1, 2, 3, packed)
    assert read(written(tmp_path, content + body)).features.tolist() == [[0x20, 0x40, 0x60]]
    content = header("x y z rgba", "4 4 4 4", "F F F U", "1 1 1 1", 1, encoding)
    body = f"1 2 3 {0xFF204061}\n".encode() if encoding == "ascii" else struct.pack("<3fI", 1, 2, 3, 0xFF204061)
    assert read(written(tmp_path, content + body)).features.tolist() == [[0x20, 0x40, 0x61, 0xFF]]


def test_organised_clouds_come_without_the_points_that_have_no_return(tmp_path: Path) -> None:
    path = written(tmp_path, golden.content())
    found = pcd.read(path, None, None)
    kept = [k for k in range(100) if k % 7]
    rows = golden.golden_points(100, 5, 80)
    assert found.findings == {"not finite": 100 - len(kept)}
    assert isinstance(found.signal, PointCloud)
    assert found.signal.xyz.tolist() == [list(rows[k][:3]) for k in kept]
    colours = [2654435761 * k % 2**32 for k in kept]
    expected = [
        [colour >> 16 & 255, colour >> 8 & 255, colour & 255, colour >> 24, k, *rows[k][3:]]
        for k, colour in zip(kept, colours, strict=True)
    ]
    assert found.signal.features.tolist() == expected
    assert pcd.describe(path)["features"] == ["r", "g", "b", "a", "ring", "moment_0", "moment_1"]
    assert (pcd.describe(path)["width"], pcd.describe(path)["height"]) == (20, 5)


def test_nan_in_text_is_a_point_without_a_return(tmp_path: Path) -> None:
    content = header("x y z", "4 4 4", "F F F", "1 1 1", 2, "ascii") + b"nan nan nan\n1 2 3\n"
    found = pcd.read(written(tmp_path, content), None, None)
    assert found.signal.xyz.tolist() == [[1, 2, 3]]
    assert found.findings == {"not finite": 1}


@given(st.lists(st.sampled_from([b"abc", b"\0" * 9, b"xyzxyz", b"q"]), max_size=60).map(b"".join))
def test_lzf_gives_back_what_was_packed(data: bytes) -> None:
    packed = lzf_packed(data)
    out = np.empty(len(data), np.uint8)
    assert _lzf.unpack(np.frombuffer(packed, np.uint8), out) == len(packed)
    assert out.tobytes() == data == _lzf.reference(packed)


def test_lzf_by_hand() -> None:
    # Two literals, five bytes from one back (a run of b), and twelve from seven back, by the longer form.
    packed = bytes([1]) + b"ab" + bytes([3 << 5, 0]) + bytes([7 << 5, 3, 6])
    out = np.empty(19, np.uint8)
    assert _lzf.unpack(np.frombuffer(packed, np.uint8), out) == len(packed)
    assert out.tobytes() == b"ab" + b"bbbbb" + b"abbbbbbabbbb"[:12]


@pytest.mark.parametrize(
    ("packed", "at"),
    [(b"\x01a", 0), (b"\x00a\x20\x01", 2), (b"\x00a\x20", 2), (b"\x00a\xe0\x01", 2), (b"\x02abc", 0), (b"\x00a", 2)],
)
def test_lzf_that_breaks_off_or_reaches_out_is_refused(packed: bytes, at: int) -> None:
    assert _lzf.unpack(np.frombuffer(packed, np.uint8), np.empty(2, np.uint8)) == -1 - at


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b"POINTS 50", b"POINTS 51", "51 POINTS are not WIDTH 50 times HEIGHT 1"),
        (b"WIDTH 50", b"WIDTH -1", "WIDTH is '-1', no whole number"),
        (b"SIZE 4 4 8 1 4 4", b"SIZE 4 4 8 1 4 3", "are no numbers"),
        (b"SIZE 4 4 8 1 4 4", b"SIZE 4 4 8", "FIELDS, SIZE, TYPE and COUNT have 6, 3, 6, 6 entries"),
        (b"FIELDS x y z", b"FIELDS x y y", "expected x, y and z once"),
        (b"COUNT 1 1 1 1", b"COUNT 1 1 1 0", "no COUNT 0"),
        (b"COUNT 1 1 1 1", b"COUNT 1 1 2 1", "expected x, y and z once"),
        (b"DATA binary", b"DATA bin", "DATA bin is none of ascii, binary, binary_compressed"),
        (b"DATA binary", b"DATUM binary", "no header of PCD"),
        (b"VERSION .7", b"VERSION 1.7", "no header of PCD"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, before: bytes, after: bytes, reason: str) -> None:
    path = written(tmp_path, file_of("binary").replace(before, after))
    with pytest.raises(FormatError, match=rf"a\.pcd: byte 0: .*{reason}"):
        pcd.read(path, None, None)


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_files_that_hold_less_than_they_say_are_refused(tmp_path: Path, encoding: str) -> None:
    content = file_of(encoding)
    with pytest.raises(FormatError, match=r"a\.pcd: byte \d+: "):
        read(written(tmp_path, content[:-9]))
    many = content.replace(b"WIDTH 50", b"WIDTH 999999999").replace(b"POINTS 50", b"POINTS 999999999")
    with pytest.raises(FormatError, match=r"999999999 (rows of at least|points take 24999999975)"):
        read(written(tmp_path, many))


def test_packed_points_that_break_off_are_named_with_their_byte(tmp_path: Path) -> None:
    content = packed_file()
    at = len(header(*FIELDS, "binary_compressed")) + 8
    with pytest.raises(FormatError, match=rf"byte {at}: the packed points break off"):
        read(written(tmp_path, content[:at] + b"\xff" + content[at + 1 :]))


@pytest.mark.parametrize("content", [b"# a\r\n" * 800, b" \r\n" * 1300, b"#" * 4000, b"# a\n" * 1000])
def test_comments_without_end_are_looked_at_once(tmp_path: Path, content: bytes) -> None:
    assert pcd.sniff(content, tmp_path) is not None  # some patterns would take years


def test_the_real_file_is_what_numpy_reads(recordings: Path) -> None:
    path = recordings / "pointcloud" / "meshes" / "flower_pot.pcd"
    expected = np.loadtxt(path, skiprows=11).astype(np.float32)
    assert same(read(path), PointCloud(expected, np.empty((2048, 0), np.float32)))
