from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings._threshold_code import decode, encode, levels, normalised
from neurodata.encodings.population_threshold import PopulationThreshold
from neurodata.encodings.spike_raster import SpikeRaster
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Sensor, SeriesForm
from neurodata.signals import Series


def spikes_of(values: list[float], **parameters: object) -> list[tuple[int, int]]:
    """(time in us, neuron) of one channel at 100 rows a second."""
    step = PopulationThreshold(**parameters)  # type: ignore[arg-type]
    events = step(Series(np.array(values, np.float32)[:, None], 100.0))
    return list(zip(events.t.tolist(), events.x.tolist(), strict=True))


def test_a_rise_and_fall_tells_levels_up_the_peak_and_levels_down() -> None:
    # Levels 1/4, 2/4, 3/4: neurons 0 1 2 upwards, 3 4 5 downwards, 6 the peak. Rows are 10 ms apart.
    assert spikes_of([0, 1, 0, 0], n_levels=3) == [
        (2500, 0), (5000, 1), (7500, 2), (10_000, 6), (12_500, 5), (15_000, 4), (17_500, 3),
    ]  # fmt: skip


def test_a_level_that_is_touched_is_crossed_both_ways_at_once() -> None:
    assert spikes_of([0, 0.5, 0, 1], n_levels=1) == [(10_000, 0), (10_000, 1), (25_000, 0), (30_000, 2)]


def test_a_sound_that_begins_loud_has_no_crossing_before_it() -> None:
    assert spikes_of([1, 0], n_levels=1) == [(0, 2), (5000, 1)]


def test_channels_are_normalised_each_by_itself_and_one_that_never_changes_is_silent() -> None:
    values = np.array([[0, -100, 5], [50, -100, 7]], np.float32)
    events = PopulationThreshold()(Series(values, 100.0))
    assert events.sensor == Sensor(93, 1, 1)
    assert np.unique(events.x // 31).tolist() == [0, 2]
    np.testing.assert_array_equal(events.t[events.x < 31], events.t[events.x >= 62])


def test_twenty_channels_make_the_620_neurons_of_spike_tidigits() -> None:
    values = np.random.default_rng(0).uniform(0, 1, (100, 20)).astype(np.float32)
    step = PopulationThreshold()
    assert step.form_after(SeriesForm(20, 100.0)) == Sensor(620, 1, 1)
    raster = SpikeRaster(bin_us=10_000, T=100)(step(Series(values, 100.0)))
    assert raster.shape == (100, 620)
    assert (raster[:, 30::31].sum(axis=0) == 1).all()  # peaks


@st.composite
def curves(draw: st.DrawFn) -> np.ndarray:
    """[n, 3]: rough or smooth, with plateaus."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.normal(0, 1, (draw(st.integers(0, 40)), 3))
    values = np.cumsum(values, axis=0) if draw(st.booleans()) else values
    return np.round(values, draw(st.integers(0, 3)))


@given(curves(), st.integers(1, 20))
def test_values_come_back_to_within_the_distance_of_two_levels(values: np.ndarray, n_levels: int) -> None:
    scaled = normalised(values)
    back = decode(encode(scaled, 100.0, n_levels), 100.0, n_levels, len(scaled))
    assert back.shape == scaled.shape
    # And by what a value changes in half a microsecond, at most 1 a row.
    assert np.abs(back - scaled).max(initial=0) <= 1 / (n_levels + 1) + 1e-4


@given(curves(), st.integers(1, 6))
def test_crossings_are_those_that_are_found_one_by_one(values: np.ndarray, n_levels: int) -> None:
    scaled = normalised(values)
    expected = []
    for c in range(scaled.shape[1]):
        for m in range(len(scaled) - 1):
            before, after = scaled[m, c], scaled[m + 1, c]
            for i, level in enumerate(levels(n_levels)):
                if (before >= level) != (after >= level):
                    row = m + (level - before) / (after - before)
                    neuron = c * (2 * n_levels + 1) + i + n_levels * (after < level)
                    expected.append((round(row * 1e4), neuron))
        if np.ptp(scaled[:, c]) if len(scaled) else 0:
            expected.append((int(scaled[:, c].argmax()) * 10_000, (c + 1) * (2 * n_levels + 1) - 1))
    events = encode(scaled, 100.0, n_levels)
    assert list(zip(events.t.tolist(), events.x.tolist(), strict=True)) == sorted(expected)


def test_what_cannot_be_encoded_is_refused_in_words() -> None:
    with pytest.raises(RecipeError, match="31 neurons for each of 3000 channels are 93000; expected 1 to 65536"):
        PopulationThreshold().form_after(SeriesForm(3000, 100.0))
    with pytest.raises(EncodingError, match='values reach from 0 to 2; expected 0 to 1, or normalise = "channel"'):
        spikes_of([0, 2], normalise="none")
    with pytest.raises(EncodingError, match="not a number"):
        spikes_of([0, np.inf])
    for rate_hz in (1e-12, 5e-324):
        with pytest.raises(EncodingError, match="rows a second"):
            PopulationThreshold()(Series(np.array([[0], [1]], np.float32), rate_hz))
