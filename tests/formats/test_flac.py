from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError, MissingExtraError
from neurodata.formats import read, write
from neurodata.signals import Waveform
from tests.golden.flac import blocks, content, golden_frames, stream_info

FLAC = registry.formats["flac"]


def written(folder: Path, data: bytes) -> Path:
    path = folder / "sound.flac"
    path.write_bytes(data)
    return path


def test_a_file_by_the_specification_gives_its_samples(tmp_path: Path) -> None:
    path = written(tmp_path, content())
    found = FLAC.read(path, None, None)
    assert np.array_equal(found.signal.samples, golden_frames() / np.float32(2**15))
    assert (found.signal.samples.dtype, found.signal.rate_hz, found.findings) == (np.float32, 8000, {})
    assert FLAC.describe(path) == {
        "rate_hz": 8000, "n_channels": 2, "n_samples": 300, "duration_s": 0.0375, "subtype": "PCM_16"
    }  # fmt: skip


@pytest.mark.parametrize("n_told", [300, 0])
def test_a_slice_is_the_whole_and_a_mask(tmp_path: Path, n_told: int) -> None:
    path = written(tmp_path, stream_info(golden_frames(), n_frames=n_told) + blocks(golden_frames()))
    whole = golden_frames() / np.float32(2**15)

    @given(*[st.none() | st.integers(-100, 40_000)] * 2)
    def law(start_us: int | None, stop_us: int | None) -> None:
        t = np.arange(300) * 125
        inside = (t >= (-1 if start_us is None else start_us)) & (t < (10**9 if stop_us is None else stop_us))
        assert np.array_equal(read(path, start_us=start_us, stop_us=stop_us).samples, whole[inside])  # type: ignore[union-attr]

    law()
    assert FLAC.describe(path)["n_samples"] == (n_told or None)


def test_samples_are_compared_with_the_md5_sum(tmp_path: Path) -> None:
    frames = golden_frames()
    other = frames.copy()
    other[7, 1] ^= 1
    with pytest.raises(FormatError, match=r"sound\.flac: byte 26: the samples do not have the MD5 sum"):
        FLAC.read(written(tmp_path, stream_info(frames) + blocks(other)), None, None)
    untold = FLAC.read(written(tmp_path, stream_info(frames, md5=bytes(16)) + blocks(other)), None, None)
    assert np.array_equal(untold.signal.samples, other / np.float32(2**15))


def test_frames_that_do_not_come_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, stream_info(golden_frames()) + blocks(golden_frames()[:192]))
    found = FLAC.read(path, None, None)
    assert np.array_equal(found.signal.samples, golden_frames()[:192] / np.float32(2**15))
    assert found.findings == {"missing frames": 108}


def test_a_header_of_two_to_the_36_frames_allocates_none_of_them(tmp_path: Path) -> None:
    found = FLAC.read(
        written(tmp_path, stream_info(golden_frames(), n_frames=2**36 - 1) + blocks(golden_frames())), None, None
    )
    assert len(found.signal.samples) == 300
    assert found.findings == {"missing frames": 2**36 - 301}


def test_more_than_memory_should_hold_is_refused_and_read_in_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats.flac.MOST_SAMPLES", 599)
    path = written(tmp_path, content())
    with pytest.raises(FormatError, match=r"more than 599 samples; read it in slices"):
        FLAC.read(path, None, None)
    assert len(FLAC.read(path, None, 37_375).signal.samples) == 299


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: does not begin with fLaC"),
        (b"ID3" + content(), "byte 0: does not begin with fLaC"),
        (content()[:41], "41 bytes where the header has 42; truncated"),
        (b"fLaC\x04" + content()[5:], "byte 4: block of type 4 and 34 bytes"),
        (content()[:7] + b"\x21" + content()[8:], "byte 4: block of type 0 and 33 bytes"),
        (stream_info(golden_frames(), rate_hz=0) + blocks(golden_frames()), "byte 4: .* 0 Hz"),
        (content()[:100] + b"\x55" + content()[101:], "FLAC cannot be decoded .* the file is damaged"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"sound\.flac: {message}"):
        FLAC.read(written(tmp_path, data), None, None)


@settings(max_examples=30)
@given(
    st.sampled_from([8, 16, 24]).flatmap(
        lambda bits: st.lists(
            st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(lambda k: k / 2 ** (bits - 1)), min_size=1
        )
    ),
    st.integers(1, 8),
    st.integers(1, 65535) | st.integers(6554, 65535).map(lambda k: 10 * k),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], n: int, rate_hz: int
) -> None:
    samples = np.tile(np.array(values, np.float32)[:, None], (1, n))
    path = tmp_path_factory.getbasetemp() / "law.flac"
    write(Waveform(samples, float(rate_hz)), path)
    found = FLAC.read(path, None, None)
    assert np.array_equal(found.signal.samples, samples[:, 0] if n == 1 else samples)
    assert (found.signal.rate_hz, found.findings) == (rate_hz, {})


def test_the_same_samples_give_the_same_bytes_in_pieces_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Waveform(golden_frames() / np.float32(2**15), 8000.0)
    write(sound, tmp_path / "a.flac")
    monkeypatch.setattr("neurodata.formats._sound.BLOCK_SAMPLES", 14)
    write(sound, tmp_path / "b.flac")
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()
    assert np.array_equal(FLAC.read(tmp_path / "a.flac", None, None).signal.samples, sound.samples)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.array([0.1]), "samples are no whole numbers of 24 bits"),
        (np.array([1.0]), "samples are no whole numbers of 24 bits"),
        (np.array([2.0]), r"samples reach from 2\.0 to 2\.0"),
        (np.empty(0), "no samples"),
        (np.zeros((4, 9)), "9 channels; flac holds 1 to 8"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path: Path, samples: np.ndarray, message: str
) -> None:
    with pytest.raises(FormatError, match=rf"a\.flac: {message}"):
        write(Waveform(samples.astype(np.float32), 8000.0), tmp_path / "a.flac")
    assert list(tmp_path.iterdir()) == []


def test_rates_that_flac_does_not_have_are_refused(tmp_path: Path) -> None:
    for rate_hz, message in ((65536.0, "multiples of ten"), (655360.0, "whole numbers up to 655350"), (0.5, "0.5")):
        with pytest.raises(FormatError, match=rf"a\.flac: rate_hz is .*{message}"):
            write(Waveform(np.zeros(3, np.float32), rate_hz), tmp_path / "a.flac")


def test_without_soundfile_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r'pip install "neurodata-pipeline\[audio\]"'):
        FLAC.read(written(tmp_path, content()), None, None)
    assert FLAC.describe(tmp_path / "sound.flac")["n_samples"] == 300


def test_damage_leaves_standard_error_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FormatError):
        FLAC.read(written(tmp_path, content()[:100] + b"\x55" + content()[101:]), None, None)
    assert capfd.readouterr() == ("", "")


def test_a_real_recording_equals_soundfile_whole_and_sliced(recordings: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = recordings / "audio" / "heidelberg_digits" / "spoken_digit.flac"
    found = FLAC.read(path, None, None)  # its MD5 sum is compared, too
    assert (found.findings, found.signal.rate_hz, found.signal.samples.shape) == ({}, 48000, (38172,))
    assert np.array_equal(found.signal.samples, soundfile.read(path, dtype="float32")[0])
    for first in range(0, 38172, 1999):  # at 48 kHz frame k is k * 125 / 6 us from the start
        part = FLAC.read(path, first * 125 // 6, (first + 500) * 125 // 6).signal.samples
        assert np.array_equal(part, found.signal.samples[first : first + 500])
