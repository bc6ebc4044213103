from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import UnknownNameError
from neurodata.loader import LoaderError
from neurodata.loader._dtype import DTYPES, check_counts, delivered_dtype


@pytest.mark.parametrize(
    ("wanted", "stored", "expected"),
    [
        ("float32", "uint16", torch.float32),
        ("stored", "uint16", torch.uint16),
        (torch.float64, "int32", torch.float64),  # 53 bits
        ("torch.uint8", "uint8", torch.uint8),  # as torch prints it
        ("float16", "uint8", torch.float16),  # exact to 2048
        ("bfloat16", "uint8", torch.bfloat16),  # exact to 256
        ("float32", "float64", torch.float32),  # what networks take is always granted
        ("int16", "bool", torch.int16),
    ],
)
def test_lossless_types_are_granted(wanted: str | torch.dtype, stored: str, expected: torch.dtype) -> None:
    assert delivered_dtype(wanted, np.dtype(stored)) == expected


@pytest.mark.parametrize(
    ("wanted", "stored"),
    [
        ("uint8", "uint16"),  # range
        ("int8", "uint8"),  # 128 to 255
        ("uint8", "int8"),  # sign
        ("float16", "uint16"),  # beyond 2048 numbers are rounded
        ("bfloat16", "int16"),
        ("bool", "uint8"),
        ("uint8", "float32"),  # fractions
        ("float16", "float32"),
    ],
)
def test_types_that_lose_numbers_are_refused(wanted: str, stored: str) -> None:
    with pytest.raises(LoaderError, match=f"{wanted}.*does not hold every number of the stored {stored}"):
        delivered_dtype(wanted, np.dtype(stored))


@pytest.mark.parametrize("wanted", ["half", torch.complex64, "", "STORED"])
def test_unknown_type_lists_those_there_are(wanted: str | torch.dtype) -> None:
    with pytest.raises(UnknownNameError, match='"stored", bool, uint8'):
        delivered_dtype(wanted, np.dtype("uint8"))


@given(st.sampled_from(sorted(DTYPES)), st.sampled_from(["uint8", "int8", "uint16", "int16", "uint32", "int32"]))
def test_a_granted_type_gives_the_extremes_back(wanted: str, stored: str) -> None:
    extremes = np.array([np.iinfo(stored).min, np.iinfo(stored).max, np.iinfo(stored).max - 1], stored)
    try:
        dtype = delivered_dtype(wanted, extremes.dtype)
        check_counts(extremes, dtype, "rec")
    except LoaderError:
        return
    assert torch.from_numpy(extremes).to(dtype).to(torch.float64).tolist() == extremes.tolist()


def test_counts_that_float32_would_round_name_the_sample() -> None:
    check_counts(np.array([2**24], np.uint32), torch.float32, "rec1")
    with pytest.raises(LoaderError, match=r'rec1.*16777217.*dtype="stored"'):
        check_counts(np.array([2**24 + 1], np.uint32), torch.float32, "rec1")
    with pytest.raises(LoaderError, match="rec1"):
        check_counts(np.array([-(2**24) - 1], np.int64), torch.float32, "rec1")
    check_counts(np.array([2**24 + 1], np.uint32), torch.float64, "rec1")
