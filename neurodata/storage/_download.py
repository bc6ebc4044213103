"""Fetch a published file: resumed where it stopped, from the first address that delivers the right bytes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from neurodata.errors import ChecksumError, DownloadError, StorageWarning
from neurodata.progress import Progress, silent
from neurodata.storage._copies import stored
from neurodata.storage._disk import require_space
from neurodata.storage._hashes import parse_checksum, verify_checksum
from neurodata.storage._http import Body, RefusedError, TransientError, get
from neurodata.storage._lease import exclusive
from neurodata.storage._location import RemotePath
from neurodata.storage._part import Part

_LONGEST_PAUSE_S = 60.0
# A server that cuts often is borne with as long as each attempt brings at least this much.
_WORTHWHILE_BYTES = 1 << 20


def download(
    urls: Sequence[str | RemotePath],
    path: Path,
    *,
    checksum: str,
    size_bytes: int | None = None,
    progress: Progress = silent,
    timeout_s: float = 30.0,
    attempts: int = 5,
    backoff_s: float = 1.0,
) -> str | RemotePath | None:
    """Fetch a file; it appears under `path` only when its checksum agrees.

    Until then it is `<name>.part`, which is continued by the next attempt or the next run, also after Ctrl-C, a
    kill or a full disk. Two runs that want the same file take turns. A file that is there already is verified.

    Parameters
    ----------
    urls
        http or https addresses, and copies behind URLs that fsspec knows, tried in this order. A copy that is damaged
        or cannot be read is told of (StorageWarning) before the next is tried.
    path
        Where to put it; folders are made where missing.
    checksum
        "md5:<hex>" or "sha256:<hex>".
    size_bytes
        Of the whole file, where known: an address that announces another size is not fetched from.
    progress
        Told the bytes that are there so far, those of an earlier run included.
    timeout_s
        Longest silence of a server.
    attempts
        Failures in a row after which an address is given up.
    backoff_s
        Pause after the first failure; doubled after each further one, up to a minute.

    Returns
    -------
    str, RemotePath or None
        Which of `urls` delivered it; None where it was there already.

    Raises
    ------
    DownloadError
        When no address delivers; lists what each answered, and how to do without.
    ChecksumError
        When an address delivered other bytes, or other bytes are under `path` already.
    StorageError
        When the file cannot be written; what came so far is kept.
    """
    parse_checksum(checksum)
    _check_schemes(urls)
    if path.exists():
        verify_checksum(path, checksum, progress)
        return None
    lock = path.with_name(f".{path.name}.download.lock")
    with exclusive(lock, f"downloading {path.name}", lambda message: progress(message, 0, None, "B")):
        if path.exists():
            verify_checksum(path, checksum, progress)
            return None
        with Part(path, checksum, progress) as part:
            delivered = _Transfer(part, size_bytes, progress, timeout_s, attempts, backoff_s).run(urls)
            part.finish()
            return delivered


def figshare_url(file_id: int) -> str:
    """Address of a figshare file that scripts may use: figshare.com itself challenges them (202, 0 bytes).

    >>> figshare_url(38022171)
    'https://api.figshare.com/v2/file/download/38022171'
    """
    return f"https://api.figshare.com/v2/file/download/{file_id}"


def _check_schemes(urls: Sequence[str | RemotePath]) -> None:
    for url in urls:
        if isinstance(url, str) and not url.lower().startswith(("http://", "https://")):
            raise DownloadError(f"{url}: only http and https addresses are fetched")


def _whence(url: str | RemotePath) -> str:
    """The bucket of a copy; the publisher goes without saying."""
    if isinstance(url, str):
        return ""
    parts = urlsplit(str(url))
    return f" from {parts.scheme}://{parts.netloc}"


class _WrongBytesError(Exception):
    """An address delivered a whole file, but not the expected one; `joined`: from several answers."""

    def __init__(self, answer: str, *, joined: bool) -> None:
        super().__init__(answer)
        self.joined = joined


@dataclass(frozen=True, slots=True)
class _Transfer:
    part: Part
    size_bytes: int | None
    progress: Progress
    timeout_s: float
    attempts: int
    backoff_s: float

    def run(self, urls: Sequence[str | RemotePath]) -> str | RemotePath:
        """Complete the part from the first address that can; that address."""
        answers: list[str] = []
        wrong = False
        for url in urls:
            try:
                self._fetch(url)
                return url
            except (RefusedError, _WrongBytesError) as finding:
                wrong |= isinstance(finding, _WrongBytesError)
                answers.append(f"  {url}: {finding}")
                if isinstance(url, RemotePath):
                    message = f"{url}: this copy is not used: {finding}"
                    warnings.warn(message, StorageWarning, stacklevel=4)
        raise (ChecksumError if wrong else DownloadError)(self._explain(answers))

    def _fetch(self, url: str | RemotePath) -> None:
        """Complete the part from one address, in as many attempts as are worth it."""
        failures, most_bytes = 0, self.part.size_bytes
        resume, started_over = True, False
        while not self.part.complete:
            try:
                self._attempt(url, self.part.size_bytes if resume else 0)
            except _WrongBytesError as finding:
                # Pieces of two versions do not fit together: the whole of one may.
                if started_over or not finding.joined:
                    raise
                started_over = True
            except TransientError as interruption:
                failures = 1 if self.part.size_bytes >= most_bytes + _WORTHWHILE_BYTES else failures + 1
                most_bytes = max(most_bytes, self.part.size_bytes)
                resume = interruption.resumable
                if self.part.complete:
                    return
                if failures >= self.attempts:
                    raise RefusedError(f"{interruption} ({failures} failures in a row)") from interruption
                time.sleep(self._pause_s(failures, interruption))

    def _attempt(self, url: str | RemotePath, start: int) -> None:
        """One request; returns when the part is complete."""
        part = self.part
        stage = f"download {part.target.name}{_whence(url)}"
        with self._ask(url, start) as body:
            end = self._expected_end(body)
            if body.start == 0:
                part.begin(str(url), body.validator)
            for chunk in body.chunks:
                part.append(chunk)
                self.progress(stage, part.size_bytes, end, "B")
                if end is not None and part.size_bytes > end:
                    break
        if part.complete:
            return
        if end is None or part.size_bytes < end:
            raise TransientError(f"ended after {part.size_bytes:,} bytes, which are not the whole file")
        finding = f"delivered {part.size_bytes:,} bytes with {part.algorithm} {part.digest}, expected {part.expected}"
        part.empty()
        raise _WrongBytesError(finding, joined=body.start > 0)

    def _ask(self, url: str | RemotePath, start: int) -> AbstractContextManager[Body]:
        if isinstance(url, RemotePath):
            return stored(url, start)
        return get(url, start, self.part.validator(url), self.timeout_s)

    def _expected_end(self, body: Body) -> int | None:
        """Size of the whole file, where known; checked before anything is overwritten."""
        if self.size_bytes is not None and body.size_bytes not in (None, self.size_bytes):
            raise RefusedError(
                f"announces {body.size_bytes:,} bytes, expected {self.size_bytes:,}: another file or version"
            )
        end = body.size_bytes if self.size_bytes is None else self.size_bytes
        if end is not None:
            require_space(self.part.path.parent, end - self.part.size_bytes, self.part.target.name)
        return end

    def _pause_s(self, failures: int, interruption: TransientError) -> float:
        pause_s = self.backoff_s * 2.0 ** (failures - 1)
        return min(max(pause_s, interruption.retry_after_s), _LONGEST_PAUSE_S)

    def _explain(self, answers: Sequence[str]) -> str:
        part = self.part
        kept = f"{part.size_bytes:,} bytes are kept in {part.path.name}; the next run goes on from there.\n"
        return "\n".join(
            [
                f"{part.target}: could not be downloaded:",
                *(answers or ["  no address is known"]),
                f"{kept if part.size_bytes else ''}Download it by hand and put it at that path "
                f"({part.checksum}), or name a folder that holds it with --source",
            ]
        )
