from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from neurodata.store._sparse_code import GAP_BITS, code_sizes, decode_into, encode, find_counts, write_tokens


def decoded(code: NDArray[np.uint8], n_cells: int, dtype: Any = np.uint32, largest: int = 2**32 - 1) -> NDArray[Any]:
    out = np.full(n_cells, 77, dtype)
    assert decode_into(code, out, largest) == len(code) - 1
    return out


def reference(code: bytes, n_cells: int) -> list[int]:
    """The format's definition, a token at a time."""
    b, cells, cell, j = 8 - code[0], [0] * n_cells, -1, 0
    for token in code[1:]:
        gap, count = token >> b, token & 2**b - 1
        if gap == 0:
            cells[cell] += (2**b - 1) * count * 2 ** (b * j)
            j += 1
        else:
            cell += gap if count else gap * (2 ** code[0] - 1)
            j = 0
            if count:
                cells[cell] = count
    return cells


def test_a_code_by_hand() -> None:
    # Three bits of gap, five of count: gaps of 1 and of 8 = 7 + 1, counts of 2 and of 40 = 9 + 31.
    gaps, counts = np.array([1, 8]), np.array([2, 40], np.uint64)
    code = np.empty(1 + code_sizes(gaps, counts)[3], np.uint8)
    code[0] = 3
    write_tokens(gaps, counts, 3, code)
    assert code.tolist() == [3, 0b001_00010, 0b001_00000, 0b001_01001, 0b000_00001]
    assert decoded(code, 10).tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 40, 0]


COUNTS = st.one_of(st.just(0), st.just(0), st.integers(1, 3), st.sampled_from([15, 16, 255, 256, 65535, 2**32 - 1]))


@settings(deadline=None)
@given(st.lists(COUNTS, max_size=60), st.integers(0, 3000))
def test_what_was_encoded_comes_back(head: list[int], n_zeros: int) -> None:
    cells = np.array([*head, *[0] * n_zeros, *head[::-1]], np.uint32)
    code = encode(cells)
    np.testing.assert_array_equal(decoded(code, len(cells)), cells)
    assert reference(code.tobytes(), len(cells)) == cells.tolist()


@settings(deadline=None, max_examples=30)
@given(arrays(np.uint16, st.integers(0, 200), elements=st.sampled_from([0, 0, 0, 1, 2, 300, 65535])))
def test_every_width_of_gap_gives_the_same_cells_and_the_shortest_is_chosen(cells: NDArray[np.uint16]) -> None:
    places = np.flatnonzero(cells)
    gaps, counts = np.diff(places, prepend=-1), cells[places].astype(np.uint64)
    found = np.empty(len(places) + 1, np.int64), np.empty(len(places) + 1, np.uint64)
    find_counts(cells, *found)
    np.testing.assert_array_equal(found[0][:-1], gaps)
    np.testing.assert_array_equal(found[1][:-1], counts)
    sizes = []
    for bits in GAP_BITS:
        code = np.empty(1 + code_sizes(gaps, counts)[bits], np.uint8)
        code[0] = bits
        write_tokens(gaps, counts, bits, code)
        np.testing.assert_array_equal(decoded(code, len(cells)), cells)
        sizes.append(len(code))
    assert len(encode(cells)) == min(sizes)
    assert encode(cells)[0] == GAP_BITS[sizes.index(min(sizes))]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "uint32", "float32", "int64"])
def test_cells_are_written_over_whatever_type_is_given(dtype: str) -> None:
    cells = np.array([[0, 1, 1], [0, 0, 1]], np.bool_)
    assert decoded(encode(cells), 6, dtype).tolist() == cells.reshape(-1).tolist()


def test_most_counts_take_one_byte() -> None:
    cells = np.random.default_rng(0).poisson(0.15, 100_000).astype(np.uint8)
    assert len(encode(cells)) < 1.01 * np.count_nonzero(cells)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ([], 0),  # no first byte
        ([0], 0),  # gaps of no bits
        ([8, 1], 0),
        ([4, 0x01], 1),  # a larger count for no cell
        ([4, 0xF1, 0x11], 2),  # a cell beyond the end
        ([4, 0xF0, 0x01], 2),  # the same for a larger count
        ([4, 0x1F, 0x0F, 0x0F], 3),  # a count beyond 255
        ([4, 0x1F, *[0x00] * 20], 17),  # digits without an end
    ],
)
def test_a_false_code_is_refused_at_its_byte_and_writes_nowhere_else(code: list[int], place: int) -> None:
    guarded = np.full(30, 9, np.uint8)
    assert decode_into(np.array(code, np.uint8), guarded[5:20], 255) == -1 - place
    assert guarded[:5].tolist() == [9] * 5
    assert guarded[20:].tolist() == [9] * 10


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 64))
def test_no_bytes_at_all_write_outside(code: bytes, n_cells: int) -> None:
    guarded = np.full(n_cells + 20, 9, np.uint8)
    decode_into(np.frombuffer(code, np.uint8), guarded[10 : 10 + n_cells], 255)
    assert guarded[:10].tolist() == guarded[10 + n_cells :].tolist() == [9] * 10
