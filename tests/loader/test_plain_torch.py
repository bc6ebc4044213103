"""A training script written for torch's DataLoader works with a split in place of its dataset."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

from neurodata.loader import Split, Store
from tests.loader.stores import frames_of


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


@pytest.fixture(scope="module")
def in_memory(train: Split) -> Dataset[Any]:
    """The same samples as tensors, made without the loader."""
    frames = torch.stack([torch.from_numpy(frames_of(i)).float() for i in range(17)])
    return TensorDataset(frames, torch.tensor([i % 3 for i in range(17)]))


def losses(dataset: Any, rank: int = 0, world_size: int = 1, **options: Any) -> list[float]:
    """The script: a linear model on one rank's share, three epochs; nothing in it knows of neurodata."""
    torch.manual_seed(0)
    sampler: Any = DistributedSampler(dataset, world_size, rank, shuffle=True, seed=5)
    loader: Any = DataLoader(dataset, batch_size=4, sampler=sampler, pin_memory=False, **options)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 4 * 4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
    seen = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        for frames, targets in loader:
            loss = nn.functional.cross_entropy(model(frames), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(float(loss.detach()))
    return seen


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12+, on fork
@pytest.mark.parametrize("options", [{}, {"num_workers": 2, "persistent_workers": True}], ids=["alone", "workers"])
@pytest.mark.parametrize("rank", [0, 1])
def test_the_script_learns_the_same_from_a_split(
    train: Split, in_memory: Dataset[Any], rank: int, options: dict[str, Any]
) -> None:
    expected = losses(in_memory, rank, 2)
    assert len(expected) == 9
    assert len(set(expected)) == 9
    assert losses(train, rank, 2, **options) == expected


def test_torchs_own_parts_take_a_split(train: Split, in_memory: Dataset[Any]) -> None:
    def items(dataset: Any) -> list[tuple[Tensor, int]]:
        return [(frames, int(label)) for frames, label in dataset]

    def halves(dataset: Any) -> list[Any]:
        return random_split(dataset, [0.5, 0.5], torch.Generator().manual_seed(1))

    for ours, theirs in [
        (Subset(train, [3, 1]), Subset(in_memory, [3, 1])),
        *zip(halves(train), halves(in_memory), strict=True),
        (train + train, in_memory + in_memory),
    ]:
        for (frames, label), (expected, expected_label) in zip(items(ours), items(theirs), strict=True):
            assert torch.equal(frames, expected)
            assert label == expected_label


def test_class_weights_make_torchs_weighted_sampler_balanced(train: Split) -> None:
    some = train.select([0, 3, 6, 9, 12, 15, 1, 4, 2])  # 6, 2 and 1 of the classes
    weights = some.class_weights()[torch.from_numpy(some.labels)]
    drawn = list(WeightedRandomSampler(weights.tolist(), 3000, generator=torch.Generator().manual_seed(0)))
    counts = torch.bincount(torch.from_numpy(some.labels)[drawn])
    assert all(abs(count - 1000) < 130 for count in counts.tolist())  # standard deviation 26
