"""What the training loop asks of a loader; `Split.loader(batch_size, batch_first=False)` offers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from torch import Tensor

from neurodata.errors import SignalError
from neurodata.targets import CLASS


class Batch(Protocol):
    """Unpacks as (frames, targets): counts [T, B, C, H, W] and class indices int64 [B], or soft ones [B, n_classes].

    Or a mapping that has these as "class".
    """

    @property
    def valid(self) -> Tensor:
        """Which samples count, bool [B]: False where one only fills up the batch."""
        ...

    @property
    def batch_first(self) -> bool:
        """Whether frames are [B, T, ...]; training needs False."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Frames, then targets."""
        ...


class Loader(Protocol):
    """Batches of one split; each `iter` is one epoch."""

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the epoch that was set."""
        ...

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that epoch, counted from 0."""
        ...

    def state_dict(self) -> Any:
        """Where the loader stands: a dictionary of numbers and strings."""
        ...

    def load_state_dict(self, state: Any) -> None:
        """Go on from there; raises when the loader would not continue the same order."""
        ...


def unpack(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Frames [T, B, C, H, W], targets [B] or [B, n_classes], and valid [B].

    Raises
    ------
    SignalError
        When the batch stands on the first axis: time and samples would be mixed up silently; or there are no classes.
    """
    frames, targets = batch
    if isinstance(targets, Mapping):
        if CLASS not in targets:
            raise SignalError(f"a batch with the targets {', '.join(targets)}; expected classes to train on")
        targets = targets[CLASS]
    if batch.batch_first or frames.ndim < 3 or frames.shape[1] != len(targets):
        raise SignalError(
            f"frames of the shape {list(frames.shape)} for {len(targets)} targets; expected time first, "
            "[T, B, C, H, W]: make the loader with batch_first=False"
        )
    return frames, targets, batch.valid


def classes_of(targets: Tensor) -> Tensor:
    """Class indices, int64 [B]: those given, or of soft targets [B, n_classes] the larger part."""
    return targets.argmax(dim=1) if targets.is_floating_point() else targets
