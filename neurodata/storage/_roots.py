"""Where downloads, stores and runs are kept, and where else they are looked for."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from neurodata.errors import StorageError
from neurodata.storage._disk import is_folder
from neurodata.storage._location import Location, RemotePath, is_url, locate

_CHECKOUT = Path(__file__).resolve().parents[2]


def cache_root(explicit: str | Path | RemotePath | None = None) -> Location:
    """The root that is written to: explicit, $NEURODATA_CACHE, `cache/` of a source checkout, or the user's cache.

    It is a folder, or a URL that fsspec can write to ("s3://lab/neurodata"), where stores and published files are kept;
    what has to be on this machine is then in `local_root`. It is named, not made: calling this touches nothing.

    Raises
    ------
    StorageError
        When the root begins with a user (~name) whom this machine does not know, or is the URL of a web server, a
        chained one, or one of another host's files.
    """
    chosen = explicit or os.environ.get("NEURODATA_CACHE")
    root = _located(chosen) if chosen else _own_folder()
    if isinstance(root, RemotePath) and urlsplit(root.url).scheme.lower() in ("http", "https"):
        raise StorageError(
            f"{root}: a web server takes no files; give a folder or an address such as s3://lab/neurodata"
        )
    return root


def local_root(explicit: str | Path | RemotePath | None = None) -> Path:
    """The folder of files to work with, twins and runs: `cache_root` where that is a folder, else that of this machine.

    The latter is $NEURODATA_CACHE if it is a folder, `cache/` of a source checkout, or the user's cache.
    """
    for root in (cache_root(explicit), cache_root()):
        if isinstance(root, Path):
            return root
    return _own_folder()


def search_roots(explicit: str | Path | RemotePath | None = None) -> tuple[Location, ...]:
    """`cache_root`, then the roots of $NEURODATA_PATH: all places where stores may already be.

    The entries of $NEURODATA_PATH are folders and URLs, separated like those of $PATH, and are only read from; folders
    that cannot be read are passed over.
    """
    shared = [_located(entry) for entry in _entries(os.environ.get("NEURODATA_PATH", ""))]
    return tuple(dict.fromkeys([cache_root(explicit), *filter(_readable, shared)]))


def search_folders(explicit: str | Path | RemotePath | None = None) -> tuple[Path, ...]:
    """`local_root`, then the folders of $NEURODATA_PATH that can be read: where downloads may already be."""
    folders = [root for root in search_roots(explicit) if isinstance(root, Path)]
    return tuple(dict.fromkeys([local_root(explicit), *folders]))


def index_root() -> Path:
    """The folder of indexes of recordings: in the user's own cache, wherever stores are; it is named, not made."""
    return user_cache_path("neurodata") / "indexes"


def _readable(root: Location) -> bool:
    return isinstance(root, RemotePath) or (is_folder(root) and os.access(root, os.R_OK | os.X_OK))


def _entries(path: str) -> list[str]:
    """What stands between the separators, which are none inside of a URL ("s3://lab/stores", "abfs://host:443/a").

    >>> _entries("/lab:s3://lab/stores::memory://host:80/a:b")
    ['/lab', 's3://lab/stores', 'memory://host:80/a', 'b']
    """
    if os.pathsep != ":":
        return [entry for entry in path.split(os.pathsep) if entry]
    return re.findall(r"[A-Za-z][A-Za-z0-9+.-]+://[^:/]*(?::\d+(?=/))?[^:]*|[^:]+", path)


def _located(root: str | Path | RemotePath) -> Location:
    if isinstance(root, RemotePath) or is_url(str(root)):
        return locate(root)
    try:
        return Path(root).expanduser().absolute()
    except RuntimeError as error:
        raise StorageError(f"{root}: there is no such user on this machine; give a folder") from error


def _own_folder() -> Path:
    return _checkout_cache(_CHECKOUT) or user_cache_path("neurodata") / "data"


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
