"""Checkpoints: readable without pickle, whole or not at all, refused when damaged."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neurodata.errors import StorageError
from neurodata.train._checkpoint import Checkpoint
from neurodata.train._metrics import EpochMetrics

ROW = EpochMetrics(1, 0.1, 2.0, 0.5, None, None, 1.5, 0.25)


def checkpoint() -> Checkpoint:
    return Checkpoint(
        identity={"seed": 1, "device": "cpu", "store": None},
        history=(ROW,),
        confusion=np.array([[1, 0], [2, 3]]),
        model={"weight": torch.arange(3.0)},
        optimizer={"state": {}, "param_groups": []},
        schedule={"last_epoch": 3},
        loader={"seed": 2**63, "epoch": 1},
        rng={"cpu": torch.get_rng_state()},
    )


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    saved = checkpoint()
    saved.save(tmp_path / "last.pt")
    loaded = Checkpoint.load(tmp_path / "last.pt")
    assert (loaded.identity, loaded.history, loaded.loader) == (saved.identity, saved.history, saved.loader)
    assert loaded.confusion.tolist() == [[1, 0], [2, 3]]
    assert loaded.confusion.dtype == np.int64
    assert torch.equal(loaded.model["weight"], saved.model["weight"])
    assert torch.equal(loaded.rng["cpu"], saved.rng["cpu"])


def test_torch_reads_it_without_running_code_from_it(tmp_path: Path) -> None:
    checkpoint().save(tmp_path / "last.pt")
    assert torch.load(tmp_path / "last.pt", weights_only=True)["history"][0]["test_accuracy"] == 0.25


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 1000])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "last.pt"
    checkpoint().save(path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(StorageError, match=r"last\.pt: not a checkpoint of a training run .*; delete it to start over"):
        Checkpoint.load(path)


@pytest.mark.parametrize("content", [{"weight": torch.zeros(1)}, [1, 2], {"version": 1}])
def test_another_file_of_torch_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(StorageError, match="not a checkpoint of a training run"):
        Checkpoint.load(tmp_path / "last.pt")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    torch.save({"version": 99}, tmp_path / "last.pt")
    with pytest.raises(StorageError, match="checkpoint of version 99; this release reads 1"):
        Checkpoint.load(tmp_path / "last.pt")


def test_a_missing_checkpoint_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"last\.pt: cannot be read: No such file"):
        Checkpoint.load(tmp_path / "last.pt")
