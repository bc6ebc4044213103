"""What a loader delivers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from neurodata.errors import LoaderError
from neurodata.loader._targets import BatchTargets


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some samples side by side; unpacks as `frames, targets = batch`.

    Parameters
    ----------
    frames
        [B, T, C, H, W], or [T, B, C, H, W] when `batch_first` is False; raw counts, float32 unless asked otherwise.
    targets
        Class indices, int64 [B]; soft ones, float32 [B, n_classes], after an augmentation that mixes samples. Where the
        store has other targets, all of them by name: "class" (where there are classes), values and maps [B, ...] in the
        stored type, boxes as a list of B tensors [n, k], series [B, T, ...] ([T, B, ...] when `batch_first` is False).
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
    target_lengths
        Rows of each sample's series, int64 [B], by name; what follows in a batch of longer ones is zeros. Series that
        have as many rows as their samples have time steps are as long as the frames: `mask` is theirs too.
    """

    frames: Tensor
    targets: BatchTargets
    valid: Tensor
    lengths: Tensor
    mask: Tensor
    keys: tuple[str, ...]
    batch_first: bool
    target_lengths: Mapping[str, Tensor] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Any]:
        yield self.frames
        yield self.targets

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: str | torch.device, non_blocking: bool = False) -> Batch:
        """The same batch on that device; tensors that are there already are shared."""
        names = ("frames", "targets", "valid", "lengths", "mask", "target_lengths")
        return replace(self, **{name: _moved(getattr(self, name), device, non_blocking) for name in names})

    def __repr__(self) -> str:
        axes = "B, T" if self.batch_first else "T, B"
        named = f", targets {', '.join(self.targets)}" if isinstance(self.targets, dict) else ""
        return (
            f"Batch({len(self)} samples, {int(self.valid.sum())} of them valid, "
            f"frames {self.frames.dtype} {list(self.frames.shape)} as [{axes}, …]{named})"
        )


def _moved(value: Any, device: str | torch.device, non_blocking: bool) -> Any:
    """A tensor on a device, or all of a list or mapping."""
    if isinstance(value, Mapping):
        return {name: _moved(inner, device, non_blocking) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, device, non_blocking) for inner in value]
    return value.to(device, non_blocking=non_blocking)


def collate(
    frames: Tensor,
    lengths: Tensor,
    targets: BatchTargets,
    valid: Tensor,
    keys: tuple[str, ...],
    batch_first: bool,
    target_lengths: Mapping[str, Tensor] | None = None,
) -> Batch:
    """A batch from frames [B, T, …] of these lengths, int64 [B]; `batch_first=False` makes them [T, B, …].

    So it does to the targets that have lengths of their own.
    """
    n_steps = count_steps(frames)
    named = targets if isinstance(targets, dict) else {}  # a transform may have made one tensor of them
    series = {name: rows for name, rows in (target_lengths or {}).items() if name in named}
    if named and not batch_first:
        targets = {name: _time_first(value) if name in series else value for name, value in named.items()}
    return Batch(
        frames=frames if batch_first else _time_first(frames),
        targets=targets,
        valid=valid,
        lengths=lengths,
        mask=torch.arange(n_steps, device=lengths.device) < lengths[:, None],
        keys=keys,
        batch_first=batch_first,
        target_lengths=series,
    )


def _time_first(tensor: Any) -> Any:
    """[T, B, …] of [B, T, …]."""
    return tensor.transpose(0, 1).contiguous()


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
