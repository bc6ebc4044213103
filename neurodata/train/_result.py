"""What came out of a run: three accuracies that must not be confused, and the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.storage import write_json
from neurodata.train._checkpoint import Identity
from neurodata.train._metrics import EpochMetrics

MEANING = {
    "best-on-test": "maximum over epochs of the test accuracy; optimistic, because the test set chose the epoch",
    "validation-selected": "test accuracy at the epoch with the best validation accuracy; null without validation",
    "last": "test accuracy after the last epoch",
}


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """The result of `fit`; also written to `result.json`.

    Parameters
    ----------
    history
        Metrics of every epoch, in order; not empty.
    confusion
        After the last epoch, on the test set, int64 [n_classes, n_classes]: samples of class i (row) that were taken
        for class j (column).
    folder
        Where checkpoint, metrics and result lie.
    """

    history: tuple[EpochMetrics, ...]
    confusion: NDArray[np.int64]
    folder: Path

    @property
    def best_on_test_epoch(self) -> EpochMetrics:
        """The first epoch with the highest test accuracy."""
        return max(self.history, key=lambda row: row.test_accuracy)

    @property
    def best_on_test(self) -> float:
        """Maximum over epochs of the test accuracy: optimistic, because the test set chose the epoch."""
        return self.best_on_test_epoch.test_accuracy

    @property
    def validation_selected_epoch(self) -> EpochMetrics | None:
        """The first epoch with the highest validation accuracy; None without a validation set."""
        validated = [row for row in self.history if row.validation_accuracy is not None]
        return max(validated, key=lambda row: row.validation_accuracy or 0.0) if validated else None

    @property
    def validation_selected(self) -> float | None:
        """Test accuracy at the epoch with the best validation accuracy; None without a validation set."""
        epoch = self.validation_selected_epoch
        return None if epoch is None else epoch.test_accuracy

    @property
    def last(self) -> float:
        """Test accuracy after the last epoch."""
        return self.history[-1].test_accuracy

    @property
    def per_class(self) -> NDArray[np.float64]:
        """Accuracy of each class after the last epoch, [n_classes]; NaN for a class without test samples."""
        n_samples = self.confusion.sum(axis=1)
        accuracy = np.full(len(n_samples), np.nan)
        np.divide(np.diag(self.confusion), n_samples, out=accuracy, where=n_samples > 0)
        return accuracy

    def write(self, identity: Identity) -> None:
        """Write `result.json` into the folder."""
        chosen = {
            "best-on-test": self.best_on_test_epoch,
            "validation-selected": self.validation_selected_epoch,
            "last": self.history[-1],
        }
        accuracies = {
            name: row and {"accuracy": row.test_accuracy, "epoch": row.epoch, "meaning": MEANING[name]}
            for name, row in chosen.items()
        }
        write_json(
            self.folder / "result.json",
            {
                **accuracies,
                "epochs": len(self.history),
                "test samples": int(self.confusion.sum()),
                "per-class accuracy": [None if np.isnan(part) else part for part in self.per_class.tolist()],
                "confusion": self.confusion.tolist(),
                "run": dict(identity),
            },
        )

    def __repr__(self) -> str:
        selected = "none" if self.validation_selected is None else f"{self.validation_selected:.4f}"
        return (
            f"TrainResult(best-on-test {self.best_on_test:.4f}, validation-selected {selected}, "
            f"last {self.last:.4f}; {len(self.history)} epochs, {self.folder})"
        )
