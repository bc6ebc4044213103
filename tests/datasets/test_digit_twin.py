from __future__ import annotations

from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets._digit_twin import MARKED_EVERY, SENSOR, gaze, record, with_markers, write_digit_twin
from neurodata.errors import RecipeError
from neurodata.formats import open_recording, read
from neurodata.signals import EventArray
from neurodata.storage import unpack
from tests.strategies import event_arrays

SIZE = 35


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_digit_twin(tmp_path_factory.mktemp("twin"), seed=3, size=SIZE)


@pytest.fixture(scope="module")
def root(archives: tuple[Path, ...]) -> Path:
    folder = archives[0].parent / "unpacked"
    for archive in archives:
        with ZipFile(archive) as zipped:
            zipped.extractall(folder)
    return folder


def test_archives_hold_the_published_tree_and_can_be_unpacked(archives: tuple[Path, ...], tmp_path: Path) -> None:
    assert [archive.name for archive in archives] == ["train.zip", "test.zip"]
    for archive, partition, n in zip(archives, ("Train", "Test"), (30, 5), strict=True):
        with ZipFile(archive) as zipped:
            expected = sorted(f"{partition}/{i % 10}/{i + 1:05d}.bin" for i in range(n))
            assert zipped.namelist() == expected
        unpack(archive, tmp_path / partition)
        assert sorted(path.name for path in (tmp_path / partition).rglob("*.bin")) == sorted(
            name.rsplit("/")[-1] for name in expected
        )


def test_the_dataset_finds_every_recording_and_it_looks_like_n_mnist(root: Path) -> None:
    dataset = registry.datasets["n-mnist"]
    samples = dataset.samples(dataset.find_root(root))
    assert Counter(sample.target for sample in samples) == {digit: 3 + (digit < 5) for digit in range(10)}
    scheme = dataset.schemes(root, samples)["official"]
    assert (len(scheme.train), len(scheme.test)) == (30, 5)
    for sample in samples:
        events = read(root / sample.recording, format="nmnist")
        assert events.sensor == SENSOR
        assert 1_500 < len(events) < 6_000
        assert 0.4 < events.p.mean() < 0.6
        assert 280_000 < events.t[-1] <= 300_000


def test_some_recordings_hold_overflow_markers(root: Path) -> None:
    marked = {
        int(path.stem): open_recording(path, format="nmnist").findings["overflow markers"]
        for path in (root / "Train").rglob("*.bin")
    }
    assert {number for number, n in marked.items() if n} == set(range(MARKED_EVERY, 31, MARKED_EVERY))
    assert marked[MARKED_EVERY] == pytest.approx(300_000 // 8192, abs=1)


@given(events=event_arrays(sensor=SENSOR, max_step_us=30_000))
def test_markers_say_the_same_events(events: EventArray, tmp_path_factory: pytest.TempPathFactory) -> None:
    start_us = events.t[0] if len(events) else 0
    early = EventArray(events.t - start_us, events.x, events.y, events.p, events.sensor)
    path = tmp_path_factory.mktemp("marked") / "00001.bin"
    path.write_bytes(with_markers(early))
    assert read(path, format="nmnist") == early


def test_markers_by_hand() -> None:
    events = EventArray(
        np.array([1, 8193, 24576], np.int64), np.array([1, 2, 3], np.uint16), np.array([4, 5, 6], np.uint16),
        np.array([True, False, True]), SENSOR,
    )  # fmt: skip
    marker = [0, 240, 0, 0, 0]
    expected = [[1, 4, 128, 0, 1], marker, [2, 5, 0, 0, 1], marker, marker, [3, 6, 128, 0, 0]]
    assert with_markers(events) == np.array(expected, np.uint8).tobytes()


def test_the_same_seed_and_size_give_the_same_bytes(archives: tuple[Path, ...], tmp_path: Path) -> None:
    again = write_digit_twin(tmp_path, seed=3, size=SIZE)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in archives]


def test_the_archives_know_neither_clock_nor_umask_nor_machine(archives: tuple[Path, ...]) -> None:
    for archive in archives:
        with ZipFile(archive) as zipped:
            for member in zipped.infolist():
                assert member.date_time == (1980, 1, 1, 0, 0, 0)
                assert (member.create_system, member.external_attr) == (3, 0o644 << 16)


def test_the_camera_runs_round_a_triangle_in_three_saccades() -> None:
    corners = np.array([gaze(t_us) for t_us in (0, 100_000, 200_000, 300_000)])
    np.testing.assert_allclose(corners, [(-1.7, -1.7), (0, 1.7), (1.7, -1.7), (-1.7, -1.7)], atol=1e-6)
    np.testing.assert_allclose(gaze(150_000), (0.85, 0.0), atol=1e-6)  # half way along the second side


def summed_picture(events: EventArray) -> NDArray[np.float64]:
    counts = np.zeros((17, 17))  # [y, x]
    np.add.at(counts, (events.y // 2, events.x // 2), 1)
    return np.sqrt(counts / len(events)).ravel()


def test_digits_can_be_told_apart_across_handwritings() -> None:
    pictures = np.array(
        [[summed_picture(record(digit, np.random.default_rng([7, i, digit]))) for digit in range(10)] for i in range(6)]
    )  # [handwriting, digit, pixel]
    centroids = pictures[:4].mean(0)
    found = ((pictures[4:, :, None] - centroids) ** 2).sum(-1).argmin(-1)
    assert np.mean(found == np.arange(10)) >= 0.8


@pytest.mark.parametrize(("seed", "size"), [(0, 9), (-1, 70)])
def test_a_seed_or_size_too_small_is_refused(tmp_path: Path, seed: int, size: int) -> None:
    with pytest.raises(RecipeError, match=rf"seed {seed}, size {size}; expected"):
        write_digit_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []
