"""Options are checked once, when they are made."""

import pytest
import torch

from neurodata.errors import RecipeError
from neurodata.train import TrainOptions
from neurodata.train._loop import _warm_up_then_cosine


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 0, "at least 1"),
        ("learning_rate", 0.0, "a positive number"),
        ("learning_rate", float("nan"), "a positive number"),
        ("weight_decay", -1.0, "0 or more"),
        ("label_smoothing", 1.0, "0 <= label_smoothing < 1"),
        ("every_step", 1.5, "0 to 1"),
        ("gradient_clip", 0.0, "a positive number"),
        ("seed", -1, r"0 to 2\^63 - 1"),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: float, expected: str) -> None:
    with pytest.raises(RecipeError, match=f"training: {name} is {value!r}; expected {expected}"):
        TrainOptions(**{name: value})


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(RecipeError, match=f"training: device '{name}' cannot be used here: .*; try 'auto'"):
        TrainOptions(device=name).torch_device()


def test_auto_takes_cuda_where_there_is_one() -> None:
    assert TrainOptions().torch_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_zero() -> None:
    factor = _warm_up_then_cosine(20)
    assert [factor(batch) for batch in (0, 1, 2, 11, 20)] == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.0])


def test_a_single_batch_is_taken_at_the_full_rate() -> None:
    assert _warm_up_then_cosine(1)(0) == 1.0
