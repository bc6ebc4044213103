"""What every container of ROS messages must do beside what every format must."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from neurodata.errors import FormatError
from neurodata.formats import Format, open_recording, read
from neurodata.formats._evt3_words import words_of
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import SENSOR, FormatContract, recorded
from tests.formats.mutations import mutations
from tests.formats.outcomes import outcome
from tests.formats.ros_bags import DVS, IMU, OLD_PACKET, PACKET, PROPHESEE, Row, Sent, lists_of, peak_of_refusal, rows

EVENTS = [(1_600_000_000_000_001 + 7 * k, k % 34, k * 3 % 34, k & 1) for k in range(20)]


class BagContract(FormatContract):
    """Subclass it and say how bags and messages are built."""

    def save(self, path: Path, sent: Sequence[Sent]) -> None:
        raise NotImplementedError

    def list_message(self, events: Sequence[Row], size: tuple[int, int] = (34, 34)) -> bytes:
        raise NotImplementedError

    def packet(self, body: bytes, encoding: str = "evt3", **fields: int) -> bytes:
        raise NotImplementedError

    def write(self, format: Format, events: EventArray, folder: Path) -> Path:
        path = folder / f"recording{format.extensions[0]}"
        self.save(path, lists_of(events, self.list_message, per_message=10 if len(events) < 100 else 250))
        return path

    test_what_cannot_be_written_is_refused_and_leaves_the_old_file = None  # bags are only read

    def bag(self, format: Format, folder: Path, *sent: Sent) -> Path:
        path = folder / f"bag{format.extensions[0]}"
        self.save(path, sent)
        return path

    @pytest.mark.parametrize("type_name", [DVS, PROPHESEE])
    def test_times_are_ros_time_in_whole_microseconds(self, format: Format, tmp_path: Path, type_name: str) -> None:
        path = self.bag(format, tmp_path, Sent(self.list_message(EVENTS), "/e", type_name))
        assert rows(read(path)) == [(t, x, y, p == 1) for t, x, y, p in EVENTS]
        assert open_recording(path).sensor == SENSOR

    @pytest.mark.parametrize("type_name", [PACKET, OLD_PACKET])
    def test_the_state_of_evt3_runs_on_from_message_to_message(
        self, format: Format, tmp_path: Path, type_name: str
    ) -> None:
        events = recorded(3000, longest_step_us=4000)
        words = words_of(events, None).tobytes()
        cuts = [0, 2, 4, 1000, 1002, len(words) // 4 * 2, len(words)]
        parts = [words[first:stop] for first, stop in pairwise(cuts)]
        path = self.bag(
            format, tmp_path, *(Sent(self.packet(part, seq=k), "/e", type_name) for k, part in enumerate(parts))
        )
        recording = open_recording(path)
        assert recording.events() == events
        assert recording.events(2_000_000, 3_000_000) == events.between(2_000_000, 3_000_000)
        assert recording.findings == {}

    def test_vectors_of_evt3_hold_more_events_than_words(self, format: Format, tmp_path: Path) -> None:
        words = np.array([0x8001, 0x6002, 0x0003, 0x3800 | 5, *[0x4FFF, 0x3805] * 500], "<u2")
        recording = open_recording(self.bag(format, tmp_path, Sent(self.packet(words.tobytes()), "/e", PACKET)))
        assert recording.n_events == 6000
        assert rows(recording.events()) == [(0x1002, 5 + k % 12, 3, True) for k in range(6000)]

    def test_more_events_than_memory_should_hold_are_refused(
        self, format: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("neurodata.formats._ros_messages.MOST_EVENTS", 99)
        words = np.array([0x8001, 0x6002, 0x0003, *[0x3800, 0x4FFF] * 9], "<u2").tobytes()  # 108 events
        with pytest.raises(FormatError, match=r"byte \d+: more than 99 events in a message; send smaller ones"):
            open_recording(self.bag(format, tmp_path, Sent(self.packet(words), "/e", PACKET)))
        with pytest.raises(FormatError, match="more than 99 events in a chunk up to there"):
            open_recording(self.bag(format, tmp_path, *[Sent(self.list_message(EVENTS))] * 5))

    def test_mono_counts_nanoseconds_from_its_base(self, format: Format, tmp_path: Path) -> None:
        words = [k * 900 | 5 + k << 32 | 7 << 48 | (k & 1) << 63 for k in range(4)]
        for order, big in (("<u8", 0), (">u8", 1)):
            body = np.array(words, np.uint64).astype(order).tobytes()
            message = self.packet(body, "mono", base_ns=2_000_300, big=big)
            events = read(self.bag(format, tmp_path, Sent(message, "/e", PACKET)))
            # 2000.3, 2001.2, 2002.1, 2003.0 us
            assert rows(events) == [(2000, 5, 7, False), (2001, 6, 7, True), (2002, 7, 7, False), (2003, 8, 7, True)]

    def test_libcaer_counts_microseconds_and_wraps_within_a_message(self, format: Format, tmp_path: Path) -> None:
        pairs = [(3 << 17 | 4 << 2 | 1 << 1 | 1, 2**31 - 2), (5 << 17 | 6 << 2 | 1, 2**31 - 1), (7 << 17 | 8 << 2, 3)]
        body = np.array(pairs, "<u4").tobytes()
        base_ns = 1_700_000_000_123_456_789
        events = read(self.bag(format, tmp_path, Sent(self.packet(body, "libcaer", base_ns=base_ns), "/e", PACKET)))
        base_us = 1_700_000_000_123_456
        assert rows(events) == [
            (base_us + 2**31 - 2, 3, 4, True),
            (base_us + 2**31 - 1, 5, 6, False),
            (base_us + 2**31 + 3, 7, 8, False),
        ]

    def test_other_topics_and_triggers_are_left_out_and_lost_messages_counted(
        self, format: Format, tmp_path: Path
    ) -> None:
        word = np.array([1000 | 5 << 32 | 7 << 48], "<u8").tobytes()
        path = self.bag(
            format,
            tmp_path,
            Sent(b"anything", "/imu", IMU),
            Sent(self.packet(word, "mono", seq=5), "/e", PACKET),
            Sent(self.packet(word, "trigger", seq=1), "/t", PACKET),
            Sent(b"", "/imu", IMU),
            Sent(self.packet(word, "mono", seq=6), "/e", PACKET),
            Sent(self.packet(word, "mono", seq=9), "/e", PACKET),
        )
        recording = open_recording(path)
        assert rows(recording.events()) == [(1, 5, 7, False)] * 3
        assert recording.findings == {"messages of other topics": 2, "trigger messages": 1, "lost messages": 2}

    def test_late_events_are_sorted_across_messages_and_counted(self, format: Format, tmp_path: Path) -> None:
        sent = [Sent(self.list_message([(t, k, 0, 0)])) for k, t in enumerate([10, 30, 20, 30, 10])]
        recording = open_recording(self.bag(format, tmp_path, *sent))
        assert recording.events().x.tolist() == [0, 4, 2, 1, 3]
        assert recording.findings == {"late": 2}
        assert [x for part in recording.packets(2) for x in part.x.tolist()] == [0, 4, 2, 1, 3]

    def test_packets_may_be_taken_in_another_thread(self, format: Format, tmp_path: Path) -> None:
        packets = format.open(self.write(format, recorded(3000), tmp_path)).packets(1000)
        assert next(packets) == recorded(3000)[:1000]
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(list, packets).result() == [recorded(3000)[1000:2000], recorded(3000)[2000:]]

    def test_events_of_two_topics_are_refused_with_their_names(self, format: Format, tmp_path: Path) -> None:
        sent = [Sent(self.list_message(EVENTS), f"/{side}/events") for side in ("left", "right")]
        with pytest.raises(
            FormatError, match=r"events of several topics \(/left/events, /right/events\).*rosbag filter"
        ):
            open_recording(self.bag(format, tmp_path, *sent))

    def test_a_bag_without_a_topic_of_events_is_refused_with_what_it_has(self, format: Format, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=r"no topic of events .*; the bag has /imu \(sensor_msgs/Imu\)"):
            open_recording(self.bag(format, tmp_path, Sent(b"", "/imu", IMU)))

    def test_the_sensor_is_the_stated_one_or_the_messages_own(self, format: Format, tmp_path: Path) -> None:
        nothing_told = self.bag(format, tmp_path, Sent(self.list_message(EVENTS, (0, 0))))
        with pytest.raises(FormatError, match="does not tell its sensor: state it"):
            open_recording(nothing_told)
        assert open_recording(nothing_told, sensor=Sensor(40, 50)).events().sensor == Sensor(40, 50)
        two = self.bag(format, tmp_path, *(Sent(self.list_message(EVENTS, size)) for size in ((34, 34), (34, 35))))
        with pytest.raises(FormatError, match="a sensor 34x35x2 after 34x34x2; if both are one, state it"):
            open_recording(two)
        assert open_recording(two, sensor=Sensor(34, 35)).n_events == 40
        with pytest.raises(FormatError, match="a sensor of 65537x1 pixels"):
            open_recording(self.bag(format, tmp_path, Sent(self.list_message(EVENTS, (65537, 1)))))

    def test_a_message_that_does_not_hold_what_it_says_is_named(self, format: Format, tmp_path: Path) -> None:
        listed, packed = self.list_message(EVENTS), self.packet(b"\x01\x80", seq=3)
        bad_words = np.array([0x8001, 0x0003, 0x37FF, 0x4FFF], "<u2").tobytes()
        for message, type_name, reason in (
            (listed[:-1], DVS, r"20 events need 3\d\d|20 events need 2\d\d"),
            (listed + bytes(9), DVS, "9 bytes are left after the last field"),
            (listed[:20], DVS, r"a field of \d bytes, but \d are left"),
            (b"", DVS, "a field of 4 bytes, but 0 are left|begins with nothing, which is no plain CDR"),
            (packed[:-1], PACKET, "a field of 2 bytes, but 1 are left"),
            (self.packet(b"", "other"), PACKET, "events in the encoding 'other'; read are evt3, mono and libcaer: "),
            (self.packet(b"abc", "mono"), PACKET, "3 bytes of mono, which come in words of 8"),
            (self.packet(b"abc", "evt3"), PACKET, "1 byte left where a word needs 2"),
            (self.packet(bad_words, "evt3"), PACKET, r"vector from column 2047"),
            (self.packet(b"ab", "evt3", big=1), PACKET, "big-endian evt3"),
        ):
            path = self.bag(format, tmp_path, Sent(message, "/e", type_name))
            with pytest.raises(FormatError, match=rf"{path.name}: .* topic /e: byte \d+: ({reason})"):
                open_recording(path)

    def test_a_nanosecond_past_a_second_is_damage(self, format: Format, tmp_path: Path) -> None:
        message = self.list_message([(999_999, 1, 2, 0)]).replace(
            (999_999_000).to_bytes(4, "little"), (10**9).to_bytes(4, "little")
        )
        with pytest.raises(FormatError, match="event 0 of the message has 1000000000 nanoseconds"):
            open_recording(self.bag(format, tmp_path, Sent(message)))

    def test_a_count_of_events_asks_for_no_memory(self, format: Format, tmp_path: Path) -> None:
        message = self.list_message([])[:-4] + b"\xff\xff\xff\x7f"
        path = self.bag(format, tmp_path, Sent(message))
        assert peak_of_refusal(path, "2147483647 events need") < 1 << 20

    def test_mutated_packets_give_valid_events_or_a_format_error(self, format: Format, tmp_path: Path) -> None:
        words = words_of(recorded(60, longest_step_us=4000), None).tobytes()
        sent = [Sent(self.packet(words[k : k + 30], seq=k // 30), "/e", PACKET) for k in range(0, len(words), 30)]
        path = self.bag(format, tmp_path, *sent)
        for mutant in mutations(path.read_bytes(), n=150, seed=3):
            path.write_bytes(mutant)
            outcome(format, path, None)
