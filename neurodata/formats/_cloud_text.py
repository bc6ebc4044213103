"""Rows of numbers in text as a table, with the values that `float` has after rounding to float32.

Most numbers are read in one pass, mantissa times a power of ten: exact where both are exact in float64 (Clinger,
"How to read floating point numbers accurately", PLDI 1990), and otherwise good for float32 when both ends of the
interval of error round to the same one. The others, and nan and inf, go through `float`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._csv_numbers import (
    COMMA,
    FULL,
    HASH,
    LOWER_E,
    MINUS,
    NEWLINE,
    PLUS,
    POINT,
    RETURN,
    SEMICOLON,
    SPACE,
    TAB,
    UPPER_E,
    ZERO_DIGIT,
    read_exponent,
)
from neurodata.kernel import kernel

# What a field is in a plan, beside the number of its column in the table.
PASS, LIST = -1, -2

EXACT_MANTISSA = 1 << 53
EXACT_POWER = 22
LARGEST_POWER = 60
POWERS = np.array([float(f"1e{k}") for k in range(LARGEST_POWER + 1)])
# Four roundings of 2^-53 and what a cut mantissa loses are less than 2^-50.
BELOW, ABOVE = 1 - 2.0**-50, 1 + 2.0**-50
SMALLEST, LARGEST = 1e-37, 1e38  # float32 keeps all its bits between

NOT_A_NUMBER, COLUMNS, COUNT = 1, 2, 3
REASONS = {
    NOT_A_NUMBER: "a field is no number",
    COLUMNS: "the row has not the {n} fields that it should have",
    COUNT: "the length of a list is no whole number",
}
ODD_NUMBERS = 4096
BETWEEN = re.compile(r"[ \t]*[,;][ \t]*|[ \t]+")
NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE | re.ASCII)


def rows(
    path: Path, raw: NDArray[np.uint8], at: int, plan: NDArray[np.int64], n_rows: int
) -> tuple[NDArray[np.float64], int]:
    """At most n_rows rows of text, and the byte after them.

    Empty lines are no rows; what follows a # is none either. The caller has compared n_rows with the bytes there are.

    Parameters
    ----------
    raw
        The whole file.
    at
        Byte at which the first row begins.
    plan
        For each field of a row its column in the table, PASS, or LIST: a count, and as many numbers to pass over.

    Returns
    -------
    float64 [n, columns]: what rounds to the same float32 as float(text) does; whole numbers below 2^53 without a
    point are exact.

    Raises
    ------
    FormatError
        When a field is no number, or a row has another number of fields.
    """
    table = np.empty((n_rows, int(plan.max(initial=PASS)) + 1))
    odd = np.empty((max(ODD_NUMBERS, len(plan)), 4), np.int64)  # row, column, first byte, byte after
    n = 0
    while n < n_rows and at < len(raw):
        n, at, damage, n_odd = _rows(raw, at, plan, table, n, odd)
        for row, column, first, end in odd[:n_odd].tolist():
            text = raw[first:end].tobytes().decode("latin-1")
            if not NUMBER.fullmatch(text):
                raise damaged(path, raw, _line_start(raw, first), NOT_A_NUMBER, len(plan))
            table[row, column] = float(text)
        if damage:
            raise damaged(path, raw, at, damage, len(plan))
    return table[:n], at


def damaged(path: Path, raw: NDArray[np.uint8], at: int, damage: int, n_fields: int) -> FormatError:
    """The error for the line that begins at a byte."""
    line = re.split(rb"[\r\n]", raw[at : at + 80].tobytes())[0].decode("utf-8", "replace")
    return FormatError(
        f"{path}: byte {at}: {REASONS[damage].format(n=n_fields)}: {line!r}; the file is damaged: get it again"
    )


def _line_start(raw: NDArray[np.uint8], at: int) -> int:
    before = raw[max(0, at - (1 << 16)) : at].tobytes()
    return at - len(before) + max(before.rfind(b"\n"), before.rfind(b"\r")) + 1


def first_row(head: bytes, at: int) -> list[str]:
    """Fields of the first row from a byte on; [] when there is none."""
    for line in re.split(rb"[\r\n]", head[at:]):
        if text := line.split(b"#")[0].decode("latin-1").strip():
            return BETWEEN.split(text)
    return []


def reference(line: str) -> list[float]:
    """What a sound row of numbers holds."""
    return [float(np.float32(float(field))) for field in BETWEEN.split(line.split("#")[0].strip())]


@kernel
def skip_lines(raw: NDArray[np.uint8], at: int, n: int) -> tuple[int, int]:
    """The byte after n lines that are not empty, and how many of them there were."""
    n_seen = 0
    while at < len(raw) and n_seen < n:
        is_empty = True
        while at < len(raw) and raw[at] != NEWLINE and raw[at] != RETURN:
            is_empty = is_empty and (raw[at] == SPACE or raw[at] == TAB)
            at += 1
        n_seen += not is_empty
        at += 1
    return min(at, len(raw)), n_seen


@kernel
def _rows(
    raw: NDArray[np.uint8],
    at: int,
    plan: NDArray[np.int64],
    table: NDArray[np.float64],
    n: int,
    odd: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Rows from number n on; the number of rows then, the byte after them, what is wrong there, and the odd numbers.

    It ends early when there may be no room for the odd numbers of another row.
    """
    n_odd = 0
    while n < len(table) and at < len(raw) and n_odd + len(plan) <= len(odd):
        end = at
        while end < len(raw) and raw[end] != NEWLINE and raw[end] != RETURN and raw[end] != HASH:
            end += 1
        first = at
        while first < end and (raw[first] == SPACE or raw[first] == TAB):
            first += 1
        if first < end:
            damage, n_odd = _row(raw, first, end, plan, table, n, odd, n_odd)
            if damage:
                return n, at, damage, n_odd
            n += 1
        while end < len(raw) and raw[end] != NEWLINE and raw[end] != RETURN:
            end += 1
        at = min(end + 1, len(raw))
    return n, at, 0, n_odd


@kernel
def _row(
    raw: NDArray[np.uint8],
    at: int,
    end: int,
    plan: NDArray[np.int64],
    table: NDArray[np.float64],
    n: int,
    odd: NDArray[np.int64],
    n_odd: int,
) -> tuple[int, int]:
    """Read the fields of one line into row n; 0 or what is wrong with it, and the number of odd numbers."""
    k, n_passed = 0, 0  # fields of the plan read, and numbers of a list still to pass over
    is_first = True
    while k < len(plan) or n_passed > 0:
        if not is_first and at < end and (raw[at] == COMMA or raw[at] == SEMICOLON):
            at += 1
            while at < end and (raw[at] == SPACE or raw[at] == TAB):
                at += 1
        is_first = False
        if at == end:
            return COLUMNS, n_odd
        start = at
        is_negative = raw[at] == MINUS
        if is_negative or raw[at] == PLUS:
            at += 1
        mantissa, power, n_digits, has_point, is_cut = 0, 0, 0, False, False
        while at < end:
            digit = int(np.int64(raw[at])) - ZERO_DIGIT
            if 0 <= digit <= 9:
                n_digits += 1
                if mantissa <= FULL:
                    mantissa = 10 * mantissa + digit
                    power -= has_point
                else:
                    power += not has_point
                    is_cut = True
            elif raw[at] == POINT and not has_point:
                has_point = True
            else:
                break
            at += 1
        is_odd = n_digits == 0
        if not is_odd and at < end and (raw[at] == LOWER_E or raw[at] == UPPER_E):
            shift, after = read_exponent(raw, at + 1, end)
            is_odd = after == at + 1
            power, at = power + shift, after
        value = 0.0
        if mantissa != 0 and not is_odd:
            value = np.float64(mantissa)
            size = abs(power)
            if size > LARGEST_POWER:
                is_odd = True
            else:
                value = value * POWERS[size] if power > 0 else value / POWERS[size]
                if is_cut or mantissa >= EXACT_MANTISSA or size > EXACT_POWER:
                    is_odd = not SMALLEST < value < LARGEST or np.float32(value * BELOW) != np.float32(value * ABOVE)
        if is_odd:
            while at < end and raw[at] != SPACE and raw[at] != TAB and raw[at] != COMMA and raw[at] != SEMICOLON:
                at += 1
        if is_negative:
            value = -value
        if n_passed > 0:
            n_passed -= 1
        else:
            if plan[k] == LIST:
                if is_odd or not 0 <= value < EXACT_MANTISSA or value != np.floor(value):
                    return COUNT, n_odd
                n_passed = int(value)
            elif plan[k] >= 0:
                table[n, plan[k]] = value
                if is_odd:
                    odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2], odd[n_odd, 3] = n, plan[k], start, at
                    n_odd += 1
            k += 1
        after = at
        while at < end and (raw[at] == SPACE or raw[at] == TAB):
            at += 1
        if at == after < end and raw[at] != COMMA and raw[at] != SEMICOLON:
            return NOT_A_NUMBER, n_odd
    return (0 if at == end else COLUMNS), n_odd
