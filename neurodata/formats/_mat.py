"""MATLAB files of level 5 and of version 7.3, opened alike: variables with class and shape, numbers when asked for.

Nothing is evaluated: objects and function handles are named by their class and refused. Files of level 4 (before
1996) are not read. Level 5 needs no library, version 7.3 the extra `hdf5`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, MissingExtraError, StorageError
from neurodata.formats import _hdf5, _mat5, _mat73
from neurodata.formats._file import RecordingFile

MOST_LISTED = 10


class Array(Protocol):
    """An array of a MATLAB file; what it holds is read when asked for."""

    @property
    def kind(self) -> str:
        """MATLAB's class: "double", "uint8", "logical", "char", "cell", "struct", "function" ..."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """In MATLAB's order of axes, as the file declares it."""
        ...

    @property
    def place(self) -> str:
        """Where it stands: a byte, or the name in the file."""
        ...

    def numbers(self) -> NDArray[Any]:
        """Its real numbers, of its shape; raises FormatError where it holds others or is damaged."""
        ...

    def text(self) -> str:
        """Its characters; raises FormatError."""
        ...

    def cells(self) -> Sequence[Array]:
        """What a cell array holds, first axis fastest; raises FormatError."""
        ...

    def fields(self) -> Mapping[str, Array]:
        """What a struct of shape [1, 1] holds, by name; raises FormatError."""
        ...


@contextmanager
def opened(path: Path, fingerprint: tuple[int, int] | None = None) -> Iterator[Mapping[str, Array]]:
    """The variables of a file by name, while it is open.

    Raises
    ------
    FormatError
        When it is no MATLAB file, damaged, or of level 4; or changed, where a fingerprint is given.
    MissingExtraError
        When it is of version 7.3 and the extra `hdf5` is not installed.
    """
    with RecordingFile(path, fingerprint) as file:
        head = file.read(_mat5.HEADER_BYTES)
        reason = _reason_not(head)
        if reason is not None:
            raise FormatError(f"{path}: byte 0: {reason}")
        if not head.startswith(_mat73.HEADER):
            yield _mat5.arrays(file)
            return
    with _hdf5.opened(path, fingerprint, at=_mat73.HDF5_AT) as hdf5:
        yield _mat73.members(path, hdf5, hdf5, "", _mat73.budget_of(path))


def _reason_not(head: bytes) -> str | None:
    if head.startswith(_mat73.HEADER) or _mat5.is_level_5(head):
        return None
    if head.startswith(b"MATLAB"):
        return "begins as a MATLAB file, but is none of level 5 or version 7.3: save it again with -v7"
    return "does not begin as a MATLAB file of level 5 or version 7.3"


def reason_not(head: bytes, path: Path, names: Sequence[str]) -> str | None:
    """None for a MATLAB file with variables of these names, else why not: what formats sniff by."""
    if (reason := _reason_not(head)) is not None:
        return reason
    try:
        with opened(path) as found:
            missing = [name for name in names if name not in found]
            return f"has no {', '.join(missing)}" if missing else None
    except (FormatError, MissingExtraError, StorageError) as error:
        return str(error).removeprefix(f"{path}: ")


def require(path: Path, found: Mapping[str, Array], names: Sequence[str], way_out: str) -> list[Array]:
    """The variables of these names.

    Raises
    ------
    FormatError
        When one is missing; lists what the file holds.
    """
    missing = [name for name in names if name not in found]
    if missing:
        raise FormatError(f"{path}: has no {', '.join(missing)}; it holds {listed(found)}: {way_out}")
    return [found[name] for name in names]


def listed(found: Mapping[str, Array]) -> str:
    """Variables with class and shape, for messages."""
    shown = [f"{name} ({array.kind or '?'} {array.shape})" for name, array in list(found.items())[:MOST_LISTED]]
    return ", ".join(shown) + (" ..." if len(found) > MOST_LISTED else "") if shown else "nothing"


def vector(path: Path, name: str, array: Array) -> NDArray[Any]:
    """The numbers of a row or column, shape [n].

    Raises
    ------
    FormatError
        When it has more axes than one of length other than 1.
    """
    if sum(n != 1 for n in array.shape) > 1 and 0 not in array.shape:
        raise FormatError(f"{path}: {array.place}: {name} has the shape {array.shape}; expected a row or a column")
    return array.numbers().ravel()


def whole(path: Path, name: str, array: Array) -> NDArray[Any]:
    """As `vector`, for whole numbers, which MATLAB keeps as doubles: int64 in place of floating point.

    Raises
    ------
    FormatError
        When one is a fraction, not finite, or too large to be exact.
    """
    values = vector(path, name, array)
    if values.dtype.kind != "f":
        return values
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(values) <= 2.0**53) | (values != np.trunc(values))
    if wrong.any():
        k = int(wrong.argmax())
        raise FormatError(
            f"{path}: {array.place}: {name}({k + 1}) is {values[k]}; expected whole numbers up to 2^53: "
            "the file is of another layout or unit"
        )
    return values.astype(np.int64)
