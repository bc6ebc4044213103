"""What each process of a distributed test does; importable, so that spawned processes find it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.distributed

from neurodata.loader import LoaderError, Store


def join(rank: int, world_size: int, folder: Path) -> None:
    """Become one of `world_size` gloo ranks that meet through a file."""
    torch.distributed.init_process_group(
        "gloo", init_method=(folder / "meeting").as_uri(), rank=rank, world_size=world_size
    )


def deliver(rank: int, world_size: int, store: Path, folder: Path) -> None:
    """Write down what this rank gets, and its refusal of a seed that the ranks do not share."""
    split = Store(store)["train"]
    loader = split.loader(4, shuffle=True, drop_last=False)
    alone = len(loader)
    join(rank, world_size, folder)
    torch.manual_seed(123)
    batches = [(list(batch.keys), batch.valid.tolist()) for batch in loader]
    torch.manual_seed(rank)
    try:
        iter(split.loader(4, shuffle=True))
        refusal = ""
    except LoaderError as error:
        refusal = str(error)
    in_order = len(list(split.loader(4)))
    record = {
        "alone": alone,
        "batches": batches,
        "refusal": refusal,
        "in_order": in_order,
        "state": loader.state_dict(),
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(record))
    torch.distributed.destroy_process_group()
