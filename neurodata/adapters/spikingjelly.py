"""SpikingJelly: splits of stores as its frame datasets give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.loader import Split


def as_spikingjelly(split: Split) -> SpikingJellySplit:
    """A split as SpikingJelly's datasets of frames (`data_type="frame"`) are: for code that is written for these.

    Parameters
    ----------
    split
        Of a store of frames, or of events with a view (`neurodata.load(..., layout="events", T=16)`).

    Raises
    ------
    StoreError
        When the store holds events, and it is not said how frames are made of them.
    """
    return SpikingJellySplit(split)


class SpikingJellySplit:
    """A map-style dataset of (frames, label): frames NumPy float32 [T, C, H, W] of raw counts, labels Python integers.

    That is what `DatasetFolder` with SpikingJelly's `load_npz_frames` gives, as its source (2.0) shows. `classes`,
    `class_to_idx` and `targets` are those of torchvision's `DatasetFolder`.
    """

    def __init__(self, split: Split) -> None:
        split.source.spec  # noqa: B018  # says what is missing for frames
        self.split = split
        self.classes = list(split.classes)
        self.class_to_idx = {name: k for k, name in enumerate(split.classes)}
        self.targets: list[int] = split.labels.tolist()

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], int]:
        frames, _ = self.split[index]
        array: NDArray[np.float32] = frames.numpy()
        return array, self.targets[index]
