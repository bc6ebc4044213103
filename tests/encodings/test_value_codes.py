"""What all encodings of pictures and series keep, whatever their code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.encodings._series import SeriesEncoding
from neurodata.encodings._static import LARGEST, StaticEncoding, n_outside, outside_reference
from neurodata.signals import Image, Series

EXAMPLES = [
    pytest.param(registry.encodings[name](**parameters), id=f"{name}-{k}")
    for name in registry.encodings
    if issubclass(registry.encodings[name], StaticEncoding | SeriesEncoding)
    for k, parameters in enumerate(registry.encodings[name].examples)
]


def is_the_same_everywhere(example: Any) -> bool:
    """Whether neurons neither draw on their own nor wait for peaks of their own."""
    step = example.values[0]
    return not step.stochastic and getattr(step, "peak_every", 1) == 1


def has_a_neuron_for_a_value(example: Any) -> bool:
    step = example.values[0]
    return isinstance(step, StaticEncoding) and step.fields_per_value == 1


def encoded(step: Any, signal: Any) -> np.ndarray:
    return step(signal, np.random.default_rng(4))


@given(st.lists(st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0]), max_size=40), st.floats(-1, 2, width=32))
def test_values_that_are_not_in_a_range_are_counted(values: list[float], low: float) -> None:
    array = np.array(values, np.float32)
    for limits in ((np.float32(low), np.float32(1)), (-LARGEST, LARGEST)):
        assert n_outside(array, *limits) == outside_reference(array, *limits)


@pytest.mark.parametrize("step", EXAMPLES)
def test_how_values_lie_in_memory_changes_nothing(step: Any) -> None:
    values = np.random.default_rng(0).random((40, 3), np.float32)
    expected = encoded(step, Series(values, 10.0))
    np.testing.assert_array_equal(encoded(step, Series(np.asfortranarray(values), 10.0)), expected)
    np.testing.assert_array_equal(encoded(step, Series(np.repeat(values, 2, axis=1)[:, ::2], 10.0)), expected)


@pytest.mark.parametrize("step", [example for example in EXAMPLES if is_the_same_everywhere(example)])
def test_channels_are_encoded_apart(step: Any) -> None:
    """Reversed channels have reversed spikes."""
    values = np.random.default_rng(1).random((40, 3), np.float32)
    n_fields = getattr(step, "n_fields", 1)
    straight = encoded(step, Series(values, 10.0))
    turned = encoded(step, Series(np.ascontiguousarray(values[:, ::-1]), 10.0))
    by_channel = [array.reshape(*array.shape[:-1], 3, n_fields) for array in (straight, turned)]
    np.testing.assert_array_equal(by_channel[1][..., ::-1, :], by_channel[0])


@pytest.mark.parametrize("step", [example for example in EXAMPLES if has_a_neuron_for_a_value(example)])
def test_a_picture_is_encoded_as_a_row_of_its_values(step: Any) -> None:
    pixels = np.random.default_rng(2).random((4, 5, 2), np.float32)
    row = Series(np.ascontiguousarray(pixels.transpose(2, 0, 1)).reshape(1, -1), 1.0)
    picture = encoded(step, Image(pixels))
    assert picture.shape == (step.T, 2, 4, 5)
    np.testing.assert_array_equal(picture.reshape(step.T, -1), encoded(step, row))
