"""What an augmentation of dense batches is, and the base of those that treat each sample by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._draws import Draws
from neurodata.errors import LoaderError
from neurodata.steps import MOVES_ALL, Moves, check_range

# Which axes frames must have: [B, T, ...], [B, T, ..., H, W] or [B, T, N].
Axes = Literal["any", "image", "channels"]

# torch moves no unsigned numbers wider than a byte: the signed ones of the same bits move instead; zero is the same.
_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Base of all: a frozen dataclass whose fields are its parameters; subclasses implement `apply` and `check`.

    A call maps (frames, targets, draws) to (frames, targets): frames [B, T, C, H, W] or [B, T, N]; targets int64 [B],
    or soft ones, float [B, n_classes], whose rows sum to 1. A sample is changed alike at all time steps and in both
    polarities. What is drawn is a pure function of `Draws`, so that it depends on neither threads nor ranks nor device.

    Parameters
    ----------
    from_epoch, until_epoch
        First epoch in which it happens, counted from 0, and the first in which it does no more; None: it goes on.

    Raises
    ------
    RecipeError
        When a parameter is out of range.
    """

    from_epoch: int = 0
    until_epoch: int | None = None

    # Raised when the output for the same input, parameters and draws changes.
    version: ClassVar[int] = 1
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    aliases: ClassVar[Mapping[str, str]] = {}
    axes: ClassVar[Axes] = "any"
    # What is at another place or moment after it; targets other than classes do not move along.
    moves: ClassVar[Moves] = MOVES_ALL
    # It mixes samples: the result depends on the batch, and targets have to be soft.
    mixes: ClassVar[bool] = False
    # It looks at the numbers, so that they must not be taken for signed ones of the same bits.
    reads_counts: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_range(self.name, "from_epoch", self.from_epoch, 0)
        if self.until_epoch is not None:
            check_range(self.name, "until_epoch", self.until_epoch, self.from_epoch)
        self.check()

    @property
    def name(self) -> str:
        """Its name in a recipe."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def random(self) -> bool:
        """Whether anything is drawn: random ones do not belong on a test set."""
        return True

    @property
    def moves_only(self) -> bool:
        """Whether numbers are only moved or set to zero: such a one works on any type, others on reals."""
        return True

    @property
    def label_change(self) -> str | None:
        """The map of `Dataset.label_maps` that tells what becomes of the class of a changed sample; None: it stays."""
        return None

    def check(self) -> None:
        """Raise RecipeError when a parameter is out of range."""

    def active(self, epoch: int) -> bool:
        """Whether it happens at all in this epoch."""
        return self.from_epoch <= epoch and (self.until_epoch is None or epoch < self.until_epoch)

    def happens(self, draws: Draws) -> NDArray[np.bool_]:
        """Which samples are changed, bool [B]: those whose labels follow `label_change`."""
        return np.full(len(draws.keys), self.active(draws.epoch))

    def apply(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The batch, changed; may write over `frames`, not over `targets`."""
        raise NotImplementedError

    def update(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The augmented batch; the given frames may be written over, which saves memory and time.

        Raises
        ------
        LoaderError
            When frames have other axes or another type than it needs, or targets are class indices and it mixes.
        """
        if not self.active(draws.epoch) or not len(draws.keys):
            return frames, targets
        self._check_batch(frames, targets, draws)
        frames = frames.contiguous()
        moved = None if self.reads_counts else _SIGNED.get(frames.dtype)
        if moved is None:
            return self.apply(frames, targets, draws)
        result, targets = self.apply(frames.view(moved), targets, draws)
        return result.view(frames.dtype), targets

    def __call__(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """As `update`, with the given frames left as they are.

        Labels do not follow `label_change` here: the loader, which knows the classes, sees to that.
        """
        return self.update(frames.clone(memory_format=torch.contiguous_format), targets, draws)

    def check_type(self, dtype: torch.dtype) -> None:
        """Raise LoaderError when it cannot work on frames of this type."""
        if not self.moves_only and not dtype.is_floating_point:
            raise LoaderError(
                f"augmentation {self.name} computes new numbers and frames are {dtype}: "
                'load them as reals, dtype="float32"'
            )

    def _check_batch(self, frames: Tensor, targets: Tensor, draws: Draws) -> None:
        n_axes = {"any": frames.ndim >= 3, "image": frames.ndim >= 5, "channels": frames.ndim == 3}[self.axes]
        expected = {"any": "[B, T, ...]", "image": "[B, T, C, H, W]", "channels": "[B, T, N]"}[self.axes]
        if not n_axes or not len(frames) == len(targets) == len(draws.keys):
            raise LoaderError(
                f"augmentation {self.name}: frames of the shape {list(frames.shape)} and {len(targets)} targets for "
                f"{len(draws.keys)} samples; expected {expected} and a target for each"
            )
        if self.mixes and (targets.ndim != 2 or not targets.is_floating_point()):
            raise LoaderError(
                f"augmentation {self.name} mixes classes; expected soft targets, float [B, n_classes], and found "
                f"{targets.dtype} {list(targets.shape)}: one_hot(targets, n_classes).float() makes them"
            )
        self.check_type(frames.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAugmentation(Augmentation):
    """Base of those that change each sample by itself, in place: subclasses implement `change`.

    Parameters
    ----------
    p
        Probability that a sample is changed.
    """

    p: float = 1.0

    # Numbers that a change draws, besides the one that decides whether it happens.
    n_draws: ClassVar[int] = 0

    def __post_init__(self) -> None:
        Augmentation.__post_init__(self)
        check_range(self.name, "p", self.p, 0, 1)

    def happens(self, draws: Draws) -> NDArray[np.bool_]:
        """Which samples are changed, bool [B]."""
        return self.active(draws.epoch) & (draws.per_sample(1)[:, 0] < self.p)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Change frames[b] for each b in `which`, in place; u[k], float64 [n_draws], was drawn for which[k]."""
        raise NotImplementedError

    def apply(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The batch with `change` done to those samples that it happens to."""
        which = np.flatnonzero(self.happens(draws))
        if len(which):
            self.change(frames, which, draws.per_sample(1 + self.n_draws)[which, 1:])
        return frames, targets
