"""Some of the time steps, in their order, drawn at random.

W. Fang et al., "Deep residual learning in spiking neural networks", NeurIPS 2021, arXiv:2102.04159 (SpikingJelly's
RandomTemporalDelete, which draws the same steps for a whole batch; here each sample has its own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neurodata.augmentations._contract import Augmentation
from neurodata.augmentations._draws import Draws
from neurodata.errors import LoaderError
from neurodata.steps import MOVES_TIME, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalDelete(Augmentation):
    """T time steps of each sample, in their order; every choice is as likely. Batches get shorter: [B, T, ...].

    Parameters
    ----------
    T
        Steps that remain.
    """

    T: int

    moves: ClassVar[Moves] = MOVES_TIME
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 1}, {"T": 2})
    aliases: ClassVar[Mapping[str, str]] = {"T_remain": "T", "T_train": "T"}

    def check(self) -> None:
        """Raise RecipeError when no step remains."""
        check_range(self.name, "T", self.T, 1)

    def apply(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The steps that remain, [B, T, ...].

        Raises
        ------
        LoaderError
            When there are fewer.
        """
        n_steps = frames.shape[1]
        if n_steps < self.T:
            raise LoaderError(f"temporal_delete: T is {self.T}, and samples have {n_steps} time steps")
        order = np.argsort(draws.per_sample(n_steps), axis=1, kind="stable")
        kept = torch.from_numpy(np.sort(order[:, : self.T], axis=1)).to(frames.device)  # [B, T]
        return torch.stack([sample.index_select(0, steps) for sample, steps in zip(frames, kept, strict=True)]), targets


AUGMENTATION = TemporalDelete
