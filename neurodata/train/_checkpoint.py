"""The state of a run after an epoch, in one file that appears whole: `torch.load(path, weights_only=True)` reads it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.errors import StorageError, TrainingError
from neurodata.storage import writing
from neurodata.train._metrics import EpochMetrics

VERSION = 1

# What a run was started with, by name; a run goes on only where all of it is the same.
Identity = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A run after its last finished epoch.

    Parameters
    ----------
    identity
        Options and other facts that must not change within a run.
    history
        A row for each finished epoch.
    confusion
        Confusion matrix of the last finished epoch on the test set, int64 [n_classes, n_classes].
    model, optimizer, schedule, loader
        State dictionaries.
    rng
        States of torch's generators, uint8, by device type.
    """

    identity: Identity
    history: tuple[EpochMetrics, ...]
    confusion: NDArray[np.int64]
    model: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    loader: dict[str, Any]
    rng: dict[str, torch.Tensor]

    def save(self, path: Path) -> None:
        """Write the file; the one before stays until this one is complete."""
        content = {
            "version": VERSION,
            "identity": dict(self.identity),
            "history": [asdict(row) for row in self.history],
            "confusion": torch.from_numpy(self.confusion),
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "loader": dict(self.loader),
            "rng": self.rng,
        }
        with writing(path) as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read the file; tensors are on the processor.

        Raises
        ------
        StorageError
            When the file is damaged, of another version, or cannot be read.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content["version"] != VERSION:
                raise StorageError(f"{path}: checkpoint of version {content['version']}; this release reads {VERSION}")
            history = tuple(EpochMetrics(**row) for row in content["history"])
            names = ("identity", "model", "optimizer", "schedule", "loader", "rng")
            parts = {name: content[name] for name in names}
            return cls(history=history, confusion=content["confusion"].numpy(), **parts)
        except (EOFError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StorageError(
                f"{path}: not a checkpoint of a training run ({reason}); delete it to start over"
            ) from error
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def refuse_other_run(saved: Identity, asked: Identity, path: Path) -> None:
    """Raise TrainingError naming every difference between the run that was saved and the one asked for."""
    differences = [
        f"{name} was {saved.get(name)!r}, is now {asked.get(name)!r}"
        for name in sorted({*saved, *asked})
        if saved.get(name) != asked.get(name)
    ]
    if differences:
        raise TrainingError(
            f"{path}: this run was started differently: {'; '.join(differences)}. "
            "Resume it as it was started, choose another folder, or delete this one"
        )
