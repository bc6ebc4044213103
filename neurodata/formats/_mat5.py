"""MATLAB files of level 5 (saved with -v6 or -v7), read element by element: no size is believed before it is checked.

Source: MathWorks, "MAT-File Format" (2023), chapter 1. Compressed variables are inflated no further than they say,
and not at all where that is out of proportion; nested arrays are visited one level at a time. Objects, function
handles and sparse arrays are named, never interpreted. (SciPy reads these files too, and is what the tests compare
with; on files made to harm it recurses until the process dies, and allocates what a cell array of a few bytes
declares.)
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._file import RecordingFile
from neurodata.formats._npy import MOST_PACKED, SMALL_BYTES

HEADER_BYTES = 128
TAG_BYTES = 8
MOST_HEAD_BYTES = 1024  # of flags, dimensions and name of a variable
MOST_AXES = 32
MOST_VARIABLES = 10_000
MOST_NUMBERS = 1 << 48

INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2"}
KINDS = (
    "", "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64", "function", "opaque",
)  # fmt: skip
NUMBERS = {*KINDS[6:16], "logical"}
LOGICAL, COMPLEX = 0x0200, 0x0800

Order: TypeAlias = Literal["<", ">"]  # of bytes


def is_level_5(head: bytes) -> bool:
    """Whether a file begins with a header of level 5."""
    return len(head) >= HEADER_BYTES and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


class _Tag(NamedTuple):
    """An element: its type, where its bytes are, and where the next one begins."""

    type: int
    begin: int
    n_bytes: int
    next: int


class _Head(NamedTuple):
    """What an array says of itself, and where what it holds begins."""

    kind: str
    shape: tuple[int, ...]
    is_complex: bool
    name: str
    begin: int


class _Element:
    """One variable of a file: inflated and kept when it is first looked into."""

    def __init__(self, file: RecordingFile, order: Order, offset: int, n_bytes: int, is_packed: bool) -> None:
        self.file, self.order, self.offset, self.n_bytes, self.is_packed = file, order, offset, n_bytes, is_packed
        self._held: bytes | None = None

    def beginning(self) -> bytes:
        """The tag of the array and its first bytes."""
        raw = self.file.read(min(self.n_bytes, MOST_HEAD_BYTES), self.offset)
        if not self.is_packed:
            return raw
        try:
            return zlib.decompressobj().decompress(raw, MOST_HEAD_BYTES)
        except zlib.error as error:
            raise self.damaged(0, f"cannot be inflated ({error})") from error

    def all(self) -> bytes:
        """The tag of the array and all it holds."""
        if self._held is None:
            raw = self.file.read(self.n_bytes, self.offset)
            self._held = self._inflated(raw) if self.is_packed else raw
        return self._held

    def _inflated(self, raw: bytes) -> bytes:
        n_bytes = TAG_BYTES + self.tag(self.beginning(), 0, None).n_bytes
        if n_bytes > max(SMALL_BYTES, MOST_PACKED * len(raw)):
            raise self.damaged(0, f"{len(raw)} bytes are to become {n_bytes}: made to fill memory")
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(raw, n_bytes)
            too_many = inflater.decompress(inflater.unconsumed_tail, 1)
        except zlib.error as error:
            raise self.damaged(0, f"cannot be inflated ({error})") from error
        if len(data) != n_bytes or too_many or not inflater.eof:
            raise self.damaged(0, f"does not inflate to the {n_bytes} bytes that it declares")
        return data

    def place(self, at: int) -> str:
        """Where a byte of this variable stands."""
        if self.is_packed:
            return f"{at} bytes into what is packed at byte {self.offset}"
        return f"byte {self.offset + at}"

    def damaged(self, at: int, what: str) -> FormatError:
        """The error for a variable that does not fit together."""
        return FormatError(f"{self.file.path}: {self.place(at)}: {what}; the file is damaged: get it again")

    def tag(self, data: bytes, at: int, stop: int | None) -> _Tag:
        """The element that begins at a byte and ends before another (None: it may end past the data)."""
        if at + TAG_BYTES > (len(data) if stop is None else stop):
            raise self.damaged(at, "an element has less than the 8 bytes of its tag")
        first, n_bytes = struct.unpack_from(f"{self.order}2I", data, at)
        begin = at + TAG_BYTES
        after = begin + n_bytes + -n_bytes % 8
        if first >> 16:  # a small element: its bytes stand in the tag
            first, n_bytes, begin, after = first & 0xFFFF, first >> 16, at + 4, at + TAG_BYTES
            if n_bytes > 4:
                raise self.damaged(at, f"a small element declares {n_bytes} bytes; it holds at most 4")
        if stop is not None and begin + n_bytes > stop:
            raise self.damaged(at, f"an element declares {n_bytes} bytes where {stop - begin} are left")
        return _Tag(first, begin, n_bytes, after if stop is None else min(after, stop))

    def head(self, data: bytes, begin: int, stop: int) -> _Head:
        """What the array between two bytes says of itself."""
        if begin == stop:
            return _Head("double", (0, 0), False, "", begin)  # how an empty cell is saved
        flags = self.tag(data, begin, stop)
        if (flags.type, flags.n_bytes) != (UINT32, 8):
            raise self.damaged(begin, f"flags of type {flags.type} with {flags.n_bytes} bytes; expected 6 with 8")
        (word,) = struct.unpack_from(f"{self.order}I", data, flags.begin)
        kind = KINDS[word & 0xFF] if 0 < word & 0xFF < len(KINDS) else f"class {word & 0xFF}"
        if kind == "opaque":  # has no dimensions
            return _Head(kind, (), False, self._text(data, self.tag(data, flags.next, stop)), stop)
        dims = self.tag(data, flags.next, stop)
        n_axes = dims.n_bytes // 4
        if dims.type != INT32 or dims.n_bytes % 4 or not 2 <= n_axes <= MOST_AXES:
            raise self.damaged(flags.next, f"dimensions of type {dims.type} with {dims.n_bytes} bytes")
        shape = struct.unpack_from(f"{self.order}{n_axes}i", data, dims.begin)
        if min(shape) < 0 or math.prod(n or 1 for n in shape) > MOST_NUMBERS:
            raise self.damaged(dims.begin, f"an array of shape {shape}")
        name = self.tag(data, dims.next, stop)
        if word & LOGICAL and kind in NUMBERS:
            kind = "logical"
        return _Head(kind, shape, bool(word & COMPLEX), self._text(data, name), name.next)

    def _text(self, data: bytes, tag: _Tag) -> str:
        if tag.type != INT8:
            raise self.damaged(tag.begin, f"a name of type {tag.type}; expected {INT8}")
        return data[tag.begin : tag.begin + tag.n_bytes].rstrip(b"\0").decode("latin-1")


def text_of(codes: NDArray[Any]) -> str:
    """Characters of the first plane of Unicode; what is none of them is left out."""
    return "".join(chr(code) for code in codes.ravel(order="F").tolist() if 32 <= code < 0xD800)


@dataclass(frozen=True, slots=True, eq=False)
class Array5:
    """An `Array` of a file of level 5; see `neurodata.formats._mat`."""

    element: _Element
    head: _Head
    stop: int

    @property
    def kind(self) -> str:
        """MATLAB's class."""
        return self.head.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """In MATLAB's order of axes."""
        return self.head.shape

    @property
    def place(self) -> str:
        """Where it stands in the file."""
        return self.element.place(self.head.begin)

    def numbers(self) -> NDArray[Any]:
        """Its numbers, of its shape, in the type that they are stored in."""
        if self.kind not in NUMBERS or self.head.is_complex:
            raise self._other("real numbers")
        return self._stored()

    def text(self) -> str:
        """Its characters, first axis fastest."""
        if self.kind != "char":
            raise self._other("text")
        return text_of(self._stored())

    def _stored(self) -> NDArray[Any]:
        n = math.prod(self.shape)
        if n == 0:
            return np.empty(self.shape)
        data = self.element.all()
        tag = self.element.tag(data, self.head.begin, self.stop)
        if tag.type not in TYPES:
            raise self.element.damaged(self.head.begin, f"numbers of type {tag.type}")
        dtype = np.dtype(TYPES[tag.type]).newbyteorder(self.element.order)
        if tag.n_bytes != n * dtype.itemsize:
            raise self.element.damaged(tag.begin, f"{tag.n_bytes} bytes for shape {self.shape} of {dtype}")
        stored = np.frombuffer(data, dtype, n, tag.begin)
        return stored.astype(dtype.newbyteorder("="), copy=False).reshape(self.shape, order="F")

    def cells(self) -> list[Array5]:
        """What a cell array holds, first axis fastest."""
        if self.kind != "cell":
            raise self._other("a cell array")
        return self._nested(self.head.begin, math.prod(self.shape))

    def fields(self) -> dict[str, Array5]:
        """What a struct of shape [1, 1] holds, by name."""
        if self.kind != "struct" or self.shape != (1, 1):
            raise self._other("one struct")
        data = self.element.all()
        length = self.element.tag(data, self.head.begin, self.stop)
        names = self.element.tag(data, length.next, self.stop)
        if (length.type, length.n_bytes, names.type) != (INT32, 4, INT8):
            raise self.element.damaged(self.head.begin, "a struct without names of its fields")
        (n,) = struct.unpack_from(f"{self.element.order}i", data, length.begin)
        if n < 1 or names.n_bytes % n:
            raise self.element.damaged(length.begin, f"names of {n} characters in {names.n_bytes} bytes")
        text = data[names.begin : names.begin + names.n_bytes].decode("latin-1")
        keys = [text[at : at + n].split("\0")[0] for at in range(0, len(text), n)]
        return dict(zip(keys, self._nested(names.next, len(keys)), strict=True))

    def _nested(self, at: int, n: int) -> list[Array5]:
        data = self.element.all()
        if n > (self.stop - at) // TAG_BYTES:
            raise self.element.damaged(at, f"{n} arrays in {self.stop - at} bytes")
        found = []
        for _ in range(n):
            tag = self.element.tag(data, at, self.stop)
            if tag.type != MATRIX:
                raise self.element.damaged(at, f"an element of type {tag.type}; expected {MATRIX}")
            stop = tag.begin + tag.n_bytes
            found.append(Array5(self.element, self.element.head(data, tag.begin, stop), stop))
            at = tag.next
        return found

    def _other(self, expected: str) -> FormatError:
        return FormatError(
            f"{self.element.file.path}: {self.place}: {'complex ' * self.head.is_complex}{self.kind} of shape "
            f"{self.shape}; expected {expected}"
        )


def arrays(file: RecordingFile) -> dict[str, Array5]:
    """The variables of a file by name; only the beginning of each is read.

    Raises
    ------
    FormatError
        When variables do not fill the file, or one does not begin as an array.
    """
    head = file.read(HEADER_BYTES)
    if not is_level_5(head):
        raise FormatError(f"{file.path}: byte 0: does not begin as a MATLAB file of level 5")
    order: Order = "<" if head[126:] == b"IM" else ">"
    found: dict[str, Array5] = {}
    at = HEADER_BYTES
    while at < file.size_bytes:
        array, at = _variable(file, order, at)
        if array.head.name in found:
            raise array.element.damaged(0, f"a second variable {array.head.name}")
        if len(found) == MOST_VARIABLES:
            raise array.element.damaged(0, f"more than {MOST_VARIABLES} variables")
        if array.head.name:  # without a name: what MATLAB keeps for objects
            found[array.head.name] = array
    return found


def _variable(file: RecordingFile, order: Order, at: int) -> tuple[Array5, int]:
    """The variable whose tag stands at a byte, and where the next one begins."""
    raw = file.read(TAG_BYTES, at)
    kind, n_bytes = struct.unpack(f"{order}2I", raw) if len(raw) == TAG_BYTES else (0, 0)
    if kind not in (MATRIX, COMPRESSED) or n_bytes > file.size_bytes - at - TAG_BYTES:
        raise FormatError(
            f"{file.path}: byte {at}: an element of type {kind} with {n_bytes} bytes, where {file.size_bytes - at} "
            f"are left; expected a variable ({MATRIX}, packed {COMPRESSED}): the file is truncated or damaged, get it "
            "again"
        )
    after = at + TAG_BYTES + n_bytes
    if kind == MATRIX:
        element = _Element(file, order, at, TAG_BYTES + n_bytes, is_packed=False)
    else:
        element = _Element(file, order, at + TAG_BYTES, n_bytes, is_packed=True)
    data = element.beginning()
    tag = element.tag(data, 0, None)
    if tag.type != MATRIX:
        raise element.damaged(0, f"an element of type {tag.type}; expected {MATRIX}")
    stop = tag.begin + tag.n_bytes
    return Array5(element, element.head(data, tag.begin, min(stop, len(data))), stop), after
