"""The real loader feeds the loop: order, state and valid samples come from a store on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from neurodata.loader import LoaderError, Store
from neurodata.models.csnn import build
from neurodata.train import EpochMetrics, TrainOptions, TrainResult, fit
from tests.loader.stores import SHAPE, write_store

torch.set_num_threads(1)


def train(store: Store, folder: Path, stop_after: int | None = None, seed: int = 7) -> TrainResult:
    def on_epoch(row: EpochMetrics) -> None:
        if row.epoch == stop_after:
            raise KeyboardInterrupt

    return fit(
        build(SHAPE, 3, channels=(4, 4, 4), seed=0),
        store["train"].loader(4, shuffle=True, seed=seed, batch_first=False, dtype="stored"),
        store["test"].loader(4, batch_first=False),
        options=TrainOptions(epochs=3, device="cpu"),
        folder=folder,
        on_epoch=on_epoch,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(write_store(tmp_path_factory.mktemp("store") / "toy"))


def test_a_store_is_learned_and_every_test_sample_is_counted_once(store: Store, tmp_path: Path) -> None:
    result = train(store, tmp_path)
    assert result.confusion.sum(axis=1).tolist() == [2, 2, 2]
    assert len(result.history) == 3


def test_an_interrupted_run_goes_on_with_the_loaders_own_order(store: Store, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path / "interrupted", stop_after=1)
    resumed, whole = train(store, tmp_path / "interrupted"), train(store, tmp_path / "whole")
    assert resumed.history == whole.history


def test_a_loader_of_another_seed_is_refused(store: Store, tmp_path: Path) -> None:
    train(store, tmp_path)
    with pytest.raises(LoaderError, match="seed 7"):
        train(store, tmp_path, seed=8)
