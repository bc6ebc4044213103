"""Memory for batches that is used again: fresh pages cost more than decoding into them."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.errors import LoaderError


class BufferPool:
    """Lends arrays, and takes their memory back when nothing refers to it any more.

    An array that is lent is meant for `torch.from_numpy`: the tensor's storage refers to it, and every view, slice and
    NumPy array of the tensor to the storage. When the last of them is gone, and not before, the memory is lent again.
    Slices that are taken of the array itself are not counted. Threads may share a pool; it works after a fork.

    Parameters
    ----------
    most_free
        Blocks of memory that are kept while nobody has them; more are given back to the system.
    pinned
        Take page-locked memory, from which a GPU copies while other work goes on.

    Raises
    ------
    LoaderError
        When there is no GPU to pin memory for.
    """

    def __init__(self, most_free: int, pinned: bool = False) -> None:
        if pinned and not torch.cuda.is_available():
            raise LoaderError("pin_memory=True: there is no CUDA device to pin memory for; leave it out")
        self._pinned = pinned
        self._most_free = most_free
        # Appending and popping are atomic: finalizers may run at any moment, in any thread.
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=most_free)

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of this shape and type, with any content."""
        n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        block = self._take(n_bytes)
        array: NDArray[Any] = block[:n_bytes].view(dtype).reshape(shape)
        weakref.finalize(array, self._free.append, block).atexit = False
        return array

    @property
    def n_free(self) -> int:
        """Blocks that nobody has."""
        return len(self._free)

    def _take(self, n_bytes: int) -> NDArray[np.uint8]:
        # Batches have one size, but for the last one and for samples of different lengths.
        while self._free:
            try:
                block = self._free.popleft()
            except IndexError:  # another thread was faster
                break
            if len(block) >= n_bytes:
                return block
        if self._pinned:
            pinned: NDArray[np.uint8] = torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True).numpy()
            return pinned
        return np.empty(n_bytes, np.uint8)
