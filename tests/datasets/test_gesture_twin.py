from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets._gesture_scene import GESTURES, SENSOR, User, draw_background, film
from neurodata.datasets._gesture_twin import (
    LIGHTS,
    TEST_USERS,
    TRAIN_USERS,
    Trial,
    plan_trials,
    record,
    write_gesture_twin,
)
from neurodata.datasets._paint_twin import paint, reference
from neurodata.errors import RecipeError, StorageError
from neurodata.formats import open_recording
from neurodata.signals import EventArray
from neurodata.storage import unpack

NAMES = [gesture.name for gesture in GESTURES]
CIRCLES = [NAMES.index(f"{side}_arm_{turn}") for side in ("right", "left") for turn in ("cw", "ccw")]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = write_gesture_twin(tmp_path_factory.mktemp("twin"), seed=3, size=22)
    return path


@pytest.fixture(scope="module")
def tree(archive: Path) -> Path:
    unpack(archive, archive.parent / "unpacked")
    return archive.parent / "unpacked" / "DvsGesture"


def test_tree_is_the_published_one(archive: Path) -> None:
    assert archive.name == "DvsGesture.tar.gz"
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    recordings = ["user01_fluorescent_led", "user24_natural"]
    assert names == [
        "DvsGesture/README.txt",
        "DvsGesture/gesture_mapping.csv",
        "DvsGesture/trials_to_test.txt",
        "DvsGesture/trials_to_train.txt",
        *(f"DvsGesture/{name}{end}" for name in recordings for end in (".aedat", "_labels.csv")),
    ]


def test_lists_labels_and_mapping_are_in_the_published_form(tree: Path) -> None:
    assert (tree / "trials_to_train.txt").read_bytes() == b"user01_fluorescent_led.aedat\n"
    assert (tree / "trials_to_test.txt").read_bytes() == b"user24_natural.aedat\n"
    mapping = (tree / "gesture_mapping.csv").read_text().splitlines()
    assert mapping[:2] + mapping[-1:] == ["action,label", "hand_clapping,1", "other_gestures,11"]
    header, *rows = (tree / "user24_natural_labels.csv").read_text().splitlines()
    assert header == "class,startTime_usec,endTime_usec"
    cells = np.array([row.split(",") for row in rows], np.int64)
    assert cells[:, 0].tolist() == list(range(1, 12))
    assert all(cells[:, 2] - cells[:, 1] >= 1_000_000)
    assert all(cells[1:, 1] > cells[:-1, 2])  # a pause between two gestures
    assert "not DVS128 Gesture" in (tree / "README.txt").read_text()


def test_the_dataset_finds_every_sample_with_a_real_number_of_events(tree: Path) -> None:
    dataset = registry.datasets["dvs-gesture"]
    assert list(dataset.classes) == NAMES
    samples = dataset.samples(dataset.find_root(tree.parent))
    scheme = dataset.schemes(tree, samples)["official"]
    assert (len(scheme.train), len(scheme.test)) == (11, 11)
    for sample in samples:
        events = open_recording(tree / sample.recording).events(sample.start_us, sample.stop_us)
        assert events.sensor == SENSOR
        assert 5_000 < len(events) < 70_000
        assert 0.3 < events.p.mean() < 0.7
        assert events.duration_us > 1_000_000


def test_the_same_seed_and_size_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    (again,) = write_gesture_twin(tmp_path, seed=3, size=22)
    assert again.read_bytes() == archive.read_bytes()


def test_another_seed_gives_other_events() -> None:
    trial = Trial(1, "lab", (0,))
    assert record(trial, seed=3)[0] == record(trial, seed=3)[0]
    assert record(trial, seed=3)[0] != record(trial, seed=4)[0]


def test_a_folder_that_cannot_be_made_is_reported_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"):
        write_gesture_twin(tmp_path / "taken", seed=0, size=3000)


def test_the_archive_knows_neither_clock_nor_user_nor_machine(archive: Path) -> None:
    assert archive.read_bytes()[3:8] == bytes(5)  # gzip: no name, time 0
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) == (
                (0, 0, 0, "", "", 0o644)
            )


@given(size=st.integers(11, 3000))
def test_any_size_is_balanced_and_splits_by_user(size: int) -> None:
    train, test = plan_trials(size)
    made = Counter(gesture for trial in train + test for gesture in trial.classes)
    assert sum(made.values()) == size
    assert max(made.values()) - min(made.get(gesture, 0) for gesture in range(11)) <= 1
    assert {trial.user for trial in train} <= set(TRAIN_USERS)
    assert {trial.user for trial in test} <= set(TEST_USERS)
    names = [trial.name for trial in train + test]
    assert len(set(names)) == len(names)
    n_test = sum(len(trial.classes) for trial in test)
    assert size < 55 or abs(n_test - size / 5) <= 5.5


def test_the_default_size_has_ten_training_users_and_three_test_users() -> None:
    train, test = plan_trials(264)
    assert [len(train), len(test)] == [19, 5]
    assert [len({trial.user for trial in part}) for part in (train, test)] == [10, 3]


@pytest.mark.parametrize(("seed", "size"), [(0, 10), (-1, 264)])
def test_a_seed_or_size_too_small_is_refused(tmp_path: Path, seed: int, size: int) -> None:
    with pytest.raises(RecipeError, match=rf"seed {seed}, size {size}; expected"):
        write_gesture_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def circles() -> list[tuple[int, str, int, EventArray]]:
    """User, light, class and events of arm circles: six users under two lights, 48 gestures."""
    made = []
    for user in range(1, 7):
        for light in list(LIGHTS)[:2]:
            events, labels = record(Trial(user, light, tuple(CIRCLES)), seed=0)
            made += [(user, light, row.gesture - 1, events.between(row.start_us, row.stop_us)) for row in labels]
    return made


def summed_picture(events: EventArray) -> NDArray[np.float64]:
    """Both polarities' counts over all time on a 16x16 grid, flat."""
    counts = np.zeros((2, 16, 16))  # [polarity, y, x]
    np.add.at(counts, (events.p.astype(int), events.y // 8, events.x // 8), 1)
    return np.sqrt(counts / len(events)).ravel()


def turning(events: EventArray) -> float:
    """Twice the area, positive clockwise in the picture, that the mean place of 16 slices of events runs round."""
    n = len(events) // 16
    slices = [events[i * n : (i + 1) * n] for i in range(16)]
    x, y = np.array([(part.x.mean(), part.y.mean()) for part in slices]).T
    x, y = x - x.mean(), y - y.mean()
    return float(np.sum(x[:-1] * y[1:] - y[:-1] * x[1:]))


def test_the_order_in_time_tells_clockwise_from_counter_clockwise(
    circles: list[tuple[int, str, int, EventArray]],
) -> None:
    for _, _, gesture, events in circles:
        assert (turning(events) > 0) == NAMES[gesture].endswith("_cw")


def test_the_sum_over_time_does_not_tell_clockwise_from_counter_clockwise(
    circles: list[tuple[int, str, int, EventArray]],
) -> None:
    users = np.array([user for user, *_ in circles])
    gestures = np.array([gesture for _, _, gesture, _ in circles])
    pictures = np.array([summed_picture(events) for *_, events in circles])
    found = np.empty_like(gestures)
    for user in set(users.tolist()):
        known = users != user
        centroids = np.array([pictures[known & (gestures == gesture)].mean(0) for gesture in CIRCLES])
        distances = ((pictures[~known, None] - centroids) ** 2).sum(-1)
        found[~known] = np.array(CIRCLES)[distances.argmin(1)]
    right = np.isin(gestures, CIRCLES[:2])
    assert np.mean(np.isin(found, CIRCLES[:2]) == right) > 0.95  # the picture does tell which arm it is
    assert 0.3 < np.mean(found == gestures) < 0.7  # 48 coins, 2.8 standard deviations


def test_users_differ(circles: list[tuple[int, str, int, EventArray]]) -> None:
    pictures = {(user, light, gesture): summed_picture(events) for user, light, gesture, events in circles}
    first, second = list(LIGHTS)[:2]
    hits = []
    for (user, light, gesture), picture in pictures.items():
        if light == first:
            away = {other: ((pictures[other, second, gesture] - picture) ** 2).sum() for other in range(1, 7)}
            hits.append(min(away, key=lambda other: away[other]) == user)
    assert np.mean(hits) > 0.5  # by chance: 1 / 6


def test_arms_are_as_often_darker_than_the_rest_as_brighter() -> None:
    user = User.draw(np.random.default_rng(0))
    background = draw_background(user, np.random.default_rng(1))
    brighter = [
        next(film(GESTURES[0], user, background, 2, np.random.default_rng(seed))).mean() > np.log(background).mean()
        for seed in range(200)
    ]
    assert 0.4 < np.mean(brighter) < 0.6


@given(seed=st.integers(0, 1000))
def test_painting_equals_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    light = rng.uniform(0.5, 1.5, (9, 12)).astype(np.float32)
    bars = rng.uniform(-3, 14, (3, 5))
    bars[:, 4] = rng.uniform(0.2, 4, 3)
    bars[0, 2:4] = bars[0, :2]  # a bar without length is a disc
    expected = reference(light, bars, 2.0, 0.7, 0.1)
    paint(light, bars, 2.0, 0.7, 0.1)
    np.testing.assert_allclose(light, expected, rtol=1e-5)


def test_a_painted_edge_covers_a_pixel_in_part() -> None:
    light = np.zeros((1, 5), np.float32)
    paint(light, np.array([[2.0, 0.0, 2.0, 0.0, 1.25]]), 1.0, 0.0, 0.0)
    assert light.tolist() == [[0.0, 0.75, 1.0, 0.75, 0.0]]
