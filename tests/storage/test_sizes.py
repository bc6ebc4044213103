from __future__ import annotations

import pytest

from neurodata.errors import StorageError
from neurodata.storage._sizes import parse_size


@pytest.mark.parametrize(
    ("size", "n_bytes"),
    [("50GB", 50 * 10**9), (" 8 GiB", 8 * 2**30), ("1.5tb", 15 * 10**11), ("10M", 10**7), ("7 B", 7), ("7", 7), (7, 7)],
)
def test_sizes_are_decimal_unless_they_say_binary(size: str | int, n_bytes: int) -> None:
    assert parse_size(size) == n_bytes


@pytest.mark.parametrize("size", ["", "GB", "-1GB", "0", 0, -5, "1 XB", True, 1.5, None, "1e9"])
def test_anything_else_is_refused(size: object) -> None:
    with pytest.raises(StorageError, match="expected bytes, or text such as"):
        parse_size(size)  # type: ignore[arg-type]
