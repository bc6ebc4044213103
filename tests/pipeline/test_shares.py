"""Job arrays: shares of the shards that are written apart, and the store that is made of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import neurodata
from neurodata.datasets import find_dataset
from neurodata.errors import RecipeError, StoreError, StoreNotFoundError
from neurodata.pipeline import (
    Share,
    finalise_folder,
    finalise_recipe,
    prepare_share,
    source_request,
    thread_pool,
)
from neurodata.recipe import Recipe, load_recipe
from neurodata.storage import Location
from neurodata.store import verify
from tests.pipeline.test_prepare_url import files_at


@pytest.fixture
def chosen(recipe: Path) -> Recipe:
    return load_recipe(find_dataset("dvs-gesture"), recipe)


def write_share(chosen: Recipe, source: Path, cache: Any, index: int, count: int, **options: Any) -> Location:
    request = source_request(chosen.dataset, source)
    share = Share(index, count)
    return prepare_share(chosen, request, share, cache, make_executor=lambda n: thread_pool(2), **options)


def finish(chosen: Recipe, source: Path, cache: Any) -> Location:
    return finalise_recipe(chosen, source_request(chosen.dataset, source), cache)


@pytest.mark.parametrize("by_folder", [False, True])
@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_shares_written_in_any_order_become_the_store_of_one_run(
    chosen: Recipe, recipe: Path, source: Path, tmp_path: Path, kind: str, by_folder: bool
) -> None:
    cache = str(tmp_path / "shares") if kind == "disk" else f"memory://{uuid4().hex}"
    for index in (3, 1, 4, 2):
        folder = write_share(chosen, source, cache, index, 4)
        with pytest.raises(StoreNotFoundError):
            neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=cache)
    path = finalise_folder(folder) if by_folder else finish(chosen, source, cache)
    assert path == folder
    whole = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    assert files_at(path) == files_at(whole.path)
    assert (finalise_folder(folder), finish(chosen, source, cache)) == (path, path)
    write_share(chosen, source, cache, 2, 4)  # a job that comes late
    assert files_at(path) == files_at(whole.path)


def test_missing_shards_are_named_and_done_by_their_job_alone(chosen: Recipe, source: Path, tmp_path: Path) -> None:
    for index in (1, 3):
        folder = write_share(chosen, source, tmp_path, index, 3)
    with pytest.raises(StoreError, match=r"11 of 33 shards are missing: 1, 4, 7, 10, .* 31; run the jobs"):
        finish(chosen, source, tmp_path)
    assert isinstance(folder, Path)
    (folder / "commits" / "00003.json").write_text("{")
    shard = next(folder.glob("data.zarr/sparse/code/5/c/0"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"13 of 33 shards are missing: 1, 3 to 5, 7, "):
        finalise_folder(folder)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("commits/*.json")}
    for index in (1, 2, 3):
        write_share(chosen, source, tmp_path, index, 3)
    now = {path: path.stat().st_mtime_ns for path in folder.glob("commits/*.json")}
    assert {path.name for path in kept if now[path] != kept[path]} == {"00003.json", "00005.json"}
    assert verify(finalise_folder(folder), deep=True).ok


def test_a_job_that_follows_another_plan_is_stopped(chosen: Recipe, source: Path, tmp_path: Path) -> None:
    folder = write_share(chosen, source, tmp_path, 1, 2)
    assert isinstance(folder, Path)
    record = folder / ".plan.json"
    whole = record.read_bytes()
    record.write_bytes(whole.replace(b"user24_lab", b"user24_xxx") + b" ")
    for act in (lambda: write_share(chosen, source, tmp_path, 2, 2), lambda: finish(chosen, source, tmp_path)):
        with pytest.raises(StoreError, match=r"\.plan\.json: the other jobs of this store follow another plan"):
            act()
    record.write_bytes(whole[:-9])
    with pytest.raises(StoreError, match=r"\.plan\.json: not a whole JSON file"):
        finalise_folder(folder)
    record.unlink()
    with pytest.raises(StoreNotFoundError, match="no plan of a job array"):
        finalise_folder(folder)
    with pytest.raises(StoreNotFoundError, match="no such folder, nor a dataset of that name"):
        finalise_folder("dvs-gestur")
    write_share(chosen, source, tmp_path, 2, 2)
    assert record.read_bytes() == whole
    assert verify(finalise_folder(folder), deep=True).ok
    assert not record.exists()


def test_a_whole_run_completes_what_jobs_began(chosen: Recipe, recipe: Path, source: Path, tmp_path: Path) -> None:
    folder = write_share(chosen, source, tmp_path / "c", 1, 2)
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "c")
    whole = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    assert store.path == folder
    assert files_at(store.path) == files_at(whole.path)


def test_a_job_array_in_python(recipe: Path, source: Path, tmp_path: Path) -> None:
    arguments: Any = {"recipe": recipe, "source": source, "cache": tmp_path / "c", "workers": 2}
    folders = {neurodata.prepare_share("dvs-gesture", (index, 3), **arguments) for index in (2, 3)}
    (folder,) = folders
    with pytest.raises(StoreError, match="11 of 33 shards are missing: 0, 3, "):
        neurodata.finalise(folder)
    assert neurodata.prepare_share("dvs-gesture", (1, 3), **arguments) == folder
    store = neurodata.finalise(str(folder))
    assert store.path == folder
    whole = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    assert files_at(store.path) == files_at(whole.path)
    assert len(neurodata.finalise(folder)) == 33


@pytest.mark.parametrize("shard", [(0, 4), (5, 4), (1,), (1, 2, 3), 3, ("1", "2"), (1.0, 2)])
def test_a_share_that_is_none_is_refused_in_python(source: Path, tmp_path: Path, shard: Any) -> None:
    with pytest.raises(RecipeError, match="expected"):
        neurodata.prepare_share("dvs-gesture", shard, source=source, cache=tmp_path)
    assert list(tmp_path.iterdir()) == [source]


def test_a_store_of_windows_is_finalised_by_the_arguments_of_its_jobs(source: Path, tmp_path: Path) -> None:
    for recording in source.glob("*.aedat"):
        (tmp_path / "own" / recording.stem).mkdir(parents=True)
        recording.replace(tmp_path / "own" / recording.stem / recording.name)
    arguments = (f"folder:{tmp_path / 'own'}", "--T", "4", "--window-us", "500000", "--cache", tmp_path / "cache")
    for index in (1, 2):
        done = command("prepare", *arguments, "--executor", "threads", "--shard", f"{index}/2")
        assert done.returncode == 0, done.stderr
    finished = command("finalise", *arguments)
    assert (finished.returncode, finished.stdout) == (0, done.stdout), finished.stderr
    assert command("finalise", done.stdout.strip(), "--window-us", "500000").returncode == 2


def test_more_shares_than_shards_are_allowed(source: Path, tmp_path: Path) -> None:
    chosen = load_recipe(find_dataset("dvs-gesture"), None, T=4)
    for index in (1, 2, 3):
        folder = write_share(chosen, source, tmp_path, index, 3)
    assert verify(finalise_folder(folder), deep=True).ok


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "1/2/3", "-1/4", "", "1/99999999999"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="expected I/N with I from 1 to N"):
        Share.parse(text)


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from neurodata.cli import main; main()", *map(str, words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_jobs_and_what_comes_after_them_by_command(source: Path, recipe: Path, tmp_path: Path) -> None:
    arguments = ("dvs-gesture", "--recipe", recipe, "--source", source, "--cache", tmp_path)
    first = command("prepare", *arguments, "--executor", "threads", "--shard", "1/2")
    assert first.returncode == 0, first.stderr
    assert f"share 1/2 is written; when all are: neurodata finalise {first.stdout.strip()}" in first.stderr
    early = command("finalise", *arguments)
    assert (early.returncode, early.stdout) == (1, "")
    assert "16 of 33 shards are missing: 1, 3, 5, " in early.stderr
    assert command("prepare", *arguments, "--workers", "2", "--shard", "2/2").stdout == first.stdout
    done = command("finalise", first.stdout.strip())
    assert (done.returncode, done.stdout) == (0, first.stdout), done.stderr
    assert verify(done.stdout.strip(), deep=True).ok
    late = command("prepare", *arguments, "--shard", "1/2")
    assert (late.returncode, late.stdout) == (0, first.stdout)
    assert "the store is finished already" in late.stderr
    for wrong in ((*arguments, "--shard", "3/2"), (*arguments, "--shard", "1/2", "--force")):
        assert command("prepare", *wrong).returncode == 2
    assert command("finalise", first.stdout.strip(), "--T", "4").returncode == 2
