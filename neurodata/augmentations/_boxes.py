"""Squares of the pixel grid set to zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._draws import between, integers


def inner_squares(
    u: NDArray[np.float64], height: int, width: int, min_area: float, max_area: float
) -> NDArray[np.int64]:
    """Squares that lie on the grid whole: (top, left, bottom, right), int64 [n, 4], from three numbers u [n, 3] each.

    Their area is drawn as a part of the grid's, their side rounded, and at most the grid's shorter side.
    """
    side = np.round(np.sqrt(between(u[:, 0], min_area, max_area) * height * width)).astype(np.int64)
    side = np.minimum(side, min(height, width))
    top, left = integers(u[:, 1], 0, height - side), integers(u[:, 2], 0, width - side)
    return np.stack([top, left, top + side, left + side], axis=1)


def centred_boxes(
    u: NDArray[np.float64], height: int, width: int, box_height: NDArray[np.int64], box_width: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Boxes around a pixel drawn from all, cut off at the grid's edges: (top, left, bottom, right), int64 [n, 4]."""
    top = integers(u[:, 0], 0, height - 1) - box_height // 2
    left = integers(u[:, 1], 0, width - 1) - box_width // 2
    boxes = np.stack([top, left, top + box_height, left + box_width], axis=1)
    return np.clip(boxes, 0, [height, width, height, width])


def erase(frames: Tensor, which: NDArray[np.int64], boxes: NDArray[np.int64]) -> None:
    """Set each box of frames[b] to zero, in place; boxes[k] is that of which[k]."""
    for b, (top, left, bottom, right) in zip(which.tolist(), boxes.tolist(), strict=True):
        frames[b, ..., top:bottom, left:right] = 0
