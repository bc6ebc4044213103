"""What the stages of BAE are worth: spikes, what a linear read-out makes of them, and how a decoded sound fares.

    python -m benchmarks.encodings --quality [--speech FOLDER] [--words 800] [--json FILE]

Claims of Pan et al. (Front. Neurosci. 13:1420, 2020) that are tried: masking removes about half of the spikes and
leaves the accuracy; population codes are read out far better than one latency a frame. The figures are printed as they
come. How fast temporal masking decays is not known for certain: two slower decays are tried besides.

The read-out is ridge regression to one of ten words, of each neuron's spikes in ten equal parts of the utterance; its
penalty is chosen by leaving out one training word after the other. "new speaker" is trained on all speakers but one,
"known" on four fifths of everybody's words. PESQ and STOI are measured where `pesq` and `pystoi` are installed.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speech import Word, made, recorded
from benchmarks.timing import write_report
from neurodata.encodings._threshold_code import at_rows, normalised
from neurodata.encodings.bae import Bae, decode, fine_structure
from neurodata.encodings.population_latency import PopulationLatency
from neurodata.signals import EventArray, Sensor, Series, Waveform

N_PARTS = 10
N_LABELS = 10
PENALTIES = np.geomspace(1e-3, 1e3, 13)  # of the mean of the kernel's diagonal
N_DECODED = 40

Code = Callable[[Waveform], EventArray]


def codes(f_max_hz: float) -> dict[str, Code]:
    """By name; all of them of the same cochlea."""
    plain = Bae(f_max_hz=f_max_hz, masking="none")
    maskings: dict[str, Code] = {
        "threshold code": plain,
        "+ simultaneous masking": Bae(f_max_hz=f_max_hz, masking="simultaneous"),
        "+ temporal masking": Bae(f_max_hz=f_max_hz, masking="temporal"),
        "+ both (bae)": Bae(f_max_hz=f_max_hz),
        "+ both, decay 0.9": Bae(f_max_hz=f_max_hz, decay=0.9),
        "+ both, decay 0.97": Bae(f_max_hz=f_max_hz, decay=0.97),
    }
    return {
        **maskings,
        "population latency": lambda sound: PopulationLatency()(_rows(plain, sound)),
        "latency": lambda sound: latency(_rows(plain, sound)),
    }


def _rows(step: Bae, sound: Waveform) -> Series:
    return Series(step.levels_db(sound).astype(np.float32), step.rows_hz(sound.rate_hz))


def latency(rows: Series) -> EventArray:
    """One spike a frame and channel, the earlier the larger: at m + 1 - e rows, of e from 0 to 1."""
    values = normalised(rows.values)
    row, channel = np.indices(values.shape)
    sensor = Sensor(values.shape[1], 1, 1)
    return at_rows((row + 1 - values).ravel(), channel.ravel(), rows.rate_hz, sensor)


def counts(events: EventArray, duration_us: int) -> NDArray[np.float64]:
    """Square roots of each neuron's spikes in each part of the utterance, [neurons * N_PARTS]."""
    part = np.clip(events.t * N_PARTS // max(1, duration_us), 0, N_PARTS - 1)
    found = np.zeros((events.sensor.width, N_PARTS))
    np.add.at(found, (events.x, part), 1)
    roots: NDArray[np.float64] = np.sqrt(found.ravel())
    return roots


def accuracy(features: NDArray[np.float64], labels: NDArray[np.int64], groups: NDArray[Any]) -> float:
    """Share of words read out rightly, each by a read-out that was not trained on its group."""
    right = 0
    for group in np.unique(groups):
        test = groups == group
        mean = features[~test].mean(axis=0)
        train_x, test_x = features[~test] - mean, features[test] - mean
        scores = test_x @ train_x.T @ ridge(train_x @ train_x.T, np.eye(N_LABELS)[labels[~test]])
        right += int((scores.argmax(axis=1) == labels[test]).sum())
    return right / len(labels)


def ridge(kernel: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dual weights [n, labels] of the penalty that leaves the least error when each row in turn is left out."""
    centred = targets - targets.mean(axis=0)
    values, vectors = np.linalg.eigh(kernel)
    best: tuple[float, NDArray[np.float64]] = (np.inf, centred)
    for penalty in PENALTIES * np.trace(kernel) / len(kernel):
        inverse = (vectors / (values.clip(0) + penalty)) @ vectors.T
        weights = inverse @ centred
        error = float(((weights / np.diag(inverse)[:, np.newaxis]) ** 2).sum())
        if error < best[0]:
            best = (error, weights)
    return best[1]


def read_outs(words: list[Word], f_max_hz: float) -> Iterator[dict[str, Any]]:
    """A row for each code."""
    labels = np.array([word.label for word in words])
    speakers = np.array([word.speaker for word in words])
    fifths = np.random.default_rng(0).permutation(len(words)) % 5
    seconds = sum(word.sound.duration_us for word in words) / 1e6
    for name, code in codes(f_max_hz).items():
        events = [code(word.sound) for word in words]
        features = np.stack([counts(e, w.sound.duration_us) for e, w in zip(events, words, strict=True)])
        yield {
            "code": name,
            "neurons": events[0].sensor.width,
            "spikes_per_s": sum(map(len, events)) / seconds,
            "new_speaker": accuracy(features, labels, speakers),
            "known": accuracy(features, labels, fifths),
        }


def decoded(words: list[Word], f_max_hz: float) -> Iterator[dict[str, Any]]:
    """A row for some of them: how near the decoded sound is to the recorded one, on average."""
    all_codes = codes(f_max_hz)
    for name in ("threshold code", "+ both (bae)", "+ both, decay 0.9", "+ both, decay 0.97"):
        step = all_codes[name]
        assert isinstance(step, Bae)
        found: dict[str, list[float]] = {"snr_db": [], "pesq": [], "stoi": []}
        for word in words[:N_DECODED]:
            sound = word.sound
            again = decode(step(sound), fine_structure(sound, step), step)
            error = float(((sound.samples - again.samples) ** 2).sum())
            found["snr_db"].append(10 * np.log10(float((sound.samples**2).sum()) / error))
            for quantity, measure in (("pesq", pesq), ("stoi", stoi)):
                value = measure(sound, again)
                found[quantity] += [] if value is None else [value]
        means = {quantity: float(np.mean(values)) if values else None for quantity, values in found.items()}
        yield {"code": name, "words": len(words[:N_DECODED]), **means}


def pesq(sound: Waveform, other: Waveform) -> float | None:
    """Perceptual quality, ITU-T P.862, from about 1 to 4.6; None where `pesq` is absent or has no value for it."""
    try:
        module = import_module("pesq")
    except ImportError:
        return None
    modes = {8000: "nb", 16_000: "wb"}
    if sound.rate_hz not in modes:
        return None
    try:
        return float(module.pesq(int(sound.rate_hz), sound.samples, other.samples, modes[int(sound.rate_hz)]))
    except module.PesqError:  # such as no speech found in a word
        return None


def stoi(sound: Waveform, other: Waveform) -> float | None:
    """Short-time intelligibility, up to 1; None where `pystoi` is absent or the word too short for it."""
    try:
        module = import_module("pystoi")
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of words with less than 0.4 s of speech, for which it gives 1e-5
        value = float(module.stoi(sound.samples, other.samples, int(sound.rate_hz)))
    return value if value > 1e-4 else None


def main(speech: Path | None, n_words: int, report: Path | None) -> None:
    words = made(n_words) if speech is None else recorded(speech, n_words)
    f_max_hz = min(8000.0, 0.45 * words[0].sound.rate_hz)
    source = "made words" if speech is None else "recorded words"
    print(f"{len(words)} {source} of {len({word.speaker for word in words})} speakers, bands up to {f_max_hz:g} Hz")
    print(f"{'code':26}{'neurons':>9}{'spikes/s':>10}{'new speaker':>13}{'known':>8}")
    rows = []
    for row in read_outs(words, f_max_hz):
        rows.append(row)
        print(
            f"{row['code']:26}{row['neurons']:9}{row['spikes_per_s']:10.0f}{row['new_speaker']:13.1%}{row['known']:8.1%}"
        )
    of = {row["code"]: row for row in rows}
    for name in ("+ both (bae)", "+ both, decay 0.9", "+ both, decay 0.97"):
        print(f"{name}: {1 - of[name]['spikes_per_s'] / of['threshold code']['spikes_per_s']:.1%} of the spikes masked")
    print(f"\n{'decoded':26}{'words':>7}{'SNR dB':>9}{'STOI':>14}{'PESQ':>14}")
    for row in decoded(words, f_max_hz):
        rows.append(row)
        print(f"{row['code']:26}{row['words']:7}{row['snr_db']:9.1f}{_told(row['stoi']):>14}{_told(row['pesq']):>14}")
    if report:
        write_report(report, rows, words=len(words), source=source)


def _told(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of `--quality`."""
    parser.add_argument("--quality", action="store_true", help="what the stages of BAE are worth, instead of speed")
    parser.add_argument("--speech", type=Path, help="a folder of digit_speaker_take.wav; without one, made sounds")
    parser.add_argument("--words", type=int, default=800)
