"""Frames under an affine map of the pixel grid: nearest pixel or bilinear, zeros from outside.

Maps are inverse, [n, 2, 3] float64: (x, y, 1) of the result to (x, y) of the source, in pixels from the centre of the
grid, x right, y down. They and the nearest pixels are computed in float64 on the processor, so that every device moves
the same pixels.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

Interpolation = Literal["nearest", "bilinear"]
INTERPOLATIONS: tuple[Interpolation, ...] = ("nearest", "bilinear")


def translations(dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps that move what is seen by dx pixels to the right and dy down, [n, 2, 3]."""
    maps = identities(len(dx))
    maps[:, 0, 2], maps[:, 1, 2] = -dx, -dy
    return maps


def rotations(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps that turn what is seen counter-clockwise around the centre, [n, 2, 3]."""
    maps = identities(len(degrees))
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1] = cos, -sin, sin, cos
    return maps


def shears(shear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps that move a row that lies y below the centre by -shear * y to the right, [n, 2, 3]."""
    maps = identities(len(shear))
    maps[:, 0, 1] = shear
    return maps


def identities(n: int) -> NDArray[np.float64]:
    """Maps that change nothing, [n, 2, 3]."""
    return np.tile(np.eye(2, 3), (n, 1, 1))


def warp(frames: Tensor, which: NDArray[np.int64], maps: NDArray[np.float64], interpolation: Interpolation) -> None:
    """Replace frames[b], [T, ..., H, W], for each b in `which` by what its map shows, in place."""
    height, width = frames.shape[-2:]
    for b, map_ in zip(which.tolist(), maps, strict=True):
        if (map_ == np.eye(2, 3)).all():
            continue
        x, y = source_of(map_, height, width)
        if interpolation == "nearest":
            _take(frames[b], nearest(x, y))
        else:
            _sample(frames[b], x, y)


def source_of(map_: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each pixel of the result comes from: x and y, float64 [H, W], pixel (0, 0) being the first."""
    x = np.arange(width) - (width - 1) / 2
    y = np.arange(height)[:, None] - (height - 1) / 2
    source_x = map_[0, 0] * x + map_[0, 1] * y + map_[0, 2] + (width - 1) / 2
    source_y = map_[1, 0] * x + map_[1, 1] * y + map_[1, 2] + (height - 1) / 2
    return source_x, source_y


def nearest(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the pixel that each place lies in, int64 [H, W], counted row by row; -1 outside of the grid."""
    height, width = x.shape
    column, row = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where(inside, row * width + column, -1)


def _take(sample: Tensor, source: NDArray[np.int64]) -> None:
    pixels = sample.view(-1, source.size)  # [T * C, H * W]
    index = torch.from_numpy(source.reshape(-1)).to(sample.device)
    moved = pixels.index_select(1, index.clamp(min=0))
    pixels.copy_(moved.masked_fill_(index < 0, 0))


def _sample(sample: Tensor, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    height, width = x.shape
    # grid_sample counts from -1 to 1 between the outer edges of the grid.
    grid = np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], axis=-1)  # [H, W, 2]
    pixels = sample.view(1, -1, height, width)
    reals = pixels if sample.dtype == torch.float64 else pixels.float()
    places = torch.from_numpy(grid).to(reals.dtype).to(sample.device)[None]
    pixels.copy_(grid_sample(reals, places, mode="bilinear", padding_mode="zeros", align_corners=False))
