from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import open_recording, read, write
from neurodata.formats._blocks import Columns
from neurodata.formats._csv_layout import Layout
from neurodata.formats._csv_numbers import STATE, decode, reference
from neurodata.formats.csv_events import reference as printed
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded

SENSOR = Sensor(240, 180)
WHOLE = "".join(f"{60 - k} {k % 9 * 7} {20 * k} {k % 2}\n" for k in range(50))
THREE_DECIMALS = "".join(f"{k / 100:.3f} {k % 9 * 7} {60 - k} {k % 2}\n" for k in range(50))


def text(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "events.txt"
    path.write_bytes(content.encode())
    return path


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return list(zip(*(getattr(events, name).tolist() for name in "txyp"), strict=True))


@pytest.mark.parametrize(
    "content",
    [
        "t[us],x,y,p\n5,1,2,0\n7,3,4,1\n",
        "# t[ms] x y p\n0.005 1 2 0\n0.007 3 4 1\n",
        "timestamp_ns\tx\ty\tpolarity\n5000\t1\t2\t-1\n7000\t3\t4\t1\n",
        "x, y, p, time (s)\r\n1, 2, 0, 0.000005\r\n3, 4, 1, 7e-6\r\n",
        ',"t_us","x","y","pol"\n0;5;1;2;0\n1;7;3;4;1',
        "\ufeff# made by hand\n\nts[us] x y p\n\n5 1.0 2.0e0 0\n# between\n  7 3 4 +1  \n",
    ],
)
def test_a_header_tells_order_and_unit(tmp_path: Path, content: str) -> None:
    assert rows(read(text(tmp_path, content), sensor=SENSOR)) == [(5, 1, 2, False), (7, 3, 4, True)]


def test_numbers_that_leave_one_reading_need_no_header(tmp_path: Path) -> None:
    content = "".join(f"{2.097134 + k / 1e6:.9f} {200 - k} {k % 7} {k % 2}\n" for k in range(9))
    events = read(text(tmp_path, content), sensor=SENSOR)
    assert rows(events)[:2] == [(2097134, 200, 0, False), (2097135, 199, 1, True)]


@pytest.mark.parametrize(
    ("content", "listed"),
    [
        (WHOLE, "'x y t[us] p', 'x y t[ms] p', 'x y t[ns] p'"),
        (THREE_DECIMALS, "'t[s] x y p', 't[ms] x y p', 't[us] x y p'"),
        ("1504645177.379123 3 9 1\n1504645177.379124 4 2 0\n", "'t[s] x y p', 't[ms] x y p'"),
        ("t,x,y,p\n5,1,2,0\n7,3,4,1\n", "'t[us] x y p', 't[ms] x y p', 't[ns] x y p'"),
        ("0 0 0 0\n0 1 1 1\n", "'t[us] x y p'"),
        ("x,y,p,id,t\n5,1,0,3\n", "'x y p - t[us]', 'x y p - t[ms]'"),
    ],
)
def test_more_than_one_reading_is_refused_with_all_of_them_and_the_way_out(
    tmp_path: Path, content: str, listed: str
) -> None:
    with pytest.raises(FormatError) as caught:
        read(text(tmp_path, content), sensor=SENSOR)
    assert listed in str(caught.value)
    assert "put a line such as 't[s] x y p'" in str(caught.value)
    assert "format= csv_txyp_s" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("csv_txyp_s", "0.000005 1 2 1"),
        ("csv_txyp_us", "5 1 2 1"),
        ("csv_xytp_us", "1 2 5 1"),
        ("csv_xypt_us", "1,2,1,5"),
    ],
)
def test_a_stated_format_is_read_as_stated(tmp_path: Path, name: str, row: str) -> None:
    path = text(tmp_path, f"{row}\n")
    recording = open_recording(path, format=name, sensor=SENSOR)
    assert (recording.format, rows(recording.events())) == (name, [(5, 1, 2, True)])
    path.write_text(f"t[ms] p x y\n{row}\n")
    with pytest.raises(FormatError, match=r"header tells t p x y with t in ms, not '.*' as stated; leave format= out"):
        read(path, format=name, sensor=SENSOR)


def test_times_are_rounded_to_the_nearest_microsecond(tmp_path: Path) -> None:
    times = ["0.0000014999", "0.0000015", "0.000002499999999999999999999", "1.358259599899999943e+01", "99999.9999996"]
    path = text(tmp_path, "t[s] x y p\n" + "".join(f"{t} 1 2 0\n" for t in ["-0.0000025", *times]))
    assert read(path, sensor=SENSOR).t.tolist() == [-3, 1, 2, 2, 13582596, 100_000_000_000]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7 3 4", "has not the 4 columns"),
        ("7 3 4 1 1", "has not the 4 columns"),
        ("7 3,, 1", "no number"),
        ("7 3 x 1", "no number"),
        ("7 3 4e 1", "no number"),
        ("nan 3 4 1", "no number"),
        ("7 3 4.5 1", "not a whole number from 0 to 65535"),
        ("7 -3 4 1", "not a whole number from 0 to 65535"),
        ("7 65536 4 1", "not a whole number from 0 to 65535"),
        ("7 3 4 2", "the polarity is none of"),
        ("7 3 4 -1", "the polarity is none of"),
        ("4611686018427387904 3 4 1", r"beyond 2\^62 us"),
        ("9e999999999 3 4 1", r"beyond 2\^62 us"),
        ("7 " * 200_000, "too long"),
    ],
)
def test_a_damaged_row_is_named_with_its_byte_and_text(tmp_path: Path, row: str, reason: str) -> None:
    head = "t[us] x y p\n" + "5 1 2 0\n" * 2000  # longer than the sample
    with pytest.raises(FormatError, match=rf"byte {len(head)}: .*{reason}.*: '{row[:2]}"):
        read(text(tmp_path, head + row + "\n" + "9 1 2 0\n" * 70_000), sensor=SENSOR)


def test_the_sensor_is_stated_or_told_by_the_text(tmp_path: Path) -> None:
    path = text(tmp_path, "t[us] x y p\n5 1 2 0\n")
    with pytest.raises(FormatError, match=r"does not tell its sensor: state it, as in sensor=Sensor\(240, 180\)"):
        read(path)
    assert read(text(tmp_path, "# sensor: 240x180\nt[us] x y p\n5 1 2 0\n")).sensor == SENSOR
    assert read(text(tmp_path, "240 180\n0.1234567 1 2 0\n0.1234568 7 7 1\n")).sensor == SENSOR
    assert read(path, sensor=Sensor(9, 9)).sensor == Sensor(9, 9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no row of numbers"),
        ("# nothing\n", "no row of numbers"),
        ("notes\n", "neither a row of numbers nor a header"),
        ("1 2 3\n", "a row of 3 numbers"),
        ("0.5 0.25 0.125 0.9\n", "cannot be events"),
        ("t[fortnights] x y p\n", "neither a row of numbers nor a header"),
        ("5 1\x00 2 0\n", "is no text"),
        ("9e999999999 1 2 0\n", "neither a row of numbers nor a header"),
    ],
)
def test_other_text_is_not_taken_for_events(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(FormatError, match=f"csv_events: .*{reason}"):
        read(text(tmp_path, content))


numbers = st.builds(
    lambda whole, decimals, form: format(whole, form) if not decimals else f"{whole}.{decimals}",
    st.integers(0, 10**9), st.text("0123456789", max_size=12), st.sampled_from(["d", "e"]),
)  # fmt: skip
lines = st.tuples(numbers, st.integers(0, 300), st.integers(0, 300), st.integers(0, 1), st.sampled_from(" ,;\t"))


plain_times = st.builds(
    "{}{}".format, st.integers(0, 10**19), st.sampled_from(["", ".", ".5", ".000001", ".499999999"])
)
plain_lines = st.tuples(plain_times, *[st.sampled_from(["0", "00", "7", "65535", "65536", "99999999999999999999"])] * 2)


@given(
    st.lists(st.tuples(plain_lines, st.sampled_from(["0", "1", "2", "01"]), st.sampled_from(" ,;\t")), max_size=20),
    st.sampled_from(["s", "us", "ns"]),
    st.sampled_from(["t x y p", "x y t p", "x - p y t"]),
    st.integers(0, 20),
)
def test_rows_of_digits_are_read_as_any_other_row(
    drawn: list[tuple[tuple[str, str, str], str, str]], unit: str, order: str, n_minus: int
) -> None:
    layout = Layout(tuple(order.split()), unit)
    fields = [({"t": t, "x": x, "y": y, "p": p, "-": "3"}, between) for (t, x, y), p, between in drawn]
    fields[n_minus:n_minus] = [({"t": "1", "x": "1", "y": "1", "p": "-1", "-": "3"}, " ")]
    rows_of = [between.join(found[name] for name in layout.columns) for found, between in fields]
    results = []
    for blank in ("", " "):  # a blank before the first field sends a row the long way
        raw = np.frombuffer("".join(f"{blank}{row}\n" for row in rows_of).encode(), np.uint8)
        state, columns = np.zeros(1, STATE), Columns.empty(len(rows_of))
        state["bytes_left"] = len(raw)
        decode(raw, state, columns, layout)
        n = int(state["n_events"][0])
        results.append((n, int(state["damage"][0]), [column[:n].tolist() for column in columns]))
    assert results[0] == results[1]


@given(st.lists(lines, max_size=30), st.sampled_from(["s", "ms", "us", "ns"]), st.integers(1, 7), st.integers(60, 200))
def test_the_kernel_equals_its_reference_and_can_stop_anywhere(
    drawn: list[tuple[str, int, int, int, str]], unit: str, room: int, n_bytes: int
) -> None:
    layout = Layout(("t", "x", "y", "p"), unit)
    content = [separator.join(map(str, fields)) for *fields, separator in drawn]
    raw = np.frombuffer("".join(f"{line}\n" for line in content).encode(), np.uint8)
    state, at, found = np.zeros(1, STATE), 0, [Columns.empty(0)]
    while at < len(raw):
        state["bytes_left"] = len(raw) - at
        columns = Columns.empty(room)
        decode(raw[at : at + n_bytes], state, columns, layout)
        assert state["damage"][0] == 0
        found.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    assert list(zip(*(c.tolist() for c in Columns.joined(found)), strict=True)) == [
        reference(line, layout) for line in content
    ]


def test_rows_are_written_as_their_reference_and_in_pieces_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = recorded(1000, longest_step_us=10**15)
    monkeypatch.setattr("neurodata.formats._writing.EVENTS_PER_PIECE", 7)
    write(events, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"# sensor: 34x34x2\nt[us],x,y,p\n" + printed(events)
    assert read(tmp_path / "a.csv") == events


def test_real_recordings_of_eth_equal_numpy_on_every_event(recordings: Path) -> None:
    for path in sorted((recordings / "event" / "eth_txt").glob("*.txt")):
        expected = np.loadtxt(path)
        events = read(path, sensor=SENSOR)
        assert open_recording(path, sensor=SENSOR).format == "csv_events"
        assert np.array_equal(events.t, np.rint(expected[:, 0] * 1e6).astype(np.int64))
        assert all(np.array_equal(getattr(events, name), expected[:, k]) for k, name in enumerate("xyp", 1))
        assert read(path, format="csv_txyp_s", sensor=SENSOR) == events


def test_real_recordings_of_mnist_dvs_have_to_be_stated_and_equal_numpy(recordings: Path) -> None:
    paths = sorted((recordings / "event" / "mnistdvs_txt").glob("*.txt"))
    assert len(paths) == 50
    for path in paths:
        with pytest.raises(FormatError, match=r"can be 'x y t\[us\] p', 'x y t\[ms\] p', 'x y t\[ns\] p'"):
            read(path, sensor=Sensor(128, 128))
        events = read(path, format="csv_xytp_us", sensor=Sensor(128, 128))
        expected = np.loadtxt(path, dtype=np.int64)
        assert all(np.array_equal(getattr(events, name), expected[:, k]) for k, name in enumerate("xytp"))


def test_real_text_without_polarity_is_refused(recordings: Path) -> None:
    with pytest.raises(FormatError, match="csv_events: a row of 3 numbers"):
        read(recordings / "event" / "poker_txt" / "cards_test.txt")


def test_no_stated_format_is_ever_detected(tmp_path: Path) -> None:
    write(recorded(30), tmp_path / "a.csv")
    for name in ("csv_txyp_s", "csv_txyp_us", "csv_xytp_us", "csv_xypt_us"):
        assert registry.formats[name].sniff(b"", tmp_path / "a.csv") == "is read only where it is stated"


def test_faery_reads_and_writes_the_same(tmp_path: Path) -> None:
    faery = pytest.importorskip("faery", reason="needs the extra `test`")
    events = recorded(2000)
    write(events, tmp_path / "a.csv")
    plain = text(tmp_path, "\n".join((tmp_path / "a.csv").read_text().split("\n")[1:]))  # it takes one header line
    plain = plain.rename(tmp_path / "plain.csv")
    stream = faery.events_stream_from_file(plain, dimensions_fallback=(34, 34), csv_properties=faery.CsvProperties(
        has_header=True, separator=b",", t_index=0, x_index=1, y_index=2, on_index=3,
        t_scale=0.0, on_value=b"1", off_value=b"0", skip_errors=False,
    ))  # fmt: skip
    found = np.concatenate(list(stream))
    for name, field in zip("txyp", ("t", "x", "y", "on"), strict=True):
        assert np.array_equal(found[field], getattr(events, name))
    stream.to_file(tmp_path / "faery.csv")
    assert (tmp_path / "faery.csv").read_text().startswith("t,x@34,y@34,on\n")
    assert read(tmp_path / "faery.csv") == events


@pytest.mark.parametrize("number", ["1_0", "٣", "１"])
def test_numbers_are_written_in_ascii_digits_alone(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.csv").write_text(f"t[us],x,y,p\n5,{number},2,1\n", "utf-8")
    with pytest.raises(FormatError, match=r"a\.csv: byte"):
        read(tmp_path / "a.csv", format="csv_events", sensor=Sensor(20, 20))


def test_decimals_of_slow_events_are_not_taken_for_seconds(tmp_path: Path) -> None:
    rows = "".join(f"{k * 6.0015:.6f} {k % 20} {k % 7} {k % 2}\n" for k in range(500))  # 3 s in ms
    (tmp_path / "a.txt").write_text(rows)
    with pytest.raises(FormatError, match=r"the columns can be 't\[s\] x y p', 't\[ms\] x y p'"):
        read(tmp_path / "a.txt", sensor=Sensor(20, 20))
