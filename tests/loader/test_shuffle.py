"""What `shuffle=` means for a loader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.loader import Loader, LoaderError, Split, Store
from neurodata.loader._order import balanced_order, lengths_order, shards_order
from tests.loader.test_loader import counted

KINDS = ["full", "shards", "balanced", "lengths"]


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


@pytest.fixture
def ragged(new_store: Callable[..., Store]) -> Split:
    """A split of a store whose table says that samples have 1 to 9 steps."""
    store = new_store()
    store.table = replace(store.table, n_steps=np.arange(len(store)) * 7 % 9 + 1)
    return store["train"].select(np.arange(17)[::-1])


def test_loaders_deliver_the_published_orders_of_the_splits_columns(ragged: Split) -> None:
    table, at = ragged.store.table, ragged.indices
    expected = {
        "shards": shards_order(table.shard[at], 2, 5, 1),
        "balanced": balanced_order(ragged.labels, 5, 1),
        "lengths": lengths_order(table.n_steps[at], 3, 4, 5, 1),
    }
    for (kind, order), window in zip(expected.items(), (2, None, 3), strict=True):
        loader = ragged.loader(4, kind, 5, shuffle_window=window)
        loader.set_epoch(1)
        assert counted(list(loader)) == [ragged.keys[i] for i in order]


def test_true_is_full(train: Split) -> None:
    assert counted(list(train.loader(4, True, 5))) == counted(list(train.loader(4, "full", 5)))
    assert counted(list(train.loader(4, np.True_, 5))) == counted(list(train.loader(4, "full", 5)))


def test_four_shards_and_sixteen_batches_are_mixed_by_default(train: Split) -> None:
    assert train.loader(1, "shards").state_dict()["order"] == "shards by 4"
    assert train.loader(1, "lengths").state_dict()["order"] == "lengths by 16"


def test_a_balanced_epoch_counts_whole_rounds(train: Split) -> None:
    some = train.select([0, 1, 2, 3, 6, 9, 12, 15])
    assert some.labels.tolist() == [0, 1, 2, 0, 0, 0, 0, 0]
    loader = some.loader(2, "balanced", 0)
    assert len(loader) == 5  # 3 rounds of 3 classes
    keys = counted(list(loader))
    assert Counter(some.labels[[some.keys.index(key) for key in keys]].tolist()) == {0: 3, 1: 3, 2: 3}
    assert keys.count("rec001") == keys.count("rec002") == 3


@given(
    st.sampled_from([False, *KINDS]), st.integers(1, 6), st.sampled_from([1, 2, 3, 4]), st.booleans(), st.integers(0, 3)
)
def test_every_order_is_dealt_alike_to_all_ranks(
    train: Split, kind: Any, batch_size: int, world_size: int, drop_last: bool, epoch: int
) -> None:
    samplers = [
        train.sampler(batch_size, kind, 5, drop_last, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    if drop_last and batch_size * world_size > 17:
        for sampler in samplers:
            with pytest.raises(LoaderError, match="leaves no batch"):
                next(iter(sampler))
        return
    batches = [list(sampler) for sampler in samplers]
    assert {len(own) for own in batches} == {len(samplers[0])}
    valid = [[sampler.valid(number).tolist() for number in range(len(sampler))] for sampler in samplers]
    delivered = [
        position
        for number in range(len(samplers[0]))
        for rank in range(world_size)
        for position, counts in zip(batches[rank][number], valid[rank][number], strict=True)
        if counts
    ]
    alone = train.sampler(batch_size * world_size, kind, 5, drop_last, rank=0, world_size=1)
    alone.set_epoch(epoch)
    assert delivered == [position for batch in alone for position in batch]
    if kind != "balanced" and not drop_last:
        assert sorted(delivered) == list(range(17))


@given(
    st.sampled_from([False, *KINDS]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.booleans(), st.data()
)
def test_every_order_goes_on_after_a_change_of_ranks(
    train: Split, kind: Any, before: int, after: int, drop_last: bool, data: st.DataObject
) -> None:
    def samplers(world_size: int) -> list[Any]:
        return [
            train.sampler(4 // world_size, kind, 9, drop_last, rank=rank, world_size=world_size)
            for rank in range(world_size)
        ]

    def global_batches(ranks: list[Any], n_epochs: int) -> list[list[int]]:
        counted = []
        for _ in range(n_epochs):
            first = ranks[0].state_dict()["batches"]
            for number, parts in enumerate(zip(*ranks, strict=True), start=first):
                valid = [sampler.valid(number) for sampler in ranks]
                counted.append(np.concatenate([np.array(p)[v] for p, v in zip(parts, valid, strict=True)]).tolist())
        return counted

    undisturbed = global_batches(samplers(1), 3)
    stop = data.draw(st.integers(1, len(undisturbed) - 1))
    saved = samplers(before)[-1]
    list(islice((batch for _ in range(3) for batch in saved), stop))
    state = saved.state_dict()
    resumed = samplers(after)
    for sampler in resumed:
        sampler.load_state_dict(state)
    assert global_batches(resumed, 3 - state["epoch"]) == undisturbed[stop:]


@pytest.mark.parametrize("shuffle", ["Full", "random", "", 1, 0, None, 2.5, ["full"]])
def test_no_other_order_is_known(train: Split, shuffle: Any) -> None:
    with pytest.raises(LoaderError, match=r'shuffle=.*expected True, False, "full", "shards", "balanced", "lengths"'):
        train.loader(4, shuffle)


@pytest.mark.parametrize("window", [0, -1, True, 1.5, "4", 2**31])
def test_a_window_is_a_positive_integer(train: Split, window: Any) -> None:
    with pytest.raises(LoaderError, match="shuffle_window="):
        train.loader(4, "shards", shuffle_window=window)


@pytest.mark.parametrize("shuffle", [True, False, "full", "balanced"])
def test_a_window_for_an_order_without_is_refused(train: Split, shuffle: Any) -> None:
    with pytest.raises(LoaderError, match=r'has no windows; "shards", "lengths" have'):
        train.loader(4, shuffle, shuffle_window=4)


def test_balance_is_refused_where_results_are_measured_and_where_there_are_no_classes(
    store: Store, new_store: Callable[..., Store]
) -> None:
    with pytest.raises(LoaderError, match=r"repeats samples .* and this is the test split"):
        store["test"].loader(2, "balanced")
    with pytest.raises(LoaderError, match="has no classes"):
        new_store(classes=())["train"].loader(2, "balanced")


def test_a_state_of_another_order_is_refused(train: Split) -> None:
    def loader(*arguments: Any, **others: Any) -> Loader:
        return train.loader(4, *arguments, seed=1, **others)

    for one, other in [
        (loader(True), loader("shards")),
        (loader("shards"), loader("shards", shuffle_window=2)),
        (loader(), loader("lengths")),
    ]:
        with pytest.raises(LoaderError, match=r"saved with the order '.*', this loader has '.*'"):
            other.load_state_dict(one.state_dict())


def test_a_loader_says_its_order(train: Split) -> None:
    assert repr(train.loader(4, "lengths", 3)).endswith("batches of 4, lengths by 16, seed 3)")
    assert repr(train.loader(4)).endswith("batches of 4, in order)")
