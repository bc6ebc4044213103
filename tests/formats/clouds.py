"""Point clouds for tests of formats."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from neurodata.signals import PointCloud


def cloud(n: int, n_features: int, seed: int = 0) -> PointCloud:
    """n points on a sphere, and features from 0 to 1."""
    rng = np.random.default_rng(seed)
    xyz = rng.standard_normal((n, 3))
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    return PointCloud(xyz.astype(np.float32), rng.random((n, n_features)).astype(np.float32))


@st.composite
def clouds(draw: st.DrawFn, n_features: st.SearchStrategy[int]) -> PointCloud:
    """Any finite float32, zeros of both signs and denormals among them; often few points or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(0, 20)), 3 + draw(n_features))
    table = rng.integers(0, 2**32, shape, np.uint32).view(np.float32)
    table = np.where(np.isfinite(table), table, np.float32(draw(st.sampled_from([0.0, -0.0, 1.5, 1e-45, -3e38]))))
    return PointCloud(np.ascontiguousarray(table[:, :3]), np.ascontiguousarray(table[:, 3:]))


def same(one: object, other: object) -> bool:
    """Whether two point clouds have the same bits."""
    assert isinstance(one, PointCloud)
    assert isinstance(other, PointCloud)
    return all(
        a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in ((one.xyz, other.xyz), (one.features, other.features))
    )
