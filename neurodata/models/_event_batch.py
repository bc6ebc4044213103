"""Events of several samples as columns of one batch, for networks that read events instead of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neurodata.errors import SignalError
from neurodata.signals import LAST_TIME_US, EventArray, Sensor


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """The events of B samples as tensors [n], in any order; made by `of`.

    It is checked where it is made, on any device (on a GPU, that waits for the numbers once).

    Parameters
    ----------
    t
        int64, shape [n]: microseconds, on each sample's own clock, from -2^62 to 2^62 - 1.
    x, y
        int64, shape [n]: column and row.
    p
        bool, shape [n]: True = ON.
    sample
        int64, shape [n]: the sample that an event belongs to, from 0 to n_samples - 1.
    n_samples
        B, at least 1; samples may be empty.
    sensor
        The pixel grid of all samples.

    Raises
    ------
    SignalError
        When lengths, types, coordinates or samples do not fit.
    """

    t: Tensor
    x: Tensor
    y: Tensor
    p: Tensor
    sample: Tensor
    n_samples: int
    sensor: Sensor

    def __post_init__(self) -> None:
        if self.n_samples < 1:
            raise SignalError(f"event batch: {self.n_samples} samples; expected at least 1")
        for name in ("t", "x", "y", "p", "sample"):
            column, dtype = getattr(self, name), torch.bool if name == "p" else torch.int64
            if column.dtype != dtype or column.shape != (len(self.t),):
                raise SignalError(
                    f"event batch: column {name} has type {column.dtype} and shape {list(column.shape)}; "
                    f"expected {dtype} and [{len(self.t)}]"
                )
        if len(self.t):
            self._check_ranges()

    def _check_ranges(self) -> None:
        ranges = {
            "t": (-LAST_TIME_US - 1, LAST_TIME_US),
            "x": (0, self.sensor.width - 1),
            "y": (0, self.sensor.height - 1),
            "sample": (0, self.n_samples - 1),
        }
        ends = torch.stack([torch.stack(getattr(self, name).aminmax()) for name in ranges]).tolist()
        for (name, (first, last)), (smallest, largest) in zip(ranges.items(), ends, strict=True):
            if smallest < first or largest > last:
                raise SignalError(
                    f"event batch: column {name} reaches from {smallest} to {largest}; expected {first} to {last} "
                    f"({self.n_samples} samples, sensor {self.sensor})"
                )

    @classmethod
    def of(cls, samples: Sequence[EventArray]) -> EventBatch:
        """One batch of these samples, copied, on the CPU; it can be the `collate_fn` of a `DataLoader`.

        Raises
        ------
        SignalError
            When there is no sample, or their sensors differ.
        """
        if not samples:
            raise SignalError("event batch: no samples; expected at least 1")
        sensor = samples[0].sensor
        for place, events in enumerate(samples):
            if events.sensor != sensor:
                raise SignalError(
                    f"event batch: sample {place} has the sensor {events.sensor}; expected {sensor}, as sample 0"
                )

        def column(name: str, dtype: type[np.generic]) -> Tensor:
            return torch.from_numpy(np.concatenate([getattr(events, name) for events in samples], dtype=dtype))

        sample = torch.from_numpy(np.repeat(np.arange(len(samples)), [len(events) for events in samples]))
        t, x, y, p = column("t", np.int64), column("x", np.int64), column("y", np.int64), column("p", np.bool_)
        return cls(t, x, y, p, sample, len(samples), sensor)

    def to(self, device: torch.device | str) -> EventBatch:
        """The same events on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("t", "x", "y", "p", "sample")}
        return replace(self, **moved)

    def __len__(self) -> int:
        """Number of events, of all samples."""
        return len(self.t)

    def __repr__(self) -> str:
        return f"EventBatch({len(self)} events of {self.n_samples} samples, {self.sensor}, {self.t.device})"
