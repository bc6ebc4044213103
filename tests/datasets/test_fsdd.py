from __future__ import annotations

from pathlib import Path

import pytest

import neurodata
from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.signals import Waveform

DATASET = registry.datasets["fsdd"]


def touch(root: Path, *names: str) -> Path:
    (root / "recordings").mkdir(parents=True)
    for name in names:
        (root / "recordings" / name).touch()
    return root


def test_names_tell_digit_speaker_and_take(tmp_path: Path) -> None:
    touch(tmp_path / "free-spoken-digit-dataset-1.0.9", "7_theo_49.wav", "0_jackson_4.wav", "0_jackson_5.wav", "a.txt")
    root = DATASET.find_root(tmp_path)
    samples = DATASET.samples(root)
    assert [(ref.key, ref.target, ref.group) for ref in samples] == [
        ("recordings/0_jackson_4.wav", 0, "jackson"),
        ("recordings/0_jackson_5.wav", 0, "jackson"),
        ("recordings/7_theo_49.wav", 7, "theo"),
    ]


def test_takes_0_to_4_are_for_testing_and_every_speaker_can_be_left_out(tmp_path: Path) -> None:
    names = [
        f"{digit}_{speaker}_{take}.wav" for digit in (1, 8) for speaker in ("george", "theo") for take in range(50)
    ]
    samples = DATASET.samples(touch(tmp_path, *names))
    schemes = DATASET.schemes(tmp_path, samples)
    assert list(schemes) == ["official", "without-george", "without-theo"]
    official = schemes["official"]
    assert (len(official.train), len(official.test)) == (180, 20)
    assert {key.rsplit("_", 1)[1] for key in official.test} == {f"{take}.wav" for take in range(5)}
    assert {key.split("_")[1] for key in schemes["without-theo"].test} == {"theo"}
    assert {key.split("_")[1] for key in schemes["without-theo"].train} == {"george"}


@pytest.mark.parametrize("name", ["x_theo_1.wav", "7_theo.wav", "11_theo_2.wav", "1__2.wav"])
def test_a_name_of_other_parts_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=rf"{name}: expected a name of digit, speaker and take"):
        DATASET.samples(touch(tmp_path, name))


def test_a_tree_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no recordings there"):
        DATASET.find_root(tmp_path)
    with pytest.raises(SourceNotFoundError, match=r"no recordings like 7_jackson_32\.wav"):
        DATASET.samples(touch(tmp_path))


def test_real_digits_are_found_and_of_its_form(recordings: Path) -> None:
    if not (recordings / "fsdd").is_dir():
        pytest.skip("FSDD is not there")
    root = DATASET.find_root(recordings / "fsdd")
    samples = DATASET.samples(root)
    assert len(samples) == 800
    schemes = DATASET.schemes(root, samples)
    assert (len(schemes["official"].train), len(schemes["official"].test)) == (600, 200)
    assert {name for name in schemes if name != "official"} == {
        "without-george", "without-jackson", "without-lucas", "without-nicolas",
    }  # fmt: skip
    for ref in samples[::40]:
        sound = neurodata.read(root / ref.recording)
        assert isinstance(sound, Waveform)
        assert (sound.rate_hz, sound.form.n_channels) == (8000, 1)
        assert 0.1 < len(sound.samples) / 8000 < 2.5
