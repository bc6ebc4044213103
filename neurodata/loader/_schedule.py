"""Which batches a rank delivers, epoch after epoch, and how far it has come: what `Loader` and `BatchSampler` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.draws import EPOCH_LIMIT, SEED_LIMIT
from neurodata.errors import LoaderError
from neurodata.loader._check import check_integer
from neurodata.loader._order import n_batches, rank_batch
from neurodata.loader._shuffle import ShuffleArgument, make_shuffle
from neurodata.loader._world import World

if TYPE_CHECKING:
    from neurodata.loader._split import Split


class LoaderState(TypedDict):
    """Where a loader stands: `batches` of `epoch` were delivered, in the order of `seed`.

    `global_batch` (batch size times ranks), `n_samples` and `order` are there to refuse a loader that would go on
    differently.
    """

    seed: int
    epoch: int
    batches: int
    global_batch: int
    n_samples: int
    order: str


@dataclass(frozen=True, slots=True)
class _Place:
    epoch: int
    batches: int = 0
    # What the place was counted in, where it comes from a saved state.
    global_batch: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EpochRun:
    """One epoch of one rank, from where it begins.

    Parameters
    ----------
    epoch
        Its number.
    world
        Rank and number of ranks.
    order
        Positions in the split over all ranks, int64 [n].
    numbers
        The batches that are left to deliver.
    """

    epoch: int
    world: World
    order: NDArray[np.int64]
    numbers: range
    _schedule: Schedule
    _iteration: int

    def batch(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The rank's part of global batch `number`: positions int64 [b], and which of them count, bool [b]."""
        return rank_batch(self.order, number, self._schedule.batch_size, self.world.rank, self.world.size)

    def delivered(self, number: int) -> None:
        """Batch `number` is out: a state saved now goes on with the next."""
        self._schedule._reach(_Place(self.epoch, number + 1), self._iteration)

    def ended(self) -> None:
        """All are out: a state saved now goes on with the next epoch."""
        self._schedule._reach(_Place(self.epoch + 1), self._iteration)


class Schedule:
    """Batches by epoch, rank and number, and the place that the iteration begun last has reached.

    Parameters
    ----------
    split, batch_size, shuffle, shuffle_window, seed, drop_last, rank, world_size
        As for `Loader`.
    draws
        Whether more than the order is drawn from the seed, so that ranks have to agree on it even without a shuffle.

    Raises
    ------
    LoaderError
        When an argument does not fit.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        shuffle: ShuffleArgument,
        shuffle_window: int | None,
        seed: int | None,
        drop_last: bool,
        rank: int | None,
        world_size: int | None,
        draws: bool = False,
    ) -> None:
        self.shuffle = make_shuffle(split, shuffle, shuffle_window)
        if seed is not None:
            seed = check_integer("seed", seed, 0, SEED_LIMIT)
        World.resolve(rank, world_size)
        self.batch_size = check_integer("batch_size", batch_size, 1)
        self.drop_last = drop_last
        self._ranks = (rank, world_size)
        self._seed_given = self._seed = seed
        self._seed_to_check = seed is None and (draws or self.shuffle.kind is not None)
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
        return n_batches(self.shuffle.n_samples, self._global_batch(self._world()), self.drop_last)

    def begin(self) -> EpochRun:
        """The next epoch, or what is left of it after a state was loaded; each call begins another one.

        Raises
        ------
        LoaderError
            When there is no batch in an epoch, a loaded state counts other batches, or ranks have different seeds.
        """
        world, place = self._world(), self._next
        global_batch = self._global_batch(world)
        self._check_global_batch(place.global_batch, world)
        if not len(self):
            raise LoaderError(
                f"drop_last=True leaves no batch: {self.shuffle.n_samples} samples, {global_batch} in a "
                f"global batch ({self.batch_size} on each of {world.size} ranks)"
            )
        if self._seed_to_check:
            world.check_agreed(self.seed)
            self._seed_to_check = False
        self._next, self._reached = _Place(place.epoch + 1), place
        self._iterations += 1
        order = self.shuffle.order(self.seed, place.epoch, global_batch)
        return EpochRun(place.epoch, world, order, range(place.batches, len(self)), self, self._iterations)

    def valid(self, number: int) -> NDArray[np.bool_]:
        """Which samples of this rank's batch `number` count, bool [b]; the same in every epoch."""
        number, world = check_integer("number", number, 0, len(self)), self._world()
        global_batch = self._global_batch(world)
        samples = np.arange(min(global_batch, self.shuffle.n_samples - number * global_batch))
        return rank_batch(samples, 0, self.batch_size, world.rank, world.size)[1]

    def set_epoch(self, epoch: int) -> None:
        """Let `begin` give that epoch next; one that a loaded state stopped in the middle of goes on from there."""
        epoch = check_integer("epoch", epoch, 0, EPOCH_LIMIT)
        if epoch != self._next.epoch:
            self._next = _Place(epoch)
        self._reached = self._next
        self._iterations += 1

    def state_dict(self) -> LoaderState:
        """Where the iteration begun last stands."""
        return LoaderState(
            seed=self.seed,
            epoch=self._reached.epoch,
            batches=self._reached.batches,
            global_batch=self._global_batch(self._world()),
            n_samples=len(self.shuffle.split),
            order=str(self.shuffle),
        )

    def load_state_dict(self, state: LoaderState) -> None:
        """Let `begin` give what was left of the epoch; see `Loader.load_state_dict`."""
        self._check_state(state)
        self._seed = state["seed"]
        self._next = self._reached = _Place(state["epoch"], state["batches"], state["global_batch"])
        self._iterations += 1

    def _check_state(self, state: LoaderState) -> None:
        for name in LoaderState.__required_keys__:
            found = state.get(name) if isinstance(state, dict) else None
            kind, expected = (str, "a text") if name == "order" else (int, "an integer")
            if not isinstance(found, kind):
                raise LoaderError(f"loader state: {name} is {found!r}; expected {expected}")
        self._check_global_batch(state["global_batch"], self._world())
        split = self.shuffle.split
        if state["n_samples"] != len(split):
            raise LoaderError(
                f"the state was saved with {state['n_samples']} samples, there are {len(split)} in {split!r}"
            )
        if state["order"] != str(self.shuffle):
            raise LoaderError(
                f"the state was saved with the order {state['order']!r}, this loader has {str(self.shuffle)!r}; "
                "make it with the same shuffle and shuffle_window"
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

    def __str__(self) -> str:
        seed = "" if self.shuffle.kind is None else f", seed {self._seed}"
        return f"batches of {self.batch_size}, {self.shuffle}{seed}"
