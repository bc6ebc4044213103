from __future__ import annotations

from pathlib import Path

import pytest

from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError

DATASET = registry.datasets["gsc-v2"]
RECORDINGS = ("yes/0a7c2a8d_nohash_1.wav", "yes/0a7c2a8d_nohash_0.wav", "zero/1b1_nohash_0.wav", "bed/2c2_nohash_0.wav")


def write(root: Path, validation: str = "zero/1b1_nohash_0.wav\n", test: str = "bed/2c2_nohash_0.wav\n") -> Path:
    for name in (*RECORDINGS, "_background_noise_/running_tap.wav", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "validation_list.txt").write_text(validation)
    (root / "testing_list.txt").write_text(test)
    return root


def test_folders_are_words_and_the_noise_is_no_sample(tmp_path: Path) -> None:
    root = DATASET.find_root(write(tmp_path / "speech_commands").parent)
    samples = DATASET.samples(root)
    assert [ref.key for ref in samples] == [
        "bed/2c2_nohash_0.wav", "yes/0a7c2a8d_nohash_0.wav", "yes/0a7c2a8d_nohash_1.wav", "zero/1b1_nohash_0.wav",
    ]  # fmt: skip
    assert [DATASET.classes[ref.target] for ref in samples] == ["bed", "yes", "yes", "zero"]
    assert [ref.group for ref in samples] == ["2c2", "0a7c2a8d", "0a7c2a8d", "1b1"]
    assert len(DATASET.classes) == len(set(DATASET.classes)) == 35


def test_the_lists_are_the_partitions_and_the_rest_trains(tmp_path: Path) -> None:
    samples = DATASET.samples(write(tmp_path))
    scheme = DATASET.schemes(tmp_path, samples)["official"]
    assert scheme.train == ("yes/0a7c2a8d_nohash_0.wav", "yes/0a7c2a8d_nohash_1.wav")
    assert (scheme.validation, scheme.test) == (("zero/1b1_nohash_0.wav",), ("bed/2c2_nohash_0.wav",))
    assert sorted(path.name for path in DATASET.label_files(tmp_path, samples)) == [
        "testing_list.txt", "validation_list.txt",
    ]  # fmt: skip
    assert sum(DATASET.published_counts.values()) == 105_829


@pytest.mark.parametrize(
    ("validation", "test", "error", "words"),
    [
        (
            "zero/9_nohash_0.wav",
            "",
            SourceNotFoundError,
            r"validation_list\.txt names zero/9_nohash_0\.wav, which is m",
        ),
        ("", "../x.wav", SourceNotFoundError, r"testing_list\.txt names \.\./x\.wav, which is missing"),
        (RECORDINGS[0], RECORDINGS[0], FormatError, r"testing_list\.txt names yes/.*, as validation_list\.txt does"),
    ],
)
def test_lists_that_do_not_fit_the_files_are_refused(
    tmp_path: Path, validation: str, test: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        DATASET.samples(write(tmp_path, validation, test))


def test_a_tree_without_a_list_or_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no testing_list\.txt there"):
        DATASET.find_root(tmp_path)
    (tmp_path / "testing_list.txt").touch()
    with pytest.raises(SourceNotFoundError, match=r"no recordings like yes/0a7c2a8d_nohash_0\.wav"):
        DATASET.samples(tmp_path)
    write(tmp_path / "whole")
    (tmp_path / "whole" / "validation_list.txt").unlink()
    with pytest.raises(SourceNotFoundError, match=r"validation_list\.txt is missing"):
        DATASET.samples(tmp_path / "whole")
