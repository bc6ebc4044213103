"""When stores were last opened by this user: a small file for each in the user's own cache, never in the store.

The file's time says when, its text which store. Nothing depends on it but what `neurodata cache` lists and prunes, so
whatever cannot be written is not.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from neurodata.storage import Location, index_root


def note_use(store: Location) -> None:
    """Note that a store is used now; nothing is noted of one behind a URL."""
    if isinstance(store, Path):
        _note(store, None)


def last_use_s(store: Path) -> float | None:
    """When this user opened the store last, in seconds since 1970; None where that is not known."""
    try:
        return _file(store).stat().st_mtime
    except OSError:
        return None


def move_use(store: Path, moved: Path) -> None:
    """A store has moved, and takes its last use along."""
    if (used_s := last_use_s(store)) is not None:
        _note(moved, used_s)
    forget_use(store)


def forget_use(store: Path) -> None:
    """A store is gone."""
    with suppress(OSError):
        _file(store).unlink()


def _note(store: Path, at_s: float | None) -> None:
    file = _file(store)
    with suppress(OSError):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{store}\n", "utf-8", errors="surrogateescape")
        os.utime(file, None if at_s is None else (at_s, at_s))


def _file(store: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(store))).hexdigest()
    return index_root().with_name("last-use") / digest[:32]
