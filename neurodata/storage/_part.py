"""The unfinished download: bytes on disk that a later run can continue."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from neurodata.errors import StorageError
from neurodata.progress import Progress, silent
from neurodata.storage._disk import cannot, sync_folder
from neurodata.storage._files import read_json, write_json
from neurodata.storage._hashes import hash_file, new_hash, parse_checksum


class Part:
    """`<name>.part` beside the target, and in `<name>.part.json` which version of which address it came from.

    The running hash covers exactly the bytes in the file. Leaving the `with` block keeps the part, unless
    it is empty: whatever ended the download, the next run goes on from there.

    Parameters
    ----------
    target
        The name that `finish` gives the file.
    checksum
        "md5:<hex>" or "sha256:<hex>" of the finished file; a part for another checksum is discarded.
    """

    def __init__(self, target: Path, checksum: str, progress: Progress = silent) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.checksum = checksum.lower()
        self.algorithm, self.expected = parse_checksum(checksum)
        self._note_path = target.with_name(f"{target.name}.part.json")
        self._note = self._read_note()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise cannot("write", self.path, error) from error
        self._hash = hash_file(self.path, self.algorithm, progress)
        self.size_bytes = self.path.stat().st_size
        if self._note.get("checksum", self.checksum) != self.checksum:
            self.empty()

    @property
    def digest(self) -> str:
        """Hash of what is there so far."""
        return self._hash.hexdigest()

    @property
    def complete(self) -> bool:
        """Whether the bytes are the expected ones; nothing else decides that."""
        return self.digest == self.expected

    def validator(self, url: str) -> str | None:
        """ETag or Last-Modified that this address gave when the part was begun."""
        return self._note.get("validator") if self._note.get("url") == url else None

    def begin(self, url: str, validator: str | None) -> None:
        """Empty the file: from here on it holds this version of this address."""
        self.empty()
        self._note = {"checksum": self.checksum, "url": url}
        if validator:
            self._note["validator"] = validator
        write_json(self._note_path, self._note)

    def append(self, chunk: bytes) -> None:
        """Add bytes to the file and to the hash."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise cannot("write", self.path, error) from error
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def empty(self) -> None:
        """Throw away what is there."""
        self._file.truncate(0)
        self._hash = new_hash(self.algorithm)
        self.size_bytes = 0

    def finish(self) -> None:
        """Give the file its name, once it is safely on disk."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._note_path.unlink(missing_ok=True)
            self.path.replace(self.target)
        except OSError as error:
            raise cannot("write", self.target, error) from error
        sync_folder(self.target.parent)

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file.closed:
            return
        self._file.close()
        if self.size_bytes == 0:
            with suppress(OSError):
                self.path.unlink()
            with suppress(OSError):
                self._note_path.unlink()

    def _read_note(self) -> dict[str, str]:
        try:
            note = read_json(self._note_path)
        except StorageError:
            return {}  # without it the part can still be continued: the checksum decides
        entries = note.items() if isinstance(note, dict) else ()
        return {name: value for name, value in entries if isinstance(value, str)}
