"""The training loop: it learns, repeats itself, survives kills, and counts what it should."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neurodata.errors import NeurodataError, SignalError
from neurodata.models.csnn import build
from neurodata.storage import exclusive
from neurodata.train import EpochMetrics, TrainOptions, evaluate, fit
from tests.train.fakes import FakeBatch, FakeLoader, moving_bars
from tests.train.run import MOMENTS, train

torch.set_num_threads(1)

FILES = ("metrics.csv", "metrics.jsonl", "result.json")


class Oracle(nn.Module):
    """Scores that a test decides: the first time step's first pixel names the class."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, frames: Tensor) -> Tensor:
        classes = frames[0, :, 0, 0, 0].long()
        return self.gain * nn.functional.one_hot(classes, self.n_classes).float().repeat(len(frames), 1, 1)


def said(classes: list[int], n_steps: int = 2) -> Tensor:
    """Frames [N, T, 1, 1, 1] that make the oracle say these classes."""
    return torch.tensor(classes, dtype=torch.float32).view(-1, 1, 1, 1, 1).repeat(1, n_steps, 1, 1, 1)


def options(**changes: object) -> TrainOptions:
    return TrainOptions(**{"epochs": 2, "device": "cpu", **changes})


def test_it_learns_sixteen_samples_by_heart(tmp_path: Path) -> None:
    frames, targets = moving_bars(16, seed=0)
    loader = FakeLoader(frames, targets, batch_size=8, shuffle=True)
    network = build((6, 2, 8, 8), 2, channels=(8, 8, 8), dropout=0.0, seed=0)
    result = fit(network, loader, FakeLoader(frames, targets, 16), options=options(epochs=25), folder=tmp_path)
    assert result.last == 1.0
    assert result.history[-1].train_loss < 0.6 * result.history[0].train_loss


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        torch.manual_seed(hash(name) % 1000)
        train(tmp_path / name, epochs=2)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_torchs_generator_is_left_as_it_was(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    train(tmp_path, epochs=1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder)
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(tmp_path: Path, undisturbed: Path, moment: str) -> None:
    killed = tmp_path / "killed"
    command = [sys.executable, str(Path(__file__).with_name("run.py")), str(killed), moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len((killed / "metrics.jsonl").read_text().splitlines()) == 2
    assert not (killed / "result.json").exists()
    train(killed)
    for file in FILES:
        assert (killed / file).read_bytes() == (undisturbed / file).read_bytes()
    for file in ("last.pt", "validation-selected.pt"):
        one, other = (torch.load(folder / file, weights_only=True) for folder in (killed, undisturbed))
        assert {name: one.pop(name, None) for name in ("identity", "history")} == {
            name: other.pop(name, None) for name in ("identity", "history")
        }
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = train(tmp_path, epochs=1)
    epochs: list[EpochMetrics] = []
    network = build((6, 2, 8, 8), 2, channels=(6, 6, 6), dropout=0.5, seed=1)
    loaders = [FakeLoader(*moving_bars(n, seed=0), batch_size=8) for n in (22, 11, 9)]
    again = fit(network, *loaders, options=options(epochs=1, seed=5), folder=tmp_path, on_epoch=epochs.append)
    assert epochs == []
    assert again.history == first.history
    assert (again.confusion == first.confusion).all()
    saved = torch.load(tmp_path / "last.pt", weights_only=True)["model"]
    assert all(torch.equal(network.state_dict()[name], saved[name]) for name in saved)


def test_resuming_with_other_options_says_what_differs(tmp_path: Path) -> None:
    loader = FakeLoader(said([0, 1]), torch.tensor([0, 1]), 1)
    fit(Oracle(2), loader, loader, options=options(), folder=tmp_path, about={"store": "a"})
    with pytest.raises(
        NeurodataError, match=r"learning_rate was 0\.003, is now 0\.1; store was 'a', is now 'b'\. Resume"
    ):
        fit(Oracle(2), loader, loader, options=options(learning_rate=0.1), folder=tmp_path, about={"store": "b"})
    wider = FakeLoader(said([0, 1]), torch.tensor([0, 1]), 2)
    with pytest.raises(NeurodataError, match=r"batches per epoch was 2, is now 1"):
        fit(Oracle(2), wider, loader, options=options(), folder=tmp_path, about={"store": "a"})


def test_another_network_is_not_resumed(tmp_path: Path) -> None:
    loader = FakeLoader(said([0, 1]), torch.tensor([0, 1]), 1)
    fit(Oracle(2), loader, loader, options=options(), folder=tmp_path)
    other = Oracle(2)
    other.weight = other.gain
    del other.gain
    with pytest.raises(NeurodataError, match=r"last\.pt: holds another network"):
        fit(other, loader, loader, options=options(), folder=tmp_path)


def test_metrics_have_the_same_columns_and_values_in_both_files(tmp_path: Path) -> None:
    result = train(tmp_path, epochs=3)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [list(line) for line in lines]
    assert [{name: float(cell) for name, cell in row.items()} for row in rows] == lines
    assert [EpochMetrics(**line) for line in lines] == list(result.history)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[-1]["learning_rate"] == 0


def test_metrics_without_validation_are_empty_and_null(tmp_path: Path) -> None:
    loader = FakeLoader(said([0, 1]), torch.tensor([0, 1]), 2)
    result = fit(Oracle(2), loader, loader, options=options(epochs=1), folder=tmp_path)
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1].split(",")[4:6] == ["", ""]
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["validation_accuracy"] is None
    assert json.loads((tmp_path / "result.json").read_text())["validation-selected"] is None
    assert result.validation_selected is None
    assert not (tmp_path / "validation-selected.pt").exists()


def test_selected_weights_are_those_of_the_best_epoch_on_the_validation_set(tmp_path: Path) -> None:
    result = train(tmp_path)
    network = build((6, 2, 8, 8), 2, channels=(6, 6, 6), seed=0)
    network.load_state_dict(torch.load(tmp_path / "validation-selected.pt", weights_only=True))
    assert evaluate(network, FakeLoader(*moving_bars(11, seed=2), batch_size=8)).accuracy == result.validation_selected


def test_only_valid_samples_are_counted() -> None:
    # Five samples in batches of four: three copies of sample 0 fill up, and would count as right.
    loader = FakeLoader(said([0, 1, 1, 2, 0]), torch.tensor([0, 1, 2, 2, 1]), batch_size=4)
    evaluation = evaluate(Oracle(3), loader)
    assert evaluation.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    assert evaluation.n_samples == 5
    assert evaluation.accuracy == 3 / 5
    right, wrong = (-torch.tensor([1.0, 0.0, 0.0]).log_softmax(0))[:2].tolist()
    assert evaluation.loss == pytest.approx((3 * right + 2 * wrong) / 5)


def test_training_counts_only_valid_samples(tmp_path: Path) -> None:
    loader = FakeLoader(said([0, 1, 1, 2, 0]), torch.tensor([0, 1, 2, 2, 1]), batch_size=4)
    result = fit(Oracle(3), loader, loader, options=options(epochs=1), folder=tmp_path)
    assert result.history[0].train_accuracy == 3 / 5


def test_a_split_without_valid_samples_has_no_accuracy() -> None:
    with pytest.raises(NeurodataError, match="no valid sample"):
        evaluate(Oracle(2), FakeLoader(said([]), torch.tensor([], dtype=torch.int64), 2))


@pytest.mark.parametrize("batch_first", [True, False])
def test_batches_with_time_second_are_refused(batch_first: bool) -> None:
    # With T = B nothing but the batch's own word tells the two apart.
    n_steps = 2 if batch_first else 3
    batch = FakeBatch(
        torch.zeros(2, n_steps, 1, 1, 1), torch.tensor([0, 1]), torch.ones(2, dtype=torch.bool), batch_first
    )
    loader = FakeLoader(said([0]), torch.tensor([0]), 1)
    loader.__class__ = type("Stubborn", (FakeLoader,), {"__iter__": lambda self: iter([batch])})
    with pytest.raises(
        SignalError, match=r"expected time first, \[T, B, C, H, W\]: make the loader with batch_first=False"
    ):
        evaluate(Oracle(2), loader)


def test_a_target_that_the_network_does_not_know_is_named() -> None:
    with pytest.raises(SignalError, match="targets from 0 to 7; the network has 2 classes"):
        evaluate(Oracle(2), FakeLoader(said([0, 1]), torch.tensor([0, 7]), 2))


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(SignalError, match=r"the network gives scores \[2, 2\]; expected \[T, 2, n_classes\]"):
        evaluate(nn.Flatten(1, -1), FakeLoader(torch.zeros(2, 2, 1), torch.tensor([0, 1]), 2))


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_batch(tmp_path: Path) -> None:
    frames = said([0, 1])
    model = Oracle(2)
    model.gain.data.fill_(torch.nan)
    loader = FakeLoader(frames, torch.tensor([0, 1]), 1)
    with pytest.raises(
        NeurodataError, match=r"epoch 1, batch 1: the loss is nan; a lower learning_rate \(now 0\.003\)"
    ):
        fit(model, loader, loader, options=options(), folder=tmp_path)
    assert not (tmp_path / "result.json").exists()
    assert not (tmp_path / "last.pt").exists()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    loader = FakeLoader(said([0, 1]), torch.tensor([0, 1]), 1)
    with (
        exclusive(tmp_path / ".lock", "training elsewhere"),
        pytest.raises(NeurodataError, match=r"two runs cannot share a folder.*training elsewhere"),
    ):
        fit(Oracle(2), loader, loader, options=options(), folder=tmp_path)


def test_the_loss_of_each_time_step_can_be_mixed_in(tmp_path: Path) -> None:
    # Scores (2, 0) and (0, 2) in time: their mean is undecided, ln 2; each step alone is not.
    class TwoMinds(Oracle):
        def forward(self, frames: Tensor) -> Tensor:
            return self.gain * torch.tensor([[[2.0, 0.0]], [[0.0, 2.0]]]).repeat(1, frames.shape[1], 1)

    loader = FakeLoader(said([0]), torch.tensor([0]), 1)
    smooth = {"epochs": 1, "label_smoothing": 0.0}
    mean_only = fit(TwoMinds(2), loader, loader, options=options(**smooth), folder=tmp_path / "mean")
    mixed = fit(TwoMinds(2), loader, loader, options=options(every_step=0.5, **smooth), folder=tmp_path / "mixed")
    ln2 = torch.tensor(2.0).log().item()
    each = -torch.tensor([[2.0, 0.0], [0.0, 2.0]]).log_softmax(1)[:, 0].mean().item()
    assert mean_only.history[0].train_loss == pytest.approx(ln2)
    assert mixed.history[0].train_loss == pytest.approx((ln2 + each) / 2)
