"""Rows of numbers in text as events, exactly: decimal digits become whole microseconds without a float between."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.formats._csv_layout import ROLES, Layout
from neurodata.kernel import kernel
from neurodata.signals import LAST_TIME_US

SHORTEST_ROW_BYTES = 8  # "0 0 0 0\n"
FULL = (
    2**63 - 10
) // 10  # int64 holds one more digit of a smaller mantissa; later ones are below any clock's resolution
LARGEST_POWER = 18
LARGEST_EXPONENT = 10_000
POWERS = 10 ** np.arange(LARGEST_POWER + 1, dtype=np.int64)

# The state remembers which OFF the file has used: 0 and -1 in one file leave open what 0 means.
STATE = np.dtype([*CURSOR, ("off_values", "<i8")])
ZERO, MINUS_ONE = 1, 2

NOT_A_NUMBER, COLUMNS, COORDINATE, POLARITY, TIME, NO_LINE_END = 1, 2, 3, 4, 5, 6
REASONS = {
    NOT_A_NUMBER: "a field is no number",
    COLUMNS: "the row has not the {n} columns of the others",
    COORDINATE: "x or y is not a whole number from 0 to 65535",
    POLARITY: "the polarity is none of 0 and 1, nor of -1 and 1 as before",
    TIME: "the time is beyond 2^62 us",
    NO_LINE_END: "the line is too long for a row of numbers",
}

NEWLINE, RETURN, SPACE, TAB, COMMA, SEMICOLON, HASH = (np.uint8(ord(c)) for c in "\n\r \t,;#")
PLUS, MINUS, POINT, UPPER_E, LOWER_E = (np.uint8(ord(c)) for c in "+-.Ee")
ZERO_DIGIT = ord("0")
ZERO_BYTE, NINE = np.uint8(ZERO_DIGIT), np.uint8(9)


def decoding(layout: Layout) -> Decoding:
    """How rows of this layout become events."""
    return Decoding(
        decode=partial(decode, layout=layout),
        state=STATE,
        event_bytes=SHORTEST_ROW_BYTES,
        explain=partial(explain, layout=layout),
        counted={},
    )


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns, layout: Layout) -> None:
    """Rows of text; see `Decoding`. Empty lines and those that begin with # are skipped."""
    roles = np.array([ROLES.find(role) for role in layout.columns], np.int64)
    _decode(raw, state, roles, layout.exponent, *columns)


@kernel
def _decode(
    raw: NDArray[np.uint8],
    state: NDArray[Any],
    roles: NDArray[np.int64],
    exponent: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    at, n = 0, 0
    values = np.zeros(5, np.int64)  # t, x, y, p, and one for columns of no meaning
    while at < len(raw) and n < len(t):
        at, n_plain = _plain_rows(raw, at, s.off_values == MINUS_ONE, roles, exponent, t[n:], x[n:], y[n:], p[n:])
        n += n_plain
        if n_plain and s.off_values == 0 and not np.all(p[n - n_plain : n]):
            s.off_values = ZERO
        if at == len(raw) or n == len(t):
            break
        end = at
        while end < len(raw) and raw[end] != NEWLINE:
            end += 1
        if end == len(raw) and s.bytes_left > len(raw):
            if at == 0:
                s.damage = NO_LINE_END
            break
        first = at
        while first < end and (raw[first] == SPACE or raw[first] == TAB or raw[first] == RETURN):
            first += 1
        if first < end and raw[first] != HASH:
            s.damage = _row(raw, first, end, roles, exponent, values)
            off = values[3]
            if s.damage == 0 and off < 1:
                s.off_values |= ZERO if off == 0 else MINUS_ONE
                if s.off_values == ZERO | MINUS_ONE:
                    s.damage = POLARITY
            if s.damage:
                break
            t[n], x[n], y[n], p[n] = values[0], values[1], values[2], values[3] > 0
            n += 1
        at = min(end + 1, len(raw))
    s.position = at
    s.n_events = n


@kernel
def _plain_rows(
    raw: NDArray[np.uint8],
    start: int,
    off_is_minus_one: bool,
    roles: NDArray[np.int64],
    exponent: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> tuple[int, int]:
    """Read rows of digits, with one byte between two fields, the time perhaps with a point, up to the first other row.

    Returns where that row begins, and how many were read. `_row` reads every row, these with the same result.
    """
    values = np.zeros(5, np.int64)
    lowest_p = 1 if off_is_minus_one else 0
    n_bytes, n_rows = np.uint64(len(raw)), np.uint64(len(t))
    row, n = np.uint64(start), np.uint64(0)  # unsigned: an index that may count from the end costs more
    while n < n_rows:
        at = row
        for k in range(len(roles)):
            role = roles[k]
            first, point, value = at, n_bytes, 0
            while at < n_bytes:
                digit = np.uint8(raw[at] - ZERO_BYTE)
                if digit <= NINE:
                    value = 10 * value + int(np.int64(digit))
                elif role == 0 and raw[at] == POINT and point == n_bytes:
                    point = at
                else:
                    break
                at += np.uint64(1)
            n_digits = np.int64(at - first) - (point < n_bytes)
            if at == n_bytes or n_digits < 1 or n_digits > LARGEST_POWER:
                return int(np.int64(row)), int(np.int64(n))
            if role == 0 and (exponent or point < n_bytes):
                n_decimals = int(np.int64(at - point)) - 1 if point < n_bytes else 0
                value, is_plain = _scaled(value, exponent - n_decimals)
            elif role == 3:
                is_plain = lowest_p <= value <= 1
            else:
                is_plain = role <= 0 or value <= 65535
            after = raw[at]
            if k == len(roles) - 1:
                is_plain = is_plain and bool(after == NEWLINE)
            else:
                is_plain = is_plain and after in (COMMA, SPACE, TAB, SEMICOLON)
            if not is_plain:
                return int(np.int64(row)), int(np.int64(n))
            values[role] = value
            at += np.uint64(1)
        t[n], x[n], y[n], p[n] = values[0], values[1], values[2], values[3] > 0
        n += np.uint64(1)
        row = at
    return int(np.int64(row)), int(np.int64(n))


@kernel
def _row(
    raw: NDArray[np.uint8], at: int, end: int, roles: NDArray[np.int64], exponent: int, values: NDArray[np.int64]
) -> int:
    """Read the fields of one line into values; 0, or what is wrong with it.

    A field is the number mantissa * 10^power. All in one function: a call with an array costs more than a field.
    """
    for k in range(len(roles)):
        if k and at < end and (raw[at] == COMMA or raw[at] == SEMICOLON):
            at += 1
            while at < end and (raw[at] == SPACE or raw[at] == TAB or raw[at] == RETURN):
                at += 1
        if at == end:
            return COLUMNS
        is_negative = raw[at] == MINUS
        if is_negative or raw[at] == PLUS:
            at += 1
        mantissa, power, n_digits, has_point = 0, 0, 0, False
        while at < end:
            digit = int(np.int64(raw[at])) - ZERO_DIGIT
            if 0 <= digit <= 9:
                n_digits += 1
                if mantissa <= FULL:
                    mantissa = 10 * mantissa + digit
                    power -= has_point
                else:
                    power += not has_point
            elif raw[at] == POINT and not has_point:
                has_point = True
            else:
                break
            at += 1
        if n_digits == 0:
            return NOT_A_NUMBER
        if at < end and (raw[at] == LOWER_E or raw[at] == UPPER_E):
            shift, after = read_exponent(raw, at + 1, end)
            if after == at + 1:
                return NOT_A_NUMBER
            power, at = power + shift, after
        if is_negative:
            mantissa = -mantissa
        role = roles[k]
        if role == 0:
            values[0], fits = _scaled(mantissa, power + exponent)
            if not fits:
                return TIME
        elif role > 0:
            values[role], is_whole = _whole(mantissa, power)
            if role < 3 and not (is_whole and 0 <= values[role] <= 65535):
                return COORDINATE
            if role == 3 and not (is_whole and -1 <= values[role] <= 1):
                return POLARITY
        after = at
        while at < end and (raw[at] == SPACE or raw[at] == TAB or raw[at] == RETURN):
            at += 1
        if at == after < end and raw[at] != COMMA and raw[at] != SEMICOLON:
            return NOT_A_NUMBER
    return 0 if at == end else COLUMNS


@kernel
def read_exponent(raw: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """A whole number with a sign, and the byte after it; at itself: there is none."""
    start = at
    is_negative = at < end and raw[at] == MINUS
    if at < end and (raw[at] == MINUS or raw[at] == PLUS):
        at += 1
    first, exponent = at, 0
    while at < end and 0 <= int(np.int64(raw[at])) - ZERO_DIGIT <= 9:
        exponent = min(10 * exponent + int(np.int64(raw[at])) - ZERO_DIGIT, LARGEST_EXPONENT)
        at += 1
    return (-exponent if is_negative else exponent), (at if at > first else start)


@kernel
def _scaled(mantissa: int, power: int) -> tuple[int, bool]:
    """Nearest whole number to mantissa * 10^power (halves away from zero), and whether it is a valid time."""
    size = abs(mantissa)
    if power == 0:
        return mantissa, size <= LAST_TIME_US
    if size == 0 or power < -LARGEST_POWER:
        return 0, True
    if power < 0:
        size = size // POWERS[-power] + (2 * (size % POWERS[-power]) >= POWERS[-power])
    elif power > LARGEST_POWER or size > LAST_TIME_US // POWERS[power]:
        return 0, False
    else:
        size *= POWERS[power]
    return (-size if mantissa < 0 else size), True


@kernel
def _whole(mantissa: int, power: int) -> tuple[int, bool]:
    """Value of mantissa * 10^power, and whether it is a whole number that int64 holds."""
    if power == 0:
        return mantissa, True
    value, fits = _scaled(mantissa, power)
    if power < -LARGEST_POWER:
        return 0, mantissa == 0
    return value, fits and (power >= 0 or abs(mantissa) % POWERS[-power] == 0)


def reference(line: str, layout: Layout) -> tuple[int, int, int, bool]:
    """The event of one sound row: t, x, y, p."""
    fields = dict(zip(layout.columns, line.replace(",", " ").replace(";", " ").split(), strict=True))
    t = Decimal(fields["t"]).scaleb(layout.exponent).to_integral_value(ROUND_HALF_UP)
    return int(t), int(Decimal(fields["x"])), int(Decimal(fields["y"])), Decimal(fields["p"]) > 0


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any], layout: Layout) -> str:
    """What is wrong with the line that begins there."""
    line = raw[:80].tobytes().split(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
    reason = REASONS[int(state["damage"][0])].format(n=len(layout.columns))
    return f"{reason}: {line!r}, read as {layout}; the file is damaged, or its columns are other ones: {WAYS_OUT}"


WAYS_OUT = (
    "put a line such as 't[s] x y p' or 'x,y,p,t[us]' before the first row, "
    "or state format= csv_txyp_s, csv_txyp_us, csv_xytp_us or csv_xypt_us"
)
