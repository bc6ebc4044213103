"""Events of several samples as one batch: what it holds, and what it refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from neurodata.errors import SignalError
from neurodata.models import EventBatch
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays

SENSOR = Sensor(5, 4)


def columns(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    """Two events that fit, but for what is changed."""
    fitting = {name: torch.tensor([0, 1]) for name in ("t", "x", "y", "sample")}
    return {**fitting, "p": torch.tensor([False, True]), **changed}


@given(samples=st.lists(event_arrays(SENSOR), min_size=1, max_size=4))
def test_a_batch_holds_the_events_of_each_sample_in_order(samples: list[EventArray]) -> None:
    batch = EventBatch.of(samples)
    assert len(batch) == sum(map(len, samples))
    assert (batch.n_samples, batch.sensor) == (len(samples), SENSOR)
    for place, events in enumerate(samples):
        of_sample = batch.sample == place
        for name in "txyp":
            np.testing.assert_array_equal(getattr(batch, name)[of_sample], getattr(events, name))


def test_columns_of_events_may_be_read_only_and_are_copied() -> None:
    t, zeros = np.array([3, 4], np.int64), np.zeros(2, np.uint16)
    t.flags.writeable = False
    batch = EventBatch.of([EventArray(t, zeros, zeros, zeros > 0, SENSOR)])
    batch.t[0] = 0
    assert t.tolist() == [3, 4]


def test_it_collates_for_a_data_loader() -> None:
    samples = [EventArray.empty(SENSOR)] * 3
    batches = list(DataLoader(samples, batch_size=2, collate_fn=EventBatch.of))
    assert [batch.n_samples for batch in batches] == [2, 1]


def test_it_moves_to_another_device_and_says_so() -> None:
    batch = EventBatch(**columns(), n_samples=2, sensor=SENSOR)
    assert repr(batch) == "EventBatch(2 events of 2 samples, 5x4x2, cpu)"
    moved = EventBatch(**columns(), n_samples=2, sensor=SENSOR).to("cpu")
    assert all(torch.equal(getattr(moved, name), getattr(batch, name)) for name in ("t", "x", "y", "p", "sample"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"t": torch.tensor([0.0, 1.0])}, "column t has type torch.float32 and shape [2]; expected torch.int64"),
        ({"p": torch.tensor([0, 1])}, "column p has type torch.int64"),
        ({"y": torch.tensor([0])}, "column y has type torch.int64 and shape [1]; expected torch.int64 and [2]"),
        ({"x": torch.tensor([0, 5])}, "column x reaches from 0 to 5; expected 0 to 4"),  # else the next row's pixel
        ({"y": torch.tensor([-1, 3])}, "column y reaches from -1 to 3; expected 0 to 3"),
        ({"sample": torch.tensor([0, 2])}, "column sample reaches from 0 to 2; expected 0 to 1 (2 samples, sensor"),
        ({"t": torch.tensor([0, 2**62])}, "column t reaches from 0 to 4611686018427387904"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_named(changed: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(SignalError, match=re.escape(message)):
        EventBatch(**columns(**changed), n_samples=2, sensor=SENSOR)


def test_no_samples_and_samples_of_several_sensors_are_refused() -> None:
    with pytest.raises(SignalError, match="no samples; expected at least 1"):
        EventBatch.of([])
    with pytest.raises(SignalError, match="sample 1 has the sensor 4x5x2; expected 5x4x2, as sample 0"):
        EventBatch.of([EventArray.empty(SENSOR), EventArray.empty(Sensor(4, 5))])
    with pytest.raises(SignalError, match="0 samples"):
        EventBatch(**columns(), n_samples=0, sensor=SENSOR)
