from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from neurodata.errors import StorageError
from neurodata.storage import exclusive

HOLD = """
import sys, time; from pathlib import Path; from neurodata.storage import exclusive
with exclusive(Path(sys.argv[1]), "preparing n-mnist"):
    print("ready", flush=True); time.sleep(60)
"""


def test_free_lock_is_taken_without_a_word_again_and_again(tmp_path: Path) -> None:
    for _ in range(3):
        with exclusive(tmp_path / "new" / ".lock", "preparing", pytest.fail):
            assert (tmp_path / "new" / ".lock").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".lock"]


def test_one_at_a_time(tmp_path: Path) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with exclusive(tmp_path / ".lock", "counting"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_who_waits_is_told_once_who_holds_it(tmp_path: Path) -> None:
    held, told = threading.Event(), threading.Event()
    messages: list[str] = []

    def hold() -> None:
        with exclusive(tmp_path / ".lock", "preparing dvs-gesture"):
            held.set()
            told.wait(10)

    def on_wait(message: str) -> None:
        messages.append(message)
        told.set()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    with exclusive(tmp_path / ".lock", "preparing dvs-gesture", on_wait):
        pass
    holder.join()
    (message,) = messages
    assert message.startswith(f"waiting for preparing dvs-gesture (process {os.getpid()} on ")
    assert message.endswith(f"which holds {tmp_path / '.lock'}")


def test_who_does_not_want_to_wait_raises_in_on_wait(tmp_path: Path) -> None:
    def refuse(message: str) -> None:
        raise StorageError(message)

    with exclusive(tmp_path / ".lock", "preparing"):
        raised: list[BaseException] = []

        def attempt() -> None:
            try:
                with exclusive(tmp_path / ".lock", "preparing", refuse):
                    pass
            except StorageError as error:
                raised.append(error)

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert "waiting for preparing" in str(raised[0])


def test_killed_holder_frees_the_lock(tmp_path: Path, run_until_killed: Callable[..., None]) -> None:
    run_until_killed(HOLD, tmp_path / ".lock")
    with exclusive(tmp_path / ".lock", "preparing", pytest.fail):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_error_in_the_block_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), exclusive(tmp_path / ".lock", "preparing"):
        raise KeyboardInterrupt
    with exclusive(tmp_path / ".lock", "preparing", pytest.fail):
        pass


def test_lock_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(StorageError, match=r"lock: cannot lock: a (part|file)"),
        exclusive(tmp_path / "file" / "lock", "preparing"),
    ):
        pass
    with pytest.raises(StorageError, match="cannot lock: "), exclusive(tmp_path, "preparing"):
        pass
