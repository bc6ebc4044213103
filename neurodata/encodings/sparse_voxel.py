"""Point clouds to integer spikes on a grid of voxels, of which only those that are not zero are kept.

The coordinate form (COO) of `spike_voxel` with code = "integer": for grids of which a dense array would not fit, such
as E-3DSNN's 200 x 200 x 200 voxels of ModelNet40, of which some thousand have points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._voxels import VoxelEncoding, coordinates
from neurodata.errors import RecipeError
from neurodata.forms import PointCloudForm
from neurodata.signals import PointCloud
from neurodata.steps import ArraySpec, Tally


@dataclass(frozen=True, slots=True)
class SparseVoxel(VoxelEncoding):
    """The integer spikes that are not zero: int32 [entries, 5], columns channel, z, y, x and level from 1 to D.

    Rows stand in the order of the dense array [C, Z, Y, X], each place at most once: for PyTorch that is
    `torch.sparse_coo_tensor(rows[:, :4].T, rows[:, 4], shape, is_coalesced=True)`. `to_dense(rows, shape)` gives that
    array, which is the one time step of `spike_voxel` with the same parameters. Memory grows with the points alone.

    Parameters
    ----------
    grid, low, high, value, pick, scale, D
        The voxels and their values: see `VoxelEncoding`. Points are not picked at random here, since the number of rows
        would be.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or pick is "random" or stated without value = "points".
    EncodingError
        When called: a coordinate or feature is not a number.
    """

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"grid": 200},
        {"grid": (5, 4, 3), "value": "points", "pick": "mean", "scale": 4.0},
    )

    def __post_init__(self) -> None:
        self.check_grid()
        if self.pick == "random":
            raise RecipeError('sparse_voxel: pick is "random"; expected "first" or "mean" (or grid_sample before it)')

    def spec(self, form: PointCloudForm) -> ArraySpec:
        """[entries, 5]; how many entries depends on the sample."""
        return ArraySpec((0, 5), np.dtype(np.int32), ("entry", "coordinate"), has_variable_steps=True)

    def n_steps(self, cloud: PointCloud) -> int:
        """Number of places that are not zero."""
        return int(np.count_nonzero(self.levels(self.voxels(cloud, None, Counter()).values)))

    def encode(self, cloud: PointCloud, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write a row for every place that is not zero."""
        voxels = self.voxels(cloud, None, tally)
        levels = self.levels(voxels.values).T  # [C, m]
        channel, k = np.nonzero(levels)
        out[:, 0] = channel
        out[:, 1:4] = coordinates(voxels.places, self.shape_zyx)[k]
        out[:, 4] = levels[channel, k]


def to_dense(rows: NDArray[np.int32], shape: Sequence[int]) -> NDArray[np.uint8]:
    """The integer spikes [C, Z, Y, X] that these rows [entries, 5] list."""
    dense = np.zeros(shape, np.uint8)
    dense[tuple(rows[:, :4].T)] = rows[:, 4]
    return dense


STEP = SparseVoxel
