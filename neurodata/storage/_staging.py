"""Copies of shard files on a local disk: each fetched once for all processes of a node, the longest unused given up.

There is no index: the folder is the state. A copy is `<sha256>.shard`, so equal files of any store share one; its
modification time tells when it was last used. A copy being written is `.<sha256>.shard.<pid>.<8 hex>.tmp`, of full
size from the beginning, and its writer holds flock on it: where nobody does, the writer was killed. Room is made
under the lock `.lock`, which is held for moments only.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from filelock import FileLock, Timeout

from neurodata.errors import StorageError, StorageWarning
from neurodata.storage._access import LocalFile, RandomAccess, Wanted, open_access
from neurodata.storage._disk import cannot, is_folder
from neurodata.storage._files import is_temporary_of
from neurodata.storage._location import Location
from neurodata.storage._sizes import parse_size
from neurodata.storage._unfinished import Unfinished, is_held, silent_s

_COPY = re.compile(r"[0-9a-f]{64}\.shard")
# Copying: so much is held in memory, asked for in so many pieces at a time.
_WINDOW_BYTES = 16 << 20
_PIECES = 4
# Use is noted this often at most: it costs a call of the system.
_NOTE_S = 10.0
_PAUSE_S = 60.0
_ATTEMPTS = 4
# What is kept free of a disk when no limit is given.
_FREE_PART = 0.1


class ShardCache:
    """A folder of copies of shard files, shared by the processes of one user on a node.

    Whatever goes wrong with it, `open` gives the source itself and says so once a process (StorageWarning): a full
    disk, a file larger than the limit, copies that are all in use, a writer that is stuck.

    Parameters
    ----------
    folder
        An existing folder on a local disk; the copies are in a sub-folder of it that only this user may enter.
    limit_bytes
        Of all copies, those being written included. None: a tenth of the disk stays free.
    idle_s
        A copy that was used less long ago is not deleted, so that a store larger than the limit is kept in
        part rather than copied again and again. One that is deleted while a process reads it stays readable
        there (not on Windows, where it is not deleted).
    stall_s
        When a writer has written nothing for so long, it is not waited for any more.

    Raises
    ------
    StorageError
        When there is no such folder.
    """

    def __init__(
        self, folder: Path, limit_bytes: int | None = None, *, idle_s: float = 60.0, stall_s: float = 60.0
    ) -> None:
        if not is_folder(folder):
            raise StorageError(f"{folder}: no such folder; stage= takes an existing one, on a local disk")
        user = f"-{os.getuid()}" if sys.platform != "win32" else ""
        self.folder = folder.absolute() / f"neurodata-stage{user}"
        self.limit_bytes = limit_bytes
        self._idle_s = idle_s
        self._stall_s = stall_s
        self._said: set[str] = set()
        self._refused: set[str] = set()
        self._paused_until = 0.0

    def open(self, source: Location, size_bytes: int, sha256: str) -> RandomAccess:
        """A file for reading: its copy, made now where there is none, or the file itself.

        Parameters
        ----------
        source
            The file.
        size_bytes, sha256
            What it should be; a copy of anything else is not kept.

        Raises
        ------
        OSError
            When there is no copy, none can be made, and the file itself cannot be opened.
        """
        place = self.folder / f"{sha256}.shard"
        try:
            self._check_folder()
            copy = self._open_copy(place, size_bytes) or self._make_copy(place, source, size_bytes)
        except _CannotStageError as refusal:
            self._say_once(refusal)
            return open_access(source, size_bytes)
        return StagedFile(copy, place, source, size_bytes)

    def _check_folder(self) -> None:
        """Make the folder where it is missing; one that others could have filled is not trusted."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            owner, is_link = self.folder.lstat().st_uid, self.folder.is_symlink()
        except OSError as error:
            self._fail(self.folder, error)
        if is_link or (sys.platform != "win32" and owner != os.getuid()):
            raise _CannotStageError("owner", f"{self.folder}: belongs to somebody else, or is a link")

    def _open_copy(self, place: Path, size_bytes: int) -> LocalFile | None:
        try:
            copy = LocalFile(place)
            if copy.size_bytes != size_bytes:
                copy.close()
                place.unlink()
                return None
            os.utime(place)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._fail(place, error)
        return copy

    def _make_copy(self, place: Path, source: Location, size_bytes: int) -> LocalFile:
        self._check_worth(place, size_bytes)
        for _ in range(_ATTEMPTS):
            unfinished = self._claim(place, size_bytes)
            if isinstance(unfinished, Unfinished):
                self._fill(unfinished, place, source)
            elif unfinished is not None:
                self._wait_for(unfinished)
            copy = self._open_copy(place, size_bytes)
            if copy is not None:
                return copy
        raise _CannotStageError("contended", f"{self.folder}: other processes keep deleting what is copied there")

    def _check_worth(self, place: Path, size_bytes: int) -> None:
        if self.limit_bytes is not None and size_bytes > self.limit_bytes:
            raise _CannotStageError(
                "limit",
                f"{self.folder}: a file of {size_bytes:,} bytes is larger than the limit of {self.limit_bytes:,}",
            )
        if place.name in self._refused or time.monotonic() < self._paused_until:
            raise _CannotStageError("", "")

    # Room

    def _claim(self, place: Path, size_bytes: int) -> Unfinished | Path | None:
        """An empty copy to fill; or another process's, to wait for; or None when the copy has come meanwhile."""
        try:
            with FileLock(self.folder / ".lock").acquire(timeout=self._stall_s):
                unfinished = [path for path in self.folder.glob(".*.tmp") if not self._removed_if_abandoned(path)]
                others = [path for path in unfinished if is_temporary_of(place, path)]
                if place.exists() or others:
                    return others[0] if others else None
                self._make_room(size_bytes, unfinished)
                return self._reserve(place, size_bytes)
        except Timeout:
            raise _CannotStageError("stuck", f"{self.folder}: another process holds its lock") from None
        except NotImplementedError as error:
            raise _CannotStageError("locks", f"{self.folder}: its file system knows no locks: {error}") from error
        except OSError as error:
            self._fail(place, error)

    def _make_room(self, size_bytes: int, unfinished: Sequence[Path]) -> None:
        taken = sum(copy.size_bytes for copy in self._copies()) + sum(map(_size_bytes, unfinished))
        limit = self.limit_bytes
        if limit is None:
            disk = shutil.disk_usage(self.folder)
            limit = taken + disk.free - int(disk.total * _FREE_PART)
        while taken + size_bytes > limit:
            taken -= self._evict("limit", f"{limit:,} bytes may be taken")

    def _reserve(self, place: Path, size_bytes: int) -> Unfinished:
        while True:
            try:
                return Unfinished.begin(place, size_bytes)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                self._evict("disk", "the disk is full")

    def _evict(self, kind: str, why: str) -> int:
        """Delete the copy that was unused for longest; how many bytes it had."""
        copy = min(self._copies(), key=lambda copy: copy.used_s, default=None)
        if copy is None or time.time() - copy.used_s < self._idle_s:
            raise _CannotStageError(kind, f"{self.folder}: {why}, and nothing there is unused")
        copy.path.unlink()
        return copy.size_bytes

    def _copies(self) -> Iterator[_Copy]:
        for path in self.folder.iterdir():
            if _COPY.fullmatch(path.name):
                with suppress(FileNotFoundError):
                    state = path.stat()
                    yield _Copy(path, state.st_size, state.st_mtime)

    # Copying

    def _fill(self, unfinished: Unfinished, place: Path, source: Location) -> None:
        """Copy the source; it appears under `place` when it is whole and right."""
        try:
            found = self._transfer(unfinished, source)
            if found != place.stem:
                self._refused.add(place.name)
                raise _CannotStageError("source", f"{source}: has the sha256 {found}; expected {place.stem}")
            unfinished.finish(place)
        except OSError as error:
            self._fail(place, error)
        finally:
            unfinished.discard()

    def _transfer(self, unfinished: Unfinished, source: Location) -> str:
        """Copy all bytes; their sha256."""
        size_bytes = unfinished.size_bytes
        with _reading(source):
            reader = open_access(source, size_bytes)
        if reader.size_bytes != size_bytes:
            raise _CannotStageError("source", f"{source}: measures {reader.size_bytes} bytes; expected {size_bytes}")
        window = memoryview(bytearray(min(size_bytes, _WINDOW_BYTES)))
        digest = hashlib.sha256()
        for start in range(0, size_bytes, _WINDOW_BYTES):
            part = window[: size_bytes - start]
            with _reading(source):
                reader.read_many(_pieces(start, part))
            digest.update(part)
            unfinished.write(part)
        reader.close()
        return digest.hexdigest()

    # Other processes

    def _wait_for(self, unfinished: Path) -> None:
        pause_s = 0.01
        while is_held(unfinished):
            if silent_s(unfinished) > self._stall_s:
                raise _CannotStageError("stuck", f"{unfinished}: its writer is stuck")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.2)

    def _removed_if_abandoned(self, unfinished: Path) -> bool:
        if is_held(unfinished):
            return False
        unfinished.unlink(missing_ok=True)
        return True

    # Giving up

    def _fail(self, path: Path, error: OSError) -> NoReturn:
        """The disk refuses: it is left alone for a while."""
        self._paused_until = time.monotonic() + _PAUSE_S
        raise _CannotStageError("disk", str(cannot("write", path, error))) from error

    def _say_once(self, refusal: _CannotStageError) -> None:
        if refusal.kind and refusal.kind not in self._said:
            self._said.add(refusal.kind)
            message = f"{refusal}; what is not copied there is read from where the store is (said once)"
            warnings.warn(message, StorageWarning, stacklevel=3)


def stage_folder(stage: str | Path | None, limit: str | int | None) -> ShardCache | None:
    """The cache that `stage=` and `stage_limit=` ask for.

    Raises
    ------
    StorageError
        When there is no such folder, or the limit is no size.
    """
    if stage is None:
        if limit is not None:
            raise StorageError(f"stage_limit={limit!r} without stage=, the folder that it limits")
        return None
    return ShardCache(Path(stage).expanduser(), None if limit is None else parse_size(limit))


class StagedFile:
    """A copy of a file, and the file itself for when the copy fails; `RandomAccess`."""

    def __init__(self, copy: LocalFile, place: Path, source: Location, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._file: RandomAccess = copy
        self._place = place
        self._source = source
        self._noted_s = time.monotonic()

    @property
    def path(self) -> Location:
        """The copy, or the file itself once the copy has failed."""
        return self._file.path

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """From the copy; a copy that cannot be read is given up."""
        self.read_many([(offset, buffers)])

    def read_many(self, wanted: Sequence[Wanted]) -> None:
        """From the copy; a copy that cannot be read is given up."""
        self._note_use()
        file = self._file
        try:
            file.read_many(wanted)
        except (OSError, EOFError):
            if not isinstance(file, LocalFile) or file.path != self._place:
                raise
            self.fall_back()
            self._file.read_many(wanted)

    def fall_back(self) -> bool:
        """Delete the copy, and read the file itself from now on."""
        if self._file.path == self._place:
            self._file = open_access(self._source, self.size_bytes)
            with suppress(OSError):
                self._place.unlink()
        return True

    def close(self) -> None:
        """Close the copy; it stays for the next time."""
        self._file.close()

    def _note_use(self) -> None:
        now_s = time.monotonic()
        if now_s - self._noted_s > _NOTE_S:
            self._noted_s = now_s
            with suppress(OSError):
                os.utime(self._place)


class _CannotStageError(Exception):
    """Why a file is not copied; what `kind` names is said once, "" never."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class _Copy:
    path: Path
    size_bytes: int
    used_s: float


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _pieces(start: int, part: memoryview) -> list[Wanted]:
    step = -(-len(part) // _PIECES)
    return [(start + k, [part[k : k + step]]) for k in range(0, len(part), step)]


@contextmanager
def _reading(source: Location) -> Iterator[None]:
    """What is wrong with the source shows again when it is read directly, at the samples that it is wrong for."""
    try:
        yield
    except FileNotFoundError as error:
        raise _CannotStageError("", "") from error
    except (OSError, EOFError) as error:
        raise _CannotStageError("source", f"{source}: cannot be copied: {error}") from error
