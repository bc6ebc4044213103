"""Windows of long recordings as samples: sliding ones, or those that end where boxes are labelled.

A window is an interval on the recording's clock: nothing is copied. A store of events keeps what windows share once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._folder_rows import Row
from neurodata.errors import RecipeError

MOST_WINDOWS = 10_000_000  # of a folder: a table of them still fits memory
LONGEST_US = 10**18  # 30,000 years, as times in labels


@dataclass(frozen=True, slots=True)
class Windows:
    """How samples are cut from recordings: either `window_us` and `stride_us`, or `before_us`.

    Parameters
    ----------
    window_us
        Length of a window.
    stride_us
        From the start of one window to the start of the next; None: the length, so that windows do not overlap. A
        stride longer than the window leaves out what lies between.
    before_us
        Length of the window that ends with each time at which the recording has boxes, which is part of it.

    Raises
    ------
    RecipeError
        When a length is not a whole number of microseconds from 1 on, or both kinds are asked for, or neither.
    """

    window_us: int | None = None
    stride_us: int | None = None
    before_us: int | None = None

    def __str__(self) -> str:
        lengths = {name: getattr(self, name) for name in ("window_us", "stride_us", "before_us")}
        return ", ".join(f"{name}={length}" for name, length in lengths.items() if length is not None)

    def __post_init__(self) -> None:
        for name in ("window_us", "stride_us", "before_us"):
            length = getattr(self, name)
            if length is not None and (type(length) is not int or not 1 <= length <= LONGEST_US):
                raise RecipeError(f"{name}={length!r}: expected whole microseconds from 1 on")
        if (self.window_us is None) == (self.before_us is None) or (self.before_us and self.stride_us):
            raise RecipeError(
                "windows of recordings: state window_us (--window-us), with stride_us (--stride-us) where they "
                "overlap; or before_us (--before-us) alone, for windows that end where boxes are labelled"
            )

    def sliding(self, row: Row, start_us: int, stop_us: int, recorded_us: tuple[int, int]) -> Iterator[Row]:
        """Whole windows from start_us on; what is left before stop_us is in none.

        Windows that lie outside the recording are left out, except where the whole interval does: that is a mistake,
        which shows when the first of them is read.

        Raises
        ------
        RecipeError
            When there are more than MOST_WINDOWS.
        """
        assert self.window_us is not None
        stride_us = self.stride_us or self.window_us
        first, last = 0, max(0, (stop_us - start_us - self.window_us) // stride_us + 1)
        first_us, last_us = recorded_us
        if max(start_us, first_us) < min(stop_us, last_us):
            first = max(0, (first_us - self.window_us - start_us) // stride_us + 1)
            last = min(last, -(-(last_us - start_us) // stride_us))
        if last - first > MOST_WINDOWS:
            raise RecipeError(
                f"{row.path}: {last - first:,} windows every {stride_us} us from {start_us} to {stop_us} us; at most "
                f"{MOST_WINDOWS:,} are supported: state a longer stride_us (--stride-us)"
            )
        for k in range(first, last):
            begin_us = start_us + k * stride_us
            yield row._replace(start_us=begin_us, stop_us=begin_us + self.window_us)

    def before(self, row: Row, times_us: NDArray[np.int64]) -> Iterator[Row]:
        """The window up to each of these times, which it holds: [t + 1 - before_us, t + 1)."""
        assert self.before_us is not None
        for time_us in times_us.tolist():
            yield row._replace(start_us=time_us + 1 - self.before_us, stop_us=time_us + 1)


def make_windows(window_us: int | None, stride_us: int | None, before_us: int | None) -> Windows | None:
    """The windows that these arguments describe; None where all are None, and recordings are taken whole."""
    if window_us is stride_us is before_us is None:
        return None
    return Windows(window_us, stride_us, before_us)
