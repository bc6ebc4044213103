"""AVI video .avi: read by PyAV (extra `video`), see `_video` for colours and limits.

AVI has no times, only places: chunk k is shown at k / fps, and a chunk of no bytes shows the frame before once more.
Frames that a codec stores out of order (MPEG-4 with B-frames) get the places in the order of showing; frames shown
once more are not repeated, and what comes after them keeps its time ("uneven frames"). A slice is decoded from the
start of the file, since places are only known in sequence (164 frames of 320x240: 10 ms).

Written is FFV1, which is lossless: the same frames come back. FFmpeg does not tell when a checksum inside FFV1 is
wrong: keep checksums of the files.

Sources: AVI RIFF File Reference (Microsoft), OpenDML AVI File Format Extensions 1.02; RFC 9043 (FFV1).
"""

from __future__ import annotations

from pathlib import Path

from neurodata.formats import _video
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.signals import Clip

CONTAINER = _video.Container("avi", has_times=False)
LOSSLESS = {"level": "3", "g": "1"}  # every frame for itself
# FFmpeg's FFV1 takes one slice up to these sides and wants several beyond, which fail where a side is short.
SLICE_WIDTH_PX, SLICE_HEIGHT_PX, MANY_SLICES = 352, 288, 30


def sniff(head: bytes, path: Path) -> str | None:
    """None for RIFF of kind AVI."""
    return None if head[:4] == b"RIFF" and head[8:12] == b"AVI " else "does not begin as RIFF of kind AVI"


def describe(path: Path) -> dict[str, object]:
    """See `_video.describe`."""
    return _video.describe(path, CONTAINER)


def read_file(path: Path, start_us: int | None = None, stop_us: int | None = None) -> Reading:
    """See `_video.read`."""
    return _video.read(path, CONTAINER, start_us, stop_us)


def write_file(clip: Clip, path: Path) -> None:
    """FFV1, lossless; see `_video.write` for what is raised."""
    height, width = clip.frames.shape[1:3]
    slices = 1 if width <= SLICE_WIDTH_PX and height <= SLICE_HEIGHT_PX else MANY_SLICES
    _video.write(
        clip,
        path,
        CONTAINER,
        codec="ffv1",
        pixel_format="bgr0",
        options=LOSSLESS | {"slices": str(slices)},
        way_out="save the frames as arrays",
    )


FORMAT = SignalFormat(
    name="avi",
    version=1,
    title="AVI video (writes FFV1, lossless)",
    extensions=(".avi",),
    sniff=sniff,
    gives=Clip,
    describe=describe,
    read=read_file,
    write=write_file,  # type: ignore[arg-type]  # of the kind that `gives` says
)
