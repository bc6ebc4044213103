"""Pictures of another size: bilinear interpolation, with antialiasing where an axis shrinks.

Each new pixel is a mean of old ones under a triangle around its centre, (i + 1/2) * old / new - 1/2, which reaches one
old pixel to each side, or old / new of them where that is more; weights sum to one at the edges too. The same are
`torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=True)` and Pillow's BILINEAR.

A kernel and not a product of matrices, whose library would start threads inside each thread that prepares.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel


def resized(picture: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """The picture [H, W, C], uint8 or float32, as [height, width, C], float32."""
    old_height, old_width, n_channels = picture.shape
    if (height, width) == (old_height, old_width):
        return picture.astype(np.float32)
    out = np.empty((height, width, n_channels), np.float32)
    resize(np.ascontiguousarray(picture), out, *_taps(old_height, height), *_taps(old_width, width))
    return out


def weights(old: int, new: int) -> NDArray[np.float32]:
    """Of each old place in each new one: float32 [new, old], rows sum to one."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis]) / max(scale, 1)  # [new, old]
    triangle = np.maximum(1 - distance, 0)
    result: NDArray[np.float32] = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


@lru_cache(32)
def _taps(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """First old place of each new one [new], and the weights from there on [new, widest]; zero beyond the last."""
    matrix = weights(old, new)
    widest = int((matrix > 0).sum(axis=1).max())
    first = np.minimum((matrix > 0).argmax(axis=1), old - widest)
    return first, np.take_along_axis(matrix, first[:, np.newaxis] + np.arange(widest), axis=1)


@kernel
def resize(
    picture: NDArray[Any],
    out: NDArray[np.float32],
    first_row: NDArray[np.intp],
    row_weights: NDArray[np.float32],
    first_column: NDArray[np.intp],
    column_weights: NDArray[np.float32],
) -> None:
    """The picture [H, W, C] into out [height, width, C]: old rows are mixed first, then the columns of each new row."""
    line: NDArray[Any] = np.empty((picture.shape[1], picture.shape[2]), np.float32)
    for i in range(out.shape[0]):
        line[:] = 0
        for a in range(row_weights.shape[1]):
            weight, old = row_weights[i, a], picture[first_row[i] + a]
            for j in range(line.shape[0]):
                for c in range(line.shape[1]):
                    line[j, c] += weight * np.float32(old[j, c])
        for j in range(out.shape[1]):
            for c in range(out.shape[2]):
                total = np.float32(0)
                for b in range(column_weights.shape[1]):
                    total += column_weights[j, b] * line[first_column[j] + b, c]
                out[i, j, c] = total


def reference(picture: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """What `resize` computes, as two products of matrices."""
    rows, columns = weights(picture.shape[0], height), weights(picture.shape[1], width)
    result: NDArray[np.float32] = np.einsum("ih,jw,hwc->ijc", rows, columns, picture, dtype=np.float32)
    return result
