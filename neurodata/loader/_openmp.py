"""How many threads torch's operations use in one thread, where torch itself can only be told for all of them.

By default each operation on a large tensor is shared among as many threads as there are processors. In several threads
at once these wait for each other: flipping frames [16, 2, 128, 128] takes 1.6 times as long in two threads of a loader.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import torch


def limit_this_thread(n_threads: int) -> None:
    """Let torch's operations in the calling thread use so many threads; nothing changes where OpenMP is not found.

    OpenMP's `omp_set_num_threads` is for the calling thread alone: its number belongs to the data environment.
    """
    torch.get_num_threads()  # the first look of a thread sets the number that holds for all
    if (set_number := _set_number()) is not None:
        set_number(n_threads)


@cache
def _set_number() -> Callable[[int], Any] | None:
    """The function of the OpenMP library that torch is linked with."""
    try:
        return ctypes.CDLL(torch._C.__file__).omp_set_num_threads
    except (AttributeError, OSError):  # another kind of threads, or a system that looks in the one file only
        return None
