"""Mixing each sample of a batch with another one, and its label with the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._beta import N_UNIFORMS, beta
from neurodata.augmentations._contract import Augmentation
from neurodata.augmentations._draws import Draws
from neurodata.steps import check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class MixAugmentation(Augmentation):
    """Base of those that mix: subclasses implement `mix`.

    The partner of a sample is the next one in a random order of the batch, that of the last one is the first: so nobody
    is mixed with itself, unless alone or next to a repetition of itself that only fills up a rank's last batch, and
    everybody is a partner once. What a sample is mixed with therefore depends on the batch that it is in, and so on
    batch size and number of ranks; so do the draws that hold for the batch (those for each sample do not).

    Parameters
    ----------
    alpha
        The part that stays is drawn from Beta(alpha, alpha).
    p
        Probability of mixing, for the batch or for each sample as `per` says.
    per
        "batch": one draw for all samples, as the paper on mixup and timm's default have it; "sample": one for each.
    """

    alpha: float = 1.0
    p: float = 1.0
    per: Literal["batch", "sample"] = "batch"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"alpha": 0.3, "per": "sample", "p": 0.5})
    aliases: ClassVar[Mapping[str, str]] = {"prob": "p"}
    mixes: ClassVar[bool] = True
    # Numbers that one mixture draws, besides whether it happens and how much stays.
    n_draws: ClassVar[int] = 0

    def check(self) -> None:
        """Raise RecipeError when a number is out of range, or a choice is none."""
        check_range(self.name, "alpha", self.alpha, 1e-3, 1e3)
        check_range(self.name, "p", self.p, 0, 1)
        check_choice(self.name, "per", self.per, ("batch", "sample"))

    def mix(self, sample: Tensor, other: Tensor, stays: float, u: NDArray[np.float64]) -> float:
        """Write the mixture over `sample`, [T, ...]; gives the part of its label that stays.

        `stays` was drawn from Beta(alpha, alpha), u [n_draws] uniformly.
        """
        raise NotImplementedError

    def apply(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The mixed batch, and new soft targets, float [B, n_classes]."""
        n = len(frames)
        u = self._drawn(draws)  # [B, 1 + N_UNIFORMS + n_draws]
        happens, stays = u[:, 0] < self.p, beta(u[:, 1 : 1 + N_UNIFORMS], self.alpha)
        order, label_stays = partner_order(draws), np.ones(n)
        first = frames[order[0]].clone() if happens.any() else frames[:0]
        # Along the order: the partner comes next, and is still what it was.
        for k, b in enumerate(order):
            if happens[b]:
                other = frames[order[k + 1]] if k + 1 < n else first
                label_stays[b] = self.mix(frames[b], other, float(stays[b]), u[b, 1 + N_UNIFORMS :])
        partner = torch.empty(n, dtype=torch.int64)
        partner[order] = torch.tensor([*order[1:], order[0]])
        weight = torch.from_numpy(1 - label_stays).to(targets.dtype).to(targets.device)[:, None]  # [B, 1]
        return frames, torch.lerp(targets, targets[partner.to(targets.device)], weight)

    def _drawn(self, draws: Draws) -> NDArray[np.float64]:
        n = 1 + N_UNIFORMS + self.n_draws
        if self.per == "sample":
            return draws.per_sample(1 + n)[:, 1:]  # the first one orders the batch
        return np.tile(draws.per_batch(n), (len(draws.keys), 1))


def partner_order(draws: Draws) -> list[int]:
    """The random order of the batch in which each sample's partner is the next one."""
    order: list[int] = np.argsort(draws.per_sample(1)[:, 0], kind="stable").tolist()
    return order
