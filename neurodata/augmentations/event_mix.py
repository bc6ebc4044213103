"""EventMix: a part of space and time of arbitrary shape from another sample.

G. Shen, D. Zhao, Y. Zeng, "EventMix: an efficient data augmentation strategy for event-based learning", Information
Sciences 644, 2023, arXiv:2205.12054. What the abstract leaves open follows the authors' code (BrainCog,
braincog/datasets/cut_mix.py): a sum of n Gaussians over (t, y, x), n drawn from 2 to 4, heights uniform from (0, 1),
centres from all voxels, standard deviations from 0.05 to 0.5 of each axis (a uniform number, at least 0.1, times half
the axis); the voxels where the sum is largest come from the partner, as many as a part that Beta(α, α) gives. The code
cuts off one voxel more or less, and adds salt-and-pepper noise, which this leaves out.

Labels, with x, x' the samples and M the voxels that are replaced:
    events     λ = (1 - r) / (1 - r + r'), r and r' being the parts of the events of x and x' that lie in M
    distance   λ = d'² / (d² + d'²), d and d' being the mean squared differences of the mixture to x and to x', each
               smoothed by a mean over 3 x 3 pixels
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from neurodata.augmentations._draws import integers
from neurodata.augmentations._largest import largest
from neurodata.augmentations._mixing import MixAugmentation
from neurodata.kernel import kernel
from neurodata.steps import check_choice

MOST_GAUSSIANS = 4
_FOR_GAUSSIAN = 7  # its height, and for each of three axes the centre and the deviation
# What Numba knows as NumPy has it.
_COUNTED = {torch.float32, torch.float64, torch.uint8, torch.uint16, torch.int16, torch.int32, torch.int64}
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMix(MixAugmentation):
    """Voxels of each sample replaced by those of its partner; targets soft. [B, T, N] counts as one row of pixels.

    Parameters
    ----------
    weigh
        How much of the label stays: by "events" or by "distance".
    per
        "sample", as the authors do, or one mask for the "batch".
    """

    weigh: Literal["events", "distance"] = "events"
    per: Literal["batch", "sample"] = "sample"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"weigh": "distance", "p": 0.5, "per": "batch"})
    reads_counts: ClassVar[bool] = True
    n_draws: ClassVar[int] = 1 + MOST_GAUSSIANS * _FOR_GAUSSIAN

    def check(self) -> None:
        """Raise RecipeError when a number is out of range, or a choice is none."""
        MixAugmentation.check(self)
        check_choice(self.name, "weigh", self.weigh, ("events", "distance"))

    def mix(self, sample: Tensor, other: Tensor, stays: float, u: NDArray[np.float64]) -> float:
        """Replace the voxels of a Gaussian mixture."""
        n_steps, height, width = len(sample), sample.shape[-2] if sample.ndim >= 4 else 1, sample.shape[-1]
        replaced = largest(mixture(u, n_steps, height, width), 1 - stays)  # bool [T, H, W]
        old, new = (frames.view(n_steps, -1, height, width) for frames in (sample, other))  # [T, C, H, W]
        if self.weigh == "events":
            weight = _by_events(old, new, replaced)
            replace(old, new, replaced)
        else:
            before = old.clone()
            replace(old, new, replaced)
            weight = _by_distance(before, new, old)
        return float(1 - replaced.mean()) if weight is None else weight


def mixture(u: NDArray[np.float64], n_steps: int, height: int, width: int) -> NDArray[np.float64]:
    """The sum of two to four Gaussians, float64 [T, H, W]."""
    n = int(integers(u[:1], 2, MOST_GAUSSIANS)[0])
    drawn = u[1 : 1 + n * _FOR_GAUSSIAN].reshape(n, _FOR_GAUSSIAN)
    along = []
    for axis, length in enumerate((n_steps, height, width)):
        centre = integers(drawn[:, 1 + 2 * axis], 0, length - 1)[:, None]
        deviation = np.maximum(drawn[:, 2 + 2 * axis], 0.1)[:, None] * length / 2
        along.append(np.exp(-(((np.arange(length) - centre) / deviation) ** 2) / 2))  # [n, length]
    total = np.zeros((n_steps, height, width))
    add_products(drawn[:, 0].copy(), along[0], along[1], along[2], total)
    return total


@kernel
def add_products(
    heights: NDArray[np.float64],
    along_t: NDArray[np.float64],
    along_y: NDArray[np.float64],
    along_x: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """Add heights [n] times the factors along t [n, T], y [n, H] and x [n, W] to the total [T, H, W], in this order."""
    for t in range(total.shape[0]):
        for y in range(total.shape[1]):
            for k in range(len(heights)):
                factor = heights[k] * along_t[k, t] * along_y[k, y]
                for x in range(total.shape[2]):
                    total[t, y, x] += factor * along_x[k, x]


def reference(
    heights: NDArray[np.float64],
    along_t: NDArray[np.float64],
    along_y: NDArray[np.float64],
    along_x: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What `add_products` adds to zeros."""
    total = np.zeros((along_t.shape[1], along_y.shape[1], along_x.shape[1]))
    for height, t, y, x in zip(heights, along_t, along_y, along_x, strict=True):
        total += height * t[:, None, None] * y[:, None] * x
    return total


def replace(old: Tensor, new: Tensor, replaced: NDArray[np.bool_]) -> None:
    """Write new over old, [T, C, H, W], in the voxels, [T, H, W]; in place, whatever the numbers are."""
    if old.device.type == "cpu":
        # By their bits, which NumPy has for all types; torch.where takes several times as long.
        bits = _BITS[old.element_size()]
        write_over(old.view(bits).numpy(), new.view(bits).numpy(), replaced)
    else:
        old.copy_(torch.where(torch.from_numpy(replaced).to(old.device)[:, None], new, old))


@kernel
def write_over(old: NDArray[Any], new: NDArray[Any], replaced: NDArray[np.bool_]) -> None:
    """Write new over old, [T, C, H, W], in the voxels, [T, H, W]; without branches on the data."""
    for t in range(old.shape[0]):
        for c in range(old.shape[1]):
            for y in range(old.shape[2]):
                for x in range(old.shape[3]):
                    old[t, c, y, x] = new[t, c, y, x] if replaced[t, y, x] else old[t, c, y, x]


def reference_write_over(old: NDArray[Any], new: NDArray[Any], replaced: NDArray[np.bool_]) -> None:
    """What `write_over` does."""
    np.copyto(old, new, where=replaced[:, None])


def _by_events(old: Tensor, new: Tensor, replaced: NDArray[np.bool_]) -> float | None:
    """Part of the label that stays, by events; None when a sample has none, or nothing of either remains."""
    lost, gained = _part_of_events(old, replaced), _part_of_events(new, replaced)
    if lost is None or gained is None or 1 - lost + gained <= 0:
        return None
    return (1 - lost) / (1 - lost + gained)


def _part_of_events(frames: Tensor, replaced: NDArray[np.bool_]) -> float | None:
    """Part of a sample's events, [T, C, H, W], that lies in the voxels [T, H, W]; None when there are no events.

    Reals that are negative (a voxel grid's) count by size.
    """
    if frames.device.type == "cpu":
        sums = np.zeros((2, frames.shape[-1]))
        count_events((frames if frames.dtype in _COUNTED else frames.double()).numpy(), replaced, sums)
        total, inside = sums.sum(axis=1).tolist()
    else:
        events = frames.double().abs().sum(1)
        total = float(events.sum())
        inside = float((events * torch.from_numpy(replaced).to(frames.device)).sum())
    return inside / total if total > 0 else None


@kernel
def count_events(frames: NDArray[Any], replaced: NDArray[np.bool_], sums: NDArray[np.float64]) -> None:
    """Add to sums [2, W] the events of each column of frames [T, C, H, W]: all of them, and those in the voxels.

    By columns, so that several are added at once and floats are in an order of their own nevertheless.
    """
    for t in range(frames.shape[0]):
        for c in range(frames.shape[1]):
            for y in range(frames.shape[2]):
                for x in range(frames.shape[3]):
                    events = abs(np.float64(frames[t, c, y, x]))
                    sums[0, x] += events
                    sums[1, x] += events if replaced[t, y, x] else 0.0


def reference_counts(frames: NDArray[Any], replaced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What `count_events` adds to zeros."""
    events = np.abs(frames.astype(np.float64))
    return np.stack([events.sum((0, 1, 2)), (events * replaced[:, None]).sum((0, 1, 2))])


def _by_distance(old: Tensor, new: Tensor, mixed: Tensor) -> float | None:
    """Part of the label that stays, by distance; None when all three are the same."""
    smooth = [avg_pool2d(frames.double(), 3, stride=1, padding=1) for frames in (old, new, mixed)]
    to_old, to_new = (float((smooth[2] - frames).square().mean()) for frames in smooth[:2])
    total = to_old**2 + to_new**2
    return None if total == 0 else to_new**2 / total


AUGMENTATION = EventMix
