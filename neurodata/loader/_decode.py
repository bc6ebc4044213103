"""Samples from the store to their places in a batch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.draws import generator
from neurodata.errors import LoaderError
from neurodata.loader._ahead import Workers, fetched, read_ahead
from neurodata.loader._form import Form
from neurodata.loader._pool import BufferPool
from neurodata.loader._resize import resized
from neurodata.loader._targets import SampleTargets, read_targets
from neurodata.storage import Fetched

if TYPE_CHECKING:
    from neurodata.loader._split import Split

SampleTransform = Callable[[Tensor, np.random.Generator], Tensor]
# The samples of a part of a batch, each where it is not in its place: of another length, shape or type than that has.
Elsewhere: TypeAlias = list[Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """What one rank delivers as batch `number`: positions in the split, int64 [b], and which of them count."""

    number: int
    positions: NDArray[np.int64]
    valid: NDArray[np.bool_]


class Decoded(NamedTuple):
    """A portion: its frames [b, T, C, H, W], their lengths int64 [b], and the targets of each sample but its class."""

    portion: Portion
    frames: Tensor
    lengths: Tensor
    targets: list[SampleTargets]


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
    pad_to
        Time steps of every batch; None: those of its longest sample.
    seed, epoch
        From which, with its key, a sample's random numbers are drawn.
    pool
        Where the memory of batches comes from.
    """

    split: Split
    form: Form
    transform: SampleTransform | None
    batch_first: bool
    pad_to: int | None
    seed: int
    epoch: int
    pool: BufferPool

    def portions(self, portions: Iterable[Portion], threads: int, ahead: int) -> Generator[Decoded, None, None]:
        """What is delivered of each portion; closing the generator ends its threads."""

        def begin(portion: Portion, workers: Workers) -> _Begun:
            return self._begin(portion, workers, threads)

        return read_ahead(portions, begin, self._finish, threads, ahead)

    def _begin(self, portion: Portion, workers: Workers, threads: int) -> _Begun:
        n = len(portion.positions)
        indices = self.split.indices[portion.positions]
        fetching = workers.fetch(self.split.source, indices)
        lengths = self.split.source.lengths(indices)
        places = None
        if lengths is not None:
            longest = int(lengths.max())
            n_steps = longest if self.pad_to is None else self.pad_to
            if longest <= n_steps:
                places = self._places(n, n_steps, self.form.step_shape, self.form.dtype)
        n_parts = min(n, threads)
        bounds = [n * part // n_parts for part in range(n_parts + 1)]
        parts = [
            workers.submit(self._part, portion.positions, lengths, places, range(start, stop), fetching, workers)
            for start, stop in pairwise(bounds)
        ]
        return _Begun(portion, lengths, places, parts)

    def _finish(self, begun: _Begun) -> Decoded:
        elsewhere: Elsewhere = []
        targets: list[SampleTargets] = []
        for part in begun.parts:
            of_part = part.result()
            elsewhere += of_part.elsewhere
            targets += of_part.targets
        portion, lengths, places = begun.portion, begun.lengths, begun.places
        if lengths is None or places is None or any(sample is not None for sample in elsewhere):
            lengths, places = self._padded(portion, _all_samples(elsewhere, lengths, places))
        return Decoded(portion, places, torch.from_numpy(lengths), targets)

    def _places(self, n: int, n_steps: int, step_shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory for n samples, [n, T, ...], with time outside where it comes first."""
        if self.batch_first:
            return self.pool.lend((n, n_steps, *step_shape), dtype)
        return self.pool.lend((n_steps, n, *step_shape), dtype).transpose(0, 1)

    def _padded(self, portion: Portion, samples: Sequence[Tensor]) -> tuple[NDArray[np.int64], Tensor]:
        """Samples of different lengths side by side, the shorter ones followed by zeros."""
        if len({(sample.shape[1:], sample.dtype) for sample in samples}) > 1:
            found = sorted({f"{str(sample.dtype)[6:]} {list(sample.shape)}" for sample in samples})
            raise LoaderError(f"transform gave samples of one batch different shapes or types: {', '.join(found)}")
        lengths = np.array([len(sample) for sample in samples], np.int64)
        longest = int(lengths.argmax())
        n_steps = int(lengths[longest]) if self.pad_to is None else self.pad_to
        if lengths[longest] > n_steps:
            raise LoaderError(
                f"pad_to={n_steps}: sample {self.split.keys[int(portion.positions[longest])]!r} has "
                f"{lengths[longest]} time steps; pad to as many as the longest sample has, or shorten it by transform="
            )
        places = self._places(len(samples), n_steps, tuple(samples[0].shape[1:]), samples[0].dtype)
        for place, sample in zip(places, samples, strict=True):
            place[: len(sample)] = sample
            place[len(sample) :] = 0
        return lengths, places

    def _part(
        self,
        positions: NDArray[np.int64],
        lengths: NDArray[np.int64] | None,
        places: Tensor | None,
        part: range,
        fetching: Future[Fetched] | None,
        workers: Workers,
    ) -> _Part:
        """Decode some samples of a batch: into their places, or each by itself where lengths are not known yet."""
        elsewhere: Elsewhere = []
        targets: list[SampleTargets] = []
        with fetched(fetching):
            for k in part:
                if workers.stopped:
                    break
                position = int(positions[k])
                try:
                    if lengths is None or places is None:
                        elsewhere.append(self._by_itself(position))
                    else:
                        elsewhere.append(self._in_place(position, places[k], int(lengths[k])))
                    targets.append(read_targets(self.split.store, int(self.split.indices[position])))
                except Exception as error:
                    error.add_note(f"while loading sample {self.split.keys[position]!r}")
                    raise
        return _Part(elsewhere, targets)

    def _in_place(self, position: int, place: Tensor, n_steps: int) -> Tensor | None:
        """One sample into its place; what a transform made of it, if that does not fit there."""
        if n_steps < place.shape[0]:
            place[n_steps:] = 0
            place = place[:n_steps]
        if self.transform is None:
            self._fill(position, place)
            return None
        # A transform may count on memory without gaps.
        frames = place if place.is_contiguous() else torch.empty(place.shape, dtype=place.dtype)
        self._fill(position, frames)
        changed = self._transformed(self.transform, position, frames)
        if changed.shape != place.shape or changed.dtype != place.dtype:
            return changed
        if changed.data_ptr() != place.data_ptr() or changed.stride() != place.stride():
            # Such as a view with two axes swapped.
            is_view = changed.untyped_storage().data_ptr() == place.untyped_storage().data_ptr()
            _copy(changed.clone() if is_view else changed, place)
        return None

    def _by_itself(self, position: int) -> Tensor:
        """One sample of its own length, transformed where that is asked for."""
        stored = self.split.source.read(int(self.split.indices[position]), self.seed, self.epoch)
        frames = torch.empty((len(stored), *self.form.step_shape), dtype=self.form.dtype)
        self._fill(position, frames, stored)
        return frames if self.transform is None else self._transformed(self.transform, position, frames)

    def _fill(self, position: int, place: Tensor, stored: NDArray[Any] | None = None) -> None:
        """One sample, read here or before, in its delivered form."""
        form, index = self.form, int(self.split.indices[position])
        is_rounded = form.dtype == torch.bfloat16  # which NumPy does not have
        frames = (
            place.numpy()
            if form.resize is None and not is_rounded
            else np.empty((len(place), *form.spec.shape[1:]), form.work_dtype)
        )
        if stored is None and form.is_only_converted:
            self.split.source.read_into(index, frames, self.seed, self.epoch)
        else:
            if stored is None:
                stored = self.split.source.read(index, self.seed, self.epoch)
            form.convert(stored, frames, self.split.keys[position])
        if form.resize is not None:
            frames = resized(frames, *form.resize)
        if is_rounded:
            place.copy_(torch.from_numpy(frames))
        elif form.resize is not None:
            place.numpy()[...] = frames

    def _transformed(self, transform: SampleTransform, position: int, frames: Tensor) -> Tensor:
        name = f"sample {self.split.keys[position]}"
        changed = transform(frames, generator(self.seed, self.epoch, name))
        if not isinstance(changed, Tensor):
            raise LoaderError(f"transform gave a {type(changed).__name__}; expected a tensor")
        return changed.detach().cpu()


def _copy(frames: Tensor, place: Tensor) -> None:
    """Frames into a place of the same shape and type; torch would start threads of its own for it."""
    if frames.dtype == torch.bfloat16:
        frames, place = frames.view(torch.int16), place.view(torch.int16)
    place.numpy()[...] = frames.numpy()


def _all_samples(elsewhere: Elsewhere, lengths: NDArray[np.int64] | None, places: Tensor | None) -> list[Tensor]:
    """The samples of a batch, some of which are in their places."""
    if lengths is None or places is None:
        return [sample for sample in elsewhere if sample is not None]
    samples = zip(elsewhere, places, lengths.tolist(), strict=True)
    return [place[:n_steps] if sample is None else sample for sample, place, n_steps in samples]


class _Part(NamedTuple):
    """What a thread did of some samples: frames that are not in their places, and targets."""

    elsewhere: Elsewhere
    targets: list[SampleTargets]


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    portion: Portion
    lengths: NDArray[np.int64] | None
    places: Tensor | None
    parts: list[Future[_Part]]
