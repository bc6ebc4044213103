from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.errors import StoreError
from neurodata.store import Counts, SampleRow, StoreHead
from neurodata.store._records import check_seal, parse, seal
from tests.store.stores import head_of, layout_of


def test_counts_add_up_reason_by_reason() -> None:
    total = Counts(5, 3, {"late": 2}, {"clipped": 1}) + Counts(4, 3, {"off sensor": 1}, {"clipped": 2})
    assert total == Counts(9, 6, {"late": 2, "off sensor": 1}, {"clipped": 3})


@pytest.mark.parametrize(
    "counts",
    [
        Counts(5, 3, {"late": 1}),  # one event is lost
        Counts(5, 6, {}),  # one is invented
        Counts(5, 6, {"late": -1}),  # adds up, but not of counts
        Counts(1, 1, {}, {"clipped": -1}),
    ],
)
def test_counts_that_do_not_add_up_are_refused(counts: Counts) -> None:
    with pytest.raises(StoreError, match=r"shard 3: \d events read"):
        counts.check("shard 3")


@pytest.mark.parametrize(
    ("key", "group"),
    [("", ""), ("a\0b", ""), ("a", "b\0"), ("\udc80", "")],  # the last: a file name that is not UTF-8
)
def test_text_that_cannot_be_stored_is_refused(key: str, group: str) -> None:
    with pytest.raises(StoreError, match="UTF-8"):
        SampleRow(key, 0, group)


def test_a_target_beyond_64_bits_is_refused() -> None:
    with pytest.raises(StoreError, match="64 bits"):
        SampleRow("a", 2**63, "")


def test_a_head_comes_back_from_json_with_plain_lists() -> None:
    head = head_of(layout_of(), recipe={"steps": ({"name": "event_frame"},)})
    again = StoreHead.from_json(json.loads(json.dumps(head.to_json())))
    assert again == head_of(layout_of(), recipe={"steps": [{"name": "event_frame"}]})


def test_a_seal_holds_whatever_the_order_of_entries() -> None:
    record = parse(seal({"b": 1.5, "a": [1, "µ"]}, "sha256"), Path("x.json"))
    check_seal(dict(sorted(record.items(), reverse=True)), "sha256", Path("x.json"))


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
ENTRIES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
ROWS = st.lists(st.dictionaries(st.text(max_size=3), SCALARS, max_size=3), max_size=3)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3).filter(lambda name: name != "seal"), ENTRIES | ROWS, max_size=4))
def test_a_sealed_record_is_json_indented_by_one_space_with_its_keys_sorted(record: dict[str, object]) -> None:
    raw = seal(record, "seal")
    check_seal(parse(raw, Path("r.json")), "seal", Path("r.json"))
    assert raw == (json.dumps(json.loads(raw), indent=1, sort_keys=True) + "\n").encode()


def test_a_changed_entry_breaks_the_seal() -> None:
    record = parse(seal({"a": 1}, "sha256"), Path("x.json"))
    with pytest.raises(StoreError, match=r"x\.json: says sha256"):
        check_seal({**record, "a": 2}, "sha256", Path("x.json"))


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'{"a": NaN}', b"\xff{}", b'{"a": 1}{', b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(StoreError, match=r"x\.json: "):
        parse(raw, Path("x.json"))
