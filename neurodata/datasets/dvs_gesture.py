"""DVS128 Gesture (Amir et al., CVPR 2017): 11 hand gestures by 29 people under 5 lights, seen by a DVS128.

Published form: `DvsGesture/userNN_LIGHT.aedat` (AEDAT 3.1, several gestures a file), beside each a
`userNN_LIGHT_labels.csv` with rows `class,startTime_usec,endTime_usec` (class 1-based), and the lists
`trials_to_train.txt` (users 1 to 23) and `trials_to_test.txt` (users 24 to 29). A sample is what lies in
start <= t < end of a row, as SpikingJelly and snnTorch cut it: 1176 for training, 288 for testing.
tonic's copy has millisecond times and 1077 / 264 samples: accuracies are not comparable.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source, find_folder, read_lines
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.signals import Sensor
from neurodata.storage import is_file

TRAIN_LIST, TEST_LIST = "trials_to_train.txt", "trials_to_test.txt"
LABEL_HEADER = "class,startTime_usec,endTime_usec"
# 18 digits of microseconds are 30,000 years, and fit int64.
LABEL_ROW = re.compile(r"\s*(-?\d{1,18})\s*,\s*(-?\d{1,18})\s*,\s*(-?\d{1,18})\s*", re.ASCII)


class DvsGesture(Dataset):
    """DVS128 Gesture as IBM published it."""

    name = "dvs-gesture"
    version = 1
    title = "DVS128 Gesture: 11 hand gestures, 29 people, 5 lights"
    form = Sensor(128, 128)
    format = "aedat31"
    classes = (
        "hand_clapping",
        "right_hand_wave",
        "left_hand_wave",
        "right_arm_cw",
        "right_arm_ccw",
        "left_arm_cw",
        "left_arm_ccw",
        "arm_roll",
        "air_drums",
        "air_guitar",
        "other_gestures",
    )
    sources = (
        Source(
            filename="DvsGesture.tar.gz",
            checksum="md5:8a5c71fb11e24e5ca5b11866ca6c00a1",
            manual=(
                "open https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8/folder/50167556794 in a browser "
                "(it answers no scripts) and download DvsGesture.tar.gz"
            ),
        ),
    )
    licence = "CC BY 4.0"
    citation = "Amir et al., A Low Power, Fully Event-Based Gesture Recognition System, CVPR 2017"
    homepage = "https://research.ibm.com/interactive/dvsgesture/"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 1176, "validation": 0, "test": 288}
    label_maps: ClassVar[Mapping[str, Mapping[int, int]]] = {
        # A mirrored right hand is a left hand, and clockwise becomes counter-clockwise on the other arm.
        "flip_x": {1: 2, 2: 1, 3: 6, 6: 3, 4: 5, 5: 4},
        # Clockwise becomes counter-clockwise on the same arm; a wave backwards is a wave.
        "reverse_time": {3: 4, 4: 3, 5: 6, 6: 5},
    }
    twin_size = 264

    def find_root(self, folder: Path) -> Path:
        """The folder that holds the two trial lists: this one or `DvsGesture` in it."""
        return find_folder(self.name, folder, TRAIN_LIST, "DvsGesture")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample for each row of the label files of the listed recordings, in the order of the lists.

        Raises
        ------
        SourceNotFoundError
            When a list, a recording or a label file is missing.
        FormatError
            When a list names a recording twice, in another folder, or that the other list names too, or a row of
            a label file is not a class and an interval; names file and line.
        """
        train, test = _listed(root, TRAIN_LIST), _listed(root, TEST_LIST)
        if both := sorted({*train} & {*test}):
            raise FormatError(f"{root / TEST_LIST}: names {both[0]}, as {TRAIN_LIST} does; take it out of one of them")
        return [ref for recording in (*train, *test) for ref in _cut(root, recording)]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: IBM's trial lists, no validation set."""
        test = set(_listed(root, TEST_LIST))
        return {
            "official": Scheme(
                name="official",
                description="IBM's trial lists: users 1-23 train, 24-29 test; no validation set",
                train=tuple(ref.key for ref in samples if ref.recording not in test),
                validation=(),
                test=tuple(ref.key for ref in samples if ref.recording in test),
            )
        }

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The trial lists and the label file of every recording."""
        recordings = dict.fromkeys(ref.recording for ref in samples)
        return [root / TRAIN_LIST, root / TEST_LIST, *(_label_file(root, name) for name in recordings)]

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Simulated users making 11 simulated gestures, in the published tree and archive."""
        from neurodata.datasets._gesture_twin import write_gesture_twin

        return write_gesture_twin(folder, seed, size)


def _listed(root: Path, trials: str) -> list[str]:
    recordings: list[str] = []
    for number, line in enumerate(read_lines(root / trials), start=1):
        name = line.strip()
        if not name:
            continue
        if "/" in name or "\\" in name:
            raise FormatError(f"{root / trials}: line {number} is {name!r}; expected a file in the folder of the list")
        if name in recordings:
            raise FormatError(f"{root / trials}: line {number} names {name} again; take it out")
        if not is_file(root / name):
            raise SourceNotFoundError(
                f"{root / trials} lists {name}, but {root / name} is missing; unpack DvsGesture.tar.gz again"
            )
        recordings.append(name)
    return recordings


def _label_file(root: Path, recording: str) -> Path:
    return root / f"{Path(recording).stem}_labels.csv"


def _cut(root: Path, recording: str) -> Iterator[SampleRef]:
    path = _label_file(root, recording)
    lines = read_lines(path)
    if not lines or lines[0].replace(" ", "") != LABEL_HEADER:
        raise FormatError(f"{path}: line 1 is {(lines or [''])[0]!r}; expected {LABEL_HEADER!r}")
    seen: Counter[str] = Counter()
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        label, start_us, stop_us = _parse_row(path, number, line)
        key = f"{recording}:{start_us}-{stop_us}"
        seen[key] += 1
        yield SampleRef(
            # A row that stands twice is two samples, as in the published counts.
            key=key if seen[key] == 1 else f"{key}#{seen[key]}",
            recording=recording,
            target=label - 1,
            group=recording.split("_")[0],
            start_us=start_us,
            stop_us=stop_us,
        )


def _parse_row(path: Path, number: int, line: str) -> tuple[int, int, int]:
    row = LABEL_ROW.fullmatch(line)
    if row is None:
        raise FormatError(f"{path}: line {number} is {line[:80]!r}; expected three whole numbers: {LABEL_HEADER}")
    label, start_us, stop_us = map(int, row.groups())
    if not 1 <= label <= len(DvsGesture.classes):
        raise FormatError(f"{path}: line {number}: class {label}; expected 1 to {len(DvsGesture.classes)}")
    if not 0 <= start_us <= stop_us:
        raise FormatError(
            f"{path}: line {number}: from {start_us} to {stop_us} us is no interval: it ends before it starts, or "
            "starts before zero; the file is damaged: unpack it again, or correct the row"
        )
    return label, start_us, stop_us


DATASET = DvsGesture()
