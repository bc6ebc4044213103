from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neurodata.errors import FormatError
from neurodata.formats import _cloud_text
from neurodata.formats._cloud_text import LIST, PASS, reference, rows, skip_lines

PATH = Path("a.xyz")


def table(text: str, plan: list[int], n_rows: int = 100) -> np.ndarray:
    raw = np.frombuffer(text.encode(), np.uint8)
    return rows(PATH, raw, 0, np.array(plan, np.int64), n_rows)[0]


digits = st.text("0123456789", max_size=30)
numbers = st.one_of(
    st.floats().map(repr),
    st.floats(width=32).map(repr),
    st.floats(-1000, 1000).map("{:.6f}".format),
    st.floats(allow_nan=False).map("{:.18e}".format),
    st.integers(-(2**70), 2**70).map(str),
    st.tuples(st.sampled_from(["", "+", "-"]), digits, digits, st.integers(-400, 400)).map(
        lambda parts: f"{parts[0]}{parts[1]}0.{parts[2]}e{parts[3]}"
    ),
    st.sampled_from(["1.", ".5", "-.5E+1", "nan", "-NaN", "inf", "+Infinity", "-0", "0e999", "1e999", "1e-999"]),
)
# Halfway between two float32, and a hair above it: rounded to float64 first, both are a tie.
TIE = "1.00000005960464477539062500"
ABOVE_TIE = "1.00000005960464477539062500000001"


@given(st.lists(st.lists(numbers, min_size=4, max_size=4), max_size=5), st.sampled_from([" ", ",", "\t", " ; "]))
@example([[TIE, ABOVE_TIE, "16777217", "0.1"]], " ")
@example([["3.4028235677973366e38", "3.4028234e38", "1.4e-45", "7e-46"]], " ")
def test_numbers_are_what_float_and_a_rounding_to_float32_give(fields: list[list[str]], between: str) -> None:
    text = "".join(between.join(row) + "\n" for row in fields)
    with np.errstate(over="ignore"):
        found = table(text, [0, 1, 2, 3]).astype(np.float32)
        expected = np.array([[float(field) for field in row] for row in fields]).astype(np.float32).reshape(-1, 4)
        by_reference = np.array([reference(between.join(row)) for row in fields], np.float32).reshape(-1, 4)
    assert np.array_equal(by_reference, expected, equal_nan=True)
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(expected))


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_whole_numbers_are_exact(number: int) -> None:
    assert table(f"{number}", [0]).tolist() == [[number]]


def test_numbers_that_take_the_long_way_may_be_more_than_its_buffer_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cloud_text, "ODD_NUMBERS", 5)
    text = "".join(f"nan {k} {TIE}\n" for k in range(50))
    found = table(text, [0, 1, 2])
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1].tolist() == list(range(50))
    assert (found[:, 2] == float(TIE)).all()


def test_empty_lines_comments_and_all_line_ends_are_passed_over() -> None:
    assert table("\n# 9 9\r\n1 2\r\r 3\t4 # 5\n \n5,6", [0, 1]).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_columns_are_ordered_and_lists_passed_over_by_the_plan() -> None:
    assert table("1 2 7 8 3 4\n5 0 6 9\n", [1, LIST, PASS, 0]).tolist() == [[4, 1], [9, 5]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2\n3 x\n", "byte 4: a field is no number: '3 x'"),
        ("1 2\n3 4x\n", "byte 4: a field is no number: '3 4x'"),
        ("1 2\n3 nano\n", "byte 4: a field is no number: '3 nano'"),
        ("1 2\n3 1_0\n", "byte 4: a field is no number"),
        ("1 2\n3 1e\n", "byte 4: a field is no number"),
        ("1 2\n3 --1\n", "byte 4: a field is no number"),
        ("1 2\n3\n", "byte 4: the row has not the 2 fields that it should have: '3'"),
        ("1 2\n3 4 5\n", "byte 4: the row has not the 2 fields"),
        ("1,,2\n", "byte 0: a field is no number"),
        ("1 2,\n", "byte 0: the row has not the 2 fields"),
    ],
)
def test_a_damaged_row_is_named_with_its_byte(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.xyz: {reason}"):
        table(text, [0, 1])


@pytest.mark.parametrize("count", ["-1", "1.5", "nan", "1e300"])
def test_the_length_of_a_list_is_a_whole_number(count: str) -> None:
    with pytest.raises(FormatError, match="byte 0: the length of a list is no whole number"):
        table(f"1 {count} 2\n", [0, LIST])
    with pytest.raises(FormatError, match="the row has not the 2 fields"):
        table("1 9007199254740991 2\n", [0, LIST])


def test_lines_are_skipped_without_the_empty_ones() -> None:
    raw = np.frombuffer(b"1\n\n2\r\n \n3", np.uint8)
    assert [skip_lines(raw, 0, n) for n in range(5)] == [(0, 0), (2, 1), (5, 2), (9, 3), (9, 3)]


DAMAGE = """
import sys
from importlib import import_module
from pathlib import Path
from tests.formats.mutations import mutations
from tests.formats.outcomes import signal_outcome as outcome
from tests.formats.test_pcd import packed_file
from neurodata import registry

contents = [(name, import_module(f"tests.golden.{name}").content()) for name in ("ply", "off", "points_xyz")]
for name, content in [*contents, ("pcd", packed_file())]:
    for mutant in mutations(content, n=150, seed=2):
        Path(sys.argv[1]).write_bytes(mutant)
        outcome(registry.formats[name], Path(sys.argv[1]))
print("read")
"""


def test_kernels_stay_inside_their_arrays_on_damaged_files(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, "-c", DAMAGE, str(tmp_path / "damaged")]
    result = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "read\n"), result.stderr
