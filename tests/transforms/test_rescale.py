from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Series
from neurodata.transforms.rescale import Rescale

VALUES = np.array([[-2, 10], [0, 20], [2, 14]], np.float32)


def rescaled(step: Rescale, values: np.ndarray = VALUES) -> tuple[list, Counter[str]]:
    tally: Counter[str] = Counter()
    return step(Series(values, 100.0), None, tally).values.tolist(), tally


def test_the_least_and_largest_value_of_a_sample_become_0_and_1() -> None:
    found, tally = rescaled(Rescale())
    np.testing.assert_allclose(found, (VALUES + 2) / 22, rtol=1e-6)
    assert not tally


def test_channels_may_have_their_own() -> None:
    found, _ = rescaled(Rescale(per="channel"))
    np.testing.assert_allclose(found, [[0, 0], [0.5, 1], [1, 0.4]], rtol=1e-6)


def test_values_outside_stated_limits_are_clipped_and_counted() -> None:
    found, tally = rescaled(Rescale(low=0.0, high=16.0))
    assert found == [[0, 0.625], [0, 1], [0.125, 0.875]]
    assert tally == {"clipped": 2}


def test_one_limit_may_be_stated() -> None:
    assert rescaled(Rescale(low=0.0))[0] == [[0, 0.5], [0, 1], [pytest.approx(0.1), pytest.approx(0.7)]]


def test_equal_values_become_0() -> None:
    assert rescaled(Rescale(), np.full((2, 2), 7, np.float32))[0] == [[0, 0], [0, 0]]


def test_a_sample_without_values_stays() -> None:
    assert rescaled(Rescale(), np.zeros((0, 2), np.float32))[0] == []


def test_a_sample_on_one_side_of_the_only_limit_is_refused() -> None:
    with pytest.raises(EncodingError, match="values reach from -2 to 20, all on one side"):
        rescaled(Rescale(low=30.0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"low": 1.0, "high": 1.0}, "low is 1.0 and high 1.0"),
        ({"low": float("nan")}, "low is nan"),
        ({"per": "row"}, "per is 'row'"),
        ({"low": 0.0, "high": 1.0, "per": "channel"}, "leave one of the two out"),
    ],
)
def test_limits_that_do_not_fit_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=f"rescale: .*{message}"):
        Rescale(**parameters)
