from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurodata.errors import FormatError, NeurodataError
from neurodata.formats._png import _unfilter, read_png, reference, write_png

Image = pytest.importorskip("PIL.Image")


@given(arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 9))), st.sampled_from([1, 2]))
def test_filters_are_undone_as_the_reference_does(raw: np.ndarray, n_pixel: int) -> None:
    raw[:, 0] %= 5
    out = np.empty((len(raw), raw.shape[1] - 1), np.uint8)
    _unfilter(raw, n_pixel, out)
    np.testing.assert_array_equal(out, reference(raw, n_pixel))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_pillow_writes_is_read_and_what_is_written_pillow_reads(tmp_path: Path, dtype: type) -> None:
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(40) * 300, np.arange(60) * 7)
    for k, pixels in enumerate((smooth.astype(dtype), rng.integers(0, np.iinfo(dtype).max, (40, 60), dtype))):
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")  # with filters that it chooses row by row
        found = read_png(tmp_path / f"{k}.png", 60, 40, 8 * pixels.itemsize)  # type: ignore[arg-type]
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, pixels)
        write_png(tmp_path / f"own{k}.png", pixels)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"own{k}.png")).astype(dtype), pixels)


def test_a_picture_with_a_palette_gives_its_indices(tmp_path: Path) -> None:
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette(list(range(255, -1, -1)) * 3)
    picture.save(tmp_path / "p.png", bits=8)
    np.testing.assert_array_equal(read_png(tmp_path / "p.png", 4, 3, 8), indices)


def test_every_cut_and_every_flipped_bit_is_an_error_or_leaves_the_pixels_what_they_are(tmp_path: Path) -> None:
    pixels = np.arange(20, dtype=np.uint16).reshape(4, 5) * 999
    path = tmp_path / "a.png"
    write_png(path, pixels)
    content = path.read_bytes()
    for n in range(len(content)):
        path.write_bytes(content[:n])
        with pytest.raises(FormatError, match=r"a\.png: "):
            read_png(path, 5, 4, 16)
        path.write_bytes(content[:n] + bytes([content[n] ^ 1 << n % 8]) + content[n + 1 :])
        with pytest.raises(FormatError, match=r"a\.png: "):
            read_png(path, 5, 4, 16)


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def test_damage_under_right_checksums_is_named(tmp_path: Path) -> None:
    head = b"\x89PNG\r\n\x1a\n"
    size = (2).to_bytes(4, "big") * 2
    good = chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0]))

    def message(*parts: bytes) -> str:
        (tmp_path / "a.png").write_bytes(head + b"".join(parts) + chunk(b"IEND", b""))
        with pytest.raises(FormatError) as caught:
            read_png(tmp_path / "a.png", 2, 2, 8)
        return str(caught.value)

    rows = bytes([0, 1, 2, 0, 3, 4])
    assert "no header" in message(chunk(b"IDAT", zlib.compress(rows)))
    assert "colour type 2" in message(chunk(b"IHDR", size + bytes([8, 2, 0, 0, 0])))
    assert "interlace 1" in message(chunk(b"IHDR", size + bytes([8, 0, 0, 0, 1])))
    assert "2x2 pixels of 16 bits" in message(chunk(b"IHDR", size + bytes([16, 0, 0, 0, 0])))
    assert "names filter 5" in message(good, chunk(b"IDAT", zlib.compress(b"\x05" + rows[1:])))
    assert "unpack to 3 bytes; expected 6" in message(good, chunk(b"IDAT", zlib.compress(rows[:3])))
    assert "more than 6 bytes" in message(good, chunk(b"IDAT", zlib.compress(rows + b"\0" * 10**6)))
    assert "cannot be unpacked" in message(good, chunk(b"IDAT", b"\x78\x01\xff\xff"))
    assert "0 bytes" in message(good)


def test_a_file_too_large_for_its_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(FormatError, match="has 1073741824 bytes, more than 2x2 pixels"):
        read_png(tmp_path / "a.png", 2, 2, 8)
    with pytest.raises(NeurodataError, match=r"gone\.png"):
        read_png(tmp_path / "gone.png", 2, 2, 8)
