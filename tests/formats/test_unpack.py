from __future__ import annotations

import bz2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.formats._unpack import PIECE_BYTES, UNPACKERS, UnpackError

PACKERS = {
    "bz2": bz2.compress,
    "lz4": lambda content: pytest.importorskip("lz4.frame").compress(content, store_size=False),
    "zstd": lambda content: pytest.importorskip("zstandard").compress(content),
}


@pytest.mark.parametrize("packing", UNPACKERS)
def test_what_was_packed_comes_back_up_to_the_limit(packing: str) -> None:
    @given(st.binary(max_size=200), st.integers(1, 3 * PIECE_BYTES // 100))
    def law(content: bytes, times: int) -> None:
        content = content * times
        packed = memoryview(PACKERS[packing](content))
        assert UNPACKERS[packing](packed, len(content), "ros") == content
        if content:
            with pytest.raises(UnpackError, match=f"unpacks to more than {len(content) - 1} bytes"):
                UNPACKERS[packing](packed, len(content) - 1, "ros")

    law()


@pytest.mark.parametrize("packing", UNPACKERS)
def test_what_is_cut_off_is_an_error_or_shorter(packing: str) -> None:
    content = b"events and more events" * 9
    packed = PACKERS[packing](content)
    for length in range(len(packed)):
        try:
            found = UNPACKERS[packing](memoryview(packed[:length]), len(content), "ros")
        except UnpackError:
            continue
        # Zstandard does not say so, hence callers compare the size; at a cut-off checksum all is there.
        assert packing == "zstd"
        assert content.startswith(found)


@pytest.mark.parametrize("packing", UNPACKERS)
def test_noise_is_an_error(packing: str) -> None:
    with pytest.raises(UnpackError, match="does not unpack with"):
        UNPACKERS[packing](memoryview(b"no such frame at all"), 100, "ros")
