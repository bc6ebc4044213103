"""EVT 2.1 (.raw of Prophesee's cameras): 64-bit words, each up to 32 events of a row, or the upper part of the time.

The upper half of a word tells its type in bits 28-31. EVT_NEG (0) and EVT_POS (1): time 6 bits (22-27), x of the
first pixel 11 (11-21), y 11 (0-10); the lower half has a bit for each of 32 pixels from there. TIME_HIGH (8): 28
bits of the time, in 64 us. Either half may come first: the header says `endianness` "legacy" (upper half first,
IMX636) or "little" (one little-endian word, GenX320), which also holds where it says nothing, as in Prophesee's
decoder (OpenEB). Source: https://docs.prophesee.ai/stable/data/encoding_formats/evt21.html. Left open there, and
decided as for EVT 2.0: no event is read before the first TIME_HIGH, one that falls by 2^27 or more is a wrap.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._prophesee import (
    GET_AGAIN,
    Header,
    after_time_high,
    high_steps,
    open_words,
    sniff_encoding,
    write_words,
)
from neurodata.kernel import kernel
from neurodata.signals import EventArray

WORD_BYTES = 8
UPPER_HALF = {"legacy": 0, "little": 1}  # which 32 bits of a word it is, by the header's endianness
EVT_POS, TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED = 0x1, 0x8, 0xA, 0xE, 0xF
LOW_BITS, HIGH_BITS = 6, 28
DE_BRUIJN = 0x077CB531  # holds every sequence of five bits once
PLACES = np.argsort(DE_BRUIJN << np.arange(32) >> 27 & 31).astype(np.uint8)
LAST_TIME_US = (1 << 48) - 1  # 8.9 years: a TIME_HIGH every 2.4 h makes 260 kB of them


def _decoding(path: Path, header: Header) -> Decoding:
    """How words are read, by the order of their halves."""
    order = header.options.get("endianness") or header.values.get("endianness", "little")
    if order not in UPPER_HALF:
        raise FormatError(f"{path}: byte 0: the header says endianness {order}; read are {', '.join(UPPER_HALF)}")
    return DECODINGS[order]


STATE = np.dtype(
    [
        *CURSOR,
        ("is_timed", "<i8"),  # a TIME_HIGH has been seen
        ("high_us", "<i8"),  # the time of the last one, with wraps
        ("left", "<i8"),  # bits still to come of the word at `position`; 0: it is not begun
        ("t", "<i8"),  # of the word begun
        ("x", "<i8"),
        ("y", "<i8"),
        ("p", "<i8"),
        ("untimed", "<i8"),
        ("triggers", "<i8"),
        ("others", "<i8"),
        ("reserved", "<i8"),
    ]
)
TRUNCATED = 1


def decode(upper: int, raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of words; see `Decoding`."""
    halves = np.frombuffer(raw, "<u4", len(raw) // WORD_BYTES * 2).reshape(-1, 2)
    _decode(halves[:, upper], halves[:, 1 - upper], state, *columns)


@kernel
def _decode(
    uppers: NDArray[np.uint32],
    lowers: NDArray[np.uint32],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    at, n = 0, np.int64(0)
    high_us, is_timed = s.high_us, s.is_timed
    if s.left:
        n, s.left = _spread(s.left, s.t, s.x, s.y, s.p, n, t, x, y, p)
        at = 1 if s.left == 0 else 0
    while n < len(t) and at < len(uppers) and s.left == 0:
        upper, valid = np.int64(uppers[at]), np.int64(lowers[at])
        kind = upper >> 28
        if kind <= EVT_POS and is_timed:
            time_us, first_x, row = high_us | (upper >> 22 & 0x3F), upper >> 11 & 0x7FF, upper & 0x7FF
            if n + 32 > len(t) and _ones(valid) > len(t) - n:
                s.left, s.t, s.x, s.y, s.p = valid, time_us, first_x, row, kind
                break
            n, _ = _spread(valid, time_us, first_x, row, kind, n, t, x, y, p)
        elif kind <= EVT_POS:
            s.untimed += _ones(valid)
        elif kind == TIME_HIGH:
            high_us = after_time_high(upper & 0xFFFFFFF, high_us, LOW_BITS, HIGH_BITS)
            is_timed = 1
        elif kind == EXT_TRIGGER:
            s.triggers += 1
        elif kind in (OTHERS, CONTINUED):
            s.others += 1
        else:
            s.reserved += 1
        at += 1
    s.high_us, s.is_timed = high_us, is_timed
    if 0 < s.bytes_left - WORD_BYTES * at < WORD_BYTES:
        s.damage = TRUNCATED
    s.position = WORD_BYTES * at
    s.n_events = n


@kernel
def _spread(
    valid: np.int64,
    time_us: np.int64,
    first_x: np.int64,
    row: np.int64,
    on: np.int64,
    n: np.int64,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> tuple[np.int64, np.int64]:
    """Events of the valid bits of a word, while there is room; returns the events then and the bits left."""
    while valid and n < len(t):
        t[n] = time_us
        x[n] = first_x + _lowest(valid)
        y[n] = row
        p[n] = on
        n += 1
        valid &= valid - 1
    return n, valid


@kernel
def _lowest(valid: np.int64) -> np.int64:
    """The place of the lowest of 32 bits: times the sequence, each of them has its own upper five bits."""
    return np.int64(PLACES[np.uint64((valid & -valid) * DE_BRUIJN >> 27 & 31)])


@kernel
def _ones(valid: np.int64) -> int:
    n = 0
    while valid:
        valid &= valid - 1
        n += 1
    return n


def reference(uppers: NDArray[np.uint32], lowers: NDArray[np.uint32]) -> Columns:
    """Events of words that begin with a TIME_HIGH, of which the two halves are given."""
    kind, highs = uppers >> 28, np.flatnonzero(uppers >> 28 == TIME_HIGH)
    high = (uppers[highs] & 0xFFFFFFF).astype(np.int64)
    high += np.cumsum(np.diff(high, prepend=high[0]) <= -(1 << 27)) << HIGH_BITS
    bits = (lowers[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(np.bool_)  # [n_words, 32]
    word, bit = np.nonzero(bits & (kind <= EVT_POS)[:, None])
    upper = uppers[word].astype(np.int64)
    t = high[np.searchsorted(highs, word) - 1] << LOW_BITS | upper >> 22 & 0x3F
    x, y = (upper >> 11 & 0x7FF) + bit, upper & 0x7FF
    return Columns(t, x.astype(np.uint16), y.astype(np.uint16), upper >> 28 == EVT_POS)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """The only damage that shows: a file that ends within a word."""
    return f"{len(raw)} bytes left where a word needs {WORD_BYTES}; {GET_AGAIN}"


DECODINGS = {
    order: Decoding(
        decode=partial(decode, upper),
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
    for order, upper in UPPER_HALF.items()
}


def write_file(events: Stream, path: Path) -> None:
    """One event a word, in the order "little"; a TIME_HIGH often enough that readers see every wrap from time 0.

    Raises
    ------
    FormatError
        When a time is negative or from 2^48 us on, or a coordinate needs more than 11 bits.
    """
    write_words(events, path, "EVT21", LAST_TIME_US, _words, "endianness little")


def _words(events: EventArray, before: EventArray | None) -> NDArray[np.uint64]:
    """Words of some events after the last one written (None: these are the first)."""
    n_highs, highs = high_steps(events, before, LOW_BITS, HIGH_BITS)
    is_event = np.zeros(len(events) + len(highs), np.bool_)
    is_event[np.cumsum(n_highs + 1) - 1] = True
    t, x, y, p = (column.astype(np.uint64) for column in (events.t, events.x, events.y, events.p))
    words = np.empty(len(is_event), "<u8")
    words[is_event] = (p << 28 | (t & 0x3F) << 22 | (x & 0x7E0) << 11 | y) << 32 | np.uint64(1) << (x & 0x1F)
    words[~is_event] = (TIME_HIGH << 28 | highs).astype(np.uint64) << 32
    return words


FORMAT = Format(
    name="evt21",
    version=1,
    title="EVT 2.1 .raw: Prophesee cameras, up to 32 events a word",
    extensions=(".raw",),
    sniff=partial(sniff_encoding, "EVT21"),
    open=partial(open_words, "EVT21", _decoding),
    write=write_file,
)
