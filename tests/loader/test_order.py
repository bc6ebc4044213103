from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.loader._order import epoch_order, n_batches, rank_batch

sizes = st.integers(1, 80)
batch_sizes = st.integers(1, 9)
worlds = st.integers(1, 6)


def test_batches_of_two_ranks_by_hand() -> None:
    order = np.array([4, 2, 6, 0, 1, 5, 3])

    def batch(k: int, rank: int) -> tuple[list[int], list[bool]]:
        positions, valid = rank_batch(order, k, batch_size=2, rank=rank, world_size=2)
        return positions.tolist(), valid.tolist()

    assert batch(0, 0) == ([4, 2], [True, True])
    assert batch(0, 1) == ([6, 0], [True, True])
    # Three are left for two ranks: the first takes one, and repeats sample 1, the first of the batch.
    assert batch(1, 0) == ([1, 1], [True, False])
    assert batch(1, 1) == ([5, 3], [True, True])


@pytest.mark.parametrize(
    ("n", "global_batch", "drop_last", "expected"),
    [
        (8, 4, False, 2),  # even
        (9, 4, False, 3),  # a short one
        (9, 4, True, 2),  # dropped
        (3, 4, True, 0),  # nothing left
    ],
)
def test_number_of_batches(n: int, global_batch: int, drop_last: bool, expected: int) -> None:
    assert n_batches(n, global_batch, drop_last) == expected


@given(sizes, batch_sizes, worlds, st.booleans())
def test_over_all_ranks_each_sample_counts_once_and_in_order(n: int, batch: int, world: int, shuffle: bool) -> None:
    order = epoch_order(n, 7, 3, shuffle)
    counted: list[int] = []
    for k in range(n_batches(n, batch * world, drop_last=False)):
        parts = [rank_batch(order, k, batch, rank, world) for rank in range(world)]
        assert len({len(positions) for positions, _ in parts}) == 1
        assert 1 <= len(parts[0][0]) <= batch
        for positions, valid in parts:
            counted += positions[valid].tolist()
    assert counted == order.tolist()


@given(sizes, st.integers(1, 4), st.sampled_from([1, 2, 4]))
def test_global_batches_are_the_same_for_one_two_and_four_ranks(n: int, batch: int, world: int) -> None:
    order = epoch_order(n, 7, 3, shuffle=True)
    for k in range(n_batches(n, 4 * batch, drop_last=False)):
        parts = [rank_batch(order, k, 4 * batch // world, rank, world) for rank in range(world)]
        counted = np.concatenate([positions[valid] for positions, valid in parts])
        assert counted.tolist() == order[4 * batch * k : 4 * batch * (k + 1)].tolist()


@given(sizes, batch_sizes)
def test_one_rank_gets_a_short_last_batch_without_padding(n: int, batch: int) -> None:
    positions, valid = rank_batch(np.arange(n), n_batches(n, batch, False) - 1, batch, 0, 1)
    assert valid.all()
    assert len(positions) == (n % batch or batch)


@given(sizes, batch_sizes, worlds)
def test_dropping_the_last_leaves_whole_batches(n: int, batch: int, world: int) -> None:
    for k in range(n_batches(n, batch * world, drop_last=True)):
        for rank in range(world):
            positions, valid = rank_batch(np.arange(n), k, batch, rank, world)
            assert len(positions) == batch
            assert valid.all()
