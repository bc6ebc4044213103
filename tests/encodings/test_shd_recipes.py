"""The parameter sets that papers use for SHD and SSC, on files of SHD's layout, from the reader to the raster.

What is expected is computed here from what h5py reads: exactly, in fractions of a second, or in SpikingJelly's float16
milliseconds, one bin after the other.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata.encodings.spike_raster import SpikeRaster
from neurodata.formats import open_collection
from neurodata.recipe import load_recipe

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

# In the order of `SpikeRaster.examples`: SNN-delays, SpikeSCR and SpikCommander, cut and whole; SpyTorch.
CUT, WHOLE, BINARY = (SpikeRaster(**parameters) for parameters in SpikeRaster.examples)
AS_THEY_BIN = SpikeRaster(10_000, neurons_per_bin=5, origin="first-spike", binning="spikingjelly-float16")


def save(path: Path, samples: list[tuple[np.ndarray, np.ndarray]]) -> Path:
    """float16 seconds and uint16 channels, as in shd_train.h5."""
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (len(samples),), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (len(samples),), h5py.vlen_dtype(np.uint16))
        for k, (seconds, channels) in enumerate(samples):
            times[k], units[k] = seconds.astype(np.float16), channels.astype(np.uint16)
        file["labels"] = (np.arange(len(samples)) % 20).astype(np.uint16)
        file["extra/speaker"] = np.zeros(len(samples), np.uint16)
        file["extra/keys"] = np.array([f"digit {k}".encode() for k in range(20)])
    return path


def generated() -> list[tuple[np.ndarray, np.ndarray]]:
    """Utterances of 0.3 to 1.4 s after some silence; one with spikes at the very edges of bins; one spike; none."""
    rng = np.random.default_rng(0)
    samples = []
    for n, start_s, stop_s in ((3000, 0.004, 1.4), (800, 0.05, 0.35), (5000, 0.2, 1.0)):
        samples.append((np.sort(rng.uniform(start_s, stop_s, n)), rng.integers(0, 700, n)))
    edges = np.array([0.25, 0.25, 0.5, 0.75, 1.0, 1.25, 1.3751])
    samples.append((edges, np.array([0, 4, 5, 699, 695, 694, 350])))
    samples += [(np.array([0.5]), np.array([12])), (np.zeros(0), np.zeros(0, int))]
    return samples


def by_h5py(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    with h5py.File(path) as file:
        return list(zip(file["spikes/times"][:], file["spikes/units"][:], strict=True))


def exact(times: np.ndarray, units: np.ndarray, bins_per_s: Fraction, start_s: Fraction, T: int | None) -> np.ndarray:
    """Counts [T, 700], of bins from start_s on."""
    bins = [int((Fraction(float(time)) - start_s) * bins_per_s) for time in times]
    raster = np.zeros((T or max(bins, default=0) + 1, 700), np.int64)
    for k, unit in zip(bins, units, strict=True):
        if k < len(raster):
            raster[k, unit] += 1
    return raster


def summed(raster: np.ndarray) -> np.ndarray:
    """Five neighbours each: [T, 140]."""
    return raster.reshape(len(raster), 140, 5).sum(axis=2)


def spikingjelly(times: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Bins of 10 ms from the first spike on, [bins, 700], in float16 milliseconds; the last bin takes the rest."""
    t_ms = np.float16(1000) * times.astype(np.float16)
    t_ms = t_ms - t_ms[0]
    raster = np.zeros((max(1, ceil(t_ms[-1] / 10)), 700), np.int64)
    for k in range(len(raster)):
        inside = (t_ms >= 10 * k) & ((t_ms < 10 * (k + 1)) | (k == len(raster) - 1))
        raster[k] = np.bincount(units[inside], minlength=700)
    return raster


def check(path: Path) -> None:
    collection = open_collection(path)
    samples = by_h5py(path)
    assert len(collection.keys) == len(samples) > 0
    for k, (times, units) in enumerate(samples):
        assert (np.diff(times) >= 0).all()
        events = collection.read(k).signal
        tally: Counter[str] = Counter()
        np.testing.assert_array_equal(
            CUT(events, None, tally), summed(exact(times, units, Fraction(100), Fraction(0), 100))
        )
        assert tally["after the last bin"] == np.count_nonzero(times.astype(np.float64) >= 1)
        start_s = Fraction(float(times[0])) if len(times) else Fraction(0)
        np.testing.assert_array_equal(WHOLE(events), summed(exact(times, units, Fraction(100), start_s, None)))
        np.testing.assert_array_equal(
            BINARY(events), np.minimum(exact(times, units, Fraction(1000, 14), Fraction(0), 100), 1)
        )
        if len(times):
            np.testing.assert_array_equal(AS_THEY_BIN(events), summed(spikingjelly(times, units)))


def test_rasters_of_a_file_of_shds_layout_are_the_recipes(tmp_path: Path) -> None:
    check(save(tmp_path / "shd_test.h5", generated()))


def test_a_recipe_prepares_a_file_of_shds_layout(tmp_path: Path) -> None:
    folder = tmp_path / "shd"
    folder.mkdir()
    path = save(folder / "shd_train.h5", generated())
    recipe = tmp_path / "shd-140.toml"
    recipe.write_text('[[steps]]\nname = "spike_raster"\nbin_us = 10_000\nT = 100\nneurons_per_bin = 5\n')
    assert load_recipe(f"folder:{folder}", recipe).steps == (("spike_raster", CUT),)
    store = neurodata.prepare(f"folder:{folder}", recipe=recipe, cache=tmp_path / "cache")
    samples = by_h5py(path)
    assert len(store) == len(samples)
    for index in range(len(store)):
        k = int(str(store.table.keys[index]).rsplit("#", 1)[-1].rsplit("/", 1)[-1])
        np.testing.assert_array_equal(
            store.read(index), summed(exact(*samples[k], Fraction(100), Fraction(0), 100)), err_msg=f"sample {k}"
        )


def test_the_cochlea_models_own_spikes_in_shds_layout(recordings: Path, tmp_path: Path) -> None:
    seconds, units = np.load(recordings / "audio_spikes" / "shd_like" / "lauscher_reference.npz")["arr_0"]
    order = np.argsort(seconds, kind="stable")
    check(save(tmp_path / "lauscher.h5", [(seconds[order], units[order].astype(int) * 10)]))


def test_the_published_files_where_they_are(recordings: Path) -> None:
    files = sorted(recordings.rglob("shd_*.h5")) + sorted(recordings.rglob("ssc_*.h5"))
    if not files:
        pytest.skip("neither SHD nor SSC is there")
    for path in files:
        collection, samples = open_collection(path), by_h5py(path)
        for k in range(0, len(samples), max(1, len(samples) // 20)):
            times, channels = samples[k]
            order = np.argsort(times, kind="stable")
            np.testing.assert_array_equal(
                CUT(collection.read(k).signal),
                summed(exact(times[order], channels[order], Fraction(100), Fraction(0), 100)),
            )
