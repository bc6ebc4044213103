"""300 frames of 16-bit stereo in two blocks that are not compressed, by RFC 9639."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "d017c096e72084f4"}
BLOCK_FRAMES = 192


def check_sum(data: bytes, n_bits: int, polynomial: int) -> int:
    """CRC with the highest bit first, from 0 on."""
    total = 0
    for byte in data:
        total ^= byte << n_bits - 8
        for _ in range(8):
            total = (total << 1 ^ (polynomial if total >> n_bits - 1 else 0)) & (1 << n_bits) - 1
    return total


def block(number: int, frames: np.ndarray) -> bytes:
    """A frame of FLAC: both channels as verbatim subframes; frames int16 [n, 2]."""
    # Fixed block size; size in 8 bits at the end, rate of STREAMINFO; 2 channels of 16 bits.
    head = bytes([0xFF, 0xF8, 0x60, 0x18, number, len(frames) - 1])
    head += bytes([check_sum(head, 8, 0x07)])
    body = head + b"".join(b"\x02" + channel.astype(">i2").tobytes() for channel in frames.T)
    return body + struct.pack(">H", check_sum(body, 16, 0x8005))


def stream_info(
    frames: np.ndarray, rate_hz: int = 8000, n_frames: int | None = None, md5: bytes | None = None
) -> bytes:
    """The magic word and the only block of metadata; what it tells may be another thing than is true."""
    fields = rate_hz << 44 | 1 << 41 | 15 << 36 | (len(frames) if n_frames is None else n_frames)
    total = hashlib.md5(frames.astype("<i2").tobytes()).digest() if md5 is None else md5
    return b"fLaC\x80\x00\x00\x22" + struct.pack(">HH6xQ", BLOCK_FRAMES, BLOCK_FRAMES, fields) + total


def golden_frames() -> np.ndarray:
    """int16 [300, 2]."""
    return (golden_numbers(600, 65536, 2).astype(np.int64) - 32768).astype(np.int16).reshape(300, 2)


def blocks(frames: np.ndarray) -> bytes:
    """All frames."""
    starts = range(0, len(frames), BLOCK_FRAMES)
    return b"".join(block(k, frames[first : first + BLOCK_FRAMES]) for k, first in enumerate(starts))


def content() -> bytes:
    """The file."""
    return stream_info(golden_frames()) + blocks(golden_frames())
