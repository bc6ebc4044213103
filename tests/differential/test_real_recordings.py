"""Real recordings, from file to stored frames, against SpikingJelly's reader and frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

import neurodata
from neurodata.encodings.event_frame import EventFrame
from neurodata.signals import EventArray, Sensor
from tests.peers import spikingjelly_event_functions

spikingjelly = spikingjelly_event_functions()


def test_gestures_cut_from_a_real_aedat_recording_equal_spikingjelly(recordings: Path, tmp_path: Path) -> None:
    source = tmp_path / "DvsGesture"
    source.mkdir()
    shutil.copy(recordings / "derived" / "aedat31_a.aedat", source / "user01_lab.aedat")
    shutil.copy(recordings / "derived" / "aedat31_a_labels.csv", source / "user01_lab_labels.csv")
    (source / "trials_to_train.txt").write_text("user01_lab.aedat\n")
    (source / "trials_to_test.txt").write_text("")
    peer = spikingjelly.load_aedat_v3(str(source / "user01_lab.aedat"))
    for split_by, peer_name in (("count", "number"), ("time", "time")):
        store = neurodata.prepare("dvs-gesture", T=16, split_by=split_by, source=source)
        assert len(store) == 2
        # Of 147,731 events two stand at the very end of a window, which is half-open.
        assert store.counts.read == store.counts.encoded == 147_729
        for index, key in enumerate(store.table.keys):
            start_us, stop_us = map(int, key.split(":")[1].split("-"))
            inside = (peer["t"] >= start_us) & (peer["t"] < stop_us)
            cut = {name: column[inside] for name, column in peer.items()}
            expected = spikingjelly.integrate_events_by_fixed_frames_number(cut, peer_name, 16, 128, 128)
            np.testing.assert_array_equal(store.read(index), expected)


def test_real_n_mnist_recordings_equal_spikingjelly(recordings: Path) -> None:
    source = recordings / "n-mnist"
    store = neurodata.prepare("n-mnist", T=10, source=source)
    assert len(store) == 800
    assert (len(store["train"]), len(store["test"])) == (700, 100)
    for index in range(0, 800, 40):
        columns = spikingjelly.load_ATIS_bin(str(source / store.table.keys[index]))
        expected = spikingjelly.integrate_events_by_fixed_frames_number(columns, "number", 10, 34, 34)
        np.testing.assert_array_equal(store.read(index), expected)
        assert store.table.targets[index] == int(store.table.keys[index].split("/")[1])


def test_frames_of_a_fixed_duration_of_real_n_mnist_recordings_equal_spikingjelly(recordings: Path) -> None:
    files = sorted((recordings / "n-mnist" / "Train" / "3").iterdir())[:5]
    for path in files:
        columns = spikingjelly.load_ATIS_bin(str(path))
        events = neurodata.read(path, sensor=Sensor(34, 34))
        assert isinstance(events, EventArray)
        for duration_us in (1_000, 20_000, events.duration_us, events.duration_us // 3):
            expected = spikingjelly.integrate_events_by_fixed_duration(columns, duration_us, 34, 34)
            np.testing.assert_array_equal(EventFrame(duration_us=duration_us)(events), expected)
