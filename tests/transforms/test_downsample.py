"""The integrator and the differentiator of downsample; its plain sum is in test_geometry.py."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.signals import EventArray, Sensor
from neurodata.transforms.downsample import Downsample, reference_rises, reference_spikes
from tests.step_contract import CORNERS, events_of
from tests.strategies import event_arrays

methods = pytest.mark.parametrize("method", ["integrator", "differentiator"])


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return sorted(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True))


def test_the_integrator_by_hand() -> None:
    # Steps of 10 us from 100 on. Large pixel 0 (columns 0 and 1): +1 +1 | -1 | +1 +1; large pixel 1: -1 | -1 |.
    events = events_of(
        [100, 103, 105, 112, 119, 125, 126], [0, 1, 2, 0, 3, 0, 1], [0] * 7, [1, 1, 0, 0, 0, 1, 1], Sensor(4, 1)
    )
    step = Downsample(2, "integrator", step_us=10, threshold=2)
    tally: Counter[str] = Counter()
    found = step(events, None, tally)
    # Pixel 0 has +2 at once, then -1 and +1 +1 leave +1; pixel 1 reaches -2 in the second step.
    assert rows(found) == [(100, 0, 0, True), (110, 1, 0, False)]
    assert tally == {"merged by the integrator": 5}
    assert found.sensor == Sensor(2, 1)


def test_the_differentiator_by_hand() -> None:
    # One pixel, ON events in steps of 10 us, two steps a window: | 1 0 | 1 1 | 1 1 | 0 0 | 0 1 |
    events = events_of([0, 20, 30, 40, 50, 95], [0] * 6, [0] * 6, [1] * 6, Sensor(1, 1))
    found = Downsample(1, "differentiator", step_us=10)(events)
    assert rows(found) == [(0, 0, 0, True), (20, 0, 0, True), (80, 0, 0, True)]


@given(
    events=event_arrays(max_events=120).filter(len),
    factor=st.integers(1, 4),
    step_us=st.integers(1, 300),
    steps_per_window=st.integers(1, 4),
    threshold=st.integers(1, 3),
)
def test_the_kernels_equal_the_reference(
    events: EventArray, factor: int, step_us: int, steps_per_window: int, threshold: int
) -> None:
    coarse = Downsample(factor)(events)
    spikes = reference_spikes(coarse, step_us, threshold)
    k, y, x = np.nonzero(spikes)
    t = events.start_us + k * step_us
    expected = sorted(zip(t.tolist(), x.tolist(), y.tolist(), (spikes[k, y, x] > 0).tolist(), strict=True))
    assert rows(Downsample(factor, "integrator", step_us, threshold=threshold)(events)) == expected
    k, p, y, x = np.nonzero(reference_rises(spikes, steps_per_window))
    t = events.start_us + k * step_us * steps_per_window
    expected = sorted(zip(t.tolist(), x.tolist(), y.tolist(), (p > 0).tolist(), strict=True))
    assert rows(Downsample(factor, "differentiator", step_us, steps_per_window, threshold)(events)) == expected


@methods
@given(events=event_arrays(), later_us=st.integers(-(2**40), 2**40))
def test_it_does_not_depend_on_the_clock(method: str, events: EventArray, later_us: int) -> None:
    step = Downsample(2, method, step_us=30)  # type: ignore[arg-type]
    later = step(EventArray(events.t + later_us, events.x, events.y, events.p, events.sensor))
    found = step(events)
    np.testing.assert_array_equal(later.t, found.t + later_us)
    np.testing.assert_array_equal(later.x, found.x)


@methods
def test_it_skips_the_silence_of_a_far_clock(method: str) -> None:
    step = Downsample(2, method, step_us=1)  # type: ignore[arg-type]
    found = step(CORNERS["a far clock"])
    assert rows(found) == [(-(2**62), 0, 0, True), (2**62 - 2 + found.t[-1] % 2, 2, 2, False)]


@methods
def test_a_sensor_of_one_polarity_counts_every_event_as_on(method: str) -> None:
    events = events_of([0, 1], [0, 0], [0, 0], [0, 0], Sensor(2, 1, polarities=1))
    found = Downsample(2, method, step_us=10, threshold=2)(events)  # type: ignore[arg-type]
    assert rows(found) == [(0, 0, 0, True)]


def test_on_and_off_events_of_a_step_cancel() -> None:
    events = events_of([0, 1, 2, 3], [0, 1, 0, 1], [0] * 4, [1, 0, 0, 1], Sensor(2, 1))
    tally: Counter[str] = Counter()
    assert len(Downsample(2, "integrator", step_us=10)(events, None, tally)) == 0
    assert tally == {"merged by the integrator": 4}
