from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neurodata.encodings.event_frame import EventFrame
from neurodata.encodings.spike_raster import SpikeRaster, reference
from neurodata.errors import EncodingError, RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from tests import peers
from tests.strategies import event_arrays

COCHLEA = Sensor(700, 1, 1)
SPIKINGJELLY = {"origin": "first-spike", "binning": "spikingjelly-float16"}


def spikes(t_us: list[int] | np.ndarray, x: list[int] | np.ndarray, sensor: Sensor = COCHLEA) -> EventArray:
    n = len(t_us)
    return EventArray(
        np.array(t_us, np.int64), np.array(x, np.uint16), np.zeros(n, np.uint16), np.ones(n, bool), sensor
    )


@pytest.mark.parametrize(
    ("t_us", "parameters", "counts", "left_out"),
    [
        ([0, 9, 10, 25], {"T": 3}, [2, 1, 1], {}),  # half-open bins
        ([0, 9, 10, 25], {"T": 5}, [2, 1, 1, 0, 0], {}),  # padded
        ([0, 9, 10, 25], {"T": 2}, [2, 1], {"after the last bin": 1}),
        ([0, 10, 20], {"T": 2}, [1, 1], {"after the last bin": 1}),
        ([-1, 25], {"T": 3}, [0, 0, 1], {"before the first bin": 1}),
        ([-5, 4, 25], {"T": 4, "origin": "first-spike"}, [2, 0, 0, 1], {}),
        ([3, 25], {}, [1, 0, 1], {}),
        ([23, 35], {"origin": "first-spike"}, [1, 1], {}),
        ([23, 33], {"origin": "first-spike"}, [1, 1], {}),
        ([-5, -3], {}, [0], {"before the first bin": 2}),
        ([], {}, [0], {}),
        ([], {"T": 2}, [0, 0], {}),
        ([0, 1, 2, 15], {"T": 2, "binary": True}, [1, 1], {"more than one in a bin": 2}),
    ],
)
def test_rasters_by_hand(
    t_us: list[int], parameters: dict[str, Any], counts: list[int], left_out: dict[str, int]
) -> None:
    tally: Counter[str] = Counter()
    raster = SpikeRaster(10, **parameters)(spikes(t_us, [3] * len(t_us)), None, tally)
    assert raster.dtype == np.uint16
    assert raster[:, 3].tolist() == counts
    assert raster.sum() == sum(counts)
    assert tally == left_out


def test_neighbours_are_summed_and_the_last_bin_may_have_fewer() -> None:
    raster = SpikeRaster(10, T=1, neurons_per_bin=5)(spikes([0] * 5, [0, 4, 5, 699, 698]))
    assert raster.shape == (1, 140)
    assert np.flatnonzero(raster).tolist() == [0, 1, 139]
    assert raster[0, [0, 1, 139]].tolist() == [2, 1, 2]
    assert SpikeRaster(10, T=1, neurons_per_bin=5)(spikes([0], [6], Sensor(7, 1, 1))).tolist() == [[0, 1]]


@given(events=event_arrays(), bin_us=st.integers(1, 100))
def test_neurons_are_pixels_in_the_order_of_frames(events: EventArray, bin_us: int) -> None:
    """All in one bin: the frame of all events, flat."""
    raster = SpikeRaster(10**9, T=1, origin="first-spike")(events)
    np.testing.assert_array_equal(raster[0], EventFrame(1)(events).ravel())


@given(
    events=event_arrays(),
    bin_us=st.integers(1, 300),
    T=st.none() | st.integers(1, 12),
    neurons_per_bin=st.integers(1, 13),
    start_us=st.sampled_from([-500, 0, 70]),
    is_first=st.booleans(),
)
def test_kernel_equals_the_reference(
    events: EventArray, bin_us: int, T: int | None, neurons_per_bin: int, start_us: int, is_first: bool
) -> None:
    events = EventArray(events.t - events.start_us + start_us, events.x, events.y, events.p, events.sensor)
    step = SpikeRaster(bin_us, T, neurons_per_bin, origin="first-spike" if is_first else "file")
    tally: Counter[str] = Counter()
    raster = step(events, None, tally)
    np.testing.assert_array_equal(raster, reference(events, step, len(raster)))
    assert raster.sum() + sum(tally.values()) == len(events)
    np.testing.assert_array_equal(
        SpikeRaster(bin_us, T, neurons_per_bin, step.origin, binary=True)(events), np.minimum(raster, 1)
    )
    assert T is not None or "after the last bin" not in tally


@given(events=event_arrays(), k=st.integers(1, 5), bin_us=st.integers(1, 50))
def test_longer_bins_are_sums_of_shorter_ones(events: EventArray, k: int, bin_us: int) -> None:
    short = SpikeRaster(bin_us, T=4 * k, origin="first-spike")(events)
    long = SpikeRaster(k * bin_us, T=4, origin="first-spike")(events)
    np.testing.assert_array_equal(long, short.reshape(4, k, -1).sum(axis=1))


@pytest.mark.parametrize(("dtype", "n"), [("uint8", 256), ("uint16", 65536)])
def test_a_count_that_does_not_fit_never_wraps(dtype: Any, n: int) -> None:
    events = spikes([0] * n, [0] * n, Sensor(1, 1, 1))
    with pytest.raises(EncodingError, match=r'1 spikes exceed .* wider dtype .*overflow="saturate"'):
        SpikeRaster(10, T=1, dtype=dtype)(events)
    tally: Counter[str] = Counter()
    assert SpikeRaster(10, T=1, dtype=dtype, overflow="saturate")(events, None, tally)[0, 0] == n - 1
    assert tally == {"saturated": 1}
    assert SpikeRaster(10, T=1, dtype=dtype, binary=True)(events)[0, 0] == 1


def test_a_raster_as_long_as_the_clock_is_refused_before_it_is_made() -> None:
    with pytest.raises(EncodingError, match=r"spike_raster: \d+ bins of 1000 us, more than \d+; state T"):
        SpikeRaster(1000)(spikes([0, 2**62 - 1], [0, 1]))
    tally: Counter[str] = Counter()
    assert SpikeRaster(1000, T=3)(spikes([-(2**62), 0, 2**62 - 1], [0, 1, 2]), None, tally).sum() == 1
    assert tally == {"before the first bin": 1, "after the last bin": 1}


def test_the_ends_of_the_clock_do_not_overflow() -> None:
    bin_us = 2**60 - 1
    times = [-(2**62), -(2**62) + 3 * bin_us, 2**62 - 1]
    step = SpikeRaster(bin_us, T=4, origin="first-spike")
    assert step(spikes(times, [0] * 3))[:, 0].tolist() == [1, 0, 0, 1]
    assert step(spikes(times[2:], [0]))[:, 0].tolist() == [1, 0, 0, 0]
    assert SpikeRaster(bin_us, origin="first-spike")(spikes(times, [0] * 3))[:, 0].tolist() == [1, 0, 0, 1, *[0] * 4, 1]
    assert SpikeRaster(2**62 - 1, origin="first-spike")(spikes(times, [0] * 3))[:, 0].tolist() == [2, 0, 1]


def test_a_name_that_means_two_things_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raster.toml"
    path.write_text('[[steps]]\nname = "spike_raster"\nbin_us = 10000\nn_bins = 100\n')
    with pytest.raises(RecipeError, match=r"spike_raster.n_bins: it is neighbours .*: say neurons_per_bin, or T"):
        load_recipe("n-mnist", path)


def test_a_dense_store_asks_for_t(tmp_path: Path) -> None:
    path = tmp_path / "raster.toml"
    path.write_text('layout = "dense"\n[[steps]]\nname = "spike_raster"\nbin_us = 10000\n')
    with pytest.raises(RecipeError, match=r"spike_raster gives as many steps .* state T as well"):
        load_recipe("n-mnist", path).array()
    assert load_recipe("n-mnist", path, T=30).array().shape == (30, 2 * 34 * 34)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bin_us": 0}, "bin_us is 0"),
        ({"bin_us": 2**61, "T": 2}, f"bin_us is {2**61}"),
        ({"bin_us": 1, "T": 0}, "T is 0"),
        ({"bin_us": 1, "neurons_per_bin": 0}, "neurons_per_bin is 0"),
        ({"bin_us": 1, "origin": "start"}, "origin is 'start'; expected file or first-spike"),
        ({"bin_us": 1, "dtype": "int8"}, "dtype is 'int8'"),
        ({"bin_us": 1, "overflow": "wrap"}, "overflow is 'wrap'"),
        ({"bin_us": 1, "binning": "float16"}, "binning is 'float16'"),
        ({"bin_us": 1000, "binning": "spikingjelly-float16"}, "expected origin first-spike and whole milliseconds"),
        ({"bin_us": 1500, **SPIKINGJELLY}, "expected origin first-spike and whole milliseconds"),
        ({"bin_us": 10**9, **SPIKINGJELLY}, "whole milliseconds up to 65,504"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"spike_raster: .*{message}"):
        SpikeRaster(**parameters)


def float16_seconds(seed: int, n: int, start_s: float, stop_s: float) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).uniform(start_s, stop_s, n)).astype(np.float16)


def spikingjelly_raster(seconds: np.ndarray, x: np.ndarray, bin_ms: int, n_neurons: int = 700) -> np.ndarray:
    shd = peers.spikingjelly_shd_functions()
    return np.asarray(shd._integrate_events_by_fixed_duration({"t": seconds, "x": x}, bin_ms, n_neurons))


def microseconds(seconds: np.ndarray) -> np.ndarray:
    """As the reader of these files rounds them."""
    return np.rint(seconds.astype(np.float64) * 1e6).astype(np.int64)


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 300), bin_ms=st.sampled_from([1, 2, 10, 14]),
    stop_s=st.sampled_from([0.05, 0.9, 1.4, 20]),
)  # fmt: skip
def test_the_float16_mode_equals_spikingjelly(seed: int, n: int, bin_ms: int, stop_s: float) -> None:
    seconds = float16_seconds(seed, n, 0.002, stop_s)
    assume(seconds[0] < seconds[-1])  # SpikingJelly makes no frame of spikes at one time, and fails
    x = np.random.default_rng(seed).integers(0, 700, n)
    raster = SpikeRaster(1000 * bin_ms, **SPIKINGJELLY)(spikes(microseconds(seconds), x))
    np.testing.assert_array_equal(raster, spikingjelly_raster(seconds, x, bin_ms))


def test_spikes_at_one_time_are_one_bin_where_spikingjelly_fails() -> None:
    seconds = np.full(3, 0.5, np.float16)
    with pytest.raises(IndexError):
        spikingjelly_raster(seconds, np.arange(3), 10)
    raster = SpikeRaster(10_000, **SPIKINGJELLY)(spikes(microseconds(seconds), [0, 1, 2]))
    assert raster.shape == (1, 700)
    assert raster.sum() == 3


def test_microseconds_hold_every_float16_from_2_ms_on() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    seconds = np.sort(every[np.isfinite(every) & (every >= 0.002)])
    np.testing.assert_array_equal((microseconds(seconds) / 1e6).astype(np.float16), seconds)


def test_float16_bins_are_not_the_exact_ones() -> None:
    """Why there is a mode: float16 milliseconds are whole from 1 s on, and spikes change over to the next bin."""
    seconds = float16_seconds(0, 5000, 0.01, 1.4)
    events = spikes(microseconds(seconds), np.zeros(5000, np.int64))
    exact = SpikeRaster(10_000, T=140, origin="first-spike")(events)[:, 0].astype(int)
    theirs = SpikeRaster(10_000, T=140, **SPIKINGJELLY)(events)[:, 0].astype(int)
    assert exact.sum() == theirs.sum() == 5000
    assert 0 < np.abs(exact - theirs).sum() < 0.1 * 5000


@pytest.mark.parametrize(
    ("t_us", "T", "counts"),
    [([5000, 25_000], None, [1, 1]), ([5000, 25_000], 3, [1, 1, 0]), ([5000, 15_000, 25_000], 1, [1]), ([], 2, [0, 0])],
)
def test_float16_bins_by_hand(t_us: list[int], T: int | None, counts: list[int]) -> None:
    """The last spike, at the end of the second bin, stays in it; T pads and cuts as ever."""
    tally: Counter[str] = Counter()
    raster = SpikeRaster(10_000, T, **SPIKINGJELLY)(spikes(t_us, [0] * len(t_us)), None, tally)
    assert raster[:, 0].tolist() == counts
    assert tally["after the last bin"] == len(t_us) - sum(counts)


@pytest.mark.parametrize("t_us", [[0, 65_505_000], [-70_000_000, 0], [-40_000_000, 40_000_000]])
def test_float16_milliseconds_end_at_65_s(t_us: list[int]) -> None:
    with pytest.raises(EncodingError, match=r'reach no further than 65504000 us; choose binning="exact"'):
        SpikeRaster(10_000, **SPIKINGJELLY)(spikes(t_us, [0, 0]))


def test_real_cochlea_spikes_equal_the_reference_and_spikingjelly(recordings: Path) -> None:
    seconds, units = np.load(recordings / "audio_spikes" / "shd_like" / "lauscher_reference.npz")["arr_0"]
    order = np.argsort(seconds, kind="stable")
    halves, units = seconds[order].astype(np.float16), units[order].astype(np.int64)
    events = spikes(microseconds(halves), units, Sensor(70, 1, 1))
    raster = SpikeRaster(10_000, **SPIKINGJELLY)(events)
    np.testing.assert_array_equal(raster, spikingjelly_raster(halves, units, 10, 70))
    step = SpikeRaster(10_000, T=77, neurons_per_bin=5)
    np.testing.assert_array_equal(step(events), reference(events, step, 77))
    assert step(events).sum() == len(events) == 618
