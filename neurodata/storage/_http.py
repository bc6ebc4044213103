"""A file over HTTP from a byte offset on; what a server answers is checked before it is believed.

Spec: RFC 9110, sections 13.1.5 (If-Range), 14 (Range, Content-Range, 416) and 15.4 (redirects).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from itertools import chain
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

_CHUNK_BYTES = 256 * 1024
_TRANSIENT = frozenset({408, 425, 429})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_WEB_PAGE = re.compile(rb"\s*(<!doctype\s+html|<html)", re.IGNORECASE)


class RefusedError(Exception):
    """The address does not deliver the file; asking again would not help."""


class TransientError(Exception):
    """It may go better at the next attempt; without `resumable`, that one has to ask for the whole file."""

    def __init__(self, answer: str, *, resumable: bool = True, retry_after_s: float = 0.0) -> None:
        super().__init__(answer)
        self.resumable = resumable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Body:
    """What a server delivers.

    Parameters
    ----------
    start
        Position in the file of the first byte; 0 also when the server ignored the wish to resume.
    size_bytes
        Of the whole file, as the server says; None when it does not.
    validator
        Strong ETag or Last-Modified: names this version of the file in If-Range.
    chunks
        The bytes; raises TransientError when they end too early.
    """

    start: int
    size_bytes: int | None
    validator: str | None
    chunks: Iterator[bytes]


@contextmanager
def get(url: str, start: int, validator: str | None, timeout_s: float) -> Iterator[Body]:
    """Ask for the bytes from `start` on, provided that the file is still the version named by `validator`."""
    headers = {"User-Agent": "neurodata", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with _answers(url):
        response = _opener().open(Request(url, headers=headers), timeout=timeout_s)
    with response:
        yield _body(url, response, start)


def _body(url: str, response: HTTPResponse, start: int) -> Body:
    n_bytes: int | None
    if response.status == 206:
        first = start
        n_bytes, size_bytes = _content_range(response, start)
    elif response.status == 200:
        first = 0
        n_bytes = size_bytes = response.length
    else:
        raise RefusedError(_unusable(url, response.status, response.reason))
    chunks = _chunks(url, response, n_bytes)
    head = next(chunks, b"")
    if not head:
        raise RefusedError(f"{response.status} with 0 bytes")
    if first == 0 and _WEB_PAGE.match(head):
        raise RefusedError("a web page instead of the file (a login, a consent form, or a challenge for browsers)")
    return Body(first, size_bytes, _validator(response), chain([head], chunks))


def _chunks(url: str, response: HTTPResponse, n_bytes: int | None) -> Iterator[bytes]:
    received = 0
    while n_bytes is None or received < n_bytes:
        with _answers(url):
            # read1 gives what has arrived: a stall loses none of it.
            chunk = response.read1(_CHUNK_BYTES if n_bytes is None else min(_CHUNK_BYTES, n_bytes - received))
        if not chunk:
            break
        received += len(chunk)
        yield chunk
    if n_bytes is not None and received < n_bytes:
        raise TransientError(f"cut after {received:,} of {n_bytes:,} bytes")


def _content_range(response: HTTPResponse, start: int) -> tuple[int, int | None]:
    """Number of bytes that follow, size of the whole file."""
    text = response.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None or int(match[1]) != start or int(match[2]) < start:
        raise TransientError(f"206 with Content-Range {text!r}, asked for {start}-", resumable=False)
    return int(match[2]) - start + 1, None if match[3] == "*" else int(match[3])


def _validator(response: HTTPResponse) -> str | None:
    etag: str | None = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    last_modified: str | None = response.headers.get("Last-Modified")
    return last_modified


@contextmanager
def _answers(url: str) -> Iterator[None]:
    """Turn what can go wrong on the net into RefusedError or TransientError."""
    try:
        yield
    except HTTPError as error:
        with error:
            raise _error_answer(url, error) from error
    except TimeoutError as error:
        raise TransientError("stalled: nothing came in time") from error
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise RefusedError(f"its certificate is not trusted: {error.reason.verify_message}") from error
        raise TransientError(f"no connection: {error.reason}") from error
    except (InvalidURL, ValueError) as error:
        raise RefusedError(f"not an address: {error}") from error
    except (HTTPException, OSError) as error:
        raise TransientError(f"connection lost: {error or type(error).__name__}") from error


def _error_answer(url: str, error: HTTPError) -> RefusedError | TransientError:
    answer = f"{error.code} {error.reason}".strip()
    if error.code == 416:
        return TransientError(f"{answer}: the server has no such part of the file", resumable=False)
    if error.code >= 500 or error.code in _TRANSIENT:
        wish = error.headers.get("Retry-After", "")
        return TransientError(answer, retry_after_s=float(wish) if wish.isdecimal() else 0.0)
    return RefusedError(_unusable(url, error.code, error.reason))


def _unusable(url: str, status: int, reason: str) -> str:
    if status != 202:
        return f"{status} {reason}".strip()
    hint = "; figshare lets scripts in at https://api.figshare.com/v2/file/download/<id>" if "figshare" in url else ""
    return f"202 {reason}: a challenge that only browsers pass stands before the file{hint}"


class _SafeRedirects(HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise RefusedError(f"{code} redirects from {req.type} to {newurl}, which is not safe to follow")
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> HTTPResponse | None:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except (RefusedError, ValueError):
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> OpenerDirector:
    # Not build_opener: that one would also open ftp:, file: and data: addresses.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
        _SafeRedirects,
    ):
        opener.add_handler(handler())
    return opener
