"""The constant-Q filter bank of the BAE cochlea: pure functions of arrays.

Pan et al., "An efficient and perceptually motivated auditory neural encoding and decoding algorithm for spiking neural
networks", Frontiers in Neuroscience 13:1420, 2020 (arXiv:1909.01302), constant-Q transform for the cochlear filters;
the transform is Brown's, "Calculation of a constant Q spectral transform", J. Acoust. Soc. Am. 89(1), 1991. Filters
f_k = f_1 2^((k-1)/b), Q = 1 / (2^(1/b) - 1), wavelets of ceil(Q rate / f_k) samples under a Hann window, convolved in
time. Decided here, as the authors' code was not at hand: wavelets are symmetric about a sample (one sample more where
their length is even), and scaled so that a tone at the centre frequency passes unchanged, in size and phase.
A filter hence looks half a wavelet ahead: 12 ms at 200 Hz.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import RecipeError

Wave = NDArray[np.float64]
# Samples that are filtered at a time: so many times the longest wavelet, which stays in the processor's cache.
BLOCK_OF_WAVELETS = 8
MOST_TAPS = 2**24  # of all filters together: 128 MB


def bins_per_octave(n_filters: int, f_min_hz: float, f_max_hz: float) -> float:
    """Filters an octave of n_filters (2 or more) from f_min_hz to f_max_hz, both centres included."""
    return (n_filters - 1) / log2(f_max_hz / f_min_hz)


def centre_frequencies(n_filters: int, f_min_hz: float, f_max_hz: float) -> NDArray[np.float64]:
    """Centre of each filter in Hz, float64 [n_filters]: f_1 2^((k-1)/b), from f_min_hz to f_max_hz."""
    octaves = np.arange(n_filters) / bins_per_octave(n_filters, f_min_hz, f_max_hz)
    centres: NDArray[np.float64] = f_min_hz * 2.0**octaves
    return centres


def kernel_length(rate_hz: float, centre_hz: float, per_octave: float) -> int:
    """Samples of the wavelet at centre_hz: ceil(Q rate / centre), and one more where that is even."""
    q = 1 / (2 ** (1 / per_octave) - 1)
    return ceil(q * rate_hz / centre_hz) | 1


def require_bank(step: str, rate_hz: float, n_filters: int, f_min_hz: float, f_max_hz: float, most_hz: float) -> None:
    """That the filters lie below most_hz, and are not so narrow that their wavelets fill memory.

    Raises
    ------
    RecipeError
        When they do not, or f_min_hz is not 1 Hz below f_max_hz.
    """
    if not f_min_hz + 1 <= f_max_hz <= most_hz:
        raise RecipeError(
            f"{step}: filters from {f_min_hz:g} to {f_max_hz:g} Hz; expected at least 1 Hz between, and at most "
            f"{most_hz:g} Hz for sound at {rate_hz:g} Hz: state f_max_hz, or resample before it"
        )
    per_octave = bins_per_octave(n_filters, f_min_hz, f_max_hz)
    centres = centre_frequencies(n_filters, f_min_hz, f_max_hz)
    n_taps = sum(kernel_length(rate_hz, centre, per_octave) for centre in centres)
    if n_taps > MOST_TAPS:
        raise RecipeError(
            f"{step}: {n_filters} filters from {f_min_hz:g} to {f_max_hz:g} Hz take {n_taps} numbers, more than "
            f"{MOST_TAPS}: state fewer, or a wider range"
        )


def kernels(rate_hz: float, centres_hz: NDArray[np.float64], per_octave: float) -> list[Wave]:
    """The wavelet of each filter, float64 [odd length]: a cosine under a Hann window, symmetric about its middle.

    The window has no zeros at its ends: sin^2(pi (n + 1) / (N + 1)).
    """
    return [_kernel(rate_hz, centre, kernel_length(rate_hz, centre, per_octave)) for centre in centres_hz]


def _kernel(rate_hz: float, centre_hz: float, n: int) -> Wave:
    window = np.sin(np.pi * np.arange(1, n + 1) / (n + 1)) ** 2
    cosine = np.cos(2 * np.pi * centre_hz / rate_hz * (np.arange(n) - n // 2))
    wavelet: Wave = window * cosine / (window * cosine**2).sum()
    return wavelet


def each_filtered(samples: NDArray[np.floating], wavelets: Sequence[Wave]) -> Iterator[Wave]:
    """The sound through one filter after the other, float64 [n] each: in phase with it, zeros before and after it.

    By the fast Fourier transform of overlapping blocks, which differs from the sum of products by about 1e-15 of the
    loudest sample.
    """
    n, longest = len(samples), max(map(len, wavelets), default=1)
    if n == 0:
        yield from (np.zeros(0) for _ in wavelets)
        return
    n_fft = 1 << (min(n, BLOCK_OF_WAVELETS * longest) + longest - 1).bit_length()
    step = n_fft - longest + 1
    padded = np.zeros(-(-n // step) * step + longest - 1)
    padded[longest // 2 : longest // 2 + n] = samples
    blocks = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::step]  # [n_blocks, n_fft]
    spectra = np.fft.rfft(blocks)
    for wavelet in wavelets:
        start = len(wavelet) // 2 + longest // 2
        moved = np.fft.irfft(spectra * np.fft.rfft(wavelet, n_fft), n_fft)
        yield moved[:, start : start + step].reshape(-1)[:n]


def filtered(samples: NDArray[np.floating], wavelets: Sequence[Wave]) -> NDArray[np.float32]:
    """The sound [n] through every filter, float32 [n_filters, n]: see `each_filtered`."""
    waves = np.zeros((len(wavelets), len(samples)), np.float32)  # [n_filters, n]
    for k, wave in enumerate(each_filtered(samples, wavelets)):
        waves[k] = wave
    return waves


def n_frames(n_samples: int, frame: int, hop: int) -> int:
    """Frames of `frame` samples, `hop` apart, that every sample lies in; none for no samples (hop <= frame)."""
    return 1 + -(-max(0, n_samples - frame) // hop) if n_samples else 0


def energies(wave: NDArray[np.floating], frame: int, hop: int) -> NDArray[np.float64]:
    """Sum of squares of each frame, float64 [n_frames]; frame m begins at sample m * hop, zeros fill the last one."""
    n = n_frames(len(wave), frame, hop)
    if n == 0:
        return np.zeros(0)
    squares = np.zeros((n - 1) * hop + frame)
    squares[: len(wave)] = np.square(wave, dtype=np.float64)
    sums: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(squares, frame)[::hop].sum(axis=1)
    return sums


def log_energies(
    samples: NDArray[np.floating], wavelets: Sequence[Wave], frame: int, hop: int, floor: float
) -> NDArray[np.float32]:
    """Natural log of each filter's energy in each frame, of `floor` at least: float32 [n_frames, n_filters]."""
    rows = np.zeros((n_frames(len(samples), frame, hop), len(wavelets)), np.float32)
    for k, wave in enumerate(each_filtered(samples, wavelets)):
        rows[:, k] = np.log(np.maximum(energies(wave, frame, hop), floor))
    return rows
