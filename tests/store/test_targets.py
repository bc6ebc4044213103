"""Targets in a store: written, read by us, by zarr-python and by tensorstore alike, and proven."""

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

from neurodata.errors import StoreError, UnknownNameError
from neurodata.steps import STORABLE, ArraySpec
from neurodata.store import (
    Counts,
    DenseLayout,
    EncodedSample,
    SampleRow,
    StoreReader,
    committed,
    finalise,
    verify,
    write_shard,
)
from neurodata.targets import TargetSpec
from tests.store.stores import AXES, contents, head_of, schemes_of

SPECS = (
    TargetSpec("pose", "values", np.dtype(np.float32), (3,), ("joint",)),
    TargetSpec("angle", "values", np.dtype(np.float64), (), ()),
    TargetSpec("place", "boxes", np.dtype(np.int16), (0, 4), ("box", "field")),
    TargetSpec("depth", "map", np.dtype(np.uint16), (50, 60), ("y", "x")),
    TargetSpec("hand", "series", np.dtype(np.float32), (0, 2), ("time", "axis")),
    TargetSpec("speed", "series", np.dtype(np.float64), (0,), ("time",)),
)
Samples = list[dict[str, NDArray[Any]]]


def samples_of(n: int, specs: tuple[TargetSpec, ...] = SPECS, seed: int = 0, most_rows: int = 5) -> Samples:
    """Targets of n samples; those of the first have no rows."""
    rng = np.random.default_rng(seed)
    return [{spec.name: array_of(spec, rng, int(rng.integers(0, most_rows + 1)) * bool(i)) for spec in specs}
            for i in range(n)]  # fmt: skip


def array_of(spec: TargetSpec, rng: np.random.Generator, n_rows: int) -> NDArray[Any]:
    shape = (n_rows, *spec.item_shape) if spec.is_ragged else spec.shape
    return (rng.random(shape) * 100).astype(spec.dtype)


def layout_of(
    specs: tuple[TargetSpec, ...] = SPECS, samples_per_shard: int = 3, compression: Any = "none"
) -> DenseLayout:
    array = ArraySpec((2, 2, 3, 4), np.dtype(np.uint8), AXES)
    return DenseLayout(array, samples_per_shard=samples_per_shard, compression=compression, targets=specs)


def write(folder: Path, layout: DenseLayout, samples: Samples, shard: int) -> None:
    members = range(len(samples))[shard * layout.samples_per_shard :][: layout.samples_per_shard]
    frames = np.zeros(layout.array.shape, np.uint8)
    encoded = (EncodedSample(SampleRow(f"s{i}", i % 3, ""), frames, 1, 2, targets=samples[i]) for i in members)
    write_shard(folder, shard, layout, encoded, Counts)


def build(folder: Path, layout: DenseLayout, samples: Samples) -> Path:
    n_shards = -(-len(samples) // layout.samples_per_shard)
    for shard in range(n_shards):
        write(folder, layout, samples, shard)
    finalise(folder, head_of(layout), n_shards, schemes_of(len(samples)))
    return folder


def assert_same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


def specs_of(draw: Any, k: int) -> TargetSpec:
    kind = draw(st.sampled_from(["values", "boxes", "map", "series"]))
    n_axes = {"values": (0, 3), "boxes": (1, 1), "map": (2, 3), "series": (0, 2)}[kind]
    item_shape = tuple(draw(st.lists(st.integers(1, 4), min_size=n_axes[0], max_size=n_axes[1])))
    shape = (0, *item_shape) if kind in ("boxes", "series") else item_shape
    axes = tuple(f"a{axis}" for axis in range(len(shape)))
    return TargetSpec(f"t{k}", kind, np.dtype(draw(st.sampled_from(STORABLE))), shape, axes)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 8), st.integers(1, 5), st.sampled_from(["none", "zstd"]), st.sampled_from([5, 3000]))
def test_targets_come_back_as_they_were(
    data: st.DataObject, n: int, samples_per_shard: int, compression: str, most_rows: int
) -> None:
    specs = tuple(specs_of(data.draw, k) for k in range(data.draw(st.integers(1, 3))))
    samples = samples_of(n, specs, most_rows=most_rows)
    with tempfile.TemporaryDirectory() as folder:
        layout = layout_of(specs, samples_per_shard, compression)
        reader = StoreReader(build(Path(folder) / "store", layout, samples))
        assert reader.head.targets == specs
        assert reader.head.layout == layout
        for index in reversed(range(n)):
            for spec in specs:
                assert_same(reader.read_target(index, spec.name), samples[index][spec.name])
        assert verify(reader.path, deep=True).problems == ()


@pytest.fixture(scope="module", params=["none", "zstd"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = layout_of(compression=request.param)
    return build(tmp_path_factory.mktemp("targets") / "store", layout, samples_of(8))


def by_zarr(path: Path) -> NDArray[Any]:
    return np.asarray(zarr.open_array(path, mode="r")[...])


def by_tensorstore(path: Path) -> NDArray[Any]:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    return np.asarray(tensorstore.open(spec).result().read().result())


@pytest.mark.parametrize("read", [by_zarr, by_tensorstore])
def test_any_zarr_reader_opens_targets(store: Path, read: Any) -> None:
    samples, data = samples_of(8), store / "data.zarr"
    for spec in SPECS:
        if not spec.is_ragged:
            assert_same(read(data / "targets" / spec.name), np.stack([sample[spec.name] for sample in samples]))
            continue
        start, stop = (read(data / f"samples/targets/{spec.name}/{bound}") for bound in ("start", "stop"))
        for i, sample in enumerate(samples):
            rows = read(data / f"targets/{spec.name}/{i // 3}")[start[i] : stop[i]]
            assert_same(rows, sample[spec.name])


def test_targets_stand_in_the_tree_of_zarr_with_names_of_their_axes(store: Path) -> None:
    root = zarr.open_group(store / "data.zarr", mode="r")
    assert root["targets/depth"].metadata.dimension_names == ("sample", "y", "x")
    assert root["targets/place/0"].metadata.dimension_names == ("item", "field")
    assert sorted(root["samples/targets"].group_keys()) == ["hand", "place", "speed"]
    assert root["targets/angle"].shape == (8,)


def test_small_targets_of_a_shard_share_a_chunk_and_large_ones_do_not(store: Path) -> None:
    chunks = {name: zarr.open_array(store / f"data.zarr/targets/{name}", mode="r").chunks for name in ("pose", "depth")}
    assert chunks == {"pose": (3, 3), "depth": (1, 50, 60)}


def test_read_arrays_are_the_callers_own(store: Path) -> None:
    reader = StoreReader(store)
    first = reader.read_target(7, "depth")
    before = first.copy()
    reader.read_target(6, "depth")
    np.testing.assert_array_equal(first, before)
    first[...] = 0
    np.testing.assert_array_equal(reader.read_target(7, "depth"), before)


def test_an_unknown_target_is_refused_with_those_there_are(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no target 'dept'; there is pose, angle"):
        StoreReader(store).read_target(0, "dept")
    without = build(tmp_path / "store", layout_of(()), [{}] * 4)
    with pytest.raises(UnknownNameError, match="there is none"):
        StoreReader(without).read_target(0, "depth")


def test_a_store_without_targets_says_nothing_of_them(tmp_path: Path) -> None:
    files = contents(build(tmp_path / "store", layout_of(()), [{}] * 4))
    assert not any("targets" in name for name in files)
    assert not any(b'"targets"' in content for content in files.values())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pose": np.zeros(3)}, r"sample 's0': target pose \(values, float32 \[3\]\) is float64 of shape \(3,\)"),
        ({"pose": np.zeros(4, np.float32)}, r"is float32 of shape \(4,\)"),
        ({"place": np.zeros((2, 5), np.int16)}, r"place \(boxes, int16 \[n, 4\]\) is int16 of shape \(2, 5\)"),
        ({"place": np.zeros(4, np.int16)}, r"is int16 of shape \(4,\)"),
        ({"more": np.zeros(1)}, r"sample 's0' has the targets .*'more'.*; expected .*'speed'\]"),
    ],
)
def test_targets_that_are_not_those_of_the_layout_are_refused(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(StoreError, match=words):
        write(tmp_path, layout_of(), [samples_of(1)[0] | changed], 0)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_missing_target_is_refused(tmp_path: Path) -> None:
    sample = samples_of(1)[0]
    del sample["hand"]
    with pytest.raises(StoreError, match="sample 's0' has the targets"):
        write(tmp_path, layout_of(), [sample], 0)


@pytest.mark.parametrize("name", [spec.name for spec in SPECS])
def test_damage_of_a_target_is_found_and_names_the_sample(store: Path, tmp_path: Path, name: str) -> None:
    folder = build(tmp_path / "store", StoreReader(store).head.layout, samples_of(8))
    reader = StoreReader(folder)
    column = next(column for column in reader.head.layout.target_columns if column.name == f"targets/{name}")
    path = folder / column.shard_path(1)
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    problems = verify(folder, deep=True).problems
    assert any("sample 's" in problem and str(path) in problem for problem in problems)
    index = next(i for i in (3, 4, 5) if samples_of(8)[i][name].size)
    with pytest.raises(StoreError, match=rf"sample 's{index}': .*{path.name}.*crc32c"):
        reader.read_target(index, name)
    path.unlink()
    assert any("missing" in problem or "No such file" in problem for problem in verify(folder).problems)


def test_a_shard_with_other_targets_is_not_the_one_that_is_wanted(tmp_path: Path) -> None:
    samples, layout = samples_of(3), layout_of()
    write(tmp_path, layout, samples, 0)
    rows = [SampleRow(f"s{i}", i % 3, "") for i in range(3)]
    assert committed(tmp_path, 0, layout, rows)
    assert not committed(tmp_path, 0, layout_of(SPECS[:2]), rows)
    path = tmp_path / layout.target_columns[3].shard_path(0)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert not committed(tmp_path, 0, layout, rows)


def test_writing_again_in_another_order_gives_the_same_bytes(store: Path, tmp_path: Path) -> None:
    layout, samples = StoreReader(store).head.layout, samples_of(8)
    assert isinstance(layout, DenseLayout)
    for shard in (2, 0, 1, 2):
        write(tmp_path / "store", layout, samples, shard)
    finalise(tmp_path / "store", head_of(layout), 3, schemes_of(8))
    assert contents(tmp_path / "store") == contents(store)
