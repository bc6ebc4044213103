"""What `benchmarks.loader` measures: a way to go through all samples once, shuffled, batch by batch."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

BATCH = 32
SHAPE = (16, 2, 128, 128)  # [T, C, H, W]
AXES = ("time", "polarity", "y", "x")
N_CLASSES = 11
Frames = NDArray[np.uint8]  # [N, T, C, H, W]
Batches = Callable[[], Iterator[Any]]  # of arrays or tensors [B, T, C, H, W]; each call is another epoch


class Candidate(Protocol):
    """A loader that stands ready, in this process or in another."""

    def epoch(self) -> int:
        """How many samples one pass delivered."""

    def first_batch_s(self) -> float:
        """Seconds from a new pass to its first batch."""

    def digest(self) -> list[int]:
        """Of the samples that one pass delivered; the same for every order."""

    def close(self) -> None:
        """End what was started for it."""

    def process(self) -> int | None:
        """The process that it works in, where that is not this one."""


class InProcess(NamedTuple):
    """A candidate of this process (and of the workers that it starts)."""

    batches: Batches

    def epoch(self) -> int:
        return sum(len(frames) for frames in self.batches())

    def first_batch_s(self) -> float:
        start = time.perf_counter()
        batches = self.batches()
        next(batches)
        seconds = time.perf_counter() - start
        for _ in batches:  # to its end: not every loader can be left in the middle of an epoch
            pass
        return seconds

    def digest(self) -> list[int]:
        return digest(frame for frames in self.batches() for frame in np.asarray(frames))

    def close(self) -> None:
        pass

    def process(self) -> None:
        return None


class Peer(NamedTuple):
    """How another library keeps and loads the samples.

    `write` fills an empty folder with a copy of the samples, once; `open` gives one or more ways to load from it, of
    which the fastest is reported. Both raise ImportError where the library is absent.
    """

    write: Callable[[Path, Frames], None]
    open: Callable[[Path], dict[str, Candidate]]


def digest(samples: Iterator[NDArray[Any]]) -> list[int]:
    sums = sorted(zlib.crc32(np.ascontiguousarray(one.astype(np.uint8, copy=False)).data) for one in samples)
    return [len(sums), zlib.crc32(json.dumps(sums).encode())]


def label(k: int) -> int:
    return k % N_CLASSES


def index_batches(n: int) -> Callable[[], Iterator[NDArray[np.int64]]]:
    """For libraries that leave the order to the caller."""
    rng = np.random.default_rng(0)

    def batches() -> Iterator[NDArray[np.int64]]:
        order = rng.permutation(n)
        return (order[start : start + BATCH] for start in range(0, n, BATCH))

    return batches
