from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from neurodata.errors import StorageError
from neurodata.storage import RemotePath, _roots, cache_root, index_root, local_root, search_folders, search_roots


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEURODATA_CACHE", raising=False)
    monkeypatch.delenv("NEURODATA_PATH", raising=False)
    monkeypatch.setattr(_roots, "_CHECKOUT", tmp_path / "site-packages")
    monkeypatch.setattr(_roots, "user_cache_path", lambda name: tmp_path / "user" / name)


def make_checkout(folder: Path, name: str = "neurodata-pipeline") -> Path:
    (folder / "cache").mkdir(parents=True)
    (folder / "cache" / "README.md").write_text("Downloads, stores and runs.")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    return folder


def test_each_place_gives_way_to_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_root() == tmp_path / "user" / "neurodata" / "data"
    monkeypatch.setattr(_roots, "_CHECKOUT", make_checkout(tmp_path / "checkout"))
    assert cache_root() == tmp_path / "checkout" / "cache"
    monkeypatch.setenv("NEURODATA_CACHE", str(tmp_path / "environment"))
    assert cache_root() == tmp_path / "environment"
    assert cache_root(tmp_path / "explicit") == cache_root(str(tmp_path / "explicit")) == tmp_path / "explicit"
    assert [path.name for path in tmp_path.iterdir()] == ["checkout"]


def test_indexes_are_in_the_users_own_cache_wherever_stores_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURODATA_CACHE", str(tmp_path / "lab"))
    assert index_root() == tmp_path / "user" / "neurodata" / "indexes"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["pyproject.toml", "cache/README.md"])
def test_folder_without_both_marks_is_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    (checkout / missing).unlink()
    monkeypatch.setattr(_roots, "_CHECKOUT", checkout)
    assert cache_root() == tmp_path / "user" / "neurodata" / "data"


@pytest.mark.parametrize("project", ['[project]\nname = "other"\n', "[project]\n", "", "damaged ="])
def test_checkout_of_another_project_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: str
) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    (checkout / "pyproject.toml").write_text(project)
    monkeypatch.setattr(_roots, "_CHECKOUT", checkout)
    assert cache_root() == tmp_path / "user" / "neurodata" / "data"


def test_root_is_absolute_and_knows_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cache_root("~/data") == cache_root("data") == tmp_path / "data"


@pytest.mark.parametrize("empty", ["", None])
def test_empty_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: str | None) -> None:
    monkeypatch.setenv("NEURODATA_CACHE", "")
    monkeypatch.setenv("NEURODATA_PATH", os.pathsep)
    assert search_roots(empty) == (tmp_path / "user" / "neurodata" / "data",)


def test_the_root_of_stores_may_be_a_url_and_that_of_downloads_is_then_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = RemotePath("s3://lab/neurodata")
    assert cache_root("s3://lab/neurodata") == cache_root(lab) == lab
    assert local_root("s3://lab/neurodata") == tmp_path / "user" / "neurodata" / "data"
    monkeypatch.setenv("NEURODATA_CACHE", str(tmp_path / "scratch"))
    assert local_root("s3://lab/neurodata") == tmp_path / "scratch"
    assert search_folders("s3://lab/neurodata") == (tmp_path / "scratch",)
    monkeypatch.setenv("NEURODATA_CACHE", "s3://lab/neurodata")
    assert cache_root() == lab
    assert local_root() == tmp_path / "user" / "neurodata" / "data"
    assert cache_root(f"file://{tmp_path}/x") == local_root(f"file://{tmp_path}/x") == tmp_path / "x"


@pytest.mark.parametrize("url", ["https://lab.org/stores", "s3://lab/a::file:///b", "file://host/a"])
def test_roots_that_cannot_be_written_to_are_refused(url: str) -> None:
    with pytest.raises(StorageError, match=re.escape(url)):
        cache_root(url)


@pytest.mark.skipif(os.pathsep != ":", reason="on Windows the separator is in no URL")
def test_shared_roots_may_be_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = RemotePath("s3://lab/neurodata")
    for path in (f"s3://lab/neurodata:{tmp_path}", f"s3://lab/neurodata::{tmp_path}:"):
        monkeypatch.setenv("NEURODATA_PATH", path)
        assert search_roots("s3://own") == (RemotePath("s3://own"), lab, tmp_path)
        assert search_folders(tmp_path / "own") == (tmp_path / "own", tmp_path)
    monkeypatch.setenv("NEURODATA_PATH", f"{tmp_path}:memory://host:80/a:{tmp_path}/a")
    assert search_roots(lab) == (lab, tmp_path, RemotePath("memory://host:80/a"))


def test_shared_roots_follow_the_own_one_where_they_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, lab, group = tmp_path / "own", tmp_path / "lab", tmp_path / "group"
    lab.mkdir()
    group.mkdir()
    entries = [lab, tmp_path / "missing", group, lab, own]
    monkeypatch.setenv("NEURODATA_PATH", os.pathsep.join(map(str, entries)))
    assert search_roots(own) == (own, lab, group)


def test_the_home_of_nobody_we_know_is_refused() -> None:
    with pytest.raises(StorageError, match="~no-such-user-here/x: there is no such user"):
        cache_root("~no-such-user-here/x")


def test_shared_roots_that_may_not_be_entered_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    monkeypatch.setenv(
        "NEURODATA_PATH", os.pathsep.join([str(closed), str(closed / "inner"), str(tmp_path / ("a" * 300))])
    )
    closed.chmod(0o000)
    try:
        if os.access(closed, os.X_OK):
            pytest.skip("this user may enter every folder")
        assert search_roots(tmp_path) == (tmp_path,)
    finally:
        closed.chmod(0o700)
