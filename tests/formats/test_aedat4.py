from __future__ import annotations

import struct
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError, MissingExtraError
from neurodata.formats import _aedat4_packets, open_recording, read, write
from neurodata.formats._aedat4_packets import PacketError, fill, packet, reference, unpacked
from neurodata.formats._blocks import BlockRecording, Columns
from neurodata.formats._flatbuffer import FlatbufferError, Table
from neurodata.formats.aedat4 import write_file
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded

NONE, LZ4, LZ4_HIGH, ZSTD, ZSTD_HIGH = range(5)
EVENTS, FRAMES, MOTION = "EVTS", "FRME", "IMUS"


def stream_node(number: int | str, kind: str, size: tuple[int, int] | None = (30, 20)) -> str:
    info = "" if size is None else "".join(
        f'<attr key="size{axis}" type="int">{n}</attr>' for axis, n in zip("XY", size, strict=True)
    )  # fmt: skip
    return (
        f'<node name="{number}"><attr key="typeIdentifier" type="string">{kind}</attr>'
        f'<node name="info">{info}</node></node>'
    )


def xml(*nodes: str) -> bytes:
    return f'<dv version="2.0"><node name="outInfo">{"".join(nodes)}</node></dv>'.encode()


def header(text: bytes, compression: int = NONE, table_at: int = -1) -> bytes:
    table = struct.pack("<I4s6x5HiiIq", 24, b"IOHE", 10, 20, 4, 12, 8, 10, compression, 12, table_at)
    buffer = table + struct.pack("<I", len(text)) + text
    return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(buffer)) + buffer


def body(*events: tuple[int, int, int, int]) -> bytes:
    """A buffer without its size in front; events are t, x, y, p."""
    return struct.pack("<I4s2x3HiII", 16, b"EVTS", 6, 8, 4, 6, 4, len(events)) + b"".join(
        struct.pack("<qhhB3x", *event) for event in events
    )


def sized(buffer: bytes) -> bytes:
    return struct.pack("<I", len(buffer)) + buffer


def packet_of(stream: int, content: bytes) -> bytes:
    return struct.pack("<ii", stream, len(content)) + content


HEADER = header(xml(stream_node(0, EVENTS), stream_node(1, FRAMES), stream_node(2, MOTION)))
SOUND = packet_of(0, sized(body((5, 1, 2, 0), (6, 3, 4, 1))))
AT = len(HEADER) + len(SOUND)


def recording_of(folder: Path, *parts: bytes, head: bytes = HEADER, sensor: Sensor | None = None) -> BlockRecording:
    path = folder / "recording.aedat4"
    path.write_bytes(head + b"".join(parts))
    found: BlockRecording = registry.formats["aedat4"].open(path, sensor)
    return found


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return list(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True))


def test_events_are_structs_of_16_bytes(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, packet_of(0, sized(body((2**40 + 5, 29, 19, 1), (2**40 + 6, 0, 7, 0)))))
    assert recording.sensor == Sensor(30, 20)
    assert rows(recording.events()) == [(2**40 + 5, 29, 19, True), (2**40 + 6, 0, 7, False)]


def test_packets_of_other_streams_are_skipped_and_counted(tmp_path: Path) -> None:
    head = header(xml(*(stream_node(k, kind) for k, kind in enumerate([FRAMES, MOTION, "TRIG", "BBOX", EVENTS]))))
    other = [packet_of(k, b"no flatbuffer") for k in (0, 1, 1, 2, 3)]
    recording = recording_of(tmp_path, *other, packet_of(4, body((5, 1, 2, 0))), other[0], head=head)
    assert rows(recording.events()) == [(5, 1, 2, False)]
    assert recording.findings == {
        "frame packets": 2, "IMU packets": 2, "trigger packets": 1, "packets of other types": 1,
    }  # fmt: skip


def test_a_flatbuffer_may_come_without_its_size_and_a_packet_without_events(tmp_path: Path) -> None:
    no_vector = struct.pack("<I4s2x2H2xi", 16, b"EVTS", 4, 4, 6)
    parts = [packet_of(0, part) for part in (body((5, 1, 2, 0)), sized(body()), no_vector, sized(body((6, 3, 4, 1))))]
    assert rows(recording_of(tmp_path, *parts).events()) == [(5, 1, 2, False), (6, 3, 4, True)]


def test_late_events_are_sorted_across_packets_and_counted(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, *(packet_of(0, body((t, k, 0, 0))) for k, t in enumerate([10, 30, 20, 30, 10])))
    assert [(t, x) for t, x, _, _ in rows(recording.events())] == [(10, 0), (10, 4), (20, 2), (30, 1), (30, 3)]
    assert recording.findings == {"late": 2}
    assert [x for part in recording.packets(2) for x in part.x.tolist()] == [0, 4, 2, 1, 3]
    assert recording.events(20, 30).x.tolist() == [2]


@given(st.binary(max_size=160))
def test_the_kernel_equals_its_reference(noise: bytes) -> None:
    words = np.frombuffer(noise[: len(noise) // 16 * 16], "<u4")
    columns = Columns.empty(len(words) // 4)
    fill(words, *columns)
    assert all(np.array_equal(a, b) for a, b in zip(columns, reference(words), strict=True))


@pytest.mark.parametrize("compression", [NONE, LZ4, LZ4_HIGH, ZSTD, ZSTD_HIGH])
def test_every_compression_is_read(tmp_path: Path, compression: int) -> None:
    lz4, zstandard = pytest.importorskip("lz4.frame"), pytest.importorskip("zstandard")
    compress = {
        NONE: bytes,
        LZ4: lz4.compress,  # states its size
        LZ4_HIGH: lambda content: lz4.compress(content, compression_level=9, store_size=False),
        ZSTD: zstandard.ZstdCompressor(write_content_size=False).compress,
        ZSTD_HIGH: zstandard.ZstdCompressor(level=19).compress,
    }[compression]
    events = [(k, k % 30, k % 20, k & 1) for k in range(100_000)]  # more than a piece of output
    parts = [packet_of(0, compress(sized(body(*part)))) for part in (events[:7], events[7:])]
    recording = recording_of(tmp_path, *parts, head=header(xml(stream_node(0, EVENTS)), compression))
    assert rows(recording.events()) == [(t, x, y, p == 1) for t, x, y, p in events]


@pytest.mark.parametrize(
    "text",
    [
        xml(stream_node(0, EVENTS)).replace(b'<dv version="2.0">', b'<node name="/">').replace(b"</dv>", b"</node>"),
        xml(stream_node(0, EVENTS))[len(b'<dv version="2.0">') : -len(b"</dv>")],  # outInfo is the root
        b"\n " + xml(stream_node(0, EVENTS), '<node name="note"/>') + b"\n\0\0",
    ],
)
def test_dialects_of_the_header_are_read(tmp_path: Path, text: bytes) -> None:
    recording = recording_of(tmp_path, SOUND, head=header(text))
    assert (recording.sensor, recording.n_events) == (Sensor(30, 20), 2)


@pytest.mark.parametrize("is_known", [True, False])
def test_the_table_of_contents_is_no_packet(tmp_path: Path, is_known: bool) -> None:
    text, contents = xml(stream_node(0, EVENTS)), b"a table of contents"
    at = len(header(text)) + len(SOUND)
    if is_known:
        assert recording_of(tmp_path, SOUND, contents, head=header(text, table_at=at)).n_events == 2
    else:
        assert recording_of(tmp_path, SOUND, head=header(text, table_at=at + 5)).n_events == 2


def test_a_stated_sensor_makes_up_for_an_unknown_one(tmp_path: Path) -> None:
    for size in (None, (0, 5), (99999, 5)):
        head = header(xml(stream_node(0, EVENTS, size)))
        with pytest.raises(FormatError, match=r"the header names no sensor size: state it, as in sensor=Sensor"):
            recording_of(tmp_path, SOUND, head=head)
        assert recording_of(tmp_path, SOUND, head=head, sensor=Sensor(5, 6)).events().sensor == Sensor(5, 6)


DAMAGE = {
    "cut": (b"\0" * 7, f"byte {AT}: 7 bytes left where a packet header needs 8; .*truncated"),
    "too long": (packet_of(0, b"abc")[:-1], f"byte {AT}: packet says 3 bytes but 2 are left before byte {AT + 10}"),
    "negative": (struct.pack("<ii", 0, -1), f"byte {AT}: packet says -1 bytes but 0 are left"),
    "unknown stream": (packet_of(7, b""), f"byte {AT}: packet of stream 7, the header names 0, 1, 2"),
    "no flatbuffer": (packet_of(0, b"abc" * 9), f"byte {AT + 8}: the packet is no packet of events .no table EVTS"),
    "other type": (packet_of(0, body().replace(b"EVTS", b"IMUS")), f"byte {AT + 8}: the packet is no packet of events"),
    "root": (packet_of(0, b"\xff" * 4 + body()[4:]), f"byte {AT + 8}: .*an offset of 4294967295 in 28 bytes"),
    "vtable": (packet_of(0, body()[:16] + b"\xff\xff\xff\x7f" + body()[20:]), "an offset of -2147483631 in"),
    "too many": (packet_of(0, body()[:-4] + b"\xff" * 4), "a vector of 4294967295 items of 16 bytes, 0 bytes left"),
    "off sensor": (packet_of(0, body((7, 1, 1, 0), (8, 30, 1, 0))),
                   f"byte {AT + 8}: event at x=30, y=1 lies off the sensor 30x20x2, number 1 of the packet"),
    "negative x": (packet_of(0, body((7, -1, 1, 0))), "event at x=65535, y=1 lies off"),
    "time": (packet_of(0, body((2**62, 1, 1, 0))), f"byte {AT + 8}: times from 4611686018427387904 to "),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_with_its_byte(tmp_path: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    with pytest.raises(FormatError, match=rf"recording\.aedat4: .*{message}"):
        recording_of(tmp_path, SOUND, damage)


def test_events_of_two_cameras_are_refused(tmp_path: Path) -> None:
    head = header(xml(stream_node(0, EVENTS), stream_node(1, EVENTS)))
    empty = packet_of(1, body())
    assert recording_of(tmp_path, SOUND, empty, head=head).n_events == 2
    with pytest.raises(FormatError, match="events of stream 1 after those of stream 0: a recording of two cameras"):
        recording_of(tmp_path, SOUND, packet_of(1, body((1, 1, 1, 1))), head=head)


VERSION = b"#!AER-DAT4.0\r\n"


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"#!AER-DAT3.1\r\n", r"byte 0: does not begin with #!AER-DAT4\.0"),
        (VERSION, "byte 14: header of 0 bytes, expected 1 to 16777216 of the 0 that follow"),
        (VERSION + b"\xff" * 4 + bytes(9), "byte 14: header of 4294967295 bytes, .* of the 9 that follow"),
        (VERSION + b"\x09\0\0\0" + bytes(9), "byte 18: damaged header: no table IOHE"),
        (header(xml(stream_node(0, EVENTS)), 5), r"byte 18: compression 5; known are 0 \(none\) to 4"),
        (header(xml(stream_node(0, FRAMES))), "no event stream; the header lists 0: FRME"),
        (header(xml()), "no event stream; the header lists no stream at all"),
        (header(b"<dv>"), "byte 18: the header's XML does not parse"),
        (header(b"\xff\xfe\xfa"), "byte 18: the header's XML does not parse"),
        (header(b'<!DOCTYPE a [<!ENTITY b "c">]><dv>&b;</dv>'), "does not parse: a declaration"),
    ],
)
def test_a_header_that_does_not_serve_is_refused(tmp_path: Path, head: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        recording_of(tmp_path, head=head)


def test_frames_that_do_not_unpack_are_refused_without_the_memory_they_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lz4, zstandard = pytest.importorskip("lz4.frame"), pytest.importorskip("zstandard")
    monkeypatch.setattr(_aedat4_packets, "LARGEST_PACKET_BYTES", 1 << 22)
    content = bytes(1 << 25)
    tracemalloc.start()
    for compression, compressed in ((LZ4, lz4.compress(content)), (ZSTD, zstandard.compress(content))):
        with pytest.raises(PacketError, match=f"unpacks to more than {1 << 22} bytes|does not unpack"):
            unpacked(np.frombuffer(compressed, np.uint8), compression)
        with pytest.raises(PacketError):
            unpacked(np.frombuffer(compressed[: len(compressed) // 2], np.uint8), compression)
        with pytest.raises(PacketError, match="does not unpack with"):
            unpacked(np.frombuffer(b"no such frame", np.uint8), compression)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < len(content) + (1 << 24)
    for compression in (LZ4, ZSTD):
        with pytest.raises(PacketError):
            unpacked(np.empty(0, np.uint8), compression)


@given(st.binary(max_size=80), st.integers(0, 3))
def test_no_bytes_lead_a_table_out_of_its_buffer(noise: bytes, slot: int) -> None:
    buffer = noise[:4].ljust(4, b"\0") + b"EVTS" + noise[4:]
    try:
        table = Table(buffer, b"EVTS")
        at, n = table.vector(slot, 16)
        table.scalar(slot, "<q", 0)
    except FlatbufferError:
        return
    assert at + 16 * n <= len(buffer)


def test_an_absent_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(MissingExtraError, match=r"needs lz4: pip install neurodata-pipeline\[aedat\]"):
        recording_of(tmp_path, packet_of(0, b"a"), head=header(xml(stream_node(0, EVENTS)), LZ4))
    with pytest.raises(MissingExtraError, match=r"neurodata-pipeline\[aedat\]"):
        write(recorded(5), tmp_path / "a.aedat4")
    assert not (tmp_path / "a.aedat4").exists()
    assert recording_of(tmp_path, SOUND).n_events == 2


def test_a_written_packet_is_the_schemas() -> None:
    one = EventArray(*(np.array([v], d) for v, d in ((258, "i8"), (4, "u2"), (3, "u2"), (1, "?"))), Sensor(9, 9))
    assert packet(one, 0, NONE) == packet_of(0, sized(body((258, 4, 3, 1))))


def test_what_its_fields_do_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="65536x1x2; AEDAT 4 holds 15 bits"):
        write(EventArray.empty(Sensor(65536, 1)), tmp_path / "a.aedat4")


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_other_readers_read_what_we_write(tmp_path: Path, compression: str) -> None:
    events, path = recorded(20_000), tmp_path / "a.aedat4"
    write_file(events, path, compression=compression)
    assert read(path) == events
    aedat = pytest.importorskip("aedat")
    decoder = aedat.Decoder(path)
    assert decoder.id_to_stream() == {0: {"type": "events", "width": 34, "height": 34}}
    assert [row for part in decoder for row in part["events"].tolist()] == rows(events)
    faery = pytest.importorskip("faery")
    assert [row for part in faery.events_stream_from_file(path) for row in part.tolist()] == rows(events)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tonic_io = pytest.importorskip("tonic.io")
    assert tonic_io.read_aedat4(str(path)).size == len(events)


@pytest.mark.parametrize("compression", [None, ("lz4", 1), ("lz4", 9), ("zstd", 3)])
def test_we_read_what_faery_writes(tmp_path: Path, compression: tuple[str, int] | None) -> None:
    encoder = pytest.importorskip("faery.file_encoder")
    events, path = recorded(5000), tmp_path / "a.aedat4"
    table = np.array(rows(events), [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), (("p", "on"), "?")])
    encoder.events_to_file([table[:2000], table[2000:]], path, (34, 34), compression=compression, file_type="aedat")
    assert read(path) == events


@pytest.mark.parametrize(
    ("name", "sensor", "n_events", "findings"),
    [
        ("event/aedat4/tonic_sample", Sensor(320, 240), 111954, {"IMU packets": 59}),
        ("event/aedat4/evl_davis346_clip", Sensor(346, 260), 6676,
         {"IMU packets": 16, "trigger packets": 13, "frame packets": 4}),
        ("event/aedat4/dvproc_sample_data", Sensor(346, 260), 9193,
         {"IMU packets": 383, "trigger packets": 76, "frame packets": 25}),
        ("event/aedat4/dvproc_empty_stereo", Sensor(100, 100), 0, {}),
        ("derived/davis346_clip_none", Sensor(346, 260), 6676,
         {"IMU packets": 16, "trigger packets": 1, "frame packets": 4}),
        ("derived/davis346_clip_zstd", Sensor(346, 260), 6676,
         {"IMU packets": 16, "trigger packets": 1, "frame packets": 4}),
    ],
)  # fmt: skip
def test_real_recordings_equal_the_aedat_library(
    recordings: Path, name: str, sensor: Sensor, n_events: int, findings: dict[str, int]
) -> None:
    path = recordings / f"{name}.aedat4"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.n_events) == ("aedat4", sensor, n_events)
    assert recording.findings == findings
    aedat = pytest.importorskip("aedat")
    expected = [part["events"] for part in aedat.Decoder(path) if "events" in part]
    assert rows(recording.events()) == [row for part in expected for row in part.tolist()]


def test_a_real_recording_without_events_is_refused(recordings: Path) -> None:
    with pytest.raises(FormatError, match="no event stream; the header lists 0: FRME"):
        open_recording(recordings / "event" / "aedat4" / "gray16_synthetic.aedat4")
