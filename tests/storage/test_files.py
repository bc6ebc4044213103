from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import FormatError, StorageError
from neurodata.storage import canonical_json, read_json, remove_leftovers, write_bytes, write_json, writing

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: BaseException) -> None:
    with writing(path) as file:
        file.write(b"half")
        raise error


def test_file_appears_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.bin"
    with writing(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert names(path.parent) == ["events.bin"]


@pytest.mark.parametrize("error", [FormatError("bad"), KeyboardInterrupt(), ConnectionResetError(104, "reset")])
def test_error_in_the_block_leaves_what_was_there_and_passes_through(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "events.bin"
    write_bytes(path, b"before")
    with pytest.raises(type(error)) as raised:
        write_half(path, error)
    assert raised.value is error
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["events.bin"]


def test_killed_writer_leaves_what_was_there_and_a_leftover_that_can_be_removed(
    tmp_path: Path, run_until_killed: Callable[..., None]
) -> None:
    path = tmp_path / "events.bin"
    write_bytes(path, b"before")
    program = """
import sys, time; from pathlib import Path; from neurodata.storage import writing
with writing(Path(sys.argv[1])) as file:
    file.write(b"half"); file.flush(); print("ready", flush=True); time.sleep(60)
"""
    run_until_killed(program, path)
    assert path.read_bytes() == b"before"
    assert len(names(tmp_path)) == 2
    assert remove_leftovers(tmp_path) == 1
    assert names(tmp_path) == ["events.bin"]


def test_leftovers_are_searched_below_and_nothing_else_is_touched(tmp_path: Path) -> None:
    kept = [".hidden.tmp", "events.tmp", ".events.bin.12.tmp", ".events.bin.12.0123abcd.tmp.npy"]
    for name in [*kept, "deeper/er/.events.bin.12.0123abcd.tmp"]:
        write_bytes(tmp_path / name, b"")
    (tmp_path / ".folder.12.0123abcd.tmp").mkdir()
    assert remove_leftovers(tmp_path) == 1
    assert names(tmp_path) == sorted([*kept, "deeper", ".folder.12.0123abcd.tmp"])
    assert names(tmp_path / "deeper" / "er") == []
    assert remove_leftovers(tmp_path / "missing") == 0


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_mode_obeys_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


def test_full_disk_is_a_storage_error_and_leaves_what_was_there(
    tmp_path: Path, largest_file: Callable[[int], None]
) -> None:
    path = tmp_path / "events.bin"
    write_bytes(path, b"before")
    largest_file(100_000)
    with pytest.raises(StorageError, match=r"events\.bin: cannot write: .*--cache"):
        write_bytes(path, bytes(200_000))
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["events.bin"]


def test_folder_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="taken: cannot write: it is a folder"):
        write_bytes(tmp_path / "taken", b"")
    assert names(tmp_path) == ["taken"]


def test_file_in_the_way_of_a_folder_is_a_storage_error(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"")
    with pytest.raises(StorageError, match="inside: cannot write: "):
        write_bytes(tmp_path / "file" / "inside", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match=r"cannot write: permission denied; choose .*--cache or \$NEURODATA_CACHE"):
        write_bytes(tmp_path / "file", b"")
    tmp_path.chmod(0o700)


def test_name_too_long_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write: the file system does not take names of this length"):
        write_bytes(tmp_path / ("x" * 250), b"")


@given(json_values)
def test_json_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    write_bytes(path, canonical_json(value))
    assert read_json(path) == value


@given(st.dictionaries(st.text(), json_values))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    reordered = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(reordered) == canonical_json(MappingProxyType(reordered))


def test_canonical_json_is_spelled_in_one_way() -> None:
    value = {"b": [0.1, 1e300, -0.0], "a": {"µ": (True, None)}, "c": np.float64(2.5)}
    assert canonical_json(value) == b'{"a":{"\\u00b5":[true,null]},"b":[0.1,1e+300,-0.0],"c":2.5}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_know_are_refused(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": [number]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file", number)
    assert names(tmp_path) == []


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="int64 has no JSON form"):
        canonical_json({"a": np.int64(1)})


@pytest.mark.parametrize(
    ("damaged", "place"),
    [
        (b'{"a": 1', "line 1 column 8"),
        (b'{"a":\n nan}', "line 2 column 2"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": "\xff"}', "position 7"),
        (b"", "line 1 column 1"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_damaged_json_names_file_and_place(tmp_path: Path, damaged: bytes, place: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match=rf"manifest\.json: not valid JSON: .*{place}"):
        read_json(path)


def test_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.json: cannot read: no such file"):
        read_json(tmp_path / "none.json")
