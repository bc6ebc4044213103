"""Shard files: chunks one after the other, then an index of their places, as in Zarr v3's sharding codec.

Inner codecs: bytes (little-endian), zstd where the layout says so, crc32c; the index (offset and size of each chunk,
uint64, 2^64-1 where there is none) stands at the end, followed by its own crc32c.
Spec: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeAlias, TypeVar

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from neurodata.storage import Location, RandomAccess, open_access
from neurodata.store._layout import Column, Layout

T = TypeVar("T")

CRC_SIZE_BYTES = 4
MISSING = 2**64 - 1
# Whether checksums of chunks are compared at every read, at the first one of a process, or not at all.
Verify: TypeAlias = Literal["always", "first-read", "never"]

# How a file of a known size is opened.
Opener: TypeAlias = Callable[[Location, int], RandomAccess]


class DamageError(Exception):
    """What is wrong with a shard and where in the file; callers say which store and sample."""


@dataclass(frozen=True, slots=True)
class Written:
    """Size and sha256 of a file."""

    size_bytes: int
    sha256: str


class ShardWriter:
    """One column of one shard, written as its items come: full chunks, and at the end the index.

    Parameters
    ----------
    stream
        Where to.
    column, layout
        What is written, and how chunks are made of it.
    """

    def __init__(self, stream: BinaryIO, column: Column, layout: Layout) -> None:
        self._stream = stream
        self._column = column
        self._layout = layout
        self._digest = hashlib.sha256()
        self._offset = 0
        self._extents: list[tuple[int, int]] = []
        # What does not fill a chunk yet.
        self._rest = np.empty(column.chunk_bytes, np.uint8)
        self._n_rest = 0

    def append(self, items: NDArray[Any], continues: bool = False) -> tuple[int, int]:
        """Add items of a sample, [n, *item_shape]; where they begin and end in the shard.

        The first ones of a sample begin a chunk in an aligned column; those that continue a sample do not.
        """
        column = self._column
        if column.is_aligned and not continues:
            self._flush()
        content = as_bytes(np.ascontiguousarray(items, column.dtype))
        start = len(self._extents) * column.chunk_items + self._n_rest // column.item_bytes
        taken = 0
        while taken < len(content):
            if self._n_rest == 0 and len(content) - taken >= column.chunk_bytes:
                self._write_chunk(content[taken : taken + column.chunk_bytes])
                taken += column.chunk_bytes
                continue
            part = content[taken : taken + column.chunk_bytes - self._n_rest]
            self._rest[self._n_rest : self._n_rest + len(part)] = part
            self._n_rest += len(part)
            taken += len(part)
            if self._n_rest == column.chunk_bytes:
                self._flush()
        return start, start + len(items)

    def finish(self) -> Written:
        """Fill up the last chunk with zeros and write the index."""
        self._flush()
        column = self._column
        index = np.full((column.n_chunks(len(self._extents) * column.chunk_items), 2), MISSING, dtype="<u8")
        if self._extents:
            index[: len(self._extents)] = self._extents  # [place, (offset, size)]
        self._append(as_bytes(index))
        return Written(self._offset, self._digest.hexdigest())

    def _flush(self) -> None:
        if self._n_rest:
            self._rest[self._n_rest :] = 0
            self._write_chunk(self._rest)
            self._n_rest = 0

    def _write_chunk(self, chunk: NDArray[np.uint8]) -> None:
        layout = self._layout
        if layout.compression != "none":
            chunk = np.frombuffer(Zstd(layout.level, checksum=False).encode(chunk), np.uint8)
        self._extents.append((self._offset, chunk.nbytes + CRC_SIZE_BYTES))
        self._append(chunk)

    def _append(self, content: NDArray[np.uint8]) -> None:
        for part in (content.data, struct.pack("<I", google_crc32c.value(content))):
            self._stream.write(part)
            self._digest.update(part)
        self._offset += content.nbytes + CRC_SIZE_BYTES


class ShardFile:
    """The file of one column of one shard, opened for reading; safe to use from several threads and after a fork.

    Parameters
    ----------
    path
        The file.
    column, compression
        What its chunks hold.
    n_chunks
        Entries of its index.
    size_bytes
        What the file should measure.
    index
        The index, uint64 [n_chunks, 2], where it was read before.
    verify
        When the checksums of chunks are compared; that of the index always is.
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
        column: Column,
        compression: str,
        n_chunks: int,
        size_bytes: int,
        index: NDArray[np.uint64] | None = None,
        verify: Verify = "always",
        opener: Opener = open_access,
    ) -> None:
        self._chunk_bytes = column.chunk_bytes
        self._is_plain = compression == "none"
        self._index_start, _ = index_range(n_chunks, size_bytes)
        try:
            self._file = opener(path, size_bytes)
            if self._file.size_bytes != size_bytes:
                raise DamageError(f"{path}: the file measures {self._file.size_bytes} bytes; expected {size_bytes}")
            # [place, (offset, size)]
            self.index = self._tried(lambda: self._read_index(n_chunks)) if index is None else index
        except FileNotFoundError:
            raise DamageError(f"{path}: the shard file is missing") from None
        self._n_present = int(np.count_nonzero(self.index[:, 0] != MISSING))
        self._is_regular = self._is_plain and self._follows_the_order_of_chunks()
        # Chunks that need no check any more.
        self._trusted = None if verify == "always" else np.full(n_chunks, verify == "never")

    @property
    def location(self) -> Location:
        """What is read from: the file, or a copy of it."""
        return self._file.path

    def byte_ranges(self, first: int, n_chunks: int) -> list[tuple[int, int]]:
        """Where neighbouring chunks stand in the file: what `read_into` reads; DamageError as `extent` raises it."""
        extents = [self.extent(place) for place in range(first, first + n_chunks)]
        return [(extents[run[0]][0], sum(extents[run[-1]])) for run in _side_by_side(extents)]

    def read_into(self, first: int, out: NDArray[np.uint8]) -> None:
        """Read, check and decode neighbouring chunks from `first` on into `out`, as many as it has room for."""
        self._tried(lambda: self._read_chunks(first, out))

    def _tried(self, read: Callable[[], T]) -> T:
        """Read; and once more where a damaged copy gives way to the file that it is of."""
        try:
            return read()
        except DamageError:
            if not self._file.fall_back():
                raise
            return read()

    def _read(self, offset: int, parts: list[memoryview]) -> None:
        try:
            self._file.read_into(offset, parts)
        except EOFError as error:
            raise DamageError(str(error)) from None

    def _read_chunks(self, first: int, out: NDArray[np.uint8]) -> None:
        if self._is_regular and first + len(out) // self._chunk_bytes <= self._n_present:
            self._read_regular(first, out)
            return
        extents = [self.extent(place) for place in range(first, first + len(out) // self._chunk_bytes)]
        if self._is_plain:
            self._read_plain(first, extents, out)
        else:
            self._read_packed(first, extents, out)

    def extent(self, place: int) -> tuple[int, int]:
        """Offset and size in bytes of one chunk with its crc32c; DamageError where the index cannot be true."""
        if place >= len(self.index):
            raise self._damage(f"chunk {place} is missing from the index, which has {len(self.index)}")
        offset, size = int(self.index[place, 0]), int(self.index[place, 1])
        if offset == size == MISSING:
            raise self._damage(f"chunk {place} is missing from the index")
        if offset + size > self._index_start or size <= CRC_SIZE_BYTES:
            raise self._damage(f"the index puts chunk {place} at bytes {offset} to {offset + size}, outside the chunks")
        plain_size = self._chunk_bytes + CRC_SIZE_BYTES
        if self._is_plain and size != plain_size:
            raise self._damage(f"the index gives chunk {place} {size} bytes; expected {plain_size}")
        return offset, size

    def _follows_the_order_of_chunks(self) -> bool:
        """Whether chunks stand in the file one behind the other from its start, as a writer of ours puts them."""
        step = self._chunk_bytes + CRC_SIZE_BYTES
        present = self.index[: self._n_present]
        offsets = np.arange(self._n_present, dtype=np.uint64) * np.uint64(step)
        ends_before_index = self._n_present * step <= self._index_start
        return ends_before_index and bool(np.all(present[:, 0] == offsets) and np.all(present[:, 1] == step))

    def _read_regular(self, first: int, out: NDArray[np.uint8]) -> None:
        """Chunks straight into place, with as little Python for each as can be: the same as `_read_plain`."""
        size, step = self._chunk_bytes, self._chunk_bytes + CRC_SIZE_BYTES
        n_chunks = len(out) // size
        chunks, crcs = out.data, bytearray(CRC_SIZE_BYTES * n_chunks)
        crc = memoryview(crcs)
        parts: list[memoryview] = []
        for k in range(n_chunks):
            parts += (chunks[k * size : (k + 1) * size], crc[k * CRC_SIZE_BYTES : (k + 1) * CRC_SIZE_BYTES])
        self._read(first * step, parts)
        for k, expected in enumerate(struct.unpack(f"<{n_chunks}I", crcs)):
            if self._trusted is None or not self._trusted[first + k]:
                self._compare(first + k, google_crc32c.value(self._chunk(out, k)), expected, (first + k) * step)

    def _read_plain(self, first: int, extents: list[tuple[int, int]], out: NDArray[np.uint8]) -> None:
        """Chunks straight into place."""
        crcs = np.empty((len(extents), CRC_SIZE_BYTES), np.uint8)
        for run in _side_by_side(extents):
            parts = [part for k in run for part in (self._chunk(out, k).data, crcs[k].data)]
            self._read(extents[run[0]][0], parts)
        for k, (offset, _) in enumerate(extents):
            self._check(first + k, self._chunk(out, k), crcs[k], offset)

    def _read_packed(self, first: int, extents: list[tuple[int, int]], out: NDArray[np.uint8]) -> None:
        for run in _side_by_side(extents):
            start = extents[run[0]][0]
            packed = np.empty(sum(extents[k][1] for k in run), np.uint8)
            self._read(start, [packed.data])
            for k in run:
                offset, size = extents[k]
                whole = packed[offset - start : offset - start + size]
                chunk, crc = whole[:-CRC_SIZE_BYTES], whole[-CRC_SIZE_BYTES:]
                self._check(first + k, chunk, crc, offset)
                self._decompress(chunk, offset, self._chunk(out, k))

    def _chunk(self, out: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
        return out[k * self._chunk_bytes : (k + 1) * self._chunk_bytes]

    def _check(self, place: int, chunk: NDArray[np.uint8], crc: NDArray[np.uint8], offset: int) -> None:
        if self._trusted is not None and self._trusted[place]:
            return
        self._compare(place, google_crc32c.value(chunk), int.from_bytes(crc.tobytes(), "little"), offset)

    def _compare(self, place: int, found: int, expected: int, offset: int) -> None:
        """Raise DamageError where a chunk has another checksum than its writer saw."""
        if found != expected:
            stop = offset + int(self.index[place, 1])
            raise self._damage(f"bytes {offset} to {stop} have the crc32c {found:08x}; expected {expected:08x}")
        if self._trusted is not None:
            self._trusted[place] = True

    def _read_index(self, n_chunks: int) -> NDArray[np.uint64]:
        if self._index_start < 0:
            raise self._damage(f"{self._file.size_bytes} bytes are too few for an index of {16 * n_chunks}")
        index = np.empty((n_chunks, 2), dtype="<u8")
        crc = np.empty(CRC_SIZE_BYTES, np.uint8)
        self._read(self._index_start, [as_bytes(index).data, crc.data])
        found, expected = google_crc32c.value(as_bytes(index)), int.from_bytes(crc.tobytes(), "little")
        if found != expected:
            raise self._damage(
                f"bytes {self._index_start} to {self._file.size_bytes} have the crc32c {found:08x}; "
                f"expected {expected:08x}"
            )
        return index

    def _decompress(self, chunk: NDArray[np.uint8], offset: int, out: NDArray[np.uint8]) -> None:
        where = f"bytes {offset} to {offset + len(chunk)}"
        # numcodecs leaves the rest of `out` untouched when the chunk holds less.
        if _zstd_content_size(chunk) != out.nbytes:
            raise self._damage(f"{where} are not a zstd frame of {out.nbytes} bytes")
        try:
            Zstd().decode(chunk, out)
        except (RuntimeError, ValueError) as error:
            raise self._damage(f"{where}: {error}") from error

    def _damage(self, found: str) -> DamageError:
        return DamageError(f"{self._file.path}: {found}")


def index_range(n_chunks: int, size_bytes: int) -> tuple[int, int]:
    """Where the index of so many chunks stands in a file of this size, with its crc32c: bytes (start, stop)."""
    return size_bytes - 16 * n_chunks - CRC_SIZE_BYTES, size_bytes


def packed_size(array: NDArray[Any]) -> int:
    """Bytes of an array as one zstd frame of level 1, the default of a store."""
    return len(Zstd(1).encode(as_bytes(np.ascontiguousarray(array)))) if array.size else 0


def as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of a C-contiguous array, without a copy."""
    return array.reshape(-1).view(np.uint8)


def _side_by_side(extents: list[tuple[int, int]]) -> Iterator[range]:
    """Runs of chunks that stand one behind the other in the file; one run, where a writer of ours put them."""
    begin = 0
    for k, (offset, size) in enumerate(extents):
        if k + 1 == len(extents) or extents[k + 1][0] != offset + size:
            yield range(begin, k + 1)
            begin = k + 1


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
