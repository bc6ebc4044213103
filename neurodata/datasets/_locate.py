"""Where the files of a dataset are: published archives (fetched, verified, unpacked), a folder, or a twin."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from neurodata.datasets._contract import Dataset, SampleRef, Source
from neurodata.datasets._fetch import (
    Cache,
    archive_folder,
    fetch,
    require_checksums,
    sources_id,
    unpacked_folder,
    unpacked_in,
)
from neurodata.errors import ArchiveError, SourceNotFoundError, StorageError
from neurodata.progress import Progress, silent
from neurodata.storage import (
    Lease,
    canonical_json,
    exclusive,
    file_digest,
    is_file,
    is_folder,
    local_root,
    read_json,
    unpack,
    verify_checksum,
    write_json,
)

SourceKind = Literal["published", "folder", "twin"]
# Written last: a twin is complete when it and every archive are there.
TWIN_RECORD = "checksums.json"
# Files of a source; more do not make a disk faster.
MOST_HASHED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Twin:
    """A request for generated look-alike data: how many samples, drawn from which seed."""

    size: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Located:
    """The files of a dataset on this machine.

    Parameters
    ----------
    root
        Folder that `Dataset.samples` reads.
    kind
        "published" (verified against the published checksums), "folder" (`--source`) or "twin".
    source_id
        Hash that names the bytes: of (file name, checksum) for archives, of (path, size, sha256) of the
        files used for a folder. None for a folder whose files have not been hashed yet.
    """

    root: Path
    kind: SourceKind
    source_id: str | None


@dataclass(frozen=True, slots=True)
class FileHash:
    """What a file is: its size and the sha256 of its bytes."""

    size_bytes: int
    sha256: str


Hashing: TypeAlias = Callable[[Sequence[Path], Progress], Sequence[FileHash]]


def locate(
    dataset: Dataset,
    cache: Cache = None,
    *,
    source: Path | None = None,
    twin: Twin | None = None,
    progress: Progress = silent,
) -> Located:
    """Find the dataset's files; fetch or generate, verify and unpack them first where needed.

    Parameters
    ----------
    cache
        The root, as `cache_root` takes it; where it is a URL, the files are in `local_root`.
    source
        A folder that holds them, unpacked or as published.
    twin
        To generate look-alike data instead.

    Raises
    ------
    SourceNotFoundError
        When they are not there and cannot be fetched; the message says what to put where.
    DownloadError, ChecksumError, ArchiveError, StorageError
        When fetching, verifying or unpacking fails.
    """
    local = local_root(cache)
    if twin is not None:
        return _locate_twin(dataset, local, twin, progress)
    if source is not None:
        return _locate_in_folder(dataset, local, source, progress)
    if (unpacked := unpacked_folder(dataset, cache)) is not None:
        return Located(dataset.find_root(unpacked), "published", sources_id(dataset.sources))
    fetch(dataset, cache, progress=progress)
    return _unpack_sources(dataset, dataset.sources, archive_folder(dataset, cache), local, "published", progress)


def folder_id(
    dataset: Dataset,
    root: Path,
    samples: Sequence[SampleRef],
    progress: Progress = silent,
    hashing: Hashing | None = None,
) -> str:
    """Hash of (path, size, sha256) of every file below root that the samples come from, and of the source's facts.

    Parameters
    ----------
    hashing
        What tells size and sha256 of each file; `hash_files` if not given.
    """
    paths = sorted(set(dataset.source_files(root, samples)))
    for path in paths:
        if not is_file(path):
            raise SourceNotFoundError(f"{path} is missing, though the files of {dataset.name} name it")
    hashes = (hashing or hash_files)(paths, progress)
    entries = [
        (path.relative_to(root).as_posix(), file.size_bytes, file.sha256)
        for path, file in zip(paths, hashes, strict=True)
    ]
    facts = dataset.source_facts(root, samples)
    return hashlib.sha256(canonical_json(entries if facts is None else [entries, facts])).hexdigest()


def hash_files(paths: Sequence[Path], progress: Progress = silent) -> list[FileHash]:
    """Size and sha256 of each file, several at a time; StorageError when one cannot be read."""
    hashes = []
    # Hashing runs without the GIL.
    with ThreadPoolExecutor(min(MOST_HASHED_AT_ONCE, os.cpu_count() or 1), "neurodata-hash") as executor:
        for done, (path, digest) in enumerate(zip(paths, executor.map(file_digest, paths), strict=True)):
            progress("hash source files", done, len(paths), "files")
            hashes.append(FileHash(path.stat().st_size, digest))
    return hashes


def _locate_in_folder(dataset: Dataset, cache: Path, source: Path, progress: Progress) -> Located:
    if not is_folder(source):
        raise SourceNotFoundError(f"--source {source}: no such folder, or no permission to enter it")
    try:
        return Located(dataset.find_root(source), "folder", None)
    except SourceNotFoundError:
        if not all(is_file(source / archive.filename) for archive in dataset.sources):
            raise
    require_checksums(dataset)
    for archive in dataset.sources:
        verify_checksum(source / archive.filename, archive.checksum, progress)
    return _unpack_sources(dataset, dataset.sources, source, cache, "published", progress)


def _locate_twin(dataset: Dataset, cache: Path, twin: Twin, progress: Progress) -> Located:
    name = f"{dataset.name}-twin-v{dataset.twin_version}-n{twin.size}-s{twin.seed}"
    folder = cache / "downloads" / name
    sources = _twin_sources(dataset, folder)
    if sources is None:
        with _turn(folder, f"generating {name}", progress):
            sources = _twin_sources(dataset, folder) or _generate_twin(dataset, folder, twin, progress)
    if not is_folder(unpacked_in(folder, sources)):
        for source in sources:
            verify_checksum(folder / source.filename, source.checksum, progress)
    return _unpack_sources(dataset, sources, folder, cache, "twin", progress)


def _twin_sources(dataset: Dataset, folder: Path) -> tuple[Source, ...] | None:
    """The archives of a twin with their own checksums; None where it is not there or not complete."""
    record = folder / TWIN_RECORD
    if not all(is_file(path) for path in (record, *(folder / source.filename for source in dataset.sources))):
        return None
    checksums = read_json(record)
    try:
        return tuple(replace(source, checksum=str(checksums[source.filename])) for source in dataset.sources)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{record}: does not hold a checksum for each archive of the twin; delete it and run the command again"
        ) from error


def _generate_twin(dataset: Dataset, folder: Path, twin: Twin, progress: Progress) -> tuple[Source, ...]:
    progress(f"generate twin of {dataset.name}", 0, None, "samples")
    archives = dataset.write_twin(folder, twin.seed, twin.size)
    checksums = {path.name: f"sha256:{file_digest(path)}" for path in archives}
    write_json(folder / TWIN_RECORD, checksums)
    return tuple(replace(source, checksum=checksums[source.filename]) for source in dataset.sources)


def _unpack_sources(
    dataset: Dataset, sources: Sequence[Source], archives: Path, cache: Path, kind: SourceKind, progress: Progress
) -> Located:
    """Unpack verified archives into one folder, which appears when all of them are complete."""
    # Twins have folders of their own; everything else is unpacked below the own cache, never into --source.
    home = archives if kind == "twin" else cache / "downloads" / dataset.name
    target = unpacked_in(home, sources)
    # Looking comes first: what is unpacked can be used where nothing can be locked, in a cache that is read-only.
    if not is_folder(target):
        with _turn(home, f"unpacking {dataset.name}", progress):
            if not is_folder(target):
                _unpack_all(sources, archives, target, progress)
    return Located(dataset.find_root(target), kind, sources_id(sources))


def _turn(folder: Path, what: str, progress: Progress) -> AbstractContextManager[Lease]:
    """One run at a time works on a folder; the others say what they wait for."""
    return exclusive(
        folder.with_name(f".{folder.name}.lock"), what, lambda message: progress(message, 0, None, "files")
    )


def _unpack_all(sources: Sequence[Source], archives: Path, target: Path, progress: Progress) -> None:
    staging = target.with_name(".unpacking")
    shutil.rmtree(staging, ignore_errors=True)
    _make_folder(staging / "all")
    for source in sources:
        part = staging / source.filename.split(".")[0]
        if source.is_archive:
            unpack(archives / source.filename, part, progress)
        else:
            _make_folder(part)
            _place(archives / source.filename, part / source.filename)
        _merge(part, staging / "all", source.filename)
    (staging / "all").replace(target)
    shutil.rmtree(staging, ignore_errors=True)


def _place(file: Path, place: Path) -> None:
    """The file under another name: without a copy, where the file system can."""
    try:
        place.hardlink_to(file)
    except OSError:
        try:
            shutil.copyfile(file, place)
        except OSError as error:
            raise StorageError(f"{place}: cannot be written: {error.strerror}; free some room") from error


def _merge(part: Path, target: Path, archive: str, below: str = "") -> None:
    """Move what an archive held to where the others' is: folders of one name become one, files of one name may not."""
    for entry in sorted(part.iterdir()):
        there, name = target / entry.name, f"{below}{entry.name}"
        if is_folder(entry) and is_folder(there):
            _merge(entry, there, archive, f"{name}/")
        elif there.exists():
            raise ArchiveError(f"{archive}: holds {name}, as another archive of the dataset does")
        else:
            entry.replace(there)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made: {error.strerror}; choose a cache that you can write to with --cache "
            "or NEURODATA_CACHE"
        ) from error
