"""Point clouds thinned to one point for each voxel of a grid.

As Point Transformer V2's and E-3DSNN's codes prepare their clouds ("GridSample", by a hash of floor(p / g) - min); one
random point a voxel is what they train, and E-3DSNN also tests, with. Here voxels are told apart exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError
from neurodata.forms import PointCloudForm
from neurodata.signals import PointCloud
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice, check_range
from neurodata.transforms._points import require_numbers, taken

Pick = Literal["first", "random", "mean"]
FURTHEST_VOXEL = 2**53


@dataclass(frozen=True, slots=True)
class GridSample(SignalTransform):
    """One point for each voxel floor(xyz / voxel) that has points; points left out are counted ("same voxel").

    Parameters
    ----------
    voxel
        Edge of a voxel, in the unit of the points: 0.01 for ModelNet40 in the unit sphere, 0.05 m for SemanticKITTI.
    pick
        "first": the voxel's first point. "random": one of them, uniform (`rng.random(m)`, voxels in the order of
        their first points). "mean": the mean of their places and of their features (normals are not scaled again).

    Voxels stand in the order of their first points, and the first and random ones keep their place and features.

    Raises
    ------
    RecipeError
        When voxel is not positive, or pick is none of these.
    EncodingError
        When called: a coordinate or feature is not a number, or lies more than 2^53 voxels from the origin.
    """

    voxel: float
    pick: Pick = "first"

    takes: ClassVar[Kinds] = PointCloud
    gives: ClassVar[type] = PointCloud
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"voxel": 0.5},
        {"voxel": 0.5, "pick": "random"},
        {"voxel": 0.3, "pick": "mean"},
    )
    aliases: ClassVar[Mapping[str, str]] = {"grid_size": "voxel"}

    def __post_init__(self) -> None:
        check_range("grid_sample", "voxel", self.voxel, 1e-30, 1e30)
        check_choice("grid_sample", "pick", self.pick, get_args(Pick))

    @property
    def stochastic(self) -> bool:
        """Whether points are drawn."""
        return self.pick == "random"

    def form_after(self, form: PointCloudForm) -> PointCloudForm:
        """Clouds of which none says how many points it has."""
        return PointCloudForm(form.n_features)

    def apply(self, cloud: PointCloud, rng: np.random.Generator | None, tally: Tally) -> PointCloud:
        """The points that are left."""
        require_numbers("grid_sample", cloud)
        if len(cloud.xyz) == 0:
            return cloud
        order, starts, counts = self._voxels(cloud)
        if left_out := len(cloud.xyz) - len(starts):
            tally["same voxel"] += left_out
        if self.pick == "mean":
            xyz, features = (_means(columns[order], starts, counts) for columns in (cloud.xyz, cloud.features))
            return PointCloud(xyz, features)
        nth: NDArray[np.intp] = np.zeros(len(starts), np.intp)
        if self.pick == "random":
            assert rng is not None  # SignalTransform.__call__ asks for one
            nth = (rng.random(len(starts)) * counts).astype(np.intp)
        return taken(cloud, order[starts + nth])

    def _voxels(self, cloud: PointCloud) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Points voxel by voxel, in their order [n]; where each voxel begins among these, and how many it has [m]."""
        share = np.floor(cloud.xyz.astype(np.float64) / self.voxel)  # [n, 3]
        if np.abs(share).max() > FURTHEST_VOXEL:
            raise EncodingError(
                f"grid_sample: {cloud!r} reaches {np.abs(cloud.xyz).max():g} from the origin, more than 2^53 voxels of "
                f"{self.voxel:g}; state a larger voxel"
            )
        order = np.lexsort(share.T)  # stable: points of a voxel stay in their order
        new = np.append(True, (np.diff(share[order], axis=0) != 0).any(axis=1))
        starts = np.flatnonzero(new)
        counts = np.diff(starts, append=len(order))
        by_first = np.argsort(order[starts])
        return order, starts[by_first], counts[by_first]


def _means(columns: NDArray[np.float32], starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Mean of each group of rows, float32 [m, k]."""
    in_place = np.argsort(starts)
    means = np.empty((len(starts), columns.shape[1]), np.float32)
    totals = np.add.reduceat(columns.astype(np.float64), starts[in_place], axis=0)
    means[in_place] = totals / counts[in_place, np.newaxis]
    return means


STEP = GridSample
