from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from neurodata.kernel import kernel

@kernel
def double(number):
    return 2 * number

print(double(21))
"""


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A program beside which nothing can be written, not even by root: `__pycache__` is a file."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "__pycache__").write_text("")
    return tmp_path


def run(folder: Path, **variables: str) -> str:
    environment = os.environ | variables
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, str(folder / "program.py")]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_kernels_are_cached_in_the_users_own_folder(own_folder: Path) -> None:
    home = own_folder / "home"
    assert run(own_folder, HOME=str(home), XDG_CACHE_HOME=str(home / "cache")) == "42\n"
    assert list(home.rglob("kernels/*/program.double*.nbi"))


def test_kernels_work_where_no_folder_can_be_written_to(own_folder: Path) -> None:
    (own_folder / "home").write_text("")  # a file: no folder can be made below it
    home = str(own_folder / "home")
    assert run(own_folder, HOME=home, XDG_CACHE_HOME=home) == "42\n"
