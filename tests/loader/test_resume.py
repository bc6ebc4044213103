from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodata.loader import Batch, Loader, LoaderError, Split, Store


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


def names(batches: list[Batch]) -> list[tuple[str, ...]]:
    return [batch.keys for batch in batches]


def run(loader: Loader, n_epochs: int) -> list[Batch]:
    return [batch for _ in range(n_epochs) for batch in loader]


@given(st.integers(1, 9), st.booleans(), st.booleans(), st.data())
def test_resuming_anywhere_equals_the_undisturbed_run(
    train: Split, batch_size: int, shuffle: bool, drop_last: bool, data: st.DataObject
) -> None:
    def make() -> Loader:
        return train.loader(batch_size, shuffle, seed=9, drop_last=drop_last)

    expected = names(run(make(), 3))
    stop = data.draw(st.integers(1, len(expected)))
    loader, before = make(), []
    for batch in (batch for _ in range(3) for batch in loader):
        before.append(batch.keys)
        if len(before) == stop:
            break
    state = json.loads(json.dumps(loader.state_dict()))
    resumed = make()
    resumed.load_state_dict(state)
    assert before + names(run(resumed, 3 - state["epoch"])) == expected


@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.integers(0, 3))
def test_resuming_with_another_world_size_goes_on_in_the_same_order(
    train: Split, world_before: int, world_after: int, n_delivered: int
) -> None:
    def loaders(world_size: int) -> list[Loader]:
        return [train.loader(4 // world_size, True, 9, rank=r, world_size=world_size) for r in range(world_size)]

    def global_batches(ranks: list[Loader]) -> list[list[str]]:
        return [
            [key for part in parts for key, valid in zip(part.keys, part.valid, strict=True) if valid]
            for parts in zip(*ranks, strict=True)
        ]

    before = loaders(world_before)[0]
    for number, _ in enumerate(before, start=1):
        if number > n_delivered:
            break
    after = loaders(world_after)
    for loader in after:
        loader.load_state_dict(before.state_dict())
    [undisturbed] = [global_batches(loaders(1))]
    assert global_batches(after) == undisturbed[n_delivered + 1 :]
    assert global_batches(after) == global_batches([_at_epoch(loader, 1) for loader in loaders(1)])


def _at_epoch(loader: Loader, epoch: int) -> Loader:
    loader.set_epoch(epoch)
    return loader


def test_state_tells_where_the_iteration_stands(train: Split) -> None:
    loader = train.loader(8, shuffle=True, seed=4)

    def place() -> tuple[int, int]:
        state = loader.state_dict()
        return state["epoch"], state["batches"]

    assert place() == (0, 0)
    seen = []
    for _ in loader:
        seen.append(place())
    assert seen == [(0, 1), (0, 2), (0, 3)]
    assert place() == (1, 0)
    assert loader.state_dict() == {
        "seed": 4,
        "epoch": 1,
        "batches": 0,
        "global_batch": 8,
        "n_samples": 17,
        "order": "full",
    }


def test_set_epoch_of_a_resumed_epoch_goes_on_in_its_middle(train: Split) -> None:
    state = {"seed": 4, "epoch": 2, "batches": 1, "global_batch": 8, "n_samples": 17, "order": "full"}
    loader = train.loader(8, shuffle=True, seed=4)
    loader.load_state_dict(state)
    loader.set_epoch(2)
    assert len(list(loader)) == 2
    loader.load_state_dict(state)
    loader.set_epoch(3)
    assert len(list(loader)) == 3


def test_leaving_an_epoch_early_begins_the_next_one_anew(train: Split) -> None:
    loader = train.loader(8)
    next(iter(loader))
    assert len(list(loader)) == 3
    assert loader.state_dict()["epoch"] == 2


def test_state_brings_its_seed_where_none_was_given(train: Split) -> None:
    state = train.loader(8, shuffle=True, seed=4).state_dict()
    loader = train.loader(8, shuffle=True)
    assert loader.seed == torch.initial_seed()
    loader.load_state_dict(state)
    assert loader.seed == 4
    assert names(list(loader)) == names(list(train.loader(8, shuffle=True, seed=4)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"global_batch": 12}, r"global batch of 12, this loader has 8 \(4 on each of 2 ranks\)"),
        ({"seed": 5}, "saved with seed 5, this loader was made with seed 4"),
        ({"n_samples": 16}, "saved with 16 samples, there are 17 in Split"),
        ({"batches": 4}, "batch 4 of epoch 1; an epoch has 3 batches"),
        ({"epoch": -1}, "epoch -1"),
        ({"batches": None}, "batches is None; expected an integer"),
    ],
)
def test_state_of_another_loader_is_refused(train: Split, change: dict[str, int], message: str) -> None:
    loader = train.loader(4, shuffle=True, seed=4, rank=0, world_size=2)
    state = {"seed": 4, "epoch": 1, "batches": 2, "global_batch": 8, "n_samples": 17, "order": "full"}
    with pytest.raises(LoaderError, match=message):
        loader.load_state_dict({**state, **change})
    assert loader.state_dict()["epoch"] == 0


def test_negative_epoch_is_refused(train: Split) -> None:
    with pytest.raises(LoaderError, match="epoch=-1: expected an integer from 0"):
        train.loader(4).set_epoch(-1)
