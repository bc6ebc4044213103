"""What a cache root holds: downloads, stores and runs, with sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurodata.storage import Location
from neurodata.store import MANIFEST


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One folder of a cache root; state is "finished" or "unfinished" for stores, else empty."""

    kind: str
    name: str
    path: Location
    size_bytes: int
    state: str


def list_cache(root: Path) -> list[CacheEntry]:
    """Downloads, stores and runs below a cache root, in this order, by name."""
    patterns = {"downloads": "[!.]*", "stores": "*/[!.]*", "runs": "[!.]*"}
    return [
        CacheEntry(
            kind=kind,
            name=folder.relative_to(root / kind).as_posix(),
            path=folder,
            size_bytes=_size_bytes(folder),
            state=_state(folder) if kind == "stores" else "",
        )
        for kind, pattern in patterns.items()
        for folder in sorted((root / kind).glob(pattern))
    ]


def _state(store: Path) -> str:
    return "finished" if (store / MANIFEST).is_file() else "unfinished"


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
