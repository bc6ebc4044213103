"""Where the files of a dataset are: published archives (fetched, verified, unpacked), a folder, or a twin."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from neurodata.datasets._contract import Dataset, SampleRef, Source
from neurodata.errors import ArchiveError, SourceNotFoundError, StorageError
from neurodata.progress import Progress, silent
from neurodata.storage import (
    Lease,
    canonical_json,
    download,
    exclusive,
    file_digest,
    is_file,
    is_folder,
    read_json,
    search_folders,
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


def locate(
    dataset: Dataset,
    cache: Path,
    *,
    source: Path | None = None,
    twin: Twin | None = None,
    progress: Progress = silent,
) -> Located:
    """Find the dataset's files; fetch or generate, verify and unpack them first where needed.

    Raises
    ------
    SourceNotFoundError
        When they are not there and cannot be fetched; the message says what to put where.
    DownloadError, ChecksumError, ArchiveError, StorageError
        When fetching, verifying or unpacking fails.
    """
    if twin is not None:
        return _locate_twin(dataset, cache, twin, progress)
    if source is not None:
        return _locate_in_folder(dataset, cache, source, progress)
    for root in search_folders(cache):
        unpacked = _unpacked(root / "downloads" / dataset.name, dataset.sources)
        if is_folder(unpacked):
            return Located(dataset.find_root(unpacked), "published", sources_id(dataset.sources))
    fetch(dataset, cache, progress=progress)
    return _unpack_sources(dataset, dataset.sources, _archive_folder(dataset, cache), cache, "published", progress)


def fetch(dataset: Dataset, cache: Path, *, progress: Progress = silent) -> tuple[Path, ...]:
    """The dataset's published files, downloaded where missing, each verified.

    Raises
    ------
    SourceNotFoundError
        When a file cannot be fetched by a script, or has no published checksum; says what to do by hand.
    DownloadError, ChecksumError, StorageError
        When a download fails, or a file does not have the published checksum.
    """
    _require_checksums(dataset)
    folder = _archive_folder(dataset, cache)
    by_hand = [source for source in dataset.sources if not source.urls and not is_file(folder / source.filename)]
    if by_hand:
        steps = "\n".join(f"  {source.manual}\n  and put it at {folder / source.filename}" for source in by_hand)
        raise SourceNotFoundError(
            f"{dataset.name}: cannot be downloaded by a script. By hand:\n{steps}\n"
            "then run the same command again; files that you have already: --source DIR; "
            "generated look-alike data to try things on: --twin"
        )
    paths = tuple(folder / source.filename for source in dataset.sources)
    for path, source in zip(paths, dataset.sources, strict=True):
        download(source.urls, path, checksum=source.checksum, size_bytes=source.size_bytes, progress=progress)
    return paths


def availability(dataset: Dataset, cache: Path) -> str:
    """Where the published files are or would come from, in a few words; looks only."""
    for root in search_folders(cache):
        unpacked = _unpacked(root / "downloads" / dataset.name, dataset.sources)
        if is_folder(unpacked):
            return f"unpacked at {unpacked}"
    if without := _without_checksum(dataset):
        return f"to get by hand, unpack and name with --source DIR (no published checksum of {', '.join(without)})"
    folder = _archive_folder(dataset, cache)
    states = []
    for source in dataset.sources:
        here = is_file(folder / source.filename)
        states.append(f"{source.filename} {'is there' if here else 'to download' if source.urls else 'to get by hand'}")
    return f"{', '.join(states)} (in {folder})"


def sources_id(sources: Sequence[Source]) -> str:
    """Hash of names and checksums: the identity of published archives, known without having them."""
    return hashlib.sha256(canonical_json(sorted((source.filename, source.checksum) for source in sources))).hexdigest()


def folder_id(dataset: Dataset, root: Path, samples: Sequence[SampleRef], progress: Progress = silent) -> str:
    """Hash of (path, size, sha256) of every file below root that the samples come from, and of the source's facts."""
    paths = sorted(set(dataset.source_files(root, samples)))
    for path in paths:
        if not is_file(path):
            raise SourceNotFoundError(f"{path} is missing, though the files of {dataset.name} name it")
    entries = []
    # Hashing runs without the GIL.
    with ThreadPoolExecutor(min(MOST_HASHED_AT_ONCE, os.cpu_count() or 1), "neurodata-hash") as executor:
        for done, (path, digest) in enumerate(zip(paths, executor.map(file_digest, paths), strict=True)):
            progress("hash source files", done, len(paths), "files")
            entries.append((path.relative_to(root).as_posix(), path.stat().st_size, digest))
    facts = dataset.source_facts(root, samples)
    return hashlib.sha256(canonical_json(entries if facts is None else [entries, facts])).hexdigest()


def _without_checksum(dataset: Dataset) -> list[str]:
    return [source.filename for source in dataset.sources if not source.checksum]


def _require_checksums(dataset: Dataset) -> None:
    """Files that cannot be verified are not fetched nor unpacked: a folder that a person names is hashed instead."""
    if without := _without_checksum(dataset):
        steps = "\n".join(f"  {source.manual or 'download ' + source.urls[0]}" for source in dataset.sources)
        raise SourceNotFoundError(
            f"{dataset.name}: nobody published a checksum of {', '.join(without)}, so no script takes it. By hand:\n"
            f"{steps}\nthen unpack all of it into one folder and name that: --source DIR; generated look-alike data to "
            "try things on: --twin"
        )


def _archive_folder(dataset: Dataset, cache: Path) -> Path:
    """The first root that holds all archives, else the own one, where they will be put."""
    for root in search_folders(cache):
        folder = root / "downloads" / dataset.name
        if all(is_file(folder / source.filename) for source in dataset.sources):
            return folder
    return cache / "downloads" / dataset.name


def _unpacked(folder: Path, sources: Sequence[Source]) -> Path:
    return folder / f"unpacked-{sources_id(sources)[:12]}"


def _locate_in_folder(dataset: Dataset, cache: Path, source: Path, progress: Progress) -> Located:
    if not is_folder(source):
        raise SourceNotFoundError(f"--source {source}: no such folder, or no permission to enter it")
    try:
        return Located(dataset.find_root(source), "folder", None)
    except SourceNotFoundError:
        if not all(is_file(source / archive.filename) for archive in dataset.sources):
            raise
    _require_checksums(dataset)
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
    if not is_folder(_unpacked(folder, sources)):
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
    target = _unpacked(home, sources)
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
