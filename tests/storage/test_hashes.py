from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from neurodata.errors import ChecksumError, StorageError
from neurodata.storage import file_digest, verify_checksum

# RFC 1321, appendix A.5, and FIPS 180-2, appendix B.1.
ABC = {
    "md5": "900150983cd24fb0d6963f7d28e17f72",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
}


@pytest.fixture
def abc(tmp_path: Path) -> Path:
    path = tmp_path / "abc.bin"
    path.write_bytes(b"abc")
    return path


@pytest.mark.parametrize("algorithm", ABC)
def test_published_values_are_found_in_either_case(abc: Path, algorithm: str) -> None:
    assert file_digest(abc, algorithm) == ABC[algorithm]
    verify_checksum(abc, f"{algorithm}:{ABC[algorithm]}")
    verify_checksum(abc, f"{algorithm}:{ABC[algorithm].upper()}")


def test_large_file_is_hashed_in_pieces_and_told(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    path = tmp_path / "large.bin"
    path.write_bytes(content)
    told: list[tuple[str, int, int | None, str]] = []
    digest = file_digest(path, progress=lambda *report: told.append(report))
    assert digest == hashlib.sha256(content).hexdigest()
    assert told[-1] == ("verify large.bin", len(content), len(content), "B")
    assert len(told) == 3  # 2.56 MB, a MiB at a time


def test_wrong_checksum_names_file_found_expected_and_way_out(abc: Path) -> None:
    with pytest.raises(ChecksumError, match=rf"abc\.bin: md5 is {ABC['md5']}, expected {'0' * 32} .*delete it"):
        verify_checksum(abc, f"md5:{'0' * 32}")


def test_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none: cannot read: no such file"):
        file_digest(tmp_path / "none")


def test_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read: it is a folder"):
        verify_checksum(tmp_path, f"md5:{'0' * 32}")
