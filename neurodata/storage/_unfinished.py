"""A file that one process writes and others wait for: held by a lock that a killed writer gives back."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from neurodata.storage._files import temporary_beside

if sys.platform != "win32":
    import fcntl

# Nobody writes nothing for so long: where locks do not tell, such a file is left over.
_LONGEST_SILENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A file being written by this process under a temporary name: of full size from the beginning, and held."""

    path: Path
    file: BinaryIO
    size_bytes: int

    @classmethod
    def begin(cls, place: Path, size_bytes: int) -> Unfinished:
        """For `place`, with its room taken on the disk; OSError when there is none."""
        path = temporary_beside(place)
        unfinished = cls(path, path.open("x+b", buffering=0), size_bytes)
        try:
            if sys.platform != "win32":
                fcntl.flock(unfinished.file.fileno(), fcntl.LOCK_EX)
            unfinished._allocate()
        except BaseException:
            unfinished.discard()
            raise
        return unfinished

    def write(self, part: memoryview) -> None:
        """Add bytes."""
        while part:
            part = part[self.file.write(part) :]

    def finish(self, place: Path) -> None:
        """Give the file its name, once it is safely on disk."""
        os.fsync(self.file.fileno())
        if sys.platform == "win32":
            self.file.close()
        self.path.replace(place)

    def discard(self) -> None:
        """Close the file, and delete it unless it was finished."""
        self.file.close()
        with suppress(OSError):
            self.path.unlink()

    def _allocate(self) -> None:
        """Take the room now, where the file system can: a full disk shows before anything is written."""
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self.file.fileno(), 0, self.size_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
        self.file.truncate(self.size_bytes)


def is_held(unfinished: Path) -> bool:
    """Whether a living process writes it; where files cannot be locked, whether one wrote within the hour."""
    if silent_s(unfinished) > _LONGEST_SILENCE_S:
        return False
    if sys.platform == "win32":
        return unfinished.exists()
    try:
        with unfinished.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def silent_s(unfinished: Path) -> float:
    """Seconds since something was written to it; 0 when it is gone."""
    try:
        return time.time() - unfinished.stat().st_mtime
    except FileNotFoundError:
        return 0.0
