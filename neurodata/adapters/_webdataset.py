"""WebDataset: tar files of up to 1,000 samples, `train-000000.tar`, a few members each.

Members of a sample share a name up to the first dot: `00000012.frames.npy`, `00000012.cls` (the label as a decimal
number), `00000012.json` (key, group). Source: the description of the format, https://github.com/webdataset/webdataset.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from neurodata.adapters._passing import (
    FRAMES,
    Outgoing,
    Passing,
    by_split,
    described,
    files_in,
    json_of,
    measured,
    npy_bytes,
)
from neurodata.datasets import Partition
from neurodata.errors import FormatError, NeurodataError
from neurodata.formats import read_npy_at

SAMPLES_PER_TAR = 1000
# A member that is no more than a label or a JSON object.
SMALL_BYTES = 1 << 20


class WebDataset:
    """The layout."""

    lossless = "arrays in the stored type, uncompressed"

    def write(self, folder: Path, split: Outgoing, samples: Iterable[Passing]) -> None:
        """As many tar files as needed; the same samples give the same bytes."""
        numbered = enumerate(samples)
        for number in range(-(-split.n // SAMPLES_PER_TAR)):
            with tarfile.open(folder / f"{split.partition}-{number:06d}.tar", "w", format=tarfile.PAX_FORMAT) as tar:
                for k, sample in islice(numbered, SAMPLES_PER_TAR):
                    for name, array in sample.arrays.items():
                        _add(tar, f"{k:08d}.{name}.npy", npy_bytes(array))
                    _add(tar, f"{k:08d}.cls", str(sample.label).encode())
                    _add(tar, f"{k:08d}.json", json.dumps(described(sample)).encode())

    def read(self, path: Path) -> Iterator[tuple[Partition, Passing]]:
        """Samples in the order of the files."""
        top = path if path.is_dir() else path.parent
        for partition, files in by_split(files_in(path, (".tar",)), top).items():
            for file in files:
                for sample in _samples(file):
                    yield partition, sample

    def recognises(self, path: Path) -> bool:
        """A tar file, or a folder with one."""
        return path.suffix == ".tar" if path.is_file() else any(path.rglob("*.tar"))


LAYOUT = WebDataset()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)  # of 1970, and nobody's
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _samples(file: Path) -> Iterator[Passing]:
    try:
        with tarfile.open(file, "r:") as tar:
            members = (member for member in tar if member.isfile())
            for name, of_sample in groupby(members, key=lambda member: _parted(member.name)[0]):
                yield _sample(file, tar, name, _by_extension(file, of_sample))
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        if isinstance(error, NeurodataError):
            raise
        raise FormatError(f"{file}: no whole .tar ({error}): it is damaged") from error


def _by_extension(file: Path, members: Iterable[tarfile.TarInfo]) -> dict[str, tarfile.TarInfo]:
    found: dict[str, tarfile.TarInfo] = {}
    for member in members:
        if found.setdefault(_parted(member.name)[1], member) is not member:
            raise FormatError(f"{file}: two members are called {member.name}; take one out")
    return found


def _parted(name: str) -> tuple[str, str]:
    """Name of the sample, and what the member is: split at the first dot of the file's name."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension


def _sample(file: Path, tar: tarfile.TarFile, name: str, members: dict[str, tarfile.TarInfo]) -> Passing:
    told = json_of(_small(file, tar, members["json"]), f"{file}: {name}.json") if "json" in members else {}
    label = next((_text(file, tar, members[word]) for word in ("cls", "label") if word in members), "")
    label = label or _told_label(told, f"{file}: {name}.json")
    arrays = {
        extension.removesuffix("npy").removesuffix(".") or FRAMES: _array(file, member)
        for extension, member in members.items()
        if extension == "npy" or extension.endswith(".npy")
    }
    if not arrays or not label:
        raise FormatError(
            f"{file}: sample {name} has the members {', '.join(sorted(members))}; "
            "expected arrays (.npy) and a label (.cls)"
        )
    if len(arrays) == 1:
        arrays = {FRAMES: next(iter(arrays.values()))}
    number = label.removeprefix("-").isdecimal()
    return Passing(
        str(told.get("key", "")), int(label) if number else label, str(told.get("group", "")), arrays, measured(told)
    )


def _told_label(told: dict[str, Any], where: str) -> str:
    """What a JSON object says of the label; "" where it says nothing."""
    label = next((told[word] for word in ("label", "cls") if told.get(word) is not None), "")
    if not isinstance(label, int | str):
        raise FormatError(f"{where}: its label is {label!r}; expected a whole number or a name")
    return str(int(label) if isinstance(label, bool) else label)


def _array(file: Path, member: tarfile.TarInfo) -> NDArray[Any]:
    if member.issparse():
        raise FormatError(f"{file}: {member.name} is kept with holes; write the .tar without --sparse")
    return read_npy_at(file, member.offset_data, member.size, member.name)


def _text(file: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    return _small(file, tar, member).decode("utf-8", "replace").strip()


def _small(file: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """A label or a JSON object."""
    if member.size > SMALL_BYTES:
        raise FormatError(f"{file}: {member.name} has {member.size} bytes; expected a label or a small JSON object")
    found = tar.extractfile(member)
    data = b"" if found is None else found.read()
    if len(data) < member.size:
        raise FormatError(f"{file}: {member.name} ends after {len(data)} of {member.size} bytes; the file is cut")
    return data
