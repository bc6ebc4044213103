"""Memory for batches that is used again: fresh pages cost more than decoding into them."""

from __future__ import annotations

import math
import weakref
from collections import deque
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.errors import LoaderError
from neurodata.loader._dtype import numpy_dtype


class BufferPool:
    """Lends tensors, and takes their memory back when nothing refers to it any more.

    Every view, slice and NumPy array of a tensor that is lent refers, over however many steps, to its lease. When the
    last of them is gone, and not before, the memory is lent again. Threads may share a pool; it works after a fork,
    and pickles as an empty one.

    Parameters
    ----------
    most_free
        Blocks of memory that are kept while nobody has them; more are given back to the system.
    pinned
        Lend page-locked memory, from which a GPU copies while other work goes on. It goes back to torch, which knows
        of the copies that are under way and lends it again when they are done.

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

    def lend(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor of this shape and type, with any content."""
        if self._pinned:
            return torch.empty(shape, dtype=dtype, pin_memory=True)
        n_bytes = math.prod(shape) * dtype.itemsize
        lease = _Lease(self._take(n_bytes), n_bytes)
        weakref.finalize(lease, self._free.append, lease.block).atexit = False
        array = np.asarray(lease)
        # NumPy has no bfloat16.
        known = torch.uint16 if dtype == torch.bfloat16 else dtype
        return torch.from_numpy(array.view(numpy_dtype(known)).reshape(shape)).view(dtype)

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
        return np.empty(n_bytes, np.uint8)

    def __reduce__(self) -> tuple[type[BufferPool], tuple[int, bool]]:
        return BufferPool, (self._most_free, self._pinned)


class _Lease:
    """What lives as long as anything refers to the memory.

    Not an array itself: NumPy shortens the chain from a view of a view to the first array, passing over those between.
    """

    __slots__ = ("__array_interface__", "__weakref__", "block")

    def __init__(self, block: NDArray[np.uint8], n_bytes: int) -> None:
        self.block = block
        self.__array_interface__: dict[str, Any] = block[:n_bytes].__array_interface__
