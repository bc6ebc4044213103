"""The sparse code: unsigned counts as one byte for nearly every cell that is not zero.

A sample's cells are numbered in C order. Its code is a byte that says how many bits of a token are gap (1 to 7, chosen
for the shortest code), and then tokens. With g bits of gap and b = 8 - g bits of count, and `cell` starting at -1,
a token (gap, count), gap in the high bits, is one of

    gap > 0, count > 0   cell += gap                  cells[cell]  = count
    gap > 0, count = 0   cell += gap * (2^g - 1)      nothing there: the way to a cell farther away
    gap = 0              the j-th such token in a row, from j = 0 on, makes the count of the cell larger:
                                                      cells[cell] += (2^b - 1) * count * 2^(b j)

so that a gap n is (n - 1) // (2^g - 1) in skips of at most 2^g - 1 each, and 1 + (n - 1) % (2^g - 1) in the token; a
count c is 1 + (c - 1) % (2^b - 1) in the token, and (c - 1) // (2^b - 1) in tokens of b bits, the lowest first. Cells
that no token names are zero. Nothing is lost, whatever the counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel

GAP_BITS = range(1, 8)
_SMALL = 256  # gaps and counts below are tallied; the few others are worked out one by one


def encode(cells: NDArray[Any]) -> NDArray[np.uint8]:
    """The code of an array of bool or unsigned counts; an empty one, or one of zeros only, has the code [gap bits].

    The width of the gap is the one of the shortest code (the smallest of these): a function of the counts alone.
    """
    flat = np.ascontiguousarray(cells).reshape(-1)
    n = np.count_nonzero(flat)
    gaps, counts = np.empty(n + 1, np.int64), np.empty(n + 1, np.uint64)  # the last ones are scratch
    find_counts(flat, gaps, counts)
    gaps, counts = gaps[:n], counts[:n]
    sizes = code_sizes(gaps, counts)
    best = int(np.argmin(sizes[1:])) + 1
    code = np.empty(1 + sizes[best], np.uint8)
    code[0] = best
    write_tokens(gaps, counts, best, code)
    return code


@kernel
def find_counts(cells: NDArray[Any], gaps: NDArray[np.int64], counts: NDArray[np.uint64]) -> None:
    """Every count that is not zero, and how far its cell lies behind that of the one before (the first: behind -1)."""
    n, last = 0, -1
    for k in range(len(cells)):
        # Without a branch: what is no count is written over by the next one.
        gaps[n], counts[n] = k - last, cells[k]
        is_count = cells[k] != 0
        n += is_count
        last = k if is_count else last


@kernel
def code_sizes(gaps: NDArray[np.int64], counts: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Number of tokens for these gaps and counts, int64 [8]: by the bits of a gap, 1 to 7."""
    sizes = np.zeros(8, np.int64)
    # What a gap costs and what a count costs do not depend on each other.
    of_gap, of_count = np.zeros(_SMALL, np.int64), np.zeros(_SMALL, np.int64)
    for k in range(len(gaps)):
        if gaps[k] < _SMALL and counts[k] < np.uint64(_SMALL):
            of_gap[gaps[k]] += 1
            of_count[counts[k]] += 1
        else:
            for bits in range(1, 8):
                sizes[bits] += n_skips(gaps[k], bits) + n_rests(np.int64(counts[k]), bits)
    for bits in range(1, 8):
        sizes[bits] += len(gaps)
        for value in range(1, _SMALL):
            sizes[bits] += of_gap[value] * n_skips(value, bits) + of_count[value] * n_rests(value, bits)
    return sizes


@kernel
def n_skips(gap: int, gap_bits: int) -> int:
    """Tokens that go a part of the way to the cell."""
    farthest = (1 << gap_bits) - 1
    return ((gap - 1) // farthest + farthest - 1) // farthest


@kernel
def n_rests(count: int | np.int64, gap_bits: int) -> int:
    """Tokens that make the count larger."""
    rest = (count - 1) // ((1 << (8 - gap_bits)) - 1)
    n = 0
    while rest > 0:
        rest >>= 8 - gap_bits
        n += 1
    return n


@kernel
def write_tokens(gaps: NDArray[np.int64], counts: NDArray[np.uint64], gap_bits: int, code: NDArray[np.uint8]) -> None:
    """Write the tokens from code[1] on."""
    count_bits = 8 - gap_bits
    farthest, highest = (1 << gap_bits) - 1, (1 << count_bits) - 1
    n = 1
    for k in range(len(gaps)):
        if gaps[k] <= farthest and counts[k] <= highest:
            code[n] = gaps[k] << count_bits | np.int64(counts[k])  # without the divisions below
            n += 1
            continue
        skips = (gaps[k] - 1) // farthest
        while skips > 0:
            skip = min(skips, farthest)
            code[n] = skip << count_bits
            skips -= skip
            n += 1
        rest = (np.int64(counts[k]) - 1) // highest
        code[n] = (1 + (gaps[k] - 1) % farthest) << count_bits | (1 + (np.int64(counts[k]) - 1) % highest)
        n += 1
        while rest > 0:
            code[n] = rest & highest
            rest >>= count_bits
            n += 1


@kernel
def decode_into(code: NDArray[np.uint8], out: NDArray[Any], largest: int) -> int:
    """Write the cells of a code over `out`, 1-D of any type; the number of tokens, or -1 - the place of a false byte.

    False is a code without a first byte, one that names a cell beyond the end, or a count above `largest`.
    """
    out[:] = 0
    if len(code) == 0 or not 1 <= code[0] <= 7:
        return -1
    count_bits = np.uint8(8 - code[0])
    mask = np.uint8((1 << count_bits) - 1)
    farthest = np.int64((1 << code[0]) - 1)
    cell, shift = np.int64(-1), np.int64(0)
    n_cells = np.int64(len(out))
    for k in range(1, len(code)):
        token = code[k]
        gap, count = np.int64(token >> count_bits), token & mask
        if gap != 0:
            if count != 0:
                cell += gap
                if cell >= n_cells:
                    return -1 - k
                out[np.uintp(cell)] = count
            else:
                cell += gap * farthest
            shift = np.int64(0)
        else:
            if cell < 0 or cell >= n_cells or shift > 56:
                return -1 - k
            total = np.int64(out[cell]) + (np.int64(mask) * np.int64(count) << shift)
            if total > largest:
                return -1 - k
            out[cell] = total
            shift += count_bits
    return len(code) - 1
