from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings._surface_times import LATE, check_windows, faded, windows
from neurodata.errors import RecipeError
from tests.strategies import event_arrays


@pytest.mark.parametrize(
    ("t_us", "T", "window_us", "ends", "counts", "n_late"),
    [
        ([0, 10, 20, 30], 3, None, [10, 20, 30], [1, 2, 4], 0),  # half-open, the last one closed
        ([5, 36], 3, None, [15, 25, 36], [1, 1, 2], 0),  # 31 // 3 = 10; the last one takes the rest
        ([5, 6], 3, None, [6, 7, 8], [1, 2, 2], 0),  # shorter than T us: windows of 1 us
        ([7], 2, None, [8, 9], [1, 1], 0),
        ([], 2, None, [1, 2], [0, 0], 0),
        ([0, 9, 10, 25], 2, 10, [10, 20], [2, 3], 1),
        ([0, 9, 20], 2, 10, [10, 20], [2, 2], 1),  # of a stated length: all half-open
        ([], 2, 10, [10, 20], [0, 0], 0),
        ([-(2**62), 2**62 - 1], 2, None, [-1, 2**62 - 1], [1, 2], 0),
        ([2**62 - 1], 1, 2**62 - 1, [2**63 - 2], [1], 0),
    ],
)
def test_windows_by_hand(
    t_us: list[int], T: int, window_us: int | None, ends: list[int], counts: list[int], n_late: int
) -> None:
    tally: Counter[str] = Counter()
    found = windows(np.array(t_us, np.int64), T, window_us, tally)
    assert [column.tolist() for column in found] == [ends, counts]
    assert all(column.dtype == np.int64 for column in found)
    assert tally[LATE] == n_late


@given(events=event_arrays(), T=st.integers(1, 20), window_us=st.none() | st.integers(1, 200))
def test_events_of_a_window_come_before_its_end(events: object, T: int, window_us: int | None) -> None:
    t = events.t  # type: ignore[attr-defined]
    tally: Counter[str] = Counter()
    ends, counts = windows(t, T, window_us, tally)
    assert (np.diff(ends, prepend=ends[0] - 1) > 0).all()
    assert (np.diff(counts, prepend=0) >= 0).all()
    for end_us, n in zip(ends, counts, strict=True):
        is_closed = window_us is None and end_us == ends[-1]
        assert (t[:n] <= end_us).all() if is_closed else (t[:n] < end_us).all()
        assert (t[n:] >= end_us).all()
    assert counts[-1] + tally[LATE] == len(t)


@pytest.mark.parametrize(
    ("T", "window_us", "message"),
    [(0, None, "T is 0"), (1, 0, "window_us is 0"), (2, 2**61, f"window_us is {2**61}; expected 1 to {2**61 - 1}")],
)
def test_windows_that_are_none_are_refused(T: int, window_us: int | None, message: str) -> None:
    with pytest.raises(RecipeError, match=f"tore: {message}"):
        check_windows("tore", T, window_us)


def test_what_fades_is_whole_at_first_and_gone_after_three_time_constants_if_linear() -> None:
    ages = np.array([0, 10, 20, 30, 40])
    np.testing.assert_allclose(faded(ages, 10, "linear"), [1, 2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(faded(ages, 10, "exponential"), [1, *np.exp([-1, -2, -3, -4])])
