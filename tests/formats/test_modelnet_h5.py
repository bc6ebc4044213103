from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Entry, detect, modelnet_h5, open_collection, read
from neurodata.signals import PointCloud, Sensor
from tests.formats.clouds import cloud, same
from tests.formats.contract import recorded

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")


def written(tmp_path: Path, **datasets: object) -> Path:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def entries(n: int, n_features: int) -> list[Entry]:
    return [Entry(cloud(30, n_features, seed), 7 * seed % 40) for seed in range(n)]


@pytest.mark.parametrize("n_features", [0, 3])
@pytest.mark.parametrize("block_bytes", [1, 1500, 1 << 23])
def test_samples_come_back_as_written(
    tmp_path: Path, n_features: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelnet_h5, "BLOCK_BYTES", block_bytes)
    held = entries(11, n_features)
    registry.formats["modelnet_h5"].write(iter(held), tmp_path / "a.h5")
    collection = open_collection(tmp_path / "a.h5")
    assert collection.format == "modelnet_h5"
    assert collection.labels is not None
    assert collection.labels.tolist() == [entry.label for entry in held]
    assert collection.keys == tuple(str(k) for k in range(11))
    assert collection.classes == tuple(str(k) for k in range(max(entry.label for entry in held) + 1))
    assert collection.groups is None
    for reading, entry in zip(collection.readings(), held, strict=True):
        assert same(reading.signal, entry.signal)
    assert same(read(tmp_path / "a.h5", item=3), held[3].signal)


def test_h5py_reads_what_is_written_and_the_bytes_are_always_the_same(tmp_path: Path) -> None:
    held = entries(4, 3)
    for name in ("a.h5", "b.h5"):
        registry.formats["modelnet_h5"].write(held, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file["data"].dtype, file["data"].shape) == (np.float32, (4, 30, 3))
        assert (file["label"].dtype, file["label"].shape) == (np.uint8, (4, 1))
        assert np.array_equal(file["normal"][2], held[2].signal.features)


@pytest.mark.parametrize("label_axes", [1, 2])
@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f4"])
def test_the_published_layout_is_read_packed_or_not(tmp_path: Path, label_axes: int, kind: object) -> None:
    rng = np.random.default_rng(0)
    data, normal = rng.random((5, 64, 3)).astype(kind), rng.random((5, 64, 3)).astype(kind)
    label = rng.integers(0, 40, (5, 1)).astype(np.uint8)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, compression="gzip", chunks=(2, 64, 3))
        file.create_dataset("normal", data=normal)
        file["label"] = label if label_axes == 2 else label[:, 0]
        file["faceId"] = np.zeros((5, 64), np.int32)
    assert detect(path).name == "modelnet_h5"
    for k, reading in enumerate(open_collection(path).readings()):
        assert same(reading.signal, PointCloud(data[k].astype(np.float32), normal[k].astype(np.float32)))
        assert not reading.findings


def test_points_that_are_not_finite_are_dropped_and_counted(tmp_path: Path) -> None:
    data = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    data[1, 2, 0] = np.nan
    collection = open_collection(written(tmp_path, data=data, label=[0, 1]))
    assert [reading.findings for reading in collection.readings()] == [{}, {"not finite": 1}]
    assert collection.read(1).signal.xyz.tolist() == data[1, [0, 1, 3]].tolist()


POINTS = np.zeros((2, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("datasets", "reason"),
    [
        ({"data": POINTS[:, :, :2], "label": [0, 1]}, r"data holds float32 \(2, 4, 2\); expected floats"),
        ({"data": POINTS.astype(np.int32), "label": [0, 1]}, "data holds int32"),
        ({"data": POINTS[0], "label": [0, 1]}, "data is no dataset of three axes"),
        ({"data": POINTS, "label": [0, 1, 2]}, r"label holds int64 \(3,\); expected whole numbers \[2\]"),
        ({"data": POINTS, "label": [0.0, 1.0]}, "label holds float64"),
        ({"data": POINTS, "label": [[0, 1], [1, 2]]}, r"label holds int64 \(2, 2\)"),
        ({"data": POINTS, "label": [0, -1]}, "labels reach from -1 to 0; expected 0 to 65535"),
        ({"data": POINTS, "label": [0, 2**40]}, "labels reach from 0 to 1099511627776"),
        ({"data": POINTS, "label": [0, 1], "normal": POINTS[:1]}, r"normal holds float32 \(1, 4, 3\)"),
        ({"label": [0, 1]}, "data is no dataset of three axes"),
    ],
)
def test_other_layouts_are_refused_in_words(tmp_path: Path, datasets: dict, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.h5: {reason}"):
        open_collection(written(tmp_path, **datasets), format="modelnet_h5")


def test_a_huge_declared_size_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (1 << 40, 2048, 3), np.float32, chunks=(1, 2048, 3))
        file.create_dataset("label", (1 << 40, 1), np.uint8, chunks=(1024, 1))
    with pytest.raises(FormatError, match="made to fill memory"):
        open_collection(tmp_path / "a.h5")


def test_a_sensor_is_refused_and_a_changed_file_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path, data=POINTS, label=[0, 1])
    with pytest.raises(FormatError, match="point clouds have no sensor"):
        open_collection(path, sensor=Sensor(3, 3))
    collection = open_collection(path)
    written(tmp_path, data=POINTS[:1], label=[0])
    with pytest.raises(FormatError, match="changed while it was being read"):
        collection.read(0)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ([Entry(cloud(5, 0), 0), Entry(cloud(6, 0), 0)], "samples have different shapes"),
        ([Entry(cloud(5, 2), 0)], "2 features"),
        ([Entry(cloud(5, 0), -1)], "labels reach from -1"),
        ([Entry(recorded(5), 0)], "EventArray is no PointCloud"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, held: list, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        registry.formats["modelnet_h5"].write(held, tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()
