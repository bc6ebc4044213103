from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neurodata.storage._ranges import merge_ranges

RANGES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(RANGES, st.integers(0, 40), st.integers(1, 120))
def test_every_range_lies_in_the_one_span_that_names_it(
    ranges: list[tuple[int, int]], gap_bytes: int, longest_bytes: int
) -> None:
    spans = merge_ranges(ranges, gap_bytes, longest_bytes)
    members = [k for span in spans for k in span.members]
    assert sorted(members) == [k for k, (start, stop) in enumerate(ranges) if start < stop]
    for span in spans:
        assert span.start == min(ranges[k][0] for k in span.members)
        assert span.stop == max(ranges[k][1] for k in span.members)


@given(RANGES, st.integers(0, 40), st.integers(1, 120))
def test_spans_waste_no_gap_and_grow_no_longer_than_allowed(
    ranges: list[tuple[int, int]], gap_bytes: int, longest_bytes: int
) -> None:
    spans = merge_ranges(ranges, gap_bytes, longest_bytes)
    for span in spans:
        assert len(span.members) == 1 or span.stop - span.start <= longest_bytes
        reached = span.start
        for start, stop in sorted(ranges[k] for k in span.members):
            assert start - reached <= gap_bytes
            reached = max(reached, stop)
    for before, after in pairwise(spans):
        assert before.start <= after.start
        joined = max(before.stop, min(ranges[after.members[0]][1], after.stop)) - before.start
        assert after.start - before.stop > gap_bytes or joined > longest_bytes


@given(RANGES)
def test_without_bounds_there_is_one_span(ranges: list[tuple[int, int]]) -> None:
    wanted = [(start, stop) for start, stop in ranges if start < stop]
    assert len(merge_ranges(ranges, 1000, 1000)) == min(1, len(wanted))
