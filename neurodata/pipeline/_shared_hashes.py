"""Hashes of source files that the jobs of a job array share: the first job makes them, the others look them up.

Each job needs the sha256 of every file of a folder, as they are part of the identity of the store. The first one keeps
them beside the store, until that is finished, together with what the file system says of each file: size, times of
change of content (mtime) and of anything (ctime), number (inode). The others wait for it, and hash only the files of
which any of that is different, or which are too new to be kept.

Why no job can take the hash of one file for the bytes of another, unnoticed:

- Whoever writes into a file, or puts another one in its place, changes its ctime or its number; no program can set
  these. What is asked is the server of a share, not the memory of this machine: a file is opened to look at it, and NFS
  asks anew at every open (unless mounted with `nocto`, where no machine sees what another one wrote).
- A file that is changed twice within one tick of the file system's clock keeps its times. So a hash is kept only where
  the last change was `SETTLED_S` before the file was read, and nothing changed while it was. As that is longer than a
  tick, by as much may the clocks of this machine and the server differ. A time in the future is never settled.
- File systems that make up their times (an image made with all times 0, a mounted archive or bucket) are not trusted
  either: the job that writes the first sample of a recording hashes that file itself, before it does, and the files
  that tell the targets (`check`). All files together are hashed twice, however many jobs there are.
- The hashes go when the store is finished. A run without `--shard`, `load` and repairs never look at them.

What is left: a recording that reaches over several shards, on a file system that makes up its times, replaced by one of
the same size and times while the array runs, after the job of its first sample has begun. (And as always, a file that
is changed between being hashed and being read.) Windows tells no ctime: there, nothing is kept.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from neurodata.datasets import FileHash, hash_files
from neurodata.errors import StorageError, StoreError
from neurodata.pipeline._plan import ShardTask
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe
from neurodata.storage import Location, delete, exclusive, read_if_there, write_to
from neurodata.store import StoreHead, check_seal, parse, seal

# How long ago the last change of a file has to be for its hash to be kept.
SETTLED_S = 60.0
SEAL = "sha256"
_VERSION = 1
# Threads that wait for the answers of a share, and files that each takes at a time.
_LOOKING_AT_ONCE = 16
_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file is written to or replaced."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file as its server has it; StorageError when it cannot be opened."""
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                status = os.fstat(file)
            finally:
                os.close(file)
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror}") from error
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def is_settled(self, now_s: float) -> bool:
        """Whether no change can bear these times any more; never on Windows, which tells no ctime."""
        return sys.platform != "win32" and max(self.mtime_ns, self.ctime_ns) / 1e9 < now_s - SETTLED_S


class SharedHashes:
    """The hashes of source files of one recipe, kept below `stores`.

    Parameters
    ----------
    on_wait
        Told what is waited for, when another job is hashing.
    """

    def __init__(self, recipe: Recipe, stores: Location, on_wait: Callable[[str], None] | None = None) -> None:
        folder = stores / recipe.dataset.name
        self.place = folder / _file_name(recipe.name, recipe.recipe_id)
        self._lock = folder / f".{recipe.name}-{recipe.recipe_id[:12]}.hashes.lock"
        self._on_wait = on_wait
        self._looked_up: dict[Path, FileHash] = {}

    def hash_files(self, paths: Sequence[Path], progress: Progress = silent) -> list[FileHash]:
        """Size and sha256 of each file: looked up where they are known and the file is as it was.

        Raises
        ------
        StorageError
            When a file cannot be read, or the hashes cannot be kept.
        """
        while True:
            raw, now_s = read_if_there(self.place), time.time()
            stamps = dict(zip(paths, _stamps(paths), strict=True))
            known = self._parse(raw)
            hashes = {path: found for path in paths if (found := _find(known, path, stamps[path])) is not None}
            settled = [path for path in paths if path not in hashes and stamps[path].is_settled(now_s)]
            fresh: dict[Path, FileHash] = {}
            if settled:
                with exclusive(self._lock, f"hashing source files for {self.place.parent.name}", self._on_wait):
                    if read_if_there(self.place) != raw:
                        continue  # another job has hashed meanwhile
                    fresh = dict(zip(settled, hash_files(settled, progress), strict=True))
                    self._keep(known, {path: stamps[path] for path in settled}, fresh)
            self._looked_up = hashes
            others = [path for path in paths if path not in hashes and path not in fresh]
            fresh |= zip(others, hash_files(others, progress), strict=True)
            return [hashes.get(path) or fresh[path] for path in paths]

    def check(self, tasks: Sequence[ShardTask], progress: Progress = silent) -> None:
        """Hash the files that these tasks are the first to read, unless this job has.

        Raises
        ------
        StorageError
            When one has other bytes than the hash that was looked up; the hashes are then forgotten.
        """
        files: dict[Path, None] = {}
        for task in tasks:
            refs = [ref for ref in task.refs if ref.recording in task.first_seen]
            files |= dict.fromkeys(task.recipe.dataset.source_files(task.root, refs))
        mine = [path for path in files if path in self._looked_up]
        for path, found in zip(mine, hash_files(mine, progress), strict=True):
            if found != self._looked_up[path]:
                delete(self.place)
                raise StorageError(
                    f"{path}: its sha256 is {found.sha256}, but an earlier job of this array found "
                    f"{self._looked_up[path].sha256}: the file was changed, and its size and times were kept. Those "
                    "hashes are deleted: leave the source files alone, and run all jobs again"
                )

    def _keep(
        self, known: Mapping[str, list[Any]], stamps: Mapping[Path, Stamp], hashes: Mapping[Path, FileHash]
    ) -> None:
        """Keep the hashes of those files that are still as they were before they were read."""
        after = zip(stamps, _stamps(list(stamps)), strict=True)
        new = {_name(path): [*astuple(stamp), hashes[path].sha256] for path, stamp in after if stamp == stamps[path]}
        write_to(self.place, seal({"version": _VERSION, "files": {**known, **new}}, SEAL))

    def _parse(self, raw: bytes | None) -> Mapping[str, list[Any]]:
        """What is kept; nothing where that is damaged, or of another version."""
        try:
            record = parse(raw or b"{}", self.place)
            if raw is not None:
                check_seal(record, SEAL, self.place)
        except StoreError:
            return {}
        files: dict[str, list[Any]] = record["files"] if record.get("version") == _VERSION else {}
        return files


def _find(known: Mapping[str, list[Any]], path: Path, stamp: Stamp) -> FileHash | None:
    *of_old, sha256 = known.get(_name(path), [None])
    return FileHash(stamp.size_bytes, str(sha256)) if of_old == list(astuple(stamp)) else None


def _name(path: Path) -> str:
    return str(path.absolute())


def forget_hashes(store: Location, head: StoreHead) -> None:
    """Delete the hashes that jobs shared to make a store, which is finished."""
    delete(store.parent / _file_name(head.recipe_name, head.recipe_id))


def _file_name(recipe_name: str, recipe_id: str) -> str:
    return f".{recipe_name}-{recipe_id[:12]}.hashes.json"


def _stamps(paths: Sequence[Path]) -> list[Stamp]:
    parts = [paths[first : first + _AT_A_TIME] for first in range(0, len(paths), _AT_A_TIME)]
    with ThreadPoolExecutor(_LOOKING_AT_ONCE, "neurodata-stat") as executor:
        return list(chain.from_iterable(executor.map(lambda part: [Stamp.of(path) for path in part], parts)))
