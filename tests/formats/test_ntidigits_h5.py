from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata.errors import FormatError
from neurodata.formats import detect, open_collection, read
from neurodata.signals import Sensor

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

NAMES = {"train": ["man-ae-a-z", "man-ae-b-41o", "woman-bx-a-9"], "test": ["man-qq-a-o", "man-ae-a-z", "man-qq-a-1z"]}


def saved(
    path: Path,
    names: dict[str, list[str]] = NAMES,
    times: Any = np.float64,
    addresses: Any = np.uint8,
    sort: bool = True,
) -> Path:
    rng = np.random.default_rng(4)
    with h5py.File(path, "w") as file:
        for partition, of_partition in names.items():
            file[f"{partition}_labels"] = np.array(of_partition, "S")
            file.create_group(f"{partition}_timestamps")
            file.create_group(f"{partition}_addresses")
            for name in dict.fromkeys(of_partition):
                seconds = rng.random(200)
                file[f"{partition}_timestamps/{name}"] = (np.sort(seconds) if sort else seconds).astype(times)
                file[f"{partition}_addresses/{name}"] = rng.integers(0, 64, 200).astype(addresses)
    return path


def test_keys_tell_the_partition_and_groups_the_speaker(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.hdf5")
    assert detect(path).name == "ntidigits_h5"
    collection = open_collection(path)
    assert collection.keys == tuple(f"{partition}/{name}" for partition, names in NAMES.items() for name in names)
    assert collection.groups == ("man-ae", "man-ae", "woman-bx", "man-qq", "man-ae", "man-qq")
    assert collection.sensor == Sensor(64, 1, 1)


def test_single_digits_are_labelled_as_by_tonic_and_sequences_behind_them(tmp_path: Path) -> None:
    collection = open_collection(saved(tmp_path / "a.hdf5"))
    assert collection.classes == ("o", "1", "2", "3", "4", "5", "6", "7", "8", "9", "z", "1z", "41o")
    assert collection.labels is not None
    assert collection.labels.tolist() == [10, 12, 9, 0, 10, 11]


def test_one_partition_is_enough(tmp_path: Path) -> None:
    collection = open_collection(saved(tmp_path / "a.hdf5", {"test": NAMES["test"]}))
    assert collection.keys == ("test/man-qq-a-o", "test/man-ae-a-z", "test/man-qq-a-1z")


def test_names_of_other_parts_have_no_groups(tmp_path: Path) -> None:
    collection = open_collection(saved(tmp_path / "a.hdf5", {"train": ["man-ae-a-z", "somebody-2"]}))
    assert collection.groups is None
    assert collection.labels is not None
    assert collection.labels.tolist() == [10, 2]


@pytest.mark.parametrize("times", [np.float16, np.float32, np.float64, ">f8"])
@pytest.mark.parametrize("addresses", [np.uint8, np.int32, ">u2", np.int64])
def test_every_type_of_number_reads_as_by_h5py(tmp_path: Path, times: Any, addresses: Any) -> None:
    path = saved(tmp_path / "a.hdf5", times=times, addresses=addresses, sort=False)
    collection = open_collection(path)
    readings = list(collection.readings())
    with h5py.File(path) as file:
        for key, reading in zip(collection.keys, readings, strict=True):
            partition, name = key.split("/")
            t = np.rint(file[f"{partition}_timestamps"][name][:].astype(np.float64) * 1e6).astype(np.int64)
            order = np.argsort(t, kind="stable")
            assert np.array_equal(reading.signal.t, t[order])
            assert np.array_equal(reading.signal.x, file[f"{partition}_addresses"][name][:][order])
            assert reading.findings == {"late": np.count_nonzero(t < np.maximum.accumulate(t))}
            assert reading.signal.p.all()


def test_tonic_reads_the_same_spikes_and_labels(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ntidigits = pytest.importorskip("tonic.datasets.ntidigits18")

    class Local(ntidigits.NTIDIGITS18):
        def _check_exists(self) -> bool:
            return True  # never downloads

    (tmp_path / "Local").mkdir()
    collection = open_collection(saved(tmp_path / "Local" / "n-tidigits.hdf5"))
    signals = [reading.signal for reading in collection.readings()]
    assert collection.labels is not None
    is_single = collection.labels < 11
    for partition in ("train", "test"):
        theirs = Local(str(tmp_path), train=partition == "train", single_digits=True)
        ours = [k for k, key in enumerate(collection.keys) if key.startswith(partition) and is_single[k]]
        assert len(theirs) == len(ours) > 0
        for k, (events, target) in zip(ours, (theirs[i] for i in range(len(theirs))), strict=True):
            found = signals[k]
            assert target == collection.labels[k]
            assert np.array_equal(events["x"], found.x)
            assert np.abs(events["t"] - found.t).max() <= 1  # it cuts off what is rounded here
        theirs.data.close()


def test_a_sample_is_read_by_its_key(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.hdf5")
    collection = pickle.loads(pickle.dumps(open_collection(path)))
    assert read(path, item="test/man-ae-a-z") == collection.read(4).signal != read(path, item="train/man-ae-a-z")


def test_damage_is_named_with_its_place(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.hdf5")
    with h5py.File(path, "a") as file:
        del file["train_timestamps/man-ae-a-z"]
        file["train_addresses/man-ae-b-41o"][7] = 64
        del file["train_addresses/woman-bx-a-9"]
        file["train_addresses/woman-bx-a-9"] = np.zeros(3, np.uint8)
    collection = open_collection(path)
    for k, message in (
        (0, "train_timestamps/man-ae-a-z is no dataset of one axis"),
        (1, "sample train/man-ae-b-41o: spike 7: unit 64 lies off the sensor 64x1x1"),
        (2, "sample train/woman-bx-a-9: 200 times and 3 units"),
    ):
        with pytest.raises(FormatError, match=rf"a\.hdf5: {message}"):
            collection.read(k)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"train": ["a-1", "a-1"]}, "2 utterances are named train/a-1"),
        ({"test": [""]}, "test_labels holds '', no name of an utterance"),
        ({"test": []}, "neither train_labels nor test_labels names an utterance"),
    ],
)
def test_names_that_name_nothing_are_refused(tmp_path: Path, names: dict[str, list[str]], message: str) -> None:
    path = saved(tmp_path / "a.hdf5", {partition: [n for n in of if n] for partition, of in names.items()})
    if "" in next(iter(names.values())):
        with h5py.File(path, "a") as file:
            del file["test_labels"]
            file["test_labels"] = np.array([b""], "S1")
    with pytest.raises(FormatError, match=message):
        open_collection(path, format="ntidigits_h5")
