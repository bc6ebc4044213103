"""Batches of a split, epoch after epoch, in an order that ranks, threads and interruptions do not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from neurodata.draws import EPOCH_LIMIT, SEED_LIMIT, generator
from neurodata.errors import LoaderError
from neurodata.loader._augment import Augment, make_augmenter
from neurodata.loader._batch import Batch, collate
from neurodata.loader._check import check_integer
from neurodata.loader._decode import Decoder, Portion, SampleTransform
from neurodata.loader._dtype import delivered_dtype
from neurodata.loader._order import epoch_order, n_batches, rank_batch
from neurodata.loader._world import World

if TYPE_CHECKING:
    from neurodata.loader._split import Split

BatchTransform = Callable[[Tensor, Tensor, np.random.Generator], tuple[Tensor, Tensor]]

# More threads than this do not decode faster than a training loop takes.
MOST_THREADS = 8


class LoaderState(TypedDict):
    """Where a loader stands, as plain integers: `batches` of `epoch` were delivered, in the order of `seed`.

    `global_batch` (batch size times ranks) and `n_samples` are there to refuse a loader that would go on differently.
    """

    seed: int
    epoch: int
    batches: int
    global_batch: int
    n_samples: int


@dataclass(frozen=True, slots=True)
class _Place:
    epoch: int
    batches: int = 0
    # What the place was counted in, where it comes from a saved state.
    global_batch: int | None = None


class Loader:
    """An iterable of `Batch`; each `iter` is one epoch, the first is epoch 0.

    The global order is a function of (seed, epoch) alone. Global batch k holds `batch_size` samples for every rank;
    where the split does not divide evenly, the last one is dealt so that all ranks get the same number of batches of
    the same size, and samples that only fill up have `valid=False`: over all ranks each sample is valid exactly once.

    Iterators may run side by side: each has its own epoch and threads, and the state is that of the one begun last.

    Parameters
    ----------
    split
        The samples; not empty.
    batch_size
        Samples per batch and rank.
    shuffle
        A new random order in every epoch, instead of the split's.
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
    batch_transform
        `(frames, targets, rng) -> (frames, targets)` for one rank's batch, always [B, T, C, H, W], called in the
        thread that iterates; `rng` is drawn from (seed, epoch, batch, rank, world_size).
    rank, world_size
        Both or neither; by default those of torch.distributed where it is initialised, asked when iteration begins.
    threads
        How many decode; by default as many as there are processors, 8 at most.
    device
        Where the tensors of a batch are moved.
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
        shuffle: bool = False,
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
    ) -> None:
        if not len(split):
            raise LoaderError(f"{split!r} has no samples to load")
        for name, function in (("transform", transform), ("batch_transform", batch_transform)):
            if function is not None and not callable(function):
                raise LoaderError(f"{name}={function!r}: expected a function")
        if seed is not None:
            seed = check_integer("seed", seed, 0, SEED_LIMIT)
        World.resolve(rank, world_size)
        self.split = split
        self.batch_size = check_integer("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.batch_first = batch_first
        self.drop_last = drop_last
        self.dtype = delivered_dtype(dtype, split.spec.dtype)
        self.transform = transform
        self.batch_transform = batch_transform
        self.threads = min(MOST_THREADS, _processors()) if threads is None else check_integer("threads", threads, 1)
        self.device = _device(device)
        self.augmenter = make_augmenter(augment, split, self.dtype, augment_test)
        self._ranks = (rank, world_size)
        self._seed_given = self._seed = seed
        self._seed_to_check = seed is None and bool(
            shuffle or transform or batch_transform or self.augmenter.random or (split.view and split.view.random)
        )
        self._next = self._reached = _Place(epoch=0)
        self._iterations = 0

    @property
    def seed(self) -> int:
        """The seed as given, or what `torch.initial_seed()` was at the first look."""
        if self._seed is None:
            self._seed = torch.initial_seed()
        return self._seed

    def __len__(self) -> int:
        """Batches that each rank gets in an epoch."""
        return n_batches(len(self.split), self._global_batch(self._world()), self.drop_last)

    def __iter__(self) -> Generator[Batch, None, None]:
        world, place = self._world(), self._next
        self._check_global_batch(place.global_batch, world)
        if not len(self):
            raise LoaderError(
                f"drop_last=True leaves no batch: {len(self.split)} samples, {self._global_batch(world)} in a "
                f"global batch ({self.batch_size} on each of {world.size} ranks)"
            )
        if self._seed_to_check:
            world.check_agreed(self.seed)
            self._seed_to_check = False
        self._next, self._reached = _Place(place.epoch + 1), place
        self._iterations += 1
        return self._batches(world, place, self._iterations)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that epoch; one that a loaded state stopped in the middle of goes on from there."""
        epoch = check_integer("epoch", epoch, 0, EPOCH_LIMIT)
        if epoch != self._next.epoch:
            self._next = _Place(epoch)
        self._reached = self._next
        self._iterations += 1

    def state_dict(self) -> LoaderState:
        """Where the iteration begun last stands; inside the loop, the batch in hand counts as delivered."""
        return LoaderState(
            seed=self.seed,
            epoch=self._reached.epoch,
            batches=self._reached.batches,
            global_batch=self._global_batch(self._world()),
            n_samples=len(self.split),
        )

    def load_state_dict(self, state: LoaderState) -> None:
        """Let the next iteration deliver what was left of the epoch, in the same order; reads no sample.

        The number of ranks may differ from the one that the state was saved with, if `batch_size` times ranks is the
        same.

        Raises
        ------
        LoaderError
            When the state is not one of a loader, or this loader has another global batch, seed or number of samples.
        """
        for name in LoaderState.__required_keys__:
            found = state.get(name) if isinstance(state, dict) else None
            if not isinstance(found, int):
                raise LoaderError(f"loader state: {name} is {found!r}; expected an integer")
        self._check_global_batch(state["global_batch"], self._world())
        if state["n_samples"] != len(self.split):
            raise LoaderError(
                f"the state was saved with {state['n_samples']} samples, there are {len(self.split)} in {self.split!r}"
            )
        if self._seed_given not in (None, state["seed"]):
            raise LoaderError(
                f"the state was saved with seed {state['seed']}, this loader was made with seed {self._seed_given}; "
                "make it with that seed, or with seed=None"
            )
        if not 0 <= state["batches"] <= len(self) or not 0 <= state["epoch"] < EPOCH_LIMIT:
            raise LoaderError(
                f"the state is at batch {state['batches']} of epoch {state['epoch']}; an epoch has {len(self)} batches"
            )
        self._seed = state["seed"]
        self._next = self._reached = _Place(state["epoch"], state["batches"], state["global_batch"])
        self._iterations += 1

    def _batches(self, world: World, start: _Place, iteration: int) -> Generator[Batch, None, None]:
        order = epoch_order(len(self.split), self.seed, start.epoch, self.shuffle)
        portions = (
            Portion(k, *rank_batch(order, k, self.batch_size, world.rank, world.size))
            for k in range(start.batches, n_batches(len(order), self._global_batch(world), self.drop_last))
        )
        decoder = Decoder(self.split, self.dtype, self.transform, self.seed, start.epoch)
        with closing(decoder.portions(portions, self.threads)) as decoded:
            for portion, frames in decoded:
                batch = self._batch(portion, frames, world, start.epoch)
                self._reach(_Place(start.epoch, portion.number + 1), iteration)
                yield batch
        self._reach(_Place(start.epoch + 1), iteration)

    def _batch(self, portion: Portion, frames: Tensor, world: World, epoch: int) -> Batch:
        targets = torch.from_numpy(self.split.targets(portion.positions, self.seed, epoch))
        if self.batch_transform is not None:
            rng = generator(self.seed, epoch, f"batch {portion.number}, rank {world.rank} of {world.size}")
            frames, targets = self.batch_transform(frames, targets, rng)
        keys = tuple(self.split.keys[position] for position in portion.positions)
        if self.augmenter.augmentations:
            frames, targets = self._augmented(frames, targets, keys, epoch)
        batch = collate(frames, targets, torch.from_numpy(portion.valid), keys, self.batch_first)
        return batch if self.device is None else batch.to(self.device)

    def _augmented(self, frames: Tensor, targets: Tensor, keys: tuple[str, ...], epoch: int) -> tuple[Tensor, Tensor]:
        if self.batch_transform is not None:
            frames = frames.clone()  # its memory may be the caller's
        device = frames.device if self.device is None else self.device
        return self.augmenter.apply(frames.to(device), targets.to(device), keys, self.seed, epoch)

    def _reach(self, place: _Place, iteration: int) -> None:
        if iteration == self._iterations:
            self._reached = place

    def _world(self) -> World:
        return World.resolve(*self._ranks)

    def _global_batch(self, world: World) -> int:
        return self.batch_size * world.size

    def _check_global_batch(self, saved: int | None, world: World) -> None:
        if saved is not None and saved != self._global_batch(world):
            raise LoaderError(
                f"the state was saved with a global batch of {saved}, this loader has {self._global_batch(world)} "
                f"({self.batch_size} on each of {world.size} ranks); choose batch_size so that they agree"
            )

    def __repr__(self) -> str:
        order = f"shuffled with seed {self._seed}" if self.shuffle else "in order"
        return f"Loader({self.split!r}, batches of {self.batch_size}, {order})"


def _device(device: str | torch.device | None) -> torch.device | None:
    try:
        return None if device is None else torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise LoaderError(f"device={device!r}: {str(error).splitlines()[0]}") from None


def _processors() -> int:
    # What this process may use, where the system tells (Linux): containers and schedulers give less than there is.
    affinity: Any = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
