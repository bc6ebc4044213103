"""300 frames of 16-bit stereo behind a chunk of odd length, by the specification."""

from __future__ import annotations

import struct

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "f6b106be60bc5e1e"}


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """A chunk of RIFF, padded to an even length; its size may be another one than it has."""
    return name + struct.pack("<I", len(content) if size is None else size) + content + bytes(len(content) % 2)


def content() -> bytes:
    """The file."""
    samples = (golden_numbers(600, 65536, 1).astype("<i8") - 32768).astype("<i2")
    fmt = struct.pack("<HHIIHH", 1, 2, 8000, 32000, 4, 16)
    body = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"LIST", b"INFOodd") + chunk(b"data", samples.tobytes())
    return chunk(b"RIFF", body)
