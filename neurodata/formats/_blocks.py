"""Recordings read block by block: a first pass indexes and checks the file, then only what is asked for is decoded.

A format brings a kernel that turns bytes into events and can stop anywhere and go on from there
(`Decoding`); everything else, from time slices to late events, is the same for all formats and is here.
Files are read with seek and read, not mapped: memory stays bounded, and a file that shrinks under the
reader is an error instead of a bus fault.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, SignalError
from neurodata.formats._file import RecordingFile, changed
from neurodata.signals import LAST_TIME_US, EventArray, Sensor

EVENT_BYTES = 13  # of the four columns
BLOCK_BYTES = 1 << 18  # bytes and the events decoded from them stay in a core's second-level cache

# Fields that every format's state starts with.
CURSOR = [
    ("position", "<i8"),  # bytes of the block that are used up
    ("n_events", "<i8"),  # events written
    ("bytes_left", "<i8"),  # bytes from the start of the block to the end of the file
    ("damage", "<i8"),  # 0, or what is wrong with the file at `position`
]
BLOCK = np.dtype([("offset", "<i8"), ("n_bytes", "<i8"), ("n_events", "<i8"), ("min_us", "<i8"), ("max_us", "<i8")])


class Columns(NamedTuple):
    """Events in the order of the file, not yet checked: four columns of shape [n]."""

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.bool_]

    @classmethod
    def empty(cls, n: int) -> Columns:
        """Room for n events, in one piece of memory: large ones are mapped with fewer page faults than four."""
        memory = np.empty(EVENT_BYTES * n, np.uint8)
        t, x, y, p = memory[: 8 * n], memory[8 * n : 10 * n], memory[10 * n : 12 * n], memory[12 * n :]
        return cls(t.view(np.int64), x.view(np.uint16), y.view(np.uint16), p.view(np.bool_))

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """All parts in one; a single part is not copied."""
        return parts[0] if len(parts) == 1 else cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def with_room(self, n: int, n_kept: int, expected: int = 0) -> Columns:
        """Columns for at least n events that begin with the n_kept first of these; unused room is no real memory."""
        if n <= len(self.t):
            return self
        larger = Columns.empty(max(n, 2 * n_kept, expected))
        larger.part(0, n_kept).fill_from(self.part(0, n_kept))
        return larger

    def part(self, first: int, last: int) -> Columns:
        """Events first to last - 1: a view."""
        return Columns(self.t[first:last], self.x[first:last], self.y[first:last], self.p[first:last])

    def fill_from(self, events: Columns) -> None:
        """Copy as many events into these columns."""
        self.t[:], self.x[:], self.y[:], self.p[:] = events

    def between(self, start_us: int | None, stop_us: int | None, is_sorted: bool) -> Columns:
        """Events with start_us <= t < stop_us, in the order that they have here; a view where that is of time."""
        if is_sorted:
            first = 0 if start_us is None else int(np.searchsorted(self.t, start_us, side="left"))
            last = len(self.t) if stop_us is None else int(np.searchsorted(self.t, stop_us, side="left"))
            return self.part(first, max(first, last))
        if start_us is stop_us is None:
            return self
        inside = np.ones(len(self.t), np.bool_)
        if start_us is not None:
            inside &= self.t >= start_us
        if stop_us is not None:
            inside &= self.t < stop_us
        return self._picked(inside)

    def in_time_order(self) -> Columns:
        """A copy in stable time order."""
        return self._picked(np.argsort(self.t, kind="stable"))

    def _picked(self, which: NDArray[Any]) -> Columns:
        return Columns(self.t[which], self.x[which], self.y[which], self.p[which])


# From places of blocks, going up, to their events in the order of the file, perhaps with those of blocks between them;
# compared with the index (`_as_indexed`).
Decode: TypeAlias = Callable[[NDArray[np.intp]], Columns]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the bytes of one format become events.

    Parameters
    ----------
    decode
        (raw uint8 [n_bytes], state [1], columns): writes events until the columns are full, raw has no
        whole event left, or the file is damaged, and says so in state. A later call with raw from
        `position` on and the same state goes on from there.
    state
        Record of CURSOR and what the format has to remember between calls; all zeros at the start.
    event_bytes
        Bytes of one event, of the smallest one: where vectors hold several, a block ends when its columns are full.
    explain
        (raw from `position` on, offset of that byte in the file, state): what is wrong there, in words.
    counted
        Reasons for `Recording.findings`, and the state's field that counts each.
    """

    decode: Callable[[NDArray[np.uint8], NDArray[Any], Columns], None]
    state: np.dtype[Any]
    event_bytes: int
    explain: Callable[[NDArray[np.uint8], int, NDArray[Any]], str]
    counted: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IndexedRecording(ABC):
    """A `Recording` on an index of blocks; pickles, and holds no file open."""

    path: Path
    format: str
    sensor: Sensor
    findings: Counter[str]
    fingerprint: tuple[int, int]  # size and modification time when the file was indexed
    blocks: NDArray[Any]  # [n_blocks] of BLOCK, in the order of the file
    states: NDArray[Any]  # [n_blocks]: what decoding goes on from as each block begins
    held: Columns | None  # all events, where that was asked for or the file is a single block
    sidecar: Path | None = field(default=None, kw_only=True)  # file that the index is from

    def __repr__(self) -> str:
        span = f"{self.start_us} to {self.stop_us} us"
        return f"{type(self).__name__}({self.path}, {self.format}, {self.n_events} events on {self.sensor}, {span})"

    @abstractmethod
    def _opened(self) -> AbstractContextManager[Decode]:
        """The file, opened again; FormatError when it was changed."""

    @property
    def n_events(self) -> int:
        """Events in the file."""
        return int(self.blocks["n_events"].sum())

    @property
    def start_us(self) -> int:
        """Time of the first event; 0 when there is none."""
        return int(self.blocks["min_us"].min()) if len(self.blocks) else 0

    @property
    def stop_us(self) -> int:
        """One past the time of the last event; 0 when there is none."""
        return int(self.blocks["max_us"].max()) + 1 if len(self.blocks) else 0

    def events(self, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """Events with start_us <= t < stop_us, in time order; only the blocks that overlap are decoded."""
        columns = self._decoded(self._blocks_between(start_us, stop_us))
        if self.findings["late"]:
            columns = columns.in_time_order()
        return self._event_array(columns.between(start_us, stop_us, is_sorted=True))

    def packets(self, n: int, start_us: int | None = None, stop_us: int | None = None) -> Iterator[EventArray]:
        """Events with start_us <= t < stop_us in pieces of n (the last one shorter), the same as `events` gives."""
        if n < 1:
            raise ValueError(f"packets of {n} events: n is at least 1")
        return self._packets(n, start_us, stop_us)

    def _packets(self, n: int, start_us: int | None, stop_us: int | None) -> Iterator[EventArray]:
        held: list[Columns] = []
        n_held, n_kept = 0, 0
        before_us = np.iinfo(np.int64).min
        wanted = self._blocks_between(start_us, stop_us)
        blocks = self._each_block(wanted)
        is_sorted = not self.findings["late"]
        for k, final_until_us in enumerate(self._earliest_after(wanted, start_us)):
            held.append(next(blocks).between(start_us, stop_us, is_sorted))
            n_held += len(held[-1].t)
            is_last = k == len(wanted) - 1
            # What a late event holds back is joined and sorted again when it has doubled, not with every block.
            if n_held < max(n, 2 * n_kept) and not is_last:
                continue
            columns = Columns.joined(held)
            if not is_sorted:
                columns = columns.in_time_order()
            n_ready = int(np.searchsorted(columns.t, final_until_us, side="right"))
            stop = n_ready if is_last else n_ready // n * n
            for first in range(0, stop, n):
                packet = self._event_array(columns.part(first, min(first + n, stop)))
                if packet.t[0] < before_us:
                    raise self._changed()
                before_us = packet.t[-1]
                yield packet
            held, n_held = [columns.part(stop, n_held)], n_held - stop
            n_kept = n_held

    def _blocks_between(self, start_us: int | None, stop_us: int | None) -> NDArray[np.intp]:
        """Places of the blocks that may hold events with start_us <= t < stop_us."""
        wanted = np.ones(len(self.blocks), np.bool_)
        if start_us is not None:
            wanted &= self.blocks["max_us"] >= start_us
        if stop_us is not None:
            wanted &= self.blocks["min_us"] < stop_us
        return np.flatnonzero(wanted)

    def _earliest_after(self, wanted: NDArray[np.intp], start_us: int | None) -> NDArray[np.int64]:
        """For each block, the earliest time in any later one: what is held up to there is in its final place."""
        earliest = np.full(len(wanted), np.iinfo(np.int64).max)
        earliest[:-1] = np.minimum.accumulate(self.blocks["min_us"][wanted][:0:-1])[::-1]
        return earliest if start_us is None else np.maximum(earliest, start_us)

    def _event_array(self, columns: Columns) -> EventArray:
        """Columns in time order as events; what was held since the first pass is not checked a second time."""
        is_in_range = self.start_us >= -LAST_TIME_US - 1 and self.stop_us <= LAST_TIME_US + 1
        if self.held is not None and is_in_range:
            return EventArray.trusted(*columns, self.sensor)
        try:
            return EventArray(*columns, self.sensor)
        except SignalError as error:
            raise self._changed() from error

    def _decoded(self, wanted: NDArray[np.intp]) -> Columns:
        """Events of some blocks in the order of the file, perhaps with those of blocks between them."""
        if len(wanted) == 0:
            return Columns.empty(0)
        if self.held is not None:
            stops = np.cumsum(self.blocks["n_events"])
            return self.held.part(int(stops[wanted[0]] - self.blocks["n_events"][wanted[0]]), int(stops[wanted[-1]]))
        with self._opened() as decode:
            return decode(wanted)

    def _each_block(self, wanted: NDArray[np.intp]) -> Iterator[Columns]:
        """Events of some blocks one by one; the file stays open for all of them."""
        if self.held is not None:
            stops = np.cumsum(self.blocks["n_events"])
            for k in wanted.tolist():
                yield self.held.part(int(stops[k] - self.blocks["n_events"][k]), int(stops[k]))
        elif len(wanted):
            with self._opened() as decode:
                for k in range(len(wanted)):
                    yield decode(wanted[k : k + 1])

    def _as_indexed(self, columns: Columns, blocks: NDArray[Any]) -> Columns:
        """Events of blocks that begin and end when the index says."""
        t = columns.t
        first_us, last_us = (t.min(), t.max()) if self.findings["late"] else (t[0], t[-1])
        if first_us != blocks["min_us"].min() or last_us != blocks["max_us"].max():
            raise self._changed()
        return columns

    def _changed(self) -> FormatError:
        """The error for a file that is not what its index says; an index from a sidecar shall not be used again."""
        if self.sidecar is not None:
            with suppress(OSError):
                self.sidecar.unlink()
        return changed(self.path)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockRecording(IndexedRecording):
    """A recording whose blocks are bytes to decode."""

    decoding: Decoding

    @contextmanager
    def _opened(self) -> Iterator[Decode]:
        with RecordingFile(self.path, self.fingerprint) as file:
            yield partial(self._decoded_from, file)

    def _decoded_from(self, file: RecordingFile, wanted: NDArray[np.intp]) -> Columns:
        columns = Columns.empty(int(self.blocks["n_events"][wanted].sum()))
        buffer = np.empty(int(self.blocks["n_bytes"][wanted].max()), np.uint8)
        first = 0
        for block, state in zip(self.blocks[wanted], self.states[wanted], strict=True):
            last = first + int(block["n_events"])
            raw = file.read_into(buffer[: block["n_bytes"]], int(block["offset"]))
            state = state.reshape(1).copy()
            self.decoding.decode(raw, state, columns.part(first, last))
            if state["damage"][0] or state["n_events"][0] != last - first:
                raise self._changed()
            first = last
        return self._as_indexed(columns, self.blocks[wanted])
