"""Three samples of 40 points with normals, a point of the second not finite."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.golden.clouds import golden_points

DIGESTS = {1: "804aeadaf7ca1ece"}


def content() -> bytes:
    """The file."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    points = np.array(golden_points(120, 6, 99), np.float32).reshape(3, 40, 6)
    points[1, 5, 2] = np.inf
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["data"], file["normal"] = points[:, :, :3], points[:, :, 3:]
        file["label"] = np.array([[2], [0], [39]], np.uint8)
        file["faceId"] = np.zeros((3, 40), np.int32)
    return memory.getvalue()
