"""Samples from the store to tensors, a few batches ahead, in threads that end with the iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.draws import generator
from neurodata.errors import LoaderError
from neurodata.loader._form import Form
from neurodata.loader._pool import BufferPool

if TYPE_CHECKING:
    from neurodata.loader._split import Split

SampleTransform = Callable[[Tensor, np.random.Generator], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """What one rank delivers as batch `number`: positions in the split, int64 [b], and which of them count."""

    number: int
    positions: NDArray[np.int64]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """How a sample is read and transformed in one epoch; the result depends on nothing else.

    Parameters
    ----------
    split, form
        The samples, and the form in which they are delivered.
    transform
        `(frames, rng) -> frames` for each sample, after that.
    batch_first
        Whether memory is laid out as [B, T, ...] or as [T, B, ...]; frames are [B, T, ...] either way.
    seed, epoch
        From which, with its key, a sample's random numbers are drawn.
    pool
        Where the memory of batches comes from.
    """

    split: Split
    form: Form
    transform: SampleTransform | None
    batch_first: bool
    seed: int
    epoch: int
    pool: BufferPool

    def portions(
        self, portions: Iterable[Portion], threads: int, ahead: int
    ) -> Generator[tuple[Portion, Tensor, Tensor], None, None]:
        """Each portion, frames [b, T, C, H, W] and lengths int64 [b]; closing the generator ends its threads."""
        workers = ThreadPoolExecutor(threads, thread_name_prefix="neurodata-loader")
        begun: deque[_Begun] = deque()
        try:
            for portion in portions:
                begun.append(self._begin(portion, workers, threads))
                if len(begun) > ahead:
                    yield self._finish(begun.popleft())
            while begun:
                yield self._finish(begun.popleft())
        finally:
            workers.shutdown(wait=True, cancel_futures=True)

    def _begin(self, portion: Portion, workers: ThreadPoolExecutor, threads: int) -> _Begun:
        n = len(portion.positions)
        lengths = self.split.source.lengths(self.split.indices[portion.positions])
        whole = None if lengths is None or self.transform is not None else self._lend(n, int(lengths.max()))
        n_parts = min(n, threads)
        bounds = [n * part // n_parts for part in range(n_parts + 1)]
        parts = [
            workers.submit(self._part, portion.positions[start:stop], lengths, whole, start)
            for start, stop in pairwise(bounds)
        ]
        return _Begun(portion, lengths, whole, parts)

    def _finish(self, begun: _Begun) -> tuple[Portion, Tensor, Tensor]:
        samples: list[NDArray[Any]] = []
        for part in begun.parts:
            samples += part.result()
        lengths, whole = begun.lengths, begun.whole
        if whole is None or lengths is None:
            lengths, whole = self._padded(samples)
        frames = torch.from_numpy(whole)
        if not self.batch_first:
            frames = frames.transpose(0, 1)
        return begun.portion, frames.to(self.form.dtype), torch.from_numpy(lengths)

    def _lend(self, n: int, n_steps: int) -> NDArray[Any]:
        """Memory for a batch: [n, T, ...], or [T, n, ...] where time comes first."""
        first = (n, n_steps) if self.batch_first else (n_steps, n)
        return self.pool.lend((*first, *self.form.step_shape), self.form.numpy_dtype)

    def _padded(self, samples: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Samples of different lengths side by side, the shorter ones followed by zeros."""
        shapes = {sample.shape[1:] for sample in samples} | {sample.dtype for sample in samples}
        if len(shapes) > 2:
            found = sorted({f"{sample.dtype} {list(sample.shape)}" for sample in samples})
            raise LoaderError(f"transform gave samples of one batch different shapes or types: {', '.join(found)}")
        lengths = np.array([len(sample) for sample in samples], np.int64)
        first = (len(samples), int(lengths.max()))
        shape = first if self.batch_first else first[::-1]
        whole = self.pool.lend((*shape, *samples[0].shape[1:]), samples[0].dtype)
        for out, sample in zip(self._each(whole), samples, strict=True):
            out[: len(sample)] = sample
            out[len(sample) :] = 0
        return lengths, whole

    def _each(self, whole: NDArray[Any]) -> NDArray[Any]:
        """The batch with samples on the first axis."""
        return whole if self.batch_first else np.swapaxes(whole, 0, 1)

    def _part(
        self, positions: NDArray[np.int64], lengths: NDArray[np.int64] | None, whole: NDArray[Any] | None, start: int
    ) -> list[NDArray[Any]]:
        """Decode some samples of a batch: into their places in `whole` from `start` on, or each by itself."""
        samples = []
        for k, position in enumerate(positions.tolist()):
            try:
                if whole is None or lengths is None:
                    samples.append(self._by_itself(position))
                else:
                    out, n_steps = self._each(whole)[start + k], int(lengths[start + k])
                    self._fill(position, out[:n_steps])
                    out[n_steps:] = 0
            except Exception as error:
                error.add_note(f"while loading sample {self.split.keys[position]!r}")
                raise
        return samples

    def _fill(self, position: int, out: NDArray[Any]) -> None:
        """One sample in its delivered form."""
        form = self.form
        frames = out if form.resize is None else np.empty((len(out), *form.spec.shape[1:]), out.dtype)
        if form.needs_check:
            stored = self._stored(position)
            form.convert(stored, frames, self.split.keys[position])
        else:
            self.split.source.read_into(int(self.split.indices[position]), frames, self.seed, self.epoch)
        form.change(frames)
        if frames is not out:
            form.resized(frames, out)

    def _by_itself(self, position: int) -> NDArray[Any]:
        """One sample of its own length, transformed where that is asked for."""
        form, key = self.form, self.split.keys[position]
        stored = self._stored(position)
        frames = np.empty(stored.shape, form.numpy_dtype)
        form.convert(stored, frames, key)
        form.change(frames)
        if form.resize is not None:
            resized = np.empty((len(frames), *form.step_shape), frames.dtype)
            form.resized(frames, resized)
            frames = resized
        if self.transform is None:
            return frames
        tensor = torch.from_numpy(frames).to(form.dtype)
        changed = self.transform(tensor, generator(self.seed, self.epoch, f"sample {key}"))
        if not isinstance(changed, Tensor):
            raise LoaderError(f"transform gave a {type(changed).__name__}; expected a tensor")
        changed = changed.detach().cpu()
        return changed.float().numpy() if changed.dtype == torch.bfloat16 else changed.numpy()

    def _stored(self, position: int) -> NDArray[Any]:
        return self.split.source.read(int(self.split.indices[position]), self.seed, self.epoch)


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    portion: Portion
    lengths: NDArray[np.int64] | None
    whole: NDArray[Any] | None
    parts: list[Future[list[NDArray[Any]]]]
