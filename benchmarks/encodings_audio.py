"""How much faster than it lasts sound becomes spikes: bae, mtpc and lauscher on one core.

    python -m benchmarks.encodings_audio [--seconds 5] [--rounds 9] [--json FILE]

Noise at 16 kHz for bae and mtpc, at 48 kHz for lauscher's 700 channels. For mtpc, generalised cross-correlation (phase
transform, NumPy) stands beside, which gives the delay alone. For lauscher, the authors' program (pip install lauscher)
where it is installed, and its formulas sample by sample in Python; both are timed on `PEER_CHANNELS` channels of
`PEER_SECONDS` and told for 700, as their time is proportional to channels.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import medians_s, write_report
from neurodata.encodings._basilar_membrane import Filtered, Membrane, response
from neurodata.encodings.bae import Bae, decode, fine_structure
from neurodata.encodings.lauscher import Lauscher, hair_cell_reference, resampled
from neurodata.encodings.mtpc import Mtpc
from neurodata.signals import Waveform

RATE_HZ, LAUSCHER_HZ, CELLS_HZ = 16_000, 48_000, 24_000
N_CHANNELS, PEER_CHANNELS, PEER_SECONDS = 700, 2, 0.25

# Name, what it runs, and the seconds of sound that it counts for.
Candidate = tuple[str, Callable[[], object], float]


def noise(seconds: float, rate_hz: int, n_channels: int = 1) -> Waveform:
    samples = 0.1 * np.random.default_rng(0).normal(size=(round(seconds * rate_hz), n_channels))
    return Waveform((samples[:, 0] if n_channels == 1 else samples).astype(np.float32), float(rate_hz))


def candidates(seconds: float) -> dict[str, list[Candidate]]:
    """By encoding, ours first."""
    mono, stereo = noise(seconds, RATE_HZ), noise(seconds, RATE_HZ, 2)
    bae = Bae()
    spikes, fine = bae(mono), fine_structure(mono, bae)
    bae_rows: list[Candidate] = [
        ("neurodata", lambda: bae(mono), seconds),
        ("neurodata, no masking", lambda: Bae(masking="none")(mono), seconds),
        ("neurodata, decode", lambda: decode(spikes, fine, bae), seconds),
    ]
    mtpc_rows: list[Candidate] = [
        ("neurodata", lambda: Mtpc()(stereo), seconds),
        ("GCC-PHAT, NumPy", lambda: cross_correlation(stereo.samples), seconds),
    ]
    return {"bae": bae_rows, "mtpc": mtpc_rows, "lauscher": lauscher_rows(seconds)}


def cross_correlation(samples: NDArray[np.float32]) -> int:
    """Delay of the peak of the generalised cross-correlation, in samples."""
    n = 2 * len(samples)
    left, right = np.fft.rfft(samples, n, axis=0).T
    cross = left * right.conj()
    return int(np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-20)).argmax())


def lauscher_rows(seconds: float) -> list[Candidate]:
    sound, step = noise(seconds, LAUSCHER_HZ), Lauscher(n_channels=N_CHANNELS)
    for_peers = noise(PEER_SECONDS, LAUSCHER_HZ)
    told = PEER_SECONDS * PEER_CHANNELS / N_CHANNELS
    rows: list[Candidate] = [
        ("neurodata", lambda: step(sound, np.random.default_rng(0)), seconds),
        ("its formulas in Python", lambda: in_python(for_peers), told),
    ]
    try:
        rows.append(("lauscher", published(for_peers), told))
    except ImportError as error:
        print(f"lauscher: absent ({error})", file=sys.stderr)
    return rows


def in_python(sound: Waveform) -> int:
    """Spikes of PEER_CHANNELS channels, sample by sample, every fibre drawn for itself; the membrane is ours."""
    rng = np.random.default_rng(0)
    heard = resampled(sound.samples.astype(np.float64), sound.rate_hz, CELLS_HZ)
    membrane = Filtered(heard, response(Membrane(), PEER_CHANNELS, CELLS_HZ), causal=False)
    n_spikes = 0
    for channel in range(PEER_CHANNELS):
        last = np.full(40, -24)
        current = potential = 0.0
        fired = -25
        for i, p in enumerate(hair_cell_reference(membrane.at(channel), 1 / CELLS_HZ)):
            releases = (rng.random(40) < p) & (i - last >= 24)
            last[releases] = i
            current = current * np.exp(-1 / 12) + 325 * releases.sum()
            potential = potential * np.exp(-1 / 24) + current / CELLS_HZ if i - fired > 24 else 0.0
            if potential >= 1:
                n_spikes, fired, potential = n_spikes + 1, i, 0.0
    return n_spikes


def published(sound: Waveform) -> Callable[[], object]:
    """The authors' program on one process."""
    waves = import_module("lauscher.audiowaves")
    to_spikes = import_module("lauscher.transformations.wave2spike").Wave2Spike
    import_module("lauscher.helpers").CommandLineArguments().num_concurrent_jobs = 1
    samples = sound.samples.astype(np.float64)
    return lambda: waves.MonoAudioWave(samples.copy(), LAUSCHER_HZ).transform(to_spikes(PEER_CHANNELS))


def measured(seconds: float, rounds: int) -> list[dict[str, Any]]:
    rows = []
    for encoding, found in candidates(seconds).items():
        for _, call, _ in found:
            call()
        medians = medians_s({name: call for name, call, _ in found}, rounds)
        speeds = {name: of_sound / medians[name] for name, _, of_sound in found}
        for name, speed in speeds.items():
            ratio = speeds["neurodata"] / speed
            rows.append(
                {"encoding": encoding, "encoder": name, "times_real_time": speed, "ours_is_times_faster": ratio}
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = measured(options.seconds, options.rounds)
    print(f"{'encoding':12}{'encoder':26}{'x real time':>14}{'ours is x faster':>18}")
    for row in rows:
        speed, ratio = row["times_real_time"], row["ours_is_times_faster"]
        print(f"{row['encoding']:12}{row['encoder']:26}{speed:14.4g}{ratio:18.3g}")
    if options.json:
        write_report(options.json, rows, seconds=options.seconds, rounds=options.rounds)


if __name__ == "__main__":
    main()
