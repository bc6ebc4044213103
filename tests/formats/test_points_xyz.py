from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodata.errors import FormatError
from neurodata.formats import detect, points_xyz, read, write
from neurodata.signals import PointCloud
from tests.formats.clouds import cloud, same
from tests.formats.contract import recorded


def written(tmp_path: Path, text: str, name: str = "a.xyz") -> Path:
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def text_of(points: PointCloud, between: str = " ", form: str = "%.9g") -> str:
    table = np.concatenate([points.xyz, points.features], axis=1)
    return "".join(between.join(form % number for number in row) + "\n" for row in table.tolist())


@pytest.mark.parametrize("between", [" ", "\t", ",", ", ", ";"])
@pytest.mark.parametrize("n_features", [0, 1, 3])
def test_rows_of_three_four_and_six_numbers_are_points(tmp_path: Path, between: str, n_features: int) -> None:
    points = cloud(200, n_features)
    path = written(tmp_path, text_of(points, between))
    assert detect(path).name == "points_xyz"
    assert same(read(path), points)
    assert points_xyz.describe(path) == {"features": [f"feature_{k}" for k in range(n_features)]}


def test_numpy_reads_the_same_from_numbers_of_all_lengths(tmp_path: Path) -> None:
    for form in ("%.6f", "%.18e", "%g", "%r", "%.40f"):
        path = written(tmp_path, text_of(cloud(300, 3), form=form))
        found, expected = read(path), np.loadtxt(path).astype(np.float32)
        assert same(found, PointCloud(expected[:, :3].copy(), expected[:, 3:].copy()))


@pytest.mark.parametrize("header", ["nx z Y x", "# nx z Y x", "//nx z Y x", '"nx","z","Y","x"', "NX\tZ\ty\tX"])
def test_a_line_of_names_tells_the_columns(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, f"# made by hand\n\n{header}\n9 3 2 1\n8 6 5 4\n", "a.csv")
    assert detect(path).name == "points_xyz"
    assert read(path).xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert read(path).features.tolist() == [[9], [8]]
    assert points_xyz.describe(path) == {"features": ["nx"]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_first_line_may_count_the_points(tmp_path: Path, end: str) -> None:
    path = written(tmp_path, end.join(["2", "1 2 3 40 255 0 7", "4 5 6 50 0 255 7", ""]), "a.pts")
    assert detect(path).name == "points_xyz"
    assert read(path).xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert points_xyz.describe(path) == {"n_points": 2, "features": [f"feature_{k}" for k in range(4)]}
    for n in (1, 3):
        path.write_text(path.read_text().replace("2", f"{n}", 1))
        with pytest.raises(FormatError, match=rf"byte \d+: the file ends after 2 rows, and its first line says {n}"):
            read(path)
        path.write_text(path.read_text().replace(f"{n}", "2", 1))


def test_a_byte_order_mark_and_comments_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff0.5 1.5 2 # first\n\n# between\n-3 4.5 5\n")
    assert read(path, format="points_xyz").xyz.tolist() == [[0.5, 1.5, 2], [-3, 4.5, 5]]


def test_points_that_are_not_finite_are_dropped_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "0.5 1.5 2\nnan 0 0\n-1e39 0 0\n-3 4.5 5\n")
    found = points_xyz.read(path, None, None)
    assert found.signal.xyz.tolist() == [[0.5, 1.5, 2], [-3, 4.5, 5]]
    assert found.findings == {"not finite": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.5 10 12 1\n0.6 11 13 0\n0.7 1 2 1\n", "columns are whole"),  # t x y p
        ("10 12 0.5 1\n11 13 0.6 0\n", "columns are whole"),  # x y t p
        ("39.5 14.0 126.0\n39.6 15.0 128.0\n", "columns are whole"),  # t x y of POKER-DVS
        ("0.9 10.5 12.5 1\n0.6 11.5 13.5 0\n", "values of a polarity"),  # rectified events, late ones among them
        ("0.5 0.1 0.2 0.3\n0.6 0.2 0.1 0.4\n", "the first column only rises"),
        ("0.9 0.1 0.2 0.3\n0.6 0.2 0.1 0.4\n", "2 rows without names are too few to tell"),
        ("0.5 0.1 0.2 0.3 0.4 0.5 0.6\n0.6 0 0 0 0 0 0\n", "7 columns without names"),  # an inertial sensor
        ("0.9 0.1 0.2 0.3 0.4 0.5 0.6 1\n0.6 0 0 0 0 0 0 1\n", "8 columns without names"),  # a trajectory
    ],
)
def test_text_that_may_be_something_else_is_read_only_where_the_format_is_stated(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = written(tmp_path, text, "a.txt")
    assert reason in str(points_xyz.sniff(text.encode(), path))
    found = read(path, format="points_xyz")
    expected = np.loadtxt(path).astype(np.float32)
    assert np.array_equal(np.concatenate([found.xyz, found.features], axis=1), expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3\nwater\nO 0 0 0\nH 0.75 0 0\nH 0 0.75 0\n", "neither a row of numbers nor names x, y and z: 'water'"),
        ("0.5 1.5\n", "a row of 2 numbers where points have 3"),
        ("0.5 1.5 2\n1 2 3 4\n", "a row of 4 numbers unlike what stands before it"),
        ("x y z nx\n1 2 3\n", "a row of 3 numbers unlike what stands before it"),
        ("x y z x\n1 2 3 4\n", "neither a row of numbers nor names"),
        ("", "no row of numbers"),
        ("0.5\0 1 2\n", "is no text"),
        ("OFF\n1 0 0\n0.5 0.5 1\n", "neither a row of numbers nor names x, y and z: 'OFF'"),
        ("v 0.5 1.5 2\n", "neither a row of numbers"),
    ],
)
def test_other_text_is_refused_in_words(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path, text)
    assert reason in str(points_xyz.sniff(text.encode(), path))
    with pytest.raises(FormatError, match=rf"a\.xyz: byte 0: .*{reason}"):
        points_xyz.read(path, None, None)


def test_a_damaged_row_far_in_is_named_with_its_byte(tmp_path: Path) -> None:
    text = text_of(cloud(5000, 0))
    path = written(tmp_path, text + "1 2 x\n")
    with pytest.raises(FormatError, match=rf"byte {len(text)}: a field is no number: '1 2 x'"):
        read(path)
    path = written(tmp_path, text + "1 2\n")
    with pytest.raises(FormatError, match=rf"byte {len(text)}: the row has not the 3 fields"):
        read(path)


def test_many_short_lines_make_no_large_table(tmp_path: Path) -> None:
    path = written(tmp_path, "x y z " + " ".join(f"f{k}" for k in range(900)) + "\n" + "\n" * 200_000)
    assert len(read(path, format="points_xyz").xyz) == 0
    assert points_xyz._most_rows(np.full(200_000, 10, np.uint8), 903) < 200


def test_text_of_events_stays_events(tmp_path: Path) -> None:
    write(recorded(300), tmp_path / "a.txt", format="csv_events")
    assert detect(tmp_path / "a.txt").name == "csv_events"
    path = written(tmp_path, "t[s] x y p z\n0.5 1 2 1 0.5\n", "a.csv")
    with pytest.raises(FormatError, match=r"can be csv_events .*, points_xyz .*; state which"):
        detect(path)


def test_all_real_text_of_events_stays_events(recordings: Path) -> None:
    files = sorted((recordings / "event").rglob("*.txt"))
    assert len(files) > 50
    for file in files:
        with file.open("rb") as opened:
            assert points_xyz.sniff(opened.read(4096), file) is not None, file
        if file.parent.name != "poker_txt":  # three columns: neither says yes
            assert detect(file).name == "csv_events"


def test_the_real_mesh_as_text_is_told_and_read(recordings: Path, tmp_path: Path) -> None:
    points = read(recordings / "pointcloud" / "meshes" / "bunny.ply")
    xyz = PointCloud(points.xyz, points.features[:, :0].copy())
    path = written(tmp_path, text_of(xyz))
    assert same(read(path), xyz)
