"""From the numbers a store holds to the numbers a batch is asked for, without loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.errors import LoaderError, UnknownNameError

DTYPES: dict[str, torch.dtype] = {
    "bool": torch.bool,
    "uint8": torch.uint8,
    "int8": torch.int8,
    "uint16": torch.uint16,
    "int16": torch.int16,
    "uint32": torch.uint32,
    "int32": torch.int32,
    "uint64": torch.uint64,
    "int64": torch.int64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
_FLOAT32_EXACT_TO = 2**24


def delivered_dtype(wanted: str | torch.dtype, stored: np.dtype[Any]) -> torch.dtype:
    """The torch type of a batch: a type, its name, or "stored".

    float32, the form that networks take, is always granted: reals of the store are rounded to it, and counts that
    it cannot hold are an error of the sample that has them (`check_counts`). Any other type has to hold every number
    that the stored one can.

    Raises
    ------
    UnknownNameError
        When there is no such type.
    LoaderError
        When numbers could be lost.
    """
    name = str(wanted).removeprefix("torch.")
    name = stored.name if name == "stored" else name
    if name not in DTYPES:
        raise UnknownNameError(f'dtype={wanted!r}: no such type; there is "stored", {", ".join(DTYPES)}')
    if name != "float32" and not _holds(DTYPES[name], stored):
        raise LoaderError(
            f'dtype={wanted!r} does not hold every number of the stored {stored}; take "stored" or "float32" '
            "and narrow the batch yourself"
        )
    return DTYPES[name]


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """NumPy's type of the same numbers; TypeError for bfloat16, which it does not have."""
    return np.dtype(str(dtype).removeprefix("torch."))


def check_counts(frames: NDArray[Any], dtype: torch.dtype, key: str) -> None:
    """Refuse a sample whose counts float32 would round.

    Raises
    ------
    LoaderError
        When frames are integers beyond 2^24 and dtype is float32.
    """
    if dtype != torch.float32 or frames.dtype.kind not in "ui" or frames.dtype.itemsize <= 2 or not frames.size:
        return
    largest = max(int(frames.max()), -int(frames.min()))
    if largest > _FLOAT32_EXACT_TO:
        raise LoaderError(
            f'sample {key!r}: float32 holds counts up to 2^24 exactly, this one has {largest}; load with dtype="stored"'
        )


def _holds(wanted: torch.dtype, stored: np.dtype[Any]) -> bool:
    if stored.kind == "b":
        return True
    if stored.kind in "ui":
        range_ = np.iinfo(stored)
        if wanted.is_floating_point:
            return max(int(range_.max), -int(range_.min)) <= 2 / torch.finfo(wanted).eps
        return wanted != torch.bool and (
            torch.iinfo(wanted).min <= range_.min and range_.max <= torch.iinfo(wanted).max
        )
    return (
        wanted.is_floating_point
        and torch.finfo(wanted).eps <= float(np.finfo(stored).eps)
        and torch.finfo(wanted).max >= float(np.finfo(stored).max)
    )
