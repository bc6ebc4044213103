from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.event_frame import EventFrame
from neurodata.encodings.stacked_histogram import StackedHistogram, reference
from neurodata.errors import EncodingError, RecipeError
from neurodata.formats import read
from neurodata.signals import EventArray, Sensor
from tests.encodings.test_event_frame import events_at
from tests.peers import evlib_rvt_representation
from tests.step_contract import events_of
from tests.strategies import event_arrays


def test_channels_are_the_bins_of_off_events_then_those_of_on() -> None:
    events = events_of([0, 9, 10, 29, 30, 59], [0, 1, 0, 0, 0, 0], [0] * 6, [0, 1, 0, 1, 1, 0], Sensor(2, 1))
    frames = StackedHistogram(T=2, duration_us=30, n_bins=3)(events)
    assert frames.dtype == np.uint8
    assert frames.shape == (2, 6, 1, 2)
    assert frames[0, :, 0].tolist() == [[1, 0], [1, 0], [0, 0], [0, 1], [0, 0], [1, 0]]
    assert frames[1, :, 0].tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("t_us", "parameters", "expected"),
    [
        ([0, 3, 4, 6, 7, 9], {"duration_us": 10}, [[2, 2, 2]]),  # edges at 10/3 and 20/3: 4 and 7 are the first beyond
        ([0, 3, 4, 6, 7, 10], {"duration_us": 10}, [[2, 2, 2]]),  # the very end is in the last bin
        ([0, 3, 4, 6, 7, 10], {"duration_us": 10, "T": 2}, [[2, 2, 1], [1, 0, 0]]),
        ([0, 9, 10, 13, 14], {"duration_us": 10, "T": 2}, [[1, 0, 1], [2, 1, 0]]),  # the second from 10 on
        ([0, 1, 2, 3], {"duration_us": 10, "bins_span": "events"}, [[1, 1, 2]]),  # edges at 1 and 2, 3 is the end
        ([0, 30, 35], {"duration_us": 10, "bins_span": "events"}, [[1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 1]]),
        ([4, 4], {"duration_us": 10, "bins_span": "events"}, [[2, 0, 0]]),
        ([], {"duration_us": 10, "T": 2}, [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_bins_by_hand(t_us: list[int], parameters: dict[str, Any], expected: list[list[int]]) -> None:
    frames = StackedHistogram(**parameters, n_bins=3)(events_at(t_us))
    assert frames[:, 3:, 0, 0].tolist() == expected


def test_counts_stop_at_the_cutoff_and_the_rest_is_counted() -> None:
    tally: Counter[str] = Counter()
    frames = StackedHistogram(T=1, count_cutoff=3)(events_at([0] * 300 + [50_000] * 5), None, tally)
    assert frames.max() == 3
    assert tally == {"over the cutoff": 297, "after the last frame": 5}
    assert StackedHistogram(T=1, count_cutoff=255)(events_at([0] * 300)).max() == 255


steps = st.builds(
    StackedHistogram,
    T=st.none() | st.integers(1, 6),
    duration_us=st.integers(1, 400),
    n_bins=st.integers(1, 12),
    count_cutoff=st.integers(1, 4),
    bins_span=st.sampled_from(["window", "events"]),
)


@given(events=event_arrays(max_events=150), step=steps)
def test_histograms_equal_the_reference(events: EventArray, step: StackedHistogram) -> None:
    frames = step(events)
    np.testing.assert_array_equal(frames, reference(events, step, len(frames)))


@given(events=event_arrays(), step=steps)
def test_bins_of_a_window_sum_to_its_event_frame(events: EventArray, step: StackedHistogram) -> None:
    whole = StackedHistogram(step.T, step.duration_us, step.n_bins, 255, step.bins_span)(events)
    frames = EventFrame(T=step.T, duration_us=step.duration_us)(events)
    summed = whole.reshape(len(whole), 2, step.n_bins, *whole.shape[2:]).sum(axis=2)
    np.testing.assert_array_equal(summed, frames)


class TestAgainstRvt:
    """evlib's rewrite of RVT's code, which takes window ends and gives sparse counts, both ends of a window inside."""

    def peer(self, events: EventArray, step: StackedHistogram) -> np.ndarray:
        representation = evlib_rvt_representation()
        polars = pytest.importorskip("polars")
        n_windows = step.n_steps(events)
        table = polars.DataFrame({"t": events.t, "x": events.x, "y": events.y, "p": events.p.astype(np.int32)})
        # Ours are half-open: their windows are those of one microsecond less.
        ends_us = events.start_us + step.duration_us * np.arange(1, n_windows + 1) - 1
        counts = representation.build_sparse_histogram(
            table, ends_us, step.duration_us - 1, step.n_bins, step.count_cutoff,
            events.sensor.height, events.sensor.width, downsample_by_2=False,
        )  # fmt: skip
        frames = np.zeros((n_windows, *step.spec(events.sensor).shape[1:]), np.int64)
        columns = (counts[name].to_numpy() for name in ("window_id", "channel", "y", "x"))
        frames[tuple(columns)] = counts["count"].to_numpy()
        return frames

    @given(events=event_arrays(max_events=150), duration_us=st.integers(2, 400), cutoff=st.integers(1, 12))
    def test_bins_between_the_first_and_the_last_event_are_rvts(
        self, events: EventArray, duration_us: int, cutoff: int
    ) -> None:
        step = StackedHistogram(T=4, duration_us=duration_us, count_cutoff=cutoff, bins_span="events")
        np.testing.assert_array_equal(step(events), self.peer(events, step))

    @pytest.mark.parametrize("span", ["window", "events"])
    def test_real_events(self, recordings: Path, span: str) -> None:
        events = read(next((recordings / "n-mnist" / "Train" / "0").iterdir()))
        step = StackedHistogram(T=6, bins_span=span)
        frames = step(events)
        np.testing.assert_array_equal(frames, reference(events, step, 6))
        if span == "events":
            np.testing.assert_array_equal(frames, self.peer(events, step))


@pytest.mark.parametrize("times", [[2**62 - 1], [-(2**62)], [-(2**62), 2**62 - 1], [2**62 - 20, 2**62 - 1]])
@pytest.mark.parametrize("span", ["window", "events"])
def test_bins_do_not_overflow_at_the_ends_of_the_clock(times: list[int], span: str) -> None:
    for duration_us in (1, 50_000, 2**61, 2**62 - 1):
        step = StackedHistogram(T=3, duration_us=duration_us, bins_span=span)
        inside = sum(t - times[0] < 3 * duration_us for t in times)
        assert step(events_at(times)).sum() == inside


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"T": 0}, "T is 0"),
        ({"duration_us": 0}, "duration_us is 0"),
        ({"n_bins": 0}, "n_bins is 0"),
        ({"count_cutoff": 256}, "count_cutoff is 256; expected 1 to 255"),
        ({"bins_span": "time"}, "bins_span is 'time'; expected window or events"),
    ],
)
def test_parameters_are_checked(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"stacked_histogram: {message}"):
        StackedHistogram(**parameters)


def test_a_jump_of_the_clock_asks_for_no_absurd_array() -> None:
    with pytest.raises(EncodingError, match="state T, or"):
        StackedHistogram()(events_at([0, 2**62 - 1]))
