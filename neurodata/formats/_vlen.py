"""HDF5 datasets of sequences, read by position: the variable-length columns of SHD, and texts.

An element of such a dataset is the length of its sequence, and the collection of the global heap (an address) and
the object in it (a number) that hold the items. The library makes an array of each sequence in turn, and on damaged
collections it can go round in circles: HDF5 2.0 did so for ever where an object had a wrong length. Here it
gives the elements as they are stored; `_heap` reads the sequences from the file, after every size has been compared
with what is there.

Elements packed by deflate, shuffle or fletcher32 are read (a checksum is passed over: the heap has marks of its
own); other filters, and files with addresses of less than eight bytes, are refused with the way out.

Source: HDF5 File Format Specification, version 3.0: global heap, global heap ID, and variable-length data; the fields
as other readers give them, and as the library writes them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._file import RecordingFile
from neurodata.formats._hdf5 import MOST_PACKED, damage_named, library, sound_dataset

# What an element is on disk: items of the sequence, address of the collection, number of the object in it.
ELEMENT = np.dtype([("n_items", "<u4"), ("address", "<u8"), ("object", "<u4")])
ADDRESS_BYTES = (8, 8)  # of addresses and of lengths
SMALL_BYTES = 1 << 20
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
CHECKSUM_BYTES = 4


@dataclass(frozen=True, slots=True, eq=False)
class VlenColumn:
    """A dataset of sequences; pickles, and holds nothing open.

    Parameters
    ----------
    path, name
        The file, and the dataset in it.
    dtype
        Of the items.
    elements
        ELEMENT, shape [n].
    base
        Byte of the file that addresses count from.
    """

    path: Path
    name: str
    dtype: np.dtype[Any]
    elements: NDArray[Any]
    base: int

    def __len__(self) -> int:
        return len(self.elements)

    def n_bytes(self, first: int, stop: int) -> NDArray[np.int64]:
        """Of sequences first to stop - 1."""
        sizes: NDArray[np.int64] = self.elements["n_items"][first:stop] * np.int64(self.dtype.itemsize)
        return sizes


def vlen_column(path: Path, file: Any, name: str, kinds: str) -> VlenColumn:
    """A dataset of sequences of a NumPy type of these kinds ("f", "iu"; "S" for texts).

    Raises
    ------
    FormatError
        When it is missing, of another type or shape, larger than the file, or packed by another filter.
    """
    h5py = library(path)
    with damage_named(path):
        dataset = sound_dataset(path, file, name)
        dtype = _item_type(h5py, dataset)
        if dtype is None or dtype.kind not in kinds:
            found = dataset.dtype if dtype is None else f"sequences of {dtype}"
            raise FormatError(f"{path}: {name} holds {found}; expected sequences of the kinds {', '.join(kinds)}")
        created = file.id.get_create_plist()
        if created.get_sizes() != ADDRESS_BYTES:
            raise FormatError(
                f"{path}: addresses and lengths of {created.get_sizes()} bytes; read are {ADDRESS_BYTES}: "
                "rewrite the file with h5repack"
            )
        elements = _elements(path, h5py, dataset, name)
        base = int(created.get_userblock())
    n_bytes = int(elements["n_items"].sum(dtype=np.int64)) * dtype.itemsize
    if n_bytes > path.stat().st_size:
        raise FormatError(
            f"{path}: the sequences of {name} have {n_bytes} bytes, the file has {path.stat().st_size}; "
            "the file is damaged: get it again"
        )
    return VlenColumn(path, name, dtype, elements, base)


def _item_type(h5py: Any, dataset: Any) -> np.dtype[Any] | None:
    """NumPy's type of the items, where it is that of the file bit for bit; None for what is no sequence."""
    text = h5py.check_string_dtype(dataset.dtype)
    if text is not None:
        return np.dtype("S1") if text.length is None else None
    base = h5py.check_vlen_dtype(dataset.dtype)
    if base is None:
        return None
    dtype = np.dtype(base)
    return dtype if dataset.id.get_type().get_super() == h5py.h5t.py_create(dtype) else None


def _elements(path: Path, h5py: Any, dataset: Any, name: str) -> NDArray[Any]:
    """All elements of a dataset; those that were never written are empty."""
    n = dataset.shape[0]
    n_stored = dataset.id.get_storage_size()
    if n_stored > path.stat().st_size or n * ELEMENT.itemsize > max(SMALL_BYTES, MOST_PACKED * n_stored):
        raise FormatError(
            f"{path}: {name} has {n} elements in {n_stored} bytes; the file is damaged, or made to fill memory"
        )
    created = dataset.id.get_create_plist()
    if created.get_layout() == h5py.h5d.CHUNKED:
        return _chunked(path, dataset, created, name)
    if n_stored == 0:
        return np.zeros(n, ELEMENT)
    offset = dataset.id.get_offset()
    if offset is None or n_stored != n * ELEMENT.itemsize:
        raise FormatError(
            f"{path}: {name} keeps {n} elements in its header or in {n_stored} bytes; rewrite the file with h5repack"
        )
    with RecordingFile(path) as raw:
        return np.frombuffer(raw.read(n_stored, offset), ELEMENT)


def _chunked(path: Path, dataset: Any, created: Any, name: str) -> NDArray[Any]:
    (length,) = dataset.chunks
    elements = np.zeros(dataset.shape[0], ELEMENT)
    filters = [created.get_filter(k)[0] for k in range(created.get_nfilters())]
    for first in range(0, len(elements), length):
        chunk = dataset.id.get_chunk_info_by_coord((first,))
        if chunk.byte_offset is None or chunk.size == 0:
            continue
        if chunk.size > path.stat().st_size:
            raise FormatError(f"{path}: {name}: a chunk of {chunk.size} bytes; the file is damaged: get it again")
        mask, raw = dataset.id.read_direct_chunk((first,))
        raw = _unpacked(path, raw, [code for k, code in enumerate(filters) if not mask >> k & 1], length, name)
        part = elements[first : first + length]
        part[:] = np.frombuffer(raw, ELEMENT)[: len(part)]
    return elements


def _unpacked(path: Path, raw: bytes, filters: list[int], length: int, name: str) -> bytes:
    """The elements of a chunk that went through these filters."""
    n_bytes = length * ELEMENT.itemsize
    for code in reversed(filters):
        if code == FLETCHER32:
            raw = raw[:-CHECKSUM_BYTES]
        elif code == DEFLATE:
            try:
                raw = zlib.decompressobj().decompress(raw, n_bytes + CHECKSUM_BYTES)
            except zlib.error as error:
                raise FormatError(
                    f"{path}: {name}: a chunk cannot be inflated ({error}); get the file again"
                ) from error
        elif code == SHUFFLE and len(raw) == n_bytes:
            raw = np.frombuffer(raw, np.uint8).reshape(ELEMENT.itemsize, length).T.tobytes()
        elif code != SHUFFLE:
            raise FormatError(
                f"{path}: the elements of {name} are packed by the HDF5 filter {code}; read are deflate, shuffle and "
                "fletcher32: unpack the file with h5repack -f NONE"
            )
    if len(raw) != n_bytes:
        raise FormatError(f"{path}: {name}: a chunk of {len(raw)} bytes, expected {n_bytes}; the file is damaged")
    return raw
