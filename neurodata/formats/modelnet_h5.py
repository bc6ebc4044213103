"""HDF5 of point clouds as in modelnet40_ply_hdf5_2048: as many points for every sample, and its class.

Datasets: `data` float32 [n, points, 3] (2048 points on the surface of each model, inside the unit sphere), `label`
[n, 1] or [n]; `normal` [n, points, 3], where there is one, is the features. Other datasets (`faceId`, from which face
a point was drawn) are not read. The names of the classes are in another file (shape_names.txt) and are here the
indices as text; nor does the file name its samples: their keys are their numbers. ScanObjectNN has the same layout.

Source: Qi et al., "PointNet", CVPR 2017, whose code brought the files. Names and shapes from memory; a file of our own
is what the tests read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._cloud import reading, require_cloud
from neurodata.formats._contract import CollectionFormat, Entry, Reading
from neurodata.formats._file import RecordingFile
from neurodata.formats._hdf5 import MAGIC, damage_named, library, opened, require_stored, sound_dataset
from neurodata.signals import PointCloud, Sensor
from neurodata.storage import writing

POINTS, LABELS, NORMALS = "data", "label", "normal"
LARGEST_LABEL = 65_535
BLOCK_BYTES = 1 << 23
LARGEST_SAMPLE_BYTES = 1 << 30


def sniff(head: bytes, path: Path) -> str | None:
    """None for HDF5 with datasets data [n, points, 3] and label."""
    if not head.startswith(MAGIC):
        return "does not begin as HDF5"
    try:
        with opened(path) as file, damage_named(path):
            h5py = library(path)
            points, label = file.get(POINTS), file.get(LABELS)
            is_cloud = isinstance(points, h5py.Dataset) and len(points.shape or ()) == 3 and points.shape[2] == 3
            is_cloud = is_cloud and isinstance(label, h5py.Dataset)
    except (FormatError, ImportError) as error:
        return str(error).removeprefix(f"{path}: ")
    return None if is_cloud else "has no datasets data [n, points, 3] and label"


def open_file(path: Path, sensor: Sensor | None = None) -> Clouds:
    """The samples of a file; their labels are read now.

    Raises
    ------
    FormatError
        When the file is damaged or of another layout, or a sensor is stated: points have none.
    """
    if sensor is not None:
        raise FormatError(f"{path}: point clouds have no sensor: leave sensor= out")
    with RecordingFile(path) as raw:
        fingerprint = raw.fingerprint
    with opened(path, fingerprint) as file, damage_named(path):
        datasets = _datasets(path, file)
        labels = _labels(path, datasets[LABELS])
    return Clouds(path, "modelnet_h5", labels, fingerprint)


def _datasets(path: Path, file: Any) -> dict[str, Any]:
    datasets = {POINTS: sound_dataset(path, file, POINTS, (3,)), LABELS: sound_dataset(path, file, LABELS, (1, 2))}
    if NORMALS in file:
        datasets[NORMALS] = sound_dataset(path, file, NORMALS, (3,))
    n, n_points, _ = shape = datasets[POINTS].shape
    for name in datasets.keys() - {LABELS}:
        found = datasets[name]
        if found.shape != shape or shape[2] != 3 or found.dtype.kind != "f":
            raise FormatError(
                f"{path}: {name} holds {found.dtype} {found.shape}; expected floats [n, points, 3], all of one shape"
            )
    label = datasets[LABELS]
    if label.shape not in ((n,), (n, 1)) or label.dtype.kind not in "iu":
        raise FormatError(f"{path}: label holds {label.dtype} {label.shape}; expected whole numbers [{n}] or [{n}, 1]")
    require_stored(path, datasets)
    if n_points * 3 * datasets[POINTS].dtype.itemsize > LARGEST_SAMPLE_BYTES:
        raise FormatError(f"{path}: data has {n_points} points a sample; the file is damaged")
    return datasets


def _labels(path: Path, dataset: Any) -> NDArray[np.int64]:
    labels = dataset[()].reshape(-1)
    if len(labels) and not (labels.min() >= 0 and labels.max() <= LARGEST_LABEL):
        raise FormatError(
            f"{path}: labels reach from {labels.min()} to {labels.max()}; expected 0 to "
            f"{LARGEST_LABEL}: the file is damaged"
        )
    found: NDArray[np.int64] = labels.astype(np.int64)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Clouds:
    """A `Collection` of point clouds."""

    path: Path
    format: str
    labels: NDArray[np.int64]
    fingerprint: tuple[int, int]

    @property
    def keys(self) -> tuple[str, ...]:
        """The numbers of the samples as text."""
        return tuple(map(str, range(len(self.labels))))

    @property
    def classes(self) -> tuple[str, ...]:
        """The indices as text, up to the largest one of this file."""
        return tuple(map(str, range(int(self.labels.max(initial=-1)) + 1)))

    @property
    def groups(self) -> None:
        """The file tells none."""
        return None

    @property
    def sensor(self) -> None:
        """Points have none."""
        return None

    def read(self, k: int) -> Reading:
        """Sample k; `findings` counts points "not finite", which are left out."""
        if not 0 <= k < len(self.labels):
            raise IndexError(f"{self.path}: no sample {k}; there are {len(self.labels)}, numbered from 0")
        return next(self.readings(k, k + 1))

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Samples first to stop - 1 in turn, read in blocks of 8 MB."""
        stop = len(self.labels) if stop is None else min(stop, len(self.labels))
        with opened(self.path, self.fingerprint) as file:
            with damage_named(self.path):
                found = _datasets(self.path, file)
                tables = [found[name] for name in (POINTS, NORMALS) if name in found]
                _, n_points, _ = tables[0].shape
                sample_bytes = sum(3 * n_points * dataset.dtype.itemsize for dataset in tables)
            n_block = max(1, BLOCK_BYTES // max(1, sample_bytes))
            for at in range(first, stop, n_block):
                with damage_named(self.path):
                    parts = [dataset[at : min(at + n_block, stop)] for dataset in tables]
                block = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)  # [samples, points, 3 or 6]
                yield from map(reading, block)


def write_file(entries: Iterable[Entry], path: Path) -> None:
    """The datasets data float32 [n, points, 3], label [n, 1] (uint8 where it fits), and normal for three features.

    Groups are not kept: the layout has no place for them.

    Raises
    ------
    FormatError
        When samples have different numbers of points or features, features are neither none nor three, or a
        label is not 0 to 65535.
    """
    held = list(entries)
    clouds = [require_cloud(entry.signal, path) for entry in held]
    labels = np.array([entry.label for entry in held], np.int64)
    shapes = {(len(cloud.xyz), cloud.features.shape[1]) for cloud in clouds}
    n_points, n_features = shapes.pop() if shapes else (0, 0)
    if shapes or n_features not in (0, 3):
        raise FormatError(
            f"{path}: samples have different shapes, or {n_features} features; expected as many points in each, with "
            "no features or with normals: sample them first"
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() <= LARGEST_LABEL):
        raise FormatError(f"{path}: labels reach from {labels.min()} to {labels.max()}; expected 0 to {LARGEST_LABEL}")
    width = np.uint8 if labels.max(initial=0) <= 255 else np.uint16
    with writing(path) as file, library(path).File(file, "w") as out:
        out[POINTS] = np.array([cloud.xyz for cloud in clouds], np.float32).reshape(-1, n_points, 3)
        out[LABELS] = labels.astype(width).reshape(-1, 1)
        if n_features:
            out[NORMALS] = np.array([cloud.features for cloud in clouds], np.float32)


FORMAT = CollectionFormat(
    name="modelnet_h5",
    version=1,
    title="HDF5 of point clouds: ModelNet40 as 2048 points, with labels",
    extensions=(".h5", ".hdf5"),
    sniff=sniff,
    gives=PointCloud,
    open=open_file,
    write=write_file,
)
