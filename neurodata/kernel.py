"""The decorator of every Numba kernel: compiled at the first call, without the GIL, cached for the user.

Compiled code goes to the user's own cache (not beside the sources, which may be shared and read-only);
where that cannot be written to either, it is kept in memory only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from platformdirs import user_cache_path

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a function of plain arrays and scalars.

    It writes into an array that it is given, allocates nothing large and draws no random numbers. No
    `prange`: kernels are called from threads, and Numba's default threading layer is not thread-safe.
    """
    config: Any = numba.config
    before = config.CACHE_DIR
    # Numba looks at this at decoration time only; NUMBA_CACHE_DIR of the environment wins.
    config.CACHE_DIR = before or str(user_cache_path("neurodata") / "kernels")
    try:
        return cast(Function, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no folder for the cache can be written to: every process compiles for itself
        return cast(Function, numba.njit(nogil=True)(function))
    finally:
        config.CACHE_DIR = before
