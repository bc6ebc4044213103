from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets._picture_twin import idx
from neurodata.errors import FormatError, SourceNotFoundError

DATASET = registry.datasets["mnist"]
LABELS = {"train": [3, 9, 0], "t10k": [7, 7]}


def write(root: Path, *, packed: bool = False, labels: dict[str, list[int]] = LABELS) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part, of_part in labels.items():
        pictures = np.arange(len(of_part) * 784, dtype=np.uint64).astype(np.uint8).reshape(len(of_part), 28, 28)
        for name, values in (("images-idx3", pictures), ("labels-idx1", np.array(of_part, np.uint8))):
            content = idx(values)
            path = root / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return root


@pytest.mark.parametrize("packed", [True, False])
def test_samples_are_pictures_in_the_order_of_the_files_and_named_alike_packed_or_not(
    tmp_path: Path, packed: bool
) -> None:
    root = DATASET.find_root(write(tmp_path / "raw", packed=packed).parent)
    samples = DATASET.samples(root)
    assert [ref.key for ref in samples] == [
        "train-images-idx3-ubyte#0", "train-images-idx3-ubyte#1", "train-images-idx3-ubyte#2",
        "t10k-images-idx3-ubyte#0", "t10k-images-idx3-ubyte#1",
    ]  # fmt: skip
    assert [ref.target for ref in samples] == [3, 9, 0, 7, 7]
    assert [ref.item for ref in samples] == [0, 1, 2, 0, 1]
    scheme = DATASET.schemes(root, samples)["official"]
    assert (len(scheme.train), len(scheme.validation), len(scheme.test)) == (3, 0, 2)
    ending = ".gz" if packed else ""
    assert [path.name for path in DATASET.label_files(root, samples)] == [
        f"train-labels-idx1-ubyte{ending}", f"t10k-labels-idx1-ubyte{ending}",
    ]  # fmt: skip


def test_one_partition_is_a_partial_dataset(tmp_path: Path) -> None:
    write(tmp_path, labels={"t10k": [1, 2]})
    store = neurodata.prepare("mnist", source=tmp_path)
    assert store.head.partial
    assert len(store) == len(store["test"]) == 2


def test_pictures_without_labels_and_a_label_beyond_nine_are_refused(tmp_path: Path) -> None:
    write(tmp_path, labels={"train": [10, 1]})
    with pytest.raises(FormatError, match="a label of it is 10; expected 0 to 9"):
        DATASET.samples(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(SourceNotFoundError, match=r"no train-labels-idx1-ubyte or train-labels-idx1-ubyte\.gz beside"):
        DATASET.samples(tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no train-images-idx3-ubyte\.gz there"):
        DATASET.find_root(tmp_path)


def test_the_published_test_pictures_become_a_store(recordings: Path) -> None:
    source = recordings / "images" / "mnist"
    if not source.is_dir():
        pytest.skip("MNIST is not there")
    store = neurodata.prepare("mnist", source=source)
    assert store.head.partial
    test = store["test"]
    assert len(test) == 10_000
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    at = {key: k for k, key in enumerate(test.keys)}
    raw = np.frombuffer(gzip.decompress((source / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    for k in (0, 4711, 9999):
        frames, _ = test[at[f"t10k-images-idx3-ubyte#{k}"]]
        expected = raw.reshape(-1, 28, 28)[k].astype(np.float32) / np.float32(255)
        np.testing.assert_array_equal(frames.numpy(), np.broadcast_to(expected, (4, 1, 28, 28)))
