"""300 rows without a header."""

from __future__ import annotations

from tests.golden.csv_events import columns

DIGESTS = {1: "d02bed06d0d6e90a"}


def content() -> bytes:
    """The file."""
    return "".join(f"{x} {y} {t} {2 * p - 1}\n" for t, x, y, p in zip(*columns(), strict=True)).encode()
