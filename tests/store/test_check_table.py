"""Stores whose checksums are right and whose numbers are not: refused when they are opened, before any allocation."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest

from neurodata.errors import StoreError
from neurodata.store import EventsLayout, StoreReader, verify
from neurodata.store._manifest import manifest_bytes
from tests.store.test_ragged import SENSOR, clips_of, recordings_of, sparse_layout
from tests.store.test_ragged import build as build_ragged
from tests.store.test_targets import build, layout_of, samples_of

Edit = Callable[[dict[str, Any]], None]


def store_of(kind: str, folder: Path) -> Path:
    """Shards of three samples (dense), or of four."""
    if kind == "dense":
        return build(folder / "store", layout_of(), samples_of(8))
    if kind == "sparse":
        return build_ragged(
            folder / "store", sparse_layout(samples_per_shard=4), clips_of([1 + k % 5 for k in range(12)])
        )
    recordings = recordings_of([1 + k for k in range(12)])
    return build_ragged(folder / "store", EventsLayout(SENSOR, samples_per_shard=4), recordings)


def with_seals(folder: Path, edit: Edit = lambda manifest: None) -> Path:
    """The store with a manifest that is true of its files, as a writer with a bug or a grudge leaves it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        entry.update(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    del manifest["sha256"]
    edit(manifest)
    (folder / "manifest.json").write_bytes(manifest_bytes(manifest))
    return folder


def write_chunk(path: Path, content: bytes) -> None:
    path.write_bytes(content + struct.pack("<I", google_crc32c.value(content)))


def refused(folder: Path, match: str) -> None:
    with pytest.raises(StoreError, match=match) as caught:
        StoreReader(folder)
    assert str(folder) in str(caught.value)
    assert any(str(caught.value) == problem for problem in verify(folder, deep=True).problems)


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        *((kind, column, value) for kind in ("dense", "sparse", "events") for column in ("start", "stop", "shard")
          for value in (-5, 2**40, 2**62) if (kind, column, value < 0) != ("events", "stop", False)),
        *(("dense", f"targets/{name}/{end}", value) for name in ("place", "hand") for end in ("start", "stop")
          for value in (-5, 2**40, 2**62)),
        *(("sparse", "n_steps", value) for value in (-1, 2**40, 2**62)),
        ("dense", "n_steps", 3),
        ("events", "n_steps", 1),
        ("dense", "target", -1),
        ("dense", "target", 99),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_true_is_refused(tmp_path: Path, kind: str, column: str, value: int) -> None:
    store = store_of(kind, tmp_path)
    chunk = store / "data.zarr" / "samples" / column / "c" / "0"
    numbers = np.frombuffer(chunk.read_bytes()[:-4], "<i8").copy()
    numbers[1] = value
    write_chunk(chunk, numbers.tobytes())
    # A start may be beyond its own stop, or a stop beyond the next start: whichever is found first.
    refused(with_seals(store), f"{column.rpartition('/')[0]}.* of sample [12] is ")


@pytest.mark.parametrize("value", [2**40, 2**62])
def test_events_beyond_their_file_are_damage_before_memory_is_taken(tmp_path: Path, value: int) -> None:
    """Samples of events may share some, so that a stop beyond the next start says nothing."""
    store = store_of("events", tmp_path)
    chunk = store / "data.zarr" / "samples" / "stop" / "c" / "0"
    numbers = np.frombuffer(chunk.read_bytes()[:-4], "<i8").copy()
    numbers[1] = value
    write_chunk(chunk, numbers.tobytes())
    reader = StoreReader(with_seals(store))
    for read in (reader.read_events, reader.time_index):
        with pytest.raises(StoreError, match="too few for an index"):
            read(1)


@pytest.mark.parametrize("kind", ["dense", "sparse", "events"])
def test_a_last_sample_beyond_its_file_is_damage_before_memory_is_taken(tmp_path: Path, kind: str) -> None:
    store = store_of(kind, tmp_path)
    column = "targets/place/stop" if kind == "dense" else "stop"
    chunk = store / "data.zarr" / "samples" / column / "c" / "0"
    numbers = np.frombuffer(chunk.read_bytes()[:-4], "<i8").copy()
    numbers[-1] = 2**50
    write_chunk(chunk, numbers.tobytes())
    reader = StoreReader(with_seals(store))
    reads = {"dense": lambda: reader.read_target(7, "place"), "sparse": lambda: reader.read(11)}
    read = reads.get(kind, lambda: reader.read_events(11))
    with pytest.raises(StoreError, match="too few for an index"):
        read()
    assert any("too few for an index" in problem for problem in verify(store, deep=True).problems)


@pytest.mark.parametrize("bytes_of_two", [b"\xff\0", b"\xc3\0", b"\x9fz"])
def test_keys_that_are_no_text_are_refused(tmp_path: Path, bytes_of_two: bytes) -> None:
    store = store_of("dense", tmp_path)
    chunk = store / "data.zarr" / "samples" / "key" / "c" / "0" / "0"
    content = bytearray(chunk.read_bytes()[:-4])
    content[2:4] = bytes_of_two  # keys are s0, s1 …
    write_chunk(chunk, bytes(content))
    refused(with_seals(store), "key of sample 1 is no UTF-8")


def test_a_character_that_two_keys_share_is_no_text(tmp_path: Path) -> None:
    store = store_of("dense", tmp_path)
    chunk = store / "data.zarr" / "samples" / "key" / "c" / "0" / "0"
    content = bytearray(chunk.read_bytes()[:-4])
    content[3:5] = "é".encode()
    write_chunk(chunk, bytes(content))
    refused(with_seals(store), "key of sample 2 is no UTF-8")


def test_schemes_have_samples_of_the_store(tmp_path: Path) -> None:
    store = store_of("dense", tmp_path)
    chunk = next((store / "data.zarr" / "schemes").glob("*/train/c/0"))
    numbers = np.frombuffer(chunk.read_bytes()[:-4], "<i8").copy()
    for wrong in (-1, 8):
        numbers[-1] = wrong
        write_chunk(chunk, numbers.tobytes())
        refused(with_seals(store), "has samples in train that are not among its 8")


def set_entry(*names: Any, value: Any) -> Edit:
    def edit(manifest: dict[str, Any]) -> None:
        for name in names[:-1]:
            manifest = manifest[name]
        manifest[names[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (set_entry("n_shards", value=2**60), "n_shards is"),
        (set_entry("layout", "samples_per_shard", value=2.5), "samples_per_shard|integer"),
        (set_entry("layout", "samples_per_shard", value=2**62), "n_shards is 3, for 8 samples"),
        (set_entry("layout", "shape", value=[2**16, 2**16, 3, 4]), "at most 4294967296 bytes"),
        (set_entry("layout", "shape", value=[2.5, 2, 3, 4]), "integer"),
        (set_entry("layout", "targets", 0, "shape", value=[2.5]), "integer"),
        (set_entry("layout", "targets", 0, "dtype", value="object"), "target pose: its type is object"),
        (set_entry("layout", "targets", 0, "name", value="../../pose"), "target '../../pose'"),
        (set_entry("form", value={"kind": "smell"}), "form of kind 'smell'"),
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused_by_its_name(tmp_path: Path, edit: Edit, match: str) -> None:
    refused(with_seals(store_of("dense", tmp_path), edit), match)
