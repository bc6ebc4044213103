from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.sparse_voxel import SparseVoxel, to_dense
from neurodata.encodings.spike_voxel import SpikeVoxel, rolled, unrolled
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import PointCloud


def cloud_of(xyz: list[list[float]], features: list[list[float]] | None = None) -> PointCloud:
    points = np.array(xyz, np.float32).reshape(-1, 3)
    return PointCloud(points, np.array(features or np.zeros((len(points), 0)), np.float32))


@st.composite
def clouds(draw: st.DrawFn) -> PointCloud:
    """Points on quarters from -1.5 to 1.5, so that edges, corners and equal places are hit, with two features."""
    n = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    xyz = rng.integers(-6, 7, (n, 3)) / 4
    return PointCloud(xyz.astype(np.float32), rng.normal(0, 2, (n, 2)).astype(np.float32))


# On the grid of (4, 2, 1) voxels from -1 to 1, x is cut at -0.5, 0, 0.5; y at 0.
BY_HAND = cloud_of(
    [[-1, -1, 0], [-0.9, -0.5, 1], [-0.5, 0, -1], [1, 1, 1], [0.99, 0.5, 0], [0.6, 0, 0], [1.01, 0, 0]],
    [[1], [2], [3], [4], [5], [6], [7]],
)


def test_counts_by_hand() -> None:
    tally: Counter[str] = Counter()
    counts = SpikeVoxel(grid=(4, 2, 1))(BY_HAND, tally=tally)
    assert counts.shape == (1, 1, 1, 2, 4)
    assert counts.dtype == np.uint8
    assert counts[0, 0, 0].tolist() == [[2, 0, 0, 0], [0, 1, 0, 3]]
    assert tally == {"outside the grid": 1}


def test_levels_stop_at_the_highest_and_unroll_into_as_many_steps() -> None:
    assert SpikeVoxel(grid=(4, 2, 1), D=2)(BY_HAND)[0, 0, 0].tolist() == [[2, 0, 0, 0], [0, 1, 0, 2]]
    steps = SpikeVoxel(grid=(4, 2, 1), D=2, T=2, code="unrolled")(BY_HAND)
    assert steps.shape == (4, 1, 1, 2, 4)
    assert steps[:, 0, 0, 1].astype(int).tolist() == [[0, 1, 0, 1], [0, 0, 0, 1]] * 2


@pytest.mark.parametrize(
    ("pick", "expected"), [("first", [[-1, -1, 0, 1], [1, 1, 1, 4]]), ("mean", [[-0.95, -0.75, 0.5, 1.5], None])]
)
def test_points_stand_for_their_voxel(pick: str, expected: list) -> None:
    values = SpikeVoxel(grid=(4, 2, 1), value="points", pick=pick, code="real")(BY_HAND)  # type: ignore[arg-type]
    assert values.shape == (1, 4, 1, 2, 4)
    np.testing.assert_allclose(values[0, :, 0, 0, 0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(
        values[0, :, 0, 1, 3], expected[1] or np.mean([[1, 1, 1, 4], [0.99, 0.5, 0, 5], [0.6, 0, 0, 6]], 0), rtol=1e-6
    )


def test_a_random_point_is_one_of_its_voxel_and_each_comes() -> None:
    step = SpikeVoxel(grid=1, value="points", pick="random", code="real")
    found = {float(step(BY_HAND, np.random.default_rng(seed))[0, 3, 0, 0, 0]) for seed in range(60)}
    assert found == {1, 2, 3, 4, 5, 6}


def test_integer_spikes_are_rounded_and_not_negative() -> None:
    cloud = cloud_of([[0, 0, 0]], [[-3], [0.5]][:1])
    step = SpikeVoxel(grid=1, value="points")
    assert step(cloud).ravel().tolist() == [0, 0, 0, 0]
    for value, level in ((0.4, 0), (0.5, 0), (0.6, 1), (1.5, 2), (2.5, 2), (9, 4)):
        assert step(cloud_of([[0, 0, 0]], [[value]])).ravel()[3] == level


@given(clouds(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_every_point_is_counted_once_or_outside(cloud: PointCloud, x: int, y: int, z: int) -> None:
    tally: Counter[str] = Counter()
    counts = SpikeVoxel(grid=(x, y, z), code="real")(cloud, tally=tally)
    assert counts.sum() + tally["outside the grid"] == len(cloud.xyz)
    inside = (np.abs(cloud.xyz) <= 1).all(axis=1)
    expected = np.histogramdd(cloud.xyz[inside], (x, y, z), [(-1, 1)] * 3)[0]
    np.testing.assert_array_equal(counts[0, 0].transpose(2, 1, 0), expected)


@given(clouds(), st.sampled_from(["first", "mean"]))
def test_occupancy_is_where_there_are_points(cloud: PointCloud, pick: str) -> None:
    occupancy = SpikeVoxel(grid=3, value="occupancy")(cloud)[0, 0]
    np.testing.assert_array_equal(occupancy > 0, SpikeVoxel(grid=3, code="real")(cloud)[0, 0] > 0)
    step = SpikeVoxel(grid=3, value="points", pick=pick, code="real")  # type: ignore[arg-type]
    places, values = step.occupied(cloud)
    assert len(places) == occupancy.sum()
    dense = step(cloud)[0]
    np.testing.assert_array_equal(dense[:, places[:, 0], places[:, 1], places[:, 2]].T, values)


@given(clouds())
def test_values_are_those_of_the_points_of_each_voxel(cloud: PointCloud) -> None:
    rows = np.concatenate([cloud.xyz, cloud.features], axis=1)
    of_voxel: dict[tuple[int, ...], list[np.ndarray]] = {}
    for row in rows:
        if np.abs(row[:3]).max() <= 1:
            x, y, z = np.minimum(np.floor((row[:3] + 1) / 2 * 4), 3).astype(int)
            of_voxel.setdefault((z, y, x), []).append(row)
    for pick in ("first", "mean"):
        places, values = SpikeVoxel(grid=4, value="points", pick=pick).occupied(cloud)  # type: ignore[arg-type]
        assert set(map(tuple, places.tolist())) == set(of_voxel)
        for place, value in zip(places.tolist(), values, strict=True):
            points = of_voxel[tuple(place)]
            np.testing.assert_allclose(value, points[0] if pick == "first" else np.mean(points, axis=0), atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_unrolled_spikes_sum_to_the_level(seed: int, D: int) -> None:
    levels = np.random.default_rng(seed).integers(0, D + 1, (2, 3)).astype(np.uint8)
    steps = unrolled(levels, D)
    assert steps.shape == (D, 2, 3)
    np.testing.assert_array_equal(rolled(steps, D)[0], levels)
    assert (steps[1:] <= steps[:-1]).all()


@given(clouds(), st.sampled_from(["occupancy", "count", "points"]), st.floats(0, 3))
def test_sparse_rows_are_those_of_the_dense_array_in_its_order(cloud: PointCloud, value: str, scale: float) -> None:
    parameters: dict = {"grid": (3, 4, 2), "value": value, "scale": scale, "D": 3}
    dense = SpikeVoxel(**parameters)(cloud)[0]
    tally: Counter[str] = Counter()
    rows = SparseVoxel(**parameters)(cloud, tally=tally)
    np.testing.assert_array_equal(to_dense(rows, dense.shape), dense)
    np.testing.assert_array_equal(rows[:, :4], np.argwhere(dense))
    assert tally["outside the grid"] == (np.abs(cloud.xyz) > 1).any(axis=1).sum()


def test_rates_are_the_values() -> None:
    step = SpikeVoxel(grid=2, value="occupancy", code="rate", T=4000, scale=0.3)
    spikes = step(cloud_of([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5], [0.4, 0.4, 0.4]]), np.random.default_rng(0))
    rates = spikes.mean(axis=0)[0]
    assert rates[0, 0, 0] == pytest.approx(0.3, abs=0.03)
    assert rates[1, 1, 1] == pytest.approx(0.3, abs=0.03)
    assert np.count_nonzero(rates) == 2
    assert SpikeVoxel(grid=2, code="rate", T=50)(cloud_of([[0, 0, 0]]), np.random.default_rng(0)).sum() == 50


def test_the_grid_can_be_far_larger_than_memory_for_sparse_rows_only() -> None:
    cloud = cloud_of([[1, 1, 1], [-1, -1, -1]])
    assert SparseVoxel(grid=2**20)(cloud).tolist() == [[0, 0, 0, 0, 1], [0, *[2**20 - 1] * 3, 1]]
    with pytest.raises(EncodingError, match="GB"):
        SpikeVoxel(grid=2**20)(cloud)


@pytest.mark.parametrize(
    "parameters",
    [
        {"grid": 0},
        {"grid": (1, 2)},
        {"low": 1.0},
        {"high": (1.0, 1.0, -1.0)},
        {"low": float("-inf")},
        {"D": 256},
        {"scale": -1.0},
        {"pick": "mean"},
        {"value": "density"},
    ],
)
def test_parameters_that_are_none_are_refused(parameters: dict) -> None:
    for step in (SpikeVoxel, SparseVoxel):
        with pytest.raises(RecipeError, match="_voxel"):
            step(**parameters)
    with pytest.raises(RecipeError, match="random"):
        SparseVoxel(value="points", pick="random")
    with pytest.raises(RecipeError, match="is random"):
        SpikeVoxel(value="points", pick="random").occupied(cloud_of([[0, 0, 0]]))


def test_values_beyond_float32_are_refused() -> None:
    with pytest.raises(EncodingError, match="beyond what a float32"):
        SpikeVoxel(grid=1, value="points", scale=1e30, code="real")(cloud_of([[0, 0, 0]], [[1e30]]))


def test_a_real_scan(recordings: Path) -> None:
    from neurodata.registry import formats

    cloud = formats["kitti_bin"].read(recordings / "pointcloud" / "semantickitti" / "000000.bin", None, None).signal
    tally: Counter[str] = Counter()
    rows = SparseVoxel(grid=(1408, 1408, 160), low=(-35.2, -35.2, -4.0), high=(35.2, 35.2, 4.0), D=255)(
        cloud, None, tally
    )
    assert 20_000 < len(rows) < len(cloud.xyz)
    assert rows[:, 4].max() < 255
    assert rows[:, 4].sum() + tally["outside the grid"] == len(cloud.xyz)
