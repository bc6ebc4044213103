"""`neurodata export`, `neurodata import` and `tonic:NAME` as commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import neurodata
from neurodata.storage import unpack
from tests.labelled import recording


class Done(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command in this process: starting one takes longer than all that is tested."""

    def run(*words: str | Path) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["neurodata", *map(str, words)])
        monkeypatch.setattr(signal, "signal", lambda *_: None)  # of the process that runs the tests
        with pytest.raises(SystemExit) as ended:
            import_module("neurodata.cli").main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for k in range(4):
        place = tmp_path / "recordings" / ("test" if k == 3 else "train") / "ab"[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        neurodata.write(recording(k), place / f"r{k}.es")
    path = neurodata.prepare(f"folder:{tmp_path / 'recordings'}", T=4).path
    assert isinstance(path, Path)
    return path


def test_a_store_goes_out_and_comes_back(command: Callable[..., Done], store: Path, tmp_path: Path) -> None:
    asked = command("export", store, "--to", "hdf5", "--dry-run", "--json")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["samples"] == {"train": 3, "test": 1}
    gone = command("export", store, "--to", "hdf5", "--out", tmp_path / "out")
    assert (gone.returncode, gone.stdout.strip()) == (0, str(tmp_path / "out")), gone.stderr
    back = command("import", tmp_path / "out", "--name", "again", "--cache", tmp_path / "cache")
    assert back.returncode == 0, back.stderr
    found = neurodata.open_store(back.stdout.strip())
    assert (found.head.dataset, len(found["train"]), len(found["test"])) == ("again", 3, 1)


def test_what_goes_wrong_is_one_sentence(command: Callable[..., Done], store: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    there = command("export", store, "--to", "npz", "--out", tmp_path / "there")
    assert (there.returncode, "is there already" in there.stderr, "Traceback" in there.stderr) == (1, True, False)
    nowhere = command("import", tmp_path / "there")
    assert (nowhere.returncode, "say the layout" in nowhere.stderr, "Traceback" in nowhere.stderr) == (1, True, False)
    without = command("export", store, "--to", "npz")
    assert (without.returncode, "--out" in without.stderr) == (2, True)


def test_tonics_datasets_are_told_of_without_their_files(command: Callable[..., Done]) -> None:
    pytest.importorskip("tonic")
    told = command("info", "tonic:NMNIST", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["form"] == "34x34x2"
    missing = command("prepare", "tonic:NMNIST", "--T", "4")
    assert (missing.returncode, "tonic.datasets.NMNIST" in missing.stderr) == (1, True)


def test_processes_read_through_tonic(tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    (tmp_path / "twin").mkdir()
    for archive in neurodata.registry.datasets["shd"].write_twin(tmp_path / "twin", 0, 40):
        unpack(archive, tmp_path / archive.stem)
        for file in (tmp_path / archive.stem).rglob("*.h5"):
            (tmp_path / "data" / "SHD").mkdir(parents=True, exist_ok=True)
            file.rename(tmp_path / "data" / "SHD" / file.name)
            (tmp_path / "data" / "SHD" / archive.name).touch()
    words = ("prepare", "tonic:shd", "--T", "4", "--source", tmp_path / "data", "--cache", tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-c", "from neurodata.cli import main; main()", *map(str, words), "--workers", "2"],
        capture_output=True, text=True, env=dict(os.environ), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = neurodata.open_store(done.stdout.strip())
    by_threads = neurodata.prepare("tonic:SHD", T=4, source=tmp_path / "data", cache=tmp_path / "other")
    assert [ours.read(i).tobytes() for i in range(40)] == [by_threads.read(i).tobytes() for i in range(40)]
