from __future__ import annotations

import struct
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Reading, read, write
from neurodata.signals import Waveform
from tests.golden.wav import chunk

WAV = registry.formats["wav"]
SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")


def fmt(
    tag: int = 1, n_channels: int = 1, bits: int = 16, rate_hz: int = 8000, frame_bytes: int | None = None
) -> bytes:
    frame_bytes = n_channels * ((bits + 7) // 8) if frame_bytes is None else frame_bytes
    return struct.pack("<HHIIHH", tag, n_channels, rate_hz, rate_hz * frame_bytes, frame_bytes, bits)


def riff(*chunks: bytes, kind: bytes = b"RIFF", size: int | None = None) -> bytes:
    return chunk(kind, b"WAVE" + b"".join(chunks), size)


def wav(data: bytes, header: bytes | None = None, data_size: int | None = None) -> bytes:
    return riff(chunk(b"fmt ", fmt() if header is None else header), chunk(b"data", data, data_size))


def reading_of(folder: Path, content: bytes, start_us: int | None = None, stop_us: int | None = None) -> Reading:
    path = folder / "sound.wav"
    path.write_bytes(content)
    found: Reading = WAV.read(path, start_us, stop_us)
    assert isinstance(found.signal, Waveform)
    assert found.signal.samples.dtype == np.float32
    return found


def samples_of(folder: Path, content: bytes) -> list:
    found = reading_of(folder, content)
    assert found.findings == {}
    samples: list = found.signal.samples.tolist()  # type: ignore[union-attr]
    return samples


@pytest.mark.parametrize(
    ("bits", "data", "expected"),
    [
        (8, b"\x80\x00\xff\xc0", [0, -1, 127 / 128, 0.5]),
        (16, struct.pack("<4h", 0, -32768, 32767, 16384), [0, -1, 32767 / 32768, 0.5]),
        (24, b"\x00\x00\x00\x00\x00\x80\xff\xff\x7f\x01\x00\x00", [0, -1, 1 - 2**-23, 2**-23]),
        (32, struct.pack("<4i", 0, -(2**31), 2**30, 2**8), [0, -1, 0.5, 2**-23]),
        # Twelve bits stand in the upper ones of two bytes.
        (12, struct.pack("<4h", 0, -32768, 16384, 16), [0, -1, 0.5, 2**-11]),
    ],
)
def test_whole_numbers_are_divided_by_half_their_range(
    tmp_path: Path, bits: int, data: bytes, expected: list[float]
) -> None:
    assert samples_of(tmp_path, wav(data, fmt(bits=bits))) == expected


def test_fractions_are_kept_put_right_and_counted(tmp_path: Path) -> None:
    values = [0.25, -1.0, 1.0, float("nan"), float("inf"), 1.5, -3e38]
    for bits, code in ((32, "f"), (64, "d")):
        found = reading_of(tmp_path, wav(struct.pack(f"<7{code}", *values), fmt(3, bits=bits)))
        assert found.signal.samples.tolist() == [0.25, -1, 1, 0, 0, 1, -1]  # type: ignore[union-attr]
        assert found.findings == {"not finite": 2, "clipped": 2}
    found = reading_of(tmp_path, wav(struct.pack("<2d", 1e300, 0.5), fmt(3, bits=64)))
    assert found.signal.samples.tolist() == [0, 0.5]  # type: ignore[union-attr]
    assert found.findings == {"not finite": 1}


def test_channels_are_columns_and_one_channel_has_none(tmp_path: Path) -> None:
    data = struct.pack("<6h", *range(0, 6 * 4096, 4096))
    assert samples_of(tmp_path, wav(data, fmt(n_channels=2))) == [[0, 1 / 8], [2 / 8, 3 / 8], [4 / 8, 5 / 8]]
    assert samples_of(tmp_path, wav(data)) == [0, 1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8]


def test_an_extensible_header_names_its_encoding(tmp_path: Path) -> None:
    def extensible(tag: int, subformat: bytes = SUBFORMAT, valid_bits: int = 16) -> bytes:
        return fmt(0xFFFE) + struct.pack("<HHIH", 22, valid_bits, 4, tag) + subformat

    assert samples_of(tmp_path, wav(struct.pack("<2h", 1, -16384), extensible(1))) == [2**-15, -0.5]
    for header in (extensible(0x55), extensible(1, bytes(14)), fmt(0xFFFE)):
        with pytest.raises(FormatError, match=r"byte 20: encoding \d+ .* convert it to PCM"):
            reading_of(tmp_path, wav(bytes(4), header))


def test_other_chunks_are_skipped_with_their_padding(tmp_path: Path) -> None:
    odd, cue = chunk(b"LIST", b"odd"), chunk(b"cue ", b"")
    parts = (odd, chunk(b"fmt ", fmt(bits=8)), cue, odd, chunk(b"data", b"\x00\x80\xc0"), odd)
    assert samples_of(tmp_path, riff(*parts)) == [-1, 0, 0.5]


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_the_long_size_of_rf64_is_the_size(tmp_path: Path, kind: bytes) -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, 4, 2, 0))
    parts = (sizes, chunk(b"fmt ", fmt()), chunk(b"data", struct.pack("<2h", 1, 2), 2**32 - 1), b"more bytes")
    assert samples_of(tmp_path, riff(*parts, kind=kind, size=2**32 - 1)) == [2**-15, 2**-14]


@pytest.mark.parametrize(
    ("content", "n_frames", "findings"),
    [
        (wav(bytes(10), data_size=4_000_000_000), 5, {"missing frames": 1_999_999_995}),
        (wav(bytes(9)[:9], data_size=20)[:-1], 4, {"missing frames": 6, "partial frames": 1}),
        (wav(bytes(9)), 4, {"partial frames": 1}),
        (wav(bytes(10), data_size=2**32 - 1), 5, {"size not told": 1}),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", bytes(10), 0), size=0), 5, {"size not told": 1}),
        (wav(b""), 0, {}),
        (wav(b"") + b"LIST" + bytes(30), 0, {}),
    ],
)
def test_a_size_that_is_not_so_is_put_right_and_counted(
    tmp_path: Path, content: bytes, n_frames: int, findings: dict[str, int]
) -> None:
    found = reading_of(tmp_path, content)
    assert found.signal.samples.shape == (n_frames,)  # type: ignore[union-attr]
    assert found.findings == findings
    assert WAV.describe(tmp_path / "sound.wav")["n_samples"] == n_frames


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "byte 0: does not begin as RIFF of kind WAVE"),
        (b"RIFX" + wav(b"")[4:], "byte 0: does not begin as RIFF"),
        (wav(b"")[:30], r'byte 20: "fmt " has 10 bytes; expected 16'),
        (wav(b"")[:40], r'byte 40: ends without "data"; the file is truncated'),
        (riff(chunk(b"data", b""), chunk(b"fmt ", fmt())), r'byte 12: "data" stands before "fmt "'),
        (wav(b"", fmt(n_channels=0)), "byte 20: 0 channels of 16 bits at 8000 Hz in frames of 0 bytes"),
        (wav(b"", fmt(rate_hz=0)), "byte 20: 1 channels of 16 bits at 0 Hz"),
        (wav(b"", fmt(frame_bytes=3)), "in frames of 3 bytes, which does not fit together"),
        (wav(b"", fmt(tag=0x55, bits=16)), r"encoding 85 \(MP3\) with 16 bits a sample; .*convert it to PCM"),
        (wav(b"", fmt(tag=17, bits=4)), r"encoding 17 \(IMA ADPCM\)"),
        (wav(b"", fmt(bits=48)), r"encoding 1 \(unknown\) with 48 bits"),
        (riff(chunk(b"JUNK", b"") * 2000), r'byte 8012: no "data" after 1000 chunks'),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"sound\.wav: .*{message}"):
        reading_of(tmp_path, content)
    with pytest.raises(FormatError, match=rf"sound\.wav: .*{message}"):
        WAV.describe(tmp_path / "sound.wav")


def test_frame_k_has_the_time_k_over_the_rate_by_hand(tmp_path: Path) -> None:
    content = wav(struct.pack("<4h", 0, 1, 2, 3), fmt(rate_hz=3))  # at 0, 333333.3, 666666.6 and 1000000 us
    cases = {(None, 333_333): 1, (None, 333_334): 2, (333_334, None): 2, (333_333, 666_667): 2, (1_000_000, None): 1}
    for window, n in cases.items():
        assert len(reading_of(tmp_path, content, *window).signal.samples) == n  # type: ignore[union-attr]


def test_a_slice_is_the_whole_and_a_mask(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    write(Waveform(np.arange(-500, 500, dtype=np.float32).reshape(500, 2) / 1024, 44100.0), path)
    whole = WAV.read(path, None, None).signal.samples
    limits = st.none() | st.integers(-100, 12_000) | st.integers(-(2**62), 2**62)

    @given(limits, limits)
    def law(start_us: int | None, stop_us: int | None) -> None:
        k = np.arange(500) * 1_000_000
        inside = np.ones(500, bool)
        if start_us is not None:
            inside &= k >= start_us * 44100 if abs(start_us) < 1e6 else start_us < 0
        if stop_us is not None:
            inside &= k < stop_us * 44100 if abs(stop_us) < 1e6 else stop_us > 0
        assert np.array_equal(read(path, start_us=start_us, stop_us=stop_us).samples, whole[inside])  # type: ignore[union-attr]

    law()


def test_large_files_are_read_as_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.linspace(-1, 1, 3000, dtype=np.float32).reshape(1000, 3)
    monkeypatch.setattr("neurodata.formats._sound.BLOCK_SAMPLES", 7)
    write(Waveform(samples, 8000.0), tmp_path / "a.wav")
    small = read(tmp_path / "a.wav", start_us=1000)
    monkeypatch.undo()
    assert np.array_equal(read(tmp_path / "a.wav").samples, samples)  # type: ignore[union-attr]
    assert np.array_equal(small.samples, samples[8:])  # type: ignore[union-attr]


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30)
    | st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1),
    st.integers(1, 4),
    st.integers(1, 200_000),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: list, n: int, rate_hz: int) -> None:
    is_whole = all(isinstance(value, int) for value in values)
    samples = np.tile(np.array(values, np.float32)[:, None] / (2**15 if is_whole else 1), (1, n))
    path = tmp_path_factory.getbasetemp() / "law.wav"
    write(Waveform(samples, float(rate_hz)), path)
    found = WAV.read(path, None, None)
    assert np.array_equal(found.signal.samples, samples[:, 0] if n == 1 else samples)
    assert (found.signal.rate_hz, found.findings) == (rate_hz, {})
    is_16_bit = all(float(value * 2**15).is_integer() and value < 1 for value in samples.ravel().tolist())
    assert WAV.describe(path)["subtype"] == ("PCM_16" if is_16_bit else "FLOAT")


def test_a_written_file_is_the_specifications(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write(Waveform(np.array([[0, 0.5], [-1, 2**-15]], np.float32), 16000.0), path)
    assert path.read_bytes() == wav(struct.pack("<4h", 0, 16384, -32768, 1), fmt(1, 2, 16, 16000))
    with wave.open(str(path)) as other:
        assert (other.getnchannels(), other.getframerate(), other.getsampwidth(), other.getnframes()) == (
            2,
            16000,
            2,
            2,
        )
    write(Waveform(np.array([1, 0.1], np.float32), 16000.0), path)
    assert path.read_bytes() == riff(
        chunk(b"fmt ", fmt(3, 1, 32, 16000) + bytes(2)),
        chunk(b"fact", struct.pack("<I", 2)),
        chunk(b"data", struct.pack("<2f", 1, 0.1)),
    )
    write(Waveform(np.empty(0, np.float32), 16000.0), path)
    assert WAV.describe(path) == {
        "rate_hz": 16000, "n_channels": 1, "n_samples": 0, "duration_s": 0.0, "subtype": "PCM_16"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (Waveform(np.array([0, np.nan], np.float32), 8000.0), "samples reach from nan to nan; expected numbers"),
        (Waveform(np.array([0, 1.5], np.float32), 8000.0), r"samples reach from 0\.0 to 1\.5; .*scale them"),
        (Waveform(np.zeros(2, np.float32), 8000.5), r"rate_hz is 8000\.5; wav holds whole numbers"),
        (Waveform(np.zeros((2, 0), np.float32), 8000.0), "0 channels; wav holds 1 to"),
        (Waveform(np.zeros(60, np.float32), 8000.0), "120 bytes of samples; wav holds at most 4 GB"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(
    tmp_path: Path, signal: Waveform, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats.wav.NOT_TOLD", 200)  # for 2^32 - 1: the headers take 100
    (tmp_path / "a.wav").write_bytes(b"old")
    with pytest.raises(FormatError, match=rf"a\.wav: {message}"):
        write(signal, tmp_path / "a.wav")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.wav", b"old")]


def test_soundfile_and_scipy_read_what_we_write_and_we_read_what_they_write(tmp_path: Path) -> None:
    soundfile, scipy_wav = pytest.importorskip("soundfile"), pytest.importorskip("scipy.io.wavfile")
    rng = np.random.default_rng(0)
    path = tmp_path / "a.wav"
    for samples in (
        rng.integers(-(2**15), 2**15, (700, 3)).astype(np.float32) / 2**15,
        rng.uniform(-1, 1, 999).astype(np.float32),
    ):
        write(Waveform(samples, 22050.0), path)
        theirs, rate_hz = soundfile.read(path, dtype="float32")
        assert (np.array_equal(theirs, samples), rate_hz) == (True, 22050)
        scaled = scipy_wav.read(path)[1]
        assert np.array_equal(scaled if scaled.dtype == np.float32 else scaled / np.float32(2**15), samples)
    names = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
    for container in ("WAV", "WAVEX", "RF64"):
        for name in names:
            soundfile.write(path, rng.uniform(-1, 1, (500, 2)), 11025, name, format=container)
            found = WAV.read(path, None, None)
            assert np.array_equal(found.signal.samples, soundfile.read(path, dtype="float32")[0]), (container, name)
            assert (found.findings, WAV.describe(path)["subtype"]) == ({}, name)


@pytest.mark.parametrize(("tag", "name"), [(7, "ULAW"), (6, "ALAW")])
def test_every_code_of_g711_equals_soundfile(tmp_path: Path, tag: int, name: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples = samples_of(tmp_path, wav(bytes(range(256)), fmt(tag, bits=8)))
    assert samples == soundfile.read(tmp_path / "sound.wav", dtype="float32")[0].tolist()
    assert WAV.describe(tmp_path / "sound.wav")["subtype"] == name


def test_every_real_recording_equals_scipy_and_soundfile(recordings: Path) -> None:
    soundfile, scipy_wav = pytest.importorskip("soundfile"), pytest.importorskip("scipy.io.wavfile")
    paths = [path for folder in ("fsdd", "audio", "audio_spikes") for path in (recordings / folder).rglob("*.wav")]
    kinds: Counter[tuple[object, ...]] = Counter()
    for path in paths:
        found = WAV.read(path, None, None)
        rate_hz, samples = scipy_wav.read(path)
        assert np.array_equal(found.signal.samples, samples / np.float32(2**15)), path
        assert np.array_equal(found.signal.samples, soundfile.read(path, dtype="float32")[0]), path
        assert (found.signal.rate_hz, found.findings) == (rate_hz, {}), path
        kinds[tuple(WAV.describe(path)[name] for name in ("rate_hz", "n_channels", "subtype"))] += 1
    assert kinds[(8000, 1, "PCM_16")] >= 800
    assert kinds[(16000, 1, "PCM_16")] >= 2
    assert kinds[(48000, 1, "PCM_16")] >= 1
