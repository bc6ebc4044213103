"""KITTI .bin: scans of a laser scanner, four little-endian float32 a point, without a header.

A point is x (forward), y (left), z (up), all in metres from the scanner, and the reflectance, 0 to 1 in KITTI, the
only feature. SemanticKITTI keeps its scans in the same form; its .label files (uint32 a point, in a folder beside)
are labels of points and are not read here. nuScenes' .pcd.bin has five numbers a point and is not read.

Source: Geiger et al., "Vision meets robotics: the KITTI dataset", IJRR 32(11), 2013, and its development kit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurodata.errors import FormatError
from neurodata.formats._cloud import reading, require_cloud, require_whole, table_of
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.signals import PointCloud, Signal
from neurodata.storage import writing

POINT = np.dtype("<f4")
POINT_BYTES = 4 * POINT.itemsize
EXTENSION = ".bin"
FEATURES = ["intensity"]

# What a scan can hold; bytes of other meaning, taken as floats, are of any size.
FARTHEST_M = 1000.0
NEAREST_M = 1e-6
BRIGHTEST = 255.0  # scanners that do not scale
FEWEST_POINTS = 20


def sniff(head: bytes, path: Path) -> str | None:
    """None for numbers that make sense as a scan: finite, within 1000 m, hardly any below 1 um, reflectances 0 to 255.

    A headerless file of a few points proves nothing; there the extension decides.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0 or size_bytes % POINT_BYTES:
        return f"{size_bytes} bytes are not a multiple of {POINT_BYTES}, from {POINT_BYTES} on"
    points = np.frombuffer(head, POINT, len(head) // POINT_BYTES * 4).reshape(-1, 4)  # [n, 4]
    if len(points) < FEWEST_POINTS and path.suffix.lower() != EXTENSION:
        return f"{len(points)} points are too few to tell without the extension {EXTENSION}"
    size = np.abs(points)
    if not (size[:, :3] <= FARTHEST_M).all():
        return f"numbers that are no coordinates within {FARTHEST_M:.0f} m"
    if not ((points[:, 3] >= 0) & (points[:, 3] <= BRIGHTEST)).all():
        return f"every fourth number is no reflectance from 0 to {BRIGHTEST:.0f}"
    if np.count_nonzero((size > 0) & (size < NEAREST_M)) > 0.01 * size.size:
        return "more than one number of a hundred is below a micrometre"
    if len(points) > 1 and (points == points[0]).all():
        return "all points are the same"
    has_fractions = (points[:, :3] != np.rint(points[:, :3])).any(axis=0)
    if len(points) >= FEWEST_POINTS and np.count_nonzero(has_fractions) < 2:
        return "two of the first three columns are whole, as those of events are"
    return None


def describe(path: Path) -> dict[str, object]:
    """n_points, and the name of the feature."""
    with RecordingFile(path) as file:
        return {"n_points": _n_points(file), "features": FEATURES}


def read(path: Path, start_us: int | None, stop_us: int | None) -> Reading:
    """Points [n, 3] in metres and reflectance [n, 1]. `findings` counts those "not finite", which are left out.

    Raises
    ------
    FormatError
        When the length of the file is not a multiple of 16.
    """
    require_whole(path, start_us, stop_us)
    with RecordingFile(path) as file:
        n = _n_points(file)
        raw = file.read_into(np.empty(n * POINT_BYTES, np.uint8), 0)
    return reading(raw.view(POINT).reshape(n, 4))


def _n_points(file: RecordingFile) -> int:
    n, n_left = divmod(file.size_bytes, POINT_BYTES)
    if n_left:
        raise FormatError(
            f"{file.path}: byte {n * POINT_BYTES}: {n_left} bytes are left where a point needs {POINT_BYTES}; "
            "the file is truncated or of another format: get it again"
        )
    return n


def write_file(signal: Signal, path: Path) -> None:
    """All points with their one feature.

    Raises
    ------
    FormatError
        When there is not exactly one feature.
    """
    cloud = require_cloud(signal, path)
    if cloud.features.shape[1] != 1:
        raise FormatError(f"{path}: {cloud.features.shape[1]} features a point; KITTI holds one, the reflectance")
    with writing(path) as file:
        file.write(table_of(cloud).astype(POINT, copy=False).tobytes())


FORMAT = SignalFormat(
    name="kitti_bin",
    version=1,
    title="KITTI .bin: scans of KITTI and SemanticKITTI, x y z reflectance",
    extensions=(EXTENSION,),
    sniff=sniff,
    gives=PointCloud,
    describe=describe,
    read=read,
    write=write_file,
)
