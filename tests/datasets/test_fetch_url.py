"""Published files behind the URLs of roots: taken from there, checked like any mirror, and put there once verified."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import availability, fetch, locate
from neurodata.errors import ChecksumError, SourceNotFoundError, StorageError, StorageWarning, UnknownNameError
from neurodata.pipeline import SourceRequest, find_entry, list_remote_cache, preview, remove_entry, unused_since
from neurodata.recipe import load_recipe
from neurodata.storage import RemotePath, _remote
from tests.loopback import Loopback
from tests.storage.remotes import S3Fault, Stumbling, register, s3_bucket, s3_server

N_MNIST = registry.datasets["n-mnist"]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def lab() -> str:
    return f"memory://{uuid4().hex}"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every `next(machine)` is a machine without any files."""

    def machines() -> Iterator[None]:
        for number in range(9):
            monkeypatch.setenv("NEURODATA_CACHE", str(tmp_path / f"machine{number}"))
            yield

    return machines()


def kept(root: str) -> dict[str, bytes]:
    fs = fsspec.filesystem(root.partition(":")[0])
    folder = f"{root}/downloads/n-mnist"
    return {file.rpartition("/")[2]: fs.cat_file(file) for file in fs.find(folder)}


def put(root: str, name: str, content: bytes) -> None:
    fsspec.filesystem(root.partition(":")[0]).pipe_file(f"{root}/downloads/n-mnist/{name}", content)


def test_what_one_machine_downloaded_the_next_one_takes_from_the_url(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None], lab: str, tmp_path: Path
) -> None:
    next(machine)
    assert availability(N_MNIST, lab) == (
        f"train.zip to download, test.zip to download (in {tmp_path / 'machine0' / 'downloads' / 'n-mnist'})"
    )
    first = fetch(N_MNIST, lab)
    assert kept(lab) == published
    assert len(server.asked) == 2
    next(machine)
    assert f"train.zip to copy from {lab}/downloads/n-mnist, test.zip to copy" in availability(N_MNIST, lab)
    told: list[str] = []
    second = fetch(N_MNIST, lab, progress=lambda stage, *_: told.append(stage))
    assert f"download train.zip from {lab}" in told
    assert not any(stage.startswith("put ") for stage in told)
    assert [path.read_bytes() for path in second] == list(published.values()) == [path.read_bytes() for path in first]
    assert second[0].parent == tmp_path / "machine1" / "downloads" / "n-mnist"
    store = neurodata.prepare("n-mnist", T=2, cache=lab)
    assert (store.head.source_kind, len(store)) == ("published", 3)
    assert len(server.asked) == 2


def test_prepare_keeps_the_archives_and_not_what_is_in_them(
    published: dict[str, bytes], machine: Iterator[None], lab: str
) -> None:
    next(machine)
    neurodata.prepare("n-mnist", T=2, cache=lab)
    assert kept(lab) == published
    recipe = load_recipe(N_MNIST, None, T=3)
    next(machine)
    assert f"train.zip to copy from {lab}/downloads/n-mnist" in preview(recipe, SourceRequest(), lab).files


@pytest.mark.parametrize("damage", ["other bytes", "cut", "longer", "empty"])
def test_a_damaged_copy_is_told_of_taken_from_the_publisher_and_replaced(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None], lab: str, damage: str
) -> None:
    next(machine)
    fetch(N_MNIST, lab)
    right = published["train.zip"]
    wrong = {"other bytes": b"\0" + right[1:], "cut": right[:-1], "longer": right + b"\0", "empty": b""}[damage]
    assert wrong != right
    put(lab, "train.zip", wrong)
    next(machine)
    with pytest.warns(StorageWarning, match=rf"{lab}/downloads/n-mnist/train\.zip: this copy is not used: "):
        fetch(N_MNIST, lab)
    assert [asked.path for asked in server.asked] == ["/train.zip", "/test.zip", "/train.zip"]
    assert kept(lab) == published


def test_a_damaged_copy_without_another_address_is_an_error(
    published: dict[str, bytes], machine: Iterator[None], lab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(machine)
    monkeypatch.setattr(type(N_MNIST), "sources", tuple(replace(source, urls=()) for source in N_MNIST.sources))
    with pytest.raises(SourceNotFoundError, match="cannot be downloaded by a script"):
        fetch(N_MNIST, lab)
    for name, content in published.items():
        put(lab, name, content)
    assert locate(N_MNIST, lab).kind == "published"  # by hand once, then by all machines
    next(machine)
    put(lab, "test.zip", b"x" * 99)
    with pytest.warns(StorageWarning, match="not used"), pytest.raises(ChecksumError, match="could not be downloaded"):
        fetch(N_MNIST, lab)
    assert kept(lab)["test.zip"] == b"x" * 99


def test_files_that_are_on_this_machine_already_are_put_there_once_verified(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None], lab: str
) -> None:
    next(machine)
    paths = fetch(N_MNIST)
    fetch(N_MNIST, lab)
    assert kept(lab) == published
    put(lab, "train.zip", b"cut")  # such as of a storage that shows files that are being written
    paths[1].write_bytes(b"damaged")
    with pytest.raises(ChecksumError, match=r"test\.zip"):
        fetch(N_MNIST, lab)
    assert kept(lab) == published  # never the damaged one
    assert len(server.asked) == 2


def test_a_root_that_is_only_read_from_is_never_written_to(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None], lab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURODATA_PATH", lab)
    next(machine)
    fetch(N_MNIST)
    assert kept(lab) == {}
    put(lab, "train.zip", published["train.zip"])
    put(lab, "test.zip", b"damaged")
    next(machine)
    with pytest.warns(StorageWarning, match=r"test\.zip: this copy is not used"):
        fetch(N_MNIST)
    assert [asked.path for asked in server.asked[2:]] == ["/test.zip"]
    assert kept(lab) == {"train.zip": published["train.zip"], "test.zip": b"damaged"}
    # What another root has need not be put to the own one; what it has wrongly, does.
    next(machine)
    own = f"memory://{uuid4().hex}"
    with pytest.warns(StorageWarning, match="not used"):
        fetch(N_MNIST, own)
    assert kept(own) == {"test.zip": published["test.zip"]}
    next(machine)
    put(own, "train.zip", b"damaged")
    with pytest.warns(StorageWarning, match="not used"):
        fetch(N_MNIST, own)
    assert kept(own) == published


def test_a_root_that_does_not_answer_is_passed_over_if_it_is_only_read_from(
    published: dict[str, bytes], machine: Iterator[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=1))
    monkeypatch.setattr(Stumbling, "info", _refuse, raising=False)
    monkeypatch.setenv("NEURODATA_PATH", "stumbling://lab")
    next(machine)
    with pytest.warns(StorageWarning, match="this root of NEURODATA_PATH is passed over"):
        assert len(fetch(N_MNIST)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch(N_MNIST)  # nobody is asked about files that are here
    monkeypatch.delenv("NEURODATA_PATH")
    with pytest.raises(StorageError, match=r"stumbling://lab/downloads/n-mnist/train\.zip"):
        fetch(N_MNIST, "stumbling://lab")


def _refuse(*_: object, **__: object) -> None:
    raise OSError("no route to host")


def test_a_cache_that_cannot_be_written_to_is_an_error_that_says_what_is_kept(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None]
) -> None:
    register()

    def stumble(method: str, path: str, is_done: bool) -> None:
        if method == "put_file":
            raise PermissionError("AccessDenied")

    Stumbling.stumble = staticmethod(stumble)
    next(machine)
    with pytest.raises(StorageError, match=r"train\.zip: is downloaded and verified, but .*AccessDenied\n.*--cache"):
        fetch(N_MNIST, "stumbling://lab")
    register()
    fetch(N_MNIST, "stumbling://lab")
    assert kept("stumbling://lab") == published
    assert [asked.path for asked in server.asked] == ["/train.zip", "/test.zip"]


def test_a_copy_goes_on_from_what_an_interrupted_download_left(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None], lab: str, tmp_path: Path
) -> None:
    for name, content in published.items():
        put(lab, name, content)
    next(machine)
    folder = tmp_path / "machine0" / "downloads" / "n-mnist"
    folder.mkdir(parents=True)
    (folder / "train.zip.part").write_bytes(published["train.zip"][:40])
    (folder / "test.zip.part").write_bytes(b"of another version" * 99)
    done: list[int] = []
    assert [path.read_bytes() for path in fetch(N_MNIST, lab, progress=lambda stage, n, *_: done.append(n))] == list(
        published.values()
    )
    assert server.asked == []


def test_downloads_behind_a_url_are_listed_and_deleted(
    published: dict[str, bytes], machine: Iterator[None], lab: str
) -> None:
    root = RemotePath(lab)
    assert list_remote_cache(root) == []
    next(machine)
    neurodata.prepare("n-mnist", T=2, cache=lab)
    put(lab, "thesis.tex", b"words")
    fsspec.filesystem("memory").pipe_file(f"{lab}/downloads/thesis/chapter1.tex", b"words")
    download, foreign, store = list_remote_cache(root)
    assert (download.kind, download.name) == ("downloads", "n-mnist")
    assert download.size_bytes == sum(map(len, published.values())) + 5
    assert [entry.name for entry in unused_since([download, store], ["downloads"], download.last_used_s + 1)] == [
        "n-mnist"
    ]
    assert unused_since([download, store], ["downloads", "stores"], download.last_used_s) == []
    with pytest.raises(StorageError, match="does not look like one of neurodata's"):
        remove_entry(foreign, root)
    with pytest.raises(UnknownNameError):
        find_entry([download, foreign, store], "shd", root)
    assert find_entry([download, foreign, store], str(download.path), root) == download
    remove_entry(download, root)
    assert kept(lab) == {"thesis.tex": b"words"}
    remove_entry(store, root)
    fsspec.filesystem("memory").pipe_file(f"{lab}/stores/thesis/chapter1/words.tex", b"words")
    (no_store,) = (entry for entry in list_remote_cache(root) if entry.kind == "stores")
    with pytest.raises(StorageError, match="does not look like one of neurodata's"):
        remove_entry(no_store, root)


# A real S3, real processes


PROGRAM = """
import sys
from tests.datasets.conftest import publish
from neurodata import registry
dataset = registry.datasets["n-mnist"]
publish(sys.argv[2:], lambda name, value: setattr(type(dataset), name, value))
from neurodata.datasets import fetch
for path in fetch(dataset, sys.argv[1], progress=lambda stage, *_: print(stage, flush=True)):
    print(path)
"""


COMMAND = """
import sys
from tests.datasets.conftest import publish
from neurodata import registry
dataset = registry.datasets["n-mnist"]
end = sys.argv.index("--")
publish(sys.argv[1:end], lambda name, value: setattr(type(dataset), name, value))
sys.argv = ["neurodata", *sys.argv[end + 1 :]]
from neurodata.cli import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def told() -> list[S3Fault]:
    """What the server answers to the next requests that change something."""
    return []


@pytest.fixture
def bucket(told: list[S3Fault], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")

    def fault(method: str, path: str) -> S3Fault | None:
        return told.pop(0) if told and ".zip" in path else None

    with s3_server(fault) as address, s3_bucket(monkeypatch, address) as url:
        yield url


@pytest.mark.filterwarnings("ignore")
def test_faults_of_s3_cost_time_and_nothing_else(
    published: dict[str, bytes],
    server: Loopback,
    machine: Iterator[None],
    bucket: str,
    told: list[S3Fault],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=9, pause_s=0.01, attempt_s=1.0))
    slow = S3Fault("200 OK", "RequestTimeout", wait_s=1.5, is_done=True)
    faults = [S3Fault(), S3Fault("503 Slow Down", "SlowDown"), slow, S3Fault(is_done=True)]
    for _ in range(2):  # once to put, once to take
        next(machine)
        told.extend(faults)
        fetch(N_MNIST, f"{bucket}/nd")
        assert told == []
        assert kept(f"{bucket}/nd") == published
    assert len(server.asked) == 2
    told.extend([S3Fault("403 Forbidden", "AccessDenied")] * 99)  # a request that was given up may still take some
    next(machine)
    with pytest.raises(StorageError, match=rf"{bucket}/nd/downloads/n-mnist/"):
        fetch(N_MNIST, f"{bucket}/nd")
    told.clear()
    (entry,) = list_remote_cache(RemotePath(f"{bucket}/nd"))
    assert entry.last_used_s is not None


@pytest.mark.filterwarnings("ignore")
def test_the_command_deletes_and_prunes_downloads_on_s3(bucket: str) -> None:
    root = f"{bucket}/nd"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from neurodata.cli import main; main()", "cache", *words, "--cache", root]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for name in ("train.zip", "test.zip", "mine.txt"):
        put(root, name, b"bytes")
    (entry,) = list_remote_cache(RemotePath(root))
    assert (entry.kind, entry.name, entry.size_bytes) == ("downloads", "n-mnist", 15)
    assert entry.last_used_s is not None
    assert abs(time.time() - entry.last_used_s) < 600
    dry = run("prune", "--older-than", "0h", "--kind", "downloads", "--dry-run")
    assert "would delete 1 folders, 15 B" in dry.stderr
    assert len(kept(root)) == 3
    done = run("rm", "n-mnist", "--yes")
    assert (done.returncode, done.stdout) == (0, f"{root}/downloads/n-mnist\n")
    assert kept(root) == {"mine.txt": b"bytes"}


@pytest.mark.filterwarnings("ignore")
def test_the_command_says_where_files_come_from_and_where_they_are_kept(
    published: dict[str, bytes], server: Loopback, machine: Iterator[None], bucket: str, tmp_path: Path
) -> None:
    files = [f"{tmp_path / source.filename}={source.urls[0]}" for source in N_MNIST.sources]
    root = f"{bucket}/nd"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", COMMAND, *files, "--", *words, "--cache", root]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)

    next(machine)
    done = run("fetch", "n-mnist")
    assert done.returncode == 0, done.stderr
    assert f"put test.zip to {root}/downloads/n-mnist" in done.stderr
    assert [Path(line).read_bytes() for line in done.stdout.splitlines()] == list(published.values())
    put(root, "test.zip", published["test.zip"][:-1])
    next(machine)
    dry = run("prepare", "n-mnist", "--T", "2", "--dry-run")
    assert f"train.zip to copy from {root}/downloads/n-mnist" in dry.stderr
    done = run("prepare", "n-mnist", "--T", "2", "--executor", "threads")
    assert done.returncode == 0, done.stderr
    assert f"download train.zip from {bucket}" in done.stderr
    assert f"neurodata: {root}/downloads/n-mnist/test.zip: this copy is not used" in done.stderr
    assert done.stdout.startswith(f"{root}/stores/n-mnist/")
    assert kept(root) == published


@pytest.mark.filterwarnings("ignore")
def test_machines_that_begin_at_once_and_one_that_is_killed_leave_whole_files(
    published: dict[str, bytes], server: Loopback, bucket: str, told: list[S3Fault], tmp_path: Path
) -> None:
    urls = [source.urls[0] for source in N_MNIST.sources]
    files = [f"{tmp_path / name}={url}" for name, url in zip(published, urls, strict=True)]

    def begin(name: str) -> subprocess.Popen[str]:
        environment = os.environ | {"NEURODATA_CACHE": str(tmp_path / name)}
        command = [sys.executable, "-c", PROGRAM, f"{bucket}/nd", *files]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)

    killed = begin("killed")
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.startswith("put train.zip"):
            break
    killed.kill()
    killed.wait()
    assert kept(f"{bucket}/nd").items() <= published.items()
    machines = [begin(name) for name in ("one", "two", "killed")]
    for process in machines:
        answered, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        found = [Path(line).read_bytes() for line in answered.splitlines() if line.startswith("/")]
        assert found == list(published.values())
    assert kept(f"{bucket}/nd") == published
