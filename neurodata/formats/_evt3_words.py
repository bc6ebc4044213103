"""EVT 3.0 words to events, and events to words.

A word is 16 bits, little-endian; its upper four tell its type, the others change the decoder's state:
time, row, and base column, or make events of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.formats._prophesee import GET_AGAIN, after_time_high, high_steps
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


# An event on its way to the columns is one number: TIME_LOW in bits 0-11, y in 12-22, x in 24-34, p in 35. A word of
# these types replaces twelve bits of the event before it.
PLACE = np.zeros(16, np.uint64)
PLACE[[TIME_LOW, ADDR_Y, ADDR_X]] = (0, 12, 24)
KEPT = ~(np.uint64(0xFFF) << PLACE)
L_Y, L_X, L_P = (np.uint64(place) for place in (12, 24, 35))
L_TIME, L_ROW, L_TIME_AND_Y = (np.uint64(mask) for mask in (0xFFF, 0x7FF, 0x7FFFFF))
IS_FIELD = np.uint32(1 << TIME_LOW | 1 << ADDR_Y | 1 << ADDR_X)
IS_COLLECTED = int(IS_FIELD) | 1 << VECT_12 | 1 << VECT_8 | 1 << VECT_BASE_X
# For every twelve valid bits, how many are set, and their places, the lowest first.
_IS_SET = (np.arange(1 << 12)[:, None] >> np.arange(12) & 1).astype(np.bool_)  # [4096, 12]
N_SET = _IS_SET.sum(axis=1).astype(np.uint8)
SET = np.argsort(~_IS_SET, axis=1, kind="stable").astype(np.uint8)
PENDING = 1 << 10  # events stay in a core's first-level cache


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of words; see `Decoding`."""
    pending = np.empty(PENDING + 12, np.uint64)
    _decode(np.frombuffer(raw, "<u2", len(raw) // WORD_BYTES), state, pending, *columns)


@kernel
def _decode(
    words: NDArray[np.uint16],
    state: NDArray[Any],
    pending: NDArray[np.uint64],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    n = 0
    at = 0 if s.is_placed else _skip_to_first_row(words, s)
    if s.left:
        n = _resume(words, s, pending, len(t))
        at = 1 if s.left == 0 else 0
        _unpack(pending[:n], s.high_us, t, x, y, p)
    while n < len(t) and at < len(words) and s.left == 0 and s.damage == 0:
        at, n_pending = _collect(words, at, s, pending[: 12 + min(PENDING, len(t) - n)])
        _unpack(pending[:n_pending], s.high_us, t[n:], x[n:], y[n:], p[n:])
        n += n_pending
        if n == len(t) or at == len(words):
            break
        word = np.uint32(words[at])
        kind = word >> U12
        if kind == TIME_HIGH:
            s.high_us, s.low_us = _after_time_high(word, s.high_us, np.uint32(s.low_us))
            at += 1
        elif IS_COLLECTED >> kind & 1 == 0:
            _count_other(kind, s)
            at += 1
    if s.bytes_left - WORD_BYTES * at == 1:
        s.damage = TRUNCATED
    s.position = WORD_BYTES * at
    s.n_events = n


@kernel
def _resume(words: NDArray[np.uint16], s: Any, pending: NDArray[np.uint64], room: int) -> int:
    """Put what is left of the vector at the first word into pending; returns how many events fit."""
    _spread(s.left, np.uint64(s.low_us) | np.uint64(s.y) << L_Y, s.base_x, s.base_p, pending, np.uint64(0))
    n = 0
    while s.left and n < room:
        s.left &= s.left - 1
        n += 1
    if s.left == 0:
        s.base_x += 12 if words[0] >> 12 == VECT_12 else 8
    return n


@kernel
def _collect(words: NDArray[np.uint16], at: int, s: Any, pending: NDArray[np.uint64]) -> tuple[int, int]:
    """Put events into pending, which has room for a vector more, up to a word that makes none and changes no field.

    Returns the words and the events then. A vector that does not fit waits for the next call, or, where it is the
    first, is `left` for it. Without branches for what follows no pattern in a recording: what is written for a word
    that makes no event is written over by the next.
    """
    room = np.uint64(len(pending) - 12)
    n_words = np.uint64(len(words))
    i, n = np.uint64(at), np.uint64(0)  # unsigned: an index that may count from the end costs two instructions more
    event = np.uint64(s.low_us) | np.uint64(s.y) << L_Y
    base_x, on = s.base_x, s.base_p
    while i < n_words and n < room:
        word = np.uint32(words[i])
        kind = word >> U12
        if IS_FIELD >> kind & U1:
            event = (event & KEPT[kind]) | np.uint64(word & U_TIME) << PLACE[kind]
            pending[n] = event
            n += np.uint64(kind == ADDR_X)
        elif kind in (VECT_12, VECT_8):
            width = 12 if kind == VECT_12 else 8
            valid = np.int64(word) & ((1 << width) - 1)
            if base_x + width > COLUMNS and valid >> max(0, COLUMNS - base_x):
                s.damage = BAD_VECTOR
                break
            n_set = np.uint64(N_SET[np.uint64(valid)])
            if n + n_set > room:
                s.left = valid if n == 0 else 0
                break
            _spread(valid, event, base_x, on, pending, n)
            n += n_set
            base_x += width
        elif kind == VECT_BASE_X:
            base_x, on = np.int64(word & U_COLUMN), np.int64((word >> U11) & U1)
        else:
            break
        i += np.uint64(1)
    s.low_us, s.y, s.base_x, s.base_p = np.int64(event & L_TIME), np.int64(event >> L_Y & L_ROW), base_x, on
    return int(np.int64(i)), int(np.int64(n))


@kernel
def _spread(
    valid: np.int64, event: np.uint64, base_x: np.int64, on: np.int64, pending: NDArray[np.uint64], n: np.uint64
) -> None:
    """Write twelve events, of which those of the valid bits come first, at the time and in the row of this one."""
    first = (event & L_TIME_AND_Y) | np.uint64(base_x) << L_X | np.uint64(on) << L_P
    for k in range(12):
        pending[n + np.uint64(k)] = first + (np.uint64(SET[np.uint64(valid), np.uint64(k)]) << L_X)


@kernel
def _unpack(
    pending: NDArray[np.uint64],
    high_us: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    for i in range(len(pending)):
        event = pending[i]
        t[i] = high_us + np.int64(event & L_TIME)
        x[i] = np.uint32(event >> L_X) & U_COLUMN
        y[i] = np.uint32(event >> L_Y) & U_COLUMN
        p[i] = np.uint32(event >> L_P) & U1


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
