from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import neurodata
from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import write
from neurodata.signals import Clip
from tests.golden.avi import avi, golden_frames

av = pytest.importorskip("av")
clips = pytest.importorskip("tests.formats.clips")
AVI = registry.formats["avi"]


def written(folder: Path, data: bytes) -> Path:
    path = folder / "clip.avi"
    path.write_bytes(data)
    return path


def test_a_file_by_the_specification_gives_its_frames(tmp_path: Path) -> None:
    path = written(tmp_path, avi(list(golden_frames())))
    found = AVI.read(path, None, None)
    assert np.array_equal(found.signal.frames, golden_frames())
    assert (found.signal.fps, found.findings) == (25, {})
    assert AVI.describe(path) == {
        "width": 7, "height": 5, "fps": 25.0, "n_frames": 6, "duration_s": 0.24, "codec": "rawvideo"
    }  # fmt: skip


def test_what_follows_a_frame_shown_twice_keeps_its_time(tmp_path: Path) -> None:
    frames = golden_frames()
    path = written(tmp_path, avi([frames[0], frames[1], None, frames[2], frames[3]]))
    found = AVI.read(path, None, None)
    assert np.array_equal(found.signal.frames, frames[:4])
    assert found.findings == {"uneven frames": 2, "missing frames": 1}
    assert np.array_equal(AVI.read(path, 120_000, 160_000).signal.frames, frames[2:3])
    assert len(AVI.read(path, 80_000, 120_000).signal.frames) == 0


@pytest.mark.parametrize(("codec", "options"), [("mpeg4", {"bf": "2", "g": "12"}), ("mjpeg", {}), ("ffv1", {})])
def test_a_slice_is_the_whole_and_a_mask(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    pixel_format = {"mpeg4": "yuv420p", "mjpeg": "yuvj420p", "ffv1": "bgr0"}[codec]
    clip = clips.moving_square(40)
    path = written(tmp_path, clips.encoded(clip, "avi", codec, pixel_format, **options))
    found = AVI.read(path, None, None)
    whole = found.signal.frames
    assert (len(whole), found.findings) == (40, {})
    assert np.abs(whole.astype(int) - clip.frames).mean() < 6  # the square is where it belongs: no frame out of order

    @settings(max_examples=30)
    @given(*[st.none() | st.integers(-10, 1700)] * 2)
    def law(start_ms: int | None, stop_ms: int | None) -> None:
        t_ms = np.arange(40) * 40
        inside = (t_ms >= (-1 if start_ms is None else start_ms)) & (t_ms < (10**9 if stop_ms is None else stop_ms))
        start_us, stop_us = (None if ms is None else ms * 1000 for ms in (start_ms, stop_ms))
        assert np.array_equal(AVI.read(path, start_us, stop_us).signal.frames, whole[inside])

    law()


@settings(max_examples=20)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40), st.just(3)).flatmap(
        lambda shape: arrays(np.uint8, shape)
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, frames: np.ndarray) -> None:
    path = tmp_path_factory.getbasetemp() / "law.avi"
    write(Clip(frames, 25.0), path)
    before = path.read_bytes()
    found = AVI.read(path, None, None)
    assert np.array_equal(found.signal.frames, frames)
    assert (found.signal.fps, found.findings) == (25, {})
    write(Clip(frames, 25.0), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [(1, 288), (352, 1), (353, 288), (640, 272), (20_000, 8), (1920, 1080)])
def test_pictures_of_any_size_are_written(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    frames = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    neurodata.write(Clip(frames, 25.0), tmp_path / "a.avi")
    found = neurodata.read(tmp_path / "a.avi")
    assert isinstance(found, Clip)
    assert (found.frames == frames).all()


def test_frames_need_not_be_contiguous(tmp_path: Path) -> None:
    frames = clips.moving_square(6).frames[::2, ::-1, ::3]
    write(Clip(frames, 12.5), tmp_path / "a.avi")
    assert np.array_equal(AVI.read(tmp_path / "a.avi", None, None).signal.frames, frames)


def test_a_truncated_file_gives_its_first_frames_and_counts_the_others(tmp_path: Path) -> None:
    data = avi(list(golden_frames()))
    cut = data[: data.index(b"00db") + 3 * 128 + 4]  # three whole chunks
    found = AVI.read(written(tmp_path, cut), None, None)
    assert np.array_equal(found.signal.frames, golden_frames()[:3])
    assert found.findings == {"missing frames": 3}


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (-7, 5), (0, 0)])
def test_an_absurd_size_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    data = avi(list(golden_frames())).replace(
        np.array([40, 7, 5], "<i4").tobytes(), np.array([40, *size], "<i4").tobytes()
    )
    with pytest.raises(FormatError, match=r"clip\.avi: "):
        AVI.read(written(tmp_path, data), None, None)


def test_a_declared_number_of_frames_allocates_none_of_them(tmp_path: Path) -> None:
    found = AVI.read(written(tmp_path, avi(list(golden_frames()), n_told=2**31 - 1)), None, None)
    assert np.array_equal(found.signal.frames, golden_frames())
    assert found.findings == {"missing frames": 2**31 - 7}


def test_a_clip_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    files = [clips.encoded(clips.moving_square(2, *size), "avi", "mjpeg", "yuvj420p") for size in ((48, 64), (64, 48))]
    pictures = [file[file.index(b"\xff\xd8") : file.rindex(b"\xff\xd9") + 2] for file in files]
    second = pictures[1][: pictures[1].index(b"\xff\xd9") + 2]
    at = files[0].rindex(b"\xff\xd8")
    old = files[0][at : files[0].rindex(b"\xff\xd9") + 2]
    assert len(second) <= len(old)
    data = files[0][:at] + second + bytes(len(old) - len(second)) + files[0][at + len(old) :]
    with pytest.raises(FormatError, match=r"frame 1 .* has 48x64 pixels, the frames before 64x48; a clip has one size"):
        AVI.read(written(tmp_path, data), None, None)


def test_sound_beside_the_video_is_left_out_and_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"clip\.avi: it holds audio, no video"):
        AVI.read(written(tmp_path, clips.sound_only("avi")), None, None)


def test_a_real_recording_equals_plain_pyav(recordings: Path) -> None:
    path = recordings / "video" / "mmaction2_test.avi"  # MPEG-4 with B-frames, beside MP3
    found = AVI.read(path, None, None)
    with av.open(str(path)) as container:
        whole = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert np.array_equal(found.signal.frames, whole)
    assert (found.signal.fps, found.signal.frames.shape, found.findings) == (25, (164, 240, 320, 3), {})
    assert np.array_equal(AVI.read(path, 2_000_000, 2_400_000).signal.frames, whole[50:60])
