"""Prophesee's labels of objects, `*_bbox.npy`: records with a time, a box in pixels, a class and a track.

The time is called `t` and the confidence `class_confidence`; in older files (Gen1) `ts` and `confidence`. Boxes are
rows of BOX_COLUMNS as they are published: some reach out of the frame, or lie beside it, and many are small. What
others do to them before they train or evaluate is here as functions of rows (`clip_boxes`, `filter_boxes`).

Sources: the toolbox of Prophesee's automotive datasets (its record type, and the rename of two fields); Perot et al.,
"Learning to Detect Objects with a 1 Megapixel Event Camera", NeurIPS 2020, and its supplementary material (the filter).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._folder_targets import BOX_COLUMNS as FOLDER_COLUMNS
from neurodata.errors import FormatError
from neurodata.formats import read_npy
from neurodata.signals import Sensor

# The columns that boxes of a folder have, and the track: the same object has one number in all of a recording.
BOX_COLUMNS = (*FOLDER_COLUMNS, "track_id")
BOX_DTYPE = np.dtype(np.float64)  # float32 holds no microsecond after 17 s
# For each column the field that holds it, and what the field is called in older files.
FIELDS = (("t", "ts"), ("x",), ("y",), ("w",), ("h",), ("class_id",), ("class_confidence", "confidence"), ("track_id",))
LONGEST_US = 10**15
T, X, Y, W, H, CLASS = range(6)
# Before that, Prophesee's evaluation asks for nothing.
SKIPPED_US = 500_000
# Recordings are worked through one by one, by a few threads.
FILES_HELD = 8


def read_boxes(path: Path, n_classes: int) -> NDArray[np.float64]:
    """All boxes of a recording, float64 [n, 8], in the order of time; columns as BOX_COLUMNS says. Not to be changed.

    Those of one time stay in the order of the file. `t_us` is of the recording's clock; `x`, `y` are the upper left
    corner, `w` and `h` sizes in pixels; the confidence of a file without one is 1, and the track 0.

    Parameters
    ----------
    path
        An .npy file of records.
    n_classes
        How many classes there are.

    Raises
    ------
    SourceNotFoundError, StorageError
        When the file is missing, or cannot be read.
    FormatError
        When it is damaged, lacks a field, or a box has no place, no time, or a class that there is not.
    """
    try:
        stat = path.stat()
    except OSError:
        return _read(path, n_classes)  # whose error says what is wrong
    return _read(path, n_classes, stat.st_mtime_ns, stat.st_size)


@lru_cache(FILES_HELD)
def _read(path: Path, n_classes: int, *version: int) -> NDArray[np.float64]:
    records = read_npy(path)
    columns = [_column(path, records, names) for names in FIELDS]
    boxes = np.stack(columns, axis=1).reshape(len(columns[0]), len(BOX_COLUMNS))
    _check(path, boxes, n_classes)
    boxes = boxes[np.argsort(boxes[:, T], kind="stable")]
    boxes.flags.writeable = False
    return boxes


def _column(path: Path, records: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.float64]:
    found = next((name for name in names if name in (records.dtype.names or ())), None)
    if found is None and names[0] in ("class_confidence", "track_id"):
        return np.full(len(records), float(names[0] == "class_confidence"), BOX_DTYPE)
    if found is None or records.ndim != 1 or records.dtype[found].kind not in "iuf":
        raise FormatError(
            f"{path}: holds {records.dtype} {list(records.shape)}; expected records of boxes, each with a number "
            f"{' or '.join(names)}, as Prophesee's *_bbox.npy"
        )
    return records[found].astype(BOX_DTYPE)


def _check(path: Path, boxes: NDArray[np.float64], n_classes: int) -> None:
    t, w, h, class_id = boxes[:, T], boxes[:, W], boxes[:, H], boxes[:, CLASS]
    is_sound = np.isfinite(boxes).all(axis=1) & (t >= 0) & (t < LONGEST_US) & (w >= 0) & (h >= 0)
    is_sound &= (t == np.floor(t)) & (class_id >= 0) & (class_id < n_classes) & (class_id == np.floor(class_id))
    if not is_sound.all():
        k = int(np.argmin(is_sound))
        told = ", ".join(f"{name} {value:g}" for name, value in zip(BOX_COLUMNS, boxes[k], strict=True))
        raise FormatError(
            f"{path}: box {k} is {told}; expected numbers, whole microseconds from 0 on, sizes from 0 on and a class "
            f"from 0 to {n_classes - 1}: the file is damaged, or of another dataset"
        )


def between(boxes: NDArray[np.float64], start_us: int, stop_us: int) -> NDArray[np.float64]:
    """A copy of the boxes with start_us <= t < stop_us, of boxes in the order of time."""
    first, last = np.searchsorted(boxes[:, T], [start_us, stop_us])
    return boxes[first:last].copy()


def clip_boxes(boxes: NDArray[np.float64], sensor: Sensor) -> NDArray[np.float64]:
    """What of each box lies in the frame, [m, k]; boxes of which nothing does are left out.

    The frame reaches from 0 to `sensor.width` and `sensor.height`. RVT (Gehrig and Scaramuzza, CVPR 2023) clips to one
    pixel less on the right and below.

    Parameters
    ----------
    boxes
        [n, k], columns as BOX_COLUMNS says.
    sensor
        Its size is the frame's.
    """
    left, right = (np.clip(edge, 0, sensor.width) for edge in (boxes[:, X], boxes[:, X] + boxes[:, W]))
    top, bottom = (np.clip(edge, 0, sensor.height) for edge in (boxes[:, Y], boxes[:, Y] + boxes[:, H]))
    clipped = boxes.copy()
    clipped[:, [X, Y, W, H]] = np.stack([left, top, right - left, bottom - top], axis=1)
    return clipped[(clipped[:, W] > 0) & (clipped[:, H] > 0)]


def filter_boxes(
    boxes: NDArray[np.float64], min_diagonal_px: float, min_side_px: float, skip_us: int = SKIPPED_US
) -> NDArray[np.float64]:
    """The boxes that Prophesee's evaluation counts, [m, k], of what was labelled as of what was found.

    Those after `skip_us` whose diagonal and both sides are as long as is asked for, or longer: 30 and 10 pixels for
    Gen1, 60 and 20 for 1Mpx (supplementary material of Perot et al.; the toolbox once had other numbers).

    Parameters
    ----------
    boxes
        [n, k], columns as BOX_COLUMNS says.
    min_diagonal_px, min_side_px, skip_us
        The limits.
    """
    t, w, h = boxes[:, T], boxes[:, W], boxes[:, H]
    is_long = (w**2 + h**2 >= min_diagonal_px**2) & (w >= min_side_px) & (h >= min_side_px)
    return boxes[is_long & (t > skip_us)]
