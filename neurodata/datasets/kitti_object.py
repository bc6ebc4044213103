"""KITTI objects (Geiger et al., CVPR 2012): scans of a street by a laser scanner on a car, with boxes about objects.

Published form: `training/velodyne/NNNNNN.bin` (7,481 scans) and `testing/velodyne/NNNNNN.bin` (7,518), for each a
`calib/NNNNNN.txt`, and for training `label_2/NNNNNN.txt`, each kind in an archive of its own. A sample is a scan; what
is to be found in it are boxes (`read_boxes`): it has no class. Only what the camera saw is labelled, which is a
quarter of what the scanner sees. The labels of the testing scans are withheld: these samples have no boxes, whatever
stands in them, and results on them are had from the benchmark's server.

Scans of one drive look alike, and are spread over all of the training scans: a random part of them is no fair
validation set. The usual one (`chen`: Chen et al., NIPS 2015; 3,712 and 3,769 scans) keeps drives apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import (
    Dataset,
    Partition,
    SampleRef,
    Scheme,
    Source,
    find_folder,
    list_recordings,
)
from neurodata.datasets._kitti_boxes import BOX_COLUMNS, read_boxes
from neurodata.datasets._kitti_split import N_SCANS, training_scans
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.forms import PointCloudForm
from neurodata.signals import Signal
from neurodata.targets import TargetSpec

PAGE = "https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=3d"
FOLDERS = ("training", "testing")
SCAN = re.compile(r"\d{6}\.bin", re.ASCII)


class KittiObject(Dataset):
    """The scans of KITTI's benchmark of objects."""

    name = "kitti-object"
    version = 1
    title = "KITTI objects: 14,999 laser scans of streets, boxes about objects"
    form = PointCloudForm(n_features=1)
    format = "kitti_bin"
    classes = ()
    target_specs = (TargetSpec("boxes", "boxes", np.dtype(np.float32), (0, len(BOX_COLUMNS)), ("box", "field")),)
    sources = (
        Source("data_object_velodyne.zip", "", manual=f"register at {PAGE} and download the Velodyne scans (29 GB)"),
        Source(
            filename="data_object_label_2.zip",
            checksum="sha256:4efc76220d867e1c31bb980bbf8cbc02599f02a9cb4350effa98dbb04aaed880",
            size_bytes=5_601_213,
            manual="from there, the training labels (5 MB)",
        ),
        Source("data_object_calib.zip", "", manual="from there, the camera calibration matrices (16 MB)"),
    )
    licence = "CC BY-NC-SA 3.0"
    citation = (
        "Geiger, Lenz and Urtasun, Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite, CVPR 2012"
    )
    homepage = PAGE
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 7481, "validation": 0, "test": 7518}
    twin_size = 60

    def find_root(self, folder: Path) -> Path:
        """The folder that holds `training/velodyne`: this one, or one folder further down."""
        return find_folder(self.name, folder, "training/velodyne", "*")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a scan, training before testing, in the order of their numbers; each is its own group.

        Raises
        ------
        SourceNotFoundError
            When there is no training scan.
        FormatError
            When a scan is not called by a number of KITTI.
        """
        refs = [
            _ref(folder, path) for folder in FOLDERS for path in list_recordings(root / folder / "velodyne", ".bin")
        ]
        if not any(_is_training(ref) for ref in refs):
            raise SourceNotFoundError(
                f"{root}: no scans like training/velodyne/000000.bin; unpack data_object_velodyne.zip there"
            )
        return refs

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: training and testing; `chen`: training parted in two, so that drives stay whole."""
        keys = [ref.key for ref in samples if _is_training(ref)]
        test = tuple(ref.key for ref in samples if not _is_training(ref))
        is_training = dict(zip((f"training/{k:06d}" for k in range(N_SCANS)), training_scans().tolist(), strict=True))
        withheld = "testing has no boxes, as its labels are withheld"
        return {
            "official": Scheme(
                name="official",
                description=f"the published folders training and testing; no validation set; {withheld}",
                train=tuple(keys),
                validation=(),
                test=test,
            ),
            "chen": Scheme(
                name="chen",
                description=f"training as Chen et al. part it: 3,712 scans train, 3,769 validate; {withheld}",
                train=tuple(key for key in keys if is_training[key]),
                validation=tuple(key for key in keys if not is_training[key]),
                test=test,
            ),
        }

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """`boxes`: float32 [n, 11], as `read_boxes` describes them; none for a testing scan."""
        if not _is_training(ref):
            return {"boxes": np.empty((0, len(BOX_COLUMNS)), np.float32)}
        number = Path(ref.recording).stem
        return {"boxes": read_boxes(_label_file(root, number), root / "training" / "calib" / f"{number}.txt")}

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """Labels and calibration of every training scan."""
        numbers = [Path(ref.recording).stem for ref in samples if _is_training(ref)]
        calibrations = [root / "training" / "calib" / f"{number}.txt" for number in numbers]
        return [*(_label_file(root, number) for number in numbers), *calibrations]

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Scans of a made-up street, in the published archives."""
        from neurodata.datasets._street_twin import write_street_twin

        return write_street_twin(folder, seed, size)


def _ref(folder: str, path: Path) -> SampleRef:
    if not SCAN.fullmatch(path.name) or (folder == "training" and int(path.stem) >= N_SCANS):
        raise FormatError(f"{path}: expected a scan of KITTI, 000000.bin to {N_SCANS - 1:06d}.bin: take it out")
    key = f"{folder}/{path.stem}"
    return SampleRef(key=key, recording=f"{folder}/velodyne/{path.name}", target=0, group=key)


def _is_training(ref: SampleRef) -> bool:
    return ref.key.startswith("training/")


def _label_file(root: Path, number: str) -> Path:
    return root / "training" / "label_2" / f"{number}.txt"


DATASET = KittiObject()
