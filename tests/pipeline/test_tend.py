"""What `neurodata cache` lists, deletes and moves, and what it leaves alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import neurodata
from neurodata.errors import StorageError, UnknownNameError
from neurodata.pipeline import (
    CacheEntry,
    find_entry,
    list_cache,
    list_remote_cache,
    move_store,
    remove_entry,
    unused_since,
)
from neurodata.pipeline._last_use import last_use_s, note_use
from neurodata.storage import RemotePath, _lease, _remote, exclusive, index_root, remote_sizes
from neurodata.store import verify
from tests.storage.remotes import Stumbling, register

DAY_S = 86400


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cache root with a twin, two stores of it and a run."""
    root = tmp_path / "root"
    for T in (1, 2):
        neurodata.prepare("n-mnist", T=T, twin=True, twin_size=20, cache=root)
    (root / "runs" / "first").mkdir(parents=True)
    (root / "runs" / "first" / "result.json").write_text("{}")
    return root


def folder_of(entry: CacheEntry) -> Path:
    assert isinstance(entry.path, Path)
    return entry.path


def stores(root: Path) -> list[CacheEntry]:
    return [entry for entry in list_cache(root) if entry.kind == "stores"]


def entry_of(root: Path, name: str) -> CacheEntry:
    return find_entry(list_cache(root), name, root)


def test_every_entry_has_kind_name_size_state_and_last_use(root: Path) -> None:
    found = list_cache(root)
    assert [entry.kind for entry in found] == ["downloads", "stores", "stores", "runs"]
    assert found[0].name == "n-mnist-twin-v1-n20-s0"
    assert {entry.state for entry in stores(root)} == {"finished"}
    (found[1].path / "manifest.json").unlink()
    assert entry_of(root, found[1].name).state == "unfinished"
    assert entry_of(root, "first").size_bytes == 2
    assert all(abs(time.time() - entry.last_used_s) < 600 for entry in found)
    assert list_cache(root / "nothing") == []


def test_opening_a_store_is_its_last_use_and_writes_nothing_into_it(root: Path) -> None:
    store = stores(root)[0].path
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    later_s = time.time() + 5 * DAY_S
    neurodata.open_store(store)
    assert last_use_s(store) == pytest.approx(time.time(), abs=600)
    for note in (index_root().parent / "last-use").iterdir():
        os.utime(note, (later_s, later_s))
    assert entry_of(root, store.name).last_used_s == pytest.approx(later_s)
    neurodata.load("n-mnist", T=1, twin=True, cache=root)
    neurodata.load("n-mnist", T=2, twin=True, cache=root)
    assert entry_of(root, store.name).last_used_s == pytest.approx(time.time(), abs=600)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_use_that_cannot_be_noted_is_not(root: Path) -> None:
    store = stores(root)[0].path
    for note in (index_root().parent / "last-use").iterdir():
        note.unlink()
    (index_root().parent / "last-use").rmdir()
    (index_root().parent / "last-use").write_text("a file")
    assert len(neurodata.open_store(store)) == 20
    assert last_use_s(store) is None
    note_use(RemotePath("s3://lab/store"))


def test_an_entry_goes_by_its_name_its_folders_name_its_kind_or_its_path(root: Path) -> None:
    entry = stores(root)[0]
    for name in (entry.name, entry.path.name, f"stores/{entry.name}", str(entry.path)):
        assert entry_of(root, name) == entry
    (root / "runs" / "n-mnist-twin-v1-n20-s0").mkdir()
    with pytest.raises(UnknownNameError, match="there are 2 of that name"):
        entry_of(root, "n-mnist-twin-v1-n20-s0")
    with pytest.raises(UnknownNameError, match="there is runs/first"):
        entry_of(root, "runs/furst")
    with pytest.raises(UnknownNameError, match="another root: --cache"):
        entry_of(root, "/etc")


def test_what_is_deleted_is_gone_with_all_that_belongs_to_it(root: Path) -> None:
    one, other = stores(root)
    for beside in ("rebuild", "old", "repair"):
        one.path.with_name(f".{one.path.name}.{beside}").mkdir()
    remove_entry(one, root)
    assert list(one.path.parent.iterdir()) == [other.path]
    assert last_use_s(one.path) is None
    remove_entry(other, root)
    assert list((root / "stores").iterdir()) == []
    for name in ("n-mnist-twin-v1-n20-s0", "first"):
        remove_entry(entry_of(root, name), root)
    assert list_cache(root) == []


def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "n-mnist").mkdir(parents=True)
    (mine / "n-mnist" / "manifest.json").write_text("{}")
    (mine / "n-mnist" / "last.pt").write_text("mine")
    before = tree(mine)
    (root / "downloads" / "n-mnist").symlink_to(mine / "n-mnist")
    (root / "runs" / "linked").symlink_to(mine / "n-mnist")
    (root / "stores" / "shd").symlink_to(mine)
    for name in ("downloads/n-mnist", "runs/linked", "stores/shd/n-mnist"):
        with pytest.raises(StorageError, match="a link to"):
            remove_entry(entry_of(root, name), root)
    # A link inside of what is deleted goes, and what it leads to stays.
    (root / "runs" / "first" / "data").symlink_to(mine)
    remove_entry(entry_of(root, "first"), root)
    assert tree(mine) == before


def test_what_is_behind_a_url_is_left_to_its_own_tools(tmp_path: Path) -> None:
    entry = CacheEntry("stores", "n-mnist/x", RemotePath("s3://lab/stores/n-mnist/x"), 0, "finished")
    assert unused_since([entry], ["stores"], time.time()) == []
    with pytest.raises(StorageError, match="with the tools of that storage"):
        move_store(entry, tmp_path, tmp_path)


def test_a_store_behind_a_url_is_deleted_manifest_first_unless_a_run_holds_a_lease(tmp_path: Path) -> None:
    register()
    _remote._filesystem.cache_clear()
    root = RemotePath("stumbling://lab/nd")
    for T in (1, 2):
        neurodata.prepare("n-mnist", T=T, twin=True, twin_size=20, cache=root.url)
    one, other = list_remote_cache(root)
    assert isinstance(one.path, RemotePath)
    asked: list[str] = []
    for part in ("", ".2-of-4"):
        with (
            exclusive(one.path.parent / f".{one.path.name}{part}.lock", "preparing n-mnist"),
            pytest.raises(StorageError, match="in use by preparing n-mnist"),
        ):
            remove_entry(one, tmp_path)
    assert list_remote_cache(root) == [one, other]
    Stumbling.stumble = staticmethod(  # type: ignore[assignment, unused-ignore]
        lambda method, path, is_done: asked.append(path) if method == "rm_file" and not is_done else None
    )
    remove_entry(find_entry([one, other], one.path.url, root), tmp_path)
    assert asked[0].endswith("manifest.json")
    assert list_remote_cache(root) == [other]
    assert verify(other.path, deep=True).ok
    assert {name.split("/")[0] for name in remote_sizes(other.path.parent)} == {other.path.name}
    register()


@pytest.mark.parametrize("kind", ["downloads", "runs", "stores/n-mnist"])
def test_what_is_not_neurodatas_is_left_alone(root: Path, kind: str) -> None:
    (root / kind / "thesis").mkdir()
    (root / kind / "thesis" / "chapter1.tex").write_text("words")
    with pytest.raises(StorageError, match="does not look like one of neurodata's"):
        remove_entry(entry_of(root, "thesis"), root)
    (root / kind / "notes.txt").write_text("words")
    with pytest.raises(StorageError, match="does not look like one of neurodata's"):
        remove_entry(entry_of(root, "notes.txt"), root)
    assert (root / kind / "thesis" / "chapter1.tex").is_file()


@pytest.fixture
def held() -> Iterator[Callable[..., None]]:
    """Lets another run hold the lease of a folder, or of a part, until the end of the test."""
    threads: list[threading.Thread] = []
    over = threading.Event()

    def hold(folder: Path, part: str = "") -> None:
        begun = threading.Event()

        def run() -> None:
            with exclusive(folder.with_name(f".{folder.name}{part}.lock"), "preparing n-mnist"):
                begun.set()
                over.wait(60)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert begun.wait(60)

    yield hold
    over.set()
    for thread in threads:
        thread.join()


def test_what_a_run_works_on_is_neither_deleted_nor_moved(
    root: Path, tmp_path: Path, held: Callable[..., None]
) -> None:
    (tmp_path / "other").mkdir()
    for name, part in ((stores(root)[0].name, ""), (stores(root)[1].name, ".2-of-4"), ("n-mnist-twin-v1-n20-s0", "")):
        entry = entry_of(root, name)
        before = tree(entry.path)
        held(entry.path, part)
        with pytest.raises(StorageError, match=r"in use by preparing n-mnist \(process \d+ on .*try again when it has"):
            remove_entry(entry, root)
        if entry.kind == "stores":
            with pytest.raises(StorageError, match="in use by"):
                move_store(entry, root, tmp_path / "other")
        assert tree(entry.path) == before


@pytest.mark.parametrize(
    ("name", "lease"),
    [
        ("runs/first", ".lock"),  # as training holds it
        ("downloads/n-mnist-twin-v1-n20-s0", ".train.zip.download.lock"),
        ("downloads/n-mnist-twin-v1-n20-s0", ".unpacking/.train.unpack.lock"),
    ],
)
def test_leases_inside_of_a_folder_are_seen(root: Path, name: str, lease: str) -> None:
    entry = entry_of(root, name)
    before = tree(folder_of(entry))
    with exclusive(folder_of(entry) / lease, "training"), pytest.raises(StorageError, match="in use by training"):
        remove_entry(entry, root)
    assert tree(folder_of(entry)) == before
    # That of a run that was killed is nobody's.
    killed = {"what": "training", "owner": "x", "process": 2**22 + 1, "host": "here", "machine": _lease._machine()}
    (folder_of(entry) / ".lock").write_text(json.dumps(killed))
    remove_entry(entry, root)
    assert not folder_of(entry).exists()


@pytest.mark.parametrize("beside", ["rebuild", "old", "repair", "moving"])
def test_what_killed_runs_left_beside_a_store_is_counted_listed_and_deleted(root: Path, beside: str) -> None:
    entry = stores(root)[0]
    folder = folder_of(entry)
    left = folder.rename(folder.with_name(f".{folder.name}.{beside}"))
    (found,) = [found for found in stores(root) if found.name == entry.name]
    assert (found.size_bytes, found.state) == (entry.size_bytes, "unfinished")
    shutil.copytree(left, folder)
    assert entry_of(root, entry.name).size_bytes == 2 * entry.size_bytes
    shutil.rmtree(folder)
    remove_entry(found, root)
    assert not left.exists()
    (folder.with_name(".mine.old")).mkdir()
    with pytest.raises(StorageError, match="does not look like"):
        remove_entry(entry_of(root, "n-mnist/mine"), root)


def test_a_move_that_was_killed_before_it_deleted_is_finished_by_the_next(root: Path, tmp_path: Path) -> None:
    entry = stores(root)[0]
    target = tmp_path / "other" / "stores" / entry.name
    shutil.copytree(folder_of(entry), target)
    (target / "data.zarr/zarr.json").write_text("{}")
    with pytest.raises(StorageError, match="is there already"):
        move_store(entry, root, tmp_path / "other")
    shutil.copy(folder_of(entry) / "data.zarr/zarr.json", target / "data.zarr/zarr.json")
    assert move_store(entry, root, tmp_path / "other") == target
    assert not folder_of(entry).exists()
    assert verify(target, deep=True).ok


@pytest.mark.parametrize("link", ["store", "data.zarr"])
def test_a_store_is_not_deleted_for_a_link_that_leads_to_it(root: Path, tmp_path: Path, link: str) -> None:
    entry = stores(root)[0]
    target = tmp_path / "other" / "stores" / entry.name
    target.parent.mkdir(parents=True)
    if link == "store":
        target.symlink_to(folder_of(entry))
    else:
        shutil.copytree(folder_of(entry), target)
        shutil.rmtree(target / link)
        (target / link).symlink_to(folder_of(entry) / link)
    with pytest.raises(StorageError, match="is there already"):
        move_store(entry, root, tmp_path / "other")
    assert verify(entry.path, deep=True).ok


def test_stores_that_were_unused_for_long_are_chosen_longest_first() -> None:
    ages = {"new": 1, "old": 40, "older": 50}
    entries = [CacheEntry("stores", name, Path(name), 0, "finished", -days * DAY_S) for name, days in ages.items()]
    entries.append(CacheEntry("downloads", "archive", Path("archive"), 0, "", -99.0 * DAY_S))
    assert [entry.name for entry in unused_since(entries, ["stores"], -30 * DAY_S)] == ["older", "old"]
    assert [entry.name for entry in unused_since(entries, ["downloads"], -30 * DAY_S)] == ["archive"]


@pytest.mark.parametrize("is_other_disk", [False, True])
def test_a_moved_store_is_the_same_store_and_is_found_there(
    root: Path, tmp_path: Path, is_other_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    entry = stores(root)[0]
    before = tree(entry.path)
    used_s = last_use_s(entry.path)
    rename = Path.rename

    def refuse(path: Path, target: Any) -> Path:
        if path.parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, target)

    if is_other_disk:
        monkeypatch.setattr(Path, "rename", refuse)
    moved = move_store(entry, root, tmp_path / "other")
    assert moved == tmp_path / "other" / "stores" / entry.name
    assert tree(moved) == before
    assert [found.path for found in list_cache(tmp_path / "other")] == [moved]
    assert not entry.path.exists()
    assert [path for path in moved.parent.iterdir() if path != moved] == []
    assert (last_use_s(entry.path), last_use_s(moved)) == (None, used_s)
    assert verify(moved, deep=True).ok


def test_a_copy_that_is_not_whole_leaves_the_store_where_it_is(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    entry = stores(root)[0]
    before = tree(entry.path)

    def refuse(path: Path, target: Any) -> Path:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def copy_badly(_: Path, target: Path, **__: object) -> None:
        target.mkdir()

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr("shutil.copytree", copy_badly)
    with pytest.raises(StorageError, match="its copy is not whole, so it stays where it is"):
        move_store(entry, root, tmp_path / "other")
    assert tree(entry.path) == before
    assert tree(tmp_path / "other") == {}


def test_what_cannot_be_moved_is_said(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    entry = stores(root)[0]
    with pytest.raises(StorageError, match="no such folder; make it first"):
        move_store(entry, root, other)
    (other / "stores" / entry.name).mkdir(parents=True)
    with pytest.raises(StorageError, match="is there already"):
        move_store(entry, root, other)
    with pytest.raises(StorageError, match="is there already"):
        move_store(entry, root, root)
    with pytest.raises(StorageError, match="one of runs: only finished stores"):
        move_store(entry_of(root, "first"), root, other)
    (entry.path / "manifest.json").unlink()
    with pytest.raises(StorageError, match="not finished: only finished stores"):
        move_store(entry_of(root, entry.name), root, other)


def run(*words: str | Path, answer: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from neurodata.cli import main; main()", "cache", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, input=answer, check=False)


def test_the_command_lists_and_deletes_only_when_told(root: Path, tmp_path: Path) -> None:
    one, other = stores(root)
    listed = run("--cache", root)
    assert [line.split()[-1] for line in listed.stdout.splitlines()] == [entry.name for entry in list_cache(root)]
    facts = json.loads(run("--cache", root, "--json").stdout)["entries"]
    assert facts[1].keys() == {"kind", "name", "path", "size_bytes", "state", "last_used_s"}
    for answer in ("", "n\n"):
        assert run("rm", one.name, "--cache", root, answer=answer).returncode == 1
        assert one.path.exists()
    # The root may be named before or after the sub-command.
    done = run("--cache", root, "rm", one.name, answer="y\n")
    assert (done.returncode, done.stdout.strip()) == (0, str(one.path))
    assert not one.path.exists()
    assert run("rm", "no-such", "--yes", "--cache", root).returncode == 2
    (tmp_path / "other").mkdir()
    moved = run("mv", other.path, tmp_path / "other", "--cache", root)
    assert moved.stdout.strip() == str(tmp_path / "other" / "stores" / other.name)


def test_the_command_prunes_what_was_unused(root: Path, held: Callable[..., None]) -> None:
    one, other = stores(root)
    assert "nothing that was unused for 1h" in run("prune", "--older-than", "1h", "--cache", root).stderr
    assert "expected a number of hours, days or weeks" in run("prune", "--older-than", "30", "--cache", root).stderr
    dry = run("prune", "--older-than", "0h", "--dry-run", "--cache", root)
    assert "would delete 2 folders" in dry.stderr
    assert one.path.exists()
    held(one.path)
    done = run("prune", "--older-than", "0h", "--yes", "--cache", root)
    assert (done.returncode, done.stdout.strip()) == (1, str(other.path))
    assert "in use by preparing n-mnist" in done.stderr
    assert {entry.kind for entry in list_cache(root)} == {"downloads", "stores", "runs"}
