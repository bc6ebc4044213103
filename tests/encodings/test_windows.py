"""Windows of a fixed duration or number of events, with and without an overlap; those of T alone: test_event_frame."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings import _windows
from neurodata.encodings.event_frame import EventFrame, reference_counts
from neurodata.errors import EncodingError, RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from tests.encodings.test_event_frame import events_at, on_counts
from tests.strategies import event_arrays

AFTER = "after the last frame"


@st.composite
def fixed_windows(draw: st.DrawFn) -> dict[str, int]:
    """Parameters of windows of a fixed size, some with an overlap, some with T."""
    size, overlap = draw(st.sampled_from([("duration_us", "overlap_us"), ("events_per_frame", "overlap_events")]))
    parameters = {size: draw(st.integers(1, 200))}
    if parameters[size] > 1 and draw(st.booleans()):
        parameters[overlap] = draw(st.integers(1, parameters[size] - 1))
    if draw(st.booleans()):
        parameters["T"] = draw(st.integers(1, 20))
    return parameters


@pytest.mark.parametrize(
    ("t_us", "parameters", "expected", "n_after"),
    [
        ([0, 9, 10, 25], {"duration_us": 10}, [2, 1, 1], 0),  # half-open, as many as it takes
        ([3, 12, 13], {"duration_us": 10}, [3], 0),  # from the first event on; the very end of the last is inside
        ([0, 10, 20], {"duration_us": 10}, [1, 2], 0),  # an exact multiple: the last frame is closed
        ([0, 10, 20], {"duration_us": 10, "T": 2}, [1, 1], 1),  # with T it is not: 20 would start the third
        ([0, 10, 20], {"duration_us": 10, "T": 4}, [1, 1, 1, 0], 0),
        ([0, 35], {"duration_us": 10}, [1, 0, 0, 1], 0),  # quiet windows are zeros
        ([7], {"duration_us": 10}, [1], 0),
        ([7, 7], {"duration_us": 10}, [2], 0),
        ([], {"duration_us": 10}, [0], 0),  # one quiet frame
        ([], {"duration_us": 10, "T": 2}, [0, 0], 0),
        ([0, 5, 10, 14, 15], {"duration_us": 10, "overlap_us": 5}, [2, 4], 0),  # 5 is in both, 15 the closed end
        ([0, 5, 10, 14, 15], {"duration_us": 10, "overlap_us": 5, "T": 2}, [2, 3], 1),
        ([0, 1, 2, 3, 4], {"events_per_frame": 2}, [2, 2, 1], 0),  # the last frame may hold fewer
        ([0, 1, 2, 3], {"events_per_frame": 2}, [2, 2], 0),
        ([0, 1, 2, 3, 4], {"events_per_frame": 2, "T": 2}, [2, 2], 1),
        ([0, 1, 2], {"events_per_frame": 2, "T": 3}, [2, 1, 0], 0),
        ([0, 1, 2, 3, 4], {"events_per_frame": 3, "overlap_events": 1}, [3, 3], 0),  # 0 1 2, 2 3 4
        ([0, 1, 2, 3, 4, 5], {"events_per_frame": 3, "overlap_events": 1}, [3, 3, 2], 0),
        ([], {"events_per_frame": 3}, [0], 0),
    ],
)
def test_windows_by_hand(t_us: list[int], parameters: dict[str, int], expected: list[int], n_after: int) -> None:
    tally: Counter[str] = Counter()
    assert on_counts(EventFrame(**parameters)(events_at(t_us), None, tally)) == expected
    assert tally == ({AFTER: n_after} if n_after else {})


@given(events=event_arrays(), parameters=fixed_windows())
def test_frames_equal_the_reference(events: EventArray, parameters: dict[str, int]) -> None:
    step = EventFrame(**parameters)
    tally: Counter[str] = Counter()
    frames = step(events, None, tally)
    inside = _windows.reference(step, events.t, len(frames))
    np.testing.assert_array_equal(frames, reference_counts(events, inside))
    assert tally[AFTER] == np.count_nonzero(~inside.any(axis=0))


@given(events=event_arrays(), parameters=fixed_windows())
def test_without_t_every_event_is_in_a_frame_and_no_frame_is_to_spare(
    events: EventArray, parameters: dict[str, int]
) -> None:
    parameters.pop("T", None)
    step = EventFrame(**parameters)
    inside = _windows.reference(step, events.t, step.n_steps(events))
    assert inside.any(axis=0).all()
    assert len(inside) == 1 or not inside[:-1].any(axis=0).all()


@given(events=event_arrays(), parameters=fixed_windows())
def test_more_frames_leave_the_first_ones_as_they_are(events: EventArray, parameters: dict[str, int]) -> None:
    parameters = {"T": 5, **parameters}
    more = EventFrame(**{**parameters, "T": parameters["T"] + 1})(events)
    np.testing.assert_array_equal(EventFrame(**parameters)(events), more[:-1])


@given(events=event_arrays(), parameters=fixed_windows(), offset_us=st.integers(-(2**32), 2**40))
def test_frames_do_not_depend_on_the_clock_offset(
    events: EventArray, parameters: dict[str, int], offset_us: int
) -> None:
    later = EventArray(events.t + offset_us, events.x, events.y, events.p, events.sensor)
    np.testing.assert_array_equal(EventFrame(**parameters)(events), EventFrame(**parameters)(later))


@given(events=event_arrays(), duration_us=st.integers(1, 100), T=st.integers(1, 8), cut=st.integers(1, 7))
def test_frames_of_two_pieces_are_the_frames_of_the_whole(
    events: EventArray, duration_us: int, T: int, cut: int
) -> None:
    """Additivity: a recording cut at the edge of a frame gives the same frames, piece by piece."""
    start_us = events.start_us + cut * duration_us
    first, second = events.between(None, start_us), events.between(start_us, None)
    frames = EventFrame(T=cut + T, duration_us=duration_us)(events)
    np.testing.assert_array_equal(EventFrame(T=cut, duration_us=duration_us)(first), frames[:cut])
    if len(second) and second.start_us == start_us:  # windows start at the first event
        np.testing.assert_array_equal(EventFrame(T=T, duration_us=duration_us)(second), frames[cut:])


@pytest.mark.parametrize("times", [[2**62 - 1], [-(2**62)], [-(2**62), 2**62 - 1], [2**62 - 20, 2**62 - 1]])
@pytest.mark.parametrize("duration_us", [1, 7, 2**61, 2**62 - 1])
@pytest.mark.parametrize("T", [1, 3, 16])
def test_windows_do_not_overflow_at_the_ends_of_the_clock(times: list[int], duration_us: int, T: int) -> None:
    step = EventFrame(T=T, duration_us=duration_us, overlap_us=duration_us // 2 or None)
    stride = duration_us - duration_us // 2
    expected = [sum(k * stride <= t - times[0] < k * stride + duration_us for t in times) for k in range(T)]
    assert on_counts(step(events_at(times))) == expected


@pytest.mark.parametrize("parameters", [{"events_per_frame": 2**62 - 1}, {"events_per_frame": 2**62 - 1, "T": 9}])
def test_more_events_a_frame_than_there_are_make_one_frame(parameters: dict[str, int]) -> None:
    assert on_counts(EventFrame(**parameters)(events_at([0, 1]))) == [2] + [0] * (parameters.get("T", 1) - 1)


def test_a_jump_of_the_clock_asks_for_no_absurd_array() -> None:
    with pytest.raises(EncodingError, match=r"2 events over 4611686018427387903 us make .* frames, .*state T, or"):
        EventFrame(duration_us=10)(events_at([0, 2**62 - 1]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "state T, the number of frames, or duration_us, or events_per_frame"),
        ({"split_by": "time"}, "state T, the number of frames"),
        ({"T": 4, "split_by": "time", "duration_us": 10}, "split_by and duration_us are both stated; state one way"),
        ({"duration_us": 10, "events_per_frame": 10}, "duration_us and events_per_frame are both stated"),
        ({"duration_us": 0}, "duration_us is 0; expected 1 to"),
        ({"events_per_frame": 0}, "events_per_frame is 0; expected 1 to"),
        ({"duration_us": 2**62}, "duration_us is 4611686018427387904; expected 1 to"),
        ({"T": 0, "duration_us": 10}, "T is 0; expected 1 to"),
        ({"T": 4, "overlap_us": 2}, "overlap_us is stated without duration_us, of which it is a part"),
        ({"duration_us": 10, "overlap_events": 2}, "overlap_events is stated without events_per_frame"),
        ({"duration_us": 10, "overlap_us": 10}, "overlap_us is 10; expected 1 to 9"),
        ({"events_per_frame": 10, "overlap_events": 0}, "overlap_events is 0; expected 1 to 9"),
        (
            {"duration_us": 10, "overlap_us": 2, "overflow": "saturate"},
            "losses cannot be counted; choose a wider dtype",
        ),
    ],
)
def test_there_is_exactly_one_way_to_split(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"event_frame: .*{message}"):
        EventFrame(**parameters)


def test_overlapping_frames_do_not_claim_to_count_events() -> None:
    assert EventFrame(T=4).counts_events
    assert EventFrame(duration_us=10).counts_events
    assert not EventFrame(duration_us=10, overlap_us=1).counts_events
    assert not EventFrame(events_per_frame=10, overlap_events=1).counts_events


def test_the_number_of_steps_varies_without_t_and_the_shape_says_so() -> None:
    varying, fixed = EventFrame(duration_us=10).spec(Sensor(3, 2)), EventFrame(T=5, duration_us=10).spec(Sensor(3, 2))
    assert (varying.shape, varying.has_variable_steps) == ((0, 2, 2, 3), True)
    assert (fixed.shape, fixed.has_variable_steps) == ((5, 2, 2, 3), False)


class TestRecipes:
    def step(self, parameters: dict[str, Any]) -> Any:
        return load_recipe("dvs-gesture", overrides={"event_frame": {"T": None, "split_by": None} | parameters}).steps[
            0
        ][1]

    def from_file(self, folder: Any, text: str, head: str = "") -> Any:
        path = folder / "mine.toml"
        path.write_text(f'{head}\n[[steps]]\nname = "event_frame"\n{text}')
        return load_recipe("dvs-gesture", path)

    def test_new_parameters_leave_the_identity_of_t_alone_as_it_was(self) -> None:
        parameters = load_recipe("dvs-gesture").canonical()["steps"][0]["parameters"]
        assert parameters == {"T": 16, "split_by": "count", "dtype": "uint16", "overflow": "error"}

    def test_what_is_not_in_use_is_not_in_the_identity(self, tmp_path: Any) -> None:
        recipe = self.from_file(tmp_path, "T = 16\nduration_us = 10_000")
        assert recipe.canonical()["steps"][0]["parameters"] == {
            "T": 16, "duration_us": 10_000, "dtype": "uint16", "overflow": "error",
        }  # fmt: skip
        assert recipe.recipe_id != load_recipe("dvs-gesture").recipe_id

    def test_a_parameter_set_to_none_is_not_stated(self) -> None:
        assert self.step({"events_per_frame": 500}) == EventFrame(events_per_frame=500)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('frames_number = 8\nsplit_by = "number"', EventFrame(T=8, split_by="count")),  # SpikingJelly
            ('frames_number = 8\nsplit_by = "time"', EventFrame(T=8, split_by="time")),
            ("n_time_bins = 8", EventFrame(T=8, split_by="time")),  # tonic
            ("n_event_bins = 8", EventFrame(T=8, split_by="count")),
            ("time_window = 1000\nT = 3", EventFrame(T=3, duration_us=1000)),
            ("event_count = 1000\nT = 3", EventFrame(T=3, events_per_frame=1000)),
        ],
    )
    def test_other_libraries_names_are_understood(self, tmp_path: Any, text: str, expected: EventFrame) -> None:
        assert self.from_file(tmp_path, text).steps == (("event_frame", expected),)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("duration = 10", r"event_frame.duration: .* milliseconds for its SHD: say duration_us"),
            ("time_window = 10\noverlap = 1", r"event_frame.overlap: .* in tonic: say overlap_us or overlap_events"),
            ("time_window = 10\ninclude_incomplete = true", r"last, incomplete frame is always kept"),
            ("n_time_bins = 10\nstart_time = 0", r"start_time: frames start at the first event: cut the recording"),
            ("n_time_bins = 10\nend_time = 0", r"end_time: frames end at the last event"),
            ('n_time_bins = 10\nsplit_by = "count"', r"n_time_bins means split_by = 'time', but split_by is 'count'"),
            ("n_time_bins = 10\nn_event_bins = 10", r"event_frame.T is stated twice"),
            ("n_time_bins = 10\ntime_window = 10", r"split_by and duration_us are both stated"),
        ],
    )
    def test_names_that_mean_something_else_are_refused(self, tmp_path: Any, text: str, message: str) -> None:
        with pytest.raises(RecipeError, match=message):
            self.from_file(tmp_path, text)

    def test_another_way_to_split_takes_the_place_of_the_recipes(self, tmp_path: Any) -> None:
        changed = load_recipe("dvs-gesture", overrides={"event_frame": {"duration_us": 20_000}})
        assert changed.steps == (("event_frame", EventFrame(T=16, duration_us=20_000)),)
        changed = load_recipe("dvs-gesture", overrides={"event_frame": {"event_count": 500}})
        assert changed.steps == (("event_frame", EventFrame(T=16, events_per_frame=500)),)
        (tmp_path / "mine.toml").write_text('[[steps]]\nname = "event_frame"\nT = 4\ntime_window = 9')
        changed = load_recipe("dvs-gesture", tmp_path / "mine.toml", split_by="time")
        assert changed.steps == (("event_frame", EventFrame(T=4, split_by="time")),)
        with pytest.raises(RecipeError, match="split_by and duration_us are both stated"):
            load_recipe("dvs-gesture", split_by="time", overrides={"event_frame": {"duration_us": 9}})

    def test_a_dense_store_asks_for_t(self, tmp_path: Any) -> None:
        with pytest.raises(RecipeError, match="state T as well"):
            self.from_file(tmp_path, "duration_us = 1000", 'layout = "dense"').array()
