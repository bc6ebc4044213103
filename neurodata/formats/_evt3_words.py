"""EVT 3.0 words to events, and events to words.

A word is 16 bits, little-endian; its upper four tell its type, the others change the decoder's state:
time, row, and base column, or make events of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.formats._prophesee import GET_AGAIN, NoRoomError, after_time_high, high_steps
from neurodata.kernel import kernel
from neurodata.signals import EventArray

WORD_BYTES = 2
ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8 = 0x0, 0x2, 0x3, 0x4, 0x5
TIME_LOW, CONTINUED_4, TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED_12 = 0x6, 0x7, 0x8, 0xA, 0xE, 0xF
COLUMNS = 1 << 11  # that the words can address
TIME_BITS = 12  # of each part
# In a kernel, Python's integers would widen 32-bit words to 64 bits.
U0, U1, U11, U12, U_TIME, U_COLUMN = (np.uint32(value) for value in (0, 1, 11, 12, 0xFFF, 0x7FF))

STATE = np.dtype(
    [
        *CURSOR,
        ("is_timed", "<i8"),  # a TIME_HIGH has been seen
        ("is_placed", "<i8"),  # and after it an ADDR_Y
        ("high_us", "<i8"),  # the time of the last TIME_HIGH, with wraps
        ("low_us", "<i8"),
        ("y", "<i8"),
        ("base_x", "<i8"),
        ("base_p", "<i8"),
        ("left", "<i8"),  # bits still to come of the vector at `position`; 0: it is not begun
        ("unplaced", "<i8"),
        ("triggers", "<i8"),
        ("others", "<i8"),
        ("reserved", "<i8"),
    ]
)
TRUNCATED, BAD_VECTOR = 1, 2  # damage


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of words; see `Decoding`."""
    if len(columns.t) == 0:
        raise NoRoomError
    _decode(np.frombuffer(raw, "<u2", len(raw) // WORD_BYTES), state, *columns)


@kernel
def _decode(
    words: NDArray[np.uint16],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    n = np.int64(0)
    at = 0 if s.is_placed else _skip_to_first_row(words, s)
    high_us, low_us, row, base_x, on = s.high_us, np.uint32(s.low_us), np.uint32(s.y), s.base_x, s.base_p
    if s.left:
        n, s.left = _spread(s.left, base_x, high_us + low_us, row, on, n, t, x, y, p)
        if s.left == 0:
            base_x += 12 if words[0] >> 12 == VECT_12 else 8
            at = 1
    while n < len(t) and at < len(words) and s.left == 0:
        word = np.uint32(words[at])
        kind = word >> U12
        if kind in (ADDR_X, ADDR_Y, TIME_LOW):
            # Without branches: what is written for a word that makes no event is written over by the next.
            low_us = word & U_TIME if kind == TIME_LOW else low_us
            row = word & U_COLUMN if kind == ADDR_Y else row
            t[n] = high_us + low_us
            x[n] = word & U_COLUMN
            y[n] = row
            p[n] = (word >> U11) & U1
            n += kind == ADDR_X
        elif kind in (VECT_12, VECT_8):
            width = 12 if kind == VECT_12 else 8
            valid = np.int64(word) & ((1 << width) - 1)
            if base_x + width > COLUMNS and valid >> max(0, COLUMNS - base_x):
                s.damage = BAD_VECTOR
                break
            if n + width > len(t) and _ones(valid) > len(t) - n:
                s.left = valid
                break
            n, _ = _spread(valid, base_x, high_us + low_us, row, on, n, t, x, y, p)
            base_x += width
        elif kind == VECT_BASE_X:
            base_x, on = np.int64(word & U_COLUMN), np.int64((word >> U11) & U1)
        elif kind == TIME_HIGH:
            high_us, low_us = _after_time_high(word, high_us, low_us)
        else:
            _count_other(kind, s)
        at += 1
    s.high_us, s.low_us, s.y, s.base_x, s.base_p = high_us, low_us, row, base_x, on
    if s.bytes_left - WORD_BYTES * at == 1:
        s.damage = TRUNCATED
    s.position = WORD_BYTES * at
    s.n_events = n


@kernel
def _skip_to_first_row(words: NDArray[np.uint16], s: Any) -> int:
    """Words up to the first ADDR_Y after the first TIME_HIGH: before that, events have no time or no row."""
    for at in range(len(words)):
        word = np.uint32(words[at])
        kind = word >> U12
        if kind == TIME_HIGH:
            s.high_us, s.low_us = _after_time_high(word, s.high_us, np.uint32(s.low_us))
            s.is_timed = 1
        elif kind == ADDR_X:
            s.unplaced += 1
        elif kind in (VECT_12, VECT_8):
            s.unplaced += _ones(np.int64(word) & (0xFFF if kind == VECT_12 else 0xFF))
        elif kind == TIME_LOW:
            s.low_us = word & U_TIME if s.is_timed else 0
        elif kind == ADDR_Y and s.is_timed:
            s.y = word & U_COLUMN
            s.is_placed = 1
            return at + 1
        elif kind > VECT_8:
            _count_other(kind, s)
    return len(words)


@kernel
def _after_time_high(word: np.uint32, before_us: np.int64, low_us: np.uint32) -> tuple[np.int64, np.uint32]:
    """Both parts of the time; a new upper part begins with a lower one of 0."""
    high_us = after_time_high(np.int64(word & U_TIME), before_us, TIME_BITS, TIME_BITS)
    return high_us, low_us if high_us == before_us else U0


@kernel
def _spread(
    valid: np.int64,
    base_x: np.int64,
    time_us: np.int64,
    row: np.uint32,
    on: np.int64,
    n: np.int64,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> tuple[np.int64, np.int64]:
    """Events of the valid bits of a vector, while there is room; returns the events then and the bits left."""
    while valid and n < len(t):
        bit = np.int64(0)
        for k in range(11):  # the place of the lowest bit, without branches
            bit += (valid & -valid) >> k > 1
        t[n] = time_us
        x[n] = base_x + bit
        y[n] = row
        p[n] = on
        n += 1
        valid &= valid - 1
    return n, valid


@kernel
def _ones(valid: np.int64) -> np.int64:
    n = np.int64(0)
    for bit in range(12):
        n += valid >> bit & 1
    return n


@kernel
def _count_other(kind: np.uint32, s: Any) -> None:
    if kind == EXT_TRIGGER:
        s.triggers += 1
    elif kind in (OTHERS, CONTINUED_4, CONTINUED_12):
        s.others += 1
    else:
        s.reserved += 1


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """What is wrong with the word at the beginning of raw."""
    if state["damage"][0] == BAD_VECTOR:
        return f"vector from column {state['base_x'][0]} passes column {COLUMNS - 1}, the last of EVT3; {GET_AGAIN}"
    return f"1 byte left where a word needs {WORD_BYTES}; {GET_AGAIN}"


DECODING = Decoding(
    decode=decode,
    state=STATE,
    event_bytes=WORD_BYTES,
    explain=explain,
    counted={
        "before the first time and row": "unplaced",
        "external triggers": "triggers",
        "other words": "others",
        "reserved words": "reserved",
    },
)


def reference(words: NDArray[np.uint16]) -> Columns:
    """Events of words that begin with TIME_HIGH, ADDR_Y, VECT_BASE_X: each field as its last word left it."""
    kind, value = words >> 12, (words & 0xFFF).astype(np.int64)
    width = 12 * (kind == VECT_12) + 8 * (kind == VECT_8)
    valid = np.where(kind == ADDR_X, 1, value & ((1 << width) - 1))
    word, bit = np.nonzero(valid[:, None] >> np.arange(12) & 1)  # [n_events]
    high = _latest(kind == TIME_HIGH, value)
    low = _latest((kind == TIME_LOW) | (np.diff(high, prepend=-1) != 0), np.where(kind == TIME_LOW, value, 0))
    t = np.cumsum(np.diff(high, prepend=0) <= -1 << (TIME_BITS - 1)) << 24 | high << 12 | low
    start = np.cumsum(width) - width  # of each vector, from the base of the first
    address = np.where(kind == ADDR_X, value, _latest(kind == VECT_BASE_X, value - start) + start)
    on = np.where(kind == ADDR_X, value, _latest(kind == VECT_BASE_X, value)) >> 11
    x, y = (address & 0x7FF)[word] + bit, _latest(kind == ADDR_Y, value & 0x7FF)[word]
    return Columns(t[word], x.astype(np.uint16), y.astype(np.uint16), on[word] == 1)


def _latest(is_set: NDArray[np.bool_], values: NDArray[np.int64]) -> NDArray[np.int64]:
    latest: NDArray[np.int64] = values[np.maximum.accumulate(np.where(is_set, np.arange(len(values)), 0))]
    return latest


def words_of(events: EventArray, before: EventArray | None) -> NDArray[np.uint16]:
    """Words of some events, without vectors, after the last one written (None: these are the first)."""
    n_highs, highs = high_steps(events, before, TIME_BITS, TIME_BITS)
    is_new_time = np.diff(events.t, prepend=before.t if before else -1) != 0
    is_new_row = np.diff(events.y.astype(np.int64), prepend=before.y.astype(np.int64) if before else -1) != 0
    ends = np.cumsum(n_highs + is_new_time + is_new_row + 1)  # [n] words up to and with each event's own
    words = np.empty(int(ends[-1]), "<u2")
    words[ends - 1] = ADDR_X << 12 | events.p.astype(np.uint16) << 11 | events.x
    words[(ends - 2)[is_new_row]] = ADDR_Y << 12 | events.y[is_new_row]
    words[(ends - 2 - is_new_row)[is_new_time]] = TIME_LOW << 12 | (events.t[is_new_time] & 0xFFF)
    first = ends - 1 - is_new_row - is_new_time - n_highs
    words[np.repeat(first - np.cumsum(n_highs) + n_highs, n_highs) + np.arange(len(highs))] = TIME_HIGH << 12 | highs
    return words
