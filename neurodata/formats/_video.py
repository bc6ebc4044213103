"""Video: containers opened by the extra `video` (PyAV, which is FFmpeg's libraries), read to and written from a Clip.

Frames are in the order in which they are shown, uint8 RGB [n, height, width, 3]; YCbCr is converted by swscale's
default (BT.601 where the stream does not tell; the last bits may differ between types of processor). Of the streams,
the first one of video is read; pictures attached to sound are none. A rotation that players apply is not applied, and
counted; so are frames that do not stand on the even grid of `fps`.

Files are not trusted: the container is stated, not guessed, and read through Python, so that FFmpeg opens no other
file or address; only codecs of CODECS are run; frames have at most 64 megapixels, and a clip at most 8 GiB.
FFmpeg decodes in one thread: more did not pay (250 frames of 640x272: 0.11 s alone, 0.12 s in two), and loaders and
pipelines have threads of their own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, MissingExtraError, NeurodataError
from neurodata.formats._contract import Reading
from neurodata.formats._file import RecordingFile
from neurodata.signals import Clip
from neurodata.storage import writing

CODECS = (
    "h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg1video", "mpeg2video", "mpeg4",
    "msmpeg4v1", "msmpeg4v2", "msmpeg4", "h263", "wmv1", "wmv2", "mjpeg", "prores", "dvvideo", "cinepak", "png",
    "rawvideo", "ffv1", "huffyuv", "ffvhuff",
)  # fmt: skip
MOST_PIXELS = 1 << 26  # of a frame: 8K has half of it
MOST_BYTES = 1 << 33  # of a clip; equal frames pack so well that the size of a file bounds nothing
LIMITS = {"codec_whitelist": ",".join(CODECS), "max_pixels": str(MOST_PIXELS)}
HIGHEST_FPS = 1000  # written: past it, and below its inverse, containers round times until frames are lost
FINEST_FPS = 1_000_000  # denominators of rates that are written
ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC


@dataclass(frozen=True, slots=True)
class Container:
    """A container by FFmpeg's name; where it has no times of frames, frame k is shown at the place of packet k."""

    name: str
    has_times: bool


def library(path: Path) -> Any:
    """The module av."""
    try:
        return import_module("av")
    except ImportError as error:
        raise MissingExtraError(
            f'{path}: video is read and written by PyAV: pip install "neurodata-pipeline[video]"'
        ) from error


@contextmanager
def damage_named(path: Path, verb: str, way_out: str) -> Iterator[None]:
    """Turns what PyAV raises into a FormatError."""
    failures = (library(path).error.FFmpegError, ValueError, ArithmeticError)
    try:
        yield
    except NeurodataError:
        raise
    except failures as error:
        raise FormatError(f"{path}: video cannot be {verb} ({getattr(error, 'strerror', error)}); {way_out}") from error


class _Bytes:
    """A file as PyAV reads it."""

    def __init__(self, file: RecordingFile) -> None:
        self.file = file
        self.at = 0

    def read(self, n_bytes: int) -> bytes:
        found = self.file.read(n_bytes, self.at)
        self.at += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = max(0, offset + (0, self.at, self.file.size_bytes)[whence])
        return self.at

    def tell(self) -> int:
        return self.at


@contextmanager
def _opened(path: Path, kind: Container) -> Iterator[tuple[Any, Any]]:
    """The container and its stream of video."""
    with RecordingFile(path) as file, damage_named(path, "read", "the file is truncated or damaged: get it again"):
        av = library(path)
        with av.open(_Bytes(file), format=kind.name, options=LIMITS, metadata_errors="replace") as container:
            yield container, _stream(path, container)


def _stream(path: Path, container: Any) -> Any:
    pictures = [s for s in container.streams.video if not s.disposition & ATTACHED_PICTURE]
    if not pictures:
        found = ", ".join(sorted({str(s.type) for s in container.streams})) or "nothing"
        raise FormatError(f"{path}: it holds {found}, no video; the file is of another kind, or damaged")
    stream = pictures[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS:
        name = "unknown" if context is None else context.name
        raise FormatError(f"{path}: its codec is {name}; read are {', '.join(CODECS)}: convert it to H.264")
    context.thread_count, context.thread_type = 1, "NONE"
    context.options = {"max_pixels": LIMITS["max_pixels"]}
    return stream


def describe(path: Path, kind: Container) -> dict[str, object]:
    """width, height, fps, n_frames (None where not told), duration_s (the same) and codec.

    FFmpeg decodes the first frames of some files to find these out.

    Raises
    ------
    FormatError
        When the file holds no video that can be read, or its header is damaged.
    MissingExtraError
        When PyAV is not installed.
    """
    with _opened(path, kind) as (_, stream):
        told_s = None if stream.duration is None else float(stream.duration * stream.time_base)
        return {
            "width": stream.codec_context.width,
            "height": stream.codec_context.height,
            "fps": float(_rate(path, stream)),
            "n_frames": stream.frames or None,
            "duration_s": told_s,
            "codec": stream.codec_context.name,
        }


def _rate(path: Path, stream: Any) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    if rate is None or rate <= 0 or stream.time_base is None or stream.time_base <= 0:
        raise FormatError(f"{path}: the stream tells no frame rate; the file is damaged: get it again")
    return Fraction(rate)


def read(path: Path, kind: Container, start_us: int | None, stop_us: int | None) -> Reading:
    """A Clip of the frames with start_us <= t < stop_us, t being counted from the stream's start.

    `findings` counts "damaged frames" (FFmpeg put something in), "uneven frames" (shown more than half an interval
    off the even grid that begins with the first frame), "rotated frames" (shown in another rotation), and, where all
    frames are asked for, "missing frames": those that the header tells of and that are not there or never shown.

    Raises
    ------
    FormatError
        When the file is damaged, holds no video of a known codec, changes its size, or asks for more than 8 GiB.
    MissingExtraError
        When PyAV is not installed.
    """
    begins_later = start_us is not None and start_us > 0
    window = _Window(path, start_us if begins_later else None, stop_us)
    with _opened(path, kind) as (container, stream):
        rate = _rate(path, stream)
        told, size = int(stream.frames), (max(0, stream.codec_context.height), max(0, stream.codec_context.width))
        is_sought = begins_later and kind.has_times
        if is_sought:
            container.seek(_ticks(start_us or 0, stream), stream=stream)
        is_found = window.collect(_timed(container, stream, kind), only_from_before=is_sought)
    if not is_found:
        with _opened(path, kind) as (container, stream):
            window.collect(_timed(container, stream, kind), only_from_before=False)
    is_whole = not begins_later and stop_us is None
    if is_whole and not window.frames:
        raise FormatError(f"{path}: no frame can be decoded; the file is truncated or damaged: get it again")
    findings = window.findings
    findings["missing frames"] = max(0, told - len(window.frames)) if is_whole else 0
    findings["uneven frames"] = _n_uneven(window.times_us, rate)
    return Reading(Clip(_stacked(window.frames, size), float(rate)), +findings)


def _ticks(time_us: int, stream: Any) -> int:
    """The last tick of the stream's clock at or before a time."""
    return int(Fraction(time_us, 1_000_000) / stream.time_base // 1) + (stream.start_time or 0)


def _timed(container: Any, stream: Any, kind: Container) -> Iterator[tuple[Any, Fraction]]:
    """Frames in the order of showing, and their times in us."""
    places: deque[int] = deque()
    ticks = -1
    for packet in container.demux(stream):
        if packet.size and packet.dts is not None:
            places.append(packet.dts)
        for frame in packet.decode():
            if kind.has_times and frame.pts is not None:
                ticks = frame.pts
            else:
                ticks = places.popleft() if places and not kind.has_times else ticks + 1
            yield frame, (ticks - (stream.start_time or 0)) * Fraction(stream.time_base) * 1_000_000


class _Window:
    """The frames of a time window, as they come."""

    def __init__(self, path: Path, start_us: int | None, stop_us: int | None) -> None:
        self.path = path
        self.start_us, self.stop_us = start_us, stop_us
        self.frames: list[NDArray[np.uint8]] = []
        self.times_us: list[Fraction] = []
        self.findings: Counter[str] = Counter()
        self.n_bytes = 0

    def collect(self, timed: Iterator[tuple[Any, Fraction]], only_from_before: bool) -> bool:
        """Take all frames; False, and none taken, if the first one is later than the start and must not be."""
        for k, (frame, time_us) in enumerate(timed):
            if k == 0 and only_from_before and time_us > (self.start_us or 0):
                return False
            if self.stop_us is not None and time_us >= self.stop_us:
                break
            if self.start_us is None or time_us >= self.start_us:
                self._take(frame, time_us)
        return True

    def _take(self, frame: Any, time_us: Fraction) -> None:
        k = len(self.frames)
        height, width = frame.height, frame.width
        if self.frames and (height, width) != self.frames[0].shape[:2]:
            was_height, was_width = self.frames[0].shape[:2]
            raise FormatError(
                f"{self.path}: frame {k} of those asked for has {width}x{height} pixels, the frames before "
                f"{was_width}x{was_height}; a clip has one size: convert it, or read it in slices"
            )
        self.n_bytes += 3 * height * width
        if height * width > MOST_PIXELS or self.n_bytes > MOST_BYTES:
            raise FormatError(
                f"{self.path}: {k + 1} frames of {width}x{height} pixels; at most {MOST_PIXELS} pixels a frame and "
                f"{MOST_BYTES} bytes a clip are read: give start_us and stop_us, or scale it down"
            )
        self.frames.append(frame.to_ndarray(format="rgb24", threads=1))  # [height, width, 3]
        self.times_us.append(time_us)
        self.findings["damaged frames"] += frame.is_corrupt
        self.findings["rotated frames"] += frame.rotation != 0


def _n_uneven(times_us: list[Fraction], rate: Fraction) -> int:
    interval_us = 1_000_000 / rate
    return sum(abs(t - times_us[0] - k * interval_us) > interval_us / 2 for k, t in enumerate(times_us))


def _stacked(frames: list[NDArray[np.uint8]], size: tuple[int, int]) -> NDArray[np.uint8]:
    """One array of the frames, which are let go as they are copied; `size` is that of no frames."""
    stacked = np.empty((len(frames), *(frames[0].shape[:2] if frames else size), 3), np.uint8)  # [n, height, width, 3]
    for k in range(len(frames) - 1, -1, -1):
        stacked[k] = frames.pop()
    return stacked


def write(
    clip: Clip, path: Path, kind: Container, *, codec: str, pixel_format: str, options: dict[str, str], way_out: str
) -> None:
    """Encode a clip in one thread: the same bytes for the same frames, with the same build of FFmpeg.

    Parameters
    ----------
    clip
        [n, height, width, 3], at least one frame.
    path, kind
        The file, and its container.
    codec, pixel_format, options
        Of the encoder, by FFmpeg's names.
    way_out
        For the message where PyAV's build has no such encoder.

    Raises
    ------
    FormatError
        When there is no frame, they are not RGB, the rate cannot be written, or the encoder refuses.
    MissingExtraError
        When PyAV is not installed.
    """
    av = library(path)
    n, height, width, n_channels = clip.frames.shape
    if 0 in (n, height, width) or n_channels != 3:
        raise FormatError(f"{path}: frames are {clip.frames.shape}; expected [n, height, width, 3] and none of them 0")
    if not 1 / HIGHEST_FPS <= clip.fps <= HIGHEST_FPS:
        raise FormatError(f"{path}: fps is {clip.fps}; written are 1/{HIGHEST_FPS} to {HIGHEST_FPS}: state another one")
    if codec not in av.codecs_available:
        raise FormatError(f"{path}: this build of PyAV has no encoder {codec}; {way_out}")
    rate = Fraction(clip.fps).limit_denominator(FINEST_FPS)
    with (
        writing(path) as file,
        damage_named(path, "written", way_out),
        av.open(file, "w", format=kind.name, options={"fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream(codec, rate=rate, options=options | {"flags": "+bitexact"})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.thread_count = 1
        for k, pixels in enumerate(clip.frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = k, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
