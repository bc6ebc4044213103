from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError
from tests.gestures import write_gestures

DATASET = registry.datasets["dvs-gesture"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_gestures(tmp_path / "DvsGesture")


def test_each_row_of_the_label_files_is_a_sample(root: Path) -> None:
    samples = DATASET.samples(root)
    assert len(samples) == 33
    first = samples[0]
    assert (first.key, first.target, first.group) == ("user01_led.aedat:1000000-1100000", 0, "user01")
    assert (first.start_us, first.stop_us) == (1_000_000, 1_100_000)
    assert {ref.target for ref in samples} == set(range(11))


def test_the_official_scheme_is_the_trial_lists(root: Path) -> None:
    samples = DATASET.samples(root)
    schemes = DATASET.schemes(root, samples)
    assert list(schemes) == ["official"]
    scheme = schemes["official"]
    assert (len(scheme.train), len(scheme.validation), len(scheme.test)) == (22, 0, 11)
    assert all(key.startswith("user24") for key in scheme.test)


def test_the_root_is_found_in_an_unpacked_archive(root: Path) -> None:
    assert DATASET.find_root(root) == DATASET.find_root(root.parent) == root
    with pytest.raises(SourceNotFoundError, match=r"no trials_to_train\.txt there"):
        DATASET.find_root(root.parent.parent)


def test_a_row_that_stands_twice_is_two_samples(root: Path) -> None:
    labels = root / "user01_led_labels.csv"
    labels.write_text(labels.read_text() + "1,1000000,1100000\n")
    keys = [ref.key for ref in DATASET.samples(root)]
    assert len(set(keys)) == len(keys) == 34
    assert "user01_led.aedat:1000000-1100000#2" in keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 is ''; expected 'class,start"),
        ("label,start,end\n1,2,3\n", "line 1 is 'label,start,end'"),
        ("class,startTime_usec,endTime_usec\n1,2\n", "line 2 is '1,2'; expected three whole numbers"),
        ("class,startTime_usec,endTime_usec\n1,2,x\n", "line 2 is '1,2,x'"),
        ("class,startTime_usec,endTime_usec\n1,1_0,20\n", "line 2 is '1,1_0,20'"),
        ("class,startTime_usec,endTime_usec\n1,1,2,\n", "line 2 is '1,1,2,'"),
        ("class,startTime_usec,endTime_usec\n1,0," + "9" * 5000, "line 2 is '1,0,9{76}'; expected three"),
        (f"class,startTime_usec,endTime_usec\n1,0,{2**63}\n", "line 2 is '1,0,9223372036854775808'"),
        ("class,startTime_usec,endTime_usec\n1,2,3\n12,2,3\n", "line 3: class 12; expected 1 to 11"),
        ("class,startTime_usec,endTime_usec\n0,2,3\n", "line 2: class 0"),
        ("class,startTime_usec,endTime_usec\n1,200,100\n", "line 2: from 200 to 100 us is no interval"),
        ("class,startTime_usec,endTime_usec\n1,-5,100\n", "line 2: from -5 to 100 us is no interval"),
    ],
)
def test_a_damaged_label_file_is_refused_with_file_and_line(root: Path, text: str, message: str) -> None:
    (root / "user01_led_labels.csv").write_text(text)
    with pytest.raises(FormatError, match=r"user01_led_labels\.csv: " + message):
        DATASET.samples(root)


def test_a_label_file_that_is_not_text_is_refused(root: Path) -> None:
    (root / "user01_led_labels.csv").write_bytes(b"class\xff\xfe")
    with pytest.raises(FormatError, match=r"user01_led_labels\.csv: byte 5 is not text"):
        DATASET.samples(root)


@pytest.mark.parametrize("name", ["user01_led.aedat", "user24_lab_labels.csv", "trials_to_test.txt"])
def test_a_missing_file_is_named(root: Path, name: str) -> None:
    (root / name).unlink()
    with pytest.raises(SourceNotFoundError, match=name):
        DATASET.samples(root)


def test_a_flip_swaps_hands_and_the_sense_of_rotation() -> None:
    flip = DATASET.label_maps["flip_x"]
    assert all(flip[flip[index]] == index for index in flip)
    names = {DATASET.classes[index]: DATASET.classes[other] for index, other in flip.items()}
    assert names["right_arm_cw"] == "left_arm_ccw"
    assert names["right_hand_wave"] == "left_hand_wave"


def test_text_as_spreadsheets_and_windows_save_it_is_read(root: Path) -> None:
    expected = DATASET.samples(root)
    for path in (*root.glob("*.txt"), *root.glob("*.csv")):
        text = path.read_text().replace("\n", " \n") + "  \n\n"
        path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    assert DATASET.samples(root) == expected


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("user01_led.aedat\n\nuser01_led.aedat\n", r"trials_to_train\.txt: line 3 names user01_led\.aedat again"),
        ("user01_led.aedat\nuser24_lab.aedat\n", r"trials_to_test\.txt: names user24_lab\.aedat, as trials_to_train"),
        ("../outside/user01_led.aedat\n", r"line 1 is '\.\./outside/user01_led\.aedat'; expected a file in the folder"),
        ("..\\outside\\user01_led.aedat\n", "line 1 is '.*'; expected a file in the folder"),
        ("/etc/passwd\n", "line 1 is '/etc/passwd'; expected a file in the folder"),
    ],
)
def test_a_list_that_repeats_or_leaves_its_folder_is_refused(root: Path, train: str, message: str) -> None:
    shutil.copytree(root, root.parent / "outside")
    (root / "trials_to_train.txt").write_text(train)
    with pytest.raises(FormatError, match=message):
        DATASET.samples(root)


@pytest.mark.parametrize("name", ["a" * 300 + ".aedat", "user01\0_led.aedat", "."])
def test_a_listed_name_that_no_file_can_have_is_missing(root: Path, name: str) -> None:
    (root / "trials_to_train.txt").write_text(f"{name}\n")
    with pytest.raises(SourceNotFoundError, match="is missing"):
        DATASET.samples(root)
