"""Memory of batches is used again, and never while anything refers to it."""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from neurodata.errors import LoaderError
from neurodata.loader import Split, Store
from neurodata.loader._dtype import DTYPES
from neurodata.loader._pool import BufferPool
from tests.loader.stores import frames_of

KEPT: dict[str, Callable[[Tensor], Any]] = {
    "tensor": lambda frames: frames,
    "slice": lambda frames: frames[1, :2],
    "view": lambda frames: frames.view(-1)[5:],
    "transposed": lambda frames: frames.transpose(0, 1),
    "array": lambda frames: frames.numpy()[0],
    "array of an array": lambda frames: np.asarray(frames.numpy()[1:])[0].view(np.int32),
    "tensor of an array": lambda frames: torch.from_numpy(frames.numpy()[1:].reshape(-1)[3:]),
    "memoryview": lambda frames: memoryview(frames.numpy())[1:],
    "other type": lambda frames: frames.view(torch.int32)[0],
    "detached": lambda frames: frames.detach(),
    "storage": lambda frames: frames.untyped_storage(),
    "dlpack": lambda frames: from_dlpack(frames)[0],
    "in a graph": lambda frames: (frames * torch.ones(1, requires_grad=True)).sum().grad_fn,
}


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


def lent(pool: BufferPool, value: float) -> Tensor:
    return pool.lend((3, 4, 2), torch.float32).fill_(value)


@pytest.mark.parametrize("kept", KEPT)
def test_memory_is_lent_again_only_when_nothing_refers_to_it(kept: str) -> None:
    pool = BufferPool(2)
    frames = lent(pool, 1)
    address = frames.data_ptr()
    part = KEPT[kept](frames)
    del frames
    gc.collect()
    assert pool.n_free == 0
    assert lent(pool, 2).data_ptr() != address
    del part
    gc.collect()
    addresses = {lent(pool, 3).data_ptr() for _ in range(1)}
    held = [lent(pool, 4) for _ in range(2)]
    assert address in addresses | {tensor.data_ptr() for tensor in held}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.just("take"), st.integers(0, 9)), max_size=40))
def test_what_is_held_never_changes(actions: list[Any]) -> None:
    pool, held, n = BufferPool(3), {}, 0
    for action in actions:
        if action == "take":
            n += 1
            held[n] = lent(pool, n)
        elif held:
            held.pop(sorted(held)[action % len(held)])
        assert pool.n_free <= 3
        assert all(bool((tensor == value).all()) for value, tensor in held.items())


def test_memory_may_come_back_in_any_thread() -> None:
    pool = BufferPool(8)
    tensors = [lent(pool, value) for value in range(8)]
    threads = [threading.Thread(target=lambda: tensors.pop()) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.n_free == 8


@pytest.mark.parametrize("dtype", [*DTYPES.values()], ids=[*DTYPES])
def test_every_type_is_lent(dtype: torch.dtype) -> None:
    pool = BufferPool(2)
    tensor = pool.lend((3, 5), dtype)
    assert (tensor.shape, tensor.dtype, tensor.is_contiguous()) == ((3, 5), dtype, True)
    assert torch.equal(tensor.zero_(), torch.zeros((3, 5), dtype=dtype))
    assert pool.lend((0, 5), dtype).shape == (0, 5)


def test_a_pool_pickles_without_its_memory() -> None:
    pool = BufferPool(2)
    pool.lend((1000,), torch.float64)
    assert pool.n_free == 1
    assert len(pickle.dumps(pool)) < 500
    assert pickle.loads(pickle.dumps(pool)).n_free == 0


def test_a_larger_batch_gets_memory_of_its_size() -> None:
    pool = BufferPool(2)
    lent(pool, 1)
    assert pool.lend((100,), torch.int64).shape == (100,)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device to pin memory for")
def test_pinned_memory_needs_a_device(train: Split) -> None:
    with pytest.raises(LoaderError, match="no CUDA device to pin memory for"):
        train.loader(4, pin_memory=True)


def test_pinned_memory_goes_back_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which lends it again only when copies that a GPU makes of it are done; this pool would not know of them."""
    pinned: list[bool] = []

    def empty(shape: tuple[int, ...], dtype: torch.dtype, pin_memory: bool) -> Tensor:
        pinned.append(pin_memory)
        return torch.zeros(shape, dtype=dtype)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    pool = BufferPool(2, pinned=True)
    monkeypatch.setattr(torch, "empty", empty)
    for _ in range(3):
        assert pool.lend((3, 4), torch.uint8).shape == (3, 4)
    assert pinned == [True] * 3
    assert pool.n_free == 0


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_list_of_all_batches_is_right(train: Split, batch_first: bool) -> None:
    batches = list(train.loader(3, batch_first=batch_first)) + list(train.loader(5, batch_first=batch_first))
    for batch in batches:
        frames = batch.frames if batch_first else batch.frames.transpose(0, 1)
        for key, found in zip(batch.keys, frames, strict=True):
            np.testing.assert_array_equal(found, frames_of(int(key[3:])))


def test_looking_one_batch_ahead_is_right(train: Split) -> None:
    """As Lightning and Accelerate do, to know which batch is the last."""
    before = None
    for batch in train.loader(2):
        for held in filter(None, (before, batch)):
            for key, found in zip(held.keys, held.frames, strict=True):
                np.testing.assert_array_equal(found, frames_of(int(key[3:])))
        before = batch


def test_two_iterations_side_by_side_do_not_disturb_each_other(train: Split) -> None:
    loader = train.loader(4, shuffle=True, seed=0)
    for one, other in zip(loader, loader, strict=True):
        for batch in (one, other):
            for key, found in zip(batch.keys, batch.frames, strict=True):
                np.testing.assert_array_equal(found, frames_of(int(key[3:])))


def test_an_epoch_uses_few_blocks_of_memory(train: Split) -> None:
    loader = train.loader(2, prefetch=2)
    addresses = {batch.frames.data_ptr() for _ in range(5) for batch in loader}
    assert len(addresses) <= 6


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no process statistics on this system")
def test_a_thousand_epochs_leave_nothing_behind(train: Split) -> None:
    loader = train.loader(8, shuffle=True, seed=0)

    def run(n_epochs: int) -> tuple[int, int, int]:
        for _ in range(n_epochs):
            for _ in loader:
                pass
        gc.collect()
        status = Path("/proc/self/status").read_text()
        rss_kb = int(status.partition("VmRSS:")[2].split()[0])
        return threading.active_count(), len(os.listdir("/proc/self/fd")), rss_kb  # noqa: PTH208

    threads, files, rss_kb = run(100)
    threads_after, files_after, rss_after_kb = run(900)
    assert threads_after == threads
    assert files_after == files
    assert rss_after_kb < rss_kb + 20_000
