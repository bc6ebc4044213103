"""The real loader feeds the loop: order, state and valid samples come from a store on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from neurodata.errors import SignalError
from neurodata.loader import LoaderError, Store
from neurodata.loader._augment import Augment
from neurodata.models.csnn import build
from neurodata.train import EpochMetrics, TrainOptions, TrainResult, fit
from neurodata.train._evaluate import scores_in_time
from tests.loader.stores import SHAPE, write_store

torch.set_num_threads(1)


def train(
    store: Store, folder: Path, stop_after: int | None = None, seed: int = 7, augment: Augment = (), **options: Any
) -> TrainResult:
    def on_epoch(row: EpochMetrics) -> None:
        if row.epoch == stop_after:
            raise KeyboardInterrupt

    dtype = "float32" if augment else "stored"  # mixing needs reals
    return fit(
        build(SHAPE, 3, channels=(4, 4, 4), seed=0),
        store["train"].loader(4, shuffle=True, seed=seed, batch_first=False, augment=augment, dtype=dtype),
        store["test"].loader(4, batch_first=False),
        options=TrainOptions(epochs=3, device="cpu", **options),
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


AUGMENT = [
    {"name": "roll", "max_x": 1, "max_y": 1},
    {"name": "cutmix", "per": "sample", "p": 0.5},
    {"name": "mixup", "until_epoch": 2},
]


@pytest.mark.parametrize("every_step", [0.0, 0.5])
def test_a_run_on_mixtures_goes_on_with_the_same_numbers(store: Store, tmp_path: Path, every_step: float) -> None:
    options = {"augment": AUGMENT, "every_step": every_step}
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path / "interrupted", stop_after=1, **options)
    resumed, whole = train(store, tmp_path / "interrupted", **options), train(store, tmp_path / "whole", **options)
    assert resumed.history == whole.history
    plain = train(store, tmp_path / "plain", every_step=every_step)
    assert plain.history[0].train_loss != whole.history[0].train_loss


def test_one_hot_targets_are_learned_and_counted_as_class_indices_are(store: Store, tmp_path: Path) -> None:
    never = [{"name": "mixup", "p": 0.0}]
    soft, hard = train(store, tmp_path / "soft", augment=never), train(store, tmp_path / "hard")
    for row, expected in zip(soft.history, hard.history, strict=True):
        assert row.train_loss == pytest.approx(expected.train_loss, abs=1e-4)
        assert row.train_accuracy == pytest.approx(expected.train_accuracy, abs=0.07)


def test_soft_targets_of_another_number_of_classes_are_refused(store: Store) -> None:
    frames, targets = torch.zeros(3, 4, 2, 4, 4), torch.full((4, 5), 0.2)
    with pytest.raises(SignalError, match=r"soft targets \[4, 5\]; the network has 3 classes"):
        scores_in_time(build(SHAPE, 3, channels=(4, 4, 4), seed=0), frames, targets, "cpu")
