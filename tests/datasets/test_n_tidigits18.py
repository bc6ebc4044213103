from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

DATASET = registry.datasets["n-tidigits18"]


def save(root: Path, **names: list[str]) -> Path:
    with h5py.File(root / "n-tidigits.hdf5", "w") as file:
        for part, of_part in names.items():
            file[f"{part}_labels"] = np.array(of_part, "S")
            for name in of_part:
                file[f"{part}_timestamps/{name}"] = np.array([0.25, 0.5])
                file[f"{part}_addresses/{name}"] = np.array([63, 0], np.uint8)
    return root


def test_samples_are_single_digits_and_groups_their_speakers(tmp_path: Path) -> None:
    save(tmp_path, train=["man-ae-a-z", "man-ae-b-41o", "woman-bx-a-9"], test=["man-qq-a-o", "man-qq-a-1z"])
    samples = DATASET.samples(DATASET.find_root(tmp_path.parent))
    assert [(ref.key, ref.item, DATASET.classes[ref.target], ref.group) for ref in samples] == [
        ("train/man-ae-a-z", 0, "zero", "man-ae"),
        ("train/woman-bx-a-9", 2, "nine", "woman-bx"),
        ("test/man-qq-a-o", 3, "oh", "man-qq"),
    ]
    scheme = DATASET.schemes(tmp_path, samples)["official"]
    assert (scheme.train, scheme.validation, scheme.test) == (
        ("train/man-ae-a-z", "train/woman-bx-a-9"), (), ("test/man-qq-a-o",),
    )  # fmt: skip


def test_a_file_of_sequences_alone_and_a_folder_without_the_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no n-tidigits\.hdf5 there"):
        DATASET.find_root(tmp_path)
    save(tmp_path, train=["man-ae-a-12"])
    with pytest.raises(FormatError, match="holds no utterance of a single digit"):
        DATASET.samples(tmp_path)
