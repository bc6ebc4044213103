"""Ranks as real processes that meet through gloo: four of them, then two, then one."""

from __future__ import annotations

import json
import multiprocessing
from itertools import chain
from typing import Any

import pytest

from neurodata.loader import Split, Store
from neurodata.loader._world import World
from tests.loader import ranks

SIZES = sorted(ranks.WORKERS)


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


@pytest.fixture(scope="module")
def records(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Any]]:
    """What each rank wrote down, by number of ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "tests.loader.ranks"])  # imported once, not by each process
    processes = [context.Process(target=ranks.play, args=(rank, store.path, folder)) for rank in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    for process in processes:
        process.kill()  # one that still waits for the others
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    return {
        size: [json.loads((folder / f"rank{rank} of {size}.json").read_text()) for rank in range(size)]
        for size in SIZES
    }


def global_batches(parts: list[Any]) -> list[list[str]]:
    """The samples that count in each batch, over all ranks; all have the same number of batches."""
    assert len({len(batches) for batches in parts}) == 1
    return [
        [key for keys, valid in batch for key, counts in zip(keys, valid, strict=True) if counts]
        for batch in zip(*parts, strict=True)
    ]


def test_a_process_alone_is_rank_0_of_1() -> None:
    assert World.resolve(None, None) == World(0, 1, joined=False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("name", ranks.SHUFFLES)
def test_every_number_of_ranks_delivers_the_same_global_batches(
    train: Split, records: dict[int, list[Any]], name: str, drop_last: bool, size: int
) -> None:
    parts = [record["loader"][f"{name}, drop_last={drop_last}"] for record in records[size]]
    found = global_batches(parts)
    alone = train.loader(4, ranks.SHUFFLES[name], 123, drop_last=drop_last, rank=0, world_size=1)
    assert found == [list(batch.keys) for _ in range(2) for batch in alone]
    if name != "balanced" and not drop_last:
        assert sorted(chain(*found)) == sorted([*train.keys] * 2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ranks.SHUFFLES)
def test_torchs_workers_deliver_what_the_loader_does(records: dict[int, list[Any]], name: str, size: int) -> None:
    for record in records[size]:
        assert record["sampler"][name] == record["loader"][f"{name}, drop_last=False"]


def test_an_epoch_goes_on_from_four_ranks_to_two_to_one(train: Split, records: dict[int, list[Any]]) -> None:
    found = [global_batches([record["resumed"] for record in records[size]]) for size in (4, 2, 1)]
    assert [len(batches) for batches in found] == [2, 2, 1]
    assert list(chain(*found)) == [list(batch.keys) for batch in train.loader(4, "shards", 7)]


def test_ranks_are_asked_for_when_iteration_begins(records: dict[int, list[Any]]) -> None:
    assert [records[size][0]["made before the group"] for size in (1, 2, 4)] == [[5, 5], [5, 3], [5, 2]]


@pytest.mark.parametrize("size", [2, 4])
def test_a_seed_that_ranks_do_not_share_is_refused(records: dict[int, list[Any]], size: int) -> None:
    for record in records[size]:
        for said in record["refusal"]:
            assert f"differs between the ranks: {list(range(size))}" in said
    assert records[1][0]["refusal"] == ["", ""]


@pytest.mark.parametrize("size", [2, 4])
def test_training_in_parallel_ends_on_every_rank_with_the_same_weights(
    records: dict[int, list[Any]], size: int
) -> None:
    first, *others = [record["weights"] for record in records[size]]
    assert all(weights == first for weights in others)
    # DistributedDataParallel averages over ranks what one process sums.
    assert first != records[1][0]["weights"]
