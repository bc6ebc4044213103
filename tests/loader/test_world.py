from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

from neurodata.loader import Store
from neurodata.loader._order import epoch_order
from neurodata.loader._world import World
from tests.loader import ranks


def test_a_process_alone_is_rank_0_of_1() -> None:
    assert World.resolve(None, None) == World(0, 1, joined=False)


def test_two_gloo_processes_share_the_samples_and_have_to_share_the_seed(store: Store, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=ranks.deliver, args=(rank, 2, store.path, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    records = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    # The loaders were made before the group: ranks are asked for when iteration begins.
    assert [record["alone"] for record in records] == [5, 5]
    assert [len(record["batches"]) for record in records] == [3, 3]
    global_order = [
        key
        for parts in zip(*(record["batches"] for record in records), strict=True)
        for keys, valid in parts
        for key, is_valid in zip(keys, valid, strict=True)
        if is_valid
    ]
    train = store["train"]
    assert global_order == [train.keys[i] for i in epoch_order(17, 123, 0, shuffle=True)]
    for record in records:
        assert "differs between the ranks: [0, 1]" in record["refusal"]
        assert record["in_order"] == 3
        assert record["state"]["global_batch"] == 8
