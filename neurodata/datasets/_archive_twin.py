"""Archives whose bytes follow from their content alone: no clock, user, machine or order of a listing."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

MODE = 0o644
# Events hardly compress: level 6 takes four times as long for a few per cent.
COMPRESSION_LEVEL = 1
FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
UNIX = 3


def pack_tar_gz(tree: Path, archive: BinaryIO) -> None:
    """Pack the files below `tree`, sorted, under their paths relative to it."""
    with gzip.GzipFile("", "wb", COMPRESSION_LEVEL, archive, mtime=0) as stream:
        pack_tar(tree, stream)


def pack_tar(tree: Path, archive: BinaryIO | gzip.GzipFile) -> None:
    """Pack the files below `tree`, sorted, under their paths relative to it; without compression."""
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in _files(tree):
            member = tarfile.TarInfo(name)
            member.size, member.mode = path.stat().st_size, MODE
            with path.open("rb") as content:
                tar.addfile(member, content)


def pack_zip(tree: Path, archive: BinaryIO) -> None:
    """Pack the files below `tree`, sorted, under their paths relative to it."""
    with ZipFile(archive, "w") as zipped:
        for name, path in _files(tree):
            member = ZipInfo(name, FIRST_ZIP_DATE)
            member.create_system, member.external_attr = UNIX, MODE << 16
            zipped.writestr(member, path.read_bytes(), ZIP_DEFLATED, COMPRESSION_LEVEL)


def _files(tree: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(tree).as_posix(), path) for path in tree.rglob("*") if path.is_file())
