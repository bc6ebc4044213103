"""Mixup: the weighted mean of two samples, and of their labels.

H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, arXiv:1710.09412: x = λ x_i + (1 - λ) x_j,
and y likewise, λ from Beta(α, α), one for a batch. QKFormer and Spikingformer: alpha = 0.5, p = 0.5, until_epoch = 75.
(timm, which they use, mixes the first sample of a batch with the last, and so on inwards; after shuffling that is a
random partner too.) Smoothing of labels is the loss's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._mixing import MixAugmentation


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixup(MixAugmentation):
    """Weighted means of two samples of a batch; frames are reals, targets soft."""

    aliases: ClassVar[Mapping[str, str]] = {"prob": "p", "mixup_alpha": "alpha", "mixup_prob": "p"}

    @property
    def moves_only(self) -> bool:
        """New numbers are computed."""
        return False

    def mix(self, sample: Tensor, other: Tensor, stays: float, u: NDArray[np.float64]) -> float:
        """The weighted mean."""
        sample.lerp_(other, 1 - stays)
        return stays


AUGMENTATION = Mixup
