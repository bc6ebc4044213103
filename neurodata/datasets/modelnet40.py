"""ModelNet40 (Wu et al., CVPR 2015): 12,311 models of 40 kinds of things, as points on their surfaces with normals.

Published form: `modelnet40_normal_resampled/<class>/<class>_NNNN.txt`, rows `x,y,z,nx,ny,nz` (10,000 a model, as Qi et
al. sampled them for PointNet++, NIPS 2017), the lists `modelnet40_train.txt` and `modelnet40_test.txt`, and the names
of the classes in `modelnet40_shape_names.txt`. All models stand the same way up and face the same way.

Of the releases this one is taken because it has the whole official split (9,843 / 2,468; the HDF5 files of 2,048 points
have 9,840 for training), names for its models, and normals; E-3DSNN and PointNet++ train on it. Files of the other one
are read by the format `modelnet_h5`. Names of files and columns are as other people's programs read them: no published
file was at hand, nor a published checksum, and the server's certificate has been broken for years.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source, find_folder, read_lines
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.forms import PointCloudForm
from neurodata.storage import is_file

NAMES_FILE, TRAIN_LIST, TEST_LIST = "modelnet40_shape_names.txt", "modelnet40_train.txt", "modelnet40_test.txt"
NAMES = """
    airplane bathtub bed bench bookshelf bottle bowl car chair cone cup curtain desk door dresser flower_pot glass_box
    guitar keyboard lamp laptop mantel monitor night_stand person piano plant radio range_hood sink sofa stairs stool
    table tent toilet tv_stand vase wardrobe xbox
"""
CLASSES = tuple(NAMES.split())


class ModelNet40(Dataset):
    """ModelNet40 as points with normals."""

    name = "modelnet40"
    version = 1
    title = "ModelNet40: 12,311 models of 40 kinds as points with normals"
    form = PointCloudForm(n_features=3)
    format = "points_xyz"
    classes = CLASSES
    sources = (
        Source(
            filename="modelnet40_normal_resampled.zip",
            checksum="",
            manual=(
                "download https://shapenet.cs.stanford.edu/media/modelnet40_normal_resampled.zip (1.6 GB; its "
                "certificate is broken), or a copy that you trust"
            ),
        ),
    )
    licence = "for academic use"
    citation = "Wu et al., 3D ShapeNets: A Deep Representation for Volumetric Shapes, CVPR 2015"
    homepage = "https://modelnet.cs.princeton.edu/"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 9843, "validation": 0, "test": 2468}
    twin_size = 200

    def find_root(self, folder: Path) -> Path:
        """The folder that holds the lists: this one, or one folder further down."""
        return find_folder(self.name, folder, TRAIN_LIST, "*")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a listed model that is there, in the order of the lists; each is its own group.

        Raises
        ------
        SourceNotFoundError
            When a list is missing, or no listed model is there.
        FormatError
            When the names of the classes are others, or a list is not as published.
        """
        if (found := tuple(filter(None, map(str.strip, read_lines(root / NAMES_FILE))))) != self.classes:
            raise FormatError(
                f"{root / NAMES_FILE}: names {len(found)} classes, {', '.join(found[:3])} ...; expected the 40 of "
                "ModelNet40 in alphabetical order: unpack it again"
            )
        train, test = _listed(root, TRAIN_LIST), _listed(root, TEST_LIST)
        if both := sorted({*train} & {*test}):
            raise FormatError(f"{root / TEST_LIST}: names {both[0]}, as {TRAIN_LIST} does; take it out of one of them")
        refs = [_ref(name, target) for name, target in (train | test).items()]
        there = [ref for ref in refs if is_file(root / ref.recording)]
        if not there:
            raise SourceNotFoundError(
                f"{root}: no models like airplane/airplane_0001.txt; unpack modelnet40_normal_resampled.zip there"
            )
        return there

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the published lists."""
        test = _listed(root, TEST_LIST)
        return {
            "official": Scheme(
                name="official",
                description="the published lists modelnet40_train and modelnet40_test; no validation set",
                train=tuple(ref.key for ref in samples if ref.key not in test),
                validation=(),
                test=tuple(ref.key for ref in samples if ref.key in test),
            )
        }

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The lists and the names of the classes."""
        return [root / NAMES_FILE, root / TRAIN_LIST, root / TEST_LIST]

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Points on boxes, cones, rings ... of 40 proportions, in the published archive."""
        from neurodata.datasets._solid_twin import write_solid_twin

        return write_solid_twin(folder, seed, size)


def _ref(name: str, target: int) -> SampleRef:
    return SampleRef(key=name, recording=f"{CLASSES[target]}/{name}.txt", target=target, group=name)


def _listed(root: Path, listing: str) -> dict[str, int]:
    """Models of a list and their classes: "night_stand_0201" is a night_stand."""
    found: dict[str, int] = {}
    for number, line in enumerate(read_lines(root / listing), start=1):
        name = line.strip()
        if not name:
            continue
        kind, _, serial = name.rpartition("_")
        if kind not in CLASSES or not serial.isdecimal() or name in found:
            raise FormatError(
                f"{root / listing}: line {number} is {name!r}; expected a class and a number, such as "
                "night_stand_0201, and every model once"
            )
        found[name] = CLASSES.index(kind)
    return found


DATASET = ModelNet40()
