"""WAVE files .wav of sound: RIFF, and RF64 or BW64 past 4 GB, with samples that are not compressed.

After "RIFF", a size and "WAVE" follow chunks (a name, a size (u32), the content, a byte of padding after an odd one):
"fmt " with the encoding, channels, rate, bytes a frame and bits a sample, "data" with the frames, and others, which
are skipped. In RF64 the size of "data" stands in the chunk "ds64". Encodings: `_pcm`; WAVE_FORMAT_EXTENSIBLE names
one of them (its channel mask is not kept). MP3, ADPCM and other compressed encodings are refused.

The size of the whole file in the header is not used: programs that are stopped leave it wrong. "data" that declares
more than the file has is read as far as it goes, and what lacks is counted ("missing frames"); a declared size of
2^32 - 1, or of 0 in a file of size 0, is what programs write before they know it, and means up to the end of the file
("size not told"). Bytes that are no whole frame are left out ("partial frames").

Sources: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), RFC 2361, EBU Tech 3306
(RF64), ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats import _sound
from neurodata.formats._contract import Reading, SignalFormat
from neurodata.formats._file import RecordingFile
from neurodata.formats._pcm import ENCODINGS, FLOAT, PCM, Encoding
from neurodata.formats._sound import Sound
from neurodata.signals import Waveform
from neurodata.storage import writing

KINDS = (b"RIFF", b"RF64", b"BW64")
CHUNK = struct.Struct("<4sI")
FMT = struct.Struct("<HHIIHH")  # encoding, channels, rate, bytes a second, bytes a frame, bits a sample
EXTENSIBLE = 0xFFFE
SUBFORMAT = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")  # after the two bytes of the encoding
NOT_TOLD = 0xFFFFFFFF
MOST_CHUNKS = 1000  # before the data; a file of empty chunks is made to keep readers busy
COMPRESSED = {2: "MS ADPCM", 17: "IMA ADPCM", 49: "GSM 6.10", 80: "MPEG", 85: "MP3"}


def sniff(head: bytes, path: Path) -> str | None:
    """None for RIFF of kind WAVE."""
    return None if head[:4] in KINDS and head[8:12] == b"WAVE" else "does not begin as RIFF of kind WAVE"


@dataclass(frozen=True, slots=True)
class _Header:
    sound: Sound
    encoding: Encoding
    data_offset: int
    n_frames: int  # that the file has
    findings: Counter[str]


def describe(path: Path) -> dict[str, object]:
    """rate_hz, n_channels, n_samples (of one channel, as many as the file has), duration_s, subtype ("PCM_16" ...).

    Raises
    ------
    FormatError
        When the file is no WAVE, its samples are compressed, or its header is damaged.
    """
    with RecordingFile(path) as file:
        return _header(file).sound.described()


def read_file(path: Path, start_us: int | None = None, stop_us: int | None = None) -> Reading:
    """A Waveform, float32 [n] or [n, channels], of the frames with start_us <= k / rate_hz < stop_us.

    `findings` counts "missing frames", "partial frames", "size not told" (of the file), "not finite" and "clipped"
    (samples of the slice).

    Raises
    ------
    FormatError
        When the file is no WAVE, its samples are compressed, or its header is damaged.
    """
    with RecordingFile(path) as file:
        header = _header(file)
        first, last = _sound.frames_between(header.n_frames, header.sound.rate_hz, start_us, stop_us)
        samples = _samples(file, header, first, last)
    return Reading(_sound.waveform(samples, header.sound.rate_hz), header.findings)


def _samples(file: RecordingFile, header: _Header, first: int, last: int) -> NDArray[np.float32]:
    n_channels, n_bytes, decode = header.sound.n_channels, header.encoding.n_bytes, header.encoding.decode
    samples = np.empty((last - first) * n_channels, np.float32)
    offset = header.data_offset + first * n_channels * n_bytes
    for at in range(0, len(samples), _sound.BLOCK_SAMPLES):
        block = samples[at : at + _sound.BLOCK_SAMPLES]
        raw = np.empty((len(block), n_bytes), np.uint8)
        file.read_into(raw.reshape(-1), offset + at * n_bytes)
        block[:] = decode(raw)
        if header.encoding.is_fraction:
            _sound.put_right(block, header.findings)
    return samples.reshape(-1, n_channels)


def _header(file: RecordingFile) -> _Header:
    head = file.read(12)
    if (reason := sniff(head, file.path)) is not None:
        raise FormatError(f"{file.path}: byte 0: {reason}; it is another format, or damaged")
    encoding: Encoding | None = None
    sound, long_size = None, NOT_TOLD
    for name, offset, size in _chunks(file):
        if name == b"ds64":
            long_size = int.from_bytes(file.read(16, offset)[8:], "little")
        elif name == b"fmt ":
            encoding, sound = _encoding(file, offset, size)
        elif name == b"data" and (encoding is None or sound is None):
            raise FormatError(f'{file.path}: byte {offset - 8}: "data" stands before "fmt "; the file is damaged')
        elif name == b"data" and encoding is not None and sound is not None:
            is_untold = (size == NOT_TOLD and head[:4] == b"RIFF") or size == 0 == int.from_bytes(head[4:8], "little")
            declared = long_size if size == NOT_TOLD else size
            return _placed(file, sound, encoding, offset, None if is_untold else declared)
    raise FormatError(f'{file.path}: byte {file.size_bytes}: ends without "data"; the file is truncated: get it again')


def _chunks(file: RecordingFile) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset of the content, and size as declared."""
    at = 12
    for _ in range(MOST_CHUNKS):
        head = file.read(CHUNK.size, at)
        if len(head) < CHUNK.size:
            return
        name, size = CHUNK.unpack(head)
        yield name, at + CHUNK.size, size
        at += CHUNK.size + size + size % 2
    raise FormatError(f'{file.path}: byte {at}: no "data" after {MOST_CHUNKS} chunks; the file is damaged')


def _encoding(file: RecordingFile, offset: int, size: int) -> tuple[Encoding, Sound]:
    content = file.read(min(size, 40), offset)
    if len(content) < FMT.size:
        raise FormatError(f'{file.path}: byte {offset}: "fmt " has {len(content)} bytes; expected 16 or more: damaged')
    tag, n_channels, rate_hz, _, frame_bytes, bits = FMT.unpack(content[: FMT.size])
    if tag == EXTENSIBLE and content[26:] == SUBFORMAT:
        tag = int.from_bytes(content[24:26], "little")
    if n_channels == 0 or rate_hz == 0 or frame_bytes != n_channels * ((bits + 7) // 8):
        raise FormatError(
            f"{file.path}: byte {offset}: {n_channels} channels of {bits} bits at {rate_hz} Hz in frames of "
            f"{frame_bytes} bytes, which does not fit together; the file is damaged: get it again"
        )
    encoding = ENCODINGS.get((tag, frame_bytes // n_channels))
    if encoding is None:
        name = COMPRESSED.get(tag, "unknown")
        raise FormatError(
            f"{file.path}: byte {offset}: encoding {tag} ({name}) with {bits} bits a sample; read are whole numbers of "
            "8 to 32 bits, float, mu-law and A-law: convert it to PCM"
        )
    return encoding, Sound(rate_hz, n_channels, None, encoding.name)


def _placed(file: RecordingFile, sound: Sound, encoding: Encoding, offset: int, declared: int | None) -> _Header:
    """The header, with the data compared with the size of the file."""
    frame_bytes = sound.n_channels * encoding.n_bytes
    there = max(0, file.size_bytes - offset)
    n_declared, n_there = (there if declared is None else declared) // frame_bytes, there // frame_bytes
    n_bytes = there if declared is None else min(declared, there)
    findings = Counter(
        {
            "size not told": int(declared is None),
            "missing frames": max(0, n_declared - n_there),
            "partial frames": int(n_bytes % frame_bytes > 0),
        }
    )
    n_frames = n_bytes // frame_bytes
    told = Sound(sound.rate_hz, sound.n_channels, n_frames, sound.subtype)
    return _Header(told, encoding, offset, n_frames, +findings)


def write_file(signal: Waveform, path: Path) -> None:
    """16-bit whole numbers where these hold every sample exactly, else float32: what is read is what was written.

    Samples [n, 1] are read as [n].

    Raises
    ------
    FormatError
        When samples are not finite or leave [-1, 1], the rate is no whole number, or the file would pass 4 GB.
    """
    sound = _sound.frames_to_write(signal, path, "wav", highest_rate_hz=2**32 - 1, most_channels=16383)
    is_pcm = _sound.holds(signal.samples, 16)
    n_bytes = signal.samples.size * (2 if is_pcm else 4)
    if n_bytes > NOT_TOLD - 100:
        raise FormatError(f"{path}: {n_bytes} bytes of samples; wav holds at most 4 GB: write it in pieces, or as flac")
    with writing(path) as file:
        file.write(_head(sound, is_pcm, n_bytes))
        _write_samples(file, signal.samples, is_pcm)


def _head(sound: Sound, is_pcm: bool, n_bytes: int) -> bytes:
    sample_bytes = 2 if is_pcm else 4
    frame_bytes = sound.n_channels * sample_bytes
    second_bytes = min(sound.rate_hz * frame_bytes, 2**32 - 1)
    tag = PCM if is_pcm else FLOAT
    fmt = FMT.pack(tag, sound.n_channels, sound.rate_hz, second_bytes, frame_bytes, 8 * sample_bytes)
    # All but PCM have the size of an extension, here none, and the number of frames.
    more = b"" if is_pcm else bytes(2)
    fact = b"" if is_pcm else CHUNK.pack(b"fact", 4) + struct.pack("<I", n_bytes // frame_bytes)
    chunks = CHUNK.pack(b"fmt ", len(fmt + more)) + fmt + more + fact + CHUNK.pack(b"data", n_bytes)
    return CHUNK.pack(b"RIFF", 4 + len(chunks) + n_bytes) + b"WAVE" + chunks


def _write_samples(file: BinaryIO, samples: NDArray[np.float32], is_pcm: bool) -> None:
    for first in range(0, len(samples), _sound.BLOCK_SAMPLES):
        block = samples[first : first + _sound.BLOCK_SAMPLES]
        file.write(((block * np.float32(2**15)).astype("<i2") if is_pcm else block.astype("<f4")).tobytes())


FORMAT = SignalFormat(
    name="wav",
    version=1,
    title="WAVE .wav: sound, not compressed",
    extensions=(".wav", ".wave"),
    sniff=sniff,
    gives=Waveform,
    describe=describe,
    read=read_file,
    write=write_file,  # type: ignore[arg-type]  # of the kind that `gives` says
)
