from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import FormatError
from neurodata.formats import off, read, write
from neurodata.signals import PointCloud
from tests.formats.clouds import cloud, clouds, same

ROWS = "0 1 2.5\n-1 3e1 4\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.off"
    path.write_text(text, newline="")
    return path


HEADERS = [
    "OFF\n2 1 0\n",
    "OFF2 1 0\n",
    "OFF 2 1 0\n",
    "OFF\n2 1\n",
    "# made by hand\nOFF # text\n\n# counts\n2 1 0 # so\n",
    "OFF\r\n2 1 0\r\n",
]


@pytest.mark.parametrize("header", HEADERS)
def test_counts_follow_the_keyword_in_every_form_that_is_met(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, header + "# vertices\n" + ROWS + "\n2 0 1\n")
    assert read(path).xyz.tolist() == [[0, 1, 2.5], [-1, 30, 4]]
    assert off.describe(path) == {"n_points": 2, "n_faces": 1, "features": []}


@pytest.mark.parametrize("keyword", ["OFF", "NOFF", "COFF", "CNOFF", "STOFF", "STCNOFF"])
def test_further_numbers_of_a_vertex_are_features(tmp_path: Path, keyword: str) -> None:
    path = written(tmp_path, f"{keyword}\n2 0 0\n1 2 3 0.5 0.25 1\n4 5 6 1 0 0\n")
    found = read(path)
    assert found.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.features.tolist() == [[0.5, 0.25, 1], [1, 0, 0]]
    assert off.describe(path)["features"] == ["feature_0", "feature_1", "feature_2"]


def test_points_come_back_as_written(tmp_path: Path) -> None:
    @given(clouds(st.just(0)))
    def law(points: PointCloud) -> None:
        write(points, tmp_path / "a.off")
        assert same(read(tmp_path / "a.off"), points)

    law()


def test_features_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="2 features a point; OFF is written without: use ply"):
        write(cloud(3, 2), tmp_path / "a.off")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("OFF BINARY\n2 1 0\n" + ROWS, "byte 0: begins with b'OFF BINARY"),
        ("4OFF\n2 1 0\n" + ROWS, "byte 0: begins with b'4OFF"),
        ("OFF\n2\n" + ROWS, "byte 0: begins with"),
        ("OFF\n3 1 0\n" + ROWS, "byte 27: the file ends after 2 of 3 vertices"),
        ("OFF\n2 1 0\n0 1 2\n3 4\n2 0 1\n", "byte 16: the row has not the 3 fields"),
        ("OFF\n2 1 0\n0 1\n3 4 5\n", "byte 10: 2 numbers where a vertex has at least 3"),
        ("OFF\n2 1 0\n0 1 z\n3 4 5\n", "byte 10: a field is no number: '0 1 z'"),
        ("OFF\n999999999999 1 0\n" + ROWS, "byte 21: 18 bytes are left where 999999999999 rows of at least 6"),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.off: {reason}"):
        off.read(written(tmp_path, text), None, None)


def test_words_that_begin_as_the_keyword_are_not_it(tmp_path: Path) -> None:
    for text in ("OFFICE\n", "OFFSET 3\n", "off\n", "[OFF]"):
        assert off.sniff(text.encode(), tmp_path) is not None


@pytest.mark.parametrize("quirk", [False, True])
def test_real_meshes_are_what_trimesh_reads(recordings: Path, tmp_path: Path, quirk: bool) -> None:
    trimesh = pytest.importorskip("trimesh")
    files = sorted((recordings / "pointcloud").rglob("*.off"))
    assert len(files) == 3
    for file in files:
        path = file
        if quirk:  # as some files of ModelNet40 are
            path = written(tmp_path, file.read_text().replace("OFF\n", "OFF", 1))
        expected = trimesh.load(file, process=False).vertices.astype(np.float32)
        assert same(read(path), PointCloud(expected, np.empty((len(expected), 0), np.float32)))
