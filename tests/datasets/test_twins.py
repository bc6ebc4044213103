"""What the twins of pictures, sounds and spikes must all do: published files, the same bytes, classes to be learnt."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import neurodata
from neurodata import registry
from neurodata.datasets import PARTITIONS, Dataset, Twin, locate
from neurodata.datasets._words import N_BANDS, Voice, bands, knots, sound, spikes
from neurodata.errors import RecipeError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Image, Signal, Waveform
from neurodata.storage import file_digest


class Small(NamedTuple):
    size: int
    counts: tuple[int, int, int]  # train, validation, test
    smallest: int
    n_speakers: int


SMALL = {
    "mnist": Small(70, (60, 0, 10), 10, 70),
    "fsdd": Small(120, (80, 0, 40), 80, 4),
    "gsc-v2": Small(105, (35, 35, 35), 105, 3),
    "shd": Small(80, (60, 0, 20), 40, 4),
    "ssc": Small(105, (35, 35, 35), 105, 2),
    "n-tidigits18": Small(44, (22, 0, 22), 22, 4),
}
HDF5 = {"shd", "ssc", "n-tidigits18"}


@pytest.fixture(params=SMALL, scope="module")
def dataset(request: pytest.FixtureRequest) -> Dataset:
    if request.param in HDF5:
        pytest.importorskip("h5py", reason="needs the extra `hdf5`")
        pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")
    found: Dataset = registry.datasets[request.param]
    return found


@pytest.fixture(scope="module")
def cache(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(dataset.name)


@pytest.fixture(scope="module")
def root(dataset: Dataset, cache: Path) -> Path:
    return locate(dataset, cache, twin=Twin(SMALL[dataset.name].size)).root


def test_the_files_are_named_as_published_and_can_be_unpacked(dataset: Dataset, root: Path) -> None:
    folder = next(parent for parent in (root, *root.parents) if parent.name.startswith("unpacked-")).parent
    assert all((folder / source.filename).is_file() for source in dataset.sources)


def test_samples_are_split_as_stated_and_of_every_class(dataset: Dataset, root: Path) -> None:
    samples = dataset.samples(root)
    size, counts, _, n_speakers = SMALL[dataset.name]
    assert len(samples) == size
    assert len({ref.group for ref in samples}) == n_speakers
    scheme = dataset.schemes(root, samples)[dataset.default_scheme]
    target_of = {ref.key: ref.target for ref in samples}
    for partition, count in zip(PARTITIONS, counts, strict=True):
        keys = getattr(scheme, partition)
        assert len(keys) == count
        if count:
            n_of_class = Counter(target_of[key] for key in keys)
            assert set(n_of_class) == set(range(len(dataset.classes)))
            assert max(n_of_class.values()) - min(n_of_class.values()) <= 1


def test_the_same_seed_and_size_give_the_same_bytes_and_others_do_not(dataset: Dataset, tmp_path: Path) -> None:
    smallest = SMALL[dataset.name].smallest
    digests = [
        [file_digest(path) for path in dataset.write_twin(tmp_path / str(k), seed, smallest)]
        for k, seed in enumerate((3, 3, 4))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_archives_know_neither_clock_nor_user(dataset: Dataset, tmp_path: Path) -> None:
    for path in dataset.write_twin(tmp_path, 0, SMALL[dataset.name].smallest):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as zipped:
                assert {member.date_time for member in zipped.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as tar:
                assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
        elif path.suffix == ".gz":
            with gzip.open(path) as packed:
                packed.read()
                assert packed.mtime == 0


def test_a_seed_or_size_out_of_range_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    smallest = SMALL[dataset.name].smallest
    for seed, size in ((-1, smallest), (0, smallest - 1)):
        with pytest.raises(
            RecipeError, match=rf"{dataset.name} twin: seed {seed}, size {size}; expected .* {smallest}"
        ):
            dataset.write_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []


def has_its_steps(dataset: Dataset) -> bool:
    return dataset.gives is not Waveform or "log_mel" in registry.encodings


def test_it_goes_the_whole_way_by_the_shipped_recipe(dataset: Dataset, root: Path, cache: Path) -> None:
    if not has_its_steps(dataset):
        pytest.skip("its recipe needs log_mel")
    size = SMALL[dataset.name].size
    store = neurodata.prepare(dataset.name, twin=True, twin_size=size, cache=cache)
    assert len(store) == size
    assert store.head.classes == dataset.classes
    assert neurodata.prepare(dataset.name, twin=True, twin_size=size, cache=cache).path == store.path
    train = neurodata.load(dataset.name, twin=True, twin_size=size, cache=cache, split="train")
    frames, targets = next(iter(train.loader(16, shuffle=True, seed=0)))
    assert frames.shape == (16, *load_recipe(dataset.name).array().shape)
    assert frames.isfinite().all()
    assert targets.shape == (16,)
    assert 0 <= targets.min() <= targets.max() < len(dataset.classes)


def features(signal: Signal) -> NDArray[np.float64]:
    """Pixels; spikes, or energy, in some bins of time and channels."""
    if isinstance(signal, Image):
        return signal.pixels.ravel().astype(float)
    if isinstance(signal, EventArray):
        counts, _, _ = np.histogram2d(
            signal.t / max(signal.t[-1], 1), signal.x / signal.sensor.width, (8, 24), ((0, 1), (0, 1))
        )
        return np.sqrt(counts).ravel()
    assert isinstance(signal, Waveform)
    loud = np.flatnonzero(np.abs(signal.samples) > 0.05)
    word = signal.samples[loud[0] : loud[-1] + 1]
    pieces = np.array_split(word, 8)
    rows = [np.abs(np.fft.rfft(piece, 1024))[: round(3600 / signal.rate_hz * 1024)] for piece in pieces]
    return np.array([[part.sum() for part in np.array_split(row, 24)] for row in rows]).ravel() ** 0.5


@pytest.mark.parametrize("name", ["mnist", "fsdd", "gsc-v2", "shd"])
def test_classes_can_be_told_apart_by_a_linear_read_out(name: str, tmp_path: Path) -> None:
    if name in HDF5:
        pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")
    dataset: Dataset = registry.datasets[name]
    root = locate(dataset, tmp_path, twin=Twin(dataset.twin_size, seed=1)).root
    samples = dataset.samples(root)
    scheme = dataset.schemes(root, samples)[dataset.default_scheme]
    x = np.array(
        [features(neurodata.read(root / ref.recording, format=dataset.format, item=ref.item)) for ref in samples]
    )
    x = np.column_stack([x / x.std(), np.ones(len(x))])
    y = np.eye(len(dataset.classes))[[ref.target for ref in samples]]
    in_train = np.isin([ref.key for ref in samples], scheme.train)
    xt, yt = x[in_train], y[in_train]
    weights = np.linalg.solve(xt.T @ xt + 3 * np.eye(xt.shape[1]), xt.T @ yt)
    assert ((x[~in_train] @ weights).argmax(1) == y[~in_train].argmax(1)).mean() >= 0.85


def test_a_word_is_the_same_in_all_voices_up_to_a_shift() -> None:
    when = np.linspace(0, 1, 7)
    for speaker in range(5):
        voice = Voice.of(speaker)
        found = bands(3, voice, np.random.default_rng(speaker), when)
        assert found.shape == (N_BANDS, 7)
        assert np.abs(found[:, ::2] - knots(3)).max() < 0.03 + 5 * 0.015


def test_sounds_are_within_full_scale_and_spikes_within_the_sensor() -> None:
    for word in range(35):
        rng = np.random.default_rng(word)
        samples = sound(word, Voice.of(word), 8000, rng)
        assert 0.2 < np.abs(samples).max() <= 1
        assert 0.3 < len(samples) / 8000 < 0.75
        seconds, channels = spikes(word, Voice.of(word), 64, 500, rng)
        assert (np.diff(seconds) >= 0).all()
        assert 0 <= channels.min() <= channels.max() < 64


def test_some_commands_are_shorter_than_a_second_and_some_utterances_are_sequences(tmp_path: Path) -> None:
    root = locate(registry.datasets["gsc-v2"], tmp_path, twin=Twin(105)).root
    lengths = [len(neurodata.read(path).samples) for path in sorted(root.glob("*/*_nohash_*.wav"))]
    assert sum(length == 16_000 for length in lengths) == 92
    assert sum(length < 16_000 for length in lengths) == 13
    pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")
    (path,) = registry.datasets["n-tidigits18"].write_twin(tmp_path, 0, 44)
    collection = neurodata.open_collection(path)
    assert len(collection.keys) == 44 + 6
    assert {len(name) for name in collection.classes} == {1, 2}
