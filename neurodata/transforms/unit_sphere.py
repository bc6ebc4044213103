"""Point clouds moved to the origin and scaled to radius 1.

The normalisation of PointNet (Qi et al., CVPR 2017; `pc_normalize` of its codes), with which ModelNet40 is usually fed:
the mean of the points becomes the origin, and the farthest point lies at distance 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.signals import PointCloud
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice
from neurodata.transforms._points import require_numbers

Centre = Literal["mean", "box", "origin"]


@dataclass(frozen=True, slots=True)
class UnitSphere(SignalTransform):
    """xyz' = (xyz - centre) / the largest distance of a point from it; features stay. Computed in double precision.

    Points that all lie in the centre stay there, and an empty cloud stays empty. Normals among the features are not
    touched, and need not be. No coordinate of the result is beyond -1 to 1.

    Parameters
    ----------
    centre
        "mean" of the points, the middle of their bounding "box", or "origin": scale only, as fits a scan whose origin
        is the sensor.

    Raises
    ------
    RecipeError
        When centre is none of these.
    EncodingError
        When called: a coordinate or feature is not a number.
    """

    centre: Centre = "mean"

    takes: ClassVar[Kinds] = PointCloud
    gives: ClassVar[type] = PointCloud
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"centre": "box"}, {"centre": "origin"})

    def __post_init__(self) -> None:
        check_choice("unit_sphere", "centre", self.centre, get_args(Centre))

    def apply(self, cloud: PointCloud, rng: np.random.Generator | None, tally: Tally) -> PointCloud:
        """The cloud in the unit sphere."""
        require_numbers("unit_sphere", cloud)
        if len(cloud.xyz) == 0:
            return cloud
        xyz = cloud.xyz.astype(np.float64)
        centre = {
            "mean": xyz.mean(axis=0),
            "box": xyz.min(axis=0) / 2 + xyz.max(axis=0) / 2,
            "origin": np.zeros(3),
        }[self.centre]
        moved = xyz - centre
        radius = np.sqrt((moved**2).sum(axis=1).max())
        if radius > 0:
            moved /= radius
        return PointCloud(moved.astype(np.float32), cloud.features)


STEP = UnitSphere
