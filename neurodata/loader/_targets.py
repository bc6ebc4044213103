"""Targets besides the class: read with a sample's frames, and put side by side with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.store import StoreReader
from neurodata.targets import TargetSpec

# Those of one sample, by name.
SampleTargets: TypeAlias = dict[str, NDArray[Any]]
# Those of a batch: class indices alone, or where there are others a tensor by name, or of boxes one for each sample.
BatchTargets: TypeAlias = Tensor | dict[str, Tensor | list[Tensor]]


def read_targets(store: StoreReader, index: int) -> SampleTargets:
    """All targets of one sample of a store but its class."""
    return {spec.name: store.read_target(index, spec.name) for spec in store.head.targets}


def side_by_side(
    specs: Sequence[TargetSpec], samples: Sequence[SampleTargets], lengths: Tensor, n_steps: int
) -> tuple[dict[str, Tensor | list[Tensor]], dict[str, Tensor]]:
    """Targets of a batch, and how many rows each sample's series has.

    Parameters
    ----------
    specs
        The targets.
    samples
        Those of each sample.
    lengths, n_steps
        Time steps of each sample's frames, int64 [B], and of the batch.

    Returns
    -------
    targets
        By name: values and maps [B, ...]; boxes, a list of B tensors [n, k]; series [B, T, ...], where T is the longest
        sample's number of rows, or `n_steps` if every sample has as many rows as time steps. Zeros follow shorter ones.
    target_lengths
        Rows of each series, int64 [B].
    """
    targets: dict[str, Tensor | list[Tensor]] = {}
    target_lengths: dict[str, Tensor] = {}
    for spec in specs:
        arrays = [sample[spec.name] for sample in samples]
        if spec.kind == "boxes":
            targets[spec.name] = [torch.from_numpy(array) for array in arrays]
        elif spec.kind == "series":
            n_rows = torch.tensor([len(array) for array in arrays], dtype=torch.int64)
            longest = n_steps if torch.equal(n_rows, lengths) else int(n_rows.max())
            targets[spec.name] = _padded(spec, arrays, longest)
            target_lengths[spec.name] = n_rows
        else:
            targets[spec.name] = torch.from_numpy(np.stack(arrays))
    return targets, target_lengths


def _padded(spec: TargetSpec, arrays: Sequence[NDArray[Any]], n_rows: int) -> Tensor:
    padded = np.zeros((len(arrays), n_rows, *spec.item_shape), spec.dtype)  # [B, T, ...]
    for place, array in zip(padded, arrays, strict=True):
        place[: len(array)] = array
    return torch.from_numpy(padded)
