"""What a loader delivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neurodata.errors import LoaderError


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some samples side by side; unpacks as `frames, targets = batch`.

    Parameters
    ----------
    frames
        [B, T, C, H, W], or [T, B, C, H, W] when `batch_first` is False; raw counts, float32 unless asked otherwise.
    targets
        Class indices, int64 [B]; soft ones, float32 [B, n_classes], after an augmentation that mixes samples.
    valid
        bool [B]; False where a sample only fills up the last batch of a rank and must not be counted.
    lengths
        Time steps of each sample, int64 [B]; what follows in a batch of longer ones is zeros.
    mask
        bool [B, T], True where a time step lies within the sample's length.
    keys
        The samples' names.
    batch_first
        Which of the two orders of axes `frames` has.
    """

    frames: Tensor
    targets: Tensor
    valid: Tensor
    lengths: Tensor
    mask: Tensor
    keys: tuple[str, ...]
    batch_first: bool

    def __iter__(self) -> Iterator[Tensor]:
        yield self.frames
        yield self.targets

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: str | torch.device, non_blocking: bool = False) -> Batch:
        """The same batch on that device; tensors that are there already are shared."""
        names = ("frames", "targets", "valid", "lengths", "mask")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)

    def __repr__(self) -> str:
        axes = "B, T" if self.batch_first else "T, B"
        return (
            f"Batch({len(self)} samples, {int(self.valid.sum())} of them valid, "
            f"frames {self.frames.dtype} {list(self.frames.shape)} as [{axes}, …])"
        )


def collate(
    frames: Tensor, lengths: Tensor, targets: Tensor, valid: Tensor, keys: tuple[str, ...], batch_first: bool
) -> Batch:
    """A batch from frames [B, T, …] of these lengths, int64 [B]; `batch_first=False` makes them [T, B, …]."""
    n_steps = count_steps(frames)
    return Batch(
        frames=frames if batch_first else frames.transpose(0, 1).contiguous(),
        targets=targets,
        valid=valid,
        lengths=lengths,
        mask=torch.arange(n_steps, device=lengths.device) < lengths[:, None],
        keys=keys,
        batch_first=batch_first,
    )


def count_steps(frames: Tensor) -> int:
    """Time steps of a batch [B, T, …]; 1 where it has no time."""
    return frames.shape[1] if frames.ndim > 1 else 1


def lengths_after(lengths: Tensor, n_steps: int, frames: Tensor) -> Tensor:
    """Lengths of the samples of a batch that had `n_steps` and has become `frames`.

    Raises
    ------
    LoaderError
        When the number of steps has changed and samples were padded: their lengths are not known then.
    """
    now = count_steps(frames)
    if now == n_steps:
        return lengths
    if bool((lengths != n_steps).any()):
        raise LoaderError(
            f"the batch was changed from {n_steps} to {now} time steps, and samples of {int(lengths.min())} to "
            f"{int(lengths.max())} steps were in it, padded: change their lengths by transform=, one by one"
        )
    return torch.full_like(lengths, now)
