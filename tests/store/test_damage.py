"""Damage of every file of a store of every layout: found by a deep verification, and refused where it is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata.errors import StoreError
from neurodata.store import StoreReader, verify
from neurodata.store._records import seal
from tests.store import test_ragged as ragged
from tests.store import test_targets as targets
from tests.store.stores import build, contents, frames_of, layout_of

STORES = ["dense", "sparse", "events", "shared events", "targets"]
# Different ones in one run of all kinds.
COMPRESSION: dict[str, Any] = {"dense": "zstd", "events": "zstd"}


def whole(kind: str, folder: Path, compression: Any = None) -> Path:
    """A store of two shards, the last of which is not full."""
    words: dict[str, Any] = {"samples_per_shard": 2, "compression": compression or COMPRESSION.get(kind, "none")}
    if kind == "dense":
        layout = layout_of(**words)
        return build(folder, frames_of(3, layout), layout)
    if kind == "sparse":
        return ragged.build(folder, ragged.sparse_layout(**words), ragged.clips_of([3, 1, 2]))
    if kind == "targets":
        specs = (targets.SPECS[0], targets.SPECS[2])
        return targets.build(folder, targets.layout_of(specs, **words), targets.samples_of(3, specs))
    recordings = ragged.recordings_of([9, 1, 5])
    if kind == "shared events":
        first = recordings[0]
        recordings = [first, first.between(int(first.t[4]), None), recordings[2]]
    return ragged.build(folder, ragged.EventsLayout(ragged.SENSOR, **words), recordings)


def damages(content: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes | None]]:
    """The content with a byte flipped, cut, longer, or gone."""
    places = {0, len(content) - 1, int(rng.integers(len(content)))}
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        yield f"byte {place} flipped", bytes(flipped)
    yield "cut", content[: int(rng.integers(len(content)))]
    yield "appended", content + b"\0"
    yield "deleted", None


@pytest.mark.parametrize("kind", STORES)
def test_damage_of_any_file_is_found_by_a_deep_verification(kind: str, tmp_path: Path) -> None:
    store = whole(kind, tmp_path / "store")
    rng = np.random.default_rng(STORES.index(kind))
    assert verify(store, deep=True).problems == ()
    for name, content in contents(store).items():
        for what, damaged in damages(content, rng):
            if damaged is None:
                (store / name).unlink()
            else:
                (store / name).write_bytes(damaged)
            problems = verify(store, deep=True).problems
            assert any(name in problem for problem in problems), f"{name}: {what}: {problems}"
        (store / name).write_bytes(content)
    assert verify(store, deep=True).ok


def read_all(store: StoreReader) -> dict[str, list[bytes] | str]:
    """What each sample holds, or why it is refused, by key."""
    found: dict[str, list[bytes] | str] = {}
    for index, key in enumerate(store.table.keys):
        try:
            signal: Any = store.read(index) if store.array is not None else store.read_events(index).t
            rows = [store.read_target(index, target.name) for target in store.head.targets]
            found[key] = [signal.tobytes(), *(row.tobytes() for row in rows)]
        except StoreError as error:
            found[key] = str(error)
    return found


@pytest.mark.parametrize("kind", STORES)
def test_a_flipped_byte_of_a_shard_is_refused_with_the_key_or_changes_nothing(kind: str, tmp_path: Path) -> None:
    store = whole(kind, tmp_path / "store")
    reader = StoreReader(store)
    whole_samples = read_all(reader)
    paths = [path for shard in range(2) for path in reader.head.layout.shard_paths(shard)]
    reader.close()
    for path in paths:
        content = (store / path).read_bytes()
        for place in {*range(0, len(content), len(content) // 16 + 1), len(content) - 1}:
            flipped = bytearray(content)
            flipped[place] ^= 1 << place % 8
            (store / path).write_bytes(flipped)
            refused = 0
            for key, found in read_all(StoreReader(store)).items():
                if found != whole_samples[key]:
                    assert isinstance(found, str), f"{path}: byte {place}: another sample is served as {key!r}"
                    assert found.startswith(f"sample {key!r}")
                    refused += 1
            # The time index is read for parts of long samples; that verify reads it is tested above.
            assert refused or "chunk_t" in path, f"{path}: byte {place} is read by no sample"
        (store / path).write_bytes(content)


def resealed(path: Path, seal_name: str, change: dict[str, Any]) -> None:
    """Edit a record and give it the hash of its new content, as no accident does."""
    record = json.loads(path.read_bytes()) | change
    record.pop(seal_name)
    path.write_bytes(seal(record, seal_name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": {"read": 3, "encoded": 1, "dropped": {}, "notes": {}}}, "a step loses or invents events"),
        ({"counts": {"read": 3, "encoded": 3, "dropped": {}, "notes": {}}}, "the commit records add up to"),
        ({"counts": {"reed": 3}}, "its counts are no counts"),
        ({"default_scheme": "odd-even"}, "says of the store other than manifest.json"),
        ({"recipe_id": "00" * 32}, "recipe_id is 00"),
        ({"partial": 0}, "says of the store other than manifest.json"),
        ({"schemes": {}}, "its schemes are []; data.zarr/schemes/ has ['odd-even', 'official']"),
        *(
            ({"files": files}, "does not say size and sha256 of each file")
            for files in (None, 3, [], {"a": 3}, {"a": {}}, {"a": {"size_bytes": "3", "sha256": ""}}, {"a\0b": {}})
        ),
    ],
)
def test_a_manifest_that_is_sealed_and_untrue_is_found(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    store = whole("dense", tmp_path / "store")
    resealed(store / "manifest.json", "sha256", change)
    assert words in " ".join(verify(store, deep=True).problems)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": {"read": 9, "encoded": 9, "dropped": {}, "notes": {}}}, "the commit records add up to"),
        ({"counts": {"read": 9, "encoded": 1, "dropped": {}, "notes": {}}}, "a step loses or invents events"),
        ({"shard": 1}, "shard is 1; manifest.json says 0"),
        ({"samples": []}, "0 samples; the sample table has 2"),
        ({"files": {}}, "files is {}"),
        ({"samples": None}, "entry missing or of another type"),
    ],
)
def test_a_commit_record_that_is_sealed_and_untrue_is_found(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    store = whole("dense", tmp_path / "store")
    resealed(store / "commits/00000.json", "record_sha256", change)
    assert words in " ".join(verify(store, deep=True).problems)


@pytest.mark.parametrize("entry", ["key", "target", "n_events", "start_us", "stop", "targets"])
def test_a_commit_record_of_other_samples_than_the_table_is_found(entry: str, tmp_path: Path) -> None:
    store = whole("targets", tmp_path / "store")
    path = store / "commits/00001.json"
    (sample,) = json.loads(path.read_bytes())["samples"]
    other = {"key": "other", "targets": {"place": [7, 8]}}.get(entry, 77)
    resealed(path, "record_sha256", {"samples": [sample | {entry: other}]})
    assert f"{entry} differ from the sample table" in " ".join(verify(store, deep=True).problems)


@pytest.mark.parametrize("kind", STORES)
def test_files_in_the_place_of_others_are_found(kind: str, tmp_path: Path) -> None:
    """Each a true file, of the size that is expected or not: of another shard, or of another store."""
    store, other = whole(kind, tmp_path / "store"), tmp_path / "other"
    shutil.copytree(store, other)
    reader = StoreReader(store)
    for one, two in zip(*(reader.head.layout.shard_paths(shard) for shard in (0, 1)), strict=True):
        if (other / one).read_bytes() == (other / two).read_bytes():
            continue  # such as time indexes of short samples
        shutil.copy(other / one, store / two)
        shutil.copy(other / two, store / one)
        problems = verify(store, deep=True).problems
        assert all(any(name in problem for problem in problems) for name in (one, two))
        shutil.copy(other / one, store / one)
        shutil.copy(other / two, store / two)
    assert verify(store, deep=True).ok
    manifest = json.loads((store / "manifest.json").read_bytes())
    resealed(other / "manifest.json", "sha256", {"source_id": "ab" * 32})
    shutil.copy(other / "manifest.json", store / "manifest.json")
    assert "says of the store other than" in " ".join(verify(store).problems)
    assert manifest["source_id"] != "ab" * 32


def test_a_copied_store_verifies_wherever_it_lies(tmp_path: Path) -> None:
    store = shutil.copytree(whole("events", tmp_path / "store"), tmp_path / "elsewhere" / "copy")
    assert verify(store, deep=True).ok
