"""What every format must do: `test_contract.py` runs it for the registry, other packages subclass it for theirs."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.errors import FormatError, NeurodataError, SourceNotFoundError, StorageError
from neurodata.formats import Format, Stream, open_recording, read
from neurodata.signals import EventArray, Sensor
from tests.formats.mutations import mutations
from tests.formats.outcomes import outcome
from tests.strategies import event_arrays

SENSOR = Sensor(34, 34)
LATEST_START_US = 60_000_000
# Formats that hold less than that: their sensor, and when recordings begin at the latest.
LIMITS = {"bs1": (Sensor(34, 1), 8_000_000), "bs3": (SENSOR, 16_000_000)}


def recorded(n: int, seed: int = 0, longest_step_us: int = 40, sensor: Sensor | None = None) -> EventArray:
    """n events as a camera would see them: rising times with ties, any pixel."""
    rng = np.random.default_rng(seed)
    sensor = sensor or SENSOR
    return EventArray(
        t=np.cumsum(rng.integers(0, longest_step_us + 1, n), dtype=np.int64),
        x=rng.integers(0, sensor.width, n).astype(np.uint16),
        y=rng.integers(0, sensor.height, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=sensor,
    )


@st.composite
def recordings_of_any_length(draw: st.DrawFn) -> EventArray:
    """Events that begin within a minute, which most containers can hold (see LIMITS)."""
    events = draw(event_arrays(sensor=SENSOR))
    shift_us = draw(st.integers(0, LATEST_START_US)) - int(events.t[0] if len(events) else 0)
    return EventArray(events.t + shift_us, events.x, events.y, events.p, events.sensor)


@dataclass
class BreaksOff:
    """A stream whose file turns out to be damaged behind the first packets."""

    events: EventArray

    def __getattr__(self, name: str) -> Any:
        return getattr(self.events, name)

    def packets(self, n: int) -> Iterator[EventArray]:
        yield from self.events[: len(self.events) // 2].packets(n)
        raise FormatError("broken off")


def require_writer(format: Format) -> None:
    if format.write is None:
        pytest.skip(f"{format.name} is only read")


class FormatContract:
    """Subclass it and give the fixture `format`."""

    @pytest.fixture(autouse=True)
    def _within_limits(self, format: Format, monkeypatch: pytest.MonkeyPatch) -> None:
        sensor, latest_us = LIMITS.get(format.name, (SENSOR, LATEST_START_US))
        monkeypatch.setattr("tests.formats.contract.SENSOR", sensor)
        monkeypatch.setattr("tests.formats.contract.LATEST_START_US", latest_us)

    @pytest.fixture
    def written(self, format: Format, tmp_path: Path) -> Path:
        """A file of 3000 events."""
        return self.write(format, recorded(3000), tmp_path)

    def write(self, format: Format, events: Stream, folder: Path) -> Path:
        """A file of this format in the folder."""
        require_writer(format)
        assert format.write is not None
        path = folder / f"recording{format.extensions[0]}"
        format.write(events, path)
        return path

    def test_events_come_back_as_written(self, format: Format, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp(format.name)

        @given(recordings_of_any_length())
        def law(events: EventArray) -> None:
            assert format.open(self.write(format, events, folder), events.sensor).events() == events

        law()

    @pytest.mark.parametrize(("block_bytes", "keep"), [(40, False), (1000, False), (1000, True), (1 << 18, False)])
    def test_a_slice_is_the_whole_and_a_mask(
        self, format: Format, written: Path, block_bytes: int, keep: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", block_bytes)
        recording = format.open(written, SENSOR, keep)
        whole = recording.events()

        @given(st.tuples(*[st.none() | st.integers(-5, recording.stop_us + 5)] * 2))
        def law(window: tuple[int | None, int | None]) -> None:
            start_us, stop_us = window
            inside = (whole.t >= (start_us or 0)) & (whole.t < (recording.stop_us if stop_us is None else stop_us))
            part = recording.events(start_us, stop_us)
            assert part == EventArray(whole.t[inside], whole.x[inside], whole.y[inside], whole.p[inside], SENSOR)

        law()

    @pytest.mark.parametrize("n", [1, 7, 1000, 2999, 3000, 3001])
    @pytest.mark.parametrize("keep", [False, True])
    def test_packets_are_the_whole_in_pieces_of_n(
        self, format: Format, written: Path, n: int, keep: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
        recording = format.open(written, SENSOR, keep)
        whole = recording.events()
        packets = list(recording.packets(n))
        assert [len(packet) for packet in packets] == [min(n, 3000 - first) for first in range(0, 3000, n)]
        assert all(packet == whole[k * n : (k + 1) * n] for k, packet in enumerate(packets))

    @pytest.mark.parametrize("keep", [False, True])
    def test_packets_of_a_slice_are_the_slice_in_pieces(
        self, format: Format, written: Path, keep: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
        recording = format.open(written, SENSOR, keep)

        @settings(max_examples=20)
        @given(st.tuples(*[st.none() | st.integers(-5, recording.stop_us + 5)] * 2), st.sampled_from([1, 7, 1000]))
        def law(window: tuple[int | None, int | None], n: int) -> None:
            part = recording.events(*window)
            packets = list(recording.packets(n, *window))
            assert [len(packet) for packet in packets] == [
                min(n, len(part) - first) for first in range(0, len(part), n)
            ]
            assert all(packet == part[k * n : (k + 1) * n] for k, packet in enumerate(packets))

        law()

    def test_packets_of_less_than_one_event_are_refused(self, format: Format, written: Path) -> None:
        with pytest.raises(ValueError, match="packets of 0 events"):
            format.open(written, SENSOR).packets(0)

    def test_packets_hold_a_bounded_part_of_the_file(self, format: Format, tmp_path: Path) -> None:
        recording = format.open(self.write(format, recorded(400_000), tmp_path), SENSOR)
        tracemalloc.start()
        n_events = sum(len(packet) for packet in recording.packets(1000))
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n_events == 400_000
        assert peak_bytes < 3_000_000  # all events at once are 5.2 MB

    @pytest.mark.parametrize("n", [7, 5000])
    def test_the_bytes_do_not_depend_on_the_pieces_that_a_stream_comes_in(
        self, format: Format, tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        require_writer(format)
        events = recorded(10_000)
        path = self.write(format, events, tmp_path)
        before = path.read_bytes()
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 6000)
        monkeypatch.setattr("neurodata.formats._writing.EVENTS_PER_PIECE", n)
        assert self.write(format, format.open(path, SENSOR), tmp_path / "of_a_recording").read_bytes() == before
        assert self.write(format, events, tmp_path / "of_events").read_bytes() == before

    def test_a_recording_can_be_written_over_its_own_file(
        self, format: Format, written: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        require_writer(format)
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
        monkeypatch.setattr("neurodata.formats._writing.EVENTS_PER_PIECE", 100)
        before = written.read_bytes()
        self.write(format, format.open(written, SENSOR), written.parent)
        assert written.read_bytes() == before
        assert list(written.parent.iterdir()) == [written]

    def test_a_recording_is_written_in_bounded_memory(self, format: Format, tmp_path: Path) -> None:
        require_writer(format)
        recording = format.open(self.write(format, recorded(400_000), tmp_path), SENSOR)
        self.write(format, recorded(10), tmp_path / "warm")
        tracemalloc.start()
        self.write(format, recording, tmp_path / "again")
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 3_000_000  # all events at once are 5.2 MB

    def test_a_stream_that_breaks_off_leaves_the_old_file(self, format: Format, written: Path) -> None:
        require_writer(format)
        before = written.read_bytes()
        with pytest.raises(FormatError, match="broken off"):
            self.write(format, BreaksOff(recorded(100_000)), written.parent)
        assert written.read_bytes() == before
        assert list(written.parent.iterdir()) == [written]

    def test_a_recording_tells_what_it_holds(self, format: Format, written: Path) -> None:
        recording, events = format.open(written, SENSOR), recorded(3000)
        assert (recording.path, recording.format, recording.sensor) == (written, format.name, SENSOR)
        assert (recording.n_events, recording.start_us, recording.stop_us) == (3000, events.t[0], events.t[-1] + 1)
        assert recording.findings["late"] == 0

    def test_a_recording_without_events_is_fine(self, format: Format, tmp_path: Path) -> None:
        recording = format.open(self.write(format, EventArray.empty(SENSOR), tmp_path), SENSOR)
        assert (recording.n_events, recording.start_us, recording.stop_us) == (0, 0, 0)
        assert recording.events() == recording.events(5, 9) == EventArray.empty(SENSOR)
        assert list(recording.packets(10)) == []

    def test_the_content_tells_the_format(self, format: Format, written: Path) -> None:
        unnamed = written.rename(written.with_suffix(".recording"))
        assert open_recording(unnamed).format == format.name
        assert read(unnamed, sensor=SENSOR) == recorded(3000)

    def test_a_recording_pickles(self, format: Format, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
        recording = format.open(written, SENSOR)
        assert pickle.loads(pickle.dumps(recording)).events() == recording.events()

    def test_threads_share_a_recording(self, format: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 4000)
        recording = format.open(self.write(format, recorded(100_000), tmp_path), SENSOR)
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: recording.events(1000, 1_500_000), range(8)))
        assert all(result == results[0] for result in results)

    def test_an_event_off_the_stated_sensor_is_named_with_its_byte(self, format: Format, written: Path) -> None:
        with pytest.raises(FormatError, match=r"byte \d+: event at x=\d+, y=\d+ lies off the sensor 30x34x2"):
            format.open(written, Sensor(30, 34))

    def test_a_missing_file_and_a_folder_are_errors_that_name_them(self, format: Format, tmp_path: Path) -> None:
        with pytest.raises(SourceNotFoundError, match=r"nothing\.here: no such file"):
            format.open(tmp_path / "nothing.here")
        with pytest.raises(StorageError, match=tmp_path.name):
            format.open(tmp_path)

    def test_a_file_that_changed_since_it_was_opened_is_refused(
        self, format: Format, written: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
        recording = format.open(written, SENSOR)
        written.write_bytes(written.read_bytes()[:-100])
        with pytest.raises(FormatError, match="changed while it was being read"):
            recording.events()

    def test_every_truncation_gives_the_first_events_or_a_format_error(self, format: Format, tmp_path: Path) -> None:
        events = recorded(30)
        path = self.write(format, events, tmp_path)
        content = path.read_bytes()
        for length in range(len(content)):
            path.write_bytes(content[:length])
            found = outcome(format, path, SENSOR)
            assert isinstance(found, FormatError) or found == events[: len(found)], f"cut at {length}"
            assert not isinstance(found, FormatError) or path.name in str(found)

    def test_mutated_bytes_give_valid_events_or_a_format_error(self, format: Format, tmp_path: Path) -> None:
        path = self.write(format, recorded(60), tmp_path)
        for mutant in mutations(path.read_bytes(), n=200, seed=1):
            path.write_bytes(mutant)
            outcome(format, path, None)

    def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(self, format: Format, written: Path) -> None:
        before = written.read_bytes()
        one = recorded(1)
        early = EventArray(np.array([-1]), one.x, one.y, one.p, SENSOR)
        with pytest.raises(NeurodataError, match="-1 "):
            self.write(format, early, written.parent)
        assert written.read_bytes() == before
        assert list(written.parent.iterdir()) == [written]
