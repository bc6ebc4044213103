"""What the formats of point clouds share: a table of numbers becomes points, and a table without names is judged.

Coordinates and features of any type become float32, as `PointCloud` has them: doubles, and whole numbers beyond 2^24,
are rounded to the nearest. A point with a coordinate or a feature that is no finite number (as organised clouds mark a
missing return) is dropped and counted in the findings as "not finite"; so is one beyond the range of float32.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import Reading
from neurodata.signals import PointCloud, Signal

# x y z; and intensity; and normals or colours. Poses and inertial sensors have other numbers of columns.
TOLD_BY_COLUMNS = (3, 4, 6)
FEWEST_ROWS = 8


def reading(table: NDArray[Any]) -> Reading:
    """Points from numbers of any type, shape [n, 3 + k]: x, y, z and k features."""
    with np.errstate(over="ignore", invalid="ignore"):
        xyz = table[:, :3].astype(np.float32, order="C")  # [n, 3]
        features = table[:, 3:].astype(np.float32, order="C")  # [n, k]
    if np.isfinite(xyz).all() and np.isfinite(features).all():
        return Reading(PointCloud(xyz, features), Counter())
    is_finite = np.ones(len(table), np.bool_)
    for column in (*xyz.T, *features.T):
        is_finite &= np.isfinite(column)
    n_dropped = len(table) - int(np.count_nonzero(is_finite))
    return Reading(PointCloud(xyz[is_finite], features[is_finite]), Counter({"not finite": n_dropped}))


def table_of(cloud: PointCloud) -> NDArray[np.float32]:
    """Coordinates and features side by side, shape [n, 3 + k]."""
    return np.concatenate([cloud.xyz, cloud.features], axis=1)


def feature_names(n: int) -> list[str]:
    """Names for features that have none."""
    return [f"feature_{k}" for k in range(n)]


def require_cloud(signal: Signal, path: Path) -> PointCloud:
    """The signal, when it is a point cloud."""
    if not isinstance(signal, PointCloud):
        raise FormatError(f"{path}: {type(signal).__name__} is no PointCloud; this format holds nothing else")
    return signal


def require_whole(path: Path, start_us: int | None, stop_us: int | None) -> None:
    """Refuse a slice in time."""
    if (start_us, stop_us) != (None, None):
        raise FormatError(f"{path}: a point cloud has no time to cut: leave start_us and stop_us out")


def require_room(path: Path, at: int, n: int, least_bytes: int, left_bytes: int) -> None:
    """Refuse a declared number of points that the bytes left from byte `at` on cannot hold."""
    if n * least_bytes > left_bytes:
        raise FormatError(
            f"{path}: byte {at}: {left_bytes} bytes are left where {n} rows of at least {least_bytes} are declared; "
            "the file is truncated or damaged: get it again"
        )


def doubt(rows: NDArray[np.float64]) -> str | None:
    """Why the first rows of a table without names, shape [n, columns], may be no points; None: nothing says so.

    Events have whole coordinates, a polarity of two values, and times that rise, as those of trajectories do.
    """
    n_columns = rows.shape[1]
    if n_columns not in TOLD_BY_COLUMNS:
        return f"{n_columns} columns without names; points are told by 3, 4 or 6"
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) == 0:
        return "no row of finite numbers"
    has_fractions = (rows[:, :3] != np.rint(rows[:, :3])).any(axis=0)
    if np.count_nonzero(has_fractions) < 2:
        return "two of the first three columns are whole, as those of events are"
    steps = np.diff(rows[:, 0])
    if (steps >= 0).all() and (steps > 0).any():
        return "the first column only rises, as time does"
    if n_columns == 4 and any(set(column) <= {0, 1} or set(column) <= {-1, 1} for column in rows.T):
        return "one of four columns has the values of a polarity, as that of events has"
    if len(rows) < FEWEST_ROWS:
        return f"{len(rows)} rows without names are too few to tell"
    return None
