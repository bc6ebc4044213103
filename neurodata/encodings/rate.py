"""Rate coding: in every time step a value fires with a probability that it sets, apart from all other steps.

Bernoulli: P = x. Poisson: a neuron that fires at x * max_rate_hz has at least one spike in a step with
P = 1 - exp(-x * max_rate_hz * step) (the probability of no event of a Poisson process; Dayan and Abbott, "Theoretical
neuroscience", 2001, section 1.4). The draws are those of SplitMix64 (see `draws.py`), 32 bits each: a pure function of
(key, step, place), the same for any number of workers and threads, and in whatever order samples are encoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.draws import splitmix64
from neurodata.encodings._static import StaticEncoding
from neurodata.errors import EncodingError, RecipeError
from neurodata.kernel import kernel
from neurodata.steps import MOST_STEPS, check_choice, check_memory, check_range, check_whole

Process = Literal["bernoulli", "poisson"]
GAMMA = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64
LOW = np.uint64(2**32 - 1)
SAMPLES_AT_A_TIME = 64  # so many thresholds stay in a cache, and a thread has enough to do


@dataclass(frozen=True, slots=True)
class Rate(StaticEncoding):
    """Random spikes, bool, as many on average as the value says: pictures [T, C, H, W], series [n * T, channels].

    A value of 0 never fires. With "bernoulli" a value of 1 fires in every step. Probabilities are kept to a multiple of
    2^-32. `decode` gives the mean rate (with "poisson": the value whose P it is), whose standard error is
    sqrt(P (1 - P) / T).

    Parameters
    ----------
    T
        Time steps of each picture, frame or row.
    process
        "bernoulli": P = x. "poisson": P = 1 - exp(-x * max_rate_hz * step_us / 1e6), of at least one spike a step.
    max_rate_hz, step_us
        With "poisson": the rate of the value 1, and how long a step is; not stated otherwise.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or one of those of "poisson" is missing, or stated without it.
    EncodingError
        When called: a value is not from 0 to 1.
    """

    T: int
    process: Process = "bernoulli"
    max_rate_hz: float | None = None
    step_us: int | None = None

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 4},
        {"T": 3, "process": "poisson", "max_rate_hz": 200.0, "step_us": 1000},
    )
    aliases: ClassVar[Mapping[str, str]] = {"num_steps": "T"}
    refused: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("gain", "offset"),
        "values are probabilities as they are: the step rescale before this one maps a range to 0 to 1",
    )

    def __post_init__(self) -> None:
        self.check_steps()
        check_choice("rate", "process", self.process, get_args(Process))
        stated = {self.max_rate_hz is not None, self.step_us is not None}
        if stated != {self.process == "poisson"}:
            raise RecipeError(
                f'rate: process is "{self.process}" with max_rate_hz {self.max_rate_hz} and step_us {self.step_us}; '
                'expected both with "poisson" and none with "bernoulli"'
            )
        if self.max_rate_hz is not None and self.step_us is not None:
            check_range("rate", "max_rate_hz", self.max_rate_hz, 1e-6, 1e9)
            check_whole("rate", "step_us", self.step_us, 1, 10**9)

    @property
    def stochastic(self) -> bool:
        """Always."""
        return True

    @property
    def spikes_of_one(self) -> float:
        """Spikes that the value 1 has on average in a step of a Poisson process."""
        assert self.max_rate_hz is not None  # as checked at construction
        assert self.step_us is not None
        return self.max_rate_hz * self.step_us / 1e6

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Draw one key from `rng`, and all spikes by hashing."""
        assert rng is not None  # a random step is not called without
        chances = -np.expm1(-self.spikes_of_one * values.astype(np.float64)) if self.process == "poisson" else values
        draw_spikes(chances, drawn_key(rng), out)

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The mean over the steps; with "poisson" -ln(1 - mean) by the spikes of 1, at most 1."""
        mean: NDArray[np.float64] = spikes.mean(axis=1, dtype=np.float64)
        if self.process == "bernoulli":
            return mean
        with np.errstate(divide="ignore"):
            values: NDArray[np.float64] = np.minimum(-np.log1p(-mean) / self.spikes_of_one, 1.0)
        return values


def rate_spikes(
    values: NDArray[Any], T: int, keys: NDArray[np.uint64], n_threads: int = 1, out: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Bernoulli spikes, bool [n, T, m], of n samples of m values from 0 to 1, each with a key of its own, uint64 [n].

    Threads share out the samples; the result depends on values, T and keys only. `out`, where given, is written over.

    Raises
    ------
    RecipeError
        When T is not a whole number from 1 to 2^24.
    EncodingError
        When the shapes do not fit, a value is not from 0 to 1, or the result would take more than 4 GiB.
    """
    check_whole("rate_spikes", "T", T, 1, MOST_STEPS)
    if values.ndim != 2 or keys.shape != values.shape[:1] or keys.dtype != np.uint64:
        raise EncodingError(
            f"rate_spikes: values {values.shape} and keys {keys.dtype} {keys.shape}; expected [n, m] and uint64 [n]"
        )
    shape = (len(values), T, values.shape[1])
    check_memory(
        f"rate_spikes: {T} steps of values {values.shape} take", prod(shape), "fewer steps or samples at a time"
    )
    if out is not None and (out.shape != shape or out.dtype != np.bool_):
        raise EncodingError(f"rate_spikes: out is {out.dtype} {out.shape}; expected bool {shape}")
    spikes = np.empty(shape, np.bool_) if out is None else out

    def encode(start: int) -> None:
        part = slice(start, start + SAMPLES_AT_A_TIME)
        if not ((values[part] >= 0) & (values[part] <= 1)).all():
            raise EncodingError("rate_spikes: a value is not from 0 to 1")
        compare(thresholds(values[part]), keys[part], spikes[part])

    starts = range(0, len(values), SAMPLES_AT_A_TIME)
    if n_threads < 2 or len(starts) < 2:
        for start in starts:
            encode(start)
        return spikes
    with ThreadPoolExecutor(n_threads) as threads:
        list(threads.map(encode, starts))
    return spikes


def drawn_key(rng: np.random.Generator) -> np.uint64:
    """One 64-bit key, the only number that is drawn from `rng`."""
    return np.uint64(rng.integers(0, 2**64, dtype=np.uint64))


def draw_spikes(chances: NDArray[Any], key: np.uint64, out: NDArray[np.bool_]) -> None:
    """Spikes of the probabilities [n, m] over out [n, T, m]: the streams of the n rows follow each other in one."""
    n, n_steps, m = out.shape
    compare(
        thresholds(chances), key + GAMMA * (np.arange(n, dtype=np.uint64) * np.uint64(n_steps * ((m + 1) // 2))), out
    )


def thresholds(chances: NDArray[Any]) -> NDArray[np.uint64]:
    """The number of 32-bit draws, out of 2^32, that make a spike; rounded to the nearest."""
    return (chances * np.float64(2.0**32) + 0.5).astype(np.uint64)


@kernel
def compare(thresholds: NDArray[np.uint64], keys: NDArray[np.uint64], out: NDArray[np.bool_]) -> None:
    """Fire where a draw is below the threshold [n, m]; out [n, T, m], keys [n]. Two draws of a number, low half first.

    Number w of step t of a row is number t * ceil(m / 2) + w of the SplitMix64 stream of its key.
    """
    n, n_steps, m = out.shape
    n_words = (m + 1) // 2
    for i in range(n):
        for t in range(n_steps):
            before = keys[i] + GAMMA * np.uint64(t * n_words)
            for w in range(m // 2):
                z = _number(before + GAMMA * np.uint64(w + 1))
                out[i, t, 2 * w] = (z & LOW) < thresholds[i, 2 * w]
                out[i, t, 2 * w + 1] = (z >> np.uint64(32)) < thresholds[i, 2 * w + 1]
            if m % 2:
                z = _number(before + GAMMA * np.uint64(n_words))
                out[i, t, m - 1] = (z & LOW) < thresholds[i, m - 1]


@kernel
def _number(z: np.uint64) -> np.uint64:
    """The output function of SplitMix64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def reference(thresholds: NDArray[np.uint64], key: int, T: int) -> NDArray[np.bool_]:
    """What `compare` writes for one row of thresholds [m], bool [T, m]."""
    m = len(thresholds)
    words = splitmix64(key, T * ((m + 1) // 2)).reshape(T, -1, 1)
    draws = np.concatenate([words & LOW, words >> np.uint64(32)], axis=2).reshape(T, -1)  # [T, m or m + 1]
    return draws[:, :m] < thresholds


STEP = Rate
