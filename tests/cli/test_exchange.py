"""`neurodata export`, `neurodata import` and `tonic:NAME` as commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import neurodata
from tests.labelled import recording


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from neurodata.cli import main; main()", *map(str, words)],
        capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}, check=False,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for k in range(4):
        place = tmp_path / "recordings" / ("test" if k == 3 else "train") / "ab"[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        neurodata.write(recording(k), place / f"r{k}.es")
    path = neurodata.prepare(f"folder:{tmp_path / 'recordings'}", T=4).path
    assert isinstance(path, Path)
    return path


def test_a_store_goes_out_and_comes_back(store: Path, tmp_path: Path) -> None:
    asked = command("export", store, "--to", "hdf5", "--dry-run", "--json")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["samples"] == {"train": 3, "test": 1}
    gone = command("export", store, "--to", "hdf5", "--out", tmp_path / "out")
    assert (gone.returncode, gone.stdout.strip()) == (0, str(tmp_path / "out")), gone.stderr
    back = command("import", tmp_path / "out", "--name", "again", "--cache", tmp_path / "cache")
    assert back.returncode == 0, back.stderr
    found = neurodata.open_store(back.stdout.strip())
    assert (found.head.dataset, len(found["train"]), len(found["test"])) == ("again", 3, 1)


def test_what_goes_wrong_is_one_sentence(store: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    there = command("export", store, "--to", "npz", "--out", tmp_path / "there")
    assert (there.returncode, "is there already" in there.stderr, "Traceback" in there.stderr) == (1, True, False)
    nowhere = command("import", tmp_path / "there")
    assert (nowhere.returncode, "say the layout" in nowhere.stderr, "Traceback" in nowhere.stderr) == (1, True, False)
    without = command("export", store, "--to", "npz")
    assert (without.returncode, "--out" in without.stderr) == (2, True)


def test_tonics_datasets_are_told_of_without_their_files() -> None:
    pytest.importorskip("tonic")
    told = command("info", "tonic:NMNIST", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["form"] == "34x34x2"
    missing = command("prepare", "tonic:NMNIST", "--T", "4")
    assert (missing.returncode, "tonic.datasets.NMNIST" in missing.stderr) == (1, True)
