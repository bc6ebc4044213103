from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError, SourceNotFoundError, UnknownNameError
from neurodata.formats import _detect, _verbs, open_recording, read, write
from neurodata.signals import EventArray, Waveform
from tests.formats.contract import SENSOR, recorded


def test_reading_gives_what_writing_got_by_extension(tmp_path: Path) -> None:
    for name in ("a.aedat", "b.bin", "c.BS2"):
        write(recorded(50), tmp_path / name)
        assert read(tmp_path / name, sensor=SENSOR) == recorded(50)


def test_a_recording_is_written_as_its_events_are(tmp_path: Path) -> None:
    write(recorded(50), tmp_path / "a.aedat")
    write(open_recording(tmp_path / "a.aedat", sensor=SENSOR), tmp_path / "b.bin")
    assert read(tmp_path / "b.bin") == recorded(50)


def test_what_is_no_signal_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="nmnist holds EventArray, not str"):
        write("events", tmp_path / "a.bin", "nmnist")  # type: ignore[arg-type]


def test_paths_may_be_text(tmp_path: Path) -> None:
    write(recorded(50), str(tmp_path / "a.bin"))
    assert open_recording(str(tmp_path / "a.bin")).format == "nmnist"


def test_an_unrecognised_file_is_refused_with_every_formats_reason(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are no events")
    with pytest.raises(
        FormatError, match=r"(?s)notes\.txt: no format .*aedat31: does not begin.*nmnist: 19 bytes are not"
    ):
        open_recording(path)


def test_noise_is_not_taken_for_headerless_events(tmp_path: Path) -> None:
    path = tmp_path / "noise.bin"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(FormatError, match="no format recognises"):
        open_recording(path)


def test_zeros_are_not_taken_for_headerless_events(tmp_path: Path) -> None:
    path = tmp_path / "zeros.bin"
    path.write_bytes(bytes(5000))
    with pytest.raises(FormatError, match="all events are the same"):
        open_recording(path)


def test_few_headerless_events_need_the_extension(tmp_path: Path) -> None:
    for name, is_refused in (("few.bin", False), ("few.dat", True)):
        write(recorded(3), tmp_path / name, format="nmnist")
        if is_refused:
            with pytest.raises(FormatError, match="3 events are too few to tell without the extension"):
                open_recording(tmp_path / name)
        else:
            assert open_recording(tmp_path / name).n_events == 3


def test_a_stated_format_is_not_sniffed_for(tmp_path: Path) -> None:
    path = tmp_path / "few.dat"
    write(recorded(3), path, format="nmnist")
    assert read(path, format="nmnist") == recorded(3)
    with pytest.raises(FormatError, match=r"byte 0: does not begin with #!AER-DAT3\.1"):
        open_recording(path, format="aedat31")
    with pytest.raises(UnknownNameError, match="no 'aedat99'"):
        open_recording(path, format="aedat99")


def test_the_extension_breaks_ties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nmnist = registry.formats["nmnist"]
    twin = replace(nmnist, name="twin", extensions=(".twin",))
    monkeypatch.setattr(_detect, "all_formats", lambda: [nmnist, twin])
    write(recorded(50), tmp_path / "a.bin", format="nmnist")
    assert open_recording(tmp_path / "a.bin").format == "nmnist"
    unnamed = (tmp_path / "a.bin").rename(tmp_path / "a")
    with pytest.raises(FormatError, match=r"can be nmnist \(\.bin \.bs2\), twin \(\.twin\); state which"):
        open_recording(unnamed)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"gone\.bin: no such file"):
        read(tmp_path / "gone.bin")


def test_writing_needs_a_format_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = EventArray.empty(SENSOR)
    with pytest.raises(
        FormatError,
        match=r"extension '\.mp4' is of no format that is written and holds this; written are .*aedat31 \(\.aedat\)",
    ):
        write(events, tmp_path / "a.mp4")
    monkeypatch.setattr(_verbs, "named", lambda name: replace(registry.formats["nmnist"], write=None))
    with pytest.raises(FormatError, match="nmnist can be read only"):
        write(events, tmp_path / "a.bin", format="nmnist")
    assert list(tmp_path.iterdir()) == []


def test_reading_adds_what_was_put_right_to_the_findings_asked_for(tmp_path: Path) -> None:
    events = recorded(50)
    np.savez(tmp_path / "a.npz", t=events.t[::-1], x=events.x, y=events.y, p=events.p)
    findings = Counter(late=1)
    read(tmp_path / "a.npz", sensor=SENSOR, findings=findings)
    assert findings["late"] > 10
    sound = tmp_path / "a.wav"
    write(Waveform(np.zeros(100, np.float32), 8000.0), sound)
    sound.write_bytes(sound.read_bytes()[:-20])
    findings = Counter()
    read(sound, findings=findings)
    assert findings == {"missing frames": 10}
