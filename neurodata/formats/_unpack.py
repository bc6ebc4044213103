"""LZ4 frames, Zstandard and bzip2, unpacked in pieces up to a limit: the sizes that they state are not trusted."""

from __future__ import annotations

import bz2
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from neurodata.errors import MissingExtraError

PIECE_BYTES = 1 << 20
USUAL_WINDOW_BYTES = 1 << 27  # that writers of Zstandard may ask for, however little they pack


class UnpackError(ValueError):
    """Packed bytes are damaged, or unpack to more than they may."""


def library(module: str, extra: str) -> ModuleType:
    """A module that packs; MissingExtraError names the extra it comes with."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this compression needs {module.partition('.')[0]}: pip install neurodata-pipeline[{extra}]"
        ) from error


def from_lz4(packed: memoryview, limit: int, extra: str) -> bytes:
    """One LZ4 frame unpacked; UnpackError when it is damaged, cut off, or unpacks to more than limit bytes."""
    decompressor = library("lz4.frame", extra).LZ4FrameDecompressor()
    piece_bytes = max(PIECE_BYTES, 4 * len(packed))
    parts: list[bytes] = []
    n_bytes = 0
    try:
        while not decompressor.eof:
            parts.append(decompressor.decompress(packed, max_length=piece_bytes))
            n_bytes, packed = n_bytes + len(parts[-1]), memoryview(b"")
            _require_at_most(limit, n_bytes)
            if not decompressor.eof and decompressor.needs_input:
                raise UnpackError("ends within its LZ4 frame")
    except RuntimeError as error:
        raise UnpackError(f"does not unpack with LZ4 ({error})") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def from_zstd(packed: memoryview, limit: int, extra: str) -> bytes:
    """Zstandard unpacked, perhaps only the beginning of what was cut off; errors as `from_lz4`."""
    zstandard = library("zstandard", extra)
    parts: list[bytes] = []
    n_bytes = 0
    try:
        with zstandard.ZstdDecompressor(max_window_size=max(limit, USUAL_WINDOW_BYTES)).stream_reader(packed) as reader:
            while part := reader.read(PIECE_BYTES):
                parts.append(part)
                n_bytes += len(part)
                _require_at_most(limit, n_bytes)
    except zstandard.ZstdError as error:
        raise UnpackError(f"does not unpack with Zstandard ({error})") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def from_bz2(packed: memoryview, limit: int, extra: str) -> bytes:
    """One bzip2 stream unpacked; errors as `from_lz4`."""
    decompressor = bz2.BZ2Decompressor()
    parts: list[bytes] = []
    n_bytes = 0
    try:
        while not decompressor.eof:
            parts.append(decompressor.decompress(packed, max_length=PIECE_BYTES))
            n_bytes, packed = n_bytes + len(parts[-1]), memoryview(b"")
            _require_at_most(limit, n_bytes)
            if not decompressor.eof and decompressor.needs_input:
                raise UnpackError("ends within its bzip2 stream")
    except OSError as error:
        raise UnpackError(f"does not unpack with bzip2 ({error})") from error
    return b"".join(parts)


def _require_at_most(limit: int, n_bytes: int) -> None:
    if n_bytes > limit:
        raise UnpackError(f"unpacks to more than {limit} bytes")


UNPACKERS: dict[str, Callable[[memoryview, int, str], bytes]] = {
    "lz4": from_lz4,
    "zstd": from_zstd,
    "bz2": from_bz2,
}
