"""Clips whose content is known, to be written, encoded and read back."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np

from neurodata.signals import Clip


def moving_square(n: int = 30, height: int = 48, width: int = 64) -> Clip:
    """A white square that moves by two pixels a frame over a grey ground which grows brighter; 25 frames a second."""
    frames = np.empty((n, height, width, 3), np.uint8)  # [n, height, width, 3]
    frames[:] = (40 + 2 * np.arange(n) % 100)[:, None, None, None]
    for k in range(n):
        frames[k, 10:20, 2 * k % (width - 10) : 2 * k % (width - 10) + 10] = 255
    return Clip(frames, 25.0)


def encoded(
    clip: Clip,
    container: str,
    codec: str,
    pixel_format: str,
    ticks: list[int] | None = None,
    **options: str,
) -> bytes:
    """A file made by plain calls of PyAV; frame k is shown at ticks[k] / 1000 s, or at k / fps."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=Fraction(clip.fps), options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = clip.frames.shape[1:3]
        stream.pix_fmt = pixel_format
        time_base = 1 / Fraction(clip.fps) if ticks is None else Fraction(1, 1000)
        stream.codec_context.time_base = time_base
        for k, pixels in enumerate(clip.frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = (k if ticks is None else ticks[k]), time_base
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


def sound_only(container: str) -> bytes:
    """A file with a stream of sound and none of video."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        stream = target.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()
