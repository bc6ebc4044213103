"""verify and repair as a user meets them, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import neurodata


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from neurodata.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)


@pytest.fixture
def damaged(tmp_path: Path) -> tuple[Path, Path]:
    """A store of a twin, and a shard of it of which a byte is flipped."""
    store = neurodata.prepare("n-mnist", T=2, twin=True, twin_size=20, cache=tmp_path).path
    assert isinstance(store, Path)
    shard = next(path for path in sorted(store.glob("data.zarr/sparse/code/*/c/0")))
    content = shard.read_bytes()
    shard.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    return store, shard


def test_damage_is_found_repaired_and_found_no_more(damaged: tuple[Path, Path], tmp_path: Path) -> None:
    store, shard = damaged
    found = run("verify", store, "--deep")
    assert found.returncode == 1
    assert f"`neurodata repair {store}` makes what is damaged again" in found.stderr
    done = run("repair", store, "--cache", tmp_path, "--workers", "1")
    assert (done.returncode, done.stdout.strip()) == (0, shard.relative_to(store).as_posix()), done.stderr
    assert "1 shards made again, 1 files replaced by the same bytes as before" in done.stderr
    assert run("verify", store, "--deep").returncode == 0
    again = run("repair", store, "--json")
    assert json.loads(again.stdout) == {"store": str(store), "shards": 0, "replaced": [], "removed": []}
    assert "whole; nothing was done" in again.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("/nowhere",), 1, "/nowhere: no such store"),
        (("STORE", "--twin-size", "30"), 2, "made of files of source_id"),
        (("STORE", "--labels", "labels.csv"), 2, "are stated for folder:DIR only"),
        (("https://lab.org/store",), 1, "a web server takes no files: repair a copy"),
        (("memory://lab/store",), 1, "no finished store there"),
        (("STORE", "--window-us", "5"), 2, "are stated for folder:DIR only"),
    ],
)
def test_a_repair_that_cannot_be_is_said(
    damaged: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    store, shard = damaged
    before = shard.read_bytes()
    done = run("repair", *(str(store) if word == "STORE" else word for word in words), "--cache", tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert shard.read_bytes() == before


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_names_that_the_terminal_has_no_letters_for_are_listed(tmp_path: Path, encoding: str) -> None:
    for name in (b"caf\xe9", "µ".encode()):
        run_folder = Path(os.fsdecode(os.fsencode(tmp_path / "runs") + b"/" + name))
        run_folder.mkdir(parents=True)
        (run_folder / "result.json").write_text("{}")
    command = [sys.executable, "-c", "from neurodata.cli import main; main()", "cache", "--cache", str(tmp_path)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    listed = [line.split()[-1] for line in done.stdout.splitlines()]
    assert listed == ([b"caf\xe9", "µ".encode()] if encoding.startswith("utf") else [b"caf\\udce9", b"\\xb5"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prepare", "n-mnist", "--twin", "--cache", "memory://lab"), "add --executor threads"),
        (("cache", "mv", "n-mnist/n-mnist-0123456789ab", "s3://lab/neurodata"), "stores are moved between folders"),
        (("import", "PLACE", "--layout", "events"), "is not one of 'dense', 'sparse'"),
        (("cache", "rm", "STORE", "--yes", "--cache", "PLACE"), "(another root: --cache ROOT)"),
        (("finalise", "n-mnits"), "n-mnits: no such folder, nor a dataset of that name"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    places = {"PLACE": tmp_path / "else", "STORE": tmp_path / "stores" / "n-mnist" / "n-mnist-0123456789ab"}
    for place in places.values():
        place.mkdir(parents=True)
    done = run(*(places.get(word, word) for word in words))
    assert done.returncode in (1, 2)
    # What is wrong with an option is framed, and broken into lines.
    said = " ".join(done.stderr.replace("│", " ").split())
    assert message.replace("ROOT", str(tmp_path)) in said
    assert "Traceback" not in done.stderr


def test_recipes_that_are_the_same_are_not_said_to_make_the_same_store(tmp_path: Path) -> None:
    done = run("why", "n-mnist", "n-mnist --T 10")
    assert done.returncode == 0, done.stderr
    assert "nothing differs between n-mnist and n-mnist --T 10 as recipes; source files" in done.stderr
    store = neurodata.prepare("n-mnist", T=2, twin=True, twin_size=20, cache=tmp_path).path
    assert f"nothing differs between {store} and {store}\n" in run("why", str(store), str(store)).stderr
