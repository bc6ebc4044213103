from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import SampleRef
from neurodata.datasets._clip_twin import clip_name, draw, write_clip_twin
from neurodata.datasets.ucf101 import CLASSES, fitted
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats import Reading
from neurodata.forms import admits
from neurodata.signals import Clip, Image

DATASET = registry.datasets["ucf101"]
RECIPE = Path(__file__).parents[2] / "recipes" / "ucf101.toml"
SIZE = 202
LISTS = {
    "trainlist01.txt": "Archery/v_Archery_g08_c01.avi 3\r\nHandstandPushups/v_HandStandPushups_g09_c02.avi 37\r\n",
    "testlist01.txt": "Archery/v_Archery_g01_c01.avi\r\nYoYo/v_YoYo_g07_c04.avi\r\n\r\n",
    "trainlist02.txt": "Archery/v_Archery_g01_c01.avi 3\n",
    "testlist02.txt": "Archery/v_Archery_g08_c01.avi\n",
    "trainlist03.txt": "",
    "testlist03.txt": "",
}
CLIPS = ("v_Archery_g01_c01.avi", "v_Archery_g08_c01.avi", "v_HandStandPushups_g09_c02.avi", "v_YoYo_g25_c01.avi")


def tree(root: Path, folders: dict[str, str], **lists: str) -> Path:
    """Empty clips, each in the folder that is said for it, and the lists."""
    for name, folder in folders.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / name).touch()
    (root / "ucfTrainTestlist").mkdir(parents=True)
    for name, text in (LISTS | {f"{name}.txt": text for name, text in lists.items()}).items():
        (root / "ucfTrainTestlist" / name).write_bytes(text.encode())
    return root


def flat(root: Path, **lists: str) -> Path:
    return tree(root, dict.fromkeys(CLIPS, "UCF101"), **lists)


def test_there_are_101_classes_in_the_published_order() -> None:
    assert len(set(CLASSES)) == 101
    assert [CLASSES[k - 1] for k in (1, 35, 36, 37, 48, 69, 101)] == [
        "ApplyEyeMakeup", "Hammering", "HammerThrow", "HandstandPushups", "JumpRope", "PommelHorse", "YoYo",
    ]  # fmt: skip
    assert list(CLASSES) == sorted(CLASSES, key=str.lower)
    assert sum(DATASET.published_counts.values()) == 13_320


@pytest.mark.parametrize(
    "folders",
    [
        dict.fromkeys(CLIPS, "UCF101"),
        dict(zip(CLIPS, ("Archery", "Archery", "HandstandPushups", "YoYo"), strict=True)),
        dict(
            zip(CLIPS, ("UCF-101/Archery", "UCF-101/Archery", "UCF-101/HandstandPushups", "UCF-101/YoYo"), strict=True)
        ),
    ],
    ids=["the zip archive", "folders of classes", "the rar archive"],
)
def test_samples_and_schemes_are_the_same_wherever_clips_lie(tmp_path: Path, folders: dict[str, str]) -> None:
    tree(tmp_path / "data", folders)
    assert DATASET.find_root(tmp_path) == tmp_path / "data"
    root = DATASET.find_root(tmp_path / "data")
    (root / folders[CLIPS[0]] / "._v_Archery_g01_c01.avi").touch()  # what macOS adds to copies
    samples = DATASET.samples(root)
    assert [(ref.key, ref.target, ref.group) for ref in samples] == [
        ("Archery/v_Archery_g01_c01.avi", 2, "Archery/g01"),
        ("Archery/v_Archery_g08_c01.avi", 2, "Archery/g08"),
        ("HandstandPushups/v_HandStandPushups_g09_c02.avi", 36, "HandstandPushups/g09"),
        ("YoYo/v_YoYo_g25_c01.avi", 100, "YoYo/g25"),
    ]
    assert all((root / ref.recording).is_file() for ref in samples)
    schemes = DATASET.schemes(root, samples)
    assert list(schemes) == ["official-1", "official-2", "official-3"]
    first = schemes["official-1"]  # YoYo's group 7 is listed and not there, its group 25 is there and not listed
    assert first.train == ("Archery/v_Archery_g08_c01.avi", "HandstandPushups/v_HandStandPushups_g09_c02.avi")
    assert first.test == ("Archery/v_Archery_g01_c01.avi",)
    assert schemes["official-2"].train == ("Archery/v_Archery_g01_c01.avi",)
    assert len(DATASET.label_files(root, samples)) == 6


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Archery/v_Archery_g01_c01.avi 4\n", "line 1 is .*the class's number"),
        ("\nCooking/v_Cooking_g01_c01.avi 1\n", "line 2 is .*Cooking"),
        ("Archery v_Archery_g01_c01.avi\n", "line 1"),
        ("Archery/v_Archery_g01_c01.avi 3\n", "Archery_g01_c01.avi stands in it and the other list"),
    ],
)
def test_a_list_that_is_not_as_published_is_refused(tmp_path: Path, row: str, message: str) -> None:
    root = flat(tmp_path, trainlist01=row)
    with pytest.raises(FormatError, match=message):
        DATASET.schemes(root, DATASET.samples(root))


def test_a_missing_list_a_foreign_clip_and_no_clip_are_named(tmp_path: Path) -> None:
    root = flat(tmp_path / "a")
    samples = DATASET.samples(root)
    (root / "ucfTrainTestlist" / "testlist02.txt").unlink()
    with pytest.raises(SourceNotFoundError, match=r"testlist02\.txt is missing"):
        DATASET.schemes(root, samples)
    (root / "UCF101" / "holiday.avi").touch()
    with pytest.raises(FormatError, match=r"holiday\.avi: a clip of UCF101 is called"):
        DATASET.samples(root)
    with pytest.raises(SourceNotFoundError, match=r"UCF101\.rar with a program of your own"):
        DATASET.samples(tree(tmp_path / "b", {}))
    with pytest.raises(SourceNotFoundError, match="no ucfTrainTestlist"):
        DATASET.find_root(tmp_path / "b" / "ucfTrainTestlist")


def test_the_clips_of_another_size_are_cut_and_barred_about_their_middle() -> None:
    frames = np.arange(2 * 226 * 400 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 226, 400, 3)
    fit = fitted(frames)
    assert fit.shape == (2, 240, 320, 3)
    np.testing.assert_array_equal(fit[:, 7:233], frames[:, :, 40:360])
    assert not fit[:, :7].any()
    assert not fit[:, 233:].any()
    ref = SampleRef("key", "clip.avi", 0, "group")
    read = Reading(Clip(frames, 25.0), Counter({"uneven frames": 2}))
    arranged = DATASET.arranged(ref, read)
    assert arranged.signal.form == Clip(fit, 25.0).form
    assert arranged.findings == {"uneven frames": 2, "clips cut and barred to 320x240": 1}
    assert read.findings == {"uneven frames": 2}
    whole = Reading(Clip(fit, 25.0), Counter())
    assert DATASET.arranged(ref, whole) is whole
    picture = Reading(Image(np.zeros((2, 2, 1), np.float32)), Counter())
    assert DATASET.arranged(ref, picture) is picture  # the check of forms names it


def test_names_of_the_twin_are_as_published() -> None:
    assert [clip_name(k) for k in (0, 36, 100, 101, 202, 101 * 25)] == [
        "v_ApplyEyeMakeup_g08_c01.avi", "v_HandStandPushups_g08_c01.avi", "v_YoYo_g08_c01.avi",
        "v_ApplyEyeMakeup_g01_c01.avi", "v_ApplyEyeMakeup_g15_c01.avi", "v_ApplyEyeMakeup_g08_c02.avi",
    ]  # fmt: skip


def test_actions_of_the_twin_can_be_told_apart_across_groups() -> None:
    def seen(number: int) -> np.ndarray:
        frames = draw(number, seed=5).frames.mean(0)  # [240, 320, 3]
        return np.asarray(frames.reshape(24, 10, 32, 10, 3).mean((1, 3)) - frames.mean((0, 1))).ravel()

    classes = range(0, 101, 4)
    pictures = np.array([[seen(turn * 101 + k) for k in classes] for turn in range(6)])  # [group, class, block]
    centroids = pictures[:5].mean(0)
    found = ((pictures[5][:, None] - centroids) ** 2).sum(-1).argmin(-1)
    assert np.mean(found == np.arange(len(classes))) >= 0.8


@pytest.mark.parametrize(("seed", "size"), [(0, 201), (-1, 303)])
def test_a_seed_or_size_too_small_is_refused(tmp_path: Path, seed: int, size: int) -> None:
    with pytest.raises(RecipeError, match=rf"seed {seed}, size {size}; expected"):
        write_clip_twin(tmp_path, seed, size)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av", reason="needs the extra `video`")
    return tmp_path_factory.mktemp("cache")


@pytest.mark.skipif("clip_frames" not in registry.encodings, reason="the recipe's step is not there")
def test_a_twin_goes_the_whole_way_into_a_batch(cache: Path) -> None:
    sizes = {"width": 16, "height": 12, "short_side": 12, "stride": 1}
    small: dict[str, Any] = {"recipe": RECIPE, "T": 4, "clip_frames": sizes}
    store = neurodata.prepare("ucf101", twin=True, twin_size=SIZE, cache=cache, **small)
    assert len(store) == SIZE
    assert Counter(store.table.targets.tolist()) == dict.fromkeys(range(101), 2)
    split = neurodata.load("ucf101", twin=True, twin_size=SIZE, cache=cache, split="test", **small)
    assert len(split) == 101
    frames, targets = next(iter(split.loader(batch_size=3)))
    assert tuple(frames.shape) == (3, 4, 3, 12, 16)
    assert targets.tolist() == split.labels[:3].tolist()
    third = neurodata.load("ucf101", twin=True, twin_size=SIZE, cache=cache, scheme="official-3", **small)
    assert len(third) == SIZE
    archives = {path.name: path for path in cache.glob("downloads/*/*.zip")}
    assert set(archives) == {source.filename for source in DATASET.sources}
    with ZipFile(archives["UCF101_videos.zip"]) as zipped:
        assert sum(name.startswith("UCF101/v_") for name in zipped.namelist()) == SIZE


def test_the_same_seed_and_size_give_the_same_bytes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = CLASSES[:3]
    monkeypatch.setattr("neurodata.datasets._clip_twin.CLASSES", few)
    first, again = (write_clip_twin(cache / name, 3, 7) for name in ("first", "again"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    other = write_clip_twin(cache / "other", 4, 7)
    assert other[0].read_bytes() != first[0].read_bytes()


def test_a_real_clip_of_actions_is_of_the_form_of_the_dataset(recordings: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    root = tree(tmp_path, {"v_Archery_g01_c01.avi": "UCF-101/Archery"})
    (ref,) = DATASET.samples(root)
    (root / ref.recording).write_bytes((recordings / "video" / "mmaction2_test.avi").read_bytes())
    read = registry.formats[DATASET.format].read(root / ref.recording, None, None)
    assert DATASET.arranged(ref, read) is read
    assert admits(DATASET.form, read.signal.form)
