"""Google Speech Commands, version 0.02 (Warden 2018): 105,829 one-second utterances of 35 words at 16 kHz.

Published form: `<word>/<speaker>_nohash_<number>.wav`, mono, 16 bits, a second or less, and the lists
`validation_list.txt` and `testing_list.txt`, which name whole speakers: what neither names is for training. The noise
in `_background_noise_` is no sample. The archive of the task of twelve classes (ten words, silence and unknown) is
another one and is not read.
"""

from __future__ import annotations

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
    read_lines,
)
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.forms import WaveformForm

VALIDATION_LIST, TEST_LIST = "validation_list.txt", "testing_list.txt"
NOT_THE_SPEAKER = "_nohash_"
WORDS = (
    "backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy",
    "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop",
    "three", "tree", "two", "up", "visual", "wow", "yes", "zero",
)  # fmt: skip


class SpeechCommands(Dataset):
    """Speech Commands 0.02 as Google published it, all 35 words."""

    name = "gsc-v2"
    version = 1
    title = "Google Speech Commands 0.02: 35 spoken words"
    form = WaveformForm(16_000.0)
    format = "wav"
    classes = WORDS
    sources = (
        Source(
            filename="speech_commands_v0.02.tar.gz",
            checksum="sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            urls=("http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",),
            size_bytes=2_428_923_189,
        ),
    )
    licence = "CC BY 4.0"
    citation = "Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209, 2018"
    homepage = "https://arxiv.org/abs/1804.03209"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 84_843, "validation": 9_981, "test": 11_005}
    twin_size = 280

    def find_root(self, folder: Path) -> Path:
        """The folder that holds the two lists: this one, or one folder further down."""
        return find_folder(self.name, folder, TEST_LIST, "*")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a file, in the order of words and names; the group is the speaker.

        Raises
        ------
        SourceNotFoundError
            When there is no recording, or a list names one that is missing.
        FormatError
            When the two lists name the same recording, or one names it twice.
        """
        samples = [
            SampleRef(
                key=(key := f"{word}/{path.name}"),
                recording=key,
                target=target,
                group=path.stem.split(NOT_THE_SPEAKER)[0],
            )
            for target, word in enumerate(self.classes)
            for path in list_recordings(root / word, ".wav")
        ]
        if not samples:
            raise SourceNotFoundError(
                f"{root}: no recordings like yes/0a7c2a8d_nohash_0.wav; unpack speech_commands_v0.02.tar.gz there"
            )
        _check_lists(root, {ref.key for ref in samples})
        return samples

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the published lists."""
        validation, test = set(_listed(root, VALIDATION_LIST)), set(_listed(root, TEST_LIST))
        keys = [ref.key for ref in samples]
        return {
            "official": Scheme(
                name="official",
                description="the published lists, by speakers; what neither names is for training",
                train=tuple(key for key in keys if key not in validation and key not in test),
                validation=tuple(key for key in keys if key in validation),
                test=tuple(key for key in keys if key in test),
            )
        }

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The two lists."""
        return [root / VALIDATION_LIST, root / TEST_LIST]

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Made-up words of made-up speakers, in the published tree and archive."""
        from neurodata.datasets._sound_twin import write_gsc_twin

        return write_gsc_twin(folder, self.sources[0].filename, self.classes, seed, size)


def _listed(root: Path, name: str) -> list[str]:
    return [line.strip() for line in read_lines(root / name) if line.strip()]


def _check_lists(root: Path, keys: set[str]) -> None:
    seen: dict[str, str] = {}
    for list_name in (VALIDATION_LIST, TEST_LIST):
        for key in _listed(root, list_name):
            if key not in keys:
                raise SourceNotFoundError(f"{root / list_name} names {key}, which is missing; unpack the archive again")
            if key in seen:
                raise FormatError(f"{root / list_name} names {key}, as {seen[key]} does; take it out of one of them")
            seen[key] = list_name


DATASET = SpeechCommands()
