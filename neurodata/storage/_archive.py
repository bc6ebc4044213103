"""Unpack zip, tar and tar.gz archives, trusting nothing that stands in them.

A member may be a file or a folder below the target, and nothing else. Owners, modes and times are not taken
over, so no set-uid bit is either. Sources: PEP 706 (what tar archives can do), APPNOTE.TXT 6.3 (zip).
"""

from __future__ import annotations

import lzma
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from neurodata.errors import ArchiveError, NeurodataError, StorageError
from neurodata.progress import Progress, silent
from neurodata.storage._disk import cannot, require_space
from neurodata.storage._files import is_temporary_of, temporary_beside
from neurodata.storage._lease import exclusive
from neurodata.storage._members import Member, archive_kind, tar_members, zip_members

_CHUNK_BYTES = 1 << 20
# Recordings shrink two- to tenfold; what grows more than this, beyond a first GiB, is a decompression bomb.
_LARGEST_RATIO = 200
_UNSUSPICIOUS_BYTES = 1 << 30
_HEADER_BYTES = 512
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
)


def unpack(archive: Path, folder: Path, progress: Progress = silent) -> None:
    """Unpack a .zip, .tar, .tar.gz or .tgz archive, told apart by content, into a folder that appears when complete.

    Until then everything is in a temporary folder beside it, which an error or Ctrl-C removes, and the next
    call after a kill. Two runs that want the same folder take turns, and the second finds it done.

    Parameters
    ----------
    archive
        The file; a member is never held in memory.
    folder
        Must not exist, or be empty.
    progress
        Told how much of the archive has been read, in bytes.

    Raises
    ------
    ArchiveError
        When the archive is damaged, grows beyond reason, or holds a link, a device, two members of one name or one
        that would lie outside the folder; names the member. Nothing is left of it then.
    StorageError
        When the folder exists, the disk is too small, or files cannot be read or written.
    """
    if _occupied(folder):
        raise StorageError(f"{folder}: exists already; delete it to unpack {archive.name} again")
    lock = folder.with_name(f".{folder.name}.unpack.lock")
    with exclusive(lock, f"unpacking {archive.name}", lambda message: progress(message, 0, None, "B")):
        if _occupied(folder):
            return
        _remove_unfinished(folder)
        staging = temporary_beside(folder)
        try:
            staging.mkdir()
            _Unpacking(archive, staging, progress).run()
            staging.replace(folder)
        except BaseException as error:
            shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, OSError) and not isinstance(error, NeurodataError):
                raise cannot(f"unpack {archive.name}", folder, error) from error
            raise


def _occupied(folder: Path) -> bool:
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def _remove_unfinished(folder: Path) -> None:
    for path in folder.parent.glob(".*.tmp"):
        if is_temporary_of(folder, path) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


class _Unpacking:
    """One archive on its way into an empty folder; `place` is where in the archive we are, for messages."""

    def __init__(self, archive: Path, folder: Path, progress: Progress) -> None:
        self.archive = archive
        self.folder = folder
        self.progress = progress
        self.place = "at its beginning"
        self.unpacked_bytes = 0

    def run(self) -> None:
        try:
            with self.archive.open("rb") as raw:
                self.size_bytes = self.archive.stat().st_size
                for member in self._members(raw):
                    self.place = f"member {member.name!r}"
                    self._unpack(member, raw)
                    self.place = f"after member {member.name!r}"
                self._report(self.size_bytes)
        except NeurodataError:
            raise
        except _DAMAGE as error:
            raise self._damaged(str(error) or type(error).__name__) from error
        except OSError as error:
            # bz2 and gzip tell of damage with a bare OSError, the system never does.
            if error.errno is None:
                raise self._damaged(str(error)) from error
            raise

    def _members(self, raw: BinaryIO) -> Iterator[Member]:
        head = raw.read(_HEADER_BYTES)
        raw.seek(0)
        kind = archive_kind(head)
        if kind == "zip":
            members = zip_members(raw)
            require_space(self.folder, sum(member.size_bytes for member in members), self.archive.name)
            return iter(members)
        if kind is None:
            raise self._damaged(f"begins with {head[:8]!r}: expected a zip, tar or tar.gz archive")
        return tar_members(raw, gzipped=kind == "tar.gz")

    def _unpack(self, member: Member, raw: BinaryIO) -> None:
        target = self.folder.joinpath(*self._parts(member))
        self._check_growth(member)
        try:
            if member.kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self._refused("another member has the same name on this file system") from error
        with file:
            self._copy(member, file, raw)

    def _copy(self, member: Member, file: BinaryIO, raw: BinaryIO) -> None:
        missing_bytes = member.size_bytes
        with member.open() as source:
            while chunk := source.read(_CHUNK_BYTES):
                missing_bytes -= len(chunk)
                if missing_bytes < 0:
                    raise self._damaged(f"is longer than its {member.size_bytes:,} bytes")
                file.write(chunk)
                self._report(raw.tell())
        if missing_bytes:
            raise self._damaged(f"ends {missing_bytes:,} bytes before its {member.size_bytes:,} bytes")

    def _parts(self, member: Member) -> list[str]:
        """Where a member goes, below the folder."""
        if member.kind not in ("file", "folder"):
            raise self._refused(f"is {member.kind}")
        name = member.name.replace("\\", "/")  # some Windows tools write these, against the specification
        if name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise self._refused("has an absolute path")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self._refused("would lie outside the folder")
        if not parts and member.kind == "file":
            raise self._refused("has no name")
        return parts

    def _check_growth(self, member: Member) -> None:
        require_space(self.folder, member.size_bytes, f"{self.archive.name}: {self.place}")
        self.unpacked_bytes += member.size_bytes + _HEADER_BYTES
        if self.unpacked_bytes > max(_UNSUSPICIOUS_BYTES, _LARGEST_RATIO * self.size_bytes):
            raise self._refused(
                f"makes it {self.unpacked_bytes:,} bytes, more than {_LARGEST_RATIO} times the "
                f"{self.size_bytes:,} bytes of the archive: a decompression bomb?"
            )

    def _report(self, done_bytes: int) -> None:
        self.progress(f"unpack {self.archive.name}", done_bytes, self.size_bytes, "B")

    def _damaged(self, finding: str) -> ArchiveError:
        return ArchiveError(
            f"{self.archive}: {self.place}: {finding}; the archive is damaged or incomplete: delete it and run the "
            "command again to get a fresh copy"
        )

    def _refused(self, finding: str) -> ArchiveError:
        return ArchiveError(
            f"{self.archive}: {self.place} {finding}; such an archive is not unpacked: take what you need out of it "
            "by hand and name the folder with --source"
        )
