from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.draws import generator, hash_rows, hash_text, hash_words, permutation, splitmix64, uniforms

seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**40)
MASK = 2**64 - 1


def reference_splitmix64(seed: int, n: int) -> list[int]:
    """The generator as published: one state, stepped n times."""
    numbers = []
    for _ in range(n):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append(z ^ (z >> 31))
    return numbers


def test_splitmix64_gives_the_published_numbers() -> None:
    # Output of the authors' C code for this seed, as printed on rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
    assert splitmix64(1234567, 5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(seeds, st.integers(0, 50))
def test_splitmix64_equals_the_stepped_generator(seed: int, n: int) -> None:
    assert splitmix64(seed, n).tolist() == reference_splitmix64(seed, n)


def test_orders_of_the_first_release_stay() -> None:
    assert permutation(10, seed=0, epoch=0).tolist() == [0, 7, 8, 2, 5, 9, 4, 6, 3, 1]
    assert permutation(10, seed=0, epoch=1).tolist() == [9, 0, 6, 7, 4, 3, 2, 1, 8, 5]
    assert hash_words(1, 2) == 13608149317741381227
    # sha256 of "a" begins with ca 97 81 12 ca 1b bd ca.
    assert hash_text("a") == 0xCABD1BCA128197CA


@given(st.integers(0, 200), seeds, epochs)
def test_permutation_has_every_index_once_and_sorts_by_the_stream(n: int, seed: int, epoch: int) -> None:
    order = permutation(n, seed, epoch)
    stream = reference_splitmix64(hash_words(seed, epoch), n)
    assert order.dtype == np.int64
    assert order.tolist() == sorted(range(n), key=stream.__getitem__)


def test_every_order_of_three_is_as_frequent() -> None:
    seen = Counter(tuple(permutation(3, seed, epoch).tolist()) for seed in range(60) for epoch in range(100))
    assert len(seen) == 6
    # 6000 draws: 1000 each, standard deviation 29.
    assert all(abs(count - 1000) < 120 for count in seen.values())


def test_words_hash_differently_in_another_order() -> None:
    hashes = {hash_words(a, b) for a in range(50) for b in range(50)}
    assert len(hashes) == 2500


def test_draws_depend_on_seed_epoch_and_name_only() -> None:
    def draw(seed: int, epoch: int, name: str) -> list[int]:
        return [int(number) for number in generator(seed, epoch, name).bit_generator.random_raw(2)]

    assert draw(0, 0, "a") == draw(0, 0, "a")
    assert len({tuple(draw(*place)) for place in [(0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b")]}) == 4


@given(seeds, st.lists(seeds, min_size=1, max_size=5), epochs)
def test_rows_hash_as_their_words_do(seed: int, column: list[int], epoch: int) -> None:
    rows = hash_rows(seed, np.array(column, np.uint64), epoch)
    assert rows.tolist() == [hash_words(seed, word, epoch) for word in column]


@given(st.lists(seeds, min_size=1, max_size=4), st.integers(0, 20))
def test_uniforms_are_the_upper_bits_of_each_rows_own_stream(row_seeds: list[int], n: int) -> None:
    numbers = uniforms(np.array(row_seeds, np.uint64), n)
    expected = [[(word >> 11) / 2**53 for word in reference_splitmix64(seed, n)] for seed in row_seeds]
    assert numbers.dtype == np.float64
    assert numbers.shape == (len(row_seeds), n)
    assert numbers.tolist() == expected


def test_uniforms_of_the_first_release_stay() -> None:
    # 6457827717110365317 and 3203168211198807973 as published, over 2^64.
    assert uniforms(np.array([1234567], np.uint64), 2).tolist() == [[0.3500795420214081, 0.17364409667091263]]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_words_are_hashed_by_the_stream_s_first_numbers(words: list[int]) -> None:
    state = 0
    for word in words:
        state = int(splitmix64(state ^ word, 1)[0])
    assert hash_words(*words) == state


@pytest.mark.parametrize("word", [-1, 2**64])
def test_words_of_more_than_64_bits_are_refused(word: int) -> None:
    with pytest.raises(OverflowError):
        hash_words(1, word)
