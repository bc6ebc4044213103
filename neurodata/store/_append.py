"""How samples are put into the columns of a shard; windows of one recording share the events that both have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import StoreError
from neurodata.signals import EventArray
from neurodata.store._layout import LONGEST_SAMPLE_US, EventsLayout, Layout
from neurodata.store._shard import ShardWriter


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """Events that come in pieces, of a recording that may be longer than memory.

    Parameters
    ----------
    packets
        One after the other, in time order.
    n_events, start_us
        How many events they hold together, and the time of the first one.
    """

    packets: Iterable[EventArray]
    n_events: int
    start_us: int


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

    That is so where the sample begins with the last events of the one before, as overlapping windows of a recording
    do that no stored step has changed; then its items begin among those of the other.

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
        self._last = _Run(np.empty(0, np.uint32), np.empty(0, np.uint32), Place(0, 0))

    def append(self, signal: Any, key: str) -> Place:
        """Write what of a sample, an `EventArray` or `Packets`, is not there yet; StoreError when it does not fit."""
        if isinstance(signal, Packets):
            return self._append_packets(signal, key)
        t, address = self._layout.pieces(signal, key)
        last, since_us = self._last, signal.start_us - self._last.place.origin_us
        n_shared = last.n_shared(t, address, since_us)
        if not n_shared:
            start, stop = self._write(t, address)
            self._last = _Run(t, address, Place(start, stop, signal.start_us))
            return self._last.place
        t = t + np.uint32(since_us)
        start = last.place.start + last.first_at(t[0])
        place = Place(start, start + len(t), last.place.origin_us)
        if n_shared < len(t):
            self._write(t[n_shared:], address[n_shared:], continues=True)
            self._last = _Run(t, address, place)
        return place

    def _append_packets(self, signal: Packets, key: str) -> Place:
        t, address = self._layout.pieces(EventArray.empty(self._layout.sensor), key)
        start, stop = self._write(t, address)
        for packet in signal.packets:
            t, address = self._layout.pieces(packet, key)
            since_us = packet.start_us - signal.start_us
            if since_us + packet.duration_us > LONGEST_SAMPLE_US:
                raise self._layout.too_long(key, since_us + packet.duration_us)
            _, stop = self._write(t + np.uint32(since_us), address, continues=True)
        if stop - start != signal.n_events:
            raise StoreError(f"sample {key!r}: its packets hold {stop - start} events; expected {signal.n_events}")
        # What follows is of another recording.
        self._last = _Run(np.empty(0, np.uint32), np.empty(0, np.uint32), Place(stop, stop))
        return Place(start, stop, signal.start_us)

    def _write(self, t: NDArray[Any], address: NDArray[Any], continues: bool = False) -> tuple[int, int]:
        start, stop = self._t.append(t, continues)
        self._address.append(address, continues)
        # The time of the first item of each chunk that begins here.
        first = -(-start // self._chunk_items) * self._chunk_items
        self._chunk_t.append(t[first - start :: self._chunk_items])
        return start, stop


class _Run(NamedTuple):
    """The events of a sample as they are stored: t uint32 [n], address unsigned [n]."""

    t: NDArray[Any]
    address: NDArray[Any]
    place: Place

    def first_at(self, time_us: Any) -> int:
        """The first event at this stored time or after it."""
        return int(np.searchsorted(self.t, time_us))

    def n_shared(self, t: NDArray[Any], address: NDArray[Any], since_us: int) -> int:
        """With how many events of the end of these the others begin, whose times count from `since_us`."""
        if not (len(t) and len(self.t)) or not int(self.t[0]) <= since_us <= int(self.t[-1]):
            return 0
        if since_us + int(t[-1]) > LONGEST_SAMPLE_US:
            return 0  # a run begins anew where its times no longer fit
        first = self.first_at(np.uint32(since_us))
        n = min(len(self.t) - first, len(t))
        is_same = np.array_equal(self.t[first : first + n], t[:n] + np.uint32(since_us))
        return n if is_same and np.array_equal(self.address[first : first + n], address[:n]) else 0


def signal_writer(layout: Layout, writers: Sequence[ShardWriter]) -> SignalWriter | EventsWriter:
    """What puts samples into the columns of their signal."""
    return EventsWriter(layout, writers) if isinstance(layout, EventsLayout) else SignalWriter(layout, writers)
