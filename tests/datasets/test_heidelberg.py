"""SHD and SSC: one HDF5 file for each partition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

SHD, SSC = registry.datasets["shd"], registry.datasets["ssc"]


def save(path: Path, labels: Sequence[int], speakers: Sequence[int] | None = None, keys: Sequence[str] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, dtype in (("times", np.float16), ("units", np.uint16)):
            column = file.create_dataset(f"spikes/{name}", (len(labels),), h5py.vlen_dtype(dtype))
            for k in range(len(labels)):
                column[k] = np.arange(k + 1, dtype=dtype)
        file["labels"] = np.array(labels, np.uint16)
        if speakers is not None:
            file["extra/speaker"] = np.array(speakers, np.uint16)
        if keys:
            file["extra/keys"] = np.array([key.encode() for key in keys])


def test_samples_are_in_the_order_of_the_files_with_speakers_as_groups(tmp_path: Path) -> None:
    save(tmp_path / "shd" / "shd_test.h5", [19], [4], SHD.classes)
    save(tmp_path / "shd" / "shd_train.h5", [3, 0], [11, 0], SHD.classes)
    root = SHD.find_root(tmp_path)
    samples = SHD.samples(root)
    assert [(ref.key, ref.item, ref.target, ref.group) for ref in samples] == [
        ("shd_train.h5#0", 0, 3, "11"),
        ("shd_train.h5#1", 1, 0, "0"),
        ("shd_test.h5#0", 0, 19, "4"),
    ]
    scheme = SHD.schemes(root, samples)["official"]
    assert (scheme.train, scheme.validation, scheme.test) == (
        ("shd_train.h5#0", "shd_train.h5#1"),
        (),
        ("shd_test.h5#0",),
    )


def test_ssc_has_a_validation_set(tmp_path: Path) -> None:
    for k, part in enumerate(("train", "valid", "test")):
        save(tmp_path / f"ssc_{part}.h5", [0] * (k + 1))
    scheme = SSC.schemes(tmp_path, SSC.samples(tmp_path))["official"]
    assert (len(scheme.train), len(scheme.validation), len(scheme.test)) == (1, 2, 3)


def test_classes_are_told_by_name_and_not_by_the_order_of_a_file(tmp_path: Path) -> None:
    save(tmp_path / "ssc_train.h5", [0, 1, 2], keys=["Zero", "yes", "bed"])
    assert [SSC.classes[ref.target] for ref in SSC.samples(tmp_path)] == ["zero", "yes", "bed"]
    save(tmp_path / "shd_train.h5", [0, 1, 2], keys=["fünf", "Fuenf", "five"])
    assert [SHD.classes[ref.target] for ref in SHD.samples(tmp_path)] == ["fuenf", "fuenf", "five"]


def test_without_names_the_numbers_of_a_file_are_ours_and_without_speakers_samples_are_groups(tmp_path: Path) -> None:
    save(tmp_path / "shd_test.h5", [19, 2])
    assert [(ref.target, ref.group) for ref in SHD.samples(tmp_path)] == [(19, "shd_test.h5#0"), (2, "shd_test.h5#1")]


@pytest.mark.parametrize(("labels", "keys"), [([20], ()), ([0], ("dix",))])
def test_a_class_that_there_is_not_is_refused(tmp_path: Path, labels: list[int], keys: tuple[str, ...]) -> None:
    save(tmp_path / "shd_test.h5", labels, keys=keys)
    with pytest.raises(FormatError, match=r"shd_test\.h5: names the class '(0|dix)'; those of shd are zero, one"):
        SHD.samples(tmp_path)


def test_a_file_without_labels_and_a_folder_without_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no shd_train\.h5 there"):
        SHD.find_root(tmp_path)
    save(tmp_path / "shd_test.h5", [0])
    with h5py.File(tmp_path / "shd_test.h5", "a") as file:
        del file["labels"]
    with pytest.raises(FormatError, match="has no labels"):
        SHD.samples(tmp_path)


@pytest.mark.parametrize("dataset", [SHD, SSC], ids=["shd", "ssc"])
def test_the_published_files_where_they_are(recordings: Path, dataset: registry.Registry) -> None:
    found = sorted(recordings.rglob(f"{dataset.name}_*.h5"))
    if not found:
        pytest.skip(f"{dataset.name} is not there")
    samples = dataset.samples(found[0].parent)
    scheme = dataset.schemes(found[0].parent, samples)["official"]
    for partition, file in dataset.files.items():
        if (found[0].parent / file).is_file():
            assert len(getattr(scheme, partition)) == dataset.published_counts[partition]
