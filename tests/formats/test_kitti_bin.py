from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import detect, kitti_bin, nmnist, read, write
from neurodata.signals import PointCloud
from tests.formats.clouds import cloud, clouds, same
from tests.formats.contract import recorded


def sniffed(content: bytes, name: str, tmp_path: Path) -> tuple[str | None, str | None]:
    """What kitti_bin and nmnist say to a file."""
    path = tmp_path / name
    path.write_bytes(content)
    return kitti_bin.sniff(content[:4096], path), nmnist.sniff(content[:4096], path)


def test_points_come_back_as_written(tmp_path: Path) -> None:
    @given(clouds(st.just(1)))
    def law(points: PointCloud) -> None:
        write(points, tmp_path / "a.bin", format="kitti_bin")
        assert same(read(tmp_path / "a.bin", format="kitti_bin"), points)

    law()


def test_numpy_reads_the_same(tmp_path: Path) -> None:
    points = cloud(500, 1)
    write(points, tmp_path / "a.bin")
    found = np.fromfile(tmp_path / "a.bin", "<f4").reshape(-1, 4)
    assert np.array_equal(found[:, :3], points.xyz)
    assert np.array_equal(found[:, 3:], points.features)
    assert kitti_bin.describe(tmp_path / "a.bin") == {"n_points": 500, "features": ["intensity"]}


def test_points_that_are_not_finite_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = np.arange(16, dtype="<f4").reshape(4, 4)
    rows[1, 0], rows[2, 3] = np.nan, np.inf
    (tmp_path / "a.bin").write_bytes(rows.tobytes())
    found = kitti_bin.read(tmp_path / "a.bin", None, None)
    assert same(found.signal, PointCloud(rows[[0, 3], :3], rows[[0, 3], 3:]))
    assert found.findings == {"not finite": 2}


def test_a_file_that_ends_within_a_point_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(37))
    for verb in (kitti_bin.describe, lambda path: kitti_bin.read(path, None, None)):
        with pytest.raises(FormatError, match=r"a\.bin: byte 32: 5 bytes are left where a point needs 16"):
            verb(tmp_path / "a.bin")


def test_a_slice_in_time_and_other_features_are_refused(tmp_path: Path) -> None:
    write(cloud(30, 1), tmp_path / "a.bin")
    with pytest.raises(FormatError, match="no time to cut"):
        read(tmp_path / "a.bin", start_us=5)
    with pytest.raises(FormatError, match="3 features a point; KITTI holds one"):
        write(cloud(30, 3), tmp_path / "b.bin")
    with pytest.raises(FormatError, match="EventArray is no PointCloud"):
        registry.formats["kitti_bin"].write(recorded(3), tmp_path / "b.bin")
    assert not (tmp_path / "b.bin").exists()


def test_scans_and_events_without_a_header_are_told_apart(tmp_path: Path) -> None:
    for seed in range(20):
        points = cloud(400, 1, seed)  # 6400 bytes: whole events too
        write(PointCloud(points.xyz * 40, points.features), tmp_path / "a", format="kitti_bin")
        is_scan, is_events = sniffed((tmp_path / "a").read_bytes(), "a.bin", tmp_path)
        assert (is_scan, is_events) != (None, None)
        assert is_scan is None
        write(recorded(1600, seed), tmp_path / "b", format="nmnist")  # 8000 bytes: whole points too
        is_scan, is_events = sniffed((tmp_path / "b").read_bytes(), "b.bin", tmp_path)
        assert is_scan is not None
        assert is_events is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes are not a multiple of 16"),
        (bytes(1600), "all points are the same"),
        (b"one two three fo" * 50, "no coordinates within 1000 m"),
        (b"0123456789 12345" * 50, "below a micrometre"),
        (np.arange(400, dtype="<i4").tobytes(), "below a micrometre"),
        (np.random.default_rng(0).bytes(1600), "no coordinates"),
        (np.random.default_rng(0).standard_normal(400).astype("<f4").tobytes(), "no reflectance"),
        (np.random.default_rng(0).random(76).astype("<f4").tobytes(), "19 points are too few"),
    ],
)
def test_other_bytes_are_no_scan(content: bytes, reason: str, tmp_path: Path) -> None:
    assert reason in str(sniffed(content, "a.dat", tmp_path)[0])


def test_the_real_scan_is_what_numpy_reads(recordings: Path) -> None:
    path = recordings / "pointcloud" / "semantickitti" / "000000.bin"
    assert detect(path).name == "kitti_bin"
    found = read(path)
    expected = np.fromfile(path, "<f4").reshape(-1, 4)
    assert same(found, PointCloud(expected[:, :3], expected[:, 3:]))


def test_every_stretch_of_the_real_scan_is_one_and_no_real_events_are(recordings: Path, tmp_path: Path) -> None:
    scan = (recordings / "pointcloud" / "semantickitti" / "000000.bin").read_bytes()
    for at in range(0, len(scan) - 8000, 16 * 997):
        is_scan, is_events = sniffed(scan[at : at + 8000], "a.bin", tmp_path)
        assert is_scan is None
        assert is_events is not None
    files = sorted((recordings / "n-mnist").rglob("*.bin"))
    assert len(files) == 800
    for file in files:
        content = file.read_bytes()
        is_scan, is_events = sniffed(content[: len(content) // 80 * 80], "a.bin", tmp_path)
        assert is_scan is not None
        assert is_events is None
