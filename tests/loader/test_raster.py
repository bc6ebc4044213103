"""Frames made on a device, tried on the CPU's: the values of the kernels, whatever they are made of."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurodata.encodings.event_frame import EventFrame, Overflow
from neurodata.errors import EncodingError, LoaderError
from neurodata.loader import Split, Store
from neurodata.loader._raster import count_addresses, decode_codes
from neurodata.recipe import ViewStep
from neurodata.store import EventsLayout
from neurodata.store._sparse_code import encode
from tests.store.test_ragged import SENSOR, build, recordings_of, sparse_layout


def batches(split: Split, **arguments: Any) -> list[Any]:
    return list(split.loader(3, shuffle=True, seed=0, **arguments))


def assert_same(split: Split, **arguments: Any) -> None:
    for one, other in zip(batches(split, **arguments), batches(split, raster=True, **arguments), strict=True):
        assert one.frames.dtype == other.frames.dtype
        assert torch.equal(one.frames, other.frames)
        assert one.keys == other.keys
        assert torch.equal(one.lengths, other.lengths)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(arrays(np.uint16, 40, elements=st.sampled_from([0, 0, 0, 1, 2, 17, 300, 65535])), min_size=1, max_size=4)
)
def test_codes_are_decoded_for_all_samples_at_once(samples: list[Any]) -> None:
    codes = [encode(cells) for cells in samples]
    starts = torch.tensor(np.cumsum([0, *map(len, codes)]))
    for dtype in (torch.float32, torch.int64, torch.uint16):
        cells = decode_codes(torch.from_numpy(np.concatenate(codes)), starts, 40, dtype)
        assert cells.dtype == dtype
        np.testing.assert_array_equal(cells.numpy(), np.stack(samples))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_addresses_are_counted_in_their_frames(sizes: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    expected = np.zeros((len(sizes), 3, 7), np.int32)
    addresses, stops = [], np.cumsum(sizes, axis=1)
    for sample, events_of_frames in enumerate(sizes):
        for frame, n in enumerate(events_of_frames):
            addresses += (places := rng.integers(0, 7, n).tolist())
            np.add.at(expected[sample, frame], places, 1)
    starts = torch.tensor(np.cumsum([0, *stops[:, -1]]))
    found = count_addresses(torch.tensor(addresses, dtype=torch.uint16), starts, torch.from_numpy(stops), 7)
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("dtype", ["stored", "float32", "int64"])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_batches_of_a_sparse_store_are_those_of_the_kernels(dtype: str, batch_first: bool, compression: Any) -> None:
    rng = np.random.default_rng(0)
    layout = sparse_layout(compression=compression)
    fixed = type(layout)(
        type(layout.array)((2, 2, 3, 4), np.dtype(np.uint16), layout.array.axes),
        samples_per_shard=3,
        compression=compression,
    )
    clips = [(rng.poisson(0.3, (2, 2, 3, 4)) * rng.choice([1, 700])).astype(np.uint16) for _ in range(7)]
    with tempfile.TemporaryDirectory() as folder:
        assert_same(Store(build(Path(folder), fixed, clips))["train"], dtype=dtype, batch_first=batch_first)


@pytest.mark.parametrize("view", [{"T": 4}, {"T": 4, "split_by": "time"}, {"T": 1, "dtype": "uint8"}])
def test_batches_of_a_store_of_events_are_those_of_the_kernels(tmp_path: Path, view: dict[str, Any]) -> None:
    recordings = recordings_of([0, 1, 3, 700, 50, 0, 9, 33])
    store = Store(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=3), recordings))
    for dtype in ("stored", "float32"):
        assert_same(store["train"].with_view([{"name": "event_frame"} | view]), dtype=dtype)


@pytest.mark.parametrize("overflow", ["error", "saturate"])
def test_counts_that_do_not_fit_are_an_error_or_saturate_alike(tmp_path: Path, overflow: Overflow) -> None:
    (events,) = recordings_of([40_000])
    assert EventFrame(2)(events).max() > 255
    store = Store(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=3), [events] * 4))
    step = ViewStep("event_frame", EventFrame(2, dtype="uint8", overflow=overflow))
    split = store["train"].with_view([step])
    if overflow == "error":
        for raster in (True, False):
            with pytest.raises(EncodingError, match="exceed the 255"):
                batches(split, raster=raster)
    else:
        assert_same(split)


def test_what_no_device_makes_is_told(tmp_path: Path) -> None:
    store = Store(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=3), recordings_of([9] * 4)))
    split = store["train"].with_view([{"name": "voxel_grid", "T": 3}])
    with pytest.raises(LoaderError, match="a device makes frames of a sparse store"):
        split.loader(2, raster=True)
    counted = store["train"].with_view([{"name": "event_frame", "T": 3}])
    with pytest.raises(LoaderError, match="without transform"):
        counted.loader(2, raster=True, binarize=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_device_gives_the_values_of_the_cpu(tmp_path: Path) -> None:
    store = Store(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=3), recordings_of([0, 700, 50, 9])))
    split = store["train"].with_view([{"name": "event_frame", "T": 4}])
    for one, other in zip(batches(split), batches(split, device="cuda"), strict=True):
        assert other.frames.is_cuda
        assert torch.equal(one.frames, other.frames.cpu())
