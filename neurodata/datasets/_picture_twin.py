"""The mnist twin: the digits of the n-mnist twin, drawn on paper, in the published files of pictures and labels."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._digit_twin import N_DIGITS, SENSOR, draw
from neurodata.datasets._paint_twin import paint
from neurodata.datasets._twin import require_size
from neurodata.storage import write_bytes

PIXELS = 28
PARTITIONS = ("train", "t10k")
MARGIN = (SENSOR.width - PIXELS) / 2
UNSIGNED_BYTES = 8


def write_picture_twin(folder: Path, seed: int, size: int) -> tuple[Path, ...]:
    """Write the four published files, a look-alike of MNIST; the same bytes for the same seed and size.

    Six pictures of seven are for training; the digits are balanced to within one picture.

    Parameters
    ----------
    folder
        Where the files go; made where missing.
    seed
        Of everything that is drawn, 0 or more.
    size
        Number of pictures, at least one of each digit.

    Raises
    ------
    RecipeError
        When seed or size is too small.
    StorageError
        When a file cannot be written.
    """
    require_size("mnist", seed, size, N_DIGITS)
    n_test = round(size / 7)
    files: list[Path] = []
    for partition, n in zip(PARTITIONS, (size - n_test, n_test), strict=True):
        digits = np.arange(n, dtype=np.uint8) % N_DIGITS
        pictures = np.array(
            [picture(int(digit), np.random.default_rng([seed, len(files), k])) for k, digit in enumerate(digits)],
            np.uint8,
        ).reshape(n, PIXELS, PIXELS)
        for name, values in ((f"{partition}-images-idx3", pictures), (f"{partition}-labels-idx1", digits)):
            files.append(folder / f"{name}-ubyte.gz")
            write_bytes(files[-1], gzip.compress(idx(values), mtime=0))
    return tuple(files)


def picture(digit: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A digit in one handwriting, bright on dark: [y, x]."""
    light = np.zeros((PIXELS, PIXELS), np.float32)
    paint(light, draw(digit, rng) - [MARGIN, MARGIN, MARGIN, MARGIN, 0], 1.0, 0.0, 0.0)
    return np.rint(light * 255).astype(np.uint8)


def idx(values: NDArray[np.uint8]) -> bytes:
    """Values as an IDX file holds them."""
    head = struct.pack(f">4B{values.ndim}I", 0, 0, UNSIGNED_BYTES, values.ndim, *values.shape)
    return head + values.tobytes()
