"""300 events in contiguous datasets, with an offset of time."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "908b45323c3c2813"}


def content() -> bytes:
    """The file."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    t, x, y, p = (golden_numbers(300, *pair) for pair in ((900, 17), (34, 18), (34, 19), (2, 20)))
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["events/t"] = np.cumsum(t).astype(np.uint32)
        file["events/x"], file["events/y"], file["events/p"] = x.astype(np.uint16), y.astype(">u2"), p.astype(np.int8)
        file["t_offset"] = 1_000_000
    return memory.getvalue()
