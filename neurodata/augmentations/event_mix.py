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
from neurodata.augmentations._mixing import MixAugmentation
from neurodata.steps import check_choice

MOST_GAUSSIANS = 4
_FOR_GAUSSIAN = 7  # its height, and for each of three axes the centre and the deviation


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
        voxels = torch.from_numpy(replaced).to(sample.device)[:, None]
        old, new = (frames.view(n_steps, -1, height, width) for frames in (sample, other))  # [T, C, H, W]
        mixed = torch.where(voxels, new, old)
        weight = _by_events(old, new, voxels) if self.weigh == "events" else _by_distance(old, new, mixed)
        old.copy_(mixed)
        return float(1 - replaced.mean()) if weight is None else weight


def mixture(u: NDArray[np.float64], n_steps: int, height: int, width: int) -> NDArray[np.float64]:
    """The sum of two to four Gaussians, float64 [T, H, W]."""
    total = np.zeros((n_steps, height, width))
    for k in range(int(integers(u[:1], 2, MOST_GAUSSIANS)[0])):
        drawn = u[1 + k * _FOR_GAUSSIAN : 1 + (k + 1) * _FOR_GAUSSIAN]
        along = []
        for axis, length in enumerate((n_steps, height, width)):
            centre = integers(drawn[1 + 2 * axis : 2 + 2 * axis], 0, length - 1)[0]
            deviation = max(drawn[2 + 2 * axis], 0.1) * length / 2
            along.append(np.exp(-(((np.arange(length) - centre) / deviation) ** 2) / 2))
        total += drawn[0] * along[0][:, None, None] * along[1][:, None] * along[2]
    return total


def largest(values: NDArray[np.float64], part: float) -> NDArray[np.bool_]:
    """Where the largest numbers are, bool of the same shape: round(part * size) of them, the first ones where equal."""
    n, numbers = round(part * values.size), values.reshape(-1)
    if n == 0:
        return np.zeros(values.shape, np.bool_)
    least = np.partition(numbers, -n)[-n]
    chosen = numbers > least
    chosen[np.flatnonzero(numbers == least)[: n - int(chosen.sum())]] = True
    return chosen.reshape(values.shape)  # type: ignore[no-any-return]  # a comparison of arrays


def _by_events(old: Tensor, new: Tensor, voxels: Tensor) -> float | None:
    """Part of the label that stays, by events; None when a sample has none, or nothing of either remains."""
    lost, gained = _part_of_events(old, voxels), _part_of_events(new, voxels)
    if lost is None or gained is None or 1 - lost + gained <= 0:
        return None
    return (1 - lost) / (1 - lost + gained)


def _part_of_events(frames: Tensor, voxels: Tensor) -> float | None:
    """Part of a sample's events that lies in the voxels; reals that are negative (a voxel grid's) count by size."""
    counts = frames.double().abs()
    total = float(counts.sum())
    return float((counts * voxels).sum()) / total if total > 0 else None


def _by_distance(old: Tensor, new: Tensor, mixed: Tensor) -> float | None:
    """Part of the label that stays, by distance; None when all three are the same."""
    smooth = [avg_pool2d(frames.double(), 3, stride=1, padding=1) for frames in (old, new, mixed)]
    to_old, to_new = (float((smooth[2] - frames).square().mean()) for frames in smooth[:2])
    total = to_old**2 + to_new**2
    return None if total == 0 else to_new**2 / total


AUGMENTATION = EventMix
