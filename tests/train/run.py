"""A small training run in a process of its own: `python run.py FOLDER [EPOCH]` kills itself after that epoch."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurodata.models.csnn import build
from neurodata.train import EpochMetrics, TrainOptions, TrainResult, fit
from tests.train.fakes import FakeLoader, moving_bars


def train(folder: Path, die_after: int | None = None, epochs: int = 4) -> TrainResult:
    torch.set_num_threads(1)

    def on_epoch(row: EpochMetrics) -> None:
        if row.epoch == die_after:
            with (folder / "metrics.csv").open("a") as file:
                file.write("3,0.00")
                file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    return fit(
        build((6, 2, 8, 8), 2, channels=(6, 6, 6), dropout=0.5, seed=0),
        FakeLoader(*moving_bars(22, seed=1), batch_size=8, shuffle=True),
        FakeLoader(*moving_bars(11, seed=2), batch_size=8),
        FakeLoader(*moving_bars(9, seed=3), batch_size=8),
        options=TrainOptions(epochs=epochs, device="cpu", seed=5),
        folder=folder,
        on_epoch=on_epoch,
    )


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]))
