from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.population_latency import PopulationLatency, decode, fields
from neurodata.encodings.spike_raster import SpikeRaster
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Sensor, SeriesForm
from neurodata.signals import Series


def series(values: object, rate_hz: float = 100.0) -> Series:
    return Series(np.asarray(values, np.float32), rate_hz)


def test_fields_are_bohte_s() -> None:
    centres, width = fields(6, 1.5)
    np.testing.assert_allclose(centres, [(2 * i - 3) / 2 / 4 for i in range(1, 7)])
    assert width == pytest.approx(1 / (1.5 * 4))


def test_the_nearest_field_fires_at_once_and_others_later_or_not_at_all() -> None:
    """Three fields at -1/2, 1/2 and 3/2, of width 1: at 1/2, the outer ones are excited by exp(-1/2)."""
    events = PopulationLatency(n_fields=3, beta=1.0, normalise="none")(series([[0.5], [0.5]]))
    late = round(10_000 * (1 - np.exp(-0.5)))
    assert events.t.tolist() == [0, late, late, 10_000, 10_000 + late, 10_000 + late]
    assert events.x.tolist() == [1, 0, 2, 1, 0, 2]
    silent = PopulationLatency(n_fields=3, beta=1.0, cutoff=0.7, normalise="none")(series([[0.5]]))
    assert silent.x.tolist() == [1]


def test_channels_have_neurons_of_their_own_and_one_that_never_changes_has_no_spikes() -> None:
    step = PopulationLatency(n_fields=5)
    events = step(series([[0, -100, 7], [3, -100, 9]]))
    assert events.sensor == step.form_after(SeriesForm(3, 100.0)) == Sensor(15, 1, 1)
    assert np.unique(events.x // 5).tolist() == [0, 2]
    raster = SpikeRaster(bin_us=10_000, T=2, binary=True)(events)
    np.testing.assert_array_equal(raster[:, :5], raster[:, 10:])
    np.testing.assert_array_equal(raster[0, :5], raster[1, 4::-1])  # 0 and 1 are mirror images


@given(st.integers(0, 30), st.integers(3, 20), st.sampled_from([30.0, 62.5, 100.0, 1000.0]), st.integers(0, 2**32 - 1))
def test_values_come_back_but_for_the_rounding_of_times(n: int, n_fields: int, rate_hz: float, seed: int) -> None:
    values = np.random.default_rng(seed).choice([0, 0.25, 1, *np.random.default_rng(seed).uniform(0, 1, 20)], (n, 3))
    events = PopulationLatency(n_fields=n_fields, normalise="none")(series(values, rate_hz))
    back = decode(events, rate_hz, n, n_fields)
    assert back.shape == values.shape
    assert np.abs(back - values).max(initial=0) <= 1e-5 * rate_hz / (1.5 * n_fields) + 1e-6


def test_what_cannot_be_encoded_is_refused_in_words() -> None:
    with pytest.raises(RecipeError, match=r"10 neurons for each of 7000 channels are 70000"):
        PopulationLatency().form_after(SeriesForm(7000, 100.0))
    with pytest.raises(RecipeError, match=r"n_fields is 2; expected 3 to 1000"):
        PopulationLatency(n_fields=2)
    with pytest.raises(EncodingError, match=r"values reach from -1 to 0; expected 0 to 1"):
        PopulationLatency(normalise="none")(series([[-1], [0]]))
    with pytest.raises(EncodingError, match=r"not a number"):
        PopulationLatency()(series([[np.nan]]))
