"""Six frames of 7x5 pixels, not compressed, and one that is shown twice, by Microsoft's AVI RIFF reference."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "32d079d692e06196"}


def golden_frames(n: int = 6, height: int = 5, width: int = 7) -> np.ndarray:
    """uint8 [n, height, width, 3]."""
    return golden_numbers(n * height * width * 3, 256, 3).astype(np.uint8).reshape(n, height, width, 3)


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of RIFF, padded to an even length."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def bitmap(frame: np.ndarray) -> bytes:
    """Rows from the bottom up, BGR, each padded to four bytes."""
    return b"".join(row[:, ::-1].tobytes() + bytes(-3 * len(row) % 4) for row in frame[::-1])


def avi(frames: Sequence[np.ndarray | None], size: tuple[int, int] = (7, 5), n_told: int | None = None) -> bytes:
    """A file of bitmaps at 25 frames a second; None: the frame before is shown once more."""
    width, height = size
    n = len(frames) if n_told is None else n_told
    main = struct.pack("<14I", 40000, 0, 0, 0x10, n, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = struct.pack("<4s4sIHHIIIIIIII4H", b"vids", b"DIB ", 0, 0, 0, 0, 1, 25, 0, n, 0, 2**32 - 1, 0, 0, 0, 7, 5)
    layout = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", layout))
    movie, index = b"movi", b""
    for frame in frames:
        body = b"" if frame is None else bitmap(frame)
        index += struct.pack("<4sIII", b"00db", 0x10, len(movie), len(body))
        movie += chunk(b"00db", body)
    lists = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + streams) + chunk(b"LIST", movie)
    return chunk(b"RIFF", b"AVI " + lists + chunk(b"idx1", index))


def content() -> bytes:
    """The file."""
    frames = list(golden_frames())
    return avi([*frames[:2], None, *frames[2:]])
