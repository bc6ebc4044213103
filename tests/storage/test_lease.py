from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from neurodata.errors import StorageError
from neurodata.storage import RemotePath, exclusive, write_to
from neurodata.storage import _lease as lease_module
from neurodata.storage._lease import Lease, Rhythm

HOLD = """
import sys, time; from pathlib import Path; from neurodata.storage import exclusive
with exclusive(Path(sys.argv[1]), "preparing n-mnist"):
    print("ready", flush=True); time.sleep(60)
"""


def test_free_lock_is_taken_without_a_word_again_and_again(tmp_path: Path) -> None:
    for _ in range(3):
        with exclusive(tmp_path / "new" / ".lock", "preparing", pytest.fail):
            assert (tmp_path / "new" / ".lock").exists()
    assert list((tmp_path / "new").iterdir()) == []


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
    assert list(tmp_path.iterdir()) == []


def test_error_in_the_block_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), exclusive(tmp_path / ".lock", "preparing"):
        raise KeyboardInterrupt
    with exclusive(tmp_path / ".lock", "preparing", pytest.fail):
        pass


def test_lock_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(StorageError, match=r"lock: cannot write: a (part|file)"),
        exclusive(tmp_path / "file" / "lock", "preparing"),
    ):
        pass
    with pytest.raises(StorageError, match="cannot write: it is a folder"), exclusive(tmp_path, "preparing"):
        pass


ELSEWHERE = b'{"what": "preparing", "owner": "x", "process": 1, "host": "node7", "machine": "node7", "beat": %d}'


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "RHYTHM", Rhythm(beat_s=0.05, silence_s=0.4, look_s=0.02))


@pytest.mark.usefixtures("quick")
def test_a_holder_on_another_machine_that_is_silent_loses_its_lease(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_bytes(ELSEWHERE % 3)
    messages: list[str] = []
    begun = time.monotonic()
    with exclusive(tmp_path / ".lock", "preparing", messages.append):
        assert time.monotonic() - begun > 0.4
    assert messages == [f"waiting for preparing (process 1 on node7), which holds {tmp_path / '.lock'}"]


@pytest.mark.usefixtures("quick")
def test_a_holder_on_another_machine_that_lives_is_waited_for(tmp_path: Path) -> None:
    """Whatever its clock says, and that of the file system: only its sign of life counts."""
    place = tmp_path / ".lock"
    ended = threading.Event()

    def live() -> None:
        for beat in range(30):
            write_to(place, ELSEWHERE % beat)
            os.utime(place, (0, 0))
            time.sleep(0.04)
        ended.set()
        place.unlink()

    place.write_bytes(ELSEWHERE % 0)
    other = threading.Thread(target=live)
    other.start()
    with exclusive(place, "preparing"):
        assert ended.is_set()
    other.join()


@pytest.mark.usefixtures("quick")
def test_a_holder_that_slept_through_its_lease_learns_that_it_is_lost(tmp_path: Path) -> None:
    lease = Lease(tmp_path / ".lock", "preparing")
    lease.acquire()
    lease.check()
    write_to(tmp_path / ".lock", ELSEWHERE % 1)  # somebody has taken over
    time.sleep(0.3)
    with pytest.raises(StorageError, match="another run has taken over"):
        lease.check()
    lease.release()
    assert (tmp_path / ".lock").read_bytes() == ELSEWHERE % 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"process": "one"}', b'{"process": 99999999999999999999}'])
def test_a_damaged_lease_is_nobodys(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".lock").write_bytes(content)
    with exclusive(tmp_path / ".lock", "preparing"):
        pass


@pytest.mark.usefixtures("quick")
def test_a_lease_behind_an_address() -> None:
    pytest.importorskip("fsspec")
    place = RemotePath(f"memory://{uuid4().hex}/.lock")
    held: list[int] = []
    with exclusive(place, "preparing"):

        def other() -> None:
            with exclusive(place, "preparing"):
                held.append(len(held))

        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.6)  # longer than the silence: it beats
        assert held == []
    thread.join()
    assert held == [0]


def test_two_who_take_a_lease_away_at_once_do_not_both_hold_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One deletes what he believes to be the dead one's, and is the other's: requests may take their time."""
    monkeypatch.setattr(lease_module, "RHYTHM", Rhythm(look_s=0.02, settle_s=1.0))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    place = tmp_path / ".lock"
    place.write_text(json.dumps({"owner": "x", "process": ended.pid, "machine": lease_module._machine(), "beat": 3}))
    slow = threading.Event()
    delete = lease_module.delete

    def delete_late(location: Path) -> None:
        if threading.current_thread().name == "late" and not slow.is_set():
            slow.set()
            time.sleep(0.1)
        delete(location)

    monkeypatch.setattr(lease_module, "delete", delete_late)
    inside: list[str] = []
    lost: list[str] = []

    def work() -> None:
        with exclusive(place, "preparing") as lease:
            inside.append(threading.current_thread().name)
            time.sleep(0.3)
            try:
                lease.check()
            except StorageError:
                lost.append(threading.current_thread().name)

    threads = [threading.Thread(target=work, name=name) for name in ("late", "early")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.is_set()
    assert (sorted(inside), lost) == (["early", "late"], [])


@pytest.mark.usefixtures("quick")
def test_who_slept_after_looking_takes_no_lease_of_a_holder_that_lives(tmp_path: Path) -> None:
    place = tmp_path / ".lock"
    place.write_bytes(ELSEWHERE % 7)
    waiter = Lease(place, "preparing")
    waiter._take_away({"owner": "x", "beat": 3})
    assert place.read_bytes() == ELSEWHERE % 7
    waiter._take_away({"owner": "x", "beat": 7})
    assert not place.exists()
