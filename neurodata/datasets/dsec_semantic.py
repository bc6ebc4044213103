"""DSEC-Semantic (Sun et al., ECCV 2022): drives of DSEC's, with a class for each pixel.

Published form: beside DSEC's events (`events/left/events.h5`), of eight sequences for training and three for testing a
picture of classes twenty times a second, which a network made of the frames of a second camera, warped into the
rectified view of the left event camera: `train_semantic_segmentation/train/SEQUENCE/11classes/NNNNNN.png` (8 bits,
640x440: without the lowest 40 rows) and `SEQUENCE_semantic_timestamps.txt` beside that folder, or, where a sequence
stands together, `semantic/left/11classes/data` (or `semantic/11classes/data`) and `semantic/timestamps.txt`. The first
six of a sequence are left out, as in ESS: there are not enough events before them. Maps of 19 classes are not read.

A sample is the 50 ms before a map (`--before-us` states another length). `classes` is a map over the pixels of the
sensor: 0 background, 1 building, 2 fence, 3 person, 4 pole, 5 road, 6 sidewalk, 7 vegetation, 8 car, 9 wall, 10 traffic
sign; 255 where there is none, as in the lowest 40 rows. ESS takes every other label, ten a second: the scheme `ess`.
Events are where the sensor saw them: `read_rectify_map` and `rectify` of `neurodata.datasets` lead to the view of maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import SampleRef, Scheme, Source
from neurodata.datasets._dsec import PAGE, SENSOR, DsecMaps, Moment, find_part, paired
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.formats import read_png
from neurodata.signals import Signal
from neurodata.storage import is_file, is_folder
from neurodata.targets import TargetSpec

OBJECTS = (
    "background", "building", "fence", "person", "pole", "road", "sidewalk", "vegetation", "car", "wall",
    "traffic sign",
)  # fmt: skip
UNLABELLED = 255
N_ROWS = 440
N_SKIPPED = 6


class DsecSemantic(DsecMaps):
    """DSEC's maps of eleven classes."""

    name = "dsec-semantic"
    version = 1
    title = "DSEC-Semantic: 11 drives through Zurich, eleven classes of pixels"
    target_specs = (TargetSpec("classes", "map", np.dtype(np.uint8), (SENSOR.height, SENSOR.width), ("y", "x")),)
    sources = (
        Source("train_events.zip", "", manual=f"download train_events.zip from {PAGE}"),
        Source(
            filename="train_semantic_segmentation.zip",
            checksum="",
            manual="from https://dsec.ifi.uzh.ch/dsec-semantic/, train_semantic_segmentation.zip (89 MB)",
        ),
        Source("test_events.zip", "", manual=f"from {PAGE}, test_events.zip"),
        Source(
            filename="test_semantic_segmentation.zip",
            checksum="",
            manual="from https://dsec.ifi.uzh.ch/dsec-semantic/, test_semantic_segmentation.zip",
        ),
    )
    licence = "CC BY-SA 4.0"
    citation = (
        "Sun, Messikommer, Gehrig and Scaramuzza, ESS: Learning Event-based Semantic Segmentation from Still Images, "
        "ECCV 2022; Gehrig, Aarents, Gehrig and Scaramuzza, DSEC: A Stereo Event Camera Dataset for Driving Scenarios, "
        "RA-L 2021"
    )
    homepage = "https://dsec.ifi.uzh.ch/dsec-semantic/"
    sequences: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "train": tuple(f"zurich_city_{k:02d}_a" for k in (0, 1, 2, 4, 5, 6, 7, 8)),
        "test": ("zurich_city_13_a", "zurich_city_14_c", "zurich_city_15_a"),
    }
    split_description: ClassVar[str] = "the published sequences; no validation set; twenty labels a second"
    twin_size = 40

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: all labels of the published sequences; `ess`: every other one of each, as ESS takes them."""
        halves = [ref for _, refs in groupby(samples, key=lambda ref: ref.group) for ref in list(refs)[::2]]
        official = super().schemes(root, samples)["official"]
        kept = super().schemes(root, halves)["official"]
        description = "the published sequences; no validation set; every other label, ten a second, as in ESS"
        return {"official": official, "ess": Scheme("ess", description, kept.train, kept.validation, kept.test)}

    def moments(self, root: Path, folder: str, sequence: str) -> Sequence[Moment]:
        """All but the first six."""
        times = self.time_list(root, folder, sequence)
        if not is_file(times):
            return ()
        pictures = next((path for path in _picture_folders(times.parent) if is_folder(path)), None)
        if pictures is None:
            raise SourceNotFoundError(
                f"{times}: no pictures of classes beside it, in {', '.join(map(str, _picture_folders(times.parent)))}: "
                "unpack them again"
            )
        return paired(root, times, pictures)[N_SKIPPED:]

    def time_list(self, root: Path, folder: str, sequence: str) -> Path:
        """`SEQUENCE_semantic_timestamps.txt` of the archives, else `semantic/timestamps.txt`."""
        of_archive = (
            root / f"{folder}_semantic_segmentation" / folder / sequence / f"{sequence}_semantic_timestamps.txt"
        )
        together = find_part(root, folder, sequence, "semantic") / "timestamps.txt"
        return together if is_file(together) else of_archive

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """`classes`: uint8 [480, 640], indices into OBJECTS; 255 where there is none.

        Raises
        ------
        FormatError
            When a picture is damaged, of another size, or holds a class that there is not.
        """
        (picture,) = ref.told
        found = read_png(root / picture, SENSOR.width, N_ROWS, 8)
        if (strange := found[(found >= len(OBJECTS)) & (found != UNLABELLED)]).size:
            raise FormatError(
                f"{root / picture}: holds class {strange[0]}; expected 0 to {len(OBJECTS) - 1}, or {UNLABELLED}: is it "
                "a picture of 19 classes?"
            )
        classes = np.full((SENSOR.height, SENSOR.width), UNLABELLED, np.uint8)  # [y, x]
        classes[:N_ROWS] = found
        return {"classes": classes}

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Cars and persons that pass a simulated camera, in the published archives."""
        from neurodata.datasets._dsec_twin import SEMANTIC, write_dsec_twin

        return write_dsec_twin(SEMANTIC, folder, seed, size, self.sequences)


def _picture_folders(beside: Path) -> tuple[Path, ...]:
    """Where pictures of classes may be, from the folder of their times."""
    name = "11classes"
    return beside / "left" / name / "data", beside / name / "data", beside / name


DATASET = DsecSemantic()
