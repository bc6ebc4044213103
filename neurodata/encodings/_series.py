"""What encodings of a series into spikes share: one step of spikes for each row, [n, channels] or [n, 2, channels]."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import require_numbers, step_name
from neurodata.errors import RecipeError
from neurodata.forms import Form, SeriesForm
from neurodata.signals import Series
from neurodata.steps import ArraySpec, Kinds, SignalEncoding, Tally

# Thresholds lie between: beyond, ratios of float32 values to them do not fit a float64.
SMALLEST, LARGEST = 1e-30, 1e30


class SeriesEncoding(SignalEncoding):
    """Base of encodings of a series: a frozen dataclass that implements `fill`."""

    __slots__ = ()
    takes: ClassVar[Kinds] = Series
    # Whether rises and falls fire apart (axis 1: 0 = OFF, 1 = ON), or there is one neuron for each channel.
    has_polarity: ClassVar[bool] = True

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return np.bool_

    def spec(self, form: Form) -> ArraySpec:
        """[n, 2, channels], or [n, channels] without polarity."""
        if not isinstance(form, SeriesForm):
            raise RecipeError(f"{step_name(self)} takes series, not {form}")
        polarities, axis = ((2,), ("polarity",)) if self.has_polarity else ((), ())
        shape = (form.n_steps or 0, *polarities, form.n_channels)
        return ArraySpec(shape, np.dtype(self.dtype), ("time", *axis, "channel"), form.n_steps is None)

    def n_steps(self, signal: Series) -> int:
        """One for each row."""
        return len(signal.values)

    def encode(self, signal: Series, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the spikes of all rows over `out`."""
        self.check_values(signal.values)
        if signal.values.size:
            self.fill(np.ascontiguousarray(signal.values), out)

    def check_values(self, values: NDArray[np.float32]) -> None:
        """EncodingError when the values cannot be encoded: here, when one is not a number."""
        require_numbers(step_name(self), values)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Write the spikes of the values [n, channels] over `out`, zeros; there is at least one row and channel."""
        raise NotImplementedError
