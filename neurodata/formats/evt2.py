"""EVT 2.0 (.raw of Prophesee's cameras): 32-bit words, each one event, or the upper part of the time.

A word's upper four bits tell its type. CD_OFF (0) and CD_ON (1): time 6 bits (22-27), x 11 (11-21), y 11 (0-10).
TIME_HIGH (8): 28 bits of the time, in 64 us. Source: https://docs.prophesee.ai/stable/data/encoding_formats/evt2.html.
The specification leaves open what holds before the first TIME_HIGH and how a wrap is told: here as in Prophesee's
decoder (OpenEB), which reads no event before it; one that falls by 2^27 or more is a wrap (every 2^34 us, 4.8 h).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._prophesee import (
    GET_AGAIN,
    after_time_high,
    high_steps,
    open_words,
    sniff_encoding,
    write_words,
)
from neurodata.kernel import kernel
from neurodata.signals import EventArray

WORD_BYTES = 4
CD_ON, TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED = 0x1, 0x8, 0xA, 0xE, 0xF
LOW_BITS, HIGH_BITS = 6, 28
# In a kernel, Python's integers would widen 32-bit words to 64 bits.
U11, U22, U28, U_LOW, U_ADDRESS, U_HIGH = (np.uint32(value) for value in (11, 22, 28, 0x3F, 0x7FF, 0xFFFFFFF))
LAST_TIME_US = (1 << 48) - 1  # 8.9 years: a TIME_HIGH every 2.4 h makes 130 kB of them


STATE = np.dtype(
    [
        *CURSOR,
        ("is_timed", "<i8"),  # a TIME_HIGH has been seen
        ("high_us", "<i8"),  # the time of the last one, with wraps
        ("untimed", "<i8"),
        ("triggers", "<i8"),
        ("others", "<i8"),
        ("reserved", "<i8"),
    ]
)
TRUNCATED = 1


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of words; see `Decoding`."""
    _decode(np.frombuffer(raw, "<u4", len(raw) // WORD_BYTES), state, *columns)


@kernel
def _decode(
    words: NDArray[np.uint32],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    at, n = 0, 0
    while n < len(t) and at < len(words):
        kind = words[at] >> U28
        if kind <= CD_ON:
            first = at
            last = min(len(words), first + len(t) - n)
            while at < last and words[at] >> U28 <= CD_ON:
                at += 1
            if s.is_timed:
                _unpack(words[first:at], s.high_us, t[n:], x[n:], y[n:], p[n:])
                n += at - first
            else:
                s.untimed += at - first
            continue
        if kind == TIME_HIGH:
            s.high_us = after_time_high(np.int64(words[at] & U_HIGH), s.high_us, LOW_BITS, HIGH_BITS)
            s.is_timed = 1
        elif kind == EXT_TRIGGER:
            s.triggers += 1
        elif kind in (OTHERS, CONTINUED):
            s.others += 1
        else:
            s.reserved += 1
        at += 1
    if 0 < s.bytes_left - WORD_BYTES * at < WORD_BYTES:
        s.damage = TRUNCATED
    s.position = WORD_BYTES * at
    s.n_events = n


@kernel
def _unpack(
    words: NDArray[np.uint32],
    high_us: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    for i in range(len(words)):
        word = words[i]
        t[i] = high_us + ((word >> U22) & U_LOW)
        x[i] = (word >> U11) & U_ADDRESS
        y[i] = word & U_ADDRESS
        p[i] = word >> U28


def reference(words: NDArray[np.uint32]) -> Columns:
    """Events of words that begin with a TIME_HIGH."""
    kind = words >> 28
    highs = np.flatnonzero(kind == TIME_HIGH)
    high = (words[highs] & 0xFFFFFFF).astype(np.int64)
    high += np.cumsum(np.diff(high, prepend=high[0]) <= -(1 << 27)) << HIGH_BITS
    events = words[kind <= CD_ON]
    t = high[np.searchsorted(highs, np.flatnonzero(kind <= CD_ON)) - 1] << LOW_BITS | events >> 22 & 0x3F
    x, y = events >> 11 & 0x7FF, events & 0x7FF
    return Columns(t, x.astype(np.uint16), y.astype(np.uint16), events >> 28 == CD_ON)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """The only damage that shows: a file that ends within a word."""
    return f"{len(raw)} bytes left where a word needs {WORD_BYTES}; {GET_AGAIN}"


DECODING = Decoding(
    decode=decode,
    state=STATE,
    event_bytes=WORD_BYTES,
    explain=explain,
    counted={
        "before the first time": "untimed",
        "external triggers": "triggers",
        "other words": "others",
        "reserved words": "reserved",
    },
)


def write_file(events: Stream, path: Path) -> None:
    """All events; a TIME_HIGH wherever the upper part of the time changes, and often enough to show every wrap.

    Raises
    ------
    FormatError
        When a time is negative or from 2^48 us on, or a coordinate needs more than 11 bits.
    """
    write_words(events, path, "EVT2", LAST_TIME_US, _words)


def _words(events: EventArray, before: EventArray | None) -> NDArray[np.uint32]:
    """Words of some events after the last one written (None: these are the first)."""
    n_highs, highs = high_steps(events, before, LOW_BITS, HIGH_BITS)
    is_event = np.zeros(len(events) + len(highs), np.bool_)
    is_event[np.cumsum(n_highs + 1) - 1] = True
    p, x, y = (column.astype(np.int64) for column in (events.p, events.x, events.y))
    words = np.empty(len(is_event), "<u4")
    words[is_event] = p << 28 | (events.t & 0x3F) << 22 | x << 11 | y
    words[~is_event] = TIME_HIGH << 28 | highs
    return words


FORMAT = Format(
    name="evt2",
    version=1,
    title="EVT 2.0 .raw: Prophesee cameras, one event a word",
    extensions=(".raw",),
    sniff=partial(sniff_encoding, "EVT2"),
    open=partial(open_words, "EVT2", lambda *_: DECODING),
    write=write_file,
)
