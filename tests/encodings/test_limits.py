"""Parameters, sensors and clocks that would fill memory are refused in words, before anything is allocated."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import EncodingError, RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from neurodata.steps import LARGEST_ARRAY_BYTES, MOST_STEPS, ArraySpec, check_whole
from tests.step_contract import events_of
from tests.step_examples import names_for_events, with_parameters

ENCODINGS = list(with_parameters(registry.encodings, names_for_events(registry.encodings)))
HUGE = Sensor(65536, 65536)


def made(encoding: tuple[str, dict[str, Any]]) -> Any:
    name, parameters = encoding
    return registry.encodings[name](**parameters | ({"dtype": "uint32"} if name == "spike_raster" else {}))


@pytest.mark.parametrize("T", [MOST_STEPS + 1, 2**40, 2**62, 2**70])
@pytest.mark.parametrize("name", registry.encodings.names())
def test_more_time_steps_than_any_sample_has_are_refused(name: str, T: int) -> None:
    step_class = registry.encodings[name]
    if "T" not in {field.name for field in dataclasses.fields(step_class)}:
        pytest.skip("has no T")
    with pytest.raises(RecipeError, match=rf"{name}: T is {T}; expected . to 16777216"):
        step_class(**step_class.examples[0] | {"T": T})


@pytest.mark.parametrize("T", [2.0, "4", True, np.float32(3)])
@pytest.mark.parametrize("name", registry.encodings.names())
def test_a_number_of_steps_that_is_not_whole_is_refused(name: str, T: Any) -> None:
    step_class = registry.encodings[name]
    if "T" not in {field.name for field in dataclasses.fields(step_class)}:
        pytest.skip("has no T")
    with pytest.raises(RecipeError, match=rf"{name}: T is .*; expected a whole number from . to"):
        step_class(**step_class.examples[0] | {"T": T})


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_sensor_too_large_for_memory_is_refused(encoding: Any) -> None:
    step = made(encoding)
    one = events_of([0], [65535], [65535], [1], HUGE)
    with pytest.raises(EncodingError, match=r"takes? \d+\.\d GB, more than 4\.3: .*smaller sensor"):
        step(one)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_jump_of_the_clock_on_one_pixel_is_refused_or_fits(encoding: Any) -> None:
    """A frame of few bytes: what would fill memory are the indices of its windows."""
    step = made(encoding)
    events = events_of([0, 2**62 - 1], [0, 0], [0, 0], [0, 1], Sensor(1, 1))
    if not step.spec(events.sensor).has_variable_steps or getattr(step, "events_per_frame", None):
        step(events)
    elif getattr(step, "T", None) is None:
        with pytest.raises(EncodingError, match=r"\d+ (frames|bins of \d+ us), more than 16777216; state T"):
            step(events)


def test_bits_count_as_windows() -> None:
    with pytest.raises(RecipeError, match=rf"bina_rep: T is {2**20}; expected 1 to {2**24 // 24}"):
        registry.encodings["bina_rep"](T=2**20, n_bits=24)


def test_a_size_does_not_wrap() -> None:
    assert ArraySpec((2**61, 2, 2, 2), np.dtype(np.uint16), ("time", "polarity", "y", "x")).size_bytes == 2**65


def test_a_recipe_for_samples_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text('[[steps]]\nname = "event_frame"\nT = 16_777_216\n')
    with pytest.raises(RecipeError, match=r"one sample of \(16777216, 2, 34, 34\) takes 77\.6 GB, more than 4\.3"):
        load_recipe("n-mnist", path).array()


def test_the_largest_array_is_allowed() -> None:
    events = EventArray.empty(Sensor(65536, 32768, polarities=1))
    step = registry.encodings["binary_frame"](T=2)
    assert step.spec(events.sensor).size_bytes == LARGEST_ARRAY_BYTES
    assert step(events).shape == (2, 1, 32768, 65536)  # zeros that nobody wrote to take no memory


def test_whole_numbers_of_numpy_are_whole() -> None:
    check_whole("step", "T", np.int64(3), 1, 4)
    with pytest.raises(RecipeError, match="step: T is 5; expected 1 to 4"):
        check_whole("step", "T", np.int64(5), 1, 4)
