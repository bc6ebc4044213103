"""Stores on an S3 of this machine that answers wrongly, late, or not at all."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import neurodata
from neurodata.errors import StorageError
from neurodata.storage import _remote
from neurodata.store import verify
from tests.pipeline.test_prepare_url import files_at
from tests.storage.remotes import S3Fault, s3_bucket, s3_server

pytest.importorskip("moto")
pytest.importorskip("s3fs")
pytestmark = pytest.mark.filterwarnings("ignore")

FAULTS = (
    S3Fault(),
    S3Fault(is_done=True),
    S3Fault("503 Slow Down", "SlowDown"),
    S3Fault("200 OK", "RequestTimeout", wait_s=1.5, is_done=True),
)


class Told:
    """What the server of this module shall answer at the moment."""

    fault: Callable[[str, str], S3Fault | None] = staticmethod(lambda method, path: None)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with (
        pytest.MonkeyPatch.context() as patch,
        s3_server(lambda method, path: Told.fault(method, path)) as address,
        s3_bucket(patch, address) as url,
    ):
        yield url


@pytest.fixture
def lab(bucket: str, tmp_path: Path) -> Iterator[str]:
    yield f"{bucket}/{tmp_path.name}"
    Told.fault = staticmethod(lambda method, path: None)


def test_a_store_on_s3_has_the_bytes_of_one_on_a_disk_from_threads_and_processes(
    source: Path, recipe: Path, lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = files_at(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path).path)
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=f"{lab}/threads", workers=3)
    assert files_at(store.path) == expected
    assert verify(store.path, deep=True).ok
    assert len(neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=f"{lab}/threads")) == 22
    command = [sys.executable, "-c", "from neurodata.cli import main; main()", "prepare", "dvs-gesture"]
    options = ["--recipe", recipe, "--source", source, "--workers", "2", "--cache", f"{lab}/processes"]
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "temporary").glob("neurodata-*")) == []
    assert files_at(neurodata.open_store(done.stdout.strip()).path) == expected
    listed = subprocess.run(
        [*command[:3], "cache", "--json", "--cache", f"{lab}/processes"], capture_output=True, text=True, check=True
    )
    (entry,) = json.loads(listed.stdout)["entries"]
    assert (entry["path"], entry["state"]) == (done.stdout.strip(), "finished")
    assert {file.split("/")[3] for file in fsspec.filesystem("s3").find(lab)} == {"stores"}  # no lease is left


@pytest.mark.parametrize("seed", range(2))
def test_errors_slow_downs_and_lost_answers_cost_time_and_nothing_else(
    source: Path, recipe: Path, lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=8, pause_s=0.01, attempt_s=1.0))
    rng, lock, told = random.Random(seed), threading.Lock(), []

    def fault(method: str, path: str) -> S3Fault | None:
        with lock:
            if rng.random() > 0.06:
                return None
            told.append(rng.choice(FAULTS))
            return told[-1]

    expected = files_at(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path).path)
    Told.fault = staticmethod(fault)
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab, workers=4)
    Told.fault = staticmethod(lambda method, path: None)
    assert files_at(store.path) == expected
    assert len(told) > 5


@pytest.mark.parametrize("fault", [S3Fault("403 Forbidden", "AccessDenied"), S3Fault("503 Slow Down", "SlowDown")])
def test_a_bucket_that_takes_no_more_is_an_error_and_the_run_goes_on_when_it_does(
    source: Path, recipe: Path, lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: S3Fault
) -> None:
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=2, pause_s=0.01, attempt_s=2.0))
    puts: list[str] = []

    def refuse(method: str, path: str) -> S3Fault | None:
        puts.extend([path] if method == "PUT" and ".lock" not in path else [])
        return fault if method == "PUT" and len(puts) > 9 else None

    Told.fault = staticmethod(refuse)
    with pytest.raises(StorageError, match=rf"{lab}/stores/dvs-gesture/small-.* failed: "):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab, workers=2)
    Told.fault = staticmethod(lambda method, path: None)
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab, workers=1)
    expected = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path)
    assert files_at(store.path) == files_at(expected.path)


def test_shares_and_finalise_bear_errors_and_lost_answers(
    source: Path, recipe: Path, lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, each kind of request fails once before and once after it is done."""
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=8, pause_s=0.01, attempt_s=1.0))
    left: list[tuple[str, S3Fault]] = []
    lock = threading.Lock()

    def fault(method: str, path: str) -> S3Fault | None:
        with lock:
            for k, (of_method, found) in enumerate(left):
                if of_method == method:
                    del left[k]
                    return found
        return None

    arguments: Any = {"recipe": recipe, "source": source, "cache": lab}
    expected = files_at(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path).path)
    Told.fault = staticmethod(fault)
    for index in (1, 2):
        left.extend((method, fault) for method in ("PUT", "GET", "HEAD", "DELETE") for fault in FAULTS)
        place = neurodata.prepare_share("dvs-gesture", (index, 2), **arguments)
    left.extend((method, fault) for method in ("PUT", "GET", "DELETE") for fault in FAULTS)
    store = neurodata.finalise(place)
    assert not [method for method, _ in left if method in ("PUT", "GET")]
    Told.fault = staticmethod(lambda method, path: None)
    assert files_at(store.path) == expected
    assert verify(store.path, deep=True).ok


def test_a_bucket_that_is_not_there_is_named_before_files_are_hashed(source: Path, bucket: str) -> None:
    stages: list[str] = []
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/lab/.*bucket does not exist"):
        neurodata.prepare(
            "dvs-gesture",
            T=4,
            source=source,
            cache="s3://no-such-bucket/lab",
            progress=lambda stage, done, total, unit: stages.append(stage),
        )
    assert stages == []
