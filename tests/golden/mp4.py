"""Six frames of 7x5 pixels, not compressed, shown at uneven times, by ISO/IEC 14496-12 and QuickTime's codec "raw "."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from tests.golden.avi import golden_frames

DIGESTS = {1: "8fa67eff6ee89850"}
TICKS_PER_S = 1000
MATRIX = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1)}


def box(name: bytes, *content: bytes) -> bytes:
    """A box: its size, its name, its content."""
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def matrix(rotation: int) -> bytes:
    """How the picture is turned when it is shown."""
    a, b, c, d = (value << 16 for value in MATRIX[rotation])
    return struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)


def movie(
    frames: np.ndarray,
    ticks: Sequence[int],
    offset: int,
    *,
    size: tuple[int, int] | None = None,
    rotation: int = 0,
    codec: bytes = b"raw ",
    handler: bytes = b"vide",
) -> bytes:
    """The box "moov": each frame is shown for so many ticks; the first one's bytes begin at an offset of the file."""
    n, height, width = frames.shape[:3]
    shown_width, shown_height = size or (width, height)
    length = sum(ticks)
    entry = struct.pack(">6xH16xHHIIIH32sHh", 1, shown_width, shown_height, 72 << 16, 72 << 16, 0, 1, b"", 24, -1)
    table = box(
        b"stbl",
        box(b"stsd", struct.pack(">II", 0, 1), box(codec, entry)),
        box(b"stts", struct.pack(">II", 0, n), *(struct.pack(">II", 1, t) for t in ticks)),
        box(b"stsc", struct.pack(">IIIII", 0, 1, 1, n, 1)),
        box(b"stsz", struct.pack(">III", 0, width * height * 3, n)),
        box(b"stco", struct.pack(">III", 0, 1, offset)),
    )
    source = box(b"dinf", box(b"dref", struct.pack(">II", 0, 1), box(b"url ", struct.pack(">I", 1))))
    media = box(
        b"mdia",
        box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, TICKS_PER_S, length, 0, 0)),
        box(b"hdlr", struct.pack(">II4s12xx", 0, 0, handler)),
        box(b"minf", box(b"vmhd", struct.pack(">I8x", 1)), source, table),
    )
    place = struct.pack(">IIIIII8xhhhh", 7, 0, 0, 1, 0, length, 0, 0, 0, 0)
    header = (
        struct.pack(">IIIIIIH10x", 0, 0, 0, TICKS_PER_S, length, 1 << 16, 1 << 8) + matrix(0) + struct.pack(">24xI", 2)
    )
    sizes = struct.pack(">II", width << 16, height << 16)
    return box(b"moov", box(b"mvhd", header), box(b"trak", box(b"tkhd", place, matrix(rotation), sizes), media))


def mp4(frames: np.ndarray, ticks: Sequence[int], **options: object) -> bytes:
    """A file with the frames before the movie's header; `options` are those of `movie`."""
    kind = box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    data = box(b"mdat", frames.tobytes())
    return kind + data + movie(frames, ticks, len(kind) + 8, **options)  # type: ignore[arg-type]


def content() -> bytes:
    """The file."""
    return mp4(golden_frames(), [40, 40, 120, 40, 40, 40])
