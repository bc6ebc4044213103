"""Time to first spike: the larger a value, the earlier its only spike.

Four curves, t in steps: "linear", (T - 1)(1 - x), and "log", T - 1 - ln(a x + 1) with a = e^(T - 1) - 1, are those of
SpikingJelly's `LatencyEncoder` (its code: its docstring says that 1 fires last, and it fires first). "rc", tau
ln(x / (x - threshold)), is when a leaky integrator without reset, charged by the current x, reaches the threshold; as
in snnTorch's `latency` and spytorch. "decay": the first step at which x is no less than a threshold that falls,
threshold e^(-t / tau), so ceil(tau ln(threshold / x)); that form was recalled of Guo et al., "Neural coding in spiking
neural networks: a comparative study", Frontiers in Neuroscience 2021, and not checked against the paper. The other
curves round to the nearest step, halves to the even one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import StaticEncoding, first_spike, mark
from neurodata.errors import RecipeError
from neurodata.kernel import kernel
from neurodata.steps import check_choice, check_range

Curve = Literal["linear", "log", "rc", "decay"]
Late = Literal["silent", "last"]
FEW_STEPS = 64


@dataclass(frozen=True, slots=True)
class Ttfs(StaticEncoding):
    """One spike for each value, bool, earlier for larger ones: pictures [T, C, H, W], series [n * T, channels].

    No value fires later than a smaller one. `decode` gives, with "linear", the value within 1 / (2 (T - 1)); with "log"
    and "rc" a value whose time is the same step; with "decay" no more than the value, and more than e^(-1 / tau) of
    it, unless it is above the threshold. A neuron that is silent stands for 0.

    Parameters
    ----------
    T
        Time steps of each picture, frame or row.
    curve
        "linear", "log", "rc" or "decay", as above.
    tau
        With "rc" and "decay": the time constant in steps.
    threshold
        With "rc": what the membrane has to reach; values up to it never do. With "decay": the threshold at step 0.
    late
        What becomes of values whose time is past the last step, with "rc" and "decay": "silent", or "last" (they fire
        in the last step, as with snnTorch's clip=False).

    Raises
    ------
    RecipeError
        When a parameter is out of range, or is stated for a curve that has none.
    EncodingError
        When called: a value is not from 0 to 1.
    """

    T: int
    curve: Curve = "linear"
    tau: float | None = None
    threshold: float | None = None
    late: Late = "silent"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 5},
        {"T": 5, "curve": "log"},
        {"T": 8, "curve": "rc", "tau": 2.0, "threshold": 0.2},
        {"T": 6, "curve": "decay", "tau": 2.0, "threshold": 1.0, "late": "last"},
    )
    aliases: ClassVar[Mapping[str, str]] = {"num_steps": "T", "enc_function": "curve"}
    refused: ClassVar[Mapping[str, str]] = {
        "linear": 'say curve = "linear", or curve = "rc", which is what snnTorch has without it',
        "normalize": 'with "rc" it depends on the whole sample: say tau; curve = "linear" ends at T - 1 anyhow',
        "clip": 'say late = "silent" or "last"',
    }

    def __post_init__(self) -> None:
        self.check_steps()
        check_choice("ttfs", "curve", self.curve, get_args(Curve))
        check_choice("ttfs", "late", self.late, get_args(Late))
        needs = self.curve in ("rc", "decay")
        for name, found in (("tau", self.tau), ("threshold", self.threshold)):
            if (found is not None) != needs:
                need = "a number" if needs else "nothing stated"
                raise RecipeError(f'ttfs: {name} is {found}; with the curve "{self.curve}" expected {need}')
            if found is not None:
                check_range("ttfs", name, found, 1e-6, 1e6)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Mark the times; of few steps, by comparing with the least values that fire by each, which is faster."""
        if self.T <= FEW_STEPS:
            between(values, least_values(self), out)
        else:
            mark(self.times(values), out)

    def times(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """Step of the spike of each value from 0 to 1, of the same shape; T where there is none."""
        latest = self.T if self.late == "silent" else self.T - 1
        times: NDArray[np.int64] = np.minimum(self._exact_times(values.astype(np.float64)), latest).astype(np.int64)
        return times

    def _exact_times(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Whole steps, or infinite where there is no spike."""
        if self.curve == "linear":
            return np.rint((self.T - 1) * (1 - x))
        with np.errstate(divide="ignore"):
            if self.curve == "log":
                charge: NDArray[np.float64] = np.logaddexp(np.log(x) + self._log_a, 0)
                return np.rint(self.T - 1 - charge)
            tau, threshold = self._neuron
            if self.curve == "decay":
                return np.ceil(tau * np.maximum(np.log(threshold / x), 0))
            above = np.maximum(1 - threshold / np.maximum(x, 1e-300), 0)
            return np.rint(tau * -np.log(above))

    @property
    def _neuron(self) -> tuple[float, float]:
        """The time constant and threshold of the curves that have them."""
        assert self.tau is not None  # as checked at construction
        assert self.threshold is not None
        return self.tau, self.threshold

    @property
    def _log_a(self) -> float:
        """Of a = e^(T - 1) - 1, which itself is too large a number for T above 710."""
        return self.T - 1 + float(np.log1p(-np.exp(1.0 - self.T))) if self.T > 1 else -np.inf

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The value of the step of the first spike."""
        t = first_spike(spikes).astype(np.float64)
        x = self._values_at(np.minimum(t, self.T - 1))
        return np.where(t == self.T, 0, np.clip(x, 0, 1))

    def _values_at(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.curve == "linear":
            return 1 - t / max(self.T - 1, 1)
        if self.curve == "log":
            left = self.T - 1 - t
            with np.errstate(divide="ignore"):
                return np.exp(left + np.log1p(-np.exp(-left)) - self._log_a) if self.T > 1 else np.ones_like(t)
        tau, threshold = self._neuron
        if self.curve == "decay":
            return threshold * np.exp(-t / tau)
        with np.errstate(divide="ignore"):
            return threshold / -np.expm1(-t / tau)


@lru_cache(maxsize=16)
def least_values(step: Ttfs) -> NDArray[np.float32]:
    """The least value from 0 to 1 that fires by step t - 1, at t = 1 ... T; infinite at 0 and where there is none.

    By halving, over the bits of a float32, which grow as the numbers from 0 up do: times never grow with the value.
    """
    none = int(np.float32(1).view(np.int32)) + 1
    low, high = np.full(step.T, -1), np.full(step.T, none)  # too late (or below all), and early enough (or above all)
    while (is_open := high - low > 1).any():
        middle = (low + high) // 2
        x = np.maximum(middle, 0).astype(np.int32).view(np.float32)
        early = step.times(x) <= np.arange(step.T)
        low, high = np.where(is_open & ~early, middle, low), np.where(is_open & early, middle, high)
    least = high.astype(np.int32).view(np.float32)
    return np.concatenate([[np.inf], np.where(high == none, np.inf, least)]).astype(np.float32)


@kernel
def between(values: NDArray[np.float32], least: NDArray[np.float32], out: NDArray[np.bool_]) -> None:
    """A spike in out [n, T, m] at step t of each value [n, m] from least[t + 1] up and below least[t]."""
    n, n_steps, m = out.shape
    for i in range(n):
        for t in range(n_steps):
            before, by = least[t], least[t + 1]
            for j in range(m):
                out[i, t, j] = (values[i, j] < before) & (values[i, j] >= by)


def reference(step: Ttfs, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The spikes of the values [n, m] by their times, [n, T, m]."""
    spikes: NDArray[np.bool_] = step.times(values)[:, np.newaxis] == np.arange(step.T)[:, np.newaxis]
    return spikes


STEP = Ttfs
