"""MATLAB files written from their description: of level 5 byte by byte, of version 7.3 with h5py."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

MI = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12, "u8": 13}
CLASSES = {"f8": 6, "f4": 7, "i1": 8, "u1": 9, "i2": 10, "u2": 11, "i4": 12, "u4": 13, "i8": 14, "u8": 15}
NAMES = {
    "f8": "double", "f4": "single", "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32",
    "u4": "uint32", "i8": "int64", "u8": "uint64",
}  # fmt: skip
CELL, STRUCT, CHAR, DOUBLE, FUNCTION = 1, 2, 4, 6, 16
PACKED = 15


class Cell(NamedTuple):
    """A cell array: its shape, and what it holds, first axis fastest."""

    shape: tuple[int, ...]
    members: list[Any]


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    """A tag and its bytes, filled up to 8."""
    return struct.pack(f"{order}2I", kind, len(data)) + data + bytes(-len(data) % 8)


def small(kind: int, data: bytes, order: str = "<") -> bytes:
    """At most four bytes within the tag."""
    return struct.pack(f"{order}I", len(data) << 16 | kind) + data.ljust(4, b"\0")


def array(name: str, kind: int, shape: tuple[int, ...], body: bytes, order: str = "<", flags: int = 0) -> bytes:
    """An array whose body is given."""
    head = element(6, struct.pack(f"{order}2I", flags | kind, 0), order)
    dims = element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    text = name.encode()
    named = small(1, text, order) if 0 < len(text) <= 4 else element(1, text, order)
    return element(14, head + dims + named + body, order)


def variable(name: str, value: Any, order: str = "<", kind: int | None = None) -> bytes:
    """A numeric array, text, a `Cell`, or a dict as a struct; `kind`: a class other than that of the type."""
    if isinstance(value, Cell):
        return array(name, CELL, value.shape, b"".join(variable("", member, order) for member in value.members), order)
    if isinstance(value, dict):
        keys = b"".join(key.encode().ljust(8, b"\0") for key in value)
        body = small(5, struct.pack(f"{order}i", 8), order) + element(1, keys, order)
        return array(name, STRUCT, (1, 1), body + b"".join(variable("", v, order) for v in value.values()), order)
    if isinstance(value, str):
        codes = np.array([ord(letter) for letter in value], f"{order}u2")
        return array(name, CHAR, (1, len(value)), element(4, codes.tobytes(), order), order)
    value = np.atleast_2d(value)
    code = value.dtype.str[1:]
    raw = value.astype(value.dtype.newbyteorder(order)).tobytes("F")
    return array(name, kind or CLASSES[code], value.shape, element(MI[code], raw, order), order)


def packed(raw: bytes, level: int = 6, order: str = "<") -> bytes:
    """A variable, compressed."""
    data = zlib.compress(raw, level)
    return struct.pack(f"{order}2I", PACKED, len(data)) + data


def level5(*variables: bytes, order: str = "<") -> bytes:
    """A file of these variables."""
    text = b"MATLAB 5.0 MAT-file, written by a test".ljust(124)
    return text + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI") + b"".join(variables)


def column(values: Any, dtype: str) -> np.ndarray:
    """As MATLAB's x(:), shape [n, 1]."""
    return np.asarray(values).astype(dtype)[:, None]


def version73(h5py: Any, variables: dict[str, Any]) -> bytes:
    """A file of version 7.3, as MATLAB lays it out."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _put(h5py, file, name, value)
    content = bytearray(memory.getvalue())
    content[:128] = b"MATLAB 7.3 MAT-file, written by a test HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM"
    return bytes(content)


def _put(h5py: Any, file: Any, name: str, value: Any) -> Any:
    if isinstance(value, dict):
        group = file.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, member in value.items():
            _put(h5py, file, f"{name}/{key}", member)
        return group
    if isinstance(value, Cell):
        references = np.empty(len(value.members), h5py.ref_dtype)
        for k, member in enumerate(value.members):
            references[k] = _put(h5py, file, f"#refs#/{name.replace('/', '_')}_{k}", member).ref
        data, kind = references.reshape(value.shape[::-1]), "cell"
    elif isinstance(value, str):
        data, kind = np.array([[ord(letter)] for letter in value], np.uint16), "char"
    else:
        data, kind = np.atleast_2d(value).T, NAMES[np.asarray(value).dtype.str[1:]]
    if data.size == 0:  # what is stored are the dimensions
        data = np.array(data.shape[::-1], np.uint64)
        dataset = file.create_dataset(name, data=data)
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
    else:
        dataset = file.create_dataset(name, data=data)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    return dataset
