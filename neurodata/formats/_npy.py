"""Arrays in .npy and .npz files, read piece by piece: nothing is unpickled, no size is believed before it is checked.

Source: NumPy Enhancement Proposal 1 (https://numpy.org/neps/nep-0001-npy-format.html); PKWARE's APPNOTE for .zip.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._file import RecordingFile
from neurodata.storage import writing

MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"
LONGEST_HEADER_BYTES = 1 << 14
PIECE_BYTES = 1 << 16
# Events never pack so well; what does is made to fill memory.
MOST_PACKED = 250
DEFLATE_LIMIT = 1032
SMALL_BYTES = 1 << 26
LONGEST_AXIS = 1 << 48
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the clock is no part of a file

_TYPE = r"['\"]([<>|=]?[a-zA-Z]\d{0,4})['\"]"
_FIELD = re.compile(rf"\(\s*['\"](\w*)['\"]\s*,\s*{_TYPE}\s*\)")
_DESCR = re.compile(rf"['\"]descr['\"]\s*:\s*(?:{_TYPE}|\[(.*?)\])\s*[,}}]", re.DOTALL)
_SHAPE = re.compile(r"['\"]shape['\"]\s*:\s*\(([\d\s,]{0,200})\)")
_FORTRAN = re.compile(r"['\"]fortran_order['\"]\s*:\s*True")


@dataclass(frozen=True, slots=True)
class Member:
    """Bytes that a file holds as they are or deflated; the whole file is one, and each file in a .zip."""

    offset: int
    packed_bytes: int
    n_bytes: int
    is_deflated: bool = False
    crc: int | None = None


@dataclass(frozen=True, slots=True)
class Array:
    """An array: where it is, and what it holds. It fills its member."""

    member: Member
    header_bytes: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool = False  # first axis fastest

    @property
    def n(self) -> int:
        """Length of the first axis."""
        return self.shape[0]


class MemberReader:
    """Reads a member: forward without limit, back by starting again (where it is deflated)."""

    def __init__(self, file: RecordingFile, member: Member) -> None:
        self._file = file
        self._member = member
        self._rewind()
        self._crc, self._crc_at = 0, 0

    def _rewind(self) -> None:
        self._inflate = zlib.decompressobj(-15)
        self._used_bytes = 0
        self._at = 0

    def read(self, at: int, n_bytes: int) -> NDArray[np.uint8]:
        """n_bytes from a position on, fewer at the end; a whole member read in order has its checksum compared."""
        n_bytes = max(0, min(n_bytes, self._member.n_bytes - at))
        if not self._member.is_deflated:
            data = self._file.read_into(np.empty(n_bytes, np.uint8), self._member.offset + at)
        else:
            if at < self._at:
                self._rewind()
            while self._at < at:
                self._inflated(min(PIECE_BYTES, at - self._at))
            data = self._inflated(n_bytes)
        self._compare(data, at)
        return data

    def _inflated(self, n_bytes: int) -> NDArray[np.uint8]:
        parts, n_left = [], n_bytes
        while n_left:
            packed = self._inflate.unconsumed_tail
            if not packed:
                n_packed = min(PIECE_BYTES, self._member.packed_bytes - self._used_bytes)
                packed = self._file.read(n_packed, self._member.offset + self._used_bytes)
                self._used_bytes += len(packed)
            try:
                part = self._inflate.decompress(packed, n_left)
            except zlib.error as error:
                raise self._damaged(f"cannot be inflated ({error})") from error
            if not part and not self._inflate.unconsumed_tail and self._used_bytes >= self._member.packed_bytes:
                break
            parts.append(part)
            n_left -= len(part)
        data = np.frombuffer(bytearray().join(parts), np.uint8)
        if len(data) < n_bytes:
            raise self._damaged(f"ends after {self._at + len(data)} of {self._member.n_bytes} bytes")
        self._at += n_bytes
        return data

    def _compare(self, data: NDArray[np.uint8], at: int) -> None:
        if at > self._crc_at or self._member.crc is None:
            return
        fresh = data[self._crc_at - at :]
        self._crc, self._crc_at = zlib.crc32(fresh.data, self._crc), self._crc_at + len(fresh)
        if len(fresh) and self._crc_at == self._member.n_bytes and self._crc != self._member.crc:
            raise self._damaged("has another checksum than its entry says")

    def _damaged(self, what: str) -> FormatError:
        return FormatError(
            f"{self._file.path}: byte {self._member.offset}: the member {what}; the file is damaged: get it again"
        )


def arrays(file: RecordingFile, most_packed: int = MOST_PACKED) -> dict[str, Array]:
    """The arrays of a file, by name (one without a name in an .npy), that pack no better than so many to one."""
    if file.read(len(MAGIC)) == MAGIC:
        whole = Member(0, file.size_bytes, file.size_bytes)
        return {"": _array(file, whole, "the array")}
    return {name: _array(file, member, name) for name, member in _members(file, most_packed).items()}


def _members(file: RecordingFile, most_packed: int) -> dict[str, Member]:
    try:
        with zipfile.ZipFile(file.path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error, OSError) as error:
        raise FormatError(f"{file.path}: no .zip as .npz files are ({error}); it is damaged: get it again") from error
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise FormatError(
                f"{file.path}: byte {entry.header_offset}: {entry.filename!r} is encrypted or packed by method "
                f"{entry.compress_type}; .npz files are stored or deflated"
            )
    n_packed, n_bytes = (sum(getattr(entry, key) for entry in entries) for key in ("compress_size", "file_size"))
    if n_packed > file.size_bytes or n_bytes > max(SMALL_BYTES, most_packed * n_packed):
        raise FormatError(
            f"{file.path}: its entries declare {n_packed} bytes that become {n_bytes}, in a file of "
            f"{file.size_bytes}; it is damaged, or made to fill memory"
        )
    return {
        entry.filename.removesuffix(".npy"): Member(
            _data_offset(file, entry),
            entry.compress_size,
            entry.file_size,
            entry.compress_type == zipfile.ZIP_DEFLATED,
            entry.CRC,
        )
        for entry in entries
        if entry.filename.endswith(".npy")
    }


def _data_offset(file: RecordingFile, entry: zipfile.ZipInfo) -> int:
    local = file.read(30, max(0, entry.header_offset))
    if entry.header_offset < 0 or len(local) < 30 or not local.startswith(ZIP_MAGIC):
        raise FormatError(f"{file.path}: byte {entry.header_offset}: no entry of a .zip; it is damaged: get it again")
    offset: int = entry.header_offset + 30 + sum(struct.unpack("<HH", local[26:]))
    is_stored = entry.compress_type == zipfile.ZIP_STORED
    if offset + entry.compress_size > file.size_bytes or (is_stored and entry.compress_size != entry.file_size):
        raise FormatError(
            f"{file.path}: byte {offset}: {entry.compress_size} bytes of {entry.filename!r} are not what the file "
            "holds there; it is truncated or damaged: get it again"
        )
    return offset


def _array(file: RecordingFile, member: Member, name: str) -> Array:
    head = MemberReader(file, member).read(0, LONGEST_HEADER_BYTES).tobytes()
    if not head.startswith(MAGIC) or len(head) < 12 or head[6] not in (1, 2):
        raise FormatError(f"{file.path}: byte {member.offset}: {name} is no .npy array of version 1 or 2")
    n_prefix = 10 if head[6] == 1 else 12
    header_bytes = n_prefix + int.from_bytes(head[8:n_prefix], "little")
    text = head[n_prefix:header_bytes].decode("latin-1")
    descr, shape = _DESCR.search(text), _SHAPE.search(text)
    dtype = _dtype(descr[1], descr[2]) if descr else None
    if header_bytes > len(head) or dtype is None or shape is None:
        raise FormatError(
            f"{file.path}: byte {member.offset}: the header of {name} tells no type and shape of plain numbers: "
            f"{text[:80]!r}; arrays of objects (pickles) are never read"
        )
    sizes = tuple(int(size) for size in shape[1].split(",") if size.strip().isdigit())
    n_bytes = math.prod(sizes) * dtype.itemsize
    if header_bytes + n_bytes != member.n_bytes or max(sizes, default=0) > LONGEST_AXIS:
        raise FormatError(
            f"{file.path}: byte {member.offset}: {name} has the shape ({shape[1]}) of {dtype} in "
            f"{member.n_bytes - header_bytes} bytes; expected what fills them: the file is truncated or damaged"
        )
    return Array(member, header_bytes, dtype, sizes, _FORTRAN.search(text) is not None)


def _dtype(plain: str | None, fields: str | None) -> np.dtype[Any] | None:
    """The type that a header describes; None for objects and what NumPy does not know."""
    try:
        if plain is not None:
            dtype = np.dtype(plain)
        else:
            parts = _FIELD.findall(fields or "")
            dtype = np.dtype([(name or f"_{k}", kind) for k, (name, kind) in enumerate(parts)])
            if _FIELD.sub("", fields or "").strip(", \n"):
                return None
    except (TypeError, ValueError):
        return None
    return None if dtype.hasobject or dtype.itemsize == 0 else dtype


def values(reader: MemberReader, array: Array, first: int, last: int) -> NDArray[Any]:
    """Elements first to last - 1 of all, in the order of the file."""
    size = array.dtype.itemsize
    return np.frombuffer(reader.read(array.header_bytes + first * size, (last - first) * size), array.dtype)


class NpyArray(NamedTuple):
    """What the header of an .npy file says of its array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def read_npy_header(path: Path) -> NpyArray:
    """Type and shape of the array of an .npy file; FormatError where it is damaged, or no array of plain numbers."""
    with RecordingFile(path) as file:
        array = _only_array(file)
    return NpyArray(array.dtype, array.shape)


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file; FormatError as for `read_npy_header`."""
    with RecordingFile(path) as file:
        return _whole(file, _only_array(file))


def _only_array(file: RecordingFile) -> Array:
    if file.read(len(MAGIC)) != MAGIC:
        raise FormatError(f"{file.path}: byte 0: does not begin as .npy: expected a file that numpy.save wrote")
    return arrays(file)[""]


def is_numpy_file(head: bytes) -> bool:
    """Whether a file begins as .npy, or as a .zip whose first member is called so."""
    name_bytes = int.from_bytes(head[26:28], "little")
    return head.startswith(MAGIC) or (head.startswith(ZIP_MAGIC) and head[30 : 30 + name_bytes].endswith(b".npy"))


class Parts(NamedTuple):
    """An array to be written: its type, its shape, and its elements in C order, in pieces."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    parts: Iterable[NDArray[Any]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Parts:
        """A whole array."""
        return cls(array.dtype, array.shape, [array])


def write_npz(path: Path, members: Mapping[str, Parts]) -> None:
    """A deflated .npz as `numpy.savez_compressed` has it, but with no clock in it: the same arrays, the same bytes.

    The parts of a member are taken when those before it are written.
    """
    with writing(path) as file:
        write_members(file, members)


def write_members(file: BinaryIO, members: Mapping[str, Parts]) -> None:
    """What `write_npz` writes, into a file that is open."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, (dtype, shape, parts) in members.items():
            entry = zipfile.ZipInfo(f"{name}.npy", EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            with archive.open(entry, "w", force_zip64=math.prod(shape) * dtype.itemsize > 1 << 31) as member:
                np.lib.format.write_array_header_1_0(member, header)
                for part in parts:
                    member.write(part.tobytes())


def read_npy_at(path: Path, offset: int, n_bytes: int, name: str) -> NDArray[Any]:
    """The array of an .npy file that lies whole within another file, such as a .tar; FormatError as for `read_npy`."""
    with RecordingFile(path) as file:
        if not 0 <= offset <= offset + n_bytes <= file.size_bytes:
            raise FormatError(
                f"{path}: byte {offset}: {name} is said to have {n_bytes} bytes, in a file of {file.size_bytes}; it is "
                "truncated or damaged: get it again"
            )
        return _whole(file, _array(file, Member(offset, n_bytes, n_bytes), name))


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file by name; FormatError where it is damaged, or holds other than plain arrays.

    Frames of few events pack as well as Deflate packs anything.
    """
    with RecordingFile(path) as file:
        return {name: _whole(file, array) for name, array in arrays(file, DEFLATE_LIMIT).items()}


def _whole(file: RecordingFile, array: Array) -> NDArray[Any]:
    elements = values(MemberReader(file, array.member), array, 0, math.prod(array.shape))
    return elements.reshape(array.shape, order="F" if array.is_fortran else "C")
