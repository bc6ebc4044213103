"""Three samples as SHD has them: float16 seconds, uint16 channels, labels, speakers and names of the classes."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "aaea4837325074e4"}
SIZES = (120, 0, 700)


def content() -> bytes:
    """The file."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        times = file.create_dataset("spikes/times", (len(SIZES),), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (len(SIZES),), h5py.vlen_dtype(np.uint16))
        for k, n in enumerate(SIZES):
            steps, channels = (golden_numbers(n, *pair) for pair in ((5, 41 + k), (700, 51 + k)))
            times[k], units[k] = (np.cumsum(steps) / 2048).astype(np.float16), channels.astype(np.uint16)
        file["labels"] = np.array([2, 0, 1], np.uint8)
        file["extra/speaker"] = np.array([4, 11, 4], np.uint8)
        file["extra/keys"] = np.array([b"zero", b"one", b"null"])
    return memory.getvalue()
