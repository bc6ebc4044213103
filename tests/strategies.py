"""Hypothesis strategies that several test modules share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from neurodata.signals import EventArray, Sensor

sensors = st.builds(Sensor, width=st.integers(1, 12), height=st.integers(1, 12))


@st.composite
def event_arrays(
    draw: st.DrawFn, sensor: Sensor | None = None, max_events: int = 60, max_step_us: int = 50
) -> EventArray:
    """Events in time order with ties, any polarity, anywhere on the sensor; often few or none."""
    sensor = sensor or draw(sensors)
    n = draw(st.integers(0, max_events))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    start_us = draw(st.integers(0, 2**33))
    steps_us = rng.integers(0, draw(st.integers(0, max_step_us)) + 1, n)
    return EventArray(
        t=start_us + np.cumsum(steps_us, dtype=np.int64),
        x=rng.integers(0, sensor.width, n).astype(np.uint16),
        y=rng.integers(0, sensor.height, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=sensor,
    )


def many_events(n: int, sensor: Sensor) -> EventArray:
    """Events in time order, always the same: for what depends on how many there are."""
    rng = np.random.default_rng(n)
    return EventArray(
        t=np.cumsum(rng.integers(0, 50, n), dtype=np.int64),
        x=rng.integers(0, sensor.width, n).astype(np.uint16),
        y=rng.integers(0, sensor.height, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=sensor,
    )
