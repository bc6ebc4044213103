"""Free Spoken Digit Dataset (Jackson et al.): English digits at 8 kHz, trimmed, fifty takes a digit and speaker.

Published form: an archive of the repository, `recordings/<digit>_<speaker>_<take>.wav`, mono, 16 bits. Its authors
test on takes 0 to 4 and train on the others, so that every speaker is in both; `without-<speaker>` tests on one whom
training has not heard. What is downloaded is release 1.0.9 (2,500 recordings of five speakers), of which a checksum is
published; the last one, 1.0.10 (3,000 of six), is read with --source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import (
    Dataset,
    Partition,
    SampleRef,
    Scheme,
    Source,
    find_folder,
    list_recordings,
)
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.forms import WaveformForm

RELEASE = "1.0.9"
FOLDER = "recordings"
NAME = re.compile(r"([0-9])_([^_]+)_([0-9]{1,9})", re.ASCII)
FIRST_TRAIN_TAKE = 5


class FreeSpokenDigits(Dataset):
    """FSDD as published on GitHub."""

    name = "fsdd"
    version = 1
    title = "Free Spoken Digit Dataset: ten digits, fifty takes a speaker"
    form = WaveformForm(8000.0)
    format = "wav"
    classes = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    sources = (
        Source(
            filename=f"v{RELEASE}.tar.gz",
            checksum="sha256:8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
            urls=(f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v{RELEASE}.tar.gz",),
            size_bytes=11_975_353,
        ),
    )
    licence = "CC BY-SA 4.0"
    citation = "Jackson et al., Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset"
    homepage = "https://github.com/Jakobovski/free-spoken-digit-dataset"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 2250, "validation": 0, "test": 250}
    twin_size = 240

    def find_root(self, folder: Path) -> Path:
        """The folder that holds `recordings`: this one, or one folder further down."""
        return find_folder(self.name, folder, FOLDER, "*")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a file, in the order of names; the group is the speaker.

        Raises
        ------
        SourceNotFoundError
            When there is no recording.
        FormatError
            When a name is not digit, speaker and take.
        """
        samples = []
        for path in list_recordings(root / FOLDER, ".wav"):
            digit, speaker, _ = _parts(path.name)
            key = f"{FOLDER}/{path.name}"
            samples.append(SampleRef(key=key, recording=key, target=digit, group=speaker))
        if not samples:
            raise SourceNotFoundError(f"{root / FOLDER}: no recordings like 7_jackson_32.wav; unpack the archive again")
        return samples

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: takes 0 to 4 test; `without-<speaker>`: all of one speaker test."""
        official = _scheme(
            "official",
            "takes 0 to 4 test, the others train, as its authors say; no validation set, all speakers in both",
            samples,
            [_parts(ref.recording)[2] < FIRST_TRAIN_TAKE for ref in samples],
        )
        by_speaker = [
            _scheme(
                f"without-{speaker}",
                f"{speaker} tests, the others train; no validation set",
                samples,
                [ref.group == speaker for ref in samples],
            )
            for speaker in sorted({ref.group for ref in samples})
        ]
        return {scheme.name: scheme for scheme in (official, *by_speaker)}

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Made-up words of made-up speakers, in the published tree and archive."""
        from neurodata.datasets._sound_twin import write_fsdd_twin

        return write_fsdd_twin(folder, self.sources[0].filename, f"free-spoken-digit-dataset-{RELEASE}", seed, size)


def _parts(recording: str) -> tuple[int, str, int]:
    """Digit, speaker and take."""
    found = NAME.fullmatch(Path(recording).stem)
    if found is None:
        raise FormatError(f"{recording}: expected a name of digit, speaker and take, such as 7_jackson_32.wav")
    digit, speaker, take = found.groups()
    return int(digit), speaker, int(take)


def _scheme(name: str, description: str, samples: Sequence[SampleRef], tests: Sequence[bool]) -> Scheme:
    train = tuple(ref.key for ref, is_test in zip(samples, tests, strict=True) if not is_test)
    test = tuple(ref.key for ref, is_test in zip(samples, tests, strict=True) if is_test)
    return Scheme(name, description, train, (), test)


DATASET = FreeSpokenDigits()
