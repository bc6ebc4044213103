"""Sizes as people write them."""

from __future__ import annotations

import re

from neurodata.errors import StorageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?", re.IGNORECASE)


def parse_size(size: str | int) -> int:
    """Bytes of a size such as "50GB" (10^9), "8 GiB" (2^30), or a number of bytes.

    Raises
    ------
    StorageError
        When it is anything else, or not above 0.

    >>> parse_size("1.5 GB"), parse_size("2KiB"), parse_size(100)
    (1500000000, 2048, 100)
    """
    match = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    n_bytes = int(float(match[1]) * _UNITS[match[2].lower()]) if match else size
    if isinstance(n_bytes, bool) or not isinstance(n_bytes, int) or n_bytes < 1:
        raise StorageError(f'size {size!r}: expected bytes, or text such as "50GB" or "8GiB"')
    return n_bytes
