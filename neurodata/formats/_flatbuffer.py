"""Reading flatbuffers by hand, every offset checked: tables, scalars, strings and vectors of structs.

Source: https://flatbuffers.dev/internals/: all little-endian; a table begins with the (signed) distance back to
its vtable, which holds its own size, the table's, and for each field the distance from the table's begin, or 0.
"""

from __future__ import annotations

import struct


class FlatbufferError(ValueError):
    """An offset leads out of the buffer, or the buffer is of another type."""


class Table:
    """The root table of a buffer, with or without its size in front; an identifier of four letters tells which."""

    def __init__(self, buffer: bytes | memoryview, identifier: bytes) -> None:
        self.buffer = buffer
        if buffer[4:8] == identifier:
            begin = 0
        elif buffer[8:12] == identifier:
            begin = 4
        else:
            raise FlatbufferError(f"no table {identifier.decode()}")
        self.at = begin + self._number("<I", begin)
        self.vtable = self.at - self._number("<i", self.at)
        self.vtable_bytes = self._number("<H", self.vtable)

    def scalar(self, slot: int, form: str, default: int) -> int:
        """A number of this struct format; the default where the table does not hold it."""
        at = self._field(slot)
        return default if at is None else self._number(form, at)

    def vector(self, slot: int, item_bytes: int) -> tuple[int, int]:
        """Offset and length of a vector or string; of no items where the table does not hold it."""
        at = self._field(slot)
        if at is None:
            return 0, 0
        at += self._number("<I", at)
        n = self._number("<I", at)
        if n * item_bytes > len(self.buffer) - at - 4:
            raise FlatbufferError(
                f"a vector of {n} items of {item_bytes} bytes, {len(self.buffer) - at - 4} bytes left"
            )
        return at + 4, n

    def _field(self, slot: int) -> int | None:
        entry = 4 + 2 * slot
        if entry + 2 > self.vtable_bytes:
            return None
        distance = self._number("<H", self.vtable + entry)
        return self.at + distance if distance else None

    def _number(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self.buffer) - struct.calcsize(form):
            raise FlatbufferError(f"an offset of {at} in {len(self.buffer)} bytes")
        number: int = struct.unpack_from(form, self.buffer, at)[0]
        return number
