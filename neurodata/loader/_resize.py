"""Frames of another size: bilinear interpolation as torch defines it, in the thread that asks for it.

torch's own function starts threads of its own inside each thread of a loader, where they stand in each other's way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from neurodata.kernel import kernel


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """Which places of an axis make up each new one.

    Parameters
    ----------
    weights
        Of the old places, [new, widest]; those beyond `count` are zero.
    first, count
        The first old place and how many, intp [new].
    """

    weights: NDArray[Any]
    first: NDArray[np.intp]
    count: NDArray[np.intp]


def resized(frames: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Frames [T, C, H, W], float32 or float64, as a new array [T, C, height, width].

    `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`, with `antialias` where an axis shrinks.
    """
    n_steps, n_channels, old_height, old_width = frames.shape
    shrinks = height < old_height or width < old_width
    rows, columns = (
        _taps(old, new, shrinks, frames.dtype.name) for old, new in ((old_height, height), (old_width, width))
    )
    out = np.empty((n_steps, n_channels, height, width), frames.dtype)
    pictures = np.ascontiguousarray(frames).reshape(-1, old_height, old_width)
    along_rows, along_columns = ((taps.weights, taps.first, taps.count) for taps in (rows, columns))
    _resize(pictures, out.reshape(-1, height, width), *along_rows, *along_columns)
    return out


def reference(frames: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """What `resized` computes, as two products of matrices."""
    shrinks = height < frames.shape[2] or width < frames.shape[3]
    rows = _matrix(frames.shape[2], height, shrinks, frames.dtype.name)
    columns = _matrix(frames.shape[3], width, shrinks, frames.dtype.name)
    result: NDArray[Any] = rows @ frames @ columns.T
    return result


def _matrix(old: int, new: int, antialias: bool, dtype: str) -> NDArray[Any]:
    """The weight of each old place in each new one, [new, old]: what interpolation makes of unit vectors."""
    units = torch.eye(old, dtype=getattr(torch, dtype))[None, None]
    result: NDArray[Any] = interpolate(
        units, size=[new, old], mode="bilinear", align_corners=False, antialias=antialias
    )[0, 0].numpy()
    return result


@lru_cache(32)
def _taps(old: int, new: int, antialias: bool, dtype: str) -> Taps:
    matrix = _matrix(old, new, antialias, dtype)
    used = matrix != 0
    first = used.argmax(1)
    count = old - used[:, ::-1].argmax(1) - first
    weights = np.zeros((new, int(count.max())), matrix.dtype)
    for row, (start, n) in enumerate(zip(first, count, strict=True)):
        weights[row, :n] = matrix[row, start : start + n]
    return Taps(weights, first, count)


@kernel
def _resize(
    pictures: NDArray[Any],
    out: NDArray[Any],
    row_weights: NDArray[Any],
    first_row: NDArray[np.intp],
    n_rows: NDArray[np.intp],
    column_weights: NDArray[Any],
    first_column: NDArray[np.intp],
    n_columns: NDArray[np.intp],
) -> None:
    """Pictures [n, H, W] into out [n, height, width]: rows are mixed first, then the columns of each new row."""
    line = np.empty(pictures.shape[2], pictures.dtype)
    for k in range(pictures.shape[0]):
        for i in range(out.shape[1]):
            line[:] = 0
            for a in range(n_rows[i]):
                weight, old = row_weights[i, a], pictures[k, first_row[i] + a]
                for j in range(line.size):
                    line[j] += weight * old[j]
            for j in range(out.shape[2]):
                total = line[0] * 0
                for b in range(n_columns[j]):
                    total += column_weights[j, b] * line[first_column[j] + b]
                out[k, i, j] = total
