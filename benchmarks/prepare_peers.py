"""How other libraries make frames of DVS128 Gesture, each by its own code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from torch.utils.data import DataLoader

from benchmarks.peers import spikingjelly_shd_functions
from benchmarks.prepare_data import GESTURES
from benchmarks.readers import tonic

STEPS = 16


class Frames(NamedTuple):
    """Class and crc32 of the frames of one sample, uint16 [T, C, H, W]."""

    label: int
    crc: int


def frames_of(label: int, frames: Any) -> Frames:
    """What samples are compared by, in any order."""
    return Frames(label, crc32(np.ascontiguousarray(frames, np.uint16).tobytes()))


class SpikingJelly:
    """Its own `create_raw_from_extracted`, and its own function for frames in the threads that its builder uses."""

    def __init__(self) -> None:
        spikingjelly_shd_functions()
        self.dataset = import_module("spikingjelly.datasets.dvs128_gesture").DVS128Gesture
        self.utils = import_module("spikingjelly.datasets.utils")
        self.threads = import_module("spikingjelly.configure").max_threads_number_for_datasets_preprocess

    def convert(self, tree: Path, folder: Path, cores: int) -> None:
        raw, frames = folder / "events_np", folder / "frames"
        raw.mkdir(parents=True)
        frames.mkdir()
        self.dataset.create_raw_from_extracted(tree.parent, raw)
        self.utils.create_same_directory_structure(raw, frames)
        with ThreadPoolExecutor(self.threads) as executor:
            futures = [
                executor.submit(
                    self.utils.integrate_events_file_to_frames_file_by_fixed_frames_number,
                    np.load,
                    str(file),
                    str(frames / file.parent.relative_to(raw)),
                    "number",
                    STEPS,
                    *self.dataset.get_H_W(),
                )
                for file in raw.rglob("*.npz")
            ]
            for future in futures:
                future.result()

    def made(self, folder: Path) -> Iterator[Frames]:
        for file in (folder / "frames").rglob("*.npz"):
            yield frames_of(int(file.parent.name), np.load(file)["frames"])


class Tonic:
    """Its reader (repaired, see `readers.tonic`), ToFrame, and the first pass over a DiskCachedDataset of these.

    A worker of torch's DataLoader has the gestures of a recording in turn, and reads it once.
    """

    def __init__(self) -> None:
        self.cached = import_module("tonic").DiskCachedDataset
        self.transforms = import_module("tonic.transforms")

    def convert(self, tree: Path, folder: Path, cores: int) -> None:
        gestures = _TonicGestures(tree, self.transforms.ToFrame((128, 128, 2), n_event_bins=STEPS))
        cached = self.cached(gestures, cache_path=str(folder))
        for _ in DataLoader(cached, batch_size=GESTURES, num_workers=cores, collate_fn=len):
            pass

    def made(self, folder: Path) -> Iterator[Frames]:
        h5py = import_module("h5py")
        for path in folder.glob("*.hdf5"):
            with h5py.File(path) as file:
                yield frames_of(int(file["target/0"][()]), file["data/0"][()])


class _TonicGestures:
    """A map-style dataset of the gestures of all recordings; the one that was read last is kept."""

    def __init__(self, tree: Path, transform: Any) -> None:
        self.tree = tree
        self.transform = transform
        lists = ("trials_to_train.txt", "trials_to_test.txt")
        names = [name for one in lists for name in (tree / one).read_text().split()]
        self.rows = [
            (name, [int(cell) for cell in row.split(",")])
            for name in names
            for row in (tree / f"{Path(name).stem}_labels.csv").read_text().split()[1:]
        ]
        self.last: tuple[str, Any] = ("", None)
        self.reader = tonic()["aedat31"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: int) -> tuple[Any, int]:
        name, (label, start_us, stop_us) = self.rows[k]
        if self.last[0] != name:
            self.last = (name, self.reader.read(self.tree / name))
        events = self.last[1]
        first, last = np.searchsorted(events["t"], (start_us, stop_us))
        return self.transform(events[first:last]), label - 1


def peers() -> dict[str, Any]:
    """Those that are installed."""
    found = {}
    for name, make in (("spikingjelly", SpikingJelly), ("tonic", Tonic)):
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name}: skipped, {error}", file=sys.stderr)
    return found
