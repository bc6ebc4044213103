"""One run at a time, among processes of one machine and of several: a lease, which a dead holder loses.

A lease is a file that says who holds it. Its holder writes a higher number into it every few seconds. Who waits takes
it over when the number stands still for a minute by his own clock: clocks of machines are not compared, and nothing is
asked of locks of the file system, which network shares and object stores do not have. A holder on the same machine that
is dead is found out at once.

What is written under a lease is written whole or not at all, and is the same bytes whoever writes it: should a holder
that slept through its minute wake up beside the new one, nothing is damaged; it learns of it when it calls `check`,
which looks by itself: the thread that beats may have slept, too.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodata.errors import StorageError
from neurodata.storage._location import Location
from neurodata.storage._objects import create, delete, read_if_there, write_to


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a holder writes, how long a silence ends its lease, and how often those who wait look.

    Who took a lease away waits for `settle_s`, much less than a silence, whether another does the same.
    """

    beat_s: float = 10.0
    silence_s: float = 60.0
    look_s: float = 0.2
    settle_s: float = 0.3


RHYTHM = Rhythm()


@contextmanager
def exclusive(place: Location, what: str, on_wait: Callable[[str], None] | None = None) -> Iterator[Lease]:
    """Hold a lease while the block runs; waits while another process or thread holds it.

    Parameters
    ----------
    place
        The file, such as `folder / ".lock"`; folders are made where missing. It is gone when nobody holds the lease.
    what
        What is being done, for those who wait: "preparing dvs-gesture".
    on_wait
        Called once, with a sentence naming the holder, before waiting; may raise to give up instead.

    Raises
    ------
    StorageError
        When the file cannot be written.
    """
    lease = Lease(place, what)
    lease.acquire(on_wait)
    try:
        yield lease
    finally:
        lease.release()


class Lease:
    """Who may work on something; see `exclusive`."""

    def __init__(self, place: Location, what: str) -> None:
        self.place = place
        self._owner = secrets.token_hex(16)
        self._record: dict[str, Any] = {
            "what": what,
            "owner": self._owner,
            "process": os.getpid(),
            "host": platform.node(),
            "machine": _machine(),
        }
        self._beats = 0
        self._is_lost = False
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="neurodata-lease", daemon=True)

    def acquire(self, on_wait: Callable[[str], None] | None = None) -> None:
        """Take the lease, or wait for it."""
        watch, is_contested = _Watch(), False
        while not (create(self.place, self._content()) and (not is_contested or self._stays_mine())):
            found = _parse(read_if_there(self.place))
            if found is None:
                time.sleep(RHYTHM.look_s / 10)  # given back just now; or a network share has yet to notice
                continue
            if on_wait is not None and not watch.seen and not _is_dead(found):
                on_wait(f"waiting for {_describe(found)}, which holds {self.place}")
            if _is_dead(found) or watch.silent_s(found) > RHYTHM.silence_s:
                self._take_away(found)
                is_contested = True
                continue
            time.sleep(RHYTHM.look_s)
        self._heart.start()

    def check(self) -> None:
        """Look whether the lease is still held: one read of its file.

        Raises
        ------
        StorageError
            When another run has taken it, because this one was silent for too long; or when that cannot be told.
        """
        if self._is_lost or not self._is_mine():
            raise StorageError(
                f"{self.place}: another run has taken over, as this one was silent for {RHYTHM.silence_s:g} s "
                "(a sleeping machine?); what was finished is kept: run the command again when the other ends"
            )

    def release(self) -> None:
        """Give the lease back."""
        self._ended.set()
        self._heart.join()
        with suppress(StorageError):
            if self._is_mine():
                delete(self.place)

    def _content(self) -> bytes:
        return json.dumps(self._record | {"beat": self._beats}).encode()

    def _beat(self) -> None:
        while not self._ended.wait(RHYTHM.beat_s):
            with suppress(StorageError):  # such as a share that is away for a moment
                if not self._is_mine():
                    self._is_lost = True
                    return
                self._beats += 1
                write_to(self.place, self._content())

    def _is_mine(self) -> bool:
        found = _parse(read_if_there(self.place))
        return found is not None and found.get("owner") == self._owner

    def _stays_mine(self) -> bool:
        """Whether nobody deletes this lease in the belief that it is still the one that was taken away just now."""
        time.sleep(RHYTHM.settle_s)
        return self._is_mine()

    def _take_away(self, found: dict[str, Any]) -> None:
        """Delete a lease that its holder has lost, unless it shows life after all, or is somebody else's by now.

        Who waits may have slept since he looked.
        """
        now = _parse(read_if_there(self.place))
        if now is not None and _sign(now) == _sign(found):
            delete(self.place)


class _Watch:
    """How long a lease has been without a sign of life, by this machine's own clock."""

    def __init__(self) -> None:
        self.seen: tuple[object, object] | None = None
        self._since_s = time.monotonic()

    def silent_s(self, found: dict[str, Any]) -> float:
        sign = _sign(found)
        if sign != self.seen:
            self.seen, self._since_s = sign, time.monotonic()
        return time.monotonic() - self._since_s


def _sign(found: dict[str, Any]) -> tuple[object, object]:
    """What changes while the holder lives."""
    return found.get("owner"), found.get("beat")


def _parse(content: bytes | None) -> dict[str, Any] | None:
    """What a lease says; {} for one that is damaged, which is nobody's."""
    if content is None:
        return None
    try:
        record = json.loads(content)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _is_dead(found: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    process = found.get("process")
    if sys.platform == "win32" or found.get("machine") != _machine() or not isinstance(process, int):
        return False  # to Windows, the question below would be an order to end
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _machine() -> str:
    """The machine, its boot, and its numbering of processes: where two agree, process numbers mean the same."""
    parts = [platform.node()]
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with suppress(OSError):
            path = Path(file)
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
    return " ".join(parts)


def _describe(found: dict[str, Any]) -> str:
    if {"what", "process", "host"} <= found.keys():
        return f"{found['what']} (process {found['process']} on {found['host']})"
    return "another run"
