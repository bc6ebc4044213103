"""The argument `shuffle`: which order of a split's samples it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import LoaderError
from neurodata.loader._check import check_integer
from neurodata.loader._order import balanced_order, epoch_order, lengths_order, shards_order

if TYPE_CHECKING:
    from neurodata.loader._split import Split

Kind: TypeAlias = Literal["full", "shards", "balanced", "lengths"]
# True is "full"; False is the split's own order.
ShuffleArgument: TypeAlias = bool | Kind

_KINDS: tuple[Kind, ...] = get_args(Kind)
_WINDOWS = {"shards": 4, "lengths": 16}


@dataclass(frozen=True, slots=True, eq=False)
class Shuffle:
    """An order of a split's samples for every (seed, epoch).

    Parameters
    ----------
    split
        The samples.
    kind
        None: they stay in their order.
    window
        Shards, or global batches, that are mixed; 0 where the kind has no windows.
    n_samples
        Samples of an epoch.
    """

    split: Split
    kind: Kind | None
    window: int
    n_samples: int

    def order(self, seed: int, epoch: int, global_batch: int) -> NDArray[np.int64]:
        """Positions in the split, int64 [n_samples]; the functions are described in `_order`."""
        split, table = self.split, self.split.store.table
        match self.kind:
            case "shards":
                return shards_order(table.shard[split.indices], self.window, seed, epoch)
            case "balanced":
                return balanced_order(split.labels, seed, epoch)
            case "lengths":
                return lengths_order(table.n_steps[split.indices], self.window, global_batch, seed, epoch)
        return epoch_order(len(split), seed, epoch, self.kind == "full")

    def __str__(self) -> str:
        return f"{self.kind or 'in order'}{f' by {self.window}' if self.window else ''}"


def make_shuffle(split: Split, shuffle: ShuffleArgument, window: int | None) -> Shuffle:
    """What a caller asks for.

    Raises
    ------
    LoaderError
        When there is no such order, it does not fit the split, or a window is given to one that has none.
    """
    if not len(split):
        raise LoaderError(f"{split!r} has no samples to load")
    kind = _kind(shuffle)
    if window is not None and kind not in _WINDOWS:
        raise LoaderError(f"shuffle_window={window!r}: shuffle={shuffle!r} has no windows; {_listed(_WINDOWS)} have")
    if window is not None:
        window = check_integer("shuffle_window", window, 1, 2**31)
    multiple_of = 1
    if kind == "balanced":
        _check_balanced(split)
        multiple_of = len(np.unique(split.labels))
    return Shuffle(split, kind, window or _WINDOWS.get(str(kind), 0), -(-len(split) // multiple_of) * multiple_of)


def _kind(shuffle: ShuffleArgument) -> Kind | None:
    if isinstance(shuffle, bool | np.bool_):
        return "full" if shuffle else None
    for kind in _KINDS:
        if isinstance(shuffle, str) and shuffle == kind:
            return kind
    raise LoaderError(f"shuffle={shuffle!r}: expected True, False, {_listed(_KINDS)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _check_balanced(split: Split) -> None:
    if not split.classes:
        raise LoaderError(f'shuffle="balanced": {split!r} has no classes')
    if split.origin.partition != "train":
        raise LoaderError(
            f'shuffle="balanced" repeats samples of small classes, and this is the {split.origin.partition} split: '
            "results on it would not be those of its samples. Leave it out and average over classes instead"
        )
