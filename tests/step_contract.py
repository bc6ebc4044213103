"""What every transform and encoding of events must do: `test_step_contract.py` runs it for the registry.

Every set of parameters in a step's `examples` is tried; other packages subclass the two contracts for theirs.
"""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ADDED, ArraySpec
from tests.strategies import event_arrays

seeds = st.integers(0, 2**32 - 1)


def events_of(t: list[int], x: list[int], y: list[int], p: list[int], sensor: Sensor) -> EventArray:
    return EventArray(
        np.array(t, np.int64), np.array(x, np.uint16), np.array(y, np.uint16), np.array(p, np.bool_), sensor
    )


# What steps most often get wrong.
CORNERS = {
    "no event": events_of([], [], [], [], Sensor(6, 5)),
    "one event": events_of([7], [2], [3], [1], Sensor(6, 5)),
    "equal times": events_of([4] * 9, [0, 1, 2] * 3, [0] * 9, [0, 1, 1] * 3, Sensor(6, 5)),
    "one pixel": events_of([0, 3, 9], [0] * 3, [0] * 3, [1, 0, 1], Sensor(1, 1)),
    "the last pixel": events_of([0, 5], [5, 0], [4, 4], [1, 0], Sensor(6, 5)),
    "the last column": events_of([0, 5], [65535, 0], [0, 0], [1, 0], Sensor(65536, 1)),
    "the last row": events_of([0, 5], [0, 0], [65535, 0], [1, 0], Sensor(1, 65536)),
    "before zero": events_of([-90, -90, -1], [0, 1, 2], [0, 0, 1], [1, 0, 1], Sensor(6, 5)),
    "a far clock": events_of([-(2**62), 2**62 - 1], [0, 5], [0, 4], [1, 0], Sensor(6, 5)),
    "one polarity": events_of([0, 1, 2], [0, 1, 2], [0] * 3, [1] * 3, Sensor(8, 1, polarities=1)),
}


# Beside sensors of two polarities on clocks from zero on: those of one, and times before zero.
any_events = event_arrays() | st.builds(
    lambda events, earlier_us: later(events, -earlier_us),
    event_arrays() | event_arrays(sensor=Sensor(7, 3, polarities=1)),
    st.sampled_from([0, 70, 2**33, 2**50]),
)


def later(events: EventArray, us: int) -> EventArray:
    return EventArray(events.t + us, events.x, events.y, events.p, events.sensor)


def columns_of(events: EventArray) -> list[np.ndarray]:
    return [events.t, events.x, events.y, events.p]


class StepContract:
    @pytest.fixture
    def step(self) -> Any:
        raise NotImplementedError

    def run(self, step: Any, events: EventArray, seed: int = 0) -> tuple[Any, Counter[str]]:
        """The result and the tally; a step may refuse events (a count that does not fit), never crash."""
        tally: Counter[str] = Counter()
        try:
            return step(events, np.random.default_rng(seed) if step.stochastic else None, tally), tally
        except (EncodingError, RecipeError) as error:
            pytest.skip(f"refused: {error}")

    def test_it_is_a_value_that_pickles_and_compares(self, step: Any) -> None:
        assert pickle.loads(pickle.dumps(step)) == step
        assert hash(step) == hash(pickle.loads(pickle.dumps(step)))
        assert type(step).version >= 1

    def test_the_input_is_left_as_it_is(self, step: Any) -> None:
        @given(any_events, seeds)
        def law(events: EventArray, seed: int) -> None:
            before = [column.copy() for column in columns_of(events)]
            step(events, np.random.default_rng(seed) if step.stochastic else None)
            assert all(np.array_equal(a, b) for a, b in zip(before, columns_of(events), strict=True))

        law()

    def test_the_same_draws_give_the_same_result(self, step: Any) -> None:
        @given(event_arrays(), seeds)
        def law(events: EventArray, seed: int) -> None:
            results = [step(events, np.random.default_rng(seed) if step.stochastic else None) for _ in range(2)]
            same = results[0] == results[1]
            assert same if isinstance(same, bool) else same.all()

        law()


class TransformContract(StepContract):
    @pytest.mark.parametrize("corner", CORNERS)
    def test_corners_give_valid_events_that_are_accounted_for(self, step: Any, corner: str) -> None:
        events = CORNERS[corner]
        result, tally = self.run(step, events)
        self.check(step, events, result, tally)

    def test_every_event_stays_or_is_counted(self, step: Any) -> None:
        @given(any_events, seeds)
        def law(events: EventArray, seed: int) -> None:
            tally: Counter[str] = Counter()
            result = step(events, np.random.default_rng(seed) if step.stochastic else None, tally)
            self.check(step, events, result, tally)

        law()

    def check(self, step: Any, events: EventArray, result: EventArray, tally: Counter[str]) -> None:
        EventArray(*columns_of(result), result.sensor)  # valid: types, order, range
        assert result.sensor == step.sensor_after(events.sensor)
        assert min(tally.values(), default=0) >= 0
        n_added = sum(n for reason, n in tally.items() if reason.startswith(ADDED))
        assert len(events) + n_added == len(result) + sum(tally.values()) - n_added

    def test_a_random_step_asks_for_a_generator(self, step: Any) -> None:
        if step.stochastic:
            with pytest.raises(RecipeError, match="is random: give it a generator"):
                step(CORNERS["equal times"])
        else:
            assert step(CORNERS["equal times"]) is not None


class EncodingContract(StepContract):
    @pytest.mark.parametrize("corner", CORNERS)
    def test_corners_give_finite_arrays_as_specified(self, step: Any, corner: str) -> None:
        """Only an encoding whose steps depend on the sample may refuse one, that would have too many."""
        events = CORNERS[corner]
        if corner == "a far clock" and step.spec(events.sensor).has_variable_steps:
            result, tally = self.run(step, events)
        else:
            tally = Counter()
            result = step(events, None, tally)
        self.check(step, events, result, tally)

    def test_the_array_is_as_specified_and_conserves_events(self, step: Any) -> None:
        @given(any_events)
        def law(events: EventArray) -> None:
            tally: Counter[str] = Counter()
            self.check(step, events, step(events, None, tally), tally)

        law()

    def check(self, step: Any, events: EventArray, result: np.ndarray, tally: Counter[str]) -> None:
        spec: ArraySpec = step.spec(events.sensor)
        assert result.dtype == spec.dtype
        assert len(spec.axes) == len(spec.shape) == result.ndim
        assert result.shape[1:] == spec.shape[1:]
        assert spec.has_variable_steps or result.shape == spec.shape
        assert np.isfinite(result).all()
        assert 0 <= sum(tally.values()) <= len(events)
        if step.counts_events:
            assert result.sum(dtype=np.int64) == len(events) - sum(tally.values())

    def test_filling_zeros_is_calling(self, step: Any) -> None:
        @given(event_arrays())
        def law(events: EventArray) -> None:
            called = step(events)
            out = np.zeros_like(called)
            step.fill(events, out, Counter())
            np.testing.assert_array_equal(out, called)

        law()

    @pytest.mark.parametrize("axis", ["x", "y"])
    def test_a_mirrored_sensor_gives_a_mirrored_array(self, step: Any, axis: str) -> None:
        axes = step.spec(Sensor(4, 4)).axes
        if axis not in axes:
            pytest.skip(f"no axis {axis}")

        @given(event_arrays())
        def law(events: EventArray) -> None:
            x, y = events.x, events.y
            if axis == "x":
                x = (events.sensor.width - 1 - x).astype(np.uint16)
            else:
                y = (events.sensor.height - 1 - y).astype(np.uint16)
            mirrored = EventArray(events.t, x, y, events.p, events.sensor)
            np.testing.assert_array_equal(step(mirrored), np.flip(step(events), axes.index(axis)))

        law()

    @pytest.mark.parametrize("axis", ["x", "y"])
    def test_moved_events_give_a_moved_array(self, step: Any, axis: str) -> None:
        axes = step.spec(Sensor(4, 4)).axes
        if axis not in axes:
            pytest.skip(f"no axis {axis}")

        @given(event_arrays(), st.integers(1, 5))
        def law(events: EventArray, n: int) -> None:
            sensor = events.sensor
            wider = Sensor(sensor.width + n * (axis == "x"), sensor.height + n * (axis == "y"), sensor.polarities)
            x, y = ((events.x + n).astype(np.uint16), events.y) if axis == "x" else (events.x, events.y + np.uint16(n))
            moved = np.moveaxis(step(EventArray(events.t, x, y, events.p, wider)), axes.index(axis), 0)
            np.testing.assert_array_equal(moved[n:], np.moveaxis(step(events), axes.index(axis), 0))
            silent = step(EventArray.empty(Sensor(1, 1))).ravel()[0]
            assert (moved[:n] == silent).all()

        law()

    def test_the_offset_of_the_clock_does_not_matter(self, step: Any) -> None:
        if getattr(step, "origin", None) == "file":
            pytest.skip("bins begin at the clock's zero")

        @given(any_events, st.sampled_from([-(2**61), -1, 10**6, 2**61]))
        def law(events: EventArray, offset_us: int) -> None:
            np.testing.assert_array_equal(step(later(events, offset_us)), step(events))

        law()

    def test_two_parts_of_a_recording_count_what_the_whole_does(self, step: Any) -> None:
        """Additivity: of counts, summed over time and what else is no place, where nothing is dropped."""
        if not step.counts_events:
            pytest.skip("does not count events")
        spec = step.spec(Sensor(4, 4))
        summed = tuple(k for k, axis in enumerate(spec.axes) if axis in ("time", "channel"))

        @given(event_arrays(), st.integers(0, 60))
        def law(events: EventArray, n: int) -> None:
            tally: Counter[str] = Counter()
            near = later(events, -events.start_us)
            whole, *parts = (step(part, None, tally).sum(axis=summed) for part in (near, near[:n], near[n:]))
            assert tally or np.array_equal(whole, sum(parts))

        law()
