from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import FormatError
from neurodata.formats import detect, open_recording, points_npy, read, write
from neurodata.formats._npy import MAGIC
from neurodata.signals import PointCloud
from tests.formats.clouds import cloud, clouds, same


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_points_come_back_as_written(tmp_path: Path, name: str) -> None:
    @given(clouds(st.integers(0, 4)))
    def law(points: PointCloud) -> None:
        write(points, tmp_path / name)
        assert same(read(tmp_path / name, format="points_npy"), points)

    law()


def test_numpy_reads_what_is_written_and_the_bytes_are_always_the_same(tmp_path: Path) -> None:
    points = cloud(300, 3)
    write(points, tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.concatenate([points.xyz, points.features], axis=1))
    write(points, tmp_path / "a.npz")
    write(points, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as found:
        assert np.array_equal(found["xyz"], points.xyz)
        assert np.array_equal(found["features"], points.features)


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
@pytest.mark.parametrize("n_features", [0, 1, 3])
def test_one_array_of_floats_is_points_in_any_order(
    tmp_path: Path, kind: str, order: str, save: object, n_features: int
) -> None:
    points = cloud(1500, n_features)
    table = np.asarray(np.concatenate([points.xyz, points.features], axis=1), kind, order=order)
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, table)
    assert detect(path).name == "points_npy"
    assert same(read(path), PointCloud(table[:, :3].astype(np.float32, "C"), table[:, 3:].astype(np.float32, "C")))
    features = [f"feature_{k}" for k in range(n_features)]
    assert points_npy.describe(path) == {"n_points": 1500, "features": features}


def test_records_with_x_y_z_are_points_and_the_others_are_features(tmp_path: Path) -> None:
    kinds = [("ring", "u1"), ("z", ">f8"), ("x", "f4"), ("t", "i8"), ("y", "i2")]
    records = np.array([(9, 0.25, 1.5, 70, 2), (8, 4.5, 3.0, 80, 5)], kinds)
    np.save(tmp_path / "a.npy", records)
    assert detect(tmp_path / "a.npy").name == "points_npy"
    assert read(tmp_path / "a.npy").xyz.tolist() == [[1.5, 2, 0.25], [3, 5, 4.5]]
    assert read(tmp_path / "a.npy").features.tolist() == [[9, 70], [8, 80]]
    assert points_npy.describe(tmp_path / "a.npy")["features"] == ["ring", "t"]


def test_records_that_are_events_stay_events(tmp_path: Path) -> None:
    records = np.array([(1, 2, 3, 1, 0.5)], [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1"), ("z", "f4")])
    np.save(tmp_path / "a.npy", records)
    assert detect(tmp_path / "a.npy").name == "npz"
    np.savez(tmp_path / "a.npz", t=[1], x=[2], y=[3], p=[1])
    assert detect(tmp_path / "a.npz").name == "npz"


def test_named_arrays_are_points_whatever_their_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", label=3, xyz=np.ones((2, 3), np.int64), features=np.zeros((2, 1)))
    assert detect(tmp_path / "a.npz").name == "points_npy"
    assert same(read(tmp_path / "a.npz"), PointCloud(np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32)))


def rising(table: np.ndarray) -> np.ndarray:
    return table[np.argsort(table[:, 0])]


RANDOM = np.random.default_rng(0).standard_normal((50, 7))
POLARITY = np.arange(50)[:, None] % 2


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.concatenate([RANDOM[:, :3], POLARITY], axis=1), "values of a polarity"),
        (np.concatenate([RANDOM[:, :3], 2.0 * POLARITY - 1], axis=1), "values of a polarity"),
        (np.concatenate([RANDOM[:, :1], np.rint(30 * RANDOM[:, 1:3]), RANDOM[:, :1]], axis=1), "columns are whole"),
        (rising(RANDOM[:, :3]), "the first column only rises, as time does"),
        (np.rint(RANDOM[:, :3]), "columns are whole"),
        (RANDOM, "7 columns without names"),
        (RANDOM[:, :5], "5 columns without names"),
        (RANDOM[:0, :3], "no row of finite numbers"),
        (RANDOM[:, :3] * np.nan, "no row of finite numbers"),
        (np.ones((50, 3), np.int32), "one array of int32, not of floats"),
    ],
)
def test_arrays_that_may_be_something_else_are_read_only_where_the_format_is_stated(
    tmp_path: Path, table: np.ndarray, reason: str
) -> None:
    np.save(tmp_path / "a.npy", table)
    with pytest.raises(FormatError, match=rf"points_npy: .*{reason}.*state format='points_npy'"):
        read(tmp_path / "a.npy")
    found = read(tmp_path / "a.npy", format="points_npy")
    expected = table[np.isfinite(table).all(axis=1)].astype(np.float32)
    assert np.array_equal(np.concatenate([found.xyz, found.features], axis=1), expected)


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": np.zeros((5, 2))},
        {"a": np.zeros((5, 1001))},
        {"a": np.zeros(5)},
        {"a": np.zeros((5, 3, 1))},
        {"a": np.zeros((5, 3)), "b": np.zeros((5, 3))},
        {"xyz": np.zeros((5, 4))},
        {"xyz": np.zeros((5, 3)), "features": np.zeros((4, 1))},
        {"xyz": np.zeros((5, 3)), "features": np.zeros(5)},
        {"a": np.zeros((5, 3), np.complex64)},
        {"a": np.zeros(5, [("x", "f4"), ("y", "f4")])},
        {},
    ],
)
def test_other_layouts_are_refused_in_words(tmp_path: Path, arrays: dict) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FormatError, match=r"a\.npz: byte 0: it holds .*; expected one array of numbers \[n, 3 \+ k\]"):
        read(tmp_path / "a.npz", format="points_npy")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return Path.write_text, (tmp_path / "boom", "boom")

    np.save(tmp_path / "a.npy", np.array([[Bomb()] * 3], object), allow_pickle=True)
    for format in (None, "points_npy"):
        with pytest.raises(FormatError, match=r"arrays of objects \(pickles\) are never read"):
            read(tmp_path / "a.npy", format=format)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("shape", ["(1152921504606846976, 3)", "(0, 1152921504606846976)", "(4294967296, 4294967296)"])
def test_a_huge_declared_shape_is_refused_before_anything_is_allocated(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    body = b"" if shape.startswith("(0") else bytes(12)
    (tmp_path / "a.npy").write_bytes(MAGIC + b"\x01\x00" + len(header).to_bytes(2, "little") + header + body)
    with pytest.raises(FormatError, match="expected what fills them"):
        read(tmp_path / "a.npy", format="points_npy")


def test_points_that_are_not_finite_are_dropped_and_counted(tmp_path: Path) -> None:
    table = np.arange(24.0).reshape(4, 6) / 4
    table[1, 0], table[2, 5] = np.nan, 1e39
    np.save(tmp_path / "a.npy", table)
    found = points_npy.read(tmp_path / "a.npy", None, None)
    assert found.signal.xyz.tolist() == table[[0, 3], :3].tolist()
    assert found.findings == {"not finite": 2}


def test_real_events_without_names_are_not_taken_for_points(recordings: Path, tmp_path: Path) -> None:
    path = recordings / "event" / "eth_npy" / "shapes_rotation_events.npy"
    with pytest.raises(FormatError, match="points_npy: the first column only rises, as time does"):
        open_recording(path)
    moved = tmp_path / "a.npy"
    np.save(moved, np.load(path)[:, [1, 2, 0, 3]])  # x y t p; x and y are rectified, no whole numbers
    assert "values of a polarity" in str(points_npy.sniff(moved.read_bytes()[:4096], moved))


def test_the_real_scan_is_told_by_its_numbers(recordings: Path, tmp_path: Path) -> None:
    points = read(recordings / "pointcloud" / "semantickitti" / "000000.bin")
    write(points, tmp_path / "a.npy")
    assert detect(tmp_path / "a.npy").name == "points_npy"
    assert same(read(tmp_path / "a.npy"), points)
