from __future__ import annotations

from collections import Counter
from importlib import import_module

import numpy as np
import pytest
import torch

from neurodata.augmentations import Draws
from neurodata.augmentations.temporal_delete import TemporalDelete
from neurodata.errors import LoaderError
from tests.peers import spikingjelly_event_functions

N = 2000
KEYS = tuple(map(str, range(N)))


def kept(n_steps: int, T: int) -> list[tuple[int, ...]]:
    frames = torch.arange(n_steps).view(1, n_steps, 1).expand(N, -1, 3)
    result, _ = TemporalDelete(T=T)(frames, torch.zeros(N), Draws(KEYS))
    assert result.shape == (N, T, 3)
    assert torch.equal(result, result[..., :1].expand_as(result))
    return [tuple(steps) for steps in result[..., 0].tolist()]


def test_every_choice_of_steps_in_order_is_as_likely() -> None:
    counts = Counter(kept(5, 3))
    assert set(counts) == {(a, b, c) for a in range(5) for b in range(a + 1, 5) for c in range(b + 1, 5)}
    assert all(abs(count - N / 10) < 55 for count in counts.values())  # standard deviation 13


def test_all_steps_are_the_sample() -> None:
    assert set(kept(4, 4)) == {(0, 1, 2, 3)}


def test_for_the_same_steps_it_is_spikingjellys(monkeypatch: pytest.MonkeyPatch) -> None:
    spikingjelly_event_functions()  # prepares the import of its subpackage
    transform = import_module("spikingjelly.datasets.transform")
    clip = torch.rand(1, 8, 2, 5, 5)
    for seed in range(10):
        draws = Draws(("a",), seed)
        found, _ = TemporalDelete(T=3)(clip, torch.zeros(1), draws)
        chosen = np.argsort(draws.per_sample(8))[0, :3]  # in the order drawn: theirs sorts
        monkeypatch.setattr(np.random, "choice", lambda *_, steps=chosen, **__: steps.copy())
        assert torch.equal(transform.RandomTemporalDelete(T_remain=3, batch_first=True)(clip), found)


def test_more_steps_than_there_are_are_refused() -> None:
    with pytest.raises(LoaderError, match="temporal_delete: T is 9, and samples have 8 time steps"):
        TemporalDelete(T=9)(torch.zeros(1, 8, 3), torch.zeros(1), Draws(("a",)))
