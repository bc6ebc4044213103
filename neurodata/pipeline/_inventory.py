"""What a cache root holds: downloads, stores and runs, with sizes and last use."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from neurodata.errors import UnknownNameError
from neurodata.pipeline._last_use import last_use_s
from neurodata.storage import Location, is_file, is_folder, locate
from neurodata.store import MANIFEST

# What is made to replace a store, or was replaced, stands beside it under a hidden name.
_BESIDE = re.compile(r"\.(.+)\.(?:rebuild|old|repair|moving)")

# Kind, which is the name of a folder of the root, and the pattern of its entries.
PATTERNS = {"downloads": "[!.]*", "stores": "*/[!.]*", "runs": "[!.]*"}


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One folder of a cache root.

    Parameters
    ----------
    kind
        "downloads", "stores" or "runs".
    name
        Path below the folder of its kind.
    state
        "finished" or "unfinished" for stores, else empty.
    last_used_s
        When this user opened the store last, or when the newest file was put there: seconds since 1970. None where
        that is not known.
    """

    kind: str
    name: str
    path: Location
    size_bytes: int
    state: str
    last_used_s: float | None = None


def list_cache(root: Path) -> list[CacheEntry]:
    """Downloads, stores and runs below a cache root, in this order, by name.

    A store of which there is only what was to replace it, or was replaced, is an unfinished one.
    """
    found = {kind: set((root / kind).glob(pattern)) for kind, pattern in PATTERNS.items()}
    for path in (root / "stores").glob("*/.*"):
        if (named := _BESIDE.fullmatch(path.name)) and is_folder(path):
            found["stores"].add(path.with_name(named[1]))
    return [_entry(root, kind, folder) for kind, folders in found.items() for folder in sorted(folders)]


def folders_beside(store: Path) -> list[Path]:
    """What was being made to replace a store, and what it replaced: left by runs that were killed."""
    hidden = store.parent.glob(f".{glob.escape(store.name)}.*")
    return sorted(path for path in hidden if (named := _BESIDE.fullmatch(path.name)) and named[1] == store.name)


def find_entry(entries: Sequence[CacheEntry], name: str, root: Location) -> CacheEntry:
    """The entry of a cache that somebody names: as it is listed, with its kind before it, by its folder's name or path.

    Raises
    ------
    UnknownNameError
        When there is none, or several.
    """
    found = [entry for entry in entries if name in _names(entry) or locate(name) == entry.path]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{entry.kind}/{entry.name}" for entry in found)
        raise UnknownNameError(f"{name}: there are {len(found)} of that name in {root}: {listed}; say which")
    near = difflib.get_close_matches(name, [known for entry in entries for known in _names(entry)], n=3)
    hint = f"; there is {', '.join(near)}" if near else "; `neurodata cache` lists what there is"
    elsewhere = _root_of(locate(name)) or ""
    raise UnknownNameError(
        f"{name}: no download, store or run of that name in {root}{hint} (another root: --cache{elsewhere and ' '}"
        f"{elsewhere})"
    )


def _root_of(folder: Location) -> Path | None:
    """The cache root that a folder seems to lie in: what is above its `stores`, `downloads` or `runs`."""
    if not isinstance(folder, Path) or not is_folder(folder):
        return None
    return next((above.parent for above in folder.parents if above.name in ("stores", "downloads", "runs")), None)


def unused_since(entries: Iterable[CacheEntry], kinds: Iterable[str], before_s: float) -> list[CacheEntry]:
    """The entries of these kinds that were last used before a time, in seconds since 1970; longest unused first."""
    known = [(entry.last_used_s, entry) for entry in entries if entry.last_used_s is not None and entry.kind in kinds]
    return [entry for used_s, entry in sorted(known, key=lambda pair: pair[0]) if used_s < before_s]


def _entry(root: Path, kind: str, folder: Path) -> CacheEntry:
    is_store = kind == "stores"
    size_bytes, newest_s = _measure(folder, *(folders_beside(folder) if is_store else ()))
    used_s = last_use_s(folder) if is_store else None
    return CacheEntry(
        kind=kind,
        name=folder.relative_to(root / kind).as_posix(),
        path=folder,
        size_bytes=size_bytes,
        state=("finished" if is_file(folder / MANIFEST) else "unfinished") if is_store else "",
        last_used_s=max(newest_s, used_s or 0.0),
    )


def _names(entry: CacheEntry) -> Iterator[str]:
    yield from (entry.name, f"{entry.kind}/{entry.name}")
    if entry.path.name != entry.name:
        yield entry.path.name


def _measure(*folders: Path) -> tuple[int, float]:
    """Bytes of all files below some folders, and when the newest of them was put there.

    Archives give their files the times of long ago: what counts is when a file came here.
    """
    size_bytes, newest_s = 0, 0.0
    for path in (path for folder in folders for path in (folder, *folder.rglob("*"))):
        with suppress(OSError):  # a run may be deleting it
            status = path.lstat()
            newest_s = max(newest_s, status.st_ctime)
            size_bytes += status.st_size if path.is_file() and not path.is_symlink() else 0
    return size_bytes, newest_s
