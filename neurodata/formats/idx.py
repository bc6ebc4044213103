"""IDX of MNIST and its kin: pictures of one size in one file, their labels in another beside it.

A file is two zero bytes, a byte for the type (8: unsigned bytes), one for the number of axes, the length of each axis
as big-endian uint32, and the values. `train-images-idx3-ubyte` holds pictures [n, height, width], and
`train-labels-idx1-ubyte` their labels [n]: of a file that is called images, the labels are looked for under the name
in which that is replaced; where there are none, samples have no labels. Both may be packed with gzip, as they are
published; from a packed file, samples are read fast in turn and slowly one by one. Other types of numbers are refused.

Pixels become float32 from 0 (paper) to 1 (ink), divided by 255. Fashion-MNIST, KMNIST, QMNIST's pictures and EMNIST
(whose pictures are transposed) have the same layout. Samples are named by their numbers.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", its description of the file format;
compared with MNIST's test files.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import CollectionFormat, Reading
from neurodata.formats._file import RecordingFile
from neurodata.signals import Image, Sensor
from neurodata.storage import is_file

PICTURES, LABELS = b"\0\0\x08\x03", b"\0\0\x08\x01"
GZIP, ENDING = b"\x1f\x8b", ".gz"
HIGHEST_RATIO = 1032  # gzip packs no better
LARGEST_PICTURE_BYTES = 1 << 26
AXES = {PICTURES: 3, LABELS: 1}
# (first byte, number of bytes) of what is unpacked: these bytes.
Read = Callable[[int, int], bytes]


def sniff(head: bytes, path: Path) -> str | None:
    """None for the head of pictures of bytes, packed or not."""
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, len(PICTURES))
        except zlib.error:
            return "does not unpack with gzip"
    if head.startswith(LABELS):
        return "holds labels; name the file of the pictures"
    return None if head.startswith(PICTURES) else "does not begin as IDX of pictures (00 00 08 03)"


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A `Collection` of pictures of one size; pickles, and holds no file open."""

    path: Path
    format: str
    labels: NDArray[np.int64] | None
    size: tuple[int, int, int]  # pictures, height, width
    fingerprint: tuple[int, int]  # size and modification time when the file was opened

    @property
    def keys(self) -> tuple[str, ...]:
        """The numbers of the samples as text."""
        return tuple(map(str, range(self.size[0])))

    @property
    def classes(self) -> tuple[str, ...]:
        """The indices as text, up to the largest one of this file."""
        return () if self.labels is None else tuple(map(str, range(int(self.labels.max(initial=-1)) + 1)))

    @property
    def groups(self) -> None:
        """The file tells none."""
        return None

    @property
    def sensor(self) -> None:
        """Pictures have none."""
        return None

    def read(self, k: int) -> Reading:
        """Sample k; `findings` are none."""
        if not 0 <= k < self.size[0]:
            raise IndexError(f"{self.path}: no sample {k}; there are {self.size[0]}, numbered from 0")
        return next(self.readings(k, k + 1))

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Samples first to stop - 1; the file stays open meanwhile."""
        n, height, width = self.size
        with _opened(self.path, self.fingerprint) as (read, _):
            for k in range(n)[first:stop]:
                values = read(_head_bytes(PICTURES) + k * height * width, height * width)
                if len(values) < height * width:
                    raise FormatError(f"{self.path}: picture {k}: the file ends before it: get the file again")
                pixels = np.frombuffer(values, np.uint8).reshape(height, width, 1).astype(np.float32)
                yield Reading(Image(pixels / np.float32(255)), Counter())


def open_file(path: Path, sensor: Sensor | None = None) -> Pictures:
    """The pictures of a file, and their labels where they lie beside it.

    Raises
    ------
    FormatError
        When a file is damaged or of another layout, there are not as many labels as pictures, or a sensor is stated:
        pictures have none.
    """
    if sensor is not None:
        raise FormatError(f"{path}: pictures have no sensor: leave sensor= out")
    with _opened(path) as (read, file):
        n, height, width = _axes(file, read, PICTURES)
        if not 0 < height * width <= LARGEST_PICTURE_BYTES:
            raise FormatError(f"{path}: byte 8: pictures of {width}x{height} pixels; the file is damaged")
        fingerprint = file.fingerprint
    beside = labels_beside(path)
    labels = None if beside is None else _labels(beside, path, n)
    return Pictures(path, "idx", labels, (n, height, width), fingerprint)


def labels_beside(path: Path) -> Path | None:
    """The file of the labels of these pictures, packed or not; None where there is none."""
    if "images" not in path.name:
        return None
    plain = path.name.removesuffix(ENDING).replace("images", "labels").replace("idx3", "idx1")
    found = (path.with_name(name) for name in (plain, plain + ENDING))
    return next((labels for labels in found if is_file(labels)), None)


def _labels(path: Path, pictures: Path, n: int) -> NDArray[np.int64]:
    with _opened(path) as (read, file):
        (n_labels,) = _axes(file, read, LABELS)
        if n_labels != n:
            raise FormatError(f"{path}: {n_labels} labels for the {n} pictures of {pictures.name}: get both again")
        labels = read(_head_bytes(LABELS), n)
    if len(labels) < n:
        raise FormatError(f"{path}: the file ends after {len(labels)} of {n} labels: get it again")
    return np.frombuffer(labels, np.uint8).astype(np.int64)


def _head_bytes(magic: bytes) -> int:
    return len(magic) + 4 * AXES[magic]


def _axes(file: RecordingFile, read: Read, magic: bytes) -> tuple[int, ...]:
    """Lengths of the axes, which the size of the file has been compared with."""
    head = read(0, _head_bytes(magic))
    if len(head) < _head_bytes(magic) or not head.startswith(magic):
        found = head[: len(magic)].hex(" ")
        raise FormatError(
            f"{file.path}: begins with {found}; expected {magic.hex(' ')}, IDX of unsigned bytes and {AXES[magic]} "
            "axes, and their lengths"
        )
    axes = struct.unpack_from(f">{AXES[magic]}I", head, len(magic))
    n_bytes = len(head) + prod(axes)
    is_packed = file.read(len(GZIP)) == GZIP
    if n_bytes > file.size_bytes * HIGHEST_RATIO if is_packed else n_bytes != file.size_bytes:
        raise FormatError(
            f"{file.path}: byte {len(magic)}: axes of {'x'.join(map(str, axes))} take {n_bytes} bytes, and the file "
            f"has {file.size_bytes}; it is damaged or truncated: get it again"
        )
    return axes


@contextmanager
def _opened(path: Path, fingerprint: tuple[int, int] | None = None) -> Iterator[tuple[Read, RecordingFile]]:
    """Reads what a file holds, unpacked where it is packed: at most as many bytes, fewer at its end."""
    with RecordingFile(path, fingerprint) as file:
        if file.read(len(GZIP)) != GZIP:
            yield lambda first, n_bytes: file.read(n_bytes, first), file
            return
        with gzip.open(path) as unpacked:

            def read(first: int, n_bytes: int) -> bytes:
                try:
                    unpacked.seek(first)
                    return unpacked.read(n_bytes)
                except (OSError, EOFError, zlib.error) as error:
                    raise FormatError(
                        f"{path}: does not unpack with gzip ({error}); the file is damaged: get it again"
                    ) from error

            yield read, file


FORMAT = CollectionFormat(
    name="idx",
    version=1,
    title="IDX of pictures with labels beside: MNIST and its kin, also packed with gzip",
    extensions=(".idx3-ubyte", ".gz"),
    sniff=sniff,
    gives=Image,
    open=open_file,
)
