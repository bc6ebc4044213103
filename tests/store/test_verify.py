from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from neurodata.errors import MissingExtraError
from neurodata.store import StoreReader, verify
from tests.store.stores import build, contents, frames_of, layout_of

N = 8
SHARD = "data.zarr/frames/c/1/0/0/0/0"


@pytest.fixture(scope="module", params=["none", "zstd"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = layout_of(samples_per_shard=3, compression=request.param)
    return build(tmp_path_factory.mktemp("whole"), frames_of(N, layout), layout)


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "store"))


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_store_has_no_problems(whole: Path, deep: bool) -> None:
    found = verify(whole, deep=deep)
    assert (found.problems, found.ok, found.n_samples) == ((), True, N)
    assert found.n_files == len(contents(whole))


def test_a_store_that_cannot_be_opened_for_want_of_a_library_is_not_called_damaged(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> None:
        raise MissingExtraError("no library for URLs")

    monkeypatch.setattr("neurodata.store._verify.read_manifest", refuse)
    with pytest.raises(MissingExtraError, match="no library for URLs"):
        verify(whole)


def test_progress_reaches_its_totals(whole: Path) -> None:
    last: dict[str, tuple[int, int | None, str]] = {}
    verify(whole, deep=True, progress=lambda stage, done, total, unit: last.update({stage: (done, total, unit)}))
    size_bytes = sum(len(content) for name, content in contents(whole).items() if name != "manifest.json")
    assert last == {"verify files": (size_bytes,) * 2 + ("B",), "verify samples": (N, N, "samples")}


def test_a_changed_byte_in_any_file_is_found(store: Path) -> None:
    rng = np.random.default_rng(11)
    for name, content in contents(store).items():
        for place in rng.integers(0, len(content), 3):
            changed = bytearray(content)
            changed[place] ^= int(rng.integers(1, 256))
            (store / name).write_bytes(changed)
            assert not verify(store, deep=True).ok, f"{name}: byte {place} is now {changed[place]}"
        (store / name).write_bytes(content)
    assert verify(store, deep=True).ok


def test_any_changed_bit_of_the_manifest_is_found(store: Path) -> None:
    content = (store / "manifest.json").read_bytes()
    for place in range(0, len(content), 41):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        (store / "manifest.json").write_bytes(changed)
        assert not verify(store).ok


def test_white_space_added_to_the_manifest_is_found(store: Path) -> None:
    content = (store / "manifest.json").read_bytes()
    (store / "manifest.json").write_bytes(content.replace(b"\n", b"\r\n"))
    assert "not in the form" in verify(store).problems[0]


@pytest.mark.parametrize("deep", [False, True])
def test_a_cut_missing_or_longer_file_is_found_without_reading_all(store: Path, deep: bool) -> None:
    for name, content in contents(store).items():
        for damaged in (content[:-1], content + b"\0", b""):
            (store / name).write_bytes(damaged)
            assert not verify(store, deep).ok, name
        (store / name).unlink()
        assert not verify(store, deep).ok, name
        (store / name).mkdir()
        assert not verify(store, deep).ok, name
        (store / name).rmdir()
        (store / name).write_bytes(content)


def test_a_damaged_chunk_is_told_by_the_key_of_its_sample(store: Path) -> None:
    content = bytearray((store / SHARD).read_bytes())
    content[5] ^= 1
    (store / SHARD).write_bytes(content)
    problems = verify(store, deep=True).problems
    assert len(problems) == 2
    assert f"{SHARD}: sha256" in problems[0]
    assert problems[1].startswith("sample 'user03/µ3.aedat:3000': ")
    assert "bytes 0 to" in problems[1]


def test_a_missing_shard_is_told_with_the_samples_that_are_lost(store: Path) -> None:
    (store / SHARD).unlink()
    problems = verify(store).problems
    assert problems[0] == f"{store / SHARD}: No such file or directory"
    assert problems[1].endswith("lost are 3 samples, 'user03/µ3.aedat:3000' to 'user01/µ5.aedat:5000'")


@pytest.mark.parametrize(
    "orphan",
    [
        "data.zarr/frames/c/9/0/0/0/0",
        "notes.txt",
        "commits/.00000.json.12.0123abcd.tmp",
        ".manifest.json.1.01234567.tmp",
    ],
)
def test_a_file_that_does_not_belong_is_found(store: Path, orphan: str) -> None:
    (store / orphan).parent.mkdir(parents=True, exist_ok=True)
    (store / orphan).touch()
    (problem,) = verify(store).problems
    assert problem == f"{store / orphan}: does not belong to the store (the manifest does not list it); delete it"


@pytest.mark.parametrize("control", [".lock", ".lock.holder", ".DS_Store"])
def test_hidden_files_beside_the_manifest_are_nobodys_business(store: Path, control: str) -> None:
    (store / control).touch()
    assert verify(store).ok


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "number", "version"])
def test_a_store_without_a_true_manifest_is_one_problem(store: Path, damage: str) -> None:
    path = store / "manifest.json"
    content = path.read_text()
    path.unlink()
    changed = {
        "empty": "",
        "cut": content[:100],
        "number": "7",
        "version": json.dumps(json.loads(content) | {"version": 2}),
    }
    if damage in changed:
        path.write_text(changed[damage])
    found = verify(store, deep=True)
    assert len(found.problems) == 1
    assert not found.ok


def test_a_store_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    (problem,) = verify(tmp_path / "none").problems
    assert problem == f"{tmp_path}/none: no such store; `neurodata prepare` makes it"


def test_verifying_writes_nothing(store: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    verify(store, deep=True)
    StoreReader(store).read(0)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
