from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neurodata.errors import FormatError, MissingExtraError
from neurodata.formats import _mat
from neurodata.formats._mat import Array, opened
from tests.formats import matlab
from tests.formats.matlab import CELL, DOUBLE, FUNCTION, Cell, element, level5, packed, variable
from tests.formats.mutations import mutations

PATH = Path("a.mat")
matrices = st.sampled_from(list(matlab.CLASSES)).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4))
)


def contents(array: Array) -> Any:
    """All that an array holds, of any depth."""
    if array.kind == "cell":
        return [contents(cell) for cell in array.cells()]
    if array.kind == "char":
        return array.text()
    if array.kind == "struct":
        return {name: contents(field) for name, field in array.fields().items()}
    return array.numbers()


def loaded(content: bytes, folder: Path) -> dict[str, Any]:
    (folder / PATH).write_bytes(content)
    with opened(folder / PATH) as found:
        return {name: contents(array) for name, array in found.items()}


def outcome(path: Path) -> dict[str, Any] | FormatError:
    try:
        with opened(path) as found:
            return {name: contents(array) for name, array in found.items()}
    except FormatError as error:
        return error


def refused(content: bytes, folder: Path) -> str:
    with pytest.raises(FormatError, match=PATH.name) as caught:
        loaded(content, folder)
    return str(caught.value)


@pytest.mark.parametrize("compress", [False, True])
def test_what_scipy_saves_is_read_as_scipy_reads_it(tmp_path_factory: pytest.TempPathFactory, compress: bool) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    folder = tmp_path_factory.mktemp("scipy")

    @given(st.dictionaries(st.text("abcXYZ_019", min_size=1, max_size=31).map("v".__add__), matrices, max_size=3))
    def law(variables: dict[str, np.ndarray]) -> None:
        memory = io.BytesIO()
        scipy_io.savemat(memory, variables, do_compression=compress)
        ours, theirs = loaded(memory.getvalue(), folder), scipy_io.loadmat(io.BytesIO(memory.getvalue()))
        assert list(ours) == [name for name in theirs if not name.startswith("__")]
        for name, array in ours.items():
            assert array.shape == theirs[name].shape
            if array.size:
                assert array.dtype == theirs[name].dtype
            assert np.array_equal(array, theirs[name], equal_nan=True)

    law()


def test_cells_and_structs_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    cells = np.empty((2, 3), object)
    for k in range(6):
        cells[k % 2, k // 2] = np.arange(k, dtype=float)[None]
    memory = io.BytesIO()
    scipy_io.savemat(
        memory, {"c": cells, "s": {"x": [1, 2], "text": "ab", "inner": {"y": 3.5}}, "yes": np.array([True])}
    )
    found = loaded(memory.getvalue(), tmp_path)
    assert [member.tolist() for member in found["c"]] == [[list(range(k))] for k in range(6)]
    assert found["s"]["x"].tolist() == [[1, 2]]
    assert found["s"]["text"] == "ab"
    assert found["s"]["inner"]["y"].tolist() == [[3.5]]
    assert found["yes"].tolist() == [[1]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_both_byte_orders_and_small_elements_are_read_as_scipy_reads_them(
    tmp_path: Path, order: str, is_packed: bool
) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    raw = [
        variable("ab", np.arange(6.0).reshape(2, 3), order),
        variable("longer_name", np.array([[7]], np.int16), order),
    ]
    raw.append(matlab.array("s", DOUBLE, (1, 3), matlab.small(2, bytes([1, 2, 255]), order), order))
    content = level5(*[packed(part, order=order) if is_packed else part for part in raw], order=order)
    ours, theirs = loaded(content, tmp_path), scipy_io.loadmat(io.BytesIO(content))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ("ab", "longer_name", "s"))
    assert ours["s"].tolist() == [[1, 2, 255]]
    assert ours["ab"].dtype.isnative


def test_real_files_are_read_as_scipy_reads_them(recordings: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    paths = sorted((recordings / "event" / "mat").glob("*.mat"))
    assert paths
    for path in paths:
        theirs = scipy_io.loadmat(path)
        with opened(path) as found:
            assert [(name, array.shape) for name, array in found.items()] == [
                (name, shape) for name, shape, _ in scipy_io.whosmat(path)
            ]
            for name, array in found.items():
                if array.kind == "struct":
                    for field, member in array.fields().items():
                        assert np.array_equal(member.numbers(), theirs[name][field][0, 0])
                else:
                    assert np.array_equal(array.numbers(), theirs[name])


def test_both_versions_are_read_alike(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    variables = {
        "m": np.arange(24.0).reshape(2, 3, 4),
        "i": np.arange(3, dtype=np.uint16)[None],
        "none": np.empty((0, 3)),
        "c": Cell((2, 2), [np.array([[1.5]]), np.empty((0, 0)), Cell((1, 1), [np.array([[2]])]), "text"]),
        "s": {"x": np.array([[1, 2]]), "y": np.empty((1, 0))},
    }
    ours = loaded(level5(*(variable(name, value) for name, value in variables.items())), tmp_path)
    with_hdf5 = loaded(matlab.version73(h5py, variables), tmp_path)

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
        if isinstance(one, list):
            return len(one) == len(other) and all(map(same, one, other))
        if isinstance(one, str):
            return one == other
        return one.shape == other.shape and np.array_equal(one, other)

    assert same(ours["c"], with_hdf5["c"])
    assert same(ours, with_hdf5)
    assert ours["none"].shape == (0, 3)
    assert np.array_equal(ours["m"], variables["m"])


def test_listing_reads_the_beginning_of_each_variable_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    (tmp_path / PATH).write_bytes(level5(packed(variable("a", big)), variable("b", big)))
    tracemalloc.start()
    with opened(tmp_path / PATH) as found:
        shown = _mat.listed(found)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shown == "a (uint8 (1000, 1000)), b (uint8 (1000, 1000))"
    assert peak_bytes < 200_000


def test_a_packed_variable_made_to_fill_memory_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    n = 1 << 27
    head = variable("a", np.zeros((1, 1)))[8:-16]  # flags, dimensions, name
    body = head + struct.pack("<2I", 9, n)
    raw = struct.pack("<2I", 14, len(body) + n) + body
    deflater = zlib.compressobj(9)
    data = (
        deflater.compress(raw) + b"".join(deflater.compress(bytes(1 << 20)) for _ in range(n >> 20)) + deflater.flush()
    )
    content = level5(struct.pack("<2I", matlab.PACKED, len(data)) + data)
    tracemalloc.start()
    reason = refused(content, tmp_path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "0 bytes into what is packed at byte 136" in reason
    assert "are to become 134217" in reason
    assert "made to fill memory" in reason
    assert peak_bytes < 5_000_000


def test_a_packed_variable_of_another_size_or_checksum_is_damaged(tmp_path: Path) -> None:
    raw = variable("a", np.arange(100.0))
    for other in (raw + b"\0", raw[:-8]):
        assert "does not inflate to the 856 bytes that it declares" in refused(level5(packed(other)), tmp_path)
    content = bytearray(level5(packed(raw)))
    content[-1] ^= 1
    assert "cannot be inflated" in refused(bytes(content), tmp_path)


def test_a_cell_array_of_more_cells_than_bytes_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    content = level5(matlab.array("a", CELL, (1 << 15, 1 << 14), b""))
    assert "byte 176: 536870912 arrays in 0 bytes" in refused(content, tmp_path)


def test_cells_nested_20000_deep_are_walked_without_recursion(tmp_path: Path) -> None:
    depth = 20_000
    heads = [variable("", Cell((1, 1), []))[8:]] * (depth - 1) + [variable("a", Cell((1, 1), []))[8:]]
    parts, size = [struct.pack("<2I", 14, 0)], 8
    for head in heads:  # from within
        parts.append(struct.pack("<2I", 14, len(head) + size) + head)
        size += 8 + len(head)
    (tmp_path / PATH).write_bytes(level5(*reversed(parts)))
    with opened(tmp_path / PATH) as found:
        array, n = found["a"], 0
        while array.kind == "cell":
            (array,), n = array.cells(), n + 1
    assert (n, array.shape) == (depth, (0, 0))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\0" * 4, "byte 128: an element of type 0 with 0 bytes, where 4 are left"),
        (element(9, bytes(8)), "byte 128: an element of type 9"),
        (element(14, bytes(8)), "byte 136: flags of type 0 with 0 bytes; expected 6 with 8"),
        (variable("a", np.ones(2))[:-8], "byte 128: an element of type 14 with 64 bytes, where 64 are left"),
        (variable("a", np.ones(2)) * 2, "byte 200: a second variable a"),
        (matlab.array("a", DOUBLE, (-1, 2), b""), r"byte 160: an array of shape (-1, 2)"),
        (matlab.array("a", DOUBLE, (2**31 - 1,) * 4, b""), "an array of shape"),
        (matlab.array("a", DOUBLE, (2,), b""), "byte 152: dimensions of type 5 with 4 bytes"),
        (matlab.array("a", DOUBLE, (1, 3), element(9, bytes(16))), "16 bytes for shape (1, 3) of float64"),
        (matlab.array("a", DOUBLE, (1, 3), element(15, bytes(16))), "numbers of type 15"),
        (matlab.array("a", DOUBLE, (1, 3), b""), "an element has less than the 8 bytes of its tag"),
        (matlab.array("a", DOUBLE, (1, 1), struct.pack("<II", 9, 99)), "an element declares 99 bytes where 0 are left"),
        (matlab.array("a", DOUBLE, (1, 1), struct.pack("<II", 5 << 16 | 1, 0)), "a small element declares 5 bytes"),
        (matlab.array("a", DOUBLE, (1, 1), element(9, bytes(8)), flags=0x800), "complex double of shape"),
        (matlab.array("f", FUNCTION, (1, 1), element(14, b"")), "function of shape (1, 1); expected real numbers"),
        (matlab.array("o", 3, (1, 1), b""), "object of shape (1, 1); expected real numbers"),
        (matlab.array("s", 5, (1, 1), b""), "sparse of shape (1, 1); expected real numbers"),
        (matlab.array("s", 2, (2, 1), b""), "struct of shape (2, 1); expected one struct"),
        (matlab.array("s", 2, (1, 1), element(5, b"") + element(1, b"")), "a struct without names of its fields"),
        (matlab.array("q", 77, (1, 1), b""), "class 77 of shape (1, 1)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused_with_its_byte(tmp_path: Path, raw: bytes, reason: str) -> None:
    assert reason in refused(level5(raw), tmp_path)


def test_other_files_are_refused_in_words(tmp_path: Path) -> None:
    level4 = struct.pack("<5i", 0, 1, 1, 0, 2) + b"a\0" + bytes(200)
    assert "byte 0: does not begin as a MATLAB file of level 5 or version 7.3" in refused(level4, tmp_path)
    assert "save it again with -v7" in refused(b"MATLAB 5.0 MAT-file".ljust(128), tmp_path)
    assert "byte 512: does not begin as HDF5" in refused(b"MATLAB 7.3 MAT-file".ljust(1000), tmp_path)
    assert "byte 0" in refused(b"", tmp_path)


def test_every_truncation_and_mutation_is_read_or_refused(tmp_path: Path) -> None:
    content = level5(
        packed(variable("c", Cell((2, 1), [np.arange(9.0), Cell((1, 1), ["text"])]))),
        variable("s", {"x": np.arange(4, dtype=np.int16), "y": Cell((0, 1), [])}),
        variable("n", np.arange(6).reshape(2, 3)),
    )
    for damaged in [content[:n] for n in range(len(content))] + list(mutations(content, n=2000, seed=3)):
        (tmp_path / PATH).write_bytes(damaged)
        found = outcome(tmp_path / PATH)
        assert not isinstance(found, FormatError) or PATH.name in str(found)


def test_empty_arrays_of_version_73_have_no_values_though_dimensions_are_stored(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    content = matlab.version73(h5py, {"a": np.empty((0, 5))})
    assert loaded(content, tmp_path)["a"].shape == (0, 5)
    with h5py.File(tmp_path / PATH, "r+") as file:
        assert file["a"][()].tolist() == [0, 5]  # a reader that does not look at the attribute takes two values
        file["a"][:] = [3, 5]
    with (
        pytest.raises(FormatError, match=r"a is marked as empty, with the shape \(3, 5\)"),
        opened(tmp_path / PATH) as f,
    ):
        f["a"].numbers()


def changed73(h5py: Any, folder: Path, change: Any) -> str:
    """Why a file of version 7.3 is refused after a change."""
    variables = {"a": np.arange(4.0), "c": Cell((1, 2), [np.ones(3), np.ones(2)])}
    (folder / PATH).write_bytes(matlab.version73(h5py, variables))
    with h5py.File(folder / PATH, "r+") as file:
        change(file)
    return refused((folder / PATH).read_bytes(), folder)


def test_hostile_files_of_version_73_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")

    def replaced(name: str, kind: str, **options: Any) -> Any:
        def change(file: Any) -> None:
            del file[name]
            file.create_dataset(name, **options).attrs["MATLAB_class"] = np.bytes_(kind)

        return change

    huge = {"shape": (1 << 40,), "dtype": "f8", "chunks": (1000,)}
    assert "a: 0 bytes are to become 8796093022208" in changed73(h5py, tmp_path, replaced("a", "double", **huge))
    external = {"shape": (2,), "dtype": "f8", "external": [("/etc/hostname", 0, 16)]}
    assert "a lies in another file" in changed73(h5py, tmp_path, replaced("a", "double", **external))
    assert "expected real numbers" in changed73(h5py, tmp_path, replaced("a", "function_handle", data=b"@x"))
    assert "c is cell of type float64; expected references" in changed73(
        h5py, tmp_path, replaced("c", "cell", data=[1.0])
    )
    nothing = {"shape": (2,), "dtype": h5py.ref_dtype}
    assert "c[0] refers to nothing" in changed73(h5py, tmp_path, replaced("c", "cell", **nothing))

    def amplified(file: Any) -> None:
        big = file.create_dataset("#refs#/big", data=np.zeros(1 << 20), chunks=(1 << 20,), compression="gzip")
        big.attrs["MATLAB_class"] = np.bytes_("double")
        references = np.full(100, big.ref, h5py.ref_dtype)
        del file["c"]
        file.create_dataset("c", data=references).attrs["MATLAB_class"] = np.bytes_("cell")

    assert "bytes more than such a file holds" in changed73(h5py, tmp_path, amplified)


def test_links_to_other_files_are_left_out(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    (tmp_path / PATH).write_bytes(matlab.version73(h5py, {"a": np.arange(4.0)}))
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["b"] = 1.0
    with h5py.File(tmp_path / PATH, "r+") as file:
        file["b"] = h5py.ExternalLink("other.mat", "b")
    with opened(tmp_path / PATH) as found:
        assert list(found) == ["a"]


def test_a_cell_that_holds_itself_does_not_hang(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    (tmp_path / PATH).write_bytes(matlab.version73(h5py, {"c": Cell((1, 1), [np.ones(3)])}))
    with h5py.File(tmp_path / PATH, "r+") as file:
        file["c"][...] = file["c"].ref
    with opened(tmp_path / PATH) as found:
        assert found["c"].cells()[0].cells()[0].kind == "cell"
        with pytest.raises(FormatError, match=r"c\[0\] is cell of type object; expected real numbers"):
            found["c"].cells()[0].numbers()


def test_version_73_without_the_extra_names_it_and_level_5_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    (tmp_path / PATH).write_bytes(matlab.version73(h5py, {"a": np.arange(4.0)}))
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"neurodata-pipeline\[hdf5\]"), opened(tmp_path / PATH):
        pass
    assert loaded(level5(variable("a", np.arange(4.0))), tmp_path)["a"].tolist() == [[0, 1, 2, 3]]
