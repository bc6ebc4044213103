from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.encodings.event_frame import EventFrame
from neurodata.encodings.sparse import Sparse, reference, to_dense
from neurodata.errors import RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from tests.encodings.test_windows import fixed_windows
from tests.strategies import event_arrays

split_ways = st.sampled_from(["count", "time"])


def test_rows_by_hand() -> None:
    events = EventArray(
        np.array([0, 1, 2, 3, 9], np.int64), np.array([2, 2, 0, 2, 1], np.uint16), np.array([0, 0, 1, 0, 1], np.uint16),
        np.array([1, 1, 0, 1, 1], bool), Sensor(3, 2),
    )  # fmt: skip
    rows = Sparse(T=2, split_by="time")(events)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[0, 0, 1, 0, 1], [0, 1, 0, 2, 3], [1, 1, 1, 1, 1]]


@given(events=event_arrays(), T=st.integers(1, 20), split_by=split_ways)
def test_dense_again_they_are_the_event_frames(events: EventArray, T: int, split_by: str) -> None:
    frames = EventFrame(T, split_by)(events)
    rows = Sparse(T, split_by)(events)
    np.testing.assert_array_equal(to_dense(rows, frames.shape), frames)
    np.testing.assert_array_equal(rows, reference(frames))  # so sorted, each place once, and no zeros


@given(events=event_arrays(sensor=Sensor(9, 1, polarities=1)), T=st.integers(1, 4))
def test_one_polarity_has_one_channel(events: EventArray, T: int) -> None:
    np.testing.assert_array_equal(Sparse(T)(events), reference(EventFrame(T)(events)))


@given(events=event_arrays(), parameters=fixed_windows())
def test_windows_of_a_fixed_size_are_those_of_event_frames(events: EventArray, parameters: dict[str, int]) -> None:
    tallies: list[Counter[str]] = [Counter(), Counter()]
    frames = EventFrame(**parameters)(events, None, tallies[0])
    rows = Sparse(**parameters)(events, None, tallies[1])
    np.testing.assert_array_equal(rows, reference(frames))
    assert tallies[0] == tallies[1]


@given(events=event_arrays(), T=st.integers(1, 5))
def test_counts_sum_to_the_events(events: EventArray, T: int) -> None:
    rows = Sparse(T)(events)
    assert rows[:, 4].sum() == len(events)
    assert len(rows) <= len(events)


def test_no_event_is_no_row() -> None:
    assert Sparse(3)(EventArray.empty(Sensor(4, 4))).shape == (0, 5)


def test_pytorch_takes_them_for_coalesced() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    events = EventArray(
        np.sort(rng.integers(0, 1000, 500)), rng.integers(0, 6, 500).astype(np.uint16),
        rng.integers(0, 5, 500).astype(np.uint16), rng.integers(0, 2, 500).astype(bool), Sensor(6, 5),
    )  # fmt: skip
    frames = EventFrame(4)(events)
    rows = torch.from_numpy(Sparse(4)(events))
    tensor = torch.sparse_coo_tensor(
        rows[:, :4].T, rows[:, 4], frames.shape, check_invariants=True, is_coalesced=True
    )  # checked: sorted, and each place once
    np.testing.assert_array_equal(tensor.to_dense().numpy(), frames)


@pytest.mark.parametrize("parameters", [{"T": 0}, {"T": 1, "split_by": "duration"}])
def test_a_parameter_out_of_range_is_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match=r"sparse: (T is 0|split_by is 'duration')"):
        Sparse(**parameters)


def test_a_dense_store_refuses_it_and_names_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "sparse.toml"
    path.write_text('[[steps]]\nname = "sparse"\nT = 8\n')
    with pytest.raises(RecipeError, match=r"sparse gives as many rows .*event_frame"):
        load_recipe("n-mnist", path).array()
    with pytest.raises(RecipeError, match="sparse gives as many rows"):
        neurodata.prepare("n-mnist", recipe=path, twin=True)


def test_a_real_recording_equals_its_frames(recordings: Path) -> None:
    events = neurodata.read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    assert isinstance(events, EventArray)
    np.testing.assert_array_equal(Sparse(10)(events), reference(EventFrame(10)(events)))
