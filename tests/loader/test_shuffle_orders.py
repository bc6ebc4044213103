"""The orders by shard, class and length: their laws, a plain rewriting of their definitions, and what they were."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodata.draws import hash_words, permutation, splitmix64
from neurodata.loader._order import balanced_order, epoch_order, lengths_order, shards_order

seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**63 - 1)
windows = st.integers(1, 5)
columns = st.lists(st.integers(0, 6), min_size=1, max_size=60).map(lambda values: np.array(values, dtype=np.int64))

SHARDS = np.array([0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 4])
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 2])
LENGTHS = np.array([5, 1, 9, 3, 3, 8, 2, 7, 4, 6, 1, 5, 2])


def test_orders_of_the_first_release_stay() -> None:
    assert shards_order(SHARDS, 2, 0, 0).tolist() == [11, 5, 10, 7, 8, 2, 9, 4, 6, 3, 0, 1]
    assert shards_order(SHARDS, 2, 0, 1).tolist() == [9, 6, 7, 8, 5, 10, 11, 4, 3, 2, 0, 1]
    assert balanced_order(LABELS, 0, 0).tolist() == [3, 9, 5, 7, 6, 0, 6, 1, 8, 9, 4, 5]
    assert balanced_order(LABELS, 0, 1).tolist() == [5, 2, 8, 4, 7, 6, 6, 7, 2, 8, 3, 5]
    assert lengths_order(LENGTHS, 2, 3, 0, 0).tolist() == [12, 8, 0, 10, 6, 4, 3, 9, 5, 11, 7, 2, 1]
    assert lengths_order(LENGTHS, 2, 3, 0, 1).tolist() == [1, 12, 4, 3, 8, 2, 10, 6, 0, 11, 9, 7, 5]


def named(n: int, words: tuple[int, ...], epoch: int) -> list[int]:
    """P(n, words, epoch) of the documentation."""
    return permutation(n, hash_words(*words), epoch).tolist()


@given(columns, windows, seeds, epochs)
def test_shards_come_window_by_window(shards: NDArray[np.int64], window: int, seed: int, epoch: int) -> None:
    names = sorted(set(shards.tolist()))
    in_turn = [names[i] for i in named(len(names), (seed, 1), epoch)]
    expected: list[int] = []
    for start in range(0, len(names), window):
        mixed = in_turn[start : start + window]
        expected += [i for i in permutation(len(shards), seed, epoch).tolist() if shards[i] in mixed]
    assert shards_order(shards, window, seed, epoch).tolist() == expected


@given(columns, seeds, epochs)
def test_balanced_rounds_go_through_each_class(labels: NDArray[np.int64], seed: int, epoch: int) -> None:
    classes = sorted(set(labels.tolist()))
    n_rounds = -(-len(labels) // len(classes))
    stream = splitmix64(hash_words(seed, 3, epoch), n_rounds * len(classes)).tolist()
    expected: list[int] = []
    for turn in range(n_rounds):
        words = stream[turn * len(classes) : (turn + 1) * len(classes)]
        for _, label in sorted(zip(words, classes, strict=True)):
            members = [i for i, of in enumerate(labels.tolist()) if of == label]
            cycle, place = divmod(epoch * n_rounds + turn, len(members))
            expected.append(members[named(len(members), (seed, 2, label), cycle % 2**64)[place]])
    assert balanced_order(labels, seed, epoch).tolist() == expected


@given(columns, windows, st.integers(1, 9), seeds, epochs)
def test_lengths_are_sorted_window_by_window(
    lengths: NDArray[np.int64], window: int, global_batch: int, seed: int, epoch: int
) -> None:
    shuffled = permutation(len(lengths), seed, epoch).tolist()
    n_whole = len(lengths) // global_batch
    row: list[int] = []
    for start in range(0, n_whole * global_batch, window * global_batch):
        stop = min(start + window * global_batch, n_whole * global_batch)
        row += sorted(shuffled[start:stop], key=lambda i: int(lengths[i]))
    expected: list[int] = []
    for k in named(n_whole, (seed, 4), epoch):
        expected += row[k * global_batch : (k + 1) * global_batch]
    expected += shuffled[n_whole * global_batch :]
    assert lengths_order(lengths, window, global_batch, seed, epoch).tolist() == expected


@given(columns, windows, st.integers(1, 9), seeds, epochs)
def test_shards_and_lengths_have_every_sample_once(
    column: NDArray[np.int64], window: int, global_batch: int, seed: int, epoch: int
) -> None:
    for order in (shards_order(column, window, seed, epoch), lengths_order(column, window, global_batch, seed, epoch)):
        assert order.dtype == np.int64
        assert sorted(order.tolist()) == list(range(len(column)))


@given(columns, seeds, st.integers(0, 50))
def test_balanced_epochs_have_every_class_equally_often(labels: NDArray[np.int64], seed: int, epoch: int) -> None:
    n_classes = len(np.unique(labels))
    order = balanced_order(labels, seed, epoch)
    assert order.dtype == np.int64
    assert len(labels) <= len(order) < len(labels) + n_classes
    for round_ in labels[order].reshape(-1, n_classes):
        assert len(set(round_.tolist())) == n_classes


@given(columns, seeds, st.integers(1, 8))
def test_a_class_is_gone_through_before_a_sample_comes_again(
    labels: NDArray[np.int64], seed: int, n_epochs: int
) -> None:
    run = np.concatenate([balanced_order(labels, seed, epoch) for epoch in range(n_epochs)])
    for label in np.unique(labels):
        times = Counter(run[labels[run] == label].tolist())
        counts = [times[i] for i in np.flatnonzero(labels == label).tolist()]
        assert max(counts) - min(counts) <= 1


def test_a_balanced_epoch_of_equal_classes_has_every_sample_once() -> None:
    labels = np.arange(30) % 5
    assert sorted(balanced_order(labels, 3, 4).tolist()) == list(range(30))


def test_orders_change_with_seed_and_epoch() -> None:
    def orders(seed: int, epoch: int) -> list[list[int]]:
        return [
            shards_order(SHARDS, 2, seed, epoch).tolist(),
            balanced_order(LABELS, seed, epoch).tolist(),
            lengths_order(LENGTHS, 2, 3, seed, epoch).tolist(),
        ]

    for first, by_seed, by_epoch in zip(orders(0, 0), orders(1, 0), orders(0, 1), strict=True):
        assert len({tuple(first), tuple(by_seed), tuple(by_epoch)}) == 3


def test_one_window_over_all_shards_is_the_full_shuffle() -> None:
    assert shards_order(SHARDS, 5, 8, 2).tolist() == epoch_order(12, 8, 2, shuffle=True).tolist()


def test_few_shards_are_in_use_at_a_time() -> None:
    shards = np.repeat(np.arange(100), 50)
    in_turn = shards[shards_order(shards, 4, 1, 0)].reshape(-1, 4 * 50)
    assert [len(set(window.tolist())) for window in in_turn] == [4] * 25
    assert len({tuple(sorted(set(window.tolist()))) for window in in_turn}) == 25


def test_batches_by_length_pad_little() -> None:
    lengths = splitmix64(5, 4096).astype(np.int64) % 1000

    def padding(order: NDArray[np.int64]) -> float:
        batches = lengths[order].reshape(-1, 32)
        return 1 - lengths.sum() / (batches.max(axis=1) * 32).sum()

    full, by_length = epoch_order(4096, 0, 0, True), lengths_order(lengths, 16, 32, 0, 0)
    assert padding(full) == pytest.approx(0.47, abs=0.03)
    assert padding(by_length) < 0.07


def test_which_samples_are_left_over_does_not_depend_on_their_length() -> None:
    for epoch in range(5):
        left = lengths_order(LENGTHS, 2, 3, 0, epoch)[12:]
        assert left.tolist() == epoch_order(13, 0, epoch, True)[12:].tolist()


def test_batches_larger_than_the_split_are_one_short_batch() -> None:
    assert lengths_order(LENGTHS, 2, 10**30, 0, 0).tolist() == epoch_order(13, 0, 0, True).tolist()


def test_orders_of_windows_and_rounds_are_as_frequent() -> None:
    shards = np.arange(3)
    seen = Counter(tuple(shards_order(shards, 1, 0, epoch).tolist()) for epoch in range(6000))
    rounds = Counter(tuple(balanced_order(shards, 0, epoch).tolist()) for epoch in range(6000))
    batches = Counter(tuple(lengths_order(shards, 1, 1, 0, epoch).tolist()) for epoch in range(6000))
    for counts in (seen, rounds, batches):
        # 6000 draws: 1000 each, standard deviation 29.
        assert len(counts) == 6
        assert all(abs(count - 1000) < 120 for count in counts.values())
