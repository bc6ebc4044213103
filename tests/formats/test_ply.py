from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import FormatError
from neurodata.formats import _ply_lists, ply, read, write
from neurodata.signals import PointCloud
from tests.formats.clouds import cloud, clouds, same

TYPES = {  # name of the type: struct's code
    **dict(zip(["char", "uchar", "short", "ushort", "int", "uint", "float", "double"], "bBhHiIfd", strict=True)),
    **dict(zip(["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"], "bBhHiIfd", strict=True)),
}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
Element = tuple[str, list[str], list[list]]  # name, properties as in the header, rows of numbers and lists


def file_of(encoding: str, elements: list[Element], end: str = "\n") -> bytes:
    """A PLY file, written value by value."""
    header = ["ply", f"format {encoding} 1.0", "comment element vertex 9"]
    body = b""
    for name, properties, found in elements:
        header += [f"element {name} {len(found)}", *(f"property {what}" for what in properties)]
        for row in found:
            fields = []
            for what, value in zip(properties, row, strict=True):
                *_, kind, _ = words = what.split()
                if words[0] == "list":
                    fields += [(words[1], len(value)), *((kind, item) for item in value)]
                else:
                    fields.append((kind, value))
            if encoding == "ascii":
                body += (" ".join(repr(value) for _, value in fields) + end).encode()
            else:
                body += b"".join(struct.pack(ORDERS[encoding] + TYPES[kind], value) for kind, value in fields)
    return "".join(line + end for line in [*header, "end_header"]).encode() + body


FACES: Element = ("face", ["list uchar int vertex_indices", "uchar flag"], [[[0, 1, 2], 7], [[], 8], [[3, 2, 1, 0], 9]])
EDGES: Element = ("edge", ["int a", "int b"], [[0, 1], [1, 2]])


def bare(xyz: object) -> PointCloud:
    """Points without features."""
    points = np.array(xyz, np.float32)
    return PointCloud(points, np.empty((len(points), 0), np.float32))


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "a.ply"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ORDERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("order", list(itertools.permutations("FEV")))
def test_vertices_are_found_wherever_they_stand(tmp_path: Path, encoding: str, end: str, order: tuple) -> None:
    points = [[1.5, -2.25, 3], [0.5, 1e300, 4], [1.0, 2.0, 5]]
    vertices: Element = ("vertex", ["float x", "double y", "short z"], points)
    elements = {"F": FACES, "E": EDGES, "V": vertices}
    path = written(tmp_path, file_of(encoding, [elements[name] for name in order], end))
    found = ply.read(path, None, None)
    assert same(found.signal, bare([points[0], points[2]]))
    assert found.findings == {"not finite": 1}  # 1e300 is beyond float32
    assert ply.describe(path) == {"n_points": 3, "features": [], "encoding": encoding}


@pytest.mark.parametrize("encoding", ORDERS)
def test_features_are_all_other_numbers_in_the_order_of_the_file(tmp_path: Path, encoding: str) -> None:
    properties = ["uchar red", "float z", "list ushort double skipped", "int8 q", "float32 x", "float64 nx", "uint32 y"]
    rows = [[255, 3.0, [1.0, 2.0], -128, 1.0, 0.5, 2], [7, 6.0, [], 127, 4.0, 0.25, 16777216]]
    path = written(tmp_path, file_of(encoding, [FACES, ("vertex", properties, rows), FACES]))
    found = read(path)
    assert ply.describe(path)["features"] == ["red", "q", "nx"]
    assert found.xyz.tolist() == [[1, 2, 3], [4, 16777216, 6]]
    assert found.features.tolist() == [[255, -128, 0.5], [7, 127, 0.25]]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("encoding", ORDERS)
def test_every_type_is_read(tmp_path: Path, kind: str, encoding: str) -> None:
    code = TYPES[kind]
    is_float = code in "fd"
    extremes = [-2.5, 1e30] if is_float else [int(np.iinfo(code).min), int(np.iinfo(code).max)]
    properties, points = [f"{kind} x", f"{kind} y", "float z"], [[extreme, 1, 0.0] for extreme in extremes]
    if not is_float:
        properties.append(f"list {kind} uchar many")
        points = [[*points[0], [1, 2, 3]], [*points[1], []]]
    found = read(written(tmp_path, file_of(encoding, [("vertex", properties, points)])))
    assert np.array_equal(found.xyz[:, 0], np.array(extremes, code).astype(np.float32))


def test_points_come_back_as_written(tmp_path: Path) -> None:
    @given(clouds(st.integers(0, 4)))
    def law(points: PointCloud) -> None:
        write(points, tmp_path / "a.ply")
        assert same(read(tmp_path / "a.ply"), points)

    law()


@given(st.lists(st.tuples(st.lists(st.integers(0, 255), max_size=5), st.integers(0, 255)), max_size=6), st.booleans())
def test_the_walk_over_lists_is_the_reference(elements: list[tuple[list[int], int]], is_big: bool) -> None:
    order = "big" if is_big else "little"
    found = (len(many).to_bytes(2, order) + bytes(many) + bytes([one] * 3) for many, one in elements)
    raw = b"??" + b"".join(found) + b"!"
    plan = np.array([[1, 2, 0], [3, 0, 0]])
    scalars = np.empty((len(elements), 3), np.uint8)
    end, damage = _ply_lists.walk(np.frombuffer(raw, np.uint8), 2, len(elements), plan, is_big, scalars)
    assert (end, scalars.tobytes()) == _ply_lists.reference(raw, 2, len(elements), plan, is_big)
    assert (end, damage) == (len(raw) - 1, 0)


@pytest.mark.parametrize("name", ["golden", "written", *ORDERS])
def test_trimesh_reads_the_same(tmp_path: Path, name: str) -> None:
    trimesh = pytest.importorskip("trimesh")
    from tests.golden import ply as golden

    faces: Element = ("face", ["list uchar int vertex_indices"], [[[0, 1, 2]], [[3, 2, 1]]])
    if name == "golden":
        # trimesh takes no lists in vertices: the same file without them.
        rows = [[z, x, 128 * y] for x, y, z in golden.golden_points(100, 3, 60)]
        content = file_of("binary_big_endian", [("vertex", ["double z", "float x", "float y"], rows), faces])
        assert same(read(written(tmp_path, content)), bare(read_golden(tmp_path).xyz))
    elif name == "written":
        write(cloud(50, 2), tmp_path / "a.ply")
        content = (tmp_path / "a.ply").read_bytes()
    else:
        rows = [[*map(float, row), 1, 2, 3] for row in cloud(50, 0).xyz]
        properties = ["float x", "float y", "float z", "uchar red", "uchar green", "uchar blue"]
        content = file_of(name, [("vertex", properties, rows), faces])
    path = written(tmp_path, content)
    expected = trimesh.load(path, process=False).vertices
    assert np.array_equal(read(path).xyz, np.asarray(expected, np.float32))


def read_golden(tmp_path: Path) -> PointCloud:
    from tests.golden import ply as golden

    found = read(written(tmp_path, golden.content()))
    assert isinstance(found, PointCloud)
    assert found.features[:, 0].tolist() == list(range(100))
    return found


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("format ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n", "vertices have x, y; expected"),
        ("format ascii 2.0\n", "byte 4: a header line that PLY 1.0 does not have: 'format ascii 2.0'"),
        ("element vertex 1\nproperty float x\n", "the format 'missing'"),
        ("format ascii 1.0\nelement face 1\n", "elements face; expected a format and one element vertex"),
        ("format ascii 1.0\nelement vertex -1\n", "does not have: 'element vertex -1'"),
        ("format ascii 1.0\nelement vertex 1\nproperty half x\n", "does not have: 'property half x'"),
        ("format ascii 1.0\nelement vertex 1\nproperty list float int x\n", "does not have: 'property list float"),
        ("format ascii 1.0\nproperty float x\n", "does not have: 'property float x'"),
        ("format ascii 1.0\nelement vertex 1\n" + "property float x\n" * 2, "vertices have x, x;"),
    ],
)
def test_a_header_of_another_kind_is_refused(tmp_path: Path, header: str, reason: str) -> None:
    path = written(tmp_path, f"ply\n{header}end_header\n".encode())
    with pytest.raises(FormatError, match=rf"a\.ply: .*{reason}"):
        read(path)
    with pytest.raises(FormatError, match=reason):
        ply.describe(path)


@pytest.mark.parametrize("encoding", ORDERS)
@pytest.mark.parametrize("name", ["vertex", "face"])
def test_a_huge_count_is_refused_before_anything_is_allocated(tmp_path: Path, encoding: str, name: str) -> None:
    content = file_of(encoding, [FACES, ("vertex", ["float x", "float y", "float z"], [[1.0, 2.0, 3.0]])])
    before = b"element vertex 1\n" if name == "vertex" else b"element face 3\n"
    content = content.replace(before, b"element %s 999999999999999\n" % name.encode())
    with pytest.raises(FormatError, match=r"999999999999999 (rows of at least|elements face)"):
        read(written(tmp_path, content))


def test_damage_is_named_with_its_byte(tmp_path: Path) -> None:
    vertex: Element = ("vertex", ["float x", "float y", "float z", "list char int many"], [[1.0, 2.0, 3.0, [4]]] * 2)
    text = file_of("ascii", [vertex])
    with pytest.raises(FormatError, match=rf"byte {len(text) - 16}: a field is no number: '1.0 2.O 3.0 1 4'"):
        read(written(tmp_path, text[:-16] + b"1.0 2.O 3.0 1 4\n"))
    with pytest.raises(FormatError, match=rf"byte {len(text) - 16}: the file ends after 1 of 2 elements vertex"):
        read(written(tmp_path, text[:-16]))
    binary = file_of("binary_little_endian", [vertex])
    at = len(binary) - 17
    with pytest.raises(FormatError, match=rf"byte {at}: an element vertex: it ends within"):
        read(written(tmp_path, binary[:-1]))
    with pytest.raises(FormatError, match=rf"byte {at}: an element vertex: a list of negative length"):
        read(written(tmp_path, binary[: at + 12] + b"\xff" + binary[at + 13 :]))
    with pytest.raises(FormatError, match="no line end_header"):
        read(written(tmp_path, b"ply\nformat ascii 1.0\n"))


def test_the_real_mesh_is_what_trimesh_and_numpy_read(recordings: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = recordings / "pointcloud" / "meshes" / "bunny.ply"
    found = read(path)
    assert np.array_equal(found.xyz, trimesh.load(path, process=False).vertices.astype(np.float32))
    lines = path.read_text().split("\n")
    first = lines.index("end_header") + 1
    assert np.array_equal(found.features, np.loadtxt(lines[first : first + len(found.xyz)])[:, 3:].astype(np.float32))
    assert ply.describe(path) == {"n_points": 8171, "features": ["confidence", "intensity"], "encoding": "ascii"}
