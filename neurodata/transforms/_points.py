"""What transforms of point clouds share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError
from neurodata.signals import PointCloud


def require_numbers(step: str, cloud: PointCloud) -> None:
    """EncodingError when a coordinate or a feature is NaN or infinite."""
    for name, array in (("coordinate", cloud.xyz), ("feature", cloud.features)):
        if not (finite := np.isfinite(array).all(axis=1)).all():
            at = int(finite.argmin())
            raise EncodingError(
                f"{step}: point {at} of {cloud!r}: a {name} is not a number: {array[at].tolist()}; leave it out first"
            )


def taken(cloud: PointCloud, points: NDArray[np.intp]) -> PointCloud:
    """The points of these numbers, in the order given."""
    return PointCloud(cloud.xyz[points], cloud.features[points])
