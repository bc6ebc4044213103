"""Stretches of an axis set to zero."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def erase_spans(
    frames: Tensor, which: NDArray[np.int64], axis: int, start: NDArray[np.int64], length: NDArray[np.int64]
) -> None:
    """Set frames[b] from start[k] on, length[k] along an axis (of the batch), to zero, in place; b is which[k]."""
    n = frames.shape[axis]
    begin, end = np.zeros((2, len(frames), 1), np.int64)
    begin[which, 0], end[which, 0] = start, start + length
    places = np.arange(n)
    erased = torch.from_numpy((places >= begin) & (places < end))  # [B, n]
    shape = [1] * frames.ndim
    shape[0], shape[axis] = len(frames), n
    frames.masked_fill_(erased.view(shape).to(frames.device), 0)
