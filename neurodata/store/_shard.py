"""Shard files: chunks one after the other, then an index of their places, as in Zarr v3's sharding codec.

Inner codecs: bytes (little-endian), zstd where the layout says so, crc32c; the index (offset and size of each chunk,
uint64, 2^64-1 where there is none) stands at the end, followed by its own crc32c.
Spec: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, TypeVar

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from neurodata.storage import Location, RandomAccess, open_access
from neurodata.store._layout import ArrayLayout

T = TypeVar("T")

CRC_SIZE_BYTES = 4
MISSING = 2**64 - 1

# How a file of a known size is opened.
Opener: TypeAlias = Callable[[Location, int], RandomAccess]


class DamageError(Exception):
    """What is wrong with a shard and where in the file; callers say which store and sample."""


@dataclass(frozen=True, slots=True)
class Written:
    """Size and sha256 of a file."""

    size_bytes: int
    sha256: str


def write_chunks(stream: BinaryIO, layout: ArrayLayout, arrays: Iterable[NDArray[Any]]) -> Written:
    """Write a whole shard file: one chunk per array as it comes, at most `samples_per_shard`, then the index."""
    index = np.full((layout.samples_per_shard, 2), MISSING, dtype="<u8")  # [place, (offset, size)]
    digest = hashlib.sha256()
    offset = 0
    for place, array in enumerate(arrays):
        chunk = _encode(array, layout)
        _append(stream, digest, chunk)
        index[place] = offset, chunk.nbytes + CRC_SIZE_BYTES
        offset += chunk.nbytes + CRC_SIZE_BYTES
    _append(stream, digest, _as_bytes(index))
    return Written(offset + index.nbytes + CRC_SIZE_BYTES, digest.hexdigest())


def _encode(array: NDArray[Any], layout: ArrayLayout) -> NDArray[np.uint8]:
    plain = _as_bytes(np.ascontiguousarray(array, layout.dtype))
    if layout.compression == "none":
        return plain
    return np.frombuffer(Zstd(layout.level, checksum=False).encode(plain), np.uint8)


def _append(stream: BinaryIO, digest: Any, chunk: NDArray[np.uint8]) -> None:
    for part in (chunk.data, struct.pack("<I", google_crc32c.value(chunk))):
        stream.write(part)
        digest.update(part)


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


class Shard:
    """A shard file opened for reading; safe to use from several threads and after a fork.

    Parameters
    ----------
    path, layout
        The file and how it is laid out.
    size_bytes
        What the file should measure.
    index
        The index, where it was read before.
    opener
        What opens the file: a cache, where files are staged.

    Raises
    ------
    DamageError
        When the file is missing, has another size, or its index is damaged.
    OSError
        When the file cannot be opened.
    """

    def __init__(
        self,
        path: Location,
        layout: ArrayLayout,
        size_bytes: int,
        index: NDArray[np.uint64] | None = None,
        opener: Opener = open_access,
    ) -> None:
        self._layout = layout
        self._index_start = size_bytes - 16 * layout.samples_per_shard - CRC_SIZE_BYTES
        try:
            self._file = opener(path, size_bytes)
            if self._file.size_bytes != size_bytes:
                raise DamageError(f"{path}: the file measures {self._file.size_bytes} bytes; expected {size_bytes}")
            self.index = self._tried(self._read_index) if index is None else index  # [place, (offset, size)]
        except FileNotFoundError:
            raise DamageError(f"{path}: the shard file is missing") from None

    def read_into(self, place: int, out: NDArray[Any]) -> None:
        """Read, check and decode one chunk into `out` (C-contiguous, of the layout's shape and type)."""
        self._tried(lambda: self._read_into(place, out))

    def _tried(self, read: Callable[[], T]) -> T:
        """Read; and once more where a damaged copy gives way to the file that it is of."""
        try:
            return read()
        except DamageError:
            if not self._file.fall_back():
                raise
            return read()

    def _read_into(self, place: int, out: NDArray[Any]) -> None:
        offset, size = self.extent(place)
        if self._layout.compression == "none":
            self._read_checked(offset, _as_bytes(out))
            return
        chunk = np.empty(size - CRC_SIZE_BYTES, np.uint8)
        self._read_checked(offset, chunk)
        self._decompress(chunk, offset, out)

    def extent(self, place: int) -> tuple[int, int]:
        """Offset and size in bytes of one chunk with its crc32c; DamageError where the index cannot be true."""
        offset, size = int(self.index[place, 0]), int(self.index[place, 1])
        if offset == size == MISSING:
            raise self._damage(f"chunk {place} is missing from the index")
        if offset + size > self._index_start or size <= CRC_SIZE_BYTES:
            raise self._damage(f"the index puts chunk {place} at bytes {offset} to {offset + size}, outside the chunks")
        plain_size = self._layout.array.size_bytes + CRC_SIZE_BYTES
        if self._layout.compression == "none" and size != plain_size:
            raise self._damage(f"the index gives chunk {place} {size} bytes; expected {plain_size}")
        return offset, size

    def _read_index(self) -> NDArray[np.uint64]:
        index = np.empty((self._layout.samples_per_shard, 2), dtype="<u8")
        if self._index_start < 0:
            raise self._damage(f"{self._file.size_bytes} bytes are too few for an index of {index.nbytes}")
        self._read_checked(self._index_start, _as_bytes(index))
        return index

    def _read_checked(self, offset: int, chunk: NDArray[np.uint8]) -> None:
        crc = np.empty(CRC_SIZE_BYTES, np.uint8)
        try:
            self._file.read_into(offset, [chunk.data, crc.data])
        except EOFError as error:
            raise DamageError(str(error)) from None
        found, expected = google_crc32c.value(chunk), int.from_bytes(crc.tobytes(), "little")
        if found != expected:
            stop = offset + len(chunk) + CRC_SIZE_BYTES
            raise self._damage(f"bytes {offset} to {stop} have the crc32c {found:08x}; expected {expected:08x}")

    def _decompress(self, chunk: NDArray[np.uint8], offset: int, out: NDArray[Any]) -> None:
        where = f"bytes {offset} to {offset + len(chunk)}"
        # numcodecs leaves the rest of `out` untouched when the chunk holds less.
        if _zstd_content_size(chunk) != out.nbytes:
            raise self._damage(f"{where} are not a zstd frame of {out.nbytes} bytes")
        try:
            Zstd().decode(chunk, _as_bytes(out))
        except (RuntimeError, ValueError) as error:
            raise self._damage(f"{where}: {error}") from error

    def _damage(self, found: str) -> DamageError:
        return DamageError(f"{self._file.path}: {found}")


def _zstd_content_size(frame: NDArray[np.uint8]) -> int | None:
    """Uncompressed size that a zstd frame's header declares (RFC 8878, section 3.1.1.1)."""
    header = frame[:18].tobytes()
    if len(header) < 6 or header[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = header[4]
    single_segment = descriptor & 0x20
    start = 5 + (0 if single_segment else 1) + (0, 1, 2, 4)[descriptor & 3]
    size = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    content_size = int.from_bytes(header[start : start + size], "little")
    return content_size + 256 if size == 2 else content_size
