from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from neurodata.loader import Split, Store, _openmp


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def in_a_thread(look: Callable[[], int]) -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(look()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.usefixtures("four_threads")
@pytest.mark.skipif(_openmp._set_number() is None, reason="this torch does not use OpenMP")
@pytest.mark.parametrize(("threads", "share"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_threads_of_a_loader_share_those_of_torch_and_no_other_thread_notices(
    train: Split, threads: int, share: int
) -> None:
    seen: set[int] = set()

    def look(frames: Tensor, rng: np.random.Generator) -> Tensor:
        seen.add(torch.get_num_threads())
        return frames

    for _ in train.loader(4, threads=threads, transform=look):
        assert torch.get_num_threads() == 4
    assert seen == {share}
    assert torch.get_num_threads() == 4
    assert in_a_thread(torch.get_num_threads) == 4


def test_a_torch_without_openmp_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_openmp, "_set_number", lambda: None)
    before = in_a_thread(torch.get_num_threads)
    assert in_a_thread(lambda: (_openmp.limit_this_thread(1), torch.get_num_threads())[1]) == before
