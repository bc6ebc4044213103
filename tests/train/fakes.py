"""A loader with the interface of neurodata.loader's, over tensors in memory, and a problem that is quickly learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class FakeBatch:
    frames: Tensor
    targets: Tensor
    valid: Tensor
    batch_first: bool = False

    def __iter__(self) -> Iterator[Tensor]:
        yield self.frames
        yield self.targets


class FakeLoader:
    """Batches of frames [N, T, C, H, W]; the last one is filled up with invalid copies of sample 0."""

    def __init__(self, frames: Tensor, targets: Tensor, batch_size: int, shuffle: bool = False, seed: int = 0) -> None:
        self.frames, self.targets, self.batch_size = frames, targets, batch_size
        self.shuffle, self.seed = shuffle, seed
        self.epoch = 0

    def __iter__(self) -> Iterator[FakeBatch]:
        n = len(self.targets)
        order = np.random.default_rng([self.seed, self.epoch]).permutation(n) if self.shuffle else np.arange(n)
        padding = -n % self.batch_size
        valid = torch.arange(n + padding) < n
        order = torch.from_numpy(np.concatenate([order, np.zeros(padding, order.dtype)]))
        for rows, counted in zip(order.split(self.batch_size), valid.split(self.batch_size), strict=True):
            yield FakeBatch(self.frames[rows].transpose(0, 1), self.targets[rows], counted)
        self.epoch += 1

    def __len__(self) -> int:
        return -(-len(self.targets) // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert state["seed"] == self.seed
        self.epoch = state["epoch"]


def moving_bars(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Frames [n, T=6, C=2, 8, 8] of a bar that moves to the right (class 0) or to the left (1), and noise."""
    rng = np.random.default_rng(seed)
    targets = torch.arange(n) % 2
    frames = torch.from_numpy(rng.poisson(0.05, (n, 6, 2, 8, 8)).astype(np.float32))
    for i, start in enumerate(rng.integers(0, 8, n)):
        for step in range(6):
            x = (start + step * (1 - 2 * (i % 2))) % 8
            frames[i, step, :, :, x] += 2
    return frames, targets
