from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """Lets the system refuse to make a file larger than so many bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def run_until_killed() -> Callable[..., None]:
    """Runs a program until it prints a line, then kills it with SIGKILL."""

    def run(program: str, *arguments: object) -> None:
        command = [sys.executable, "-c", program, *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.kill()

    return run
