"""The twins of spoken datasets: made-up words as 16-bit WAV files, in the published trees and archives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._archive_twin import pack_tar_gz
from neurodata.datasets._twin import require_size
from neurodata.datasets._words import Voice, sound
from neurodata.formats import write
from neurodata.signals import Waveform
from neurodata.storage import writing

FULL_SCALE = 2**15

FSDD_RATE_HZ = 8000
FSDD_SPEAKERS = ("ada", "bela", "chen", "dora")
FSDD_DIGITS, FSDD_TAKES = 10, 50
TAKE_STRIDE = 7  # shares no factor with 50: every take comes once, and the first ones are not all for testing

GSC_RATE_HZ = 16_000
GSC_SHORT_EVERY = 8  # one recording in so many is shorter than a second, as some of the published ones are
GSC_ROUND = 8  # of so many speakers, one is for validation and one for testing
GSC_VALIDATION, GSC_TEST = 1, 2
GSC_JITTER = 800  # samples: 50 ms
NOISE_S = 3


def write_fsdd_twin(folder: Path, archive: str, tree: str, seed: int, size: int) -> tuple[Path, ...]:
    """Write the archive, a look-alike of the Free Spoken Digit Dataset; the same bytes for the same seed and size.

    Four speakers say every digit; a take in ten is for testing, and at least the first one.

    Parameters
    ----------
    folder
        Where the archive goes; made where missing.
    archive, tree
        Its name, and that of the folder in it.
    seed
        Of everything that is drawn, 0 or more.
    size
        Number of recordings, two takes of every digit and speaker to fifty.

    Raises
    ------
    RecipeError
        When seed or size is out of range.
    StorageError
        When the archive cannot be written.
    """
    n_of_take = FSDD_DIGITS * len(FSDD_SPEAKERS)
    require_size("fsdd", seed, size, 2 * n_of_take, FSDD_TAKES * n_of_take)
    with writing(folder / archive) as file, TemporaryDirectory() as temporary:
        recordings = Path(temporary) / tree / "recordings"
        recordings.mkdir(parents=True)
        for number in range(size):
            take, rest = divmod(number, n_of_take)
            speaker, digit = divmod(rest, FSDD_DIGITS)
            name = f"{digit}_{FSDD_SPEAKERS[speaker]}_{take * TAKE_STRIDE % FSDD_TAKES}.wav"
            rng = np.random.default_rng([seed, number])
            _write_wav(recordings / name, sound(digit, Voice.of(speaker), FSDD_RATE_HZ, rng), FSDD_RATE_HZ)
        pack_tar_gz(Path(temporary), file)
    return (folder / archive,)


def write_gsc_twin(folder: Path, archive: str, words: Sequence[str], seed: int, size: int) -> tuple[Path, ...]:
    """Write the archive, a look-alike of Speech Commands; the same bytes for the same seed and size.

    Each speaker says every word once. Of eight speakers one is for validation and one for testing.

    Parameters
    ----------
    folder
        Where the archive goes; made where missing.
    archive
        Its name.
    words
        The classes.
    seed
        Of everything that is drawn, 0 or more.
    size
        Number of recordings, at least one of every word for each partition.

    Raises
    ------
    RecipeError
        When seed or size is too small.
    StorageError
        When the archive cannot be written.
    """
    require_size("gsc-v2", seed, size, 3 * len(words))
    lists: dict[int, list[str]] = {GSC_VALIDATION: [], GSC_TEST: []}
    with writing(folder / archive) as file, TemporaryDirectory() as temporary:
        root = Path(temporary)
        for number in range(size):
            speaker, word = divmod(number, len(words))
            name = f"{words[word]}/{_hash_of(speaker)}_nohash_0.wav"
            lists.get(speaker % GSC_ROUND, []).append(name)
            rng = np.random.default_rng([seed, number])
            is_short = number % GSC_SHORT_EVERY == GSC_SHORT_EVERY - 1
            _write_wav(root / name, _clip(sound(word, Voice.of(speaker), GSC_RATE_HZ, rng), is_short, rng), GSC_RATE_HZ)
        noise = np.random.default_rng([seed, size]).normal(0, 0.1, NOISE_S * GSC_RATE_HZ).clip(-1, 1)
        _write_wav(root / "_background_noise_" / "white_noise.wav", noise, GSC_RATE_HZ)
        for partition, list_name in ((GSC_VALIDATION, "validation_list.txt"), (GSC_TEST, "testing_list.txt")):
            (root / list_name).write_text("".join(f"{name}\n" for name in sorted(lists[partition])), "ascii")
        pack_tar_gz(root, file)
    return (folder / archive,)


def _hash_of(speaker: int) -> str:
    return hashlib.sha1(f"speaker {speaker}".encode(), usedforsecurity=False).hexdigest()[:8]


def _clip(samples: NDArray[np.float64], is_short: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    """A word about the middle of a second of near silence; a short one ends with the word."""
    clip = rng.normal(0, 0.004, GSC_RATE_HZ)
    first = (GSC_RATE_HZ - len(samples)) // 2 + int(rng.integers(-GSC_JITTER, GSC_JITTER + 1))
    clip[first : first + len(samples)] += samples
    return clip[: first + len(samples)].clip(-1, 1) if is_short else clip.clip(-1, 1)


def _write_wav(path: Path, samples: NDArray[np.float64], rate_hz: int) -> None:
    """16-bit numbers, as published."""
    whole = np.rint(samples * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Waveform((whole / FULL_SCALE).astype(np.float32), rate_hz), path, format="wav")
