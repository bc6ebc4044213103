from __future__ import annotations

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
    flip = DATASET.flip_classes
    assert all(flip[flip[index]] == index for index in flip)
    names = {DATASET.classes[index]: DATASET.classes[other] for index, other in flip.items()}
    assert names["right_arm_cw"] == "left_arm_ccw"
    assert names["right_hand_wave"] == "left_hand_wave"
