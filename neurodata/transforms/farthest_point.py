"""Point clouds thinned to n points that are far from each other.

Farthest point sampling: Eldar et al., "The farthest point strategy for progressive image sampling", IEEE Transactions
on Image Processing 6 (1997), known from PointNet++ (Qi et al., NeurIPS 2017, section 3.2). Each new point is the one
whose distance to the nearest of those before is largest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError
from neurodata.forms import PointCloudForm
from neurodata.kernel import kernel
from neurodata.signals import PointCloud
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice, check_whole
from neurodata.transforms._points import require_numbers, taken

Start = Literal["first", "centre", "random"]
Few = Literal["repeat", "error"]
MOST_POINTS = 2**24


@dataclass(frozen=True, slots=True)
class FarthestPoint(SignalTransform):
    """n points of the cloud, each as far as can be from those before; the others are counted ("not sampled").

    Distances are Euclidean in xyz, in double precision; of points that are equally far the first of the cloud is
    taken, and no point twice. Time grows with n times the points.

    Parameters
    ----------
    n
        Points of the result; E-3DSNN takes 8192 of ModelNet40's 10,000.
    start
        The first point: "first" of the cloud (so that the result hangs on nothing else), the one nearest to the mean
        ("centre"), or a "random" one, uniform (`rng.integers`), as most codes have it.
    few
        What becomes of a cloud of fewer points: "repeat" all of them in turn, in the order that they were taken in,
        until there are n ("added: repeated points"), or an "error". Without any point it is an error.

    Raises
    ------
    RecipeError
        When n is not a whole number from 1 to 2^24, or start or few is none of these.
    EncodingError
        When called: a coordinate or feature is not a number, or points are too few.
    """

    n: int
    start: Start = "first"
    few: Few = "repeat"

    takes: ClassVar[Kinds] = PointCloud
    gives: ClassVar[type] = PointCloud
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"n": 8},
        {"n": 5, "start": "centre", "few": "error"},
        {"n": 70, "start": "random"},
    )
    aliases: ClassVar[Mapping[str, str]] = {"num_points": "n", "n_points": "n"}

    def __post_init__(self) -> None:
        check_whole("farthest_point", "n", self.n, 1, MOST_POINTS)
        check_choice("farthest_point", "start", self.start, get_args(Start))
        check_choice("farthest_point", "few", self.few, get_args(Few))

    @property
    def stochastic(self) -> bool:
        """Whether the first point is drawn."""
        return self.start == "random"

    def form_after(self, form: PointCloudForm) -> PointCloudForm:
        """Clouds of n points."""
        return PointCloudForm(form.n_features, self.n)

    def apply(self, cloud: PointCloud, rng: np.random.Generator | None, tally: Tally) -> PointCloud:
        """The n points, in the order that they were taken in."""
        require_numbers("farthest_point", cloud)
        n_points = len(cloud.xyz)
        if n_points < (self.n if self.few == "error" else 1):
            raise EncodingError(f'farthest_point: {cloud!r} has fewer than {self.n} points; few is "{self.few}"')
        points = farthest_points(cloud.xyz, min(self.n, n_points), self._start(cloud, rng))
        if n_points > self.n:
            tally["not sampled"] += n_points - self.n
        if n_points < self.n:
            tally["added: repeated points"] += self.n - n_points
        return taken(cloud, np.resize(points, self.n))

    def _start(self, cloud: PointCloud, rng: np.random.Generator | None) -> int:
        if self.start == "first":
            return 0
        if self.start == "random":
            assert rng is not None  # SignalTransform.__call__ asks for one
            return int(rng.integers(0, len(cloud.xyz)))
        xyz = cloud.xyz.astype(np.float64)
        return int(((xyz - xyz.mean(axis=0)) ** 2).sum(axis=1).argmin())


def farthest_points(xyz: NDArray[np.float32], n: int, start: int = 0) -> NDArray[np.intp]:
    """Numbers of n points of xyz [m, 3] that are far from each other, from `start` on: intp [n], all different.

    Raises
    ------
    EncodingError
        When there are fewer than n points, or start is none of them.
    """
    if not (0 <= n <= len(xyz) and (0 <= start < len(xyz) or n == 0)):
        raise EncodingError(f"farthest points: {n} of {len(xyz)} points from number {start}; there are not so many")
    chosen = np.empty(n, np.intp)
    if n:
        choose(np.ascontiguousarray(xyz.T, np.float64), start, np.full(len(xyz), np.inf), chosen)
    return chosen


@kernel
def choose(xyz: NDArray[np.float64], start: int, distance: NDArray[np.float64], chosen: NDArray[np.intp]) -> None:
    """Fill `chosen` [n]; xyz is [3, m], `distance` [m] infinite at first: squares, and -1 of what is chosen."""
    nearest = start
    for k in range(len(chosen)):
        chosen[k] = nearest
        x, y, z = xyz[0, nearest], xyz[1, nearest], xyz[2, nearest]
        distance[nearest] = -1.0
        furthest = -1.0
        for i in range(len(distance)):
            square = (xyz[0, i] - x) ** 2 + (xyz[1, i] - y) ** 2 + (xyz[2, i] - z) ** 2
            if square < distance[i]:
                distance[i] = square
            if distance[i] > furthest:
                furthest = distance[i]
                nearest = i


def reference(xyz: NDArray[np.float64], n: int, start: int) -> NDArray[np.intp]:
    """What `choose` computes, of xyz [m, 3]."""
    distance = np.full(len(xyz), np.inf)
    chosen = [start]
    for _ in range(n - 1):
        distance = np.minimum(distance, ((xyz - xyz[chosen[-1]]) ** 2).sum(axis=1))
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return np.array(chosen, np.intp)


STEP = FarthestPoint
