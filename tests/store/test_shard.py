from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from numcodecs.zstd import Zstd

from neurodata.store._shard import MISSING, DamageError, ShardFile, ShardWriter, as_bytes
from tests.store.stores import frames_of, layout_of


def crc32c_bitwise(content: bytes) -> int:
    """CRC-32C by its definition (Castagnoli polynomial, reflected), one bit at a time."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def written(layout: Any, frames: Any) -> bytes:
    stream = io.BytesIO()
    writer = ShardWriter(stream, layout.columns[0], layout)
    for place, frame in enumerate(frames):
        assert writer.append(frame[np.newaxis]) == (place, place + 1)
    file = writer.finish()
    content = stream.getvalue()
    assert (file.size_bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content


def opened(path: Path, layout: Any, content: bytes, **arguments: Any) -> ShardFile:
    path.write_bytes(content)
    column = layout.columns[0]
    return ShardFile(path, column, layout.compression, layout.samples_per_shard, len(content), **arguments)


def test_the_bitwise_crc_has_the_published_check_value() -> None:
    assert crc32c_bitwise(b"123456789") == 0xE3069283


def test_bytes_of_a_shard_are_chunks_then_index_each_with_its_crc() -> None:
    layout = layout_of((2,), "uint16", samples_per_shard=3)
    content = written(layout, [np.array([1, 2], np.uint16), np.array([0, 0x0304], np.uint16)])
    first, second = b"\x01\x00\x02\x00", b"\x00\x00\x04\x03"
    # Offset and size of the chunks at 0 and 8 bytes, and of the third, which is not there.
    index = struct.pack("<6Q", 0, 8, 8, 8, 2**64 - 1, 2**64 - 1)
    assert content == b"".join(part + struct.pack("<I", crc32c_bitwise(part)) for part in (first, second, index))


def test_bytes_of_a_compressed_chunk_are_one_zstd_frame_without_checksum_and_its_crc() -> None:
    layout = layout_of((100,), "uint8", samples_per_shard=1, compression="zstd")
    content = written(layout, [np.zeros(100, np.uint8)])
    size = int.from_bytes(content[-12:-4], "little")
    frame, crc = content[: size - 4], content[size - 4 : size]
    assert frame[:4] == b"\x28\xb5\x2f\xfd"
    assert not frame[4] & 4  # the frame's own checksum is off
    assert Zstd().decode(frame) == bytes(100)
    assert crc == struct.pack("<I", crc32c_bitwise(frame))


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_and_byte_order_in_memory_do_not_matter(order: Any) -> None:
    layout = layout_of(dtype="int32")
    frames = frames_of(2, layout)
    assert written(layout, [np.asarray(frame, order=order) for frame in frames]) == written(layout, frames)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ((MISSING, MISSING), "missing from the index"),
        ((2**63, 28), "outside the chunks"),  # would be a read far past the end
        ((0, 2**62), "outside the chunks"),  # would be an allocation of 4 EiB
        ((8, MISSING), "outside the chunks"),
        ((0, 4), "outside the chunks"),  # a crc without a chunk
        ((1, 28), "crc32c"),  # right size, wrong place
    ],
)
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_an_index_that_lies_is_refused_before_anything_is_read(
    tmp_path: Path, entry: tuple[int, int], words: str, compression: str
) -> None:
    layout = layout_of((2, 3), "uint32", samples_per_shard=4, compression=compression)
    content = bytearray(written(layout, frames_of(3, layout)))
    index = np.frombuffer(content[-68:-4], "<u8").reshape(4, 2).copy()
    index[1] = entry
    content[-68:-4] = index.tobytes()
    content[-4:] = struct.pack("<I", google_crc32c.value(index.tobytes()))
    shard = opened(tmp_path / "shard", layout, bytes(content))
    with pytest.raises(DamageError, match=words):
        shard.read_into(1, as_bytes(np.empty((2, 3), np.uint32)))


def test_every_flipped_bit_is_found_when_all_chunks_are_read(tmp_path: Path) -> None:
    layout = layout_of((2,), "uint16", samples_per_shard=3)
    content = written(layout, frames_of(2, layout))
    out = np.empty(2, np.uint16)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(DamageError):  # noqa: PT012
            shard = opened(tmp_path / "shard", layout, bytes(damaged))
            for sample in range(2):
                shard.read_into(sample, as_bytes(out))


@pytest.mark.parametrize("size", [0, 3, 67, 70])
def test_a_file_too_short_for_its_index_is_damage(tmp_path: Path, size: int) -> None:
    layout = layout_of((2,), "uint16", samples_per_shard=4)
    with pytest.raises(DamageError, match=r"too few|crc32c"):
        opened(tmp_path / "shard", layout, bytes(size))


@pytest.mark.parametrize("content_size", [11, 13])
def test_a_chunk_of_another_size_is_damage_even_when_its_crc_is_right(tmp_path: Path, content_size: int) -> None:
    narrow, wide = (layout_of((size,), "uint8", 1, compression="zstd") for size in (content_size, 12))
    content = written(narrow, [np.ones(content_size, np.uint8)])
    with pytest.raises(DamageError, match="zstd frame of 12 bytes"):
        opened(tmp_path / "shard", wide, content).read_into(0, as_bytes(np.empty(12, np.uint8)))


@pytest.mark.parametrize("n", [1, 255, 256, 300, 65791, 65792, 200_000])
def test_frame_headers_of_all_widths_are_understood(tmp_path: Path, n: int) -> None:
    layout = layout_of((n,), "uint8", 1, compression="zstd")
    frame = np.random.default_rng(n).integers(0, 2, n).astype(np.uint8)
    out = np.empty(n, np.uint8)
    opened(tmp_path / "shard", layout, written(layout, [frame])).read_into(0, as_bytes(out))
    np.testing.assert_array_equal(out, frame)


def test_reading_works_without_preadv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "preadv")
    layout = layout_of()
    frames = frames_of(3, layout)
    shard = opened(tmp_path / "shard", layout, written(layout, frames))
    out = np.empty_like(frames[0])
    for place in (2, 0, 1):
        shard.read_into(place, as_bytes(out))
        np.testing.assert_array_equal(out, frames[place])


def test_a_file_that_ends_early_is_damage(tmp_path: Path) -> None:
    layout = layout_of()
    shard = opened(tmp_path / "shard", layout, written(layout, frames_of(3, layout)))
    os.truncate(tmp_path / "shard", 20)
    with pytest.raises(DamageError, match=r"shard: the file ends at byte 20; expected"):
        shard.read_into(0, np.empty(layout.columns[0].chunk_bytes, np.uint8))
