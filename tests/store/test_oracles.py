"""Independent readers of Zarr v3 see what was written."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.steps import STORABLE
from neurodata.store import DenseLayout, EventsLayout, StoreReader, verify
from neurodata.store._layout import EVENTS_PER_CHUNK
from tests.store import test_ragged as ragged
from tests.store import test_targets as targets
from tests.store.stores import build, contents, frames_of, layout_of, rows_of, schemes_of
from tests.store.test_damage import STORES, whole

layouts = st.builds(
    layout_of,
    shape=st.lists(st.integers(1, 4), max_size=4).map(tuple),
    dtype=st.sampled_from(STORABLE),
    samples_per_shard=st.integers(1, 5),
    compression=st.sampled_from(["none", "zstd"]),
)


def tensorstore_array(path: Path) -> Any:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    return tensorstore.open(spec, open=True, read=True).result()


@settings(max_examples=25, deadline=None)
@given(layout=layouts, n=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_all_readers_agree_for_all_layouts(layout: DenseLayout, n: int, seed: int) -> None:
    frames = frames_of(n, layout, seed)
    with tempfile.TemporaryDirectory() as folder:
        store = build(Path(folder), frames, layout)
        reader = StoreReader(store)
        np.testing.assert_array_equal(np.stack([reader.read(i) for i in range(n)]), frames)
        np.testing.assert_array_equal(zarr.open_array(store / "data.zarr/frames", mode="r")[...], frames)
        np.testing.assert_array_equal(tensorstore_array(store / "data.zarr/frames").read().result(), frames)
        assert verify(store, deep=True).problems == ()


def test_zarr_opens_the_whole_group_without_a_warning(tmp_path: Path) -> None:
    layout = layout_of(samples_per_shard=3)
    group = zarr.open_group(build(tmp_path, frames_of(8, layout), layout) / "data.zarr", mode="r")
    names = {name for name, _ in group.members(max_depth=None)}
    columns = {"shard", "start", "stop", "n_steps", "target", "group", "key", "n_events", "duration_us", "start_us"} | {
        "origin_us"
    }
    assert names == {
        "frames",
        "samples",
        "schemes",
        *(f"samples/{column}" for column in columns),
        *(f"schemes/{scheme}" for scheme in ("official", "odd-even")),
        *(f"schemes/{s}/{part}" for s in ("official", "odd-even") for part in ("train", "validation", "test")),
    }
    frames = group["frames"]
    assert isinstance(frames, zarr.Array)
    assert (frames.shards, frames.chunks) == ((3, 2, 2, 3, 4), (1, 2, 2, 3, 4))
    assert frames.metadata.dimension_names == ("sample", "time", "polarity", "y", "x")
    assert group.attrs["neurodata"]["classes"] == ["left", "right", "still"]


@pytest.mark.parametrize("kind", [*STORES, "all targets"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_every_array_of_every_layout_is_the_same_to_both_and_is_all_there_is(
    kind: str, compression: Any, tmp_path: Path
) -> None:
    if kind == "all targets":
        store = targets.build(tmp_path / "store", targets.layout_of(compression=compression), targets.samples_of(4))
    else:
        store = whole(kind, tmp_path / "store", compression)
    group = zarr.open_group(store / "data.zarr", mode="r")
    seen = {f"data.zarr/{name}/zarr.json" for name, _ in group.members(max_depth=None)} | {"data.zarr/zarr.json"}
    for name, array in group.members(max_depth=None):
        if isinstance(array, zarr.Array):
            other = tensorstore_array(store / "data.zarr" / name)
            np.testing.assert_array_equal(array[...], other.read().result())
            assert array.dtype == other.dtype.numpy_dtype
            assert array.metadata.dimension_names == tuple(label or None for label in other.domain.labels)
            seen |= {path for path in contents(store) if path.startswith(f"data.zarr/{name}/c/")}
    assert seen == {path for path in contents(store) if path.startswith("data.zarr/")}


def test_the_time_index_is_every_32768th_time_to_both(tmp_path: Path) -> None:
    n = 2 * EVENTS_PER_CHUNK + 5
    store = ragged.build(tmp_path, EventsLayout(ragged.SENSOR, samples_per_shard=2), ragged.recordings_of([n, 9]))
    times, index = (store / f"data.zarr/events/{column}/0" for column in ("t", "chunk_t"))
    for t, chunk_t in (
        (zarr.open_array(times, mode="r")[...], zarr.open_array(index, mode="r")[...]),
        (tensorstore_array(times).read().result(), tensorstore_array(index).read().result()),
    ):
        np.testing.assert_array_equal(chunk_t[:3], t[::EVENTS_PER_CHUNK])
        assert not chunk_t[3:].any()


def test_tables_and_schemes_are_plain_arrays(tmp_path: Path) -> None:
    layout = layout_of(samples_per_shard=3)
    store = build(tmp_path, frames_of(8, layout), layout) / "data.zarr"
    expected: dict[str, Any] = {
        "samples/target": [row.target for row in rows_of(8)],
        "samples/n_events": frames_of(8, layout).sum(axis=(1, 2, 3, 4)),
        "samples/duration_us": np.arange(1000, 1008),
        "samples/shard": [0, 0, 0, 1, 1, 1, 2, 2],
        "samples/start": [0, 1, 2, 0, 1, 2, 0, 1],
        "samples/stop": [1, 2, 3, 1, 2, 3, 1, 2],
        "samples/n_steps": [2] * 8,
        "schemes/official/train": schemes_of(8)["official"].train,
        "schemes/official/validation": [],
        "schemes/odd-even/train": [7, 5, 3, 1],
    }
    for name, values in expected.items():
        for array in (zarr.open_array(store / name, mode="r")[...], tensorstore_array(store / name).read().result()):
            assert array.dtype == np.int64
            np.testing.assert_array_equal(array, values)
    keys = tensorstore_array(store / "samples/key").read().result()  # [N, width]
    assert [bytes(key).rstrip(b"\0").decode() for key in keys] == [row.key for row in rows_of(8)]


def test_samples_of_zeros_are_chunks_like_any_other(tmp_path: Path) -> None:
    layout = layout_of(samples_per_shard=3)
    frames = np.zeros((4, *layout.array.shape), np.uint16)
    store = build(tmp_path, frames, layout)
    sizes = [(store / layout.shard_paths(shard)[0]).stat().st_size for shard in range(2)]
    assert sizes == [3 * (96 + 4) + 52, 1 * (96 + 4) + 52]
    np.testing.assert_array_equal(tensorstore_array(store / "data.zarr/frames").read().result(), frames)
