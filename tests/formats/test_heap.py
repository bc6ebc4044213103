from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import FormatError
from neurodata.formats._file import RecordingFile
from neurodata.formats._heap import Heap, locate, reference, text_column
from neurodata.formats._vlen import ELEMENT, VlenColumn, _unpacked, vlen_column

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")


def collection(*objects: tuple[int, int], n_bytes: int | None = None) -> bytes:
    """A collection of objects of these numbers and lengths, each filled with its number."""
    body = b"".join(
        struct.pack("<HHIQ", number, 1, 0, size) + bytes([number]) * size + bytes(-size % 8) for number, size in objects
    )
    return struct.pack("<4sB3xQ", b"GCOL", 1, 16 + len(body) if n_bytes is None else n_bytes) + body


def column_of(path: Path, content: bytes, *elements: tuple[int, int, int], base: int = 0) -> VlenColumn:
    path.write_bytes(content)
    return VlenColumn(path, "times", np.dtype(np.uint8), np.array(list(elements), ELEMENT), base)


def sequences(column: VlenColumn) -> list[list[int]]:
    with RecordingFile(column.path) as file:
        return [found.tolist() for (found,) in Heap(file, column).sequences(0, len(column))]


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_objects_are_found_by_number_wherever_they_stand(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._heap.BLOCK_BYTES", block_bytes)
    first, second = collection((1, 20), (2, 3), (7, 8)), collection((1, 9))
    content = b"base" + bytes(5) + first + bytes(40_000) + second
    at, then = 5, 5 + len(first) + 40_000
    elements = [(8, at, 7), (9, then, 1), (3, at, 2), (0, 0, 0), (20, at, 1)]
    column = column_of(tmp_path / "a", content, *elements, base=4)
    assert sequences(column) == [[7] * 8, [1] * 9, [2] * 3, [], [1] * 20]


@pytest.mark.parametrize(
    ("content", "element", "message"),
    [
        (b"", (1, 0, 1), "byte 0 lies past the end"),
        (collection((1, 8)), (8, 2**64 - 8, 1), f"byte {2**64 - 8} lies past the end"),
        (collection((1, 8)), (8, 2**63, 1), f"byte {2**63} lies past the end"),
        (b"GCOX" + collection((1, 8))[4:], (8, 0, 1), "byte 0 is none"),
        (collection((1, 8), n_bytes=2**64 - 1)[:-1], (8, 0, 1), "has no object 1"),
        (collection((1, 8), n_bytes=15), (8, 0, 1), "has no object 1"),
        (collection((1, 8)), (8, 0, 2), "has no object 2, expected 8 bytes"),
        (collection((1, 8)), (7, 0, 1), "has 8 bytes in its object 1, expected 7 bytes"),
        (collection((1, 8)), (2**32 - 1, 0, 1), "has 8 bytes in its object 1, expected 4294967295 bytes"),
        (collection((0, 8), (1, 8)), (8, 0, 1), "has no object 1"),  # 0 ends a collection
        (collection((1, 8), (2, 8))[:-8] + bytes(8), (8, 0, 3), "has no object 3"),
        (collection((1, 8), n_bytes=39) + bytes(8), (8, 0, 1), "has no object 1"),
    ],
    ids=range(12),
)
def test_damage_is_named_with_the_byte_of_its_collection(
    tmp_path: Path, content: bytes, element: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(FormatError, match=rf"a: times 0: the heap collection at .*{message}.*damaged"):
        sequences(column_of(tmp_path / "a", content, element))


def test_collections_that_overlap_to_be_slow_are_refused(tmp_path: Path) -> None:
    # Each element has a header of its own, whose collection is the rest of the file.
    n = 3000
    heads = b"".join(struct.pack("<4sB3xQ", b"GCOL", 1, 16 * (n - k)) for k in range(n))
    column = column_of(tmp_path / "a", heads, *[(1, 16 * k, 60_000) for k in range(n)])
    with RecordingFile(column.path) as file:
        heap = Heap(file, column)
        n_refused = 0
        for k in range(n):
            try:
                heap._alone(column, k)
            except FormatError as error:
                n_refused += "overlaps others" in str(error)
    assert n_refused > n // 2


@st.composite
def windows(draw: st.DrawFn) -> bytes:
    objects = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20)), max_size=5))
    content = bytearray(draw(st.binary(max_size=5)) + collection(*objects) + draw(st.binary(max_size=20)))
    for _ in range(draw(st.integers(0, 3))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


@given(windows(), st.integers(-1, 60), st.integers(0, 4), st.integers(0, 20))
def test_the_kernel_equals_its_reference(window: bytes, address: int, number: int, n_bytes: int) -> None:
    starts = np.zeros(1, np.int64)
    for at in (address, window.find(b"GCOL")):
        locate(
            np.frombuffer(window, np.uint8), *(np.array([value], np.int64) for value in (at, number, n_bytes)), starts
        )
        assert starts[0] == reference(window, at, number, n_bytes)


def test_addresses_count_from_behind_a_user_block(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for options in ({}, {"chunks": (2,)}):
        with h5py.File(path, "w", userblock_size=1024) as file:
            dataset = file.create_dataset("x", (5,), h5py.vlen_dtype(np.int32), **options)
            for k in range(5):
                dataset[k] = np.arange(k * 300, dtype=np.int32)
        with h5py.File(path) as file:
            column = vlen_column(path, file, "x", "i")
        assert column.base == 1024
        assert sequences(column) == [list(range(k * 300)) for k in range(5)]


def test_texts_of_fixed_and_variable_length_are_read(tmp_path: Path) -> None:
    texts = ["zero", "", "é" * 300]
    path = tmp_path / "a.h5"
    for dtype in (h5py.string_dtype(), h5py.string_dtype("utf-8", 700)):
        with h5py.File(path, "w") as file:
            file["x"] = np.array([text.encode() for text in texts], dtype=object).astype(dtype)
        with h5py.File(path) as file:
            assert text_column(path, file, "x") == tuple(texts)


def patched(path: Path, k: int, element: tuple[int, int, int]) -> None:
    """Overwrite element k of the contiguous dataset x."""
    with h5py.File(path) as file:
        offset = file["x"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset + 16 * k : offset + 16 * k + 16] = struct.pack("<IQI", *element)
    path.write_bytes(bytes(content))


def test_sequences_longer_than_the_file_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", (3,), h5py.vlen_dtype(np.float64))
        for k in range(3):
            dataset[k] = np.zeros(10)
    patched(path, 1, (2**32 - 1, 4096, 1))
    with (
        h5py.File(path) as file,
        pytest.raises(FormatError, match=r"the sequences of x have 34359738520 bytes, the file"),
    ):
        vlen_column(path, file, "x", "f")


def test_elements_that_would_fill_memory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**12,), h5py.vlen_dtype(np.float64), chunks=(1000,))
    with h5py.File(path) as file, pytest.raises(FormatError, match=r"x has 1000000000000 elements in 0 bytes"):
        vlen_column(path, file, "x", "f")


@pytest.mark.parametrize(
    ("raw", "filters", "message"),
    [
        (b"no deflate", [1], "a chunk cannot be inflated"),
        (bytes(31), [], "a chunk of 31 bytes, expected 32"),
        (bytes(31), [2], "packed by the HDF5 filter 2|a chunk of 31 bytes, expected 32"),
        (bytes(32), [32001], "packed by the HDF5 filter 32001; .*h5repack -f NONE"),
    ],
)
def test_chunks_of_elements_that_cannot_be_unpacked_are_named(
    tmp_path: Path, raw: bytes, filters: list[int], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        _unpacked(tmp_path / "a.h5", raw, filters, 2, "x")


def test_chunks_are_unpacked_from_the_last_filter_to_the_first(tmp_path: Path) -> None:
    raw = np.random.default_rng(1).bytes(32)
    shuffled = np.frombuffer(raw, np.uint8).reshape(2, 16).T.tobytes()
    packed: Any = zlib.compress(shuffled) + b"sum4"
    assert _unpacked(tmp_path / "a.h5", packed, [2, 1, 3], 2, "x") == raw
