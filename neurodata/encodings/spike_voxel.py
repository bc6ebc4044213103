"""Point clouds to spikes: a grid of voxels, and integer spikes, their binary form, or spike trains of what they hold.

The Spike Voxel Coding of E-3DSNN (Qiu et al., "Efficient 3D Recognition with Event-driven Spike Sparse Convolution",
AAAI 2025, arXiv 2412.07360), as its code has it: points are sampled one a voxel (or averaged), and a value u becomes
the integer spike s = round(clamp(u, 0, D)), D = 4, which at inference is the same as the D binary spikes s >= d, d = 1
to D. There u is what a learnt convolution and batch normalisation make of place and normal, and the grid begins at the
cloud's own smallest coordinates; here u is the voxel's value times a scale, and the grid is fixed. The paper's own
formula was not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._voxels import VoxelEncoding, coordinates
from neurodata.forms import PointCloudForm
from neurodata.signals import PointCloud
from neurodata.steps import MOST_STEPS, ArraySpec, Tally, check_choice, check_whole

Code = Literal["integer", "unrolled", "rate", "real"]


@dataclass(frozen=True, slots=True)
class SpikeVoxel(VoxelEncoding):
    """A cloud on a grid of voxels: [T, C, Z, Y, X], zeros where there are no points.

    The default counts the points of each of 32 x 32 x 32 voxels of the box from -1 to 1, up to 4. A cloud without
    points gives zeros. `sparse_voxel` and `occupied` give the voxels that have points alone.

    Parameters
    ----------
    grid, low, high, value, pick, scale, D
        The voxels and their values u: see `VoxelEncoding`.
    code
        "integer": s = round(clamp(u, 0, D)), uint8, the same in T steps.
        "unrolled": bool, T * D steps: step t D + d - 1 is s >= d, so that each D steps sum to s.
        "rate": bool, T steps, each 1 with the probability clamp(u, 0, 1), by itself (`rng.random` [m, C] for the m
        voxels that have points, T times); with value = "occupancy", scale is the probability.
        "real": u, float32, the same in T steps.
    T
        Time steps, or of D each.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or pick is stated without value = "points".
    EncodingError
        When called: a coordinate or feature is not a number, or the array takes more than 4 GiB.
    """

    code: Code = "integer"
    T: int = 1

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"grid": (5, 4, 3), "value": "points", "pick": "mean", "code": "real"},
        {"grid": 6, "code": "unrolled", "T": 2, "D": 3},
        {"grid": 6, "value": "occupancy", "code": "rate", "T": 8, "scale": 0.5},
        {"grid": 4, "value": "points", "pick": "random", "scale": 2.0},
    )

    def __post_init__(self) -> None:
        self.check_grid()
        check_choice("spike_voxel", "code", self.code, get_args(Code))
        check_whole("spike_voxel", "T", self.T, 1, MOST_STEPS)

    @property
    def stochastic(self) -> bool:
        """Whether points or spikes are drawn."""
        return self.code == "rate" or self.pick == "random"

    def spec(self, form: PointCloudForm) -> ArraySpec:
        """[T, C, Z, Y, X]."""
        n_steps = self.T * (self.D if self.code == "unrolled" else 1)
        dtype = {"integer": np.uint8, "real": np.float32}.get(self.code, np.bool_)
        shape = (n_steps, self.n_channels(form), *self.shape_zyx)
        return ArraySpec(shape, np.dtype(dtype), ("time", "channel", "z", "y", "x"))

    def encode(self, cloud: PointCloud, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the values of the voxels that have points over `out`."""
        voxels = self.voxels(cloud, rng, tally)
        if len(voxels.places) == 0:
            return
        flat = out.reshape(*out.shape[:2], -1)  # [T, C, Z * Y * X]
        if self.code == "rate":
            assert rng is not None  # SignalEncoding.__call__ asks for one
            for step in flat:
                step[:, voxels.places] = (rng.random(voxels.values.shape) < voxels.values).T
        else:
            flat[:, :, voxels.places] = self._steps(voxels.values).transpose(0, 2, 1)

    def _steps(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """The steps [T * D, m, C] of values [m, C], or one that stands for all."""
        if self.code == "real":
            return values[np.newaxis]
        levels = self.levels(values)
        if self.code == "integer":
            return levels[np.newaxis]
        return np.tile(unrolled(levels, self.D), (self.T, 1, 1))

    def occupied(
        self, cloud: PointCloud, rng: np.random.Generator | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Places z, y, x of the voxels that have points, int32 [m, 3], and their values, float32 [m, C].

        The form that libraries of sparse convolutions take (with the number of the sample put before each place). Of
        the code nothing is applied: the values are those of "real".
        """
        voxels = self.voxels(cloud, rng, Tally())
        return coordinates(voxels.places, self.shape_zyx).astype(np.int32), voxels.values


def unrolled(levels: NDArray[np.uint8], D: int) -> NDArray[np.bool_]:
    """The D binary spikes [D, ...] of integer spikes [...]: spike d - 1 is level >= d."""
    steps: NDArray[np.bool_] = levels >= np.arange(1, D + 1).reshape(-1, *[1] * levels.ndim)
    return steps


def rolled(frames: NDArray[np.bool_], D: int) -> NDArray[np.uint8]:
    """The integer spikes [T, ...] of binary ones [T * D, ...]: what `unrolled` was given."""
    total: NDArray[np.uint8] = frames.reshape(-1, D, *frames.shape[1:]).sum(axis=1, dtype=np.uint8)
    return total


STEP = SpikeVoxel
