"""The order of `Loader` for those who keep torch's DataLoader."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.loader._schedule import LoaderState, Schedule
from neurodata.loader._shuffle import ShuffleArgument

if TYPE_CHECKING:
    from neurodata.loader._split import Split


class BatchSampler(torch.utils.data.Sampler[list[int]]):
    """The positions of each batch that `Split.loader` with the same arguments delivers.

    A batch sampler, because dealing the end of an epoch evenly to all ranks takes the size of a batch:

        DataLoader(split, batch_sampler=split.sampler(16, shuffle=True, seed=0), num_workers=2)

    It draws in the main process: workers, and how they are started, do not change the order. An epoch begins when its
    first batch is asked for, as often as `iter` is called before; epochs advance by themselves, `set_epoch` chooses.

    A DataLoader has no place for `valid`. Without `drop_last`, a rank that comes out one short in the last batch of an
    epoch repeats a sample, as torch's DistributedSampler does, and `valid(number)` tells which samples count.

    It deals to ranks by itself, those of torch.distributed by default. Where a framework deals batches, switch that
    off (Lightning: `use_distributed_sampler=False`) or give rank=0, world_size=1 (Accelerate).

    Parameters
    ----------
    split
        The samples; not empty.
    batch_size
        Samples per batch and rank.
    shuffle, shuffle_window, seed, drop_last, rank, world_size
        As for `Loader`.

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
        shuffle: ShuffleArgument = False,
        shuffle_window: int | None = None,
        seed: int | None = None,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self._schedule = Schedule(
            split,
            batch_size,
            shuffle=shuffle,
            shuffle_window=shuffle_window,
            seed=seed,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
        )
        self.batch_size = self._schedule.batch_size
        self.drop_last = drop_last

    @property
    def seed(self) -> int:
        """The seed as given, or what `torch.initial_seed()` was at the first look."""
        return self._schedule.seed

    def __len__(self) -> int:
        """Batches that each rank gets in an epoch."""
        return len(self._schedule)

    def __iter__(self) -> Generator[list[int], None, None]:
        run = self._schedule.begin()
        for number in run.numbers:
            positions, _ = run.batch(number)
            run.delivered(number)
            yield positions.tolist()
        run.ended()

    def valid(self, number: int) -> NDArray[np.bool_]:
        """Which samples of this rank's batch `number` count, bool [b]; the same in every epoch."""
        return self._schedule.valid(number)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that epoch; one that a loaded state stopped in the middle of goes on from there."""
        self._schedule.set_epoch(epoch)

    def state_dict(self) -> LoaderState:
        """How many batches were asked for, in the form of `Loader.state_dict`, which reads it as well.

        Workers ask for batches ahead of the loop. torchdata's StatefulDataLoader saves the state as it was for the
        batch in hand; whoever saves beside torch's own DataLoader with workers counts the batches of the loop and puts
        that number into `batches`, and the epoch that they belong to into `epoch`.
        """
        return self._schedule.state_dict()

    def load_state_dict(self, state: LoaderState) -> None:
        """Let the next iteration give what was left of the epoch; see `Loader.load_state_dict`."""
        self._schedule.load_state_dict(state)
