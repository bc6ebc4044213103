"""What stands in an archive, member by member, in one form for zip, tar and tar.gz."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, BinaryIO, Literal
from zipfile import BadZipFile, ZipFile, ZipInfo

_BLOCK_BYTES = 512
_LONGEST_END_RECORD_BYTES = 22 + 0xFFFF  # with the comment
# Extended headers hold names; tarfile would read one of any declared size into memory.
_LONGEST_EXTENDED_HEADER_BYTES = 1 << 20
_EXTENDED = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)
_TAR_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
}

ArchiveKind = Literal["zip", "tar", "tar.gz"]


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive, as the archive declares it.

    Parameters
    ----------
    name
        Path below the target; not checked.
    kind
        "file", "folder", or what else it is, in words.
    size_bytes
        Declared size of a file, unpacked.
    open
        Gives the unpacked bytes; of tar archives, before the next member is asked for.
    """

    name: str
    kind: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def archive_kind(head: bytes) -> ArchiveKind | None:
    """What an archive is, from its first 512 bytes; None when it is no archive that can be unpacked."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "tar.gz"
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    return "tar"


def zip_members(raw: BinaryIO) -> list[Member]:
    """Members in the order of the central directory."""
    archive = ZipFile(raw)
    entries = archive.infolist()
    _check_count(raw, len(entries))
    return [
        Member(entry.filename, _zip_kind(entry), entry.file_size, partial(archive.open, entry)) for entry in entries
    ]


def tar_members(raw: BinaryIO, *, gzipped: bool) -> Iterator[Member]:
    """Members in the order of the archive, which is read from front to back once."""
    stream = gzip.GzipFile(fileobj=raw) if gzipped else raw
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictHeader) as archive:
        for entry in archive:
            kind = "file" if entry.isreg() else "folder" if entry.isdir() else None
            kind = kind or _TAR_KINDS.get(entry.type, f"an entry of type {entry.type!r}")
            yield Member(entry.name, kind, entry.size, partial(_extract, archive, entry))
    # The checksum of a gzip stream stands behind the last member.
    while stream.read(1 << 20):
        pass


def _check_count(raw: BinaryIO, n_found: int) -> None:
    """Compare with the end record: zipfile does not notice when damage hides some of the members."""
    size_bytes = raw.seek(0, io.SEEK_END)
    raw.seek(max(0, size_bytes - _LONGEST_END_RECORD_BYTES))
    tail = raw.read()
    (n_declared,) = struct.unpack_from("<H", tail, tail.rfind(b"PK\x05\x06") + 10)
    # 65535 says that the number stands elsewhere (ZIP64).
    if n_declared not in (0xFFFF, n_found & 0xFFFF):
        raise BadZipFile(f"{n_found} members are listed, but the end record says {n_declared}")


def _zip_kind(entry: ZipInfo) -> str:
    if entry.flag_bits & 1:
        return "an encrypted file"
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a symbolic link" if mode == stat.S_IFLNK else "a special file"
    return "folder" if entry.is_dir() else "file"


def _extract(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    source = archive.extractfile(entry)
    if source is None:
        raise tarfile.ReadError("has no content")
    return source


class _StrictHeader(tarfile.TarInfo):
    """A header that must be sound: tarfile takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictHeader:
        if len(buf) < _BLOCK_BYTES:
            raise tarfile.ReadError("the archive ends without its end mark")
        end_mark = buf.count(0) == _BLOCK_BYTES
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if end_mark:
                raise
            raise tarfile.ReadError(f"damaged header: {error}") from error
        if header.type in _EXTENDED and header.size > _LONGEST_EXTENDED_HEADER_BYTES:
            raise tarfile.ReadError(f"an extended header of {header.size:,} bytes")
        return header
