"""The published files of a dataset: where they are, and downloading those that are missing.

They are looked for in the folder `downloads/<dataset>` of every root: first of the folders, then behind URLs. What
readers need are local files, so they always end up in a folder; a cache root behind a URL gets a copy of each that was
verified. The archives are kept there, not what is in them: they are few, and have published checksums.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurodata.datasets._contract import Dataset, Source
from neurodata.errors import SourceNotFoundError, StorageError, StorageWarning
from neurodata.progress import Progress, silent
from neurodata.storage import (
    RemotePath,
    cache_root,
    canonical_json,
    download,
    is_file,
    is_folder,
    local_root,
    search_folders,
    search_roots,
    send_file,
    size_if_there,
)

Cache = str | Path | RemotePath | None


def fetch(dataset: Dataset, cache: Cache = None, *, progress: Progress = silent) -> tuple[Path, ...]:
    """The dataset's published files on this machine, copied or downloaded where missing, each verified.

    Where the cache root is a URL, what came from the publisher, or lies in the local root only, is put there as well.

    Parameters
    ----------
    cache
        The root, as `cache_root` takes it.

    Raises
    ------
    SourceNotFoundError
        When a file cannot be fetched by a script, or has no published checksum; says what to do by hand.
    DownloadError, ChecksumError, StorageError
        When a download fails, a file does not have the published checksum, or the cache root cannot be written to.
    """
    require_checksums(dataset)
    folder = archive_folder(dataset, cache)
    copies = _copies(dataset, folder, cache)
    by_hand = [
        source
        for source in dataset.sources
        if not source.urls and not copies[source.filename] and not is_file(folder / source.filename)
    ]
    if by_hand:
        steps = "\n".join(f"  {source.manual}\n  and put it at {folder / source.filename}" for source in by_hand)
        raise SourceNotFoundError(
            f"{dataset.name}: cannot be downloaded by a script. By hand:\n{steps}\n"
            "then run the same command again; files that you have already: --source DIR; "
            "generated look-alike data to try things on: --twin"
        )
    kept = _kept_at(dataset, cache) if folder == _own_folder(dataset, cache) else None
    for source in dataset.sources:
        found, path = copies[source.filename], folder / source.filename
        addresses: list[str | RemotePath] = [*found, *source.urls]
        came_from = download(addresses, path, checksum=source.checksum, size_bytes=source.size_bytes, progress=progress)
        if kept is not None:
            _keep(path, kept / source.filename, found, came_from, progress)
    return tuple(folder / source.filename for source in dataset.sources)


def availability(dataset: Dataset, cache: Cache = None) -> str:
    """Where the published files are or would come from, in a few words; looks only."""
    if (unpacked := unpacked_folder(dataset, cache)) is not None:
        return f"unpacked at {unpacked}"
    if without := _without_checksum(dataset):
        return f"to get by hand, unpack and name with --source DIR (no published checksum of {', '.join(without)})"
    folder = archive_folder(dataset, cache)
    copies = _copies(dataset, folder, cache)
    states = [
        f"{source.filename} {_state(folder / source.filename, source, copies[source.filename])}"
        for source in dataset.sources
    ]
    return f"{', '.join(states)} (in {folder})"


def archive_folder(dataset: Dataset, cache: Cache) -> Path:
    """The first folder among the roots that holds all archives, else the own one, where they will be put."""
    for root in search_folders(cache):
        folder = root / "downloads" / dataset.name
        if all(is_file(folder / source.filename) for source in dataset.sources):
            return folder
    return _own_folder(dataset, cache)


def unpacked_folder(dataset: Dataset, cache: Cache) -> Path | None:
    """The folder of the published files, unpacked, below the first root that has it."""
    unpacked = (unpacked_in(root / "downloads" / dataset.name, dataset.sources) for root in search_folders(cache))
    return next(filter(is_folder, unpacked), None)


def unpacked_in(folder: Path, sources: Sequence[Source]) -> Path:
    """Where archives are unpacked, in the folder that holds them."""
    return folder / f"unpacked-{sources_id(sources)[:12]}"


def sources_id(sources: Sequence[Source]) -> str:
    """Hash of names and checksums: the identity of published archives, known without having them."""
    return hashlib.sha256(canonical_json(sorted((source.filename, source.checksum) for source in sources))).hexdigest()


def require_checksums(dataset: Dataset) -> None:
    """Files that cannot be verified are not fetched nor unpacked: a folder that a person names is hashed instead."""
    if without := _without_checksum(dataset):
        steps = "\n".join(f"  {source.manual or 'download ' + source.urls[0]}" for source in dataset.sources)
        raise SourceNotFoundError(
            f"{dataset.name}: nobody published a checksum of {', '.join(without)}, so no script takes it. By hand:\n"
            f"{steps}\nthen unpack all of it into one folder and name that: --source DIR; generated look-alike data to "
            "try things on: --twin"
        )


def _kept_at(dataset: Dataset, cache: Cache) -> RemotePath | None:
    """The folder behind a URL that keeps the published files; None where the cache root is a folder itself."""
    root = cache_root(cache)
    return root / "downloads" / dataset.name if isinstance(root, RemotePath) else None


def _own_folder(dataset: Dataset, cache: Cache) -> Path:
    return local_root(cache) / "downloads" / dataset.name


def _without_checksum(dataset: Dataset) -> list[str]:
    return [source.filename for source in dataset.sources if not source.checksum]


def _state(path: Path, source: Source, copies: Mapping[RemotePath, int]) -> str:
    if is_file(path):
        return "is there"
    if copies:
        return f"to copy from {next(iter(copies)).parent}"
    return "to download" if source.urls else "to get by hand"


def _copies(dataset: Dataset, folder: Path, cache: Cache) -> dict[str, dict[RemotePath, int]]:
    """By file, copies of it behind the URLs of roots, the cache root's first, with their sizes.

    Nobody is asked about a file that is on this machine, unless a copy may have to be put behind a URL. The cache root
    has to answer; another one that does not is told of and passed over.
    """
    kept = _kept_at(dataset, cache)
    names = [source.filename for source in dataset.sources]
    wanted = [name for name in names if kept is not None or not is_file(folder / name)]
    copies: dict[str, dict[RemotePath, int]] = {name: {} for name in names}
    for root in search_roots(cache):
        if isinstance(root, RemotePath):
            place = root / "downloads" / dataset.name
            try:
                found = {name: size_if_there(place / name) for name in wanted}
            except StorageError as error:
                if place == kept:
                    raise
                warnings.warn(f"{error}; this root of NEURODATA_PATH is passed over", StorageWarning, stacklevel=3)
                continue
            for name, size_bytes in found.items():
                if size_bytes is not None:
                    copies[name][place / name] = size_bytes
    return copies


def _keep(
    path: Path,
    place: RemotePath,
    copies: Mapping[RemotePath, int],
    came_from: str | RemotePath | None,
    progress: Progress,
) -> None:
    """Put a verified file under the URL of the cache root, unless that or another root has it.

    Parameters
    ----------
    copies
        Those that were there before, with their sizes.
    came_from
        Which of them was right, the publisher's address, or None for a file that was on this machine.
    """
    size_bytes = path.stat().st_size
    if came_from is None:
        is_kept = size_bytes in copies.values()
    else:
        # One that is there, and was not taken though it comes first, is damaged.
        is_kept = came_from == place or (came_from in copies and place not in copies)
    if is_kept:
        return
    progress(f"put {path.name} to {place.parent}", 0, None, "B")
    try:
        send_file(path, place)
    except StorageError as error:
        raise StorageError(
            f"{path}: is downloaded and verified, but cannot be kept behind the URL of the cache: {error}\n"
            "name a bucket that is only read from in NEURODATA_PATH, and a cache that you can write to with --cache"
        ) from error
