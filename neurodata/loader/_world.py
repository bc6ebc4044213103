"""Which of how many processes this is, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

import torch.distributed

from neurodata.errors import LoaderError
from neurodata.loader._check import check_integer


@dataclass(frozen=True, slots=True)
class World:
    """Rank and number of ranks; `joined` when they are those of torch.distributed, which can then be asked."""

    rank: int
    size: int
    joined: bool

    @classmethod
    def resolve(cls, rank: int | None, size: int | None) -> World:
        """The world as given, or that of torch.distributed once it is initialised, or this process alone.

        Raises
        ------
        LoaderError
            Unless 0 <= rank < size, or when only one of the two is given.
        """
        if rank is None and size is None:
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                return cls(torch.distributed.get_rank(), torch.distributed.get_world_size(), joined=True)
            return cls(0, 1, joined=False)
        if rank is None or size is None:
            raise LoaderError(
                f"rank={rank}, world_size={size}: expected both, with 0 <= rank < world_size, "
                "or neither (torch.distributed is asked when iteration begins)"
            )
        size = check_integer("world_size", size, 1)
        return cls(check_integer("rank", rank, 0, size), size, joined=False)

    def check_agreed(self, seed: int) -> None:
        """Compare a seed taken from torch with those of the other ranks; every rank has to call this.

        Raises
        ------
        LoaderError
            When they differ: the ranks would draw different orders and deliver samples twice.
        """
        if not self.joined:
            return
        seeds = [0] * self.size
        torch.distributed.all_gather_object(seeds, seed)
        if len(set(seeds)) > 1:
            raise LoaderError(
                f"seed=None takes torch.initial_seed(), which differs between the ranks: {seeds}; "
                "give the loader a seed, or call torch.manual_seed with the same number on every rank"
            )
