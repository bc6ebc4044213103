"""Where downloads, stores and runs are kept, and where else they are looked for."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from platformdirs import user_cache_path

from neurodata.errors import StorageError
from neurodata.storage._disk import is_folder

_CHECKOUT = Path(__file__).resolve().parents[2]


def cache_root(explicit: str | Path | None = None) -> Path:
    """The folder that is written to: explicit, $NEURODATA_CACHE, `cache/` of a source checkout, or the user's cache.

    It is named, not made: calling this touches nothing.

    Raises
    ------
    StorageError
        When the root is a URL, or begins with a user (~name) whom this machine does not know.
    """
    chosen = explicit or os.environ.get("NEURODATA_CACHE")
    if chosen:
        return _local(chosen)
    return _checkout_cache(_CHECKOUT) or user_cache_path("neurodata") / "data"


def search_roots(explicit: str | Path | None = None) -> tuple[Path, ...]:
    """`cache_root`, then the folders of $NEURODATA_PATH that can be read: all places where files may already be.

    The entries of $NEURODATA_PATH are separated like those of $PATH, and are only read from.
    """
    shared = [_local(entry) for entry in os.environ.get("NEURODATA_PATH", "").split(os.pathsep) if entry]
    return tuple(dict.fromkeys([cache_root(explicit), *filter(_readable, shared)]))


def index_root() -> Path:
    """The folder of indexes of recordings: in the user's own cache, wherever stores are; it is named, not made."""
    return user_cache_path("neurodata") / "indexes"


def _readable(root: Path) -> bool:
    return is_folder(root) and os.access(root, os.R_OK | os.X_OK)


def _local(root: str | Path) -> Path:
    if "://" in str(root):
        raise StorageError(f"{root}: object stores are not supported as a root yet; give a folder")
    try:
        return Path(root).expanduser().absolute()
    except RuntimeError as error:
        raise StorageError(f"{root}: there is no such user on this machine; give a folder") from error


def _checkout_cache(checkout: Path) -> Path | None:
    """`cache/` when this package runs from its own source tree; site-packages has neither of the two files."""
    project = checkout / "pyproject.toml"
    if not (project.is_file() and (checkout / "cache" / "README.md").is_file()):
        return None
    try:
        name = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name")
    except ValueError:
        return None
    return checkout / "cache" if name == "neurodata-pipeline" else None
