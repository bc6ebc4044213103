"""What each process of a distributed test does; importable, so that started processes find it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from neurodata.loader import LoaderError, Split, Store

SHUFFLES: dict[str, Any] = {
    "in order": False,
    "full": "full",
    "shards": "shards",
    "balanced": "balanced",
    "lengths": "lengths",
}
# Ranks, and workers of each rank's DataLoader; a global batch is 4.
WORKERS = {4: 1, 2: 3, 1: 0}


def play(rank: int, store: Path, folder: Path) -> None:
    """One of four processes: in a world of four ranks, then two of them in one of two, then one alone."""
    for size, workers in WORKERS.items():
        if rank >= size:
            return
        split = Store(store)["train"]
        early = split.loader(4, shuffle=True)
        alone = len(early)
        torch.distributed.init_process_group(
            "gloo",
            init_method=(folder / f"meeting{size}").as_uri(),
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=60),
        )
        record = {
            "made before the group": [alone, len(early)],
            "loader": {
                f"{name}, drop_last={drop_last}": epochs(split, size, shuffle, drop_last)
                for name, shuffle in SHUFFLES.items()
                for drop_last in (False, True)
            },
            "sampler": {name: sampled(split, size, shuffle, workers) for name, shuffle in SHUFFLES.items()},
            "resumed": resumed(split, size, folder / "state.json", rank),
            "refusal": refusal(split, rank),
            "weights": trained(split, size),
        }
        (folder / f"rank{rank} of {size}.json").write_text(json.dumps(record))
        torch.distributed.destroy_process_group()


def epochs(split: Split, size: int, shuffle: Any, drop_last: bool) -> list[Any]:
    """Names and validity of each batch of two epochs, in step with the other ranks."""
    torch.manual_seed(123)
    loader = split.loader(4 // size, shuffle, drop_last=drop_last, threads=1)
    return [[list(batch.keys), batch.valid.tolist()] for _ in range(2) for batch in in_step(loader)]


def sampled(split: Split, size: int, shuffle: Any, workers: int) -> list[Any]:
    """The same through torch's DataLoader, its workers and our sampler."""
    torch.manual_seed(123)
    sampler = split.sampler(4 // size, shuffle)
    forked = {"multiprocessing_context": "fork", "persistent_workers": True} if workers else {}
    loader: Any = DataLoader(split, batch_sampler=sampler, num_workers=workers, **forked)
    return [
        [[split.keys[int(index)] for index in frames[:, 0, 0, 0, 0]], sampler.valid(number).tolist()]
        for _ in range(2)
        for number, (frames, _) in enumerate(in_step(loader))
    ]


def resumed(split: Split, size: int, file: Path, rank: int) -> list[Any]:
    """Two batches from where the larger world stopped; the smallest goes on to the end of the epoch."""
    loader = split.loader(4 // size, "shards", seed=7)
    if file.exists():
        loader.load_state_dict(json.loads(file.read_text()))
    torch.distributed.barrier()
    batches = []
    for batch in in_step(loader):
        batches.append([list(batch.keys), batch.valid.tolist()])
        if size > 1 and len(batches) == 2:
            break
    if rank == 0:
        file.write_text(json.dumps(loader.state_dict()))
    return batches


def refusal(split: Split, rank: int) -> list[str]:
    """What is said of a seed that the ranks do not share."""
    torch.manual_seed(rank)
    said = []
    for batches in (split.loader(1, shuffle=True), split.sampler(1, "lengths")):
        try:
            next(iter(batches))
            said.append("")
        except LoaderError as error:
            said.append(str(error))
    return said


def trained(split: Split, size: int) -> list[float]:
    """Weights after two epochs of DistributedDataParallel, which waits for all ranks in every batch."""
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 4 * 4, 3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    loader = split.loader(4 // size, "full", seed=1)
    for _ in range(2):
        for batch in loader:
            loss = nn.functional.cross_entropy(model(batch.frames), batch.targets, reduction="none")
            optimizer.zero_grad()
            (loss * batch.valid).sum().backward()
            optimizer.step()
    weights: Tensor = next(model.parameters()).detach()
    return weights.flatten().tolist()


def in_step(batches: Iterable[Any]) -> Iterable[Any]:
    """The batches, each after all ranks have one: a rank with more of them than the others would wait in vain."""
    for batch in batches:
        torch.distributed.all_reduce(torch.ones(1))
        yield batch
