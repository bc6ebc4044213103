"""How samples are put into the columns of a shard; windows of one recording share the events that both have."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import StoreError
from neurodata.signals import EventArray
from neurodata.store._layout import LONGEST_SAMPLE_US, EventsLayout, Layout
from neurodata.store._shard import ShardWriter

# So many events of the end of a sample are kept, 128 MiB, for what the next one may share with them.
MOST_SHARED = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """Events that come in pieces, of a sample that may be longer than memory.

    Parameters
    ----------
    packets
        One after the other, in time order.
    n_events, start_us, duration_us
        How many events they hold together, the time of the first one, and from it to the last one.
    """

    packets: Iterable[EventArray]
    n_events: int
    start_us: int
    duration_us: int

    @classmethod
    def of(cls, events: EventArray | Packets) -> Packets:
        """Events as one piece; packets as they are."""
        if isinstance(events, Packets):
            return events
        return cls([events], events.n_events, events.start_us, events.duration_us)


class Place(NamedTuple):
    """Where a sample lies: items `start` to `stop` of its shard; stored times count from `origin_us`."""

    start: int
    stop: int
    origin_us: int = 0


class SignalWriter:
    """Samples that have items of their own.

    Parameters
    ----------
    layout
        How the store keeps its samples.
    writers
        Of the columns of its signal.
    """

    def __init__(self, layout: Layout, writers: Sequence[ShardWriter]) -> None:
        self._layout = layout
        self._writers = writers

    def append(self, signal: Any, key: str) -> Place:
        """Write a sample; StoreError when it does not fit the layout."""
        pieces = self._layout.pieces(signal, key)
        ((start, stop),) = {writer.append(piece) for writer, piece in zip(self._writers, pieces, strict=True)}
        return Place(start, stop)


class EventsWriter:
    """Events, of which those that a sample has in common with the one before are not written again.

    That is so where the sample begins with the last events of the one before, MOST_SHARED at most, as overlapping
    windows of a recording do that no stored step has changed; then its items begin among those of the other.

    Parameters
    ----------
    layout
        How the store keeps its samples.
    writers
        Of times, of addresses and of the time index.
    """

    def __init__(self, layout: EventsLayout, writers: Sequence[ShardWriter]) -> None:
        self._layout = layout
        self._t, self._address, self._chunk_t = writers
        self._chunk_items = layout.columns[0].chunk_items
        self._none = _Events(np.empty(0, np.uint32), np.empty(0, layout.address_dtype))
        self._last = _Run(self._none, 0, 0)

    def append(self, signal: Any, key: str) -> Place:
        """Write what of a sample, an `EventArray` or `Packets`, is not there yet; StoreError when it does not fit."""
        sample = Packets.of(signal)
        if sample.duration_us > LONGEST_SAMPLE_US:
            raise self._layout.too_long(key, sample.duration_us)
        pieces, last = self._pieces(sample, key), self._last
        since_us = sample.start_us - last.origin_us
        # A run begins anew where its times no longer fit.
        is_near = last.reaches(since_us) and since_us + sample.duration_us <= LONGEST_SAMPLE_US
        head = deque(_past(pieces, int(last.events.t[-1]) - since_us) if is_near else ())
        n_shared = last.n_shared(head, since_us)
        if n_shared:
            start, origin_us = last.item_at(since_us), last.origin_us
        else:
            start, origin_us = self._write(self._none, continues=False), sample.start_us
        goes_on = n_shared == 0 or n_shared < sample.n_events
        if goes_on:
            self._last = _Run(self._none, 0, 0)
        del last  # its memory is for the next one
        n_events, tail = 0, _Tail()
        for relative in chain(_taken(head), pieces):
            piece = relative.later(sample.start_us - origin_us)
            self._write(piece.part(max(0, n_shared - n_events), len(piece.t)), continues=True)
            n_events += len(piece.t)
            tail.append(piece)
        if n_events != sample.n_events:
            raise StoreError(f"sample {key!r}: its packets hold {n_events} events; expected {sample.n_events}")
        stop = start + n_events
        if goes_on:
            self._last = tail.run(self._none, stop, origin_us)
        return Place(start, stop, origin_us)

    def _pieces(self, sample: Packets, key: str) -> Iterator[_Events]:
        """The packets as they are stored; times count from the first one's start."""
        for packet in sample.packets:
            t, address = self._layout.pieces(packet, key)
            since_us = packet.start_us - sample.start_us
            if len(t) and not 0 <= since_us <= since_us + packet.duration_us <= sample.duration_us:
                raise StoreError(
                    f"sample {key!r}: a packet from {since_us} us on of {packet.duration_us} us; expected all of them "
                    f"in {sample.duration_us} us"
                )
            yield _Events(t, address).later(since_us)

    def _write(self, events: _Events, continues: bool) -> int:
        """The item of the first one."""
        start, _ = self._t.append(events.t, continues)
        self._address.append(events.address, continues)
        # The time of the first item of each chunk that begins here.
        first = -(-start // self._chunk_items) * self._chunk_items
        self._chunk_t.append(events.t[first - start :: self._chunk_items])
        return start


class _Events(NamedTuple):
    """Events as they are stored: t uint32 [n], address unsigned [n]."""

    t: NDArray[Any]
    address: NDArray[Any]

    def part(self, first: int, last: int) -> _Events:
        """Events first to last - 1: a view."""
        return _Events(self.t[first:last], self.address[first:last])

    def later(self, by_us: int) -> _Events:
        """The same events at later times, which fit."""
        return _Events(self.t + np.uint32(by_us), self.address) if by_us and len(self.t) else self


class _Run(NamedTuple):
    """The last events of what a sample is stored as: the items before `stop`, whose times count from `origin_us`."""

    events: _Events
    stop: int
    origin_us: int

    def reaches(self, time_us: int) -> bool:
        """Whether a stored time is between those of the first and the last event."""
        t = self.events.t
        return bool(len(t)) and int(t[0]) <= time_us <= int(t[-1])

    def item_at(self, time_us: int) -> int:
        """The first item at this stored time or after it."""
        t = self.events.t
        return self.stop - len(t) + int(np.searchsorted(t, np.uint32(time_us)))

    def n_shared(self, head: Collection[_Events], since_us: int) -> int:
        """With how many events of the end of these a sample begins, whose times count from `since_us`.

        Its head is all of it, or reaches past the last of these.
        """
        if not head:
            return 0
        n_own = len(self.events.t)
        first = at = n_own - (self.stop - self.item_at(since_us))
        for piece in head:
            n = min(n_own - at, len(piece.t))
            own, other = self.events.part(at, at + n), piece.part(0, n).later(since_us)
            if not all(map(np.array_equal, own, other)):
                return 0
            at += n
        return at - first


class _Tail:
    """The last MOST_SHARED events of a sample whose pieces come one after the other."""

    def __init__(self) -> None:
        self._pieces: deque[_Events] = deque()
        self._n_events = 0

    def append(self, piece: _Events) -> None:
        """Add a piece; what is older than the tail goes."""
        self._pieces.append(piece)
        self._n_events += len(piece.t)
        while self._n_events - len(self._pieces[0].t) >= MOST_SHARED:
            self._n_events -= len(self._pieces.popleft().t)

    def run(self, none: _Events, stop: int, origin_us: int) -> _Run:
        """The tail, which ends before the item `stop`."""
        if self._n_events > MOST_SHARED:
            oldest = self._pieces.popleft()
            self._pieces.appendleft(oldest.part(self._n_events - MOST_SHARED, len(oldest.t)))
        # Copies, so that nothing else of a large piece stays in memory.
        return _Run(_Events(*map(np.concatenate, zip(none, *self._pieces, strict=True))), stop, origin_us)


def _past(pieces: Iterator[_Events], time_us: int) -> Iterator[_Events]:
    """Pieces up to the first one that has an event after this time."""
    for piece in pieces:
        yield piece
        if len(piece.t) and int(piece.t[-1]) > time_us:
            return


def _taken(pieces: deque[_Events]) -> Iterator[_Events]:
    """The pieces, each of which is let go."""
    while pieces:
        yield pieces.popleft()


def signal_writer(layout: Layout, writers: Sequence[ShardWriter]) -> SignalWriter | EventsWriter:
    """What puts samples into the columns of their signal."""
    return EventsWriter(layout, writers) if isinstance(layout, EventsLayout) else SignalWriter(layout, writers)
