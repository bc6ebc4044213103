"""Two utterances to train on, one of them of several digits, and one to test on."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "988f454d30c00c15"}
NAMES = {"train": [b"man-ae-a-z", b"woman-bx-b-41o"], "test": [b"man-qq-a-o"]}


def content() -> bytes:
    """The file."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for partition, names in NAMES.items():
            file[f"{partition}_labels"] = np.array(names)
            for k, name in enumerate(names):
                steps, channels = (golden_numbers(150, *pair) for pair in ((900, 61 + k), (64, 71 + k)))
                file[f"{partition}_timestamps/{name.decode()}"] = np.cumsum(steps) / 1e6
                file[f"{partition}_addresses/{name.decode()}"] = channels.astype(np.uint8)
    return memory.getvalue()
