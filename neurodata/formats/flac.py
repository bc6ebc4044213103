"""FLAC .flac: sound, compressed without loss; whole numbers of 8 to 24 bits.

The block STREAMINFO, which every file begins with, is read here; frames are decoded by libsndfile (extra `audio`).
When a file is read whole, its samples are compared with the MD5 sum that the header has of them, if it has one.
Frames that the header tells of and that do not come are counted ("missing frames"). A slice is found by libFLAC's
search; where the header does not tell the number of frames, by reading from the start.

FLAC inside Ogg and files that begin with an ID3 tag are not read. Source: RFC 9639.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, MissingExtraError, NeurodataError
from neurodata.formats import _sound
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.formats._sound import Sound
from neurodata.signals import Waveform
from neurodata.storage import writing

MAGIC = b"fLaC"
STREAMINFO = struct.Struct(">4sB3s2H6sQ16s")  # magic, type, size, block sizes, frame sizes, fields of bits, MD5
MOST_FRAMES = 1 << 36  # that STREAMINFO can tell
# 4 GiB. A file of silence packs 100,000 to 1, so that the size of a file bounds nothing.
MOST_SAMPLES = 1 << 30
BITS_WRITTEN = (16, 24)


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins with the magic word."""
    return None if head.startswith(MAGIC) else f"does not begin with {MAGIC.decode()}"


def library(path: Path) -> Any:
    """The module soundfile."""
    try:
        return import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: the wheel has no libsndfile, and the system none either
        raise MissingExtraError(
            f'{path}: FLAC is read and written by soundfile: pip install "neurodata-pipeline[audio]"'
        ) from error


@dataclass(frozen=True, slots=True)
class _Header:
    sound: Sound
    bits: int
    md5: bytes  # zeros: not told


def describe(path: Path) -> dict[str, object]:
    """rate_hz, n_channels, n_samples (of one channel), duration_s, subtype ("PCM_16" ...); None where not told.

    Raises
    ------
    FormatError
        When the file is no FLAC, or its header is damaged.
    """
    return _header(path).sound.described()


def _header(path: Path) -> _Header:
    with RecordingFile(path) as file:
        head = file.read(STREAMINFO.size)
    if (reason := sniff(head, path)) is not None:
        raise FormatError(f"{path}: byte 0: {reason}; it is another format, or damaged")
    if len(head) < STREAMINFO.size:
        raise FormatError(f"{path}: {len(head)} bytes where the header has {STREAMINFO.size}; truncated: get it again")
    _, kind, size, _, _, _, fields, md5 = STREAMINFO.unpack(head)
    rate_hz, n_channels, bits = fields >> 44, (fields >> 41 & 7) + 1, (fields >> 36 & 31) + 1
    if kind & 0x7F or size != b"\x00\x00\x22" or rate_hz == 0 or bits < 4:
        raise FormatError(
            f"{path}: byte 4: block of type {kind & 0x7F} and {int.from_bytes(size, 'big')} bytes, {rate_hz} Hz, "
            f"{bits} bits; expected STREAMINFO (type 0, 34 bytes): the file is damaged: get it again"
        )
    return _Header(Sound(rate_hz, n_channels, fields % MOST_FRAMES or None, f"PCM_{bits}"), bits, md5)


def read_file(path: Path, start_us: int | None = None, stop_us: int | None = None) -> Reading:
    """A Waveform, float32 [n] or [n, channels], of the frames with start_us <= k / rate_hz < stop_us.

    `findings` counts "missing frames" of those asked for.

    Raises
    ------
    FormatError
        When the file is damaged, its samples are not those of its MD5 sum, or more than 2^30 samples are asked for.
    MissingExtraError
        When soundfile is not installed.
    """
    header = _header(path)
    sound = header.sound
    first, last = _sound.frames_between(sound.n_frames or MOST_FRAMES, sound.rate_hz, start_us, stop_us)
    is_whole = (first, last) == (0, sound.n_frames or MOST_FRAMES)
    total = hashlib.md5(usedforsecurity=False)
    blocks = []
    n_samples = 0
    for numbers in _decoded(path, sound, first, last):
        n_samples += numbers.size
        if n_samples > MOST_SAMPLES:
            raise FormatError(
                f"{path}: more than {MOST_SAMPLES} samples; read it in slices, with start_us= and stop_us="
            )
        if is_whole:
            total.update(_stored(numbers, header.bits))
        blocks.append(numbers.astype(np.float32) * np.float32(2**-31))
    samples = np.concatenate(blocks) if blocks else np.empty((0, sound.n_channels), np.float32)  # [n, channels]
    n_missing = last - first - len(samples) if sound.n_frames else 0
    if is_whole and not n_missing and any(header.md5) and total.digest() != header.md5:
        raise FormatError(f"{path}: byte 26: the samples do not have the MD5 sum of the header; damaged: get it again")
    return Reading(_sound.waveform(samples, sound.rate_hz), +Counter({"missing frames": n_missing}))


def _decoded(path: Path, sound: Sound, first: int, last: int) -> Iterator[NDArray[np.int32]]:
    """Frames first to last - 1 as far as there are, in blocks [n, channels], shifted to the upper bits of int32."""
    with _opened(path) as file:
        if (file.samplerate, file.channels) != (sound.rate_hz, sound.n_channels):
            raise FormatError(f"{path}: the header is read as {file.samplerate} Hz, {file.channels} channels: damaged")
        at = first if sound.n_frames and first else 0
        if at and first < last:
            file.seek(at)
        while at < last:
            n = min(_sound.BLOCK_SAMPLES // sound.n_channels, (first if at < first else last) - at)
            numbers = file.read(n, dtype="int32", always_2d=True)  # [n, channels]
            if len(numbers) == 0:
                return
            if at >= first:
                yield numbers
            at += len(numbers)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, to read; what libsndfile raises on damage is a FormatError."""
    soundfile = library(path)
    try:
        with _forward(soundfile)(path) as file:
            yield file
    except NeurodataError:
        raise
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise FormatError(f"{path}: FLAC cannot be decoded ({error}); the file is damaged: get it again") from error


def _forward(soundfile: Any) -> Any:
    """SoundFile without its search after each read, which fails where the header tells more frames than there are."""

    class Forward(soundfile.SoundFile):  # type: ignore[misc]  # of a module that is loaded when it is needed
        def seekable(self) -> bool:
            return False

    return Forward


def _stored(numbers: NDArray[np.int32], bits: int) -> bytes:
    """Samples as the MD5 sum has them: in the order of the file, little-endian, in whole bytes."""
    n_bytes = (bits + 7) // 8
    return (numbers >> 32 - bits).astype("<i4").reshape(-1, 1).view(np.uint8)[:, :n_bytes].tobytes()


def write_file(signal: Waveform, path: Path) -> None:
    """16-bit whole numbers where these hold every sample exactly, else 24-bit: what is read is what was written.

    Samples [n, 1] are read as [n].

    Raises
    ------
    FormatError
        When samples are no whole numbers of 24 bits, not finite, or leave [-1, 1), there are none, or more than 8
        channels, or the rate is none of FLAC's: whole numbers up to 65535 Hz, multiples of ten up to 655350 Hz.
    MissingExtraError
        When soundfile is not installed.
    """
    soundfile = library(path)
    sound = _sound.frames_to_write(signal, path, "flac", highest_rate_hz=655350, most_channels=8)
    bits = next((bits for bits in BITS_WRITTEN if _sound.holds(signal.samples, bits)), None)
    if len(signal.samples) == 0:
        raise FormatError(f"{path}: no samples; libsndfile writes no FLAC of none: write wav")
    if bits is None:
        raise FormatError(
            f"{path}: samples are no whole numbers of 24 bits (k / 2^23, below 1); flac would round them: write wav, "
            "or round them"
        )
    if sound.rate_hz > 65535 and sound.rate_hz % 10:
        raise FormatError(f"{path}: rate_hz is {sound.rate_hz}; past 65535 flac holds multiples of ten: write wav")
    with (
        writing(path) as target,
        soundfile.SoundFile(target, "w", sound.rate_hz, sound.n_channels, f"PCM_{bits}", format="FLAC") as file,
    ):
        for first in range(0, len(signal.samples), _sound.BLOCK_SAMPLES):
            block = signal.samples[first : first + _sound.BLOCK_SAMPLES]
            file.write((block * np.float32(2**23)).astype(np.int32) << 8)


FORMAT = SignalFormat(
    name="flac",
    version=1,
    title="FLAC .flac: sound, compressed without loss",
    extensions=(".flac",),
    sniff=sniff,
    gives=Waveform,
    describe=describe,
    read=read_file,
    write=write_file,  # type: ignore[arg-type]  # of the kind that `gives` says
)
