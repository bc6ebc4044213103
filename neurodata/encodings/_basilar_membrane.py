"""How fast the basilar membrane of a passive cochlea moves at each place: a hydrodynamic model, solved by frequency.

R. Sieroka, H. G. Dosch, A. Rupp, "Semirealistic models of the cochlea", J. Acoust. Soc. Am. 120(1), 2006; as used by
B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, "The Heidelberg spiking data sets for the systematic evaluation of
spiking neural networks", IEEE TNNLS 33(7), 2022, section "Spike conversion". The formulas below were compared, number
by number, with what the authors' program (lauscher 1.0.1) returns; the texts of the papers were not at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._scipy import scipy_module
from neurodata.steps import check_memory

LONGEST_STEP_CM = 0.005
# The response of the apex has fallen to 1e-4 of its energy after 0.08 s.
MEMORY_S = 0.16
# The part of it that lies before the impulse: where the rate is too low for the base, its response rings both ways.
LEAD = 1 / 16
NODES = np.sqrt(3 / 5) * np.array([-1.0, 0.0, 1.0])  # Gauss-Legendre, exact to the fifth degree
WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18
BYTES_OF_A_RESPONSE = 40  # for each sample, while they are worked out
HIGHEST = 700.0  # imaginary part beyond which a Hankel function is less than 1e-300: the wave has died away


@dataclass(frozen=True, slots=True)
class Membrane:
    """Constants of the cochlea, in cgs units; the defaults are those of the Heidelberg data sets.

    Parameters
    ----------
    length_cm
        Length of the membrane; its places lie at equal distances, the base (high tones) first.
    stiffness, decay_per_cm, offset
        S(c) = stiffness * exp(-decay_per_cm * c) - offset, in g / (s^2 cm^2), where c is the distance from the base.
    damping
        R(c) = damping * sqrt(stiffness * mass) * exp(-decay_per_cm * c / 2), in g / (s cm^2).
    mass
        Of the membrane, g / cm^2.
    fluid_density, height_cm
        Of the fluid, g / cm^3, and of the duct.
    """

    length_cm: float = 3.5
    stiffness: float = 1e9
    decay_per_cm: float = 3.0
    offset: float = 3500.0
    damping: float = 0.15
    mass: float = 0.05
    fluid_density: float = 1.0
    height_cm: float = 0.1

    def impedance(self, omega: NDArray[np.float64], place_cm: NDArray[np.float64]) -> NDArray[np.complex128]:
        """The membrane's: xi = S(c) - mass * omega^2 - i * omega * R(c), [places, frequencies]."""
        c = place_cm[:, np.newaxis]
        stiffness = self.stiffness * np.exp(-self.decay_per_cm * c) - self.offset
        resistance = self.damping * np.sqrt(self.stiffness * self.mass) * np.exp(-self.decay_per_cm * c / 2)
        xi: NDArray[np.complex128] = stiffness - self.mass * omega**2 - 1j * omega * resistance
        return xi

    def wave_number(self, omega: NDArray[np.float64], place_cm: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Of the wave along it: g = omega * sqrt(fluid_density / (height * xi)), 1 / cm, [places, frequencies]."""
        xi = self.impedance(omega, place_cm)
        squared: NDArray[np.complex128] = self.fluid_density / (self.height_cm * xi)
        g: NDArray[np.complex128] = np.multiply(omega, np.sqrt(squared))
        return g

    def input_impedance(self, omega: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Of the cochlea, [frequencies]: Z = i * sqrt(2 * stiffness * density / height) * (J0 - i Y0) / (J1 - i Y1).

        The Bessel functions are of 2 * omega / decay * sqrt(2 * density / (height * stiffness)).
        """
        special = scipy_module("special", "lauscher")
        zeta = 2 * omega / self.decay_per_cm * np.sqrt(2 * self.fluid_density / (self.height_cm * self.stiffness))
        ratio = (special.jv(0, zeta) - 1j * special.yv(0, zeta)) / (special.jv(1, zeta) - 1j * special.yv(1, zeta))
        z: NDArray[np.complex128] = 1j * np.sqrt(2 * self.stiffness * self.fluid_density / self.height_cm) * ratio
        return z

    def transfer(self, omega: NDArray[np.float64], n_places: int) -> NDArray[np.complex128]:
        """Velocity of the membrane for a tone of unit amplitude, [places, frequencies]; omega > 0, in 1 / s.

        v(c) = 2 * omega / xi(c) * p(c) / p(0) * Z, with p(c) = sqrt(G / g) * H0(G), the Hankel function of the first
        kind, and G(c) = the integral of g from 0 to c, and 2 / decay * g(0).
        """
        hankel = scipy_module("special", "lauscher").hankel1
        place_cm = np.linspace(0, self.length_cm, n_places)
        rows = np.empty((n_places, len(omega)), np.complex128)
        at_base = np.ones(len(omega), np.complex128)
        z = self.input_impedance(omega)
        phase = 2 / self.decay_per_cm * self.wave_number(omega, place_cm[:1])[0]
        for i, c in enumerate(place_cm):
            if i:
                phase = phase + self._phase_between(omega, place_cm[i - 1], c)
            g = self.wave_number(omega, place_cm[i : i + 1])[0]
            alive = phase.imag < HIGHEST
            pressure = np.where(alive, np.sqrt(phase / g) * hankel(0, np.where(alive, phase, 1)), 0)
            rows[i] = 2 * omega / self.impedance(omega, place_cm[i : i + 1])[0] * pressure * z
            if i == 0:
                at_base = pressure
        rows /= at_base
        return rows

    def _phase_between(self, omega: NDArray[np.float64], start_cm: float, stop_cm: float) -> NDArray[np.complex128]:
        """Integral of g, [frequencies], by three nodes in each of enough short pieces."""
        edges = np.linspace(start_cm, stop_cm, 1 + max(1, int(np.ceil((stop_cm - start_cm) / LONGEST_STEP_CM))))
        half = (edges[1:] - edges[:-1]) / 2
        nodes = (edges[:-1] + half)[:, np.newaxis] + half[:, np.newaxis] * NODES  # [pieces, 3]
        weights = (2 * half[:, np.newaxis] * WEIGHTS).ravel()
        integral: NDArray[np.complex128] = weights @ self.wave_number(omega, nodes.ravel())
        return integral


@lru_cache(maxsize=4)
def response(membrane: Membrane, n_places: int, rate_hz: float) -> NDArray[np.complex64]:
    """Spectra of the places' impulse responses, at rate_hz, [n_places, n_memory + 1], for blocks of 2 * n_memory.

    The responses are causal (the conjugate of the transfer function, whose time runs the other way) and n_memory
    samples long, at least `MEMORY_S`, of which the first n_memory * `LEAD` lie before the impulse; kept for the four
    latest sets of constants, read-only.

    Raises
    ------
    EncodingError
        When they would take more than 4 GiB.
    """
    fft = scipy_module("fft", "lauscher")
    n_memory = 1 << int(np.ceil(np.log2(max(2.0, MEMORY_S * rate_hz))))
    check_memory(
        f"lauscher: responses of {n_places} places at {rate_hz:g} Hz take",
        n_places * n_memory * BYTES_OF_A_RESPONSE,
        "fewer n_channels or a lower rate_hz",
    )
    omega = 2 * np.pi * rate_hz / n_memory * np.arange(1, n_memory // 2 + 1, dtype=np.float64)
    spectra = np.zeros((n_places, n_memory // 2 + 1), np.complex64)  # at 0 Hz nothing moves
    spectra[:, 1:] = membrane.transfer(omega, n_places).conj()
    impulses = np.roll(fft.irfft(spectra, n_memory), round(LEAD * n_memory), axis=1)
    found: NDArray[np.complex64] = fft.rfft(impulses, 2 * n_memory)
    found.flags.writeable = False
    return found


class Filtered:
    """Sound on its way through the membrane: the velocity of any place, float32 [n], by overlapping blocks."""

    def __init__(self, samples: NDArray[np.float64], spectra: NDArray[np.complex64], causal: bool) -> None:
        self._fft: Any = scipy_module("fft", "lauscher")
        self._spectra, self._causal, self._n = spectra, causal, len(samples)
        n_memory = spectra.shape[1] - 1
        self._lead = round(LEAD * n_memory)
        n_blocks = -(-(len(samples) + self._lead) // n_memory)
        padded = np.zeros((n_blocks + 1) * n_memory, np.float32)
        padded[n_memory : n_memory + len(samples)] = samples if causal else samples[::-1]
        halves = padded.reshape(-1, n_memory)
        self._blocks = self._fft.rfft(np.concatenate([halves[:-1], halves[1:]], axis=1))  # [n_blocks, n_memory + 1]

    def at(self, place: int) -> NDArray[np.float32]:
        """Velocity of the place, one value a sample."""
        blocks = self._fft.irfft(self._blocks * self._spectra[place])
        moved: NDArray[np.float32] = blocks[:, blocks.shape[1] // 2 :].reshape(-1)[self._lead : self._lead + self._n]
        return moved if self._causal else np.ascontiguousarray(moved[::-1])
