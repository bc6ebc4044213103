"""Batches of a split, epoch after epoch, in an order that ranks, threads and interruptions do not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neurodata.draws import generator
from neurodata.errors import LoaderError
from neurodata.loader._augment import Augment, make_augmenter
from neurodata.loader._batch import Batch, collate, count_steps, lengths_after
from neurodata.loader._check import check_integer
from neurodata.loader._decode import Decoded, Decoder, Portion, SampleTransform
from neurodata.loader._dtype import delivered_dtype
from neurodata.loader._form import Form, Normalize
from neurodata.loader._pool import BufferPool
from neurodata.loader._raster import RasterDecoder, can_raster
from neurodata.loader._schedule import EpochRun, LoaderState, Schedule
from neurodata.loader._shuffle import ShuffleArgument
from neurodata.loader._targets import BatchTargets, SampleTargets, side_by_side
from neurodata.steps import MOVES_SPACE
from neurodata.targets import CLASS, parted_by

if TYPE_CHECKING:
    from neurodata.loader._split import Split

# Targets are a tensor of classes, or a dictionary where the store has other targets.
BatchTransform = Callable[[Tensor, Any, np.random.Generator], tuple[Tensor, Any]]

# More threads than this do not decode faster than a training loop takes.
MOST_THREADS = 8


class Loader:
    """An iterable of `Batch`; each iteration is one epoch, which begins with its first batch; the first is epoch 0.

    The global order is a function of (seed, epoch) alone (and of the size of a global batch, where batches are made
    by length). Global batch k holds `batch_size` samples for every rank; where the samples do not divide evenly, the
    last one is dealt so that all ranks get the same number of batches of the same size, and samples that only fill up
    have `valid=False`: over all ranks each sample is valid exactly once, except in "balanced" epochs.

    Iterators may run side by side: each has its own epoch and threads, and the state is that of the one begun last.

    Parameters
    ----------
    split
        The samples; not empty.
    batch_size
        Samples per batch and rank.
    shuffle
        A new random order in every epoch, instead of the split's. True or "full": every order is as likely.
        "shards": samples of a few shards are mixed, then those of the next few, so that few files are read at a
        time. "lengths": samples of a batch are about equally long, so that little is padded. "balanced", for train
        only: an epoch has ceil(n / n_classes) samples of every class, those of small classes repeatedly, and a class
        goes through all its samples before one comes again. Transforms and augmentations change a sample alike each
        time that it comes within an epoch.
    shuffle_window
        How many shards ("shards", 4 by default) or global batches ("lengths", 16 by default) are mixed.
    seed
        0 to 2^64 - 1; None takes `torch.initial_seed()` at first use and records it. Ranks that shuffle or transform
        have to agree on it, which is checked when iteration begins.
    batch_first
        Frames are [B, T, C, H, W], or [T, B, C, H, W] when False.
    drop_last
        Leave out the samples that do not fill a global batch.
    dtype
        Type of the frames: "float32", "stored" (as in the store: convert on the device), or any that loses nothing.
    transform
        `(frames, rng) -> frames` for one sample, [T, C, H, W] in `dtype`, called in a thread; `rng` is drawn from
        (seed, epoch, key), so that the result depends on neither threads nor ranks. Frames may be changed in place.
        The loader's threads share those that torch uses for one operation (`torch.get_num_threads()`).
    batch_transform
        `(frames, targets, rng) -> (frames, targets)` for one rank's batch, always [B, T, C, H, W], called in the
        thread that iterates; `rng` is drawn from (seed, epoch, batch, rank, world_size). Targets are as in `Batch`,
        series always [B, T, ...]; a function that moves pixels or time has to move them too, and nothing checks that.
    rank, world_size
        Both or neither; by default those of torch.distributed where it is initialised, asked when iteration begins.
    threads
        How many decode; by default as many as there are processors, 8 at most.
    device
        Where the tensors of a batch are moved.
    binarize
        Deliver 1 where a count is not zero.
    normalize
        "max" divides each sample by its largest number; a number divides; (mean, std), each one number or one a
        channel, subtracts and divides. Real types only.
    resize
        (height, width) that frames [T, C, H, W] are brought to by bilinear interpolation, with antialiasing where they
        shrink. Real types only. Samples are converted to `dtype`, binarised or normalised, resized, transformed,
        and, as a batch, transformed and augmented, in this order.
    pad_to
        Time steps of every batch; by default those of its longest sample. Shorter samples are followed by zeros,
        a longer one is an error.
    prefetch
        Batches that are read ahead of the one in use.
    raster
        Whether frames are made on the device, of what is stored: by default where `device` is a CUDA device and the
        store is sparse, or holds events that are counted (event_frame with T). The values are the same.
    pin_memory
        Whether batches are made in page-locked memory; by default where `device` is a CUDA device.
    augment
        Augmentations in their order: a list of them, or of mappings like {"name": "flip", "p": 0.5}, or "recipe":
        those of the recipe that the split was loaded by. Done on the device, after `batch_transform`, to
        [B, T, C, H, W]; drawn from (seed, epoch, key, place in the list), so that the result depends on neither
        threads nor ranks (one that mixes samples depends on which are in the batch: on batch size and ranks).
    augment_test
        Allow random augmentations on a split other than train.

    Raises
    ------
    LoaderError
        When an argument does not fit.
    RecipeError
        When an augmentation does not exist, or a parameter does not fit.
    UnknownNameError
        When there is no such dtype.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        shuffle: ShuffleArgument = False,
        shuffle_window: int | None = None,
        seed: int | None = None,
        batch_first: bool = True,
        drop_last: bool = False,
        dtype: str | torch.dtype = "float32",
        transform: SampleTransform | None = None,
        batch_transform: BatchTransform | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        threads: int | None = None,
        device: str | torch.device | None = None,
        augment: Augment = (),
        augment_test: bool = False,
        binarize: bool = False,
        normalize: Normalize | None = None,
        resize: tuple[int, int] | None = None,
        pad_to: int | None = None,
        prefetch: int = 2,
        pin_memory: bool | None = None,
        raster: bool | None = None,
    ) -> None:
        for name, function in (("transform", transform), ("batch_transform", batch_transform)):
            if function is not None and not callable(function):
                raise LoaderError(f"{name}={function!r}: expected a function")
        self.split = split
        self.shuffle = shuffle
        self.batch_first = batch_first
        self.drop_last = drop_last
        self.dtype = delivered_dtype(dtype, split.spec.dtype)
        self.form = Form(split.spec, self.dtype, binarize, normalize, resize)
        if resize is not None and (why := parted_by(split.target_specs, MOVES_SPACE)):
            raise LoaderError(f"resize={resize!r}: {why}: resize frames and targets together in batch_transform")
        self.transform = transform
        self.batch_transform = batch_transform
        self.threads = min(MOST_THREADS, _processors()) if threads is None else check_integer("threads", threads, 1)
        self.pad_to = None if pad_to is None else check_integer("pad_to", pad_to, 1)
        self.prefetch = check_integer("prefetch", prefetch, 0)
        self.device = _device(device)
        is_pinned = self.device is not None and self.device.type == "cuda" if pin_memory is None else pin_memory
        # One batch is in use, one being made, and `prefetch` between the two.
        self._pool = BufferPool(self.prefetch + 2, is_pinned)
        self._raster = self._make_raster(raster)
        self.augmenter = make_augmenter(augment, split, self.dtype, augment_test)
        self._schedule = Schedule(
            split,
            batch_size,
            shuffle=shuffle,
            shuffle_window=shuffle_window,
            seed=seed,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
            draws=bool(transform or batch_transform or self.augmenter.random or split.source.random),
        )
        self.batch_size = self._schedule.batch_size

    @property
    def seed(self) -> int:
        """The seed as given, or what `torch.initial_seed()` was at the first look."""
        return self._schedule.seed

    def __len__(self) -> int:
        """Batches that each rank gets in an epoch."""
        return len(self._schedule)

    def __iter__(self) -> Generator[Batch, None, None]:
        # Not before a batch is asked for: Lightning makes an iterator that it never uses.
        yield from self._batches(self._schedule.begin())

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that epoch; one that a loaded state stopped in the middle of goes on from there."""
        self._schedule.set_epoch(epoch)

    def state_dict(self) -> LoaderState:
        """Where the iteration begun last stands; inside the loop, the batch in hand counts as delivered."""
        return self._schedule.state_dict()

    def load_state_dict(self, state: LoaderState) -> None:
        """Let the next iteration deliver what was left of the epoch, in the same order; reads no sample.

        The number of ranks may differ from the one that the state was saved with, if `batch_size` times ranks is the
        same.

        Raises
        ------
        LoaderError
            When the state is not one of a loader, or this loader has another global batch, seed, order or number of
            samples.
        """
        self._schedule.load_state_dict(state)

    def _batches(self, run: EpochRun) -> Generator[Batch, None, None]:
        portions = (Portion(number, *run.batch(number)) for number in run.numbers)
        # A transform of the batch may count on memory without gaps.
        batch_first = self.batch_first or self.batch_transform is not None
        decoder = self._raster or Decoder(
            self.split, self.form, self.transform, batch_first, self.pad_to, self.seed, run.epoch, self._pool
        )
        with closing(decoder.portions(portions, self.threads, self.prefetch)) as all_decoded:
            for decoded in all_decoded:
                batch, number = self._batch(decoded, run), decoded.portion.number
                del decoded  # while the caller has the batch, only the caller has it
                run.delivered(number)
                yield batch
                del batch
        run.ended()

    def _batch(self, decoded: Decoded, run: EpochRun) -> Batch:
        portion, frames, lengths, others = decoded
        n_steps = count_steps(frames)
        targets, target_lengths = self._targets(portion, others, lengths, n_steps, run.epoch)
        if self.batch_transform is not None:
            rank = f"rank {run.world.rank} of {run.world.size}"
            rng = generator(self.seed, run.epoch, f"batch {portion.number}, {rank}")
            frames, targets = self.batch_transform(frames, targets, rng)
        keys = tuple(self.split.keys[position] for position in portion.positions)
        if self.augmenter.augmentations:
            frames, targets = self._augmented(frames, targets, keys, run.epoch)
        lengths = lengths_after(lengths, n_steps, frames).to(frames.device)
        valid = torch.from_numpy(portion.valid)
        batch = collate(frames, lengths, targets, valid, keys, self.batch_first, target_lengths)
        return batch if self.device is None else batch.to(self.device)

    def _targets(
        self, portion: Portion, others: list[SampleTargets], lengths: Tensor, n_steps: int, epoch: int
    ) -> tuple[BatchTargets, dict[str, Tensor]]:
        """Targets of a batch, and the lengths of the series among them."""
        classes = torch.from_numpy(self.split.targets(portion.positions, self.seed, epoch))
        if not self.split.target_specs:
            return classes, {}
        targets, target_lengths = side_by_side(self.split.target_specs, others, lengths, n_steps)
        return ({CLASS: classes} if self.split.classes else {}) | targets, target_lengths

    def _augmented(self, frames: Tensor, targets: Any, keys: tuple[str, ...], epoch: int) -> tuple[Tensor, Any]:
        if self.batch_transform is not None:
            frames = frames.clone()  # its memory may be the caller's
        device = frames.device if self.device is None else self.device
        if not isinstance(targets, dict):
            return self.augmenter.apply(frames.to(device), targets.to(device), keys, self.seed, epoch)
        # Those that move or mix other targets were refused: only classes can change.
        classes = targets.get(CLASS, torch.zeros(len(keys), dtype=torch.int64)).to(device)
        frames, classes = self.augmenter.apply(frames.to(device), classes, keys, self.seed, epoch)
        return frames, targets | ({CLASS: classes} if CLASS in targets else {})

    def _make_raster(self, raster: bool | None) -> RasterDecoder | None:
        device = torch.device("cpu") if self.device is None else self.device
        can = self.form.is_plain and self.transform is None and self.pad_to is None and can_raster(self.split)
        if raster and not can:
            raise LoaderError(
                "raster=True: a device makes frames of a sparse store, or counts (event_frame with T) of a store of "
                "events, without transform, binarize, normalize, resize and pad_to"
            )
        wanted = device.type == "cuda" if raster is None else raster
        return RasterDecoder(self.split, self.dtype, device, self._pool) if wanted and can else None

    def __repr__(self) -> str:
        return f"Loader({self.split!r}, {self._schedule})"


def _device(device: str | torch.device | None) -> torch.device | None:
    try:
        return None if device is None else torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise LoaderError(f"device={device!r}: {str(error).splitlines()[0]}") from None


def _processors() -> int:
    # What this process may use, where the system tells (Linux): containers and schedulers give less than there is.
    affinity: Any = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
