"""The three accuracies are what their names say."""

import json
from pathlib import Path

import numpy as np
import pytest

from neurodata.train import EpochMetrics, TrainResult

CONFUSION = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])


def result(folder: Path, test: list[float], validation: list[float] | None = None) -> TrainResult:
    history = tuple(
        EpochMetrics(i + 1, 0.1, 1.0, 0.5, None, None if validation is None else validation[i], 1.0, accuracy)
        for i, accuracy in enumerate(test)
    )
    return TrainResult(history, CONFUSION, folder)


def test_the_three_accuracies_differ_where_they_should(tmp_path: Path) -> None:
    # The validation set is best at epochs 2 and 4: the first of them counts.
    run = result(tmp_path, test=[0.5, 0.6, 0.9, 0.7, 0.8], validation=[0.1, 0.7, 0.2, 0.7, 0.3])
    assert (run.best_on_test, run.validation_selected, run.last) == (0.9, 0.6, 0.8)
    assert repr(run).startswith("TrainResult(best-on-test 0.9000, validation-selected 0.6000, last 0.8000; 5 epochs")


def test_without_validation_nothing_is_selected(tmp_path: Path) -> None:
    run = result(tmp_path, test=[0.5, 0.6])
    assert run.validation_selected is None
    assert "validation-selected none" in repr(run)


def test_a_validation_accuracy_of_zero_is_still_one(tmp_path: Path) -> None:
    assert result(tmp_path, test=[0.5, 0.6], validation=[0.0, 0.0]).validation_selected == 0.5


def test_a_class_without_test_samples_has_no_accuracy(tmp_path: Path) -> None:
    np.testing.assert_array_equal(result(tmp_path, [0.5]).per_class, [0.75, 1.0, np.nan])


def test_the_file_names_each_accuracy_and_says_what_it_is(tmp_path: Path) -> None:
    result(tmp_path, test=[0.5, 0.9, 0.8], validation=[0.7, 0.1, 0.2]).write({"seed": 3})
    written = json.loads((tmp_path / "result.json").read_text())
    chosen = {name: written[name] for name in ("best-on-test", "validation-selected", "last")}
    assert {name: (part["accuracy"], part["epoch"]) for name, part in chosen.items()} == {
        "best-on-test": (0.9, 2),
        "validation-selected": (0.5, 1),
        "last": (0.8, 3),
    }
    assert "optimistic" in written["best-on-test"]["meaning"]
    assert written["confusion"] == CONFUSION.tolist()
    assert written["per-class accuracy"] == [pytest.approx(0.75), 1.0, None]
    assert written["test samples"] == 8
    assert written["run"] == {"seed": 3}
