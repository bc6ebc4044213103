from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import PointCloud
from neurodata.transforms.farthest_point import FarthestPoint, choose, farthest_points, reference
from neurodata.transforms.grid_sample import GridSample
from neurodata.transforms.unit_sphere import UnitSphere


def cloud_of(*xyz: list[float]) -> PointCloud:
    """Points with their number as a feature."""
    points = np.array(xyz, np.float32).reshape(-1, 3)
    return PointCloud(points, np.arange(len(points), dtype=np.float32)[:, None])


@st.composite
def clouds(draw: st.DrawFn, least: int = 1) -> PointCloud:
    """Points on quarters, so that places and distances are often equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return cloud_of(*(rng.integers(-6, 7, (draw(st.integers(least, 30)), 3)) / 4).tolist())


def test_the_farthest_of_points_on_a_line() -> None:
    line = cloud_of(*[[x, 0, 0] for x in (0, 1, 2, 3, 4, 10)])
    tally: Counter[str] = Counter()
    assert FarthestPoint(n=4)(line, tally=tally).features.ravel().tolist() == [0, 5, 4, 2]
    assert tally == {"not sampled": 2}
    assert FarthestPoint(n=3, start="centre")(line).features.ravel().tolist() == [3, 5, 0]  # their mean is 3.33


@given(clouds(), st.data())
def test_the_kernel_equals_the_reference(cloud: PointCloud, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(cloud.xyz)))
    start = data.draw(st.integers(0, len(cloud.xyz) - 1))
    found = np.empty(n, np.intp)
    xyz = cloud.xyz.astype(np.float64)
    choose(np.ascontiguousarray(xyz.T), start, np.full(len(xyz), np.inf), found)
    np.testing.assert_array_equal(found, reference(xyz, n, start))


@given(clouds(least=2), st.data())
def test_no_point_is_farther_from_the_sample_than_its_points_from_each_other(
    cloud: PointCloud, data: st.DataObject
) -> None:
    n = data.draw(st.integers(2, len(cloud.xyz)))
    chosen = farthest_points(cloud.xyz, n)
    assert len(set(chosen.tolist())) == n
    apart = np.linalg.norm(cloud.xyz[:, None] - cloud.xyz[chosen], axis=2)  # [m, n]
    within = apart[chosen] + np.diag(np.full(n, np.inf))
    assert apart.min(axis=1).max() <= within.min() + 1e-6


def test_too_few_points_are_repeated_or_refused() -> None:
    three = cloud_of([0, 0, 0], [1, 0, 0], [5, 0, 0])
    tally: Counter[str] = Counter()
    repeated = FarthestPoint(n=7)(three, tally=tally)
    assert repeated.features.ravel().tolist() == [0, 2, 1, 0, 2, 1, 0]
    assert tally == {"added: repeated points": 4}
    with pytest.raises(EncodingError, match="fewer than 7 points"):
        FarthestPoint(n=7, few="error")(three)
    with pytest.raises(EncodingError, match="fewer than 7 points"):
        FarthestPoint(n=7)(cloud_of())


def test_the_random_start_is_any_point() -> None:
    cloud = cloud_of(*np.eye(3).tolist())
    starts = {
        float(FarthestPoint(n=1, start="random")(cloud, np.random.default_rng(k)).features[0, 0]) for k in range(40)
    }
    assert starts == {0, 1, 2}


def test_points_that_are_not_there_are_refused() -> None:
    for n, start in ((4, 0), (1, 3), (-1, 0)):
        with pytest.raises(EncodingError, match="farthest points"):
            farthest_points(np.zeros((3, 3), np.float32), n, start)
    assert len(farthest_points(np.zeros((0, 3), np.float32), 0)) == 0


GRID_BY_HAND = cloud_of([0.9, 0, 0], [-0.1, 0, 0], [0.1, 0.9, 0.5], [-0.9, 0, 0], [0, 0, 1], [0.5, 0.5, 0.5])


@pytest.mark.parametrize(("pick", "expected"), [("first", [0, 1, 4]), ("mean", [7 / 3, 2, 4])])
def test_one_point_for_each_voxel_by_hand(pick: str, expected: list[float]) -> None:
    tally: Counter[str] = Counter()
    sampled = GridSample(voxel=1.0, pick=pick)(GRID_BY_HAND, tally=tally)  # type: ignore[arg-type]
    np.testing.assert_allclose(sampled.features.ravel(), expected, rtol=1e-6)
    assert tally == {"same voxel": 3}
    if pick == "mean":
        np.testing.assert_allclose(sampled.xyz, [[0.5, 1.4 / 3, 1 / 3], [-0.5, 0, 0], [0, 0, 1]], rtol=1e-6)


@given(clouds(), st.sampled_from(["first", "random", "mean"]), st.sampled_from([0.25, 0.5, 1.0, 10.0]))
def test_every_voxel_keeps_one_point(cloud: PointCloud, pick: str, voxel: float) -> None:
    step = GridSample(voxel=voxel, pick=pick)  # type: ignore[arg-type]
    sampled = step(cloud, np.random.default_rng(0) if step.stochastic else None)
    before, after = (set(map(tuple, np.floor(xyz / voxel).tolist())) for xyz in (cloud.xyz, sampled.xyz))
    assert before == after
    assert len(sampled.xyz) == len(after)
    if pick != "mean":
        assert set(sampled.features.ravel()) <= set(cloud.features.ravel())
        numbers = sampled.features.ravel().astype(int)
        np.testing.assert_array_equal(sampled.xyz, cloud.xyz[numbers])
    if pick == "first":
        again = step(sampled)
        np.testing.assert_array_equal(again.features, sampled.features)
        assert (np.diff(sampled.features.ravel()) > 0).all()


def test_every_point_of_a_voxel_is_picked_as_often() -> None:
    picks = [GridSample(voxel=4.0, pick="random")(cloud_of(*[[k, 0, 0] for k in range(4)]), np.random.default_rng(s))
             for s in range(400)]  # fmt: skip
    counts = np.bincount([int(picked.features[0, 0]) for picked in picks], minlength=4)
    assert counts.min() > 60


def test_voxels_too_small_for_the_cloud_are_refused() -> None:
    with pytest.raises(EncodingError, match="state a larger voxel"):
        GridSample(voxel=1e-20)(cloud_of([1, 2, 3]))


@given(clouds(), st.sampled_from(["mean", "box", "origin"]), st.floats(1e-3, 1e3))
def test_the_farthest_point_lies_on_the_unit_sphere(cloud: PointCloud, centre: str, scale: float) -> None:
    step = UnitSphere(centre=centre)  # type: ignore[arg-type]
    sphere = step(cloud)
    radii = np.linalg.norm(sphere.xyz, axis=1)
    assert radii.max() == pytest.approx(1, rel=1e-5) or not sphere.xyz.any()
    assert np.abs(sphere.xyz).max() <= 1
    larger = step(PointCloud((cloud.xyz * np.float32(scale)), cloud.features))
    np.testing.assert_allclose(larger.xyz, sphere.xyz, atol=1e-4)
    if centre == "mean":
        np.testing.assert_allclose(sphere.xyz.mean(axis=0), 0, atol=1e-5)


def test_the_unit_sphere_by_hand() -> None:
    pair = cloud_of([1, 1, 1], [1, 1, 5], [1, 1, 1], [1, 1, 1])
    np.testing.assert_allclose(UnitSphere()(pair).xyz[:, 2], [-1 / 3, 1, -1 / 3, -1 / 3], rtol=1e-6)
    np.testing.assert_allclose(UnitSphere(centre="box")(pair).xyz[:, 2], [-1, 1, -1, -1], rtol=1e-6)
    assert UnitSphere()(cloud_of([2, 3, 4])).xyz.tolist() == [[0, 0, 0]]
    assert len(UnitSphere()(cloud_of()).xyz) == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_point_that_is_none_is_named(value: float) -> None:
    for step in (UnitSphere(), GridSample(voxel=1.0), FarthestPoint(n=1)):
        with pytest.raises(EncodingError, match=r"point 1 of .* a coordinate is not a number"):
            step(cloud_of([0, 0, 0], [0, value, 0]))
        with pytest.raises(EncodingError, match=r"point 0 of .* a feature is not a number"):
            step(PointCloud(np.zeros((1, 3), np.float32), np.array([[value]], np.float32)))


@pytest.mark.parametrize(
    ("step", "parameters"),
    [
        (FarthestPoint, {"n": 0}),
        (FarthestPoint, {"n": 2.0}),
        (FarthestPoint, {"n": 2, "start": "last"}),
        (GridSample, {"voxel": 0.0}),
        (GridSample, {"voxel": float("nan")}),
        (GridSample, {"voxel": 1.0, "pick": "last"}),
        (UnitSphere, {"centre": "middle"}),
    ],
)
def test_parameters_that_are_none_are_refused(step: type, parameters: dict) -> None:
    with pytest.raises(RecipeError):
        step(**parameters)


def test_a_real_mesh_and_scan(recordings: Path) -> None:
    from neurodata.registry import formats

    scan = formats["kitti_bin"].read(recordings / "pointcloud" / "semantickitti" / "000000.bin", None, None).signal
    thin = GridSample(voxel=0.5)(scan)
    assert len(thin.xyz) == len(np.unique(np.floor(scan.xyz.astype(float) / 0.5), axis=0))
    bath = formats["off"].read(recordings / "pointcloud" / "modelnet10" / "bathtub_0001.off", None, None).signal
    sample = FarthestPoint(n=256)(UnitSphere()(bath))
    assert len(np.unique(sample.xyz, axis=0)) == 256
