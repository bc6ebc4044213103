from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats import detect, open_collection, read
from neurodata.signals import Image, Sensor

PICTURES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 11


def idx(values: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def saved(
    folder: Path, pictures: bytes, labels: bytes | None = None, packed: tuple[bool, bool] = (False, False)
) -> Path:
    paths = []
    for name, content, is_packed in zip(("images-idx3", "labels-idx1"), (pictures, labels), packed, strict=True):
        if content is not None:
            paths.append(folder / f"train-{name}-ubyte{'.gz' * is_packed}")
            paths[-1].write_bytes(gzip.compress(content) if is_packed else content)
    return paths[0]


@pytest.mark.parametrize("packed", [(False, False), (True, True), (False, True), (True, False)])
def test_pictures_and_labels_by_hand(tmp_path: Path, packed: tuple[bool, bool]) -> None:
    path = saved(tmp_path, idx(PICTURES), idx(np.array([7, 2], np.uint8)), packed)
    assert detect(path).name == "idx"
    collection = pickle.loads(pickle.dumps(open_collection(path)))
    assert collection.keys == ("0", "1")
    assert collection.labels is not None
    assert collection.labels.tolist() == [7, 2]
    assert collection.classes == tuple("01234567")
    picture = read(path, item=1)
    assert isinstance(picture, Image)
    assert picture.pixels.shape == (3, 4, 1)
    np.testing.assert_array_equal(picture.pixels[:, :, 0], (PICTURES[1] / 255).astype(np.float32))


@given(
    values=hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 5))),
    packed=st.booleans(),
)
def test_every_picture_comes_back(
    values: NDArray[np.uint8], packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = saved(tmp_path_factory.mktemp("idx"), idx(values), packed=(packed, False))
    found = [np.rint(reading.signal.pixels[..., 0] * 255) for reading in open_collection(path, "idx").readings()]
    np.testing.assert_array_equal(np.array(found, np.uint8).reshape(values.shape), values)


def test_pictures_alone_have_no_labels(tmp_path: Path) -> None:
    collection = open_collection(saved(tmp_path, idx(PICTURES)))
    assert collection.labels is None
    assert collection.classes == ()


def test_a_file_of_labels_is_no_file_of_pictures(tmp_path: Path) -> None:
    saved(tmp_path, idx(PICTURES), idx(np.array([7, 2], np.uint8)))
    with pytest.raises(FormatError, match=r"begins with 00 00 08 01; expected 00 00 08 03"):
        open_collection(tmp_path / "train-labels-idx1-ubyte", "idx")
    with pytest.raises(FormatError, match="idx: holds labels; name the file of the pictures"):
        detect(tmp_path / "train-labels-idx1-ubyte")


def test_as_many_labels_as_pictures_are_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, idx(PICTURES), idx(np.zeros(3, np.uint8)))
    with pytest.raises(FormatError, match=r"labels-idx1-ubyte: 3 labels for the 2 pictures of train-images"):
        open_collection(path)


@pytest.mark.parametrize("packed", [False, True])
def test_sizes_that_the_file_does_not_hold_are_refused_before_anything_is_read(tmp_path: Path, packed: bool) -> None:
    path = saved(
        tmp_path, struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**13, 2**13) + bytes(99), packed=(packed, False)
    )
    with pytest.raises(FormatError, match=r"byte 4: axes of 4294967295x8192x8192 take .* bytes, and the file has"):
        open_collection(path, "idx")


def test_a_packed_file_that_ends_early_names_the_picture(tmp_path: Path) -> None:
    path = saved(tmp_path, idx(PICTURES)[:-1], packed=(True, False))
    collection = open_collection(path)
    collection.read(0)
    with pytest.raises(FormatError, match="picture 1: the file ends before it"):
        collection.read(1)


@pytest.mark.parametrize("shape", [(2, 0, 4), (1, 2**13, 2**14)])
def test_pictures_of_no_or_absurd_size_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx(np.zeros(shape, np.uint8)), 9))
    with pytest.raises(FormatError, match="the file is damaged"):
        open_collection(path, "idx")


def test_a_sensor_is_none_of_its_business(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="pictures have no sensor"):
        open_collection(saved(tmp_path, idx(PICTURES)), sensor=Sensor(28, 28))


def test_mnists_test_files(recordings: Path) -> None:
    path = recordings / "images" / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip("MNIST is not there")
    collection = open_collection(path)
    assert collection.labels is not None
    assert np.bincount(collection.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    raw = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(10_000, 28, 28)
    for k, reading in zip(range(40), collection.readings(0, 40), strict=True):
        np.testing.assert_array_equal(np.rint(reading.signal.pixels[..., 0] * 255), raw[k])
