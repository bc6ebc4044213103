"""A stretch of time without events.

SpikeSCR and SpikCommander do this to SHD and SSC: with probability 0.5, 20 % (10 %) of the steps. Their code draws the
start so that the last step is never masked; here every start at which the stretch fits is as likely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import SampleAugmentation
from neurodata.augmentations._draws import integers
from neurodata.augmentations._spans import erase_spans
from neurodata.steps import MOVES_NOTHING, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMask(SampleAugmentation):
    """floor(fraction * T) time steps in a row set to zero.

    Parameters
    ----------
    fraction
        Part of the time steps, 0 to 1.
    p
        Probability for each sample.
    """

    fraction: float = 0.2
    p: float = 0.5

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"fraction": 0.5, "p": 1.0})
    aliases: ClassVar[Mapping[str, str]] = {"time_mask_proportion": "fraction"}
    n_draws: ClassVar[int] = 1

    def check(self) -> None:
        """Raise RecipeError when the fraction is out of range."""
        check_range(self.name, "fraction", self.fraction, 0, 1)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Mask a stretch of the chosen samples."""
        n_steps = frames.shape[1]
        n_masked = int(self.fraction * n_steps)
        start = integers(u[:, 0], 0, n_steps - n_masked)
        erase_spans(frames, which, 1, start, np.full(len(which), n_masked))


AUGMENTATION = TimeMask
