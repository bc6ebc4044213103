from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodata.errors import ArchiveError, NeurodataError, StorageError
from neurodata.storage import unpack

FILES = {
    "DvsGesture/user01.aedat": bytes(range(256)) * 5000,  # 1.28 MB: two pieces of reading
    "DvsGesture/user01_labels.csv": b"class,startTime_usec,endTime_usec\n1,0,5\n",
    "DvsGesture/deep/er/empty": b"",
    "README.txt": b"x" * 512,
    "z.txt": b"another one",
}


def tar_bytes(
    *members: tuple[tarfile.TarInfo, bytes], gzipped: bool = False, format: int = tarfile.PAX_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if gzipped else "w", format=format) as archive:
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def tar_file(name: str, content: bytes = b"content") -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    return entry, content


def tar_entry(name: str, kind: bytes, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry, b""


def zip_bytes(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def zip_special(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


GOOD = {
    "good.zip": zip_bytes(*FILES.items()),
    "stored.zip": zip_bytes(*FILES.items(), compression=zipfile.ZIP_STORED),
    "good.tar": tar_bytes(*(tar_file(*item) for item in FILES.items())),
    "gnu.tar": tar_bytes(*(tar_file(*item) for item in FILES.items()), format=tarfile.GNU_FORMAT),
    "good.tar.gz": tar_bytes(*(tar_file(*item) for item in FILES.items()), gzipped=True),
    "good.tgz": tar_bytes(*(tar_file(*item) for item in FILES.items()), gzipped=True),
    "name says nothing": tar_bytes(*(tar_file(*item) for item in FILES.items()), gzipped=True),
}


def write(tmp_path: Path, content: bytes, name: str = "archive") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_nothing_left(tmp_path: Path, archive: Path) -> None:
    assert {path.name for path in tmp_path.iterdir()} <= {archive.name, ".out.unpack.lock"}


@pytest.mark.parametrize("name", GOOD)
def test_everything_is_unpacked_and_nothing_else_stays(tmp_path: Path, name: str) -> None:
    archive = write(tmp_path, GOOD[name], name)
    unpack(archive, tmp_path / "new" / "out")
    assert contents(tmp_path / "new" / "out") == FILES
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"out"}


@pytest.mark.parametrize("name", GOOD)
def test_progress_is_told_in_bytes_of_the_archive(tmp_path: Path, name: str) -> None:
    told: list[tuple[str, int, int | None, str]] = []
    archive = write(tmp_path, GOOD[name], name)
    unpack(archive, tmp_path / "out", lambda *report: told.append(report))
    assert told[-1] == (f"unpack {name}", len(GOOD[name]), len(GOOD[name]), "B")
    assert max(done for _, done, _, _ in told) == len(GOOD[name])


def test_long_names_links_to_here_and_folder_entries_are_understood(tmp_path: Path) -> None:
    long = "/".join(["a" * 60] * 4) + "/µ"
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        folder = tar_entry("./", tarfile.DIRTYPE)
        inner = tar_entry("./empty/folder", tarfile.DIRTYPE)
        archive = write(tmp_path, tar_bytes(folder, inner, inner, tar_file(f"./{long}"), format=format))
        unpack(archive, tmp_path / str(format))
        assert contents(tmp_path / str(format)) == {long: b"content"}
        assert (tmp_path / str(format) / "empty" / "folder").is_dir()


def test_backslashes_of_windows_tools_are_folders(tmp_path: Path) -> None:
    unpack(write(tmp_path, zip_bytes(("Train\\0\\1.bin", b"x"))), tmp_path / "out")
    assert contents(tmp_path / "out") == {"Train/0/1.bin": b"x"}


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_modes_of_the_archive_are_not_taken_over(tmp_path: Path, umask: int) -> None:
    entry, content = tar_file("program")
    entry.mode = 0o6777
    folder, nothing = tar_entry("folder", tarfile.DIRTYPE, mode=0o7000)
    archives = {
        "tar": tar_bytes((entry, content), (folder, nothing)),
        "zip": zip_bytes((zip_special("program", stat.S_IFREG | 0o6777), b"content")),
    }
    for name, data in archives.items():
        before = os.umask(umask)
        try:
            unpack(write(tmp_path, data), tmp_path / name)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / name / "program").stat().st_mode) == 0o666 & ~umask
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o777 & ~umask
    assert stat.S_IMODE((tmp_path / "tar" / "folder").stat().st_mode) & 0o7000 == 0


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("../evil", "would lie outside the folder"),
        ("ok/../../evil", "would lie outside the folder"),
        ("ok/..", "would lie outside the folder"),
        ("..\\evil", "would lie outside the folder"),
        ("/tmp/evil", "has an absolute path"),
        ("//evil", "has an absolute path"),
        ("\\\\server\\evil", "has an absolute path"),
        ("C:\\evil", "has an absolute path"),
        ("c:evil", "has an absolute path"),
        (".", "has no name"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_member_that_would_leave_the_folder_is_named(tmp_path: Path, kind: str, name: str, finding: str) -> None:
    if kind == "zip":
        data = zip_bytes(("fine", b"fine"), (name, b"evil"))
    else:
        data = tar_bytes(tar_file("fine"), tar_file(name), gzipped=kind == "tar.gz")
    archive = write(tmp_path, data)
    with pytest.raises(ArchiveError) as error:
        unpack(archive, tmp_path / "out")
    assert f"{archive}: member {name!r} {finding}" in str(error.value)
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (tar_bytes(tar_entry("bad", tarfile.SYMTYPE, linkname="/etc/passwd")), "is a symbolic link"),
        (tar_bytes(tar_entry("bad", tarfile.SYMTYPE, linkname="inside")), "is a symbolic link"),
        (tar_bytes(tar_file("a"), tar_entry("bad", tarfile.LNKTYPE, linkname="a")), "is a hard link"),
        (tar_bytes(tar_entry("bad", tarfile.CHRTYPE, devmajor=1, devminor=3)), "is a character device"),
        (tar_bytes(tar_entry("bad", tarfile.BLKTYPE)), "is a block device"),
        (tar_bytes(tar_entry("bad", tarfile.FIFOTYPE)), "is a named pipe"),
        (zip_bytes((zip_special("bad", stat.S_IFLNK | 0o777), b"/etc/passwd")), "is a symbolic link"),
        (zip_bytes((zip_special("bad", stat.S_IFIFO | 0o666), b"")), "is a special file"),
        (zip_bytes((zip_special("bad", stat.S_IFCHR | 0o666), b"")), "is a special file"),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, data: bytes, finding: str) -> None:
    archive = write(tmp_path, data)
    with pytest.raises(ArchiveError, match=f"member 'bad' {finding}; such an archive is not unpacked"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "./a"), ("a", "a/b"), ("a/b", "a")])
def test_two_members_of_one_name_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    for data in (tar_bytes(*map(tar_file, names)), zip_bytes(*((name, b"x") for name in names))):
        archive = write(tmp_path, data)
        with pytest.raises(ArchiveError, match=f"member '{names[1]}' another member has the same name"):
            unpack(archive, tmp_path / "out")
        assert_nothing_left(tmp_path, archive)


def test_members_that_damage_hides_are_missed(tmp_path: Path) -> None:
    data = bytearray(zip_bytes(("a", b"1"), ("b", b"2"), ("c", b"3")))
    data[data.index(b"PK\x01\x02") + 32] += 47  # the comment of "a" now covers the entry of "b"
    with pytest.raises(ArchiveError, match="at its beginning: 2 members are listed, but the end record says 3"):
        unpack(write(tmp_path, bytes(data)), tmp_path / "out")


def test_names_that_differ_by_case_only_are_two_files(tmp_path: Path) -> None:
    if write(tmp_path, b"").with_name("ARCHIVE").exists():
        pytest.skip("this file system takes them for the same")
    unpack(write(tmp_path, tar_bytes(tar_file("a", b"1"), tar_file("A", b"2"))), tmp_path / "out")
    assert contents(tmp_path / "out") == {"a": b"1", "A": b"2"}


def test_encrypted_member_is_named(tmp_path: Path) -> None:
    data = bytearray(zip_bytes(("secret", b"x" * 99)))
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags_at] |= 1
    with pytest.raises(ArchiveError, match="member 'secret' is an encrypted file"):
        unpack(write(tmp_path, bytes(data)), tmp_path / "out")


@pytest.mark.parametrize("name", ["good.zip", "good.tar", "good.tar.gz"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated_archive_is_named_and_leaves_nothing(tmp_path: Path, name: str, kept: float) -> None:
    archive = write(tmp_path, GOOD[name][: int(len(GOOD[name]) * kept)], name)
    with pytest.raises(ArchiveError, match=rf"{name}: .*the archive is damaged or incomplete: delete it"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_tar_cut_between_two_members_is_truncated(tmp_path: Path) -> None:
    whole = tar_bytes(tar_file("first"), tar_file("second"))
    for data in (whole[:1024], gzip.compress(whole[:1024]), whole[:2048]):
        with pytest.raises(ArchiveError, match=r"after member '\w+': the archive ends without its end mark"):
            unpack(write(tmp_path, data), tmp_path / "out")


def test_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(tar_file("first"), tar_file("second")))
    data[1024 + 3] ^= 1
    with pytest.raises(ArchiveError, match="after member 'first': damaged header: bad checksum"):
        unpack(write(tmp_path, bytes(data)), tmp_path / "out")


def test_wrong_crc_is_found(tmp_path: Path) -> None:
    data = bytearray(GOOD["stored.zip"])
    data[1000] ^= 1
    with pytest.raises(ArchiveError, match=r"member 'DvsGesture/user01\.aedat': Bad CRC-32"):
        unpack(write(tmp_path, bytes(data)), tmp_path / "out")
    data = bytearray(GOOD["good.tar.gz"])
    data[-8] ^= 1
    with pytest.raises(ArchiveError, match=r"after member 'z\.txt': CRC check failed"):
        unpack(write(tmp_path, bytes(data)), tmp_path / "out")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(["zip", "tar.gz"]),
    place=st.floats(0, 1, exclude_max=True),
    flip=st.integers(1, 255),
)
def test_one_damaged_byte_is_either_found_or_harmless(tmp_path: Path, kind: str, place: float, flip: int) -> None:
    small = {"a/1": b"events" * 9, "b": bytes(99), "c": b""}
    members = [tar_file(*item) for item in small.items()]
    data = bytearray(zip_bytes(*small.items()) if kind == "zip" else tar_bytes(*members, gzipped=True))
    data[int(place * len(data))] ^= flip
    archive = write(tmp_path, bytes(data))
    out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    try:
        unpack(archive, out)
    except NeurodataError:
        assert not out.exists()
    else:
        # The names in a zip archive have no checksum of their own.
        assert sorted(contents(out).values()) == sorted(small.values())


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"<!DOCTYPE html><html>", "<!DOCTYP"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(600), "Rar!"),
        (bytes(10_240), "x00"),
        (b"", "b''"),
    ],
)
def test_what_is_no_archive_is_told_by_its_first_bytes(tmp_path: Path, data: bytes, head: str) -> None:
    archive = write(tmp_path, data, "file.zip")
    with pytest.raises(ArchiveError, match=rf"file\.zip: at its beginning: begins with .*{head}.*expected a zip, tar"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_gzip_of_something_else_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="at its beginning: "):
        unpack(write(tmp_path, gzip.compress(b"one recording" * 99), "events.gz"), tmp_path / "out")


@pytest.mark.parametrize("gzipped", [True, False])
def test_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gzipped: bool) -> None:
    monkeypatch.setattr("neurodata.storage._archive._UNSUSPICIOUS_BYTES", 1 << 20)
    bomb = bytes(8 << 20)
    archive = write(tmp_path, tar_bytes(tar_file("bomb", bomb), gzipped=True) if gzipped else zip_bytes(("bomb", bomb)))
    with pytest.raises(ArchiveError, match=r"member 'bomb' makes it 8,389,120 bytes, more than 200 times .* bomb\?"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_zip_that_declares_too_little_gives_no_more_than_that(tmp_path: Path) -> None:
    data = bytearray(zip_bytes(("lies", bytes(1 << 20))))
    for signature, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + size_at
        data[at : at + 4] = (1000).to_bytes(4, "little")
    archive = write(tmp_path, bytes(data))
    with pytest.raises(ArchiveError, match="member 'lies': "):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_extended_header_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 5 << 30
    archive = write(tmp_path, header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(ArchiveError, match="an extended header of 5,368,709,120 bytes"):
        unpack(archive, tmp_path / "out")


def test_disk_too_small_is_said_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000_000}))
    for name in ("good.zip", "good.tar.gz"):
        archive = write(tmp_path, GOOD[name], name)
        with pytest.raises(StorageError, match=r"good.* needs 1,28\d,\d+ bytes, the disk has 1,000,000 left"):
            unpack(archive, tmp_path / "out")
        archive.unlink()
    assert_nothing_left(tmp_path, archive)


def test_full_disk_leaves_nothing(tmp_path: Path, largest_file: Callable[[int], None]) -> None:
    archive = write(tmp_path, GOOD["good.zip"])
    largest_file(1_000_000)
    with pytest.raises(StorageError, match="out: cannot unpack archive: the file system takes no files of this size"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_existing_folder_is_left_alone_and_an_empty_one_filled(tmp_path: Path) -> None:
    archive = write(tmp_path, GOOD["good.zip"])
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    (tmp_path / "out" / "README.txt").write_text("changed")
    with pytest.raises(StorageError, match="out: exists already; delete it to unpack archive again"):
        unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "README.txt").read_text() == "changed"
    with pytest.raises(StorageError, match="exists already"):
        unpack(archive, archive)


def test_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.zip: .*no such file"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


def test_killed_run_leaves_nothing_under_the_name_and_the_next_cleans_up(
    tmp_path: Path, run_until_killed: Callable[..., None]
) -> None:
    archive = write(tmp_path, GOOD["good.tar"])
    program = """
import sys, time; from pathlib import Path; from neurodata.storage import unpack
def tell(stage, done, total, unit):
    print("ready", flush=True); time.sleep(60)
unpack(Path(sys.argv[1]), Path(sys.argv[2]), tell)
"""
    run_until_killed(program, archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert any(path.suffix == ".tmp" for path in tmp_path.iterdir())
    unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert not any(path.suffix == ".tmp" for path in tmp_path.iterdir())


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int | None, unit: str) -> None:
        raise KeyboardInterrupt

    archive = write(tmp_path, GOOD["good.zip"])
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "out", interrupt)
    assert_nothing_left(tmp_path, archive)


def test_two_runs_that_want_the_same_folder_unpack_it_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    archive, started = write(tmp_path, GOOD["good.zip"]), Barrier(2, timeout=10)

    def work(_: int) -> None:
        started.wait()
        unpack(archive, tmp_path / "out")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert contents(tmp_path / "out") == FILES
