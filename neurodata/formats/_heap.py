"""The global heap of HDF5: sequences of variable length, read by position in large stretches.

A collection begins with "GCOL", its version and its length; objects follow, each with its number and its length.
Long sequences have a collection each, short ones share them. The writer puts down collections one after another, so
that a stretch of the file holds those of many samples, often of all columns: it is read at once, and the objects are
found in it. A sequence that is not there, because collections stand apart or are damaged, is read with its
collection.

Source: HDF5 File Format Specification, version 3.0, global heap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._file import RecordingFile
from neurodata.formats._hdf5 import damage_named, sound_dataset, whole_column
from neurodata.formats._vlen import VlenColumn, vlen_column
from neurodata.kernel import kernel

COLLECTION = struct.Struct("<4sB3xQ")  # signature, version, bytes with this header
OBJECT = struct.Struct("<HHIQ")  # number (0: free space, and the end), references, reserved, bytes without this header
MARKS = (b"GCOL", 1)
HEADER_BYTES = 16  # of either
BLOCK_BYTES = 1 << 21  # of sequences that are read at once
# Collections are read again where others were read in between: at most so often on average. Sequences of one item in
# any order need 170 readings of their 4096 bytes.
MOST_READS = 256
NOT_FOUND = -1


class Heap:
    """Reads the sequences of columns of the same length from their open file."""

    def __init__(self, file: RecordingFile, *columns: VlenColumn) -> None:
        self._file = file
        self._columns = columns
        self._base = columns[0].base
        self._size_bytes = file.size_bytes - self._base
        self._buffers = [np.empty(0, np.uint8) for _ in columns]
        self._address = NOT_FOUND  # of the collection that was read last
        self._objects: dict[int, NDArray[np.uint8]] = {}  # in it, by number
        self._n_read = 0

    def sequences(self, first: int, stop: int) -> Iterator[list[NDArray[Any]]]:
        """Of each element from first to stop - 1: the sequences of all columns, shape [n_items], as views.

        They are valid until the next ones are asked for.

        Raises
        ------
        FormatError
            When one is not where its element says.
        """
        ends = np.cumsum(sum(column.n_bytes(first, stop) for column in self._columns))
        at = first
        while at < stop:
            before = int(ends[at - first - 1]) if at > first else 0
            n_fitting = int(np.searchsorted(ends, before + BLOCK_BYTES, side="right"))
            last = max(at + 1, first + n_fitting)
            yield from self._block(at, last)
            at = last

    def _block(self, first: int, stop: int) -> Iterator[list[NDArray[Any]]]:
        found = [
            (column, window, starts.tolist(), column.n_bytes(first, stop).tolist())
            for column, (window, starts) in zip(self._columns, self._located(first, stop), strict=True)
        ]
        for i in range(stop - first):
            yield [
                window[starts[i] : starts[i] + n_bytes[i]].view(column.dtype)
                if starts[i] != NOT_FOUND
                else self._alone(column, first + i).view(column.dtype)
                for column, window, starts, n_bytes in found
            ]

    def _located(self, first: int, stop: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """For each column, a stretch of the file, and where the sequences begin in it."""
        elements = [column.elements[first:stop] for column in self._columns]
        sizes = [column.n_bytes(first, stop) for column in self._columns]
        common = self._stretch(0, np.concatenate(elements), np.concatenate(sizes))
        for c, (part, n_bytes) in enumerate(zip(elements, sizes, strict=True)):
            start, window = common or self._stretch(c, part, n_bytes) or (0, self._buffers[c][:0])
            starts = np.empty(len(part), np.int64)
            addresses = part["address"].astype(np.int64) - start
            locate(window, addresses, part["object"].astype(np.int64), n_bytes, starts)
            yield window, starts

    def _stretch(
        self, c: int, elements: NDArray[Any], n_bytes: NDArray[np.int64]
    ) -> tuple[int, NDArray[np.uint8]] | None:
        """Address and bytes of the stretch with these sequences; None where most of it would be other things."""
        is_inside = (n_bytes > 0) & (elements["address"] < self._size_bytes)
        if not is_inside.any():
            return None
        addresses, n_bytes = elements["address"][is_inside].astype(np.int64), n_bytes[is_inside]
        start = int(addresses.min())
        stop = min(self._size_bytes, int((addresses + n_bytes).max()) + 2 * HEADER_BYTES)
        if stop - start > 2 * int(n_bytes.sum()) + 2 * HEADER_BYTES * len(n_bytes):
            return None
        if len(self._buffers[c]) < stop - start:
            self._buffers[c] = np.empty(stop - start, np.uint8)
        return start, self._file.read_into(self._buffers[c][: stop - start], self._base + start)

    def _alone(self, column: VlenColumn, k: int) -> NDArray[np.uint8]:
        """The bytes of a sequence, by its collection, which is kept for those that follow."""
        n_items, address, number = column.elements[k].item()
        if n_items == 0:
            return np.empty(0, np.uint8)
        place = f"{column.path}: {column.name} {k}: the heap collection at byte {self._base + address}"
        if address != self._address:
            self._objects, self._address = self._collection(place, address), address
        found, n_bytes = self._objects.get(number), n_items * column.dtype.itemsize
        if found is None or len(found) != n_bytes:
            what = "no object" if found is None else f"{len(found)} bytes in its object"
            raise FormatError(
                f"{place} has {what} {number}, expected {n_bytes} bytes; the file is damaged: get it again"
            )
        return found

    def _collection(self, place: str, address: int) -> dict[int, NDArray[np.uint8]]:
        """The objects of a collection by number."""
        if address + COLLECTION.size > self._size_bytes:
            raise FormatError(f"{place} lies past the end of the file; the file is damaged: get it again")
        *marks, n_bytes = COLLECTION.unpack(self._file.read(COLLECTION.size, self._base + address))
        if tuple(marks) != MARKS:
            raise FormatError(f"{place} is none; the file is damaged: get it again")
        n_bytes = min(n_bytes, self._size_bytes - address)
        self._n_read += n_bytes
        if self._n_read > MOST_READS * self._size_bytes:
            raise FormatError(f"{place} overlaps others; the file is damaged, or made to be slow")
        whole = self._file.read_into(np.empty(n_bytes, np.uint8), self._base + address)
        objects: dict[int, NDArray[np.uint8]] = {}
        at = COLLECTION.size
        while at + OBJECT.size <= n_bytes:
            number, _, _, size = OBJECT.unpack_from(whole.data, at)
            at += OBJECT.size
            if number == 0 or at + size > n_bytes:
                break
            objects.setdefault(number, whole[at : at + size])
            at += -(-size // 8) * 8
        return objects


@kernel
def locate(
    window: NDArray[np.uint8],
    addresses: NDArray[np.int64],
    numbers: NDArray[np.int64],
    n_bytes: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> None:
    """Where each object of this length begins in a stretch of the file, NOT_FOUND where it is not in it as a whole.

    Parameters
    ----------
    window
        The stretch.
    addresses
        Shape [n]: of the collections, from the start of the stretch on.
    numbers, n_bytes
        Shape [n]: of the objects.
    starts
        Shape [n]: written.
    """
    for i in range(len(addresses)):
        starts[i] = NOT_FOUND
        at = addresses[i]
        if n_bytes[i] == 0 or at < 0 or at > len(window) - 2 * HEADER_BYTES or not _is_collection(window, at):
            continue
        end = at + min(_word(window, at + 8, 8), len(window) - at)
        at += HEADER_BYTES
        while at <= end - HEADER_BYTES:
            number, size = _word(window, at, 2), _word(window, at + 8, 8)
            at += HEADER_BYTES
            if number == 0 or size > end - at:
                break
            if number == numbers[i]:
                if size == n_bytes[i]:
                    starts[i] = at
                break
            at += (size + 7) // 8 * 8


@kernel
def _is_collection(window: NDArray[np.uint8], at: int) -> bool:
    """Whether "GCOL" and 1 stand there."""
    return bool(_word(window, at, 4) == 0x4C4F4347 and window[at + 4] == 1)


@kernel
def _word(window: NDArray[np.uint8], at: int, n_bytes: int) -> int:
    """A little-endian number; the largest one that has a sign, where it is larger than that."""
    number = np.int64(0)
    for i in range(n_bytes):
        number |= np.int64(window[at + i]) << (8 * i)
    return int(number) if number >= 0 else 2**63 - 1


def reference(window: bytes, address: int, number: int, n_bytes: int) -> int:
    """What `locate` writes for one object."""
    at, end = address + HEADER_BYTES, 0
    if n_bytes > 0 and 0 <= address <= len(window) - 2 * HEADER_BYTES and window[address : address + 5] == b"GCOL\1":
        end = min(address + int.from_bytes(window[address + 8 : at], "little"), len(window))
    while at + HEADER_BYTES <= end:
        found, _, _, size = OBJECT.unpack_from(window, at)
        at += HEADER_BYTES
        if found in (0, number) or at + size > end:
            return at if found == number > 0 and size == n_bytes and at + size <= end else NOT_FOUND
        at += -(-size // 8) * 8
    return NOT_FOUND


def text_column(path: Path, file: Any, name: str) -> tuple[str, ...]:
    """A dataset of texts, of fixed or variable length; bytes that are no UTF-8 are replaced.

    Raises
    ------
    FormatError
        As `vlen_column`.
    """
    with damage_named(path):
        is_fixed = sound_dataset(path, file, name).dtype.kind == "S"
    if is_fixed:
        texts = whole_column(path, file, name, "S").tolist()
    else:
        column = vlen_column(path, file, name, "S")
        with RecordingFile(path) as raw:
            texts = [text.tobytes() for (text,) in Heap(raw, column).sequences(0, len(column))]
    return tuple(text.decode("utf-8", "replace") for text in texts)
