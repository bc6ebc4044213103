"""Files that appear whole or not at all, and JSON in the two forms that are needed: to read and to hash."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from neurodata.errors import StorageError
from neurodata.storage._disk import WRITE_ERRNOS, cannot, new_file, sync, sync_folder

_TEMPORARY = re.compile(r"\..+\.\d+\.[0-9a-f]{8}\.tmp")


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to (and read back), which appears under `path` when the block ends without an error.

    Until then it has a temporary name beside `path`; an error or Ctrl-C removes it, a kill leaves it to
    `remove_leftovers`. What was under `path` before stays until then. Folders are made where missing.

    Raises
    ------
    StorageError
        When the disk is full or read-only, or the folder may not be written to.
    """
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = new_file(temporary, partial(cannot, "write", path))
    except OSError as error:
        raise cannot("write", path, error) from error
    try:
        with file:
            yield file
            sync(file, partial(cannot, "write", path))
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and (error.errno in WRITE_ERRNOS or error.filename == str(temporary)):
            raise cannot("write", path, error) from error
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file; it appears complete or not at all."""
    with writing(path) as file:
        file.write(data)


def write_json(path: Path, obj: object) -> None:
    """Write JSON for people to read (indented, keys sorted); NaN and infinities are refused with ValueError."""
    text = json.dumps(obj, indent=2, sort_keys=True, allow_nan=False, default=_as_dict)
    write_bytes(path, f"{text}\n".encode("ascii"))


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises
    ------
    StorageError
        When the file is missing or damaged; names the place.
    """
    try:
        return json.loads(path.read_bytes().decode("utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise cannot("read", path, error) from error
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path}: not valid JSON: {error}; delete it and run the command again") from error


def canonical_json(obj: object) -> bytes:
    r"""JSON for hashing: sorted keys, no spaces, ASCII, floats as `repr`; NaN and infinities are refused.

    Equal values give equal bytes on every machine; 1 and 1.0 differ.

    >>> canonical_json({"b": (1, 2.50), "a": "µs"})
    b'{"a":"\\u00b5s","b":[1,2.5]}'
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_as_dict)
    return text.encode("ascii")


def remove_leftovers(folder: Path) -> int:
    """Delete the temporary files that killed writers left below a folder; how many there were.

    Nobody may be writing below the folder meanwhile. Other hidden files are left alone.
    """
    leftovers = [path for path in folder.rglob(".*.tmp") if _TEMPORARY.fullmatch(path.name) and path.is_file()]
    for path in leftovers:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot("delete", path, error) from error
    return len(leftovers)


def temporary_beside(path: Path) -> Path:
    """A name that nobody else uses, in the same folder: a rename within a folder is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def is_temporary_of(path: Path, candidate: Path) -> bool:
    """Whether `candidate` is named as `temporary_beside(path)` would."""
    return candidate.name.startswith(f".{path.name}.") and _TEMPORARY.fullmatch(candidate.name) is not None


def _as_dict(obj: object) -> dict[object, object]:
    if isinstance(obj, Mapping):
        return dict(obj)
    raise TypeError(f"{type(obj).__name__} has no JSON form")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
