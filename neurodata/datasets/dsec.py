"""DSEC (Gehrig et al., RA-L 2021): drives through Switzerland before event cameras, and disparities from a laser.

Published form: 41 sequences for training and 12 for testing; of each `events/left/events.h5`, and for training
`disparity/timestamps.txt` (a microsecond a line, ten a second) and `disparity/event/NNNNNN.png` (16 bits: disparity
times 256, 0 where none is known). They stand below `train_events/SEQUENCE` and `train_disparity/SEQUENCE`, as the
archives have them, or together below `train/SEQUENCE` or SEQUENCE. Of the first map no events are there, and it is left
out, as in DSEC's scripts. Maps for testing are withheld: `test_disparity_timestamps/SEQUENCE.csv` names the moments
that the benchmark's server asks for, and these samples have maps in which nothing is known.

A sample is the 50 ms before a map (`--before-us` states another length). `disparity` is in the rectified view of the
left event camera, in pixels; 0: not known. Events are where the sensor saw them: `read_rectify_map` and `rectify` of
`neurodata.datasets` lead to the rectified view. A sample has the events of the left camera alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import SampleRef, Source
from neurodata.datasets._dsec import PAGE, SENSOR, DsecMaps, Moment, find_part, paired, read_times
from neurodata.formats import read_png
from neurodata.signals import Signal
from neurodata.storage import is_file
from neurodata.targets import TargetSpec

SCALE = 256
SHAPE = (SENSOR.height, SENSOR.width)


class Dsec(DsecMaps):
    """DSEC's disparities."""

    name = "dsec"
    version = 1
    title = "DSEC: 53 drives through Switzerland, disparities of the left event camera"
    target_specs = (TargetSpec("disparity", "map", np.dtype(np.float32), SHAPE, ("y", "x")),)
    sources = (
        Source("train_events.zip", "", manual=f"download train_events.zip from {PAGE}"),
        Source("train_disparity.zip", "", manual="from there, train_disparity.zip (12 GB)"),
        Source("test_events.zip", "", manual="from there, test_events.zip"),
        Source("test_disparity_timestamps.zip", "", manual="from there, test_disparity_timestamps.zip"),
    )
    licence = "CC BY-SA 4.0"
    citation = (
        "Gehrig, Aarents, Gehrig and Scaramuzza, DSEC: A Stereo Event Camera Dataset for Driving Scenarios, RA-L 2021"
    )
    homepage = "https://dsec.ifi.uzh.ch/"
    sequences: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "train": (
            *(f"interlaken_00_{k}" for k in "cdefg"),
            "thun_00_a",
            *(f"zurich_city_00_{k}" for k in "ab"),
            *(f"zurich_city_01_{k}" for k in "abcdef"),
            *(f"zurich_city_02_{k}" for k in "abcde"),
            "zurich_city_03_a",
            *(f"zurich_city_04_{k}" for k in "abcdef"),
            *(f"zurich_city_05_{k}" for k in "ab"),
            *(f"zurich_city_{k:02d}_a" for k in (6, 7, 8)),
            *(f"zurich_city_09_{k}" for k in "abcde"),
            *(f"zurich_city_10_{k}" for k in "ab"),
            *(f"zurich_city_11_{k}" for k in "abc"),
        ),
        "test": (
            *(f"interlaken_00_{k}" for k in "ab"),
            "interlaken_01_a",
            *(f"thun_01_{k}" for k in "ab"),
            "zurich_city_12_a",
            *(f"zurich_city_13_{k}" for k in "ab"),
            *(f"zurich_city_14_{k}" for k in "abc"),
            "zurich_city_15_a",
        ),
    }
    split_description: ClassVar[str] = (
        "the published sequences; no validation set; test has no disparities, as they are withheld; interlaken_00 is "
        "one drive, of which a and b test and the others train"
    )
    twin_size = 40

    def moments(self, root: Path, folder: str, sequence: str) -> Sequence[Moment]:
        """Those of training with their pictures, without the first; those of testing without any."""
        times = self.time_list(root, folder, sequence)
        if not is_file(times):
            return ()
        if folder == "test":
            return [Moment(time_us, None) for time_us in read_times(times)]
        return paired(root, times, times.parent / "event")[1:]

    def time_list(self, root: Path, folder: str, sequence: str) -> Path:
        """`timestamps.txt`, or the list of the benchmark."""
        if folder == "test":
            return root / "test_disparity_timestamps" / f"{sequence}.csv"
        return find_part(root, folder, sequence, "disparity") / "timestamps.txt"

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """`disparity`: float32 [480, 640] in pixels, 0 where it is not known; all zeros for a testing sample."""
        if not ref.told:
            return {"disparity": np.zeros(SHAPE, np.float32)}
        (picture,) = ref.told
        return {"disparity": read_png(root / picture, SENSOR.width, SENSOR.height, 16).astype(np.float32) / SCALE}

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Things at several distances that pass a simulated camera, in the published archives."""
        from neurodata.datasets._dsec_twin import STEREO, write_dsec_twin

        return write_dsec_twin(STEREO, folder, seed, size, self.sequences)


DATASET = Dsec()
