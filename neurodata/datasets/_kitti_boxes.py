"""KITTI's labels of objects as boxes in the coordinates of the laser scanner.

A row of `label_2` says of one object: type, truncated, occluded, alpha, the box in the left colour picture (left, top,
right, bottom in pixels), height, width and length in metres, the middle of its lower face (x, y, z) in rectified camera
coordinates (x right, y down, z forward), and its turn about y (0: length along x). `calib` has the rectification
`R0_rect` [3, 3] and the way from scanner to camera `Tr_velo_to_cam` [3, 4]: p_rect = R0 (Tr [p_velo, 1]).

Source: Geiger et al., "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite", CVPR 2012, and the
readme of its development kit for objects.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import read_lines
from neurodata.errors import FormatError

OBJECTS = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
# A place where objects were not labelled; it has no box in space.
NOT_LABELLED = "DontCare"
BOX_COLUMNS = (
    "class_id", "x_m", "y_m", "z_m", "length_m", "width_m", "height_m", "yaw_rad", "truncated", "occluded",
    "image_height_px",
)  # fmt: skip
N_FIELDS = 15


def read_boxes(labels: Path, calibration: Path) -> NDArray[np.float32]:
    """Boxes of a scan, float32 [n, 11], in the order of the file; columns as BOX_COLUMNS says.

    `class_id` is an index into OBJECTS. x (forward), y (left) and z (up) are the middle of the box in metres from the
    scanner, `yaw_rad` is how far the length is turned about z, from x to y, in (-pi, pi]. Both take into account that
    the camera stands at a slight angle to the scanner, which OpenPCDet and mmdetection3d leave out when they take
    -turn - pi/2, and the middle half a height above the lower face along z (a centimetre or two apart). `truncated` (0
    to 1), `occluded` (0 to 3) and the height in the picture are what KITTI's easy, moderate and hard are made of.
    DontCare is left out.

    Raises
    ------
    SourceNotFoundError
        When a file is missing.
    FormatError
        When it is damaged; names file and line.
    """
    rotation, shift = read_calibration(calibration)
    rows = [row for number, line in enumerate(read_lines(labels), start=1) if (row := _row(labels, number, line))]
    found = np.array([values for _, values in rows], np.float64).reshape(len(rows), N_FIELDS - 1)
    truncated, occluded, _, _, top, _, bottom, height, width, length, x, y, z, turn = found.T
    middle = np.column_stack([x, y - height / 2, z])  # [n, 3], in the camera's coordinates
    ahead = np.column_stack([np.cos(turn), np.zeros(len(turn)), -np.sin(turn)])  # along the length
    xyz = np.linalg.solve(rotation, (middle - shift).T).T
    ahead = np.linalg.solve(rotation, ahead.T).T
    yaw = np.arctan2(ahead[:, 1], ahead[:, 0])
    class_id = [kind for kind, _ in rows]
    columns = [class_id, *xyz.T, length, width, height, yaw, truncated, occluded, bottom - top]
    return np.column_stack(columns).astype(np.float32).reshape(len(rows), len(BOX_COLUMNS))


def read_calibration(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation [3, 3] and shift [3] from the scanner to the rectified camera: p_rect = rotation p_velo + shift.

    Raises
    ------
    SourceNotFoundError, FormatError
        When the file is missing, lacks `R0_rect` or `Tr_velo_to_cam`, or these are no rotations.
    """
    rows = dict(line.split(":", 1) for line in read_lines(path) if ":" in line)
    rectification = _matrix(path, rows, "R0_rect", (3, 3))
    to_camera = _matrix(path, rows, "Tr_velo_to_cam", (3, 4))
    rotation = rectification @ to_camera[:, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise FormatError(f"{path}: R0_rect and Tr_velo_to_cam are no rotations; the file is damaged: get it again")
    return rotation, rectification @ to_camera[:, 3]


def _matrix(path: Path, rows: dict[str, str], name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    numbers = _numbers(rows.get(name, "").split())
    if numbers is None or len(numbers) != shape[0] * shape[1]:
        raise FormatError(
            f"{path}: has no {name} of {shape[0]}x{shape[1]} numbers; expected a calib file of KITTI's objects (those "
            "of its raw drives are of another form)"
        )
    return numbers.reshape(shape)


def _numbers(fields: list[str]) -> NDArray[np.float64] | None:
    """The fields as finite numbers; None where one is none."""
    try:
        found = np.array([float(field) for field in fields])
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _row(path: Path, number: int, line: str) -> tuple[int, NDArray[np.float64]] | None:
    """Class and the numbers after it, [14]; None for an empty line and for what is not labelled."""
    fields = line.split()
    if not fields or fields[0] == NOT_LABELLED:
        return None
    numbers = _numbers(fields[1:])
    if len(fields) != N_FIELDS or numbers is None or fields[0] not in OBJECTS:
        raise FormatError(
            f"{path}: line {number} is {line[:80]!r}; expected {N_FIELDS} fields: one of {', '.join(OBJECTS)}, "
            f"{NOT_LABELLED}, and numbers"
        )
    return OBJECTS.index(fields[0]), numbers
