"""One pass over a recording counts what the whole array gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.report import _survey, survey_recording
from neurodata.signals import EventArray, Sensor
from tests.strategies import event_arrays


@given(event_arrays(), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_the_counts_are_those_of_all_events(events: EventArray, n_bins: int, columns: int, rows: int) -> None:
    survey = survey_recording(events, n_bins, columns, rows)
    assert survey.n_on == events.p.sum()
    assert survey.rate.sum() == survey.picture.sum() == len(events)
    assert survey.rate.shape == (n_bins,)
    assert survey.picture.shape == (min(rows, events.sensor.height), min(columns, events.sensor.width))
    pixels = set(zip(events.x.tolist(), events.y.tolist(), strict=True))
    assert survey.n_active_pixels == len(pixels)
    if len(events):
        assert survey.x_range == (events.x.min(), events.x.max())
        assert survey.y_range == (events.y.min(), events.y.max())
        x, y, n = survey.busiest_pixel or (0, 0, 0)
        assert n == np.count_nonzero((events.x == x) & (events.y == y)) > 0
    else:
        assert survey.x_range is survey.y_range is survey.busiest_pixel is None


def test_packets_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    events = EventArray(
        np.sort(rng.integers(0, 10_000, 1000)), *rng.integers(0, 20, (2, 1000)).astype(np.uint16),
        rng.integers(0, 2, 1000).astype(bool), Sensor(20, 20),
    )  # fmt: skip
    whole = survey_recording(events)
    monkeypatch.setattr(_survey, "EVENTS_PER_PACKET", 7)
    pieces = survey_recording(events)
    assert np.array_equal(whole.rate, pieces.rate)
    assert np.array_equal(whole.picture, pieces.picture)
    assert (whole.n_on, whole.busiest_pixel) == (pieces.n_on, pieces.busiest_pixel)


def test_bins_are_equal_parts_of_the_time_and_of_the_sensor() -> None:
    events = EventArray(
        np.array([0, 9, 10, 19, 39]), *np.array([[0, 1, 2, 3, 3], [0, 0, 1, 1, 1]], np.uint16),
        np.ones(5, bool), Sensor(4, 2),
    )  # fmt: skip
    survey = survey_recording(events, n_bins=4, columns=2, rows=2)
    assert survey.rate.tolist() == [2, 2, 0, 1]
    assert survey.picture.tolist() == [[2, 0], [0, 3]]


def test_a_huge_sensor_takes_no_memory_for_its_pixels() -> None:
    far = np.array([65535], np.uint16)
    survey = survey_recording(EventArray(np.array([5]), far, far, np.ones(1, bool), Sensor(65536, 65536)))
    assert (survey.x_range, survey.n_active_pixels, survey.busiest_pixel) == ((65535, 65535), None, None)
    assert survey.picture.sum() == survey.picture[-1, -1] == 1
