"""torch's DataLoader with our order, and torchdata's, which saves its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from neurodata.loader import BatchSampler, Loader, LoaderError, Split, Store

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning",  # Python 3.12+, on fork
)


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


def numbers(batches: Any) -> list[list[int]]:
    """The samples of each batch, as their frames tell them."""
    return [frames[:, 0, 0, 0, 0].int().tolist() for frames, _ in batches]


def of_loader(loader: Loader, n_epochs: int) -> list[list[int]]:
    return [[int(key[3:]) for key in batch.keys] for _ in range(n_epochs) for batch in loader]


@pytest.mark.parametrize(
    "workers",
    [
        {"num_workers": 0},
        {"num_workers": 2, "multiprocessing_context": "fork"},
        {"num_workers": 2, "multiprocessing_context": "fork", "persistent_workers": True},
        {"num_workers": 2, "multiprocessing_context": "spawn", "persistent_workers": True},
        {"num_workers": 2, "multiprocessing_context": "forkserver", "persistent_workers": True},
    ],
    ids=lambda workers: "-".join(str(value) for value in workers.values()),
)
def test_workers_deliver_the_batches_of_the_loader_epoch_after_epoch(train: Split, workers: dict[str, Any]) -> None:
    arguments = {"shuffle": "shards", "seed": 3, "rank": 1, "world_size": 2}
    loader = DataLoader(train, batch_sampler=train.sampler(4, **arguments), **workers)
    assert len(loader) == 3
    expected = of_loader(train.loader(4, **arguments), 3)
    assert [batch for _ in range(3) for batch in numbers(loader)] == expected


@given(st.integers(1, 9), st.booleans(), st.booleans(), st.integers(1, 3), st.data())
def test_each_rank_gets_the_batches_of_its_loader(
    train: Split, batch_size: int, shuffle: bool, drop_last: bool, world_size: int, data: st.DataObject
) -> None:
    rank = data.draw(st.integers(0, world_size - 1))
    arguments = {"drop_last": drop_last and batch_size * world_size <= 17, "rank": rank, "world_size": world_size}
    sampler, loader = (make(batch_size, shuffle, 3, **arguments) for make in (train.sampler, train.loader))
    for epoch in (2, 0):
        sampler.set_epoch(epoch)
        loader.set_epoch(epoch)
        assert list(sampler) == of_loader(loader, 1)
    assert [sampler.valid(number).tolist() for number in range(len(sampler))] == [b.valid.tolist() for b in loader]


def test_an_epoch_begins_with_its_first_batch_however_often_an_iterator_is_made(train: Split) -> None:
    sampler = train.sampler(4, shuffle=True, seed=3)
    iter(sampler), iter(sampler)
    assert sampler.state_dict()["epoch"] == 0
    assert list(sampler) == of_loader(train.loader(4, True, 3), 1)


def test_a_batch_that_is_not_there_has_no_valid_samples(train: Split) -> None:
    with pytest.raises(LoaderError, match="number=5: expected an integer from 0 to 4"):
        train.sampler(4).valid(5)


def test_the_states_of_loader_and_sampler_are_the_same(train: Split) -> None:
    loader, sampler = train.loader(4, True, 3), train.sampler(4, True, 3)
    batches = iter(loader)
    next(batches), next(batches)
    sampler.load_state_dict(loader.state_dict())
    assert list(sampler) == [[int(key[3:]) for key in batch.keys] for batch in batches]
    loader.load_state_dict(sampler.state_dict())
    assert of_loader(loader, 1) == list(sampler)


def test_a_seed_of_torch_is_recorded(train: Split) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(77)
        sampler = train.sampler(4, shuffle=True)
        first = list(sampler)
    assert sampler.seed == 77
    assert first == of_loader(train.loader(4, True, 77), 1)


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata 0.11 with torch 2.13
class TestStatefulDataLoader:
    """torchdata's DataLoader, which saves and loads the state of its batch sampler."""

    @staticmethod
    def make(split: Split, num_workers: int = 0, rank: int = 0, world_size: int = 1, **others: Any) -> Any:
        torchdata = pytest.importorskip("torchdata.stateful_dataloader")
        sampler = split.sampler(4 // world_size, shuffle=True, seed=3, rank=rank, world_size=world_size)
        workers = {"multiprocessing_context": "fork"} if num_workers else {}
        return torchdata.StatefulDataLoader(split, batch_sampler=sampler, num_workers=num_workers, **workers, **others)

    @pytest.mark.parametrize("num_workers", [0, 2])
    @pytest.mark.parametrize("stop", [0, 2, 5, 7])
    def test_it_goes_on_where_it_was_saved(self, train: Split, num_workers: int, stop: int) -> None:
        expected = of_loader(train.loader(4, True, 3), 3)
        loader = self.make(train, num_workers)
        before: list[list[int]] = []
        while len(before) < stop:
            for batch in loader:
                before += numbers([batch])
                if len(before) == stop:
                    break
        state = json.loads(json.dumps(loader.state_dict()))
        resumed = self.make(train, num_workers)
        resumed.load_state_dict(state)
        # Saved with an epoch's last batch in hand, the epoch is not over yet: nothing of it is left.
        n_left = 3 - max(stop - 1, 0) // 5
        after = [batch for _ in range(n_left) for batch in numbers(resumed)]
        assert before == expected[:stop]
        assert after == expected[stop:]

    @pytest.mark.parametrize("num_workers", [0, 2])
    def test_a_finished_epoch_goes_on_with_the_next(self, train: Split, num_workers: int) -> None:
        expected = of_loader(train.loader(4, True, 3), 2)
        loader = self.make(train, num_workers)
        assert numbers(loader) == expected[:5]
        resumed = self.make(train, num_workers)
        resumed.load_state_dict(loader.state_dict())
        assert numbers(resumed) == expected[5:]

    def test_states_between_snapshots_and_with_persistent_workers_are_right(self, train: Split) -> None:
        expected = of_loader(train.loader(4, True, 3), 2)
        loader = self.make(train, 2, snapshot_every_n_steps=2, persistent_workers=True)
        batches = iter(loader)
        before = [numbers([next(batches)])[0] for _ in range(3)]
        resumed = self.make(train, 2, snapshot_every_n_steps=2, persistent_workers=True)
        resumed.load_state_dict(loader.state_dict())
        assert before + numbers(resumed) + numbers(resumed) == expected

    def test_another_number_of_ranks_goes_on_with_the_same_global_batches(self, train: Split) -> None:
        expected = of_loader(train.loader(4, True, 3), 1)
        loader = self.make(train, rank=1, world_size=2)
        batches = iter(loader)
        next(batches), next(batches)
        alone = self.make(train)
        alone.load_state_dict(loader.state_dict())
        assert numbers(alone) == expected[2:]

    def test_a_state_of_another_order_is_refused(self, train: Split) -> None:
        loader = self.make(train)
        next(iter(loader))
        other = self.make(train.select([0, 1, 2, 3, 4]))
        other.load_state_dict(loader.state_dict())
        with pytest.raises(LoaderError, match="saved with 17 samples"):
            iter(other)


def test_frameworks_find_what_they_ask_a_batch_sampler_for(train: Split) -> None:
    sampler = train.sampler(4, drop_last=True, rank=0, world_size=1)
    assert isinstance(sampler, torch.utils.data.Sampler)
    assert isinstance(sampler, BatchSampler)
    assert (sampler.batch_size, sampler.drop_last) == (4, True)
