from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.encodings.voxel_grid import BLOCK, VoxelGrid, reference
from neurodata.errors import RecipeError
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays, many_events

sizes = st.integers(1, 12)


def events_of(t: list[int], p: list[int], sensor: Sensor | None = None) -> EventArray:
    zeros = np.zeros(len(t), np.uint16)
    return EventArray(np.array(t, np.int64), zeros, zeros, np.array(p, np.bool_), sensor or Sensor(1, 1))


@pytest.mark.parametrize(
    ("t_us", "p", "T", "expected"),
    [
        ([0, 10, 40], [1, 1, 1], 3, [1.5, 0.5, 1]),  # t* = 0, 0.5, 2
        ([0, 10, 40], [1, 0, 1], 3, [0.5, -0.5, 1]),
        ([0, 30, 40], [0, 0, 0], 5, [-1, 0, 0, -1, -1]),  # t* = 3: all of it at point 3
        ([5, 5, 5], [1, 1, 0], 4, [1, 0, 0, 0]),  # no duration: the first point
        ([7], [0], 2, [-1, 0]),
        ([], [], 2, [0, 0]),
        ([0, 1, 9], [1, 1, 0], 1, [1]),
        ([-(2**62), 0, 2**62 - 1], [1, 1, 1], 3, [1, 1, 1]),  # the whole clock
    ],
)
def test_grids_by_hand(t_us: list[int], p: list[int], T: int, expected: list[float]) -> None:
    assert VoxelGrid(T)(events_of(t_us, p))[:, 0, 0, 0].tolist() == expected


def test_polarities_have_channels_where_asked_for() -> None:
    grid = VoxelGrid(2, per_polarity=True)(events_of([0, 1, 4], [1, 0, 1]))
    assert grid[:, :, 0, 0].tolist() == [[0.75, 1.0], [0.25, 1.0]]  # [T, OFF and ON]


@pytest.mark.parametrize("per_polarity", [False, True])
def test_events_of_one_polarity_have_no_sign(per_polarity: bool) -> None:
    grid = VoxelGrid(2, per_polarity)(events_of([0, 4], [0, 1], Sensor(1, 1, polarities=1)))
    assert grid.shape == (2, 1, 1, 1)
    assert grid.ravel().tolist() == [1, 1]


@given(events=event_arrays(), T=sizes, per_polarity=st.booleans())
def test_kernel_equals_the_reference(events: EventArray, T: int, per_polarity: bool) -> None:
    np.testing.assert_array_equal(VoxelGrid(T, per_polarity)(events), reference(events, T, per_polarity))


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
@pytest.mark.parametrize("T", [1, 2, 3])
@pytest.mark.parametrize("per_polarity", [False, True])
def test_points_of_many_blocks_equal_the_reference(n: int, T: int, per_polarity: bool) -> None:
    events = many_events(n, Sensor(6, 4))
    np.testing.assert_array_equal(VoxelGrid(T, per_polarity)(events), reference(events, T, per_polarity))


@given(events=event_arrays(), T=sizes)
def test_a_grid_sums_to_the_signed_events(events: EventArray, T: int) -> None:
    signed = int(np.where(events.p, 1, -1).sum())
    np.testing.assert_allclose(VoxelGrid(T)(events).sum(dtype=np.float64), signed, atol=len(events) / 2**20)


@given(events=event_arrays(), T=sizes)
def test_channels_are_not_negative_and_their_difference_is_the_signed_grid(events: EventArray, T: int) -> None:
    channels = VoxelGrid(T, per_polarity=True)(events)
    assert (channels >= 0).all()
    np.testing.assert_allclose(channels[:, 1:] - channels[:, :1], VoxelGrid(T)(events), atol=len(events) / 2**20)


@given(events=event_arrays(), T=sizes, offset_us=st.integers(-(2**40), 2**40))
def test_the_clock_offset_does_not_matter(events: EventArray, T: int, offset_us: int) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    np.testing.assert_array_equal(VoxelGrid(T)(events), VoxelGrid(T)(later))


@given(events=event_arrays(), T=sizes)
def test_time_turned_round_turns_the_grid_round(events: EventArray, T: int) -> None:
    back = EventArray(*(column[::-1].copy() for column in (-events.t, events.x, events.y, events.p)), events.sensor)
    if events.duration_us:
        np.testing.assert_allclose(VoxelGrid(T)(back), VoxelGrid(T)(events)[::-1], atol=len(events) / 2**20)


@given(events=event_arrays(), T=sizes)
def test_inverted_polarity_inverts_the_grid(events: EventArray, T: int) -> None:
    inverted = EventArray(events.t, events.x, events.y, ~events.p, events.sensor)
    np.testing.assert_array_equal(VoxelGrid(T)(inverted), -VoxelGrid(T)(events))


def test_many_events_of_a_pixel_are_within_the_stated_precision() -> None:
    n, T = 300_000, 2
    events = events_of(list(range(n)), [1] * n)
    place = np.arange(n) / (n - 1)
    expected = [(1 - place).sum(), place.sum()]
    grid = VoxelGrid(T)(events)[:, 0, 0, 0]
    np.testing.assert_allclose(grid, expected, rtol=n / 2**24)
    np.testing.assert_allclose(grid, expected, rtol=1e-4)  # and in practice far better


def test_nothing_is_dropped() -> None:
    tally: Counter[str] = Counter()
    VoxelGrid(3)(events_of([0, 1, 9], [1, 1, 0]), None, tally)
    assert not tally


def test_t_must_be_positive() -> None:
    with pytest.raises(RecipeError, match="voxel_grid: T is 0"):
        VoxelGrid(0)


def tonic_grid(events: EventArray, T: int, polarity: type) -> np.ndarray:
    """tonic's grid of records whose polarity has this type."""
    transforms = pytest.importorskip("tonic.transforms")
    size = (events.sensor.width, events.sensor.height, 2)
    records = events.to_structured()
    fields = [(name, polarity if name == "p" else kind) for name, kind in records.dtype.descr]
    return np.asarray(transforms.ToVoxelGrid(sensor_size=size, n_time_bins=T)(records.astype(fields)))


@given(events=event_arrays(), T=sizes)
def test_tonic_leaves_the_last_point_out(events: EventArray, T: int) -> None:
    """Zhu scales time to B - 1, tonic to B: its grid of T bins is the first T points of ours of T + 1."""
    if events.duration_us == 0:
        return  # tonic divides by it
    ours = VoxelGrid(T + 1)(events)
    np.testing.assert_allclose(tonic_grid(events, T, np.int8), ours[:T], atol=1e-4)


def test_tonic_loses_what_lies_at_the_end_of_the_sample() -> None:
    events = events_of([0, 100], [1, 1])
    assert tonic_grid(events, 5, np.int8).sum() == 1
    assert VoxelGrid(5)(events).sum() == 2


def test_tonic_adds_off_events_where_polarity_is_a_bool() -> None:
    """A bool cannot become -1: tonic's own records count OFF events as ON."""
    events = events_of([0, 10, 20, 40], [1, 0, 0, 0])  # the last one, at the end, is lost in both
    assert tonic_grid(events, 2, np.int8).sum() == -1
    assert tonic_grid(events, 2, bool).sum() == 3
    assert VoxelGrid(2)(events).sum() == -2


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_tonic_fails_on_a_single_event_where_ours_is_at_the_first_point() -> None:
    events = events_of([3], [1])
    with pytest.raises((IndexError, ValueError)):
        tonic_grid(events, 2, np.int8)
    assert VoxelGrid(2)(events)[:, 0, 0, 0].tolist() == [1, 0]


def test_a_real_recording_equals_the_reference_and_tonic(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    grid = VoxelGrid(11)(events)
    np.testing.assert_array_equal(grid, reference(events, 11, per_polarity=False))
    np.testing.assert_allclose(tonic_grid(events, 10, np.int8), grid[:10], atol=1e-4)
    assert round(float(grid.sum(dtype=np.float64)), 3) == int(np.where(events.p, 1, -1).sum())
