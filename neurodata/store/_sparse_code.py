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
# The same, those first that give the shortest code of most frames: the sizes of others are not counted to the end.
_LIKELY_FIRST = (4, 5, 3, 6, 2, 7, 1)
_LONGEST = 1 << 62


def encode(cells: NDArray[Any]) -> NDArray[np.uint8]:
    """The code of an array of bool or unsigned counts; an empty one, or one of zeros only, has the code [gap bits].

    The width of the gap is the one of the shortest code (the smallest of these): a function of the counts alone.
    """
    flat = np.ascontiguousarray(cells).reshape(-1)
    n = np.count_nonzero(flat)
    gaps, counts = np.empty(n + 1, np.int64), np.empty(n + 1, np.uint64)  # the last ones are scratch
    find_counts(flat, gaps, counts)
    gaps, counts = gaps[:n], counts[:n]
    size, best = _LONGEST, 0
    for gap_bits in _LIKELY_FIRST:
        size, best = min((size, best), (code_size(gaps, counts, gap_bits, size), gap_bits))
    code = np.empty(1 + size, np.uint8)
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
def code_size(gaps: NDArray[np.int64], counts: NDArray[np.uint64], gap_bits: int, most: int) -> int:
    """Number of tokens for these gaps and counts; where it is larger than `most`, any number that is larger."""
    farthest, highest = (1 << gap_bits) - 1, (1 << (8 - gap_bits)) - 1
    n = 0
    for k in range(len(gaps)):
        if n > most:
            break
        if gaps[k] <= farthest and counts[k] <= highest:
            n += 1  # without the divisions below
            continue
        skips = (gaps[k] - 1) // farthest
        n += 1 + (skips + farthest - 1) // farthest
        rest = (np.int64(counts[k]) - 1) // highest
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
