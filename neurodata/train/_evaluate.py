"""Accuracy of a network on a split: every valid sample once, as a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from neurodata.errors import SignalError, TrainingError
from neurodata.models import spikingjelly
from neurodata.train._contract import Loader, classes_of, unpack


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a network did on a split.

    Parameters
    ----------
    loss
        Mean cross-entropy of the time-averaged scores, in nats.
    confusion
        int64 [n_classes, n_classes]: samples of class i (row) that were taken for class j (column).
    """

    loss: float
    confusion: NDArray[np.int64]

    @property
    def n_samples(self) -> int:
        """Samples counted."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Part of the samples that got their own class, 0 to 1."""
        return int(np.trace(self.confusion)) / self.n_samples


def evaluate(model: nn.Module, loader: Loader, device: torch.device | str = "cpu") -> Evaluation:
    """How well a network does; leaves it in evaluation mode.

    Raises
    ------
    TrainingError
        When the loader gives no valid sample.
    SignalError
        When frames are not [T, B, ...] or a target is not one of the network's classes.
    """
    model.eval()
    loss, confusion = 0.0, np.zeros((0, 0), np.int64)
    with torch.no_grad():
        for batch in loader:
            frames, targets, valid = unpack(batch)
            scores = time_averaged(model, frames, targets, device)[valid.to(device)]  # [n, n_classes]
            targets = targets[valid].to(device)
            n_classes = scores.shape[1]
            if not confusion.size:
                confusion = np.zeros((n_classes, n_classes), np.int64)
            loss += cross_entropy(scores, targets, reduction="sum").item()
            pairs = classes_of(targets) * n_classes + scores.argmax(dim=1)
            confusion += torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes).cpu().numpy()
    spikingjelly("functional").reset_net(model)
    if not confusion.sum():
        raise TrainingError("the loader gives no valid sample, so there is no accuracy; is the split empty?")
    return Evaluation(loss / int(confusion.sum()), confusion)


def scores_in_time(model: nn.Module, frames: Tensor, targets: Tensor, device: torch.device | str) -> Tensor:
    """The network's scores, float32 [T, B, n_classes], from neurons at rest."""
    spikingjelly("functional").reset_net(model)
    scores: Tensor = model(frames.to(device, torch.float32, non_blocking=True))
    if scores.ndim != 3 or scores.shape[1] != len(targets):
        raise SignalError(f"the network gives scores {list(scores.shape)}; expected [T, {len(targets)}, n_classes]")
    _check_targets(targets, scores.shape[-1])
    return scores


def _check_targets(targets: Tensor, n_classes: int) -> None:
    if targets.is_floating_point():
        if targets.shape[1:] != (n_classes,):
            raise SignalError(f"soft targets {list(targets.shape)}; the network has {n_classes} classes")
    elif targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < n_classes:
        raise SignalError(
            f"targets from {int(targets.min())} to {int(targets.max())}; the network has {n_classes} classes"
        )


def time_averaged(model: nn.Module, frames: Tensor, targets: Tensor, device: torch.device | str) -> Tensor:
    """Mean over time of the network's scores, float32 [B, n_classes]."""
    return scores_in_time(model, frames, targets, device).mean(dim=0)
