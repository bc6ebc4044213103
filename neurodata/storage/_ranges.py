"""Which ranges of a remote file are fetched together: a request costs more than a few bytes that nobody wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `stop` (half-open), and which of the wanted ranges lie in them."""

    start: int
    stop: int
    members: tuple[int, ...]


def merge_ranges(ranges: Sequence[tuple[int, int]], gap_bytes: int, longest_bytes: int) -> list[Span]:
    """The spans that cover all ranges, in the order of the file.

    A range joins the one before it when at most `gap_bytes` lie between, and both together are not longer than
    `longest_bytes`; a range that is longer by itself is not split. Empty ranges are in no span.

    Parameters
    ----------
    ranges
        (start, stop), half-open; they may overlap and come in any order.

    >>> merge_ranges([(90, 95), (0, 10), (12, 20)], gap_bytes=4, longest_bytes=50)
    [Span(start=0, stop=20, members=(1, 2)), Span(start=90, stop=95, members=(0,))]
    """
    spans: list[Span] = []
    for k in sorted(range(len(ranges)), key=ranges.__getitem__):
        start, stop = ranges[k]
        if start == stop:
            continue
        last = spans[-1] if spans else None
        if last and start - last.stop <= gap_bytes and max(stop, last.stop) - last.start <= longest_bytes:
            spans[-1] = Span(last.start, max(stop, last.stop), (*last.members, k))
        else:
            spans.append(Span(start, stop, (k,)))
    return spans
