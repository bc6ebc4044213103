"""Layouts of ragged columns, sparse counts and events: read by us, by zarr-python and by tensorstore alike."""

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
from numpy.typing import NDArray

from neurodata.errors import StoreError
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec
from neurodata.store import (
    Counts,
    EncodedSample,
    EventsLayout,
    Layout,
    SampleRow,
    SparseLayout,
    StoreReader,
    finalise,
    verify,
    write_shard,
)
from tests.storage.remotes import FILES, register
from tests.store.stores import AXES, contents, head_of, schemes_of
from tests.store.test_sparse_code import reference

SENSOR = Sensor(5, 4, 2)


def sparse_layout(dtype: str = "uint16", **arguments: Any) -> SparseLayout:
    array = ArraySpec((0, 2, 3, 4), np.dtype(dtype), AXES, has_variable_steps=True)
    return SparseLayout(array, **{"samples_per_shard": 3} | arguments)


def clips_of(lengths: list[int], dtype: str = "uint16", seed: int = 0) -> list[NDArray[Any]]:
    """Counts [T, 2, 3, 4] of these lengths."""
    rng = np.random.default_rng(seed)
    return [(rng.poisson(0.2, (n, 2, 3, 4)) * rng.choice([1, 1, 200], (n, 2, 3, 4))).astype(dtype) for n in lengths]


def recordings_of(lengths: list[int], seed: int = 0, sensor: Sensor = SENSOR) -> list[EventArray]:
    rng = np.random.default_rng(seed)
    return [
        EventArray(
            np.sort(rng.integers(-50, 10_000, n)),
            rng.integers(0, sensor.width, n).astype(np.uint16),
            rng.integers(0, sensor.height, n).astype(np.uint16),
            rng.integers(0, 2, n).astype(np.bool_) | (sensor.polarities == 1),
            sensor,
        )
        for n in lengths
    ]


def build(folder: Path, layout: Layout, signals: list[Any]) -> Path:
    """A finished store of these samples."""
    n_shards = -(-len(signals) // layout.samples_per_shard)
    samples = [
        EncodedSample(
            SampleRow(f"s{i}", i % 3, ""),
            signal,
            10,
            20,
            getattr(signal, "start_us", 0),
        )
        for i, signal in enumerate(signals)
    ]
    for shard in range(n_shards):
        part = samples[shard * layout.samples_per_shard :][: layout.samples_per_shard]
        write_shard(folder, shard, layout, part, Counts)
    finalise(folder, head_of(layout), n_shards, schemes_of(len(signals)))
    return folder


def tensorstore_array(path: Path) -> Any:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    return tensorstore.open(spec, open=True, read=True).result()


def items(store: StoreReader, index: int, column: str) -> list[NDArray[Any]]:
    """The items of one sample as zarr-python and tensorstore read them."""
    table = store.table
    path = store.path / f"data.zarr/{column}/{table.shard[index]}"
    part = slice(int(table.start[index]), int(table.stop[index]))
    return [zarr.open_array(path, mode="r")[part], tensorstore_array(path)[part].read().result()]


COMPRESSION = st.sampled_from(["none", "zstd"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), COMPRESSION, st.sampled_from(["uint8", "uint16", "bool"]))
def test_sparse_samples_of_any_length_are_read_by_all(lengths: list[int], compression: Any, dtype: str) -> None:
    clips = clips_of(lengths, dtype)
    with tempfile.TemporaryDirectory() as folder:
        store = StoreReader(build(Path(folder), sparse_layout(dtype, compression=compression), clips))
        for index, clip in enumerate(clips):
            np.testing.assert_array_equal(store.read(index), clip)
            assert store.shape(index) == clip.shape
            as_floats = np.full(clip.shape, 7, np.float32)
            store.read_into(index, as_floats)
            np.testing.assert_array_equal(as_floats, clip)
            for code in items(store, index, "sparse/code"):
                assert reference(code.tobytes(), clip.size) == clip.reshape(-1).tolist()
        assert verify(Path(folder), deep=True).problems == ()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.just(40_000)), min_size=1, max_size=7),
    COMPRESSION,
    st.sampled_from([SENSOR, Sensor(700, 1, 1), Sensor(346, 260, 2)]),
)
def test_events_are_read_by_all(lengths: list[int], compression: Any, sensor: Sensor) -> None:
    recordings = recordings_of(lengths, sensor=sensor)
    with tempfile.TemporaryDirectory() as folder:
        layout = EventsLayout(sensor, samples_per_shard=3, compression=compression)
        store = StoreReader(build(Path(folder), layout, recordings))
        for index, events in enumerate(recordings):
            assert store.read_events(index) == events
            for t, address in zip(items(store, index, "events/t"), items(store, index, "events/address"), strict=True):
                rows, x = np.divmod(address.astype(int), sensor.width)
                p, y = np.divmod(rows, sensor.height)
                np.testing.assert_array_equal(t + store.table.start_us[index], events.t)
                np.testing.assert_array_equal(x, events.x)
                np.testing.assert_array_equal(y, events.y)
                np.testing.assert_array_equal(p, events.p if sensor.polarities == 2 else 0)
        assert verify(Path(folder), deep=True).problems == ()


@pytest.mark.parametrize(
    ("sensor", "dtype"),
    [(Sensor(16, 8, 2), "uint8"), (Sensor(128, 128, 2), "uint16"), (Sensor(346, 260, 2), "uint32")],
)
def test_addresses_are_as_wide_as_the_sensor_needs(sensor: Sensor, dtype: str) -> None:
    assert EventsLayout(sensor, samples_per_shard=1).address_dtype == dtype


def test_a_store_without_an_event_is_read(tmp_path: Path) -> None:
    store = StoreReader(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=3), recordings_of([0, 0])))
    assert store.read_events(1) == EventArray.empty(SENSOR)
    assert verify(tmp_path, deep=True).problems == ()


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_bytes_depend_on_the_samples_alone(tmp_path: Path, compression: Any) -> None:
    layout = EventsLayout(SENSOR, samples_per_shard=2, compression=compression)
    one, other = (build(tmp_path / name, layout, recordings_of([3, 0, 70_000])) for name in ("one", "other"))
    assert contents(one) == contents(other)


def test_zarr_opens_the_whole_group_without_a_warning(tmp_path: Path) -> None:
    store = build(tmp_path, EventsLayout(SENSOR, samples_per_shard=2), recordings_of([3, 4, 5]))
    group = zarr.open_group(store / "data.zarr", mode="r")
    names = {name for name, _ in group.members(max_depth=None) if name.startswith("events")}
    assert names == {"events", *(f"events/{c}{s}" for c in ("t", "address", "chunk_t") for s in ("", "/0", "/1"))}
    assert group["events"].attrs["address"] == "(p * height + y) * width + x"


@pytest.mark.parametrize("kind", ["sparse", "events"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_any_changed_byte_is_found_and_refused(tmp_path: Path, kind: str, compression: Any) -> None:
    if kind == "sparse":
        store = build(tmp_path, sparse_layout(compression=compression), clips_of([2, 3]))
    else:
        store = build(
            tmp_path, EventsLayout(SENSOR, samples_per_shard=2, compression=compression), recordings_of([9, 9])
        )
    rng = np.random.default_rng(1)
    for path in sorted((store / "data.zarr" / kind).rglob("c/0")):
        whole = path.read_bytes()
        for place in rng.integers(0, len(whole), 12):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            assert not verify(store, deep=True).ok
            if "chunk_t" in path.parts:
                continue  # the index of samples in one chunk tells nothing: nobody reads it
            with pytest.raises(StoreError, match=r"sample 's\d'"):  # noqa: PT012
                reader = StoreReader(store)
                for index in range(2):
                    reader.read_events(index) if kind == "events" else reader.read(index)
        path.write_bytes(whole)


def test_checksums_are_compared_when_asked(tmp_path: Path) -> None:
    store = build(tmp_path, sparse_layout(), clips_of([2]))
    reader = StoreReader(store, verify="first-read")
    clip = reader.read(0)
    path = store / "data.zarr/sparse/code/0/c/0"
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1  # in the padding behind the sample's code: only a checksum can tell
    with path.open("r+b") as file:
        file.write(damaged)
    np.testing.assert_array_equal(reader.read(0), clip)
    np.testing.assert_array_equal(StoreReader(store, verify="never").read(0), clip)
    for verify_when in ("always", "first-read"):
        with pytest.raises(StoreError, match="crc32c"):
            StoreReader(store, verify=verify_when).read(0)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="expected always or first-read or never"):
        StoreReader(store, verify="sometimes")  # type: ignore[arg-type]


def test_what_a_layout_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds bool, uint8, uint16, uint32"):
        sparse_layout("int16")
    events = EventArray(np.array([0, 2**32]), *np.zeros((2, 2), np.uint16), np.ones(2, np.bool_), SENSOR)
    with pytest.raises(StoreError, match=r"sample 's0' is 4294967296 us long"):
        build(tmp_path, EventsLayout(SENSOR, samples_per_shard=2), [events])
    with pytest.raises(StoreError, match=r"is from 5x4x2; expected 5x5x2"):
        build(tmp_path, EventsLayout(Sensor(5, 5), samples_per_shard=2), recordings_of([2]))


def test_frames_are_not_events_nor_events_frames(tmp_path: Path) -> None:
    sparse = StoreReader(build(tmp_path / "sparse", sparse_layout(), clips_of([2])))
    events = StoreReader(build(tmp_path / "events", EventsLayout(SENSOR, samples_per_shard=2), recordings_of([2])))
    with pytest.raises(StoreError, match="holds frames"):
        sparse.read_events(0)
    with pytest.raises(StoreError, match="no frames until it is said how they are made"):
        events.read(0)
    assert repr(events).endswith("1 samples, events on 5x4x2)")
    assert repr(sparse).endswith("1 samples, uint16 [T, 2, 3, 4])")


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_events_are_read_from_a_url_and_through_a_stage(tmp_path: Path, compression: Any) -> None:
    recordings = recordings_of([3, 0, 70_000, 5])
    layout = EventsLayout(SENSOR, samples_per_shard=2, compression=compression)
    store = build(tmp_path / "store", layout, recordings)
    register()
    FILES.content = {f"lab/store/{name}": content for name, content in contents(store).items()}
    reader = StoreReader("flaky://lab/store")
    FILES.asked.clear()
    assert [reader.read_events(index) for index in range(4)] == recordings
    # Of t and address: the indexes of two shards, and one range for each sample that has events.
    assert len(FILES.asked) == 2 * (2 + 3)
    staged = StoreReader("flaky://lab/store", stage=tmp_path)
    assert [staged.read_events(index) for index in range(4)] == recordings
    assert len(list(tmp_path.glob("neurodata-stage*/*.shard"))) == 4
