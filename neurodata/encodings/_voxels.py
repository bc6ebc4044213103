"""What encodings of point clouds share: a grid of voxels, which of them have points, and what stands for those.

Only voxels that have points are kept, whatever the size of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import PointCloudForm
from neurodata.signals import PointCloud
from neurodata.steps import Kinds, SignalEncoding, Tally, check_choice, check_range, check_whole

Value = Literal["occupancy", "count", "points"]
Pick = Literal["first", "mean", "random"]
# One number for the three axes, or one each for x, y and z.
PerAxis: TypeAlias = float | tuple[float, float, float]
PerAxisWhole: TypeAlias = int | tuple[int, int, int]
MOST_VOXELS = 2**20  # along an axis: 2^60 in all
LARGEST_LEVEL = 255
LARGEST_COORDINATE = 1e30


@dataclass(frozen=True, slots=True, eq=False)
class Voxels:
    """The voxels that have points, in the order of [z, y, x].

    Parameters
    ----------
    places
        int64 [m]: z, y and x as one number, (z * Y + y) * X + x.
    values
        float32 [m, C]: what stands for the points of each.
    """

    places: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VoxelEncoding(SignalEncoding):
    """Base of encodings of point clouds on a grid of voxels.

    The grid divides the box from low to high, in X, Y and Z voxels. Voxels are half-open, the last one of each axis
    closed: x lies in voxel min(floor((x - low) / (high - low) * X), X - 1). Points outside of the box are counted as
    dropped ("outside the grid").

    Parameters
    ----------
    grid
        Voxels along x, y and z, or one number for all three.
    low, high
        Corners of the box, in the unit of the points; from -1 to 1 holds what `unit_sphere` gives. A voxel of the size
        g, as others state, is grid = (high - low) / g.
    value
        What stands for the points of a voxel. "occupancy": 1 (C = 1). "count": their number (C = 1). "points": x, y, z
        and the features (C = 3 + k).
    pick
        Of which point, with "points": "first" of the cloud, "mean" of all, or "random", uniform (`rng.random(m)` for m
        voxels).
    scale
        Multiplies the value.
    D
        Highest level of an integer spike: round(clamp(scale * value, 0, D)), halves to the even number.
    """

    grid: PerAxisWhole = 32
    low: PerAxis = -1.0
    high: PerAxis = 1.0
    value: Value = "count"
    pick: Pick = "first"
    scale: float = 1.0
    D: int = 4

    takes: ClassVar[Kinds] = PointCloud

    def check_grid(self) -> None:
        """RecipeError when a parameter is out of range."""
        name = self._name
        for parameter, choices in (("value", Value), ("pick", Pick)):
            check_choice(name, parameter, getattr(self, parameter), get_args(choices))
        for parameter in ("grid", "low", "high"):
            if isinstance(triple := getattr(self, parameter), tuple) and len(triple) != 3:
                raise RecipeError(f"{name}: {parameter} is {triple}; expected one number, or three for x, y and z")
        for n in per_axis(self.grid):
            check_whole(name, "grid", n, 1, MOST_VOXELS)
        for low, high in zip(per_axis(self.low), per_axis(self.high), strict=True):
            check_range(name, "low", low, -LARGEST_COORDINATE, LARGEST_COORDINATE)
            check_range(name, "high", high, -LARGEST_COORDINATE, LARGEST_COORDINATE)
            if not low < high:
                raise RecipeError(f"{name}: the box reaches from low = {low} to high = {high}; expected low < high")
        check_range(name, "scale", self.scale, 0, 1e30)
        check_whole(name, "D", self.D, 1, LARGEST_LEVEL)
        if self.pick != "first" and self.value != "points":
            raise RecipeError(f'{name}: pick is for value = "points"; value is {self.value!r}')

    @property
    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        x, y, z = per_axis(self.grid)
        return int(z), int(y), int(x)

    def n_channels(self, form: PointCloudForm) -> int:
        """Values of a voxel."""
        return 3 + form.n_features if self.value == "points" else 1

    def voxels(self, cloud: PointCloud, rng: np.random.Generator | None, tally: Tally) -> Voxels:
        """The voxels that have points, with their values as `value` says, times scale.

        Raises
        ------
        EncodingError
            When a coordinate or feature is not a number.
        """
        if not (np.isfinite(cloud.xyz).all() and np.isfinite(cloud.features).all()):
            raise EncodingError(f"{self._name}: a point of {cloud!r} is not a number (NaN or infinite)")
        places, inside = self._places(cloud.xyz)
        if n_outside := len(inside) - len(places):
            tally["outside the grid"] += n_outside
        order = np.argsort(places, kind="stable")
        occupied, starts, counts = np.unique(places[order], return_index=True, return_counts=True)
        if self.value == "points":
            points = np.concatenate([cloud.xyz, cloud.features], axis=1, dtype=np.float64)[inside][order]  # [n, 3 + k]
            values = picked(points, starts, counts, self.pick, rng)
        else:
            values = (counts.astype(np.float64) if self.value == "count" else np.ones(len(counts)))[:, np.newaxis]
        with np.errstate(over="ignore"):
            scaled = (values * self.scale).astype(np.float32)
        if not np.isfinite(scaled).all():
            raise EncodingError(f"{self._name}: a value times the scale {self.scale:g} is beyond what a float32 holds")
        return Voxels(occupied, scaled)

    def levels(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Integer spikes 0 to D of these values."""
        return np.rint(np.clip(values, 0, self.D)).astype(np.uint8)

    def _places(self, xyz: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Place of each point that lies on the grid, int64 [n inside], and whether each one does, bool [n]."""
        low, high, grid = (np.array(per_axis(side)) for side in (self.low, self.high, self.grid))
        share = (xyz.astype(np.float64) - low) / (high - low)  # [n, 3]: 0 to 1 on the grid
        inside = ((share >= 0) & (share <= 1)).all(axis=1)
        x, y, z = np.minimum((share[inside] * grid).astype(np.int64), grid - 1).T
        return (z * grid[1] + y) * grid[0] + x, inside


def per_axis(side: PerAxis | PerAxisWhole) -> tuple[float, float, float]:
    """The value of each axis, x, y and z."""
    return side if isinstance(side, tuple) else (side, side, side)


def picked(
    points: NDArray[np.float64],
    starts: NDArray[np.intp],
    counts: NDArray[np.intp],
    pick: Pick,
    rng: np.random.Generator | None,
) -> NDArray[np.float64]:
    """One row for each group of rows that stand together, from `starts`, `counts` of them each: [m, C] of [n, C]."""
    if len(starts) == 0:
        return np.empty((0, points.shape[1]))
    if pick == "mean":
        total: NDArray[np.float64] = np.add.reduceat(points, starts, axis=0) / counts[:, np.newaxis]
        return total
    if pick == "first":
        return points[starts]
    if rng is None:
        raise RecipeError('pick = "random" is random: give it a generator, as in np.random.default_rng(0)')
    return points[starts + (rng.random(len(starts)) * counts).astype(np.intp)]


def coordinates(places: NDArray[np.int64], shape_zyx: tuple[int, int, int]) -> NDArray[np.int64]:
    """z, y and x of places on a grid: int64 [m, 3]."""
    return np.stack(np.unravel_index(places, shape_zyx), axis=1).astype(np.int64)
