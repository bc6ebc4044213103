"""The twins of spoken datasets that are spikes: made-up words in the published HDF5 layouts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from neurodata.datasets._archive_twin import pack_zip
from neurodata.datasets._contract import Partition
from neurodata.datasets._twin import require_size
from neurodata.datasets._words import Voice, spikes
from neurodata.formats._hdf5 import library
from neurodata.formats.ntidigits_h5 import DIGITS
from neurodata.storage import write_bytes, writing

N_CHANNELS, N_SPIKES = 700, 1500
# Which share of the samples a partition is, of ten.
TENTHS: Mapping[Partition, int] = {"train": 7, "validation": 1, "test": 2}
# SHD's speakers; two of them are in the test set alone.
N_SPEAKERS, HELD_OUT = 12, (4, 5)

COCHLEA_CHANNELS, COCHLEA_SPIKES = 64, 600
LETTERS = "abcdefghijklmnopqrstuvwxyz"  # two of them name a speaker
FIRST_TEST_SPEAKER = 26 * 13
LARGEST_TIDIGITS = 2 * 11 * FIRST_TEST_SPEAKER
SEQUENCE_EVERY = 6  # after so many single digits comes a sequence of two


def write_heidelberg_twin(
    folder: Path, name: str, files: Mapping[Partition, str], classes: Sequence[str], seed: int, size: int
) -> tuple[Path, ...]:
    """Write the archive of each partition, a look-alike of SHD or SSC; the same bytes for the same seed and size.

    Parameters
    ----------
    folder
        Where the archives go; made where missing.
    name, files, classes
        Of the dataset.
    seed
        Of everything that is drawn, 0 or more.
    size
        Number of utterances; a partition has at least one of every class.

    Raises
    ------
    RecipeError
        When seed or size is too small.
    MissingExtraError
        When the extra `hdf5` is not installed.
    StorageError
        When an archive cannot be written.
    """
    require_size(name, seed, size, len(files) * len(classes))
    total = sum(TENTHS[partition] for partition in files)
    n_of: dict[Partition, int] = {
        part: max(len(classes), size * TENTHS[part] // total) for part in files if part != "train"
    }
    n_of["train"] = size - sum(n_of.values())
    archives: list[Path] = []
    for part, file_name in files.items():
        archives.append(folder / f"{file_name}.zip")
        heard = [k for k in range(N_SPEAKERS) if k not in HELD_OUT]
        speakers = [*HELD_OUT, *heard] if part == "test" else heard
        with writing(archives[-1]) as file, TemporaryDirectory() as temporary:
            content = _heidelberg(archives[-1], classes, speakers, n_of[part], (seed, len(archives)))
            write_bytes(Path(temporary) / file_name, content)
            pack_zip(Path(temporary), file)
    return tuple(archives)


def _heidelberg(path: Path, classes: Sequence[str], speakers: Sequence[int], n: int, seed: tuple[int, int]) -> bytes:
    """The HDF5 file of one partition: float16 seconds and uint16 channels, as published."""
    h5py = library(path)
    memory = io.BytesIO()
    words, said_by = np.arange(n) % len(classes), np.array(speakers)[np.arange(n) // len(classes) % len(speakers)]
    with h5py.File(memory, "w") as file:
        times = file.create_dataset("spikes/times", (n,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (n,), h5py.vlen_dtype(np.uint16))
        for k in range(n):
            rng = np.random.default_rng([*seed, k])
            seconds, channels = spikes(int(words[k]), Voice.of(int(said_by[k])), N_CHANNELS, N_SPIKES, rng)
            times[k], units[k] = seconds.astype(np.float16), channels
        file["labels"] = words.astype(np.uint16)
        file["extra/speaker"] = said_by.astype(np.uint16)
        file["extra/keys"] = np.array([word.encode() for word in classes])
    return memory.getvalue()


def write_tidigits_twin(folder: Path, filename: str, seed: int, size: int) -> tuple[Path, ...]:
    """Write the file, a look-alike of N-TIDIGITS18; the same bytes for the same seed and size.

    Half of the digits are for testing, by other speakers; sequences of two digits stand between the single ones.

    Parameters
    ----------
    folder
        Where the file goes; made where missing.
    filename
        Its name.
    seed
        Of everything that is drawn, 0 or more.
    size
        Number of single digits, from one of each in both partitions to as many as there are names of speakers.

    Raises
    ------
    RecipeError
        When seed or size is out of range.
    MissingExtraError
        When the extra `hdf5` is not installed.
    StorageError
        When the file cannot be written.
    """
    require_size("n-tidigits18", seed, size, 2 * len(DIGITS), LARGEST_TIDIGITS)
    h5py = library(folder / filename)
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for part, first_speaker, n in (("train", 0, size - size // 2), ("test", FIRST_TEST_SPEAKER, size // 2)):
            names = []
            for k in range(n):
                speaker, digit = first_speaker + k // len(DIGITS), k % len(DIGITS)
                rng = np.random.default_rng([seed, first_speaker, k])
                said = [digit, (digit + 1) % len(DIGITS)] if k % SEQUENCE_EVERY == SEQUENCE_EVERY - 1 else [digit]
                # The sequence is one more utterance, whose first digit stands alone as well.
                for m in range(1, len(said) + 1):
                    names.append(_utterance(file, part, speaker, said[:m], rng))
            file[f"{part}_labels"] = np.array([name.encode() for name in names])
    write_bytes(folder / filename, memory.getvalue())
    return (folder / filename,)


def _utterance(file: Any, part: str, speaker: int, said: Sequence[int], rng: np.random.Generator) -> str:
    """Add the spikes of digits said one after the other; the name of the utterance."""
    letters = LETTERS[speaker // len(LETTERS)] + LETTERS[speaker % len(LETTERS)]
    name = f"{('man', 'woman')[speaker % 2]}-{letters}-a-{''.join(DIGITS[digit] for digit in said)}"
    voice = Voice.of(speaker)
    start_s, seconds, channels = 0.0, [], []
    for digit in said:
        times, units = spikes(digit, voice, COCHLEA_CHANNELS, COCHLEA_SPIKES, rng)
        seconds.append(times + start_s)
        channels.append(units)
        start_s = float(seconds[-1][-1]) + 0.1
    file[f"{part}_timestamps/{name}"] = np.concatenate(seconds)
    file[f"{part}_addresses/{name}"] = np.concatenate(channels).astype(np.uint8)
    return name
