"""The ear of the Heidelberg data sets (SHD, SSC): sound to spikes of bushy cells, by way of a cochlea.

B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, "The Heidelberg spiking data sets for the systematic evaluation of
spiking neural networks", IEEE TNNLS 33(7), 2022; hair cells of R. Meddis, "Simulation of mechanical to neural
transduction in the auditory receptor", J. Acoust. Soc. Am. 79(3), 1986. Written from the formulas; each stage was
compared with what the authors' program, lauscher 1.0.1, returns (the membrane's and the hair cells' numbers, the bushy
cells' spikes for given inputs). The draws are others, so that single spikes differ and their statistics agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.draws import hash_words
from neurodata.encodings._basilar_membrane import Filtered, Membrane, response
from neurodata.encodings._scipy import scipy_module
from neurodata.encodings._sound import event_times_us, finite_samples, require_channels
from neurodata.errors import RecipeError
from neurodata.forms import Form, Sensor
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Waveform
from neurodata.steps import Kinds, SignalTransform, Tally, check_memory, check_range, check_whole

# Bytes held for each step of the cells while one channel is worked out.
STEP_BYTES = 64
# So many times the rate of the cells, or so small a part of it, the sound's may be.
FURTHEST = 1000
# Hair cells, as Meddis has them: rates in 1 / s, the rest in the units of the membrane's velocity, or none.
REPLENISH, RELEASE, LOSS, REUPTAKE, REPROCESS = 5.05, 2000.0, 2500.0, 6580.0, 66.3
PERMEABLE_FROM, PERMEABLE_HALF, FIRING = 5.0, 300.0, 50_000.0
CAPACITY = 1.0  # of the pool of free transmitter


@dataclass(frozen=True, slots=True)
class Lauscher(SignalTransform):
    """Spikes of n_channels bushy cells for sound of one channel: events on the sensor n_channels x 1 x 1.

    The sound is brought to a root mean square of `level`, faded in and out by the halves of a Hann window, and to
    rate_hz samples a second; the basilar membrane moves; hair cells turn the velocity of each place into a probability
    of firing; n_inputs fibres fire with it, at most every `refractory_us`; they drive a leaky integrate-and-fire
    neuron with exponential synapses. Channel 0 is the base, of the highest tones.

    Two things are as the authors' program has them, and not as one would expect: without `causal`, the membrane moves
    before the sound that moves it (a sign of the Fourier transform; by 0.5 ms at the base up to 60 ms at the apex), as
    it does in SHD and SSC. Sound above half of rate_hz, which their program folds down, is cut off here.

    Parameters
    ----------
    n_channels
        Places along the membrane, each with its hair cell and its bushy cell.
    level
        Root mean square of the sound that the cochlea hears; silence stays silent.
    fade_us
        Length of fading in, and of fading out, at most half of the sound; None: half of the sound.
    rate_hz
        Steps a second of hair and bushy cells: at least 15000, where the hair cells' equations are stable; the
        published program takes half of the sound's rate, which for its 48 kHz is 24000.
    causal
        Whether the membrane moves after the sound and not before it.
    n_inputs
        Fibres that converge on a bushy cell.
    weight
        Of all inputs together, 1 / s: each spike adds weight / n_inputs to the synaptic current.
    tau_mem_us, tau_syn_us
        Time constants of the bushy cell's membrane and synapses. Its threshold is 1.
    refractory_us
        Of fibres and bushy cells, to the nearest step.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or the sound has more than one channel or a rate a thousand times another.
    EncodingError
        When called: a sample is not a number, the sound is hours long, or the channels' responses fill memory.
    MissingExtraError
        When called and SciPy is not installed.
    """

    n_channels: int = 700
    level: float = 0.3
    fade_us: int | None = None
    rate_hz: float = 24_000.0
    causal: bool = False
    n_inputs: int = 40
    weight: float = 13_000.0
    tau_mem_us: float = 1000.0
    tau_syn_us: float = 500.0
    refractory_us: float = 1000.0

    takes: ClassVar[Kinds] = Waveform
    gives: ClassVar[type] = EventArray
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"n_channels": 12}, {"n_channels": 5, "causal": True})
    aliases: ClassVar[Mapping[str, str]] = {"num_channels": "n_channels", "n_convergence": "n_inputs"}

    def __post_init__(self) -> None:
        check_whole("lauscher", "n_channels", self.n_channels, 2, 65536)
        check_range("lauscher", "level", self.level, 0, 1e6)
        if self.fade_us is not None:
            check_whole("lauscher", "fade_us", self.fade_us, 0, 2**50)
        check_range("lauscher", "rate_hz", self.rate_hz, 15_000, 1_000_000)
        check_whole("lauscher", "n_inputs", self.n_inputs, 1, 1000)
        check_range("lauscher", "weight", self.weight, 0, 1e9)
        for name in ("tau_mem_us", "tau_syn_us"):
            check_range("lauscher", name, getattr(self, name), 1, 1e9)
        check_range("lauscher", "refractory_us", self.refractory_us, 1e6 / self.rate_hz, 1e6)

    @property
    def stochastic(self) -> bool:
        """Yes: fibres fire at random."""
        return True

    def form_after(self, form: Form) -> Sensor:
        """n_channels x 1 x 1."""
        found = require_channels("lauscher", form, 1, "state a step before it that takes one of them")
        if not 1 / FURTHEST <= found.rate_hz / self.rate_hz <= FURTHEST:
            raise RecipeError(
                f"lauscher: {form}; expected a rate from {self.rate_hz / FURTHEST:g} to {self.rate_hz * FURTHEST:g} "
                "Hz, which can be brought to the rate_hz of its cells"
            )
        return Sensor(self.n_channels, 1, 1)

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The spikes; times count from the start of the sound."""
        sensor = self.form_after(signal.form)
        sound = finite_samples("lauscher", signal)
        assert rng is not None  # SignalTransform.__call__ asks for one
        key = int(rng.integers(0, 2**64, dtype=np.uint64))
        n_steps = round(len(sound) * self.rate_hz / signal.rate_hz)
        check_memory(f"lauscher: {signal!r} takes", n_steps * STEP_BYTES, "cut the sound into shorter ones")
        if n_steps == 0:
            return EventArray.empty(sensor)
        spectra = response(Membrane(), self.n_channels, self.rate_hz)
        heard = resampled(self._levelled(sound, signal.rate_hz), signal.rate_hz, self.rate_hz)
        membrane = Filtered(heard, spectra, self.causal)
        cells = _Cells(self, len(heard))
        spikes = [cells.spikes(membrane.at(i), hash_words(key, i)) for i in range(self.n_channels)]
        return sorted_by_time(spikes, self.rate_hz, sensor)

    def _levelled(self, sound: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
        """The sound at its level, faded in and out."""
        rms = np.sqrt(np.mean(sound**2))
        half = (len(sound) + 1) // 2
        fade = half if self.fade_us is None else min(half, round(self.fade_us * rate_hz / 1e6))
        ramp = np.hanning(2 * fade + 1)[:fade]
        faded = sound * (self.level / rms if rms > 0 else 0.0)
        faded[:fade] *= ramp
        faded[len(faded) - fade :] *= ramp[::-1]
        return faded


def resampled(sound: NDArray[np.float64], rate_hz: float, to_hz: float) -> NDArray[np.float64]:
    """The sound [n] at another rate, [round(n * to_hz / rate_hz)], band-limited: by cutting or padding its spectrum.

    Silence is put after its end, so that both clocks meet at the end of what is transformed; the end of that touches
    its start, so that both should be silent.
    """
    fft = scipy_module("fft", "lauscher")
    ratio = Fraction(to_hz / rate_hz).limit_denominator(2 * FURTHEST)
    n_units = fft.next_fast_len(-(-len(sound) // ratio.denominator) + 1, real=True)
    before, after = n_units * ratio.denominator, n_units * ratio.numerator
    spectrum = fft.rfft(sound, before)[: min(before, after) // 2 + 1]
    result: NDArray[np.float64] = fft.irfft(spectrum, after) * (after / before)
    return result[: round(len(sound) * to_hz / rate_hz)]


def sorted_by_time(spikes: Sequence[NDArray[np.int64]], rate_hz: float, sensor: Sensor) -> EventArray:
    """Events from the steps at which each channel fires, in the order of time, and of channels within a step."""
    steps = np.concatenate(spikes)
    channels = np.repeat(np.arange(len(spikes), dtype=np.uint16), [len(of_one) for of_one in spikes])
    order = np.argsort(steps, kind="stable")
    n = len(steps)
    return EventArray(
        event_times_us(steps[order], rate_hz), channels[order], np.zeros(n, np.uint16), np.ones(n, np.bool_), sensor
    )


class _Cells:
    """Hair cells, fibres and bushy cell of one channel after the other, in the same arrays."""

    def __init__(self, step: Lauscher, n_steps: int) -> None:
        self._step, self._dt = step, 1 / step.rate_hz
        self._refractory = round(step.refractory_us * step.rate_hz / 1e6)
        self._probability = np.empty(n_steps, np.float64)
        self._counts = np.empty(n_steps, np.int64)
        self._spikes = np.empty(n_steps // (self._refractory + 1) + 1, np.int64)

    def spikes(self, velocity: NDArray[np.float32], key: int) -> NDArray[np.int64]:
        """Steps at which the bushy cell fires."""
        step = self._step
        hair_cell(velocity, self._dt, self._probability)
        fibres(self._probability, np.uint64(key), step.n_inputs, np.zeros(self._refractory, np.int64), self._counts)
        decays = np.exp(-1e6 * self._dt / np.array([step.tau_syn_us, step.tau_mem_us]))
        weight = step.weight / step.n_inputs
        n = bushy_cell(self._counts, weight, decays[0], decays[1], self._dt, self._refractory, self._spikes)
        return self._spikes[:n].copy()


@kernel
def hair_cell(velocity: NDArray[np.float32], dt: float, probability: NDArray[np.float64]) -> None:
    """Chance of each step that a fibre fires, [n]: Meddis 1986, equations 1 to 5, from the balance of silence on."""
    at_rest = RELEASE * PERMEABLE_FROM / (PERMEABLE_FROM + PERMEABLE_HALF)
    cleft = at_rest * CAPACITY * REPLENISH / (LOSS * at_rest + REPLENISH * (LOSS + REUPTAKE))
    free = cleft * (LOSS + REUPTAKE) / at_rest
    store = cleft * REUPTAKE / REPROCESS
    for i in range(len(velocity)):
        over = velocity[i] + PERMEABLE_FROM
        released = RELEASE * dt * over / (over + PERMEABLE_HALF) * free if over > 0 else 0.0
        reprocessed = REPROCESS * dt * store
        free += REPLENISH * dt * (CAPACITY - free) - released + reprocessed
        store += REUPTAKE * dt * cleft - reprocessed
        cleft += released - (LOSS + REUPTAKE) * dt * cleft
        probability[i] = min(max(FIRING * dt * cleft, 0.0), 1.0)


def hair_cell_reference(velocity: NDArray[np.float32], dt: float) -> NDArray[np.float64]:
    """The definition, with the exchange of transmitter as a matrix: pools free, cleft, store."""
    over = velocity.astype(np.float64) + 5.0
    k = RELEASE * np.clip(over / (over + 300.0), 0, None) * (over > 0)
    k0 = RELEASE * 5.0 / 305.0
    exchange = np.array([[-REPLENISH, 0, REPROCESS], [0, -LOSS - REUPTAKE, 0], [0, REUPTAKE, -REPROCESS]])
    flow = np.array([[-1.0, 0, 0], [1, 0, 0], [0, 0, 0]])
    pools = -np.linalg.solve(exchange + k0 * flow, np.array([REPLENISH * CAPACITY, 0, 0]))
    found = []
    for i in range(len(velocity)):
        pools = pools + dt * ((exchange + k[i] * flow) @ pools + np.array([REPLENISH * CAPACITY, 0, 0]))
        found.append(np.clip(FIRING * dt * pools[1], 0, 1))
    return np.array(found)


@kernel
def uniform(key: np.uint64, i: int) -> float:
    """Number i of the SplitMix64 stream of that key, from [0, 1)."""
    z = key + np.uint64(0x9E3779B97F4A7C15) * np.uint64(i + 1)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@kernel
def binomial(u: float, n: int, p: float) -> int:
    """How many of n happen, each with probability p: the inverse of the distribution at u."""
    rare = min(p, 1.0 - p)
    chance = (1.0 - rare) ** n
    below = chance
    k = 0
    while u >= below and k < n:
        chance *= rare / (1.0 - rare) * (n - k) / (k + 1)
        below += chance
        k += 1
    return k if p <= 0.5 else n - k


@kernel
def fibres(
    probability: NDArray[np.float64],
    key: np.uint64,
    n_inputs: int,
    resting: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """How many of n_inputs fibres fire in each step, [n]: those that have not in the len(resting) - 1 steps before.

    Fibres are alike, so that drawing their number is as good as drawing each. `resting` is a ring of zeros.
    """
    ready = n_inputs
    at = 0
    for i in range(len(probability)):
        ready += resting[at]
        fired = binomial(uniform(key, i), ready, probability[i])
        counts[i] = fired
        resting[at] = fired
        ready -= fired
        at = at + 1 if at + 1 < len(resting) else 0


@kernel
def bushy_cell(
    counts: NDArray[np.int64],
    weight: float,
    synaptic_decay: float,
    membrane_decay: float,
    dt: float,
    refractory: int,
    spikes: NDArray[np.int64],
) -> int:
    """Steps at which the neuron fires, into `spikes`, and their number. Its potential rests for `refractory` steps."""
    current, potential = 0.0, 0.0
    n = 0
    asleep = 0
    for i in range(len(counts)):
        current = current * synaptic_decay + weight * counts[i]
        potential = potential * membrane_decay + current * dt
        if asleep > 0:
            potential = 0.0
            asleep -= 1
        elif potential >= 1.0:
            spikes[n] = i
            n += 1
            potential = 0.0
            asleep = refractory
    return n


STEP = Lauscher
