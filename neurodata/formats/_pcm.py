"""Encodings of sound samples in WAVE files, to float32.

Whole numbers are little-endian and signed, but unsigned with 128 for zero up to 8 bits; with fewer bits than their
bytes hold they stand in the upper ones, so it is the bytes that count. 32 bits and float64 are rounded to float32.
mu-law and A-law: ITU-T G.711, as whole numbers of 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PCM, FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7  # format tags of RFC 2361


class Encoding(NamedTuple):
    """How samples are stored: a name, their bytes, and bytes [n, n_bytes] to float32 [n]."""

    name: str
    n_bytes: int
    decode: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    @property
    def is_fraction(self) -> bool:
        """Whether samples may leave [-1, 1], or be no numbers."""
        return self.name in ("FLOAT", "DOUBLE")


def _unsigned_8(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (raw[:, 0].astype(np.float32) - np.float32(128)) * np.float32(2**-7)


def _signed(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    n_bytes = raw.shape[1]
    if n_bytes == 3:
        widened = np.zeros((len(raw), 4), np.uint8)
        widened[:, 1:] = raw
        raw, n_bytes = widened, 4
    numbers = raw.view(f"<i{n_bytes}")[:, 0].astype(np.float32)
    numbers *= np.float32(2.0 ** (1 - 8 * n_bytes))
    return numbers


def _fraction(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # float64 that float32 does not reach is infinite: counted
        return raw.view(f"<f{raw.shape[1]}")[:, 0].astype(np.float32)


def _mu_law_table() -> NDArray[np.float32]:
    code = ~np.arange(256) & 0xFF
    size = ((((code & 0xF) << 3) + 0x84) << (code >> 4 & 7)) - 0x84
    return (np.where(code & 0x80, -size, size) / 2**15).astype(np.float32)


def _a_law_table() -> NDArray[np.float32]:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, (code & 0xF) << 4
    size = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, size, -size) / 2**15).astype(np.float32)


def _looked_up(table: NDArray[np.float32]) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    return lambda raw: table[raw[:, 0]]


# By format tag and bytes of a sample.
ENCODINGS = {
    (PCM, 1): Encoding("PCM_U8", 1, _unsigned_8),
    (PCM, 2): Encoding("PCM_16", 2, _signed),
    (PCM, 3): Encoding("PCM_24", 3, _signed),
    (PCM, 4): Encoding("PCM_32", 4, _signed),
    (FLOAT, 4): Encoding("FLOAT", 4, _fraction),
    (FLOAT, 8): Encoding("DOUBLE", 8, _fraction),
    (MU_LAW, 1): Encoding("ULAW", 1, _looked_up(_mu_law_table())),
    (A_LAW, 1): Encoding("ALAW", 1, _looked_up(_a_law_table())),
}
