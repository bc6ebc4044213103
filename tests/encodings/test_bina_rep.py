from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings import _windows
from neurodata.encodings.bina_rep import BinaRep, reference
from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray
from tests.encodings.test_event_frame import events_at
from tests.encodings.test_windows import fixed_windows
from tests.strategies import event_arrays


@pytest.mark.parametrize(
    ("t_us", "parameters", "expected", "n_after"),
    [
        ([0, 1, 2], {"T": 1, "n_bits": 3}, [7 / 7], 0),  # an event in each of the three windows
        ([0], {"T": 1, "n_bits": 3, "duration_us": 10}, [4 / 7], 0),  # the first window is the highest bit
        ([0, 1, 25], {"T": 1, "n_bits": 3, "duration_us": 10}, [5 / 7], 0),
        ([0, 30, 55], {"T": 2, "n_bits": 3, "duration_us": 10}, [4 / 7, 5 / 7], 0),
        ([0, 30, 60], {"T": 2, "n_bits": 3, "duration_us": 10}, [4 / 7, 4 / 7], 1),
        ([0, 35], {"n_bits": 3, "duration_us": 10}, [4 / 7, 4 / 7], 0),  # 4 windows: two frames, the rest is quiet
        ([0, 30], {"n_bits": 3, "duration_us": 10}, [5 / 7], 0),  # 3 windows, the last one closed
        ([], {"n_bits": 3, "duration_us": 10}, [0], 0),
        ([5], {"T": 1, "n_bits": 1}, [1], 0),
    ],
)
def test_numbers_by_hand(t_us: list[int], parameters: dict[str, int], expected: list[float], n_after: int) -> None:
    tally: Counter[str] = Counter()
    frames = BinaRep(**parameters)(events_at(t_us), None, tally)
    assert frames.dtype == np.float32
    assert frames[:, 1, 0, 0].tolist() == [np.float32(value) for value in expected]
    assert tally["after the last frame"] == n_after


@given(events=event_arrays(), parameters=fixed_windows(), n_bits=st.integers(1, 24))
def test_numbers_equal_the_reference(events: EventArray, parameters: dict[str, int], n_bits: int) -> None:
    step = BinaRep(**parameters, n_bits=n_bits)
    frames = step(events)
    inside = _windows.reference(step, events.t, len(frames) * n_bits)
    np.testing.assert_array_equal(frames, reference(events, inside, n_bits))


@given(events=event_arrays(max_events=200), T=st.integers(1, 4), n_bits=st.integers(2, 10))
def test_numbers_equal_tonics_of_the_same_binary_frames(events: EventArray, T: int, n_bits: int) -> None:
    functional = pytest.importorskip("tonic.functional", reason="needs the extra `tonic`")
    for split_by in ("count", "time"):
        counts = EventFrame(T=T * n_bits, split_by=split_by)(events)
        expected = functional.to_bina_rep_numpy(counts, T, n_bits)
        np.testing.assert_array_equal(BinaRep(T=T, split_by=split_by, n_bits=n_bits)(events), expected)


@pytest.mark.parametrize("key", ["n_time_bins", "n_event_bins"])
def test_tonics_number_of_binary_frames_is_not_taken_for_t(tmp_path: Path, key: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[[steps]]\nname = "bina_rep"\n{key} = 32\n')
    with pytest.raises(RecipeError, match=f"bina_rep.{key}: in tonic it is the number of binary frames, T n_bits"):
        load_recipe("n-mnist", path)
    path.write_text('[[steps]]\nname = "bina_rep"\nn_frames = 4\nsplit_by = "time"\n')
    assert load_recipe("n-mnist", path).steps == (("bina_rep", BinaRep(T=4, split_by="time")),)


@pytest.mark.parametrize("n_bits", [0, 25])
def test_more_bits_than_float32_holds_are_refused(n_bits: int) -> None:
    with pytest.raises(RecipeError, match=f"bina_rep: n_bits is {n_bits}; expected 1 to 24"):
        BinaRep(T=1, n_bits=n_bits)
