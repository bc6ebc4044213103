from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.encodings.est import EventSpikeTensor, reference
from neurodata.encodings.voxel_grid import VoxelGrid
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays

sizes = st.integers(2, 12)


def events_of(t: list[int], p: list[int], sensor: Sensor | None = None) -> EventArray:
    zeros = np.zeros(len(t), np.uint16)
    return EventArray(np.array(t, np.int64), zeros, zeros, np.array(p, np.bool_), sensor or Sensor(1, 1))


@pytest.mark.parametrize(
    ("t_us", "T", "expected"),
    [
        ([0, 10, 40], 3, [0.125, 0.125, 1]),  # s = 0, 1/4, 1; points at 0, 1/2, 1
        ([0, 20, 40], 3, [0, 0.5, 1]),
        ([0, 30, 40], 2, [0.1875, 1.5625]),
        ([3], 2, [0, 0]),  # no duration: s = 0
        ([3, 3], 2, [0, 0]),
        ([], 2, [0, 0]),
        ([-(2**62), 2**62 - 1], 2, [0, 1]),
    ],
)
def test_tensors_by_hand(t_us: list[int], T: int, expected: list[float]) -> None:
    tensor = EventSpikeTensor(T)(events_of(t_us, [1] * len(t_us)))
    assert tensor[:, 1, 0, 0].tolist() == expected
    assert not tensor[:, 0].any()


def test_a_sensor_of_one_polarity_has_one_channel() -> None:
    tensor = EventSpikeTensor(2)(events_of([0, 4, 4], [0, 0, 1], Sensor(1, 1, polarities=1)))
    assert tensor.ravel().tolist() == [0, 2]


@given(events=event_arrays(), T=sizes)
def test_kernel_equals_the_reference(events: EventArray, T: int) -> None:
    np.testing.assert_allclose(EventSpikeTensor(T)(events), reference(events, T), rtol=60 / 2**24, atol=1e-9)


@given(events=event_arrays(), T=sizes)
def test_a_tensor_sums_to_the_normalised_times(events: EventArray, T: int) -> None:
    total = float(((events.t - events.t[:1]) / max(events.duration_us, 1)).sum())
    np.testing.assert_allclose(EventSpikeTensor(T)(events).sum(dtype=np.float64), total, rtol=1e-5)


@given(events=event_arrays(), T=sizes, offset_us=st.integers(-(2**40), 2**40))
def test_the_clock_offset_does_not_matter(events: EventArray, T: int, offset_us: int) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    np.testing.assert_array_equal(EventSpikeTensor(T)(events), EventSpikeTensor(T)(later))


@given(events=event_arrays(), T=sizes)
def test_no_voxel_exceeds_that_of_the_voxel_grid(events: EventArray, T: int) -> None:
    """The same kernel, with weights of at most 1."""
    tensor, grid = EventSpikeTensor(T)(events), VoxelGrid(T, per_polarity=True)(events)
    assert (tensor >= 0).all()
    assert (tensor <= grid * (1 + 1e-5) + 1e-9).all()


@given(events=event_arrays(), T=sizes)
def test_swapped_polarity_swaps_the_channels(events: EventArray, T: int) -> None:
    swapped = EventArray(events.t, events.x, events.y, ~events.p, events.sensor)
    np.testing.assert_array_equal(EventSpikeTensor(T)(swapped), EventSpikeTensor(T)(events)[:, ::-1])


def test_one_point_is_refused() -> None:
    with pytest.raises(RecipeError, match="est: T is 1; expected 2 to"):
        EventSpikeTensor(1)


def test_a_real_recording_equals_the_reference(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    np.testing.assert_allclose(EventSpikeTensor(9)(events), reference(events, 9), rtol=1e-5, atol=1e-9)
