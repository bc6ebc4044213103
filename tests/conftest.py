"""Settings of the whole suite: the same draws in every run, no deadlines on slow machines, no user folders touched."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.loopback import Loopback, start_server

settings.register_profile("neurodata", deadline=None, derandomize=True)
settings.load_profile("neurodata")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the suite in the background lets it ignore Ctrl-C, and all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a cache root and a user's cache of its own, made when something writes to them."""
    cache = tmp_path_factory.getbasetemp() / "cache" / os.urandom(4).hex()
    monkeypatch.setenv("NEURODATA_CACHE", str(cache))
    monkeypatch.setattr("neurodata.storage._roots.user_cache_path", lambda name: cache / "of_user" / name)
    monkeypatch.delenv("NEURODATA_PATH", raising=False)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; tests that need one skip where it is absent."""
    folder = Path(os.environ.get("NEURODATA_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder} (set NEURODATA_TEST_DATA)")
    return folder


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """Lets the system refuse to make a file larger than so many bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    loopback, stop = start_server()
    yield loopback
    stop()
