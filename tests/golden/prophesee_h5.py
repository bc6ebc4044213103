"""300 records packed by gzip."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "895292ec59d45e41"}
RECORD = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])


def content() -> bytes:
    """The file."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    t, x, y, p = (golden_numbers(300, *pair) for pair in ((900, 21), (34, 22), (34, 23), (2, 24)))
    records = np.zeros(300, RECORD)
    records["t"], records["x"], records["y"], records["p"] = np.cumsum(t), x, y, p
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_dataset("CD/events", data=records, chunks=(100,), compression="gzip")
        file.attrs["geometry"] = "34x34"
    return memory.getvalue()
