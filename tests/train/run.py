"""A small training run in a process of its own: `python run.py FOLDER MOMENT` is killed at that moment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurodata.models.csnn import build
from neurodata.train import EpochMetrics, TrainOptions, TrainResult, fit
from tests.train.fakes import FakeBatch, FakeLoader, moving_bars

MOMENTS = ("while a row is written", "in the middle of an epoch")


class DeadlyLoader(FakeLoader):
    """Kills the process when it has to deliver the second batch of the third epoch."""

    def __iter__(self) -> Iterator[FakeBatch]:
        for number, batch in enumerate(super().__iter__()):
            if (self.epoch, number) == (2, 1):
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def train(folder: Path, moment: str | None = None, epochs: int = 4) -> TrainResult:
    torch.set_num_threads(1)

    def on_epoch(row: EpochMetrics) -> None:
        if moment == "while a row is written" and row.epoch == 2:
            with (folder / "metrics.csv").open("a") as file:
                file.write("3,0.00")
            os.kill(os.getpid(), signal.SIGKILL)

    training = DeadlyLoader if moment == "in the middle of an epoch" else FakeLoader
    return fit(
        build((6, 2, 8, 8), 2, channels=(6, 6, 6), dropout=0.5, seed=0),
        training(*moving_bars(22, seed=1), batch_size=8, shuffle=True),
        FakeLoader(*moving_bars(11, seed=2), batch_size=8),
        FakeLoader(*moving_bars(9, seed=3), batch_size=8),
        options=TrainOptions(epochs=epochs, device="cpu", seed=5),
        folder=folder,
        on_epoch=on_epoch,
    )


if __name__ == "__main__":
    train(Path(sys.argv[1]), sys.argv[2])
