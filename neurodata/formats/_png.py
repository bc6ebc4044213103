"""PNG of one channel: maps over pixels that datasets publish, such as disparities and classes.

Read are grey pictures of 8 or 16 bits and pictures of 8-bit indices into a palette (whose colours are left alone),
not interlaced. Source: Portable Network Graphics specification, third edition (W3C, 2025): 5 (chunks), 9 (filters),
10 (compression).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._file import RecordingFile
from neurodata.kernel import kernel
from neurodata.storage import writing

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, colour type, compression, filter, interlace
GREY, PALETTE = 0, 3
# Chunks other than pixels: names, colours, times.
MOST_OTHER_BYTES = 1 << 22
# Pixels that do not pack take a little more than themselves.
MOST_GROWN = 2
N_FILTERS = 5
COMPRESSION_LEVEL = 1


def read_png(path: Path, width: int, height: int, bits: Literal[8, 16]) -> NDArray[Any]:
    """The values of a picture's pixels, uint8 or uint16 [height, width].

    Raises
    ------
    SourceNotFoundError, StorageError
        When the file is missing, or cannot be read.
    FormatError
        When it is damaged, or a picture of another size or kind.
    """
    n_row = width * bits // 8
    with RecordingFile(path) as file:
        if file.size_bytes > MOST_GROWN * (n_row + 1) * height + MOST_OTHER_BYTES:
            raise FormatError(f"{path}: has {file.size_bytes} bytes, more than {width}x{height} pixels of {bits} bits")
        content = file.read(file.size_bytes, 0)
    chunks = list(_chunks(path, content))
    _check_header(path, chunks[0], width, height, bits)
    packed = b"".join(data for name, data in chunks if name == b"IDAT")
    raw = np.frombuffer(_unpacked(path, packed, (n_row + 1) * height), np.uint8).reshape(height, n_row + 1)
    if raw[:, 0].max(initial=0) >= N_FILTERS:
        raise FormatError(f"{path}: a row names filter {raw[:, 0].max()}; expected 0 to 4: the file is damaged")
    pixels = np.empty((height, n_row), np.uint8)
    _unfilter(raw, bits // 8, pixels)
    return pixels if bits == 8 else pixels.view(">u2").astype(np.uint16)


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write a grey picture, uint8 or uint16 [height, width]."""
    height, width = pixels.shape
    rows = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"))).view(np.uint8).reshape(height, -1)
    raw = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # before each row its filter: none
    header = HEADER.pack(width, height, 8 * pixels.itemsize, GREY, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, COMPRESSION_LEVEL)), (b"IEND", b""))
    with writing(path) as file:
        file.write(SIGNATURE)
        for name, data in chunks:
            file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def _chunks(path: Path, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of chunks up to the last one, IEND."""
    if not content.startswith(SIGNATURE):
        raise FormatError(f"{path}: byte 0: does not begin as PNG")
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        if at + 12 > len(content):
            raise FormatError(f"{path}: byte {at}: ends before its last chunk; the file is cut off: get it again")
        (n_bytes,), name = struct.unpack_from(">I", content, at), content[at + 4 : at + 8]
        end = at + 8 + n_bytes
        if end + 4 > len(content):
            raise FormatError(f"{path}: byte {at}: a chunk of {n_bytes} bytes reaches past the end: get it again")
        if zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            raise FormatError(
                f"{path}: byte {at}: the checksum of its chunk is wrong; the file is damaged: get it again"
            )
        yield name, content[at + 8 : end]
        at = end + 4


def _check_header(path: Path, first: tuple[bytes, bytes], width: int, height: int, bits: int) -> None:
    name, data = first
    if name != b"IHDR" or len(data) != HEADER.size:
        raise FormatError(f"{path}: byte 8: its first chunk is no header; the file is damaged: get it again")
    *size, found_bits, colour, compression, filters, interlaced = HEADER.unpack(data)
    kinds = (GREY, PALETTE) if bits == 8 else (GREY,)
    if size != [width, height] or found_bits != bits or colour not in kinds or compression or filters or interlaced:
        raise FormatError(
            f"{path}: a picture of {size[0]}x{size[1]} pixels of {found_bits} bits, colour type {colour}, interlace "
            f"{interlaced}; expected {width}x{height} pixels of {bits} bits in one channel, not interlaced"
        )


def _unpacked(path: Path, packed: bytes, n_bytes: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(packed, n_bytes)
        # What is left is the checksum at the end, or too much.
        more = stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise FormatError(
            f"{path}: its pixels cannot be unpacked ({error}); the file is damaged: get it again"
        ) from None
    if len(raw) != n_bytes or more:
        raise FormatError(
            f"{path}: its pixels unpack to {'more than ' * bool(more)}{len(raw)} bytes; expected {n_bytes}"
        )
    return raw


@kernel
def _unfilter(raw: NDArray[np.uint8], n_pixel: int, out: NDArray[np.uint8]) -> None:
    """Undo the filter of each row, which its first byte names; n_pixel: bytes of a pixel."""
    for y in range(out.shape[0]):
        kind = raw[y, 0]
        for x in range(out.shape[1]):
            left = np.int64(out[y, x - n_pixel]) if x >= n_pixel else np.int64(0)
            above = np.int64(out[y - 1, x]) if y > 0 else np.int64(0)
            corner = np.int64(out[y - 1, x - n_pixel]) if y > 0 and x >= n_pixel else np.int64(0)
            guess = np.int64(0)
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above
            elif kind == 3:
                guess = (left + above) // 2
            elif kind == 4:
                to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
                if to_left <= to_above and to_left <= to_corner:
                    guess = left
                else:
                    guess = above if to_above <= to_corner else corner
            out[y, x] = (np.int64(raw[y, x + 1]) + guess) & 255


def reference(raw: NDArray[np.uint8], n_pixel: int) -> NDArray[np.uint8]:
    """The bytes of rows [h, n] from filtered ones [h, 1 + n], byte by byte."""
    out = np.zeros((len(raw) + 1, raw.shape[1] - 1 + n_pixel), int)  # zeros above and to the left
    for y, row in enumerate(raw.astype(int).tolist(), start=1):
        for x, value in enumerate(row[1:], start=n_pixel):
            a, b, c = out[y, x - n_pixel], out[y - 1, x], out[y - 1, x - n_pixel]
            nearest = min((a, b, c), key=lambda one: abs(a + b - c - one))  # the first of those as near
            out[y, x] = (value + [0, a, b, (a + b) // 2, nearest][row[0]]) % 256
    return out[1:, n_pixel:].astype(np.uint8)
