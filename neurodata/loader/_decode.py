"""Samples from the store to tensors, a few batches ahead, in threads that end with the iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.draws import generator
from neurodata.errors import LoaderError
from neurodata.loader._dtype import check_counts

if TYPE_CHECKING:
    from neurodata.loader._split import Split

SampleTransform = Callable[[Tensor, np.random.Generator], Tensor]

# Batches that are read while the one before them is used.
BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """What one rank delivers as batch `number`: positions in the split, int64 [b], and which of them count."""

    number: int
    positions: NDArray[np.int64]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """How a sample is read and transformed in one epoch; the result depends on nothing else."""

    split: Split
    dtype: torch.dtype
    transform: SampleTransform | None
    seed: int
    epoch: int

    def portions(self, portions: Iterable[Portion], threads: int) -> Generator[tuple[Portion, Tensor], None, None]:
        """Each portion with its frames [b, T, C, H, W], in order; closing the generator ends its threads."""
        pool = ThreadPoolExecutor(threads, thread_name_prefix="neurodata-loader")
        begun: deque[_Begun] = deque()
        try:
            for portion in portions:
                begun.append(self._begin(portion, pool))
                if len(begun) > BATCHES_AHEAD:
                    yield self._finish(begun.popleft())
            while begun:
                yield self._finish(begun.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, portion: Portion, pool: ThreadPoolExecutor) -> _Begun:
        spec = self.split.spec
        stored = np.empty((len(portion.positions), *spec.shape), spec.dtype)  # [b, T, C, H, W]
        samples = [
            pool.submit(self._sample, int(position), out)
            for position, out in zip(portion.positions, stored, strict=True)
        ]
        return _Begun(portion, stored, samples)

    def _finish(self, begun: _Begun) -> tuple[Portion, Tensor]:
        samples = []
        for position, sample in zip(begun.portion.positions, begun.samples, strict=True):
            error = sample.exception()
            if error is not None:
                error.add_note(f"while loading sample {self.split.keys[position]!r}")
                raise error
            samples.append(sample.result())
        if self.transform is None:
            return begun.portion, torch.from_numpy(begun.stored).to(self.dtype)
        shapes = {tuple(sample.shape) for sample in samples}
        if len(shapes) > 1:
            raise LoaderError(f"transform gave samples of one batch different shapes: {sorted(shapes)}")
        return begun.portion, torch.stack(samples)

    def _sample(self, position: int, out: NDArray[Any]) -> Tensor:
        key = self.split.keys[position]
        self.split.read_into(position, out, self.seed, self.epoch)
        check_counts(out, self.dtype, key)
        stored = torch.from_numpy(out)
        if self.transform is None:
            return stored
        frames = self.transform(stored.to(self.dtype), generator(self.seed, self.epoch, f"sample {key}"))
        if not isinstance(frames, Tensor):
            raise LoaderError(f"transform gave a {type(frames).__name__}; expected a tensor")
        return frames


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    portion: Portion
    stored: NDArray[Any]
    samples: list[Future[Tensor]]
