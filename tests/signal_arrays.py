"""The arrays that a signal is made of, to compare or hash signals of any kind."""

from __future__ import annotations

import dataclasses

import numpy as np

from neurodata.signals import Signal


def arrays_of(signal: Signal) -> list[np.ndarray]:
    """Its array fields, and its numbers as one array, in the order of the dataclass."""
    arrays, numbers = [], []
    for field in dataclasses.fields(signal):
        value = getattr(signal, field.name)
        if isinstance(value, np.ndarray):
            arrays.append(value)
        elif isinstance(value, dict):
            arrays += [value[name] for name in sorted(value)]
        elif isinstance(value, int | float):
            numbers.append(value)
    return [*arrays, np.array(numbers, np.float64)] if numbers else arrays
