"""Where a store is: a folder, or a URL that fsspec can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from neurodata.errors import StorageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*://")


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A file or folder by its URL, joined as a Path is; a password in the URL is not shown.

    Credentials, endpoints and other options are those of the environment and of fsspec's configuration
    (AWS_PROFILE, FSSPEC_S3_ENDPOINT_URL, ~/.config/fsspec): nothing secret is pickled or printed.

    >>> RemotePath("s3://lab/stores") / "n-mnist" / "manifest.json"
    RemotePath(url='s3://lab/stores/n-mnist/manifest.json')
    """

    url: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.url.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> RemotePath:
        """The folder that it is in."""
        return RemotePath(self.url.rstrip("/").rpartition("/")[0])

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", self.url)


Location: TypeAlias = Path | RemotePath


def is_url(place: str) -> bool:
    """Whether a text is the address of something, such as "s3://lab/store", and no path.

    >>> is_url("s3://lab/store"), is_url("folder:recordings"), is_url("/data")
    (True, False, False)
    """
    return bool(_URL.match(place))


def locate(place: str | Path | RemotePath) -> Location:
    """A path, absolute, or a URL; file:// is a path.

    Raises
    ------
    StorageError
        When a URL is chained ("::"), or names a file on another host.
    """
    if isinstance(place, RemotePath):
        return place
    text = str(place)
    if isinstance(place, Path) or not is_url(text):
        return Path(place).absolute()
    if "::" in text:
        raise StorageError(f"{text}: chained addresses are not read; give the address of the folder itself")
    if not text.lower().startswith("file://"):
        return RemotePath(text)
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"{text}: a file on the host {parts.netloc}; three slashes begin a path: file:///folder")
    return Path(url2pathname(parts.path)).absolute()
