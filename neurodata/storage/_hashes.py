"""Checksums of files: MD5 and SHA-256, as datasets publish them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from neurodata.errors import ChecksumError
from neurodata.progress import Progress, silent
from neurodata.storage._disk import cannot

if TYPE_CHECKING:
    from hashlib import _Hash

CHUNK_BYTES = 1 << 20
_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")


def file_digest(path: Path, algorithm: str = "sha256", progress: Progress = silent) -> str:
    """Hash of a file's bytes, in lower-case hexadecimal; the file is read in pieces.

    Raises
    ------
    StorageError
        When the file cannot be read.
    """
    return hash_file(path, algorithm, progress).hexdigest()


def verify_checksum(path: Path, checksum: str, progress: Progress = silent) -> None:
    """Check a file against "md5:<hex>" or "sha256:<hex>".

    Raises
    ------
    ChecksumError
        When the bytes are not the expected ones.
    StorageError
        When the file cannot be read.
    """
    algorithm, expected = parse_checksum(checksum)
    found = file_digest(path, algorithm, progress)
    if found != expected:
        raise ChecksumError(
            f"{path}: {algorithm} is {found}, expected {expected} ({path.stat().st_size:,} bytes); it is damaged or "
            "another version: delete it and run the command again to get a fresh copy"
        )


def parse_checksum(checksum: str) -> tuple[str, str]:
    """Algorithm and lower-case digest of "md5:<hex>" or "sha256:<hex>"; ValueError for anything else."""
    if not _CHECKSUM.fullmatch(checksum.lower()):
        raise ValueError(f"checksum {checksum!r}: expected 'md5:' and 32, or 'sha256:' and 64 hexadecimal digits")
    algorithm, digest = checksum.lower().split(":")
    return algorithm, digest


def hash_file(path: Path, algorithm: str, progress: Progress = silent) -> _Hash:
    """The running hash after all bytes of a file: more can be added to it."""
    running = new_hash(algorithm)
    done_bytes = 0
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                running.update(chunk)
                done_bytes += len(chunk)
                progress(f"verify {path.name}", done_bytes, size_bytes, "B")
    except OSError as error:
        raise cannot("read", path, error) from error
    return running


def new_hash(algorithm: str) -> _Hash:
    """An empty hash; MD5 identifies files here, so it is also wanted where security rules forbid it."""
    return hashlib.new(algorithm, usedforsecurity=False)
