from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata.errors import StoreError
from neurodata.storage import canonical_json
from neurodata.store import Counts, DenseLayout, EncodedSample, SampleRow, SchemeIndex, finalise, verify, write_shard
from tests.store.stores import build, contents, frames_of, head_of, layout_of, rows_of, schemes_of, write

N = 8


@pytest.fixture
def layout() -> DenseLayout:
    return layout_of(samples_per_shard=3)


@pytest.fixture
def folder(tmp_path: Path, layout: DenseLayout) -> Path:
    """Three committed shards, the last with two samples; not finalised."""
    for shard in range(3):
        write(tmp_path / "store", frames_of(N, layout), layout, shard)
    return tmp_path / "store"


def test_the_manifest_lists_every_file_with_its_hash_and_hashes_itself(folder: Path, layout: DenseLayout) -> None:
    finalise(folder, head_of(layout), 3, schemes_of(N))
    files = dict(contents(folder))
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {
        name: {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    sha256 = manifest.pop("sha256")
    assert hashlib.sha256(canonical_json(manifest)).hexdigest() == sha256


def test_the_manifest_says_what_the_store_is(folder: Path, layout: DenseLayout) -> None:
    finalise(folder, head_of(layout), 3, schemes_of(N))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    n_events = int(frames_of(N, layout).sum())
    expected = head_of(layout).to_json() | {
        "version": 4,
        "n_samples": N,
        "n_shards": 3,
        "counts": {"read": n_events + 6, "encoded": n_events, "dropped": {"off sensor": 6}, "notes": {"late": 3}},
        "schemes": {
            "official": {
                "description": "first half, last half",
                "sha256": "11" * 32,
                "counts": {"train": 4, "validation": 0, "test": 4},
            },
            "odd-even": {
                "description": "by parity",
                "sha256": "22" * 32,
                "counts": {"train": 4, "validation": 0, "test": 0},
            },
        },
    }
    assert {name: manifest[name] for name in expected} == expected
    attributes = json.loads((folder / "data.zarr/zarr.json").read_bytes())["attributes"]["neurodata"]
    assert attributes == head_of(layout).to_json() | {"version": 4}


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_bytes_do_not_depend_on_the_order_in_which_shards_are_written(tmp_path: Path, compression: Any) -> None:
    layout = layout_of(samples_per_shard=3, compression=compression)
    frames = frames_of(N, layout)
    one = build(tmp_path / "one", frames, layout, shards=[0, 1, 2])
    other = build(tmp_path / "other", frames, layout, shards=[2, 0, 1])
    assert contents(one) == contents(other)


def test_nothing_in_a_store_tells_where_it_was_made(folder: Path, layout: DenseLayout) -> None:
    finalise(folder, head_of(layout), 3, schemes_of(N))
    for content in contents(folder).values():
        assert str(folder).encode() not in content


def test_finalising_again_changes_nothing_and_mends_what_was_damaged(folder: Path, layout: DenseLayout) -> None:
    finalise(folder, head_of(layout), 3, schemes_of(N))
    before = contents(folder)
    (folder / "data.zarr/samples/target/c/0").write_bytes(b"")
    (folder / "data.zarr/zarr.json").unlink()
    finalise(folder, head_of(layout), 3, schemes_of(N))
    assert contents(folder) == before


def test_another_scheme_is_added_without_writing_shards_again(folder: Path, layout: DenseLayout) -> None:
    finalise(folder, head_of(layout), 3, {})
    finalise(folder, head_of(layout), 3, schemes_of(N))
    assert verify(folder, deep=True).ok


def test_files_of_an_earlier_plan_and_leftovers_of_killed_runs_are_removed(folder: Path, layout: DenseLayout) -> None:
    write(folder, frames_of(4 * N, layout), layout, 5)
    leftover = folder / "commits/.00001.json.4711.0123abcd.tmp"
    leftover.write_bytes(b"{")
    (folder / "data.zarr/schemes/gone").mkdir(parents=True)
    (folder / "data.zarr/schemes/gone/zarr.json").write_text("{}")
    (folder / ".lock").touch()
    finalise(folder, head_of(layout), 3, schemes_of(N))
    assert verify(folder, deep=True).problems == ()
    assert (folder / ".lock").exists()  # of the run that is going on


def test_a_missing_commit_is_named_and_nothing_is_written(folder: Path, layout: DenseLayout) -> None:
    (folder / "commits/00001.json").unlink()
    before = contents(folder)
    with pytest.raises(StoreError, match=r"00001\.json: missing, so shard 1 is not finished"):
        finalise(folder, head_of(layout), 3, schemes_of(N))
    assert contents(folder) == before


@pytest.mark.parametrize("size", [0, 100])
def test_a_shard_cut_after_its_commit_is_named(folder: Path, layout: DenseLayout, size: int) -> None:
    with (folder / "data.zarr/frames/c/1/0/0/0/0").open("r+b") as shard:
        shard.truncate(size)
    with pytest.raises(StoreError, match=rf"c/1/0/0/0/0: {size} bytes; its commit record says"):
        finalise(folder, head_of(layout), 3, schemes_of(N))


def test_shards_of_another_layout_are_refused(folder: Path) -> None:
    with pytest.raises(StoreError, match=r"00000\.json: written in the layout"):
        finalise(folder, head_of(layout_of(samples_per_shard=3, compression="zstd")), 3, schemes_of(N))


def test_only_the_last_shard_may_be_short(folder: Path, layout: DenseLayout) -> None:
    write(folder, frames_of(2 * N, layout), layout, 3)
    with pytest.raises(StoreError, match=r"00002\.json: 2 samples; every shard but the last has 3"):
        finalise(folder, head_of(layout), 4, schemes_of(N))


def test_a_store_without_samples_is_refused(tmp_path: Path, layout: DenseLayout) -> None:
    with pytest.raises(StoreError, match="no samples"):
        finalise(tmp_path, head_of(layout), 0, {})


def test_a_target_without_a_class_is_refused(folder: Path, layout: DenseLayout) -> None:
    with pytest.raises(StoreError, match=r"'user02/µ2\.aedat:2000' has target 2, of 2 classes"):
        finalise(folder, head_of(layout, classes=("left", "right")), 3, schemes_of(N))


def test_two_samples_of_one_key_are_refused(tmp_path: Path, layout: DenseLayout) -> None:
    samples = (EncodedSample(replace(rows_of(1)[0], target=i), frames_of(1, layout)[0], 0, 0) for i in range(2))
    write_shard(tmp_path, 0, layout, samples, Counts)
    with pytest.raises(StoreError, match=r"samples 0 and 1 share the key 'user00/µ0\.aedat:0'"):
        finalise(tmp_path, head_of(layout), 1, {})


def _scheme(train: list[int], test: list[int], dtype: Any = np.int64) -> SchemeIndex:
    return SchemeIndex("", "", np.array(train, dtype), np.empty(0, np.int64), np.array(test, np.int64))


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (_scheme([0, 8], []), "train has an index outside 0 to 7"),
        (_scheme([-1], []), "train has an index outside 0 to 7"),
        (_scheme([3, 0, 3], []), r"train has the sample 'user03/µ3\.aedat:3000' twice"),
        (_scheme([0, 1], [1, 2]), r"'user01/µ1\.aedat:1000' is in both train and test"),
        (_scheme([0], [], np.int32), r"train is int32 \(1,\); expected int64"),
    ],
)
def test_a_scheme_that_leaks_or_points_nowhere_is_refused(
    folder: Path, layout: DenseLayout, scheme: SchemeIndex, words: str
) -> None:
    with pytest.raises(StoreError, match=f"scheme own: .*{words}"):
        finalise(folder, head_of(layout), 3, {"own": scheme})


def test_counts_as_numpy_numbers_and_targets_of_any_size_are_stored(tmp_path: Path, layout: DenseLayout) -> None:
    row = SampleRow("a", np.int64(-(2**63)), "")
    counts = Counts(np.int64(5), np.int64(4), {"late": np.int64(1)}, {"x": np.uint8(3)})
    write_shard(tmp_path, 0, layout, [EncodedSample(row, frames_of(1, layout)[0], np.int64(4), 9)], lambda: counts)
    finalise(tmp_path, head_of(layout, classes=()), 1, {})
    assert verify(tmp_path, deep=True).ok
