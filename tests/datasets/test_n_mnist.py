from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError

DATASET = registry.datasets["n-mnist"]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_samples_are_files_in_an_order_that_no_listing_decides(tmp_path: Path) -> None:
    touch(
        tmp_path, "Test/1/00003.bin", "Train/9/00002.bin", "Train/0/00010.bin", "Train/0/00009.bin", "Train/0/notes.txt"
    )
    touch(tmp_path, "Train/0/._00009.bin")  # what macOS adds to copies
    samples = DATASET.samples(tmp_path)
    assert [ref.key for ref in samples] == [
        "Train/0/00009.bin", "Train/0/00010.bin", "Train/9/00002.bin", "Test/1/00003.bin",
    ]  # fmt: skip
    assert [ref.target for ref in samples] == [0, 0, 9, 1]
    scheme = DATASET.schemes(tmp_path, samples)["official"]
    assert (len(scheme.train), len(scheme.test)) == (3, 1)


def test_a_tree_without_test_or_recordings_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "Train/0/a.txt")
    with pytest.raises(SourceNotFoundError, match="holds Train but not Test"):
        DATASET.find_root(tmp_path)
    touch(tmp_path, "Test/0/a.txt")
    assert DATASET.find_root(tmp_path.parent) == tmp_path
    with pytest.raises(SourceNotFoundError, match=r"no recordings like Train/0/00001\.bin"):
        DATASET.samples(tmp_path)


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    name = os.fsdecode(b"Train/0/\xff.bin")
    try:
        touch(tmp_path, name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(FormatError, match="is not UTF-8: rename it"):
        DATASET.samples(tmp_path)


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    touch(tmp_path, "Train/0/00001.bin", "Train/1")
    with pytest.raises(SourceNotFoundError, match=r"1 cannot be read: Not a directory"):
        DATASET.samples(tmp_path)
