"""From committed shards to a finished store: sample table, schemes, Zarr metadata, and the manifest last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS
from neurodata.errors import StoreError
from neurodata.recipe import STORE_VERSION
from neurodata.storage import Location, delete, each, read_if_there, size_if_there, write_to
from neurodata.store._commit import commit_bytes, parse_commit
from neurodata.store._files import remove_others
from neurodata.store._layout import MANIFEST, Layout, check_scheme_name, commit_path
from neurodata.store._manifest import manifest_bytes
from neurodata.store._records import Counts, Json, SchemeIndex, StoreHead
from neurodata.store._table import NUMBER_COLUMNS, TEXT_COLUMNS, SampleTable, Span, text_to_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What makes a store of committed shards a finished one.

    Parameters
    ----------
    small
        Path inside the store to content, of every file of data.zarr but the shards.
    files
        Path inside the store to size and sha256, of every file but the manifest.
    manifest
        The manifest as a file.
    """

    small: Mapping[str, bytes]
    files: Json
    manifest: bytes


def finalise(folder: Location, head: StoreHead, n_shards: int, schemes: Mapping[str, SchemeIndex]) -> None:
    """Finish a store whose shards are all committed.

    May be killed at any moment and run again: the store has no manifest until all else is in place, and the
    bytes depend on the arguments and the shards alone. Files of an earlier plan and left-overs of killed runs
    are removed.

    Parameters
    ----------
    folder
        The store: a folder, or a URL that can be written to.
    head
        What the store is; its layout is the one that the shards were written with.
    n_shards
        Number of shards; all but the last are full.
    schemes
        Name to indices of the samples in the order of the shards.

    Raises
    ------
    StoreError
        When a commit is missing or does not fit, keys are not unique, a target is not one of the classes, events
        are not conserved, or a scheme has indices that do not exist or are in two partitions.
    StorageError
        When a file cannot be written.
    """
    _replace(folder, finished([folder] * n_shards, folder, head, schemes))


def finished(
    shards: Sequence[Location], folder: Location, head: StoreHead, schemes: Mapping[str, SchemeIndex]
) -> Finished:
    """What `finalise` writes into a store; nothing is written.

    Parameters
    ----------
    shards
        For each shard the folder in which it is: that of the store, or of a part of it that was made elsewhere.
    folder, head, schemes
        As for `finalise`, and it raises the same.
    """
    # zarr-python takes long to import, and reading does without it.
    from neurodata.store._zarr import zarr_files

    n_shards = len(shards)
    read = each(folder, lambda shard: _read_commit(shards[shard], shard), range(n_shards))
    commits = [commit for commit, _ in read]
    for shard, commit in enumerate(commits):
        _check_commit(folder, shard, n_shards, commit, head.layout)
    stated = [
        (shards[shard] / name, entry) for shard, commit in enumerate(commits) for name, entry in commit["files"].items()
    ]
    each(folder, lambda file: _check_size(*file), stated)
    files = {name: entry for commit in commits for name, entry in commit["files"].items()}
    table = _sample_table(commits, head, folder)
    for name, scheme in schemes.items():
        _check_scheme(name, scheme, table)
    if schemes and head.default_scheme not in schemes:
        raise StoreError(f"{folder}: no scheme {head.default_scheme!r}, the default; there is {', '.join(schemes)}")
    total = sum((Counts(**commit["counts"]) for commit in commits), Counts())
    total.check(folder)
    small = zarr_files(head, table, schemes, n_shards)
    files |= {commit_path(shard): entry for shard, (_, entry) in enumerate(read)}
    files |= {path: _entry(content) for path, content in small.items()}
    manifest = manifest_bytes(
        {
            "version": STORE_VERSION,
            **head.to_json(),
            "n_samples": len(table),
            "n_shards": n_shards,
            "counts": total.to_json(),
            "schemes": {name: _scheme_entry(scheme) for name, scheme in schemes.items()},
            "files": files,
        }
    )
    return Finished(small, files, manifest)


def _read_commit(folder: Location, shard: int) -> tuple[Json, Json]:
    """A commit record, and the entry of its file in the manifest."""
    raw = commit_bytes(folder, shard)
    return parse_commit(folder, shard, raw), _entry(raw)


def _check_commit(folder: Location, shard: int, n_shards: int, commit: Json, layout: Layout) -> None:
    path = folder / commit_path(shard)
    if commit["layout"] != layout.to_json():
        raise StoreError(
            f"{path}: written in the layout {commit['layout']}; expected {layout.to_json()}; prepare again"
        )
    n_samples = len(commit["samples"])
    if shard < n_shards - 1 and n_samples != layout.samples_per_shard:
        raise StoreError(f"{path}: {n_samples} samples; every shard but the last has {layout.samples_per_shard}")


def _check_size(place: Location, entry: Json) -> None:
    size_bytes = size_if_there(place)
    if size_bytes is None:
        raise StoreError(f"{place}: missing, though its shard is committed; run `neurodata prepare` again")
    if size_bytes != entry["size_bytes"]:
        raise StoreError(
            f"{place}: {size_bytes} bytes; its commit record says {entry['size_bytes']}; run `neurodata prepare` again"
        )


def _sample_table(commits: list[Json], head: StoreHead, folder: Location) -> SampleTable:
    samples = [sample for commit in commits for sample in commit["samples"]]
    if not samples:
        raise StoreError(f"{folder}: no samples; a store has at least one")
    first_of: dict[str, int] = {}
    for index, sample in enumerate(samples):
        if first_of.setdefault(sample["key"], index) != index:
            raise StoreError(f"{folder}: samples {first_of[sample['key']]} and {index} share the key {sample['key']!r}")
        if head.classes and not 0 <= sample["target"] < len(head.classes):
            raise StoreError(
                f"{folder}: sample {sample['key']!r} has target {sample['target']}, of {len(head.classes)} classes"
            )
    numbers = {name: _column(samples, name) for name in NUMBER_COLUMNS if name != "shard"}
    numbers["shard"] = np.arange(len(samples), dtype=np.int64) // head.layout.samples_per_shard
    texts = {name: text_to_bytes([sample[name] for sample in samples]) for name in TEXT_COLUMNS}
    return SampleTable.from_columns(numbers | texts, _spans(samples, head.layout))


def _spans(samples: list[Json], layout: Layout) -> dict[str, Span]:
    spans = {}
    for target in layout.targets:
        if target.is_ragged:
            places = np.array([sample["targets"][target.name] for sample in samples], np.int64)  # [N, 2]
            spans[target.name] = Span(places[:, 0].copy(), places[:, 1].copy())
    return spans


def _column(samples: list[Json], name: str) -> NDArray[np.int64]:
    return np.array([sample[name] for sample in samples], dtype=np.int64)


def _check_scheme(name: str, scheme: SchemeIndex, table: SampleTable) -> None:
    check_scheme_name(name)
    for partition in PARTITIONS:
        indices = scheme[partition]
        if indices.dtype != np.int64 or indices.ndim != 1:
            raise StoreError(f"scheme {name}: {partition} is {indices.dtype} {indices.shape}; expected int64 [n]")
        if len(indices) and (indices.min() < 0 or indices.max() >= len(table)):
            raise StoreError(f"scheme {name}: {partition} has an index outside 0 to {len(table) - 1}")
        unique, n_times = np.unique(indices, return_counts=True)
        if len(unique) != len(indices):
            raise StoreError(f"scheme {name}: {partition} has the sample {table.keys[unique[n_times > 1][0]]!r} twice")
    for one, other in combinations(PARTITIONS, 2):
        shared = np.intersect1d(scheme[one], scheme[other])
        if len(shared):
            raise StoreError(f"scheme {name}: sample {table.keys[shared[0]]!r} is in both {one} and {other}")


def _scheme_entry(scheme: SchemeIndex) -> Json:
    return {
        "description": scheme.description,
        "sha256": scheme.sha256,
        "counts": {partition: len(scheme[partition]) for partition in PARTITIONS},
    }


def _entry(content: bytes) -> Json:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _replace(folder: Location, made: Finished) -> None:
    """Bring the folder to exactly the files of the manifest; the manifest goes first and comes back last."""
    path = folder / MANIFEST
    if read_if_there(path) != made.manifest:
        delete(path)
    remove_others(folder, made.files)
    each(folder, lambda file: write_to(folder / file[0], file[1]), made.small.items())
    write_to(path, made.manifest)
