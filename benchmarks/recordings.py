"""The files that readers are measured on: one generated recording in every format, and what the file then holds."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from neurodata.formats import open_collection, read, write
from neurodata.formats._blocks import Columns
from neurodata.formats.aedat4 import write_file as write_aedat4
from neurodata.signals import EventArray, Sensor

SENSOR = Sensor(128, 128)  # the largest that every format holds
SPIKES_PER_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of file.

    Parameters
    ----------
    suffix
        Of the file name: some readers look at nothing else.
    make
        (events, path): writes the file, and returns the columns t, x, y, p of the events that it holds.
    ours
        (path): reads it whole.
    columns
        Takes the columns out of what `ours` returns.
    """

    suffix: str
    make: Callable[[EventArray, Path], Any]
    ours: Callable[[Path], Any] = lambda path: read(path, sensor=SENSOR)
    columns: Callable[[Any], Columns] = lambda events: Columns(events.t, events.x, events.y, events.p)


def generated(n: int) -> EventArray:
    """Events at 2 MHz, on any pixel."""
    rng = np.random.default_rng(0)
    steps_us = rng.integers(0, 2, n)  # mean 0.5 us: 12 million events stay below the 8.4 s of N-MNIST
    return EventArray(
        t=np.cumsum(steps_us, dtype=np.int64),
        x=rng.integers(0, 128, n).astype(np.uint16),
        y=rng.integers(0, 128, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=SENSOR,
    )


def _written(format: str) -> Callable[[EventArray, Path], EventArray]:
    def make(events: EventArray, path: Path) -> EventArray:
        write(events, path, format)
        return events

    return make


def _aedat4(compression: Any, events: EventArray, path: Path) -> EventArray:
    write_aedat4(events, path, compression=compression)
    return events


def _aedat4_zstd(events: EventArray, path: Path) -> EventArray:
    """As DV writes it when it is told to: the packets of an uncompressed file, each packed by Zstandard."""
    compressor = import_module("zstandard").ZstdCompressor()
    write_aedat4(events, path, compression="none")
    content = path.read_bytes()
    at = 18 + struct.unpack_from("<I", content, 14)[0]
    head = bytearray(content[:at].replace(b">NONE<", b">ZSTD<"))
    struct.pack_into("<i", head, 46, 3)  # the field of our header that tells the compression
    with path.open("wb") as file:
        file.write(head)
        while at < len(content):
            stream, n_bytes = struct.unpack_from("<ii", content, at)
            packed = compressor.compress(content[at + 8 : at + 8 + n_bytes])
            file.write(struct.pack("<ii", stream, len(packed)) + packed)
            at += 8 + n_bytes
    return events


def _evt21_legacy(events: EventArray, path: Path) -> EventArray:
    """The order of words of the IMX636, which other readers know: the upper half first."""
    write(events, path, "evt21")
    head, end, body = path.read_bytes().partition(b"% end\n")
    halves = np.frombuffer(body, "<u4").reshape(-1, 2)[:, ::-1]
    head = head.replace(b"EVT21;", b"EVT21;endianness=legacy;").replace(b"% endianness little\n", b"")
    path.write_bytes(head + end + halves.tobytes())
    return events


def _evt3_vectors(events: EventArray, path: Path) -> EventArray:
    """Vectors of 32 columns, a fifth of them set, as cameras write them; about as many events as given."""
    rng = np.random.default_rng(1)
    n_vectors = max(1, len(events) * 5 // 32)
    is_set = rng.random((n_vectors, 32)) < 0.2
    t = np.cumsum(rng.integers(0, 6, n_vectors))
    y, first_x, on = rng.integers(0, 128, n_vectors), rng.integers(0, 97, n_vectors), rng.integers(0, 2, n_vectors)
    bits = is_set @ (1 << np.arange(32))
    words = np.stack(
        [
            0x6000 | t & 0xFFF,
            y,
            0x3000 | on << 11 | first_x,
            0x4000 | bits & 0xFFF,
            0x4000 | bits >> 12 & 0xFFF,
            0x5000 | bits >> 24,
        ],
        axis=1,
    )
    high = t >> 12
    is_new = np.flatnonzero(np.diff(high, prepend=-1))
    body = np.insert(words.ravel(), is_new * words.shape[1], 0x8000 | high[is_new] & 0xFFF).astype("<u2")
    path.write_bytes(b"% evt 3.0\n% format EVT3;height=128;width=128\n% geometry 128x128\n% end\n" + body.tobytes())
    vector, column = np.nonzero(is_set)
    x = (first_x[vector] + column).astype(np.uint16)
    return EventArray(t[vector], x, y[vector].astype(np.uint16), on[vector] == 1, SENSOR)


def _text(events: EventArray, path: Path) -> EventArray:
    """Rows under the one header line that other readers know."""
    write(events, path, "csv_events")
    content = path.read_bytes()
    path.write_bytes(b"t,x,y,p\n" + content[content.index(b"p\n") + 2 :])
    return events


def _shd(events: EventArray, path: Path) -> Columns:
    """Samples of 10,000 spikes as the Heidelberg data has them: seconds as float16, each sample from 0 on."""
    h5py = import_module("h5py")
    firsts = range(0, len(events), SPIKES_PER_SAMPLE)
    seconds = [
        ((events.t[k : k + SPIKES_PER_SAMPLE] - events.t[k]) * 1e-4).astype(np.float16) for k in firsts
    ]  # about half a second
    units = [events.x[k : k + SPIKES_PER_SAMPLE] for k in firsts]
    with h5py.File(path, "w") as file:
        for name, column, dtype in (("times", seconds, np.float16), ("units", units, np.uint16)):
            dataset = file.create_dataset(f"spikes/{name}", (len(column),), h5py.vlen_dtype(dtype))
            for k, values in enumerate(column):
                dataset[k] = values
        file["labels"] = np.zeros(len(seconds), np.uint8)
    t = np.rint(np.concatenate(seconds).astype(np.float64) * 1e6).astype(np.int64)
    return Columns(t, events.x, np.zeros(len(t), np.uint16), np.ones(len(t), np.bool_))


def _read_samples(path: Path) -> list[EventArray]:
    return [cast(EventArray, reading.signal) for reading in open_collection(path).readings()]


CASES = {
    "aedat2": Case(".aedat", _written("aedat2")),
    "aedat31": Case(".aedat", _written("aedat31")),
    "aedat4_none": Case(".aedat4", partial(_aedat4, "none")),
    "aedat4_lz4": Case(".aedat4", partial(_aedat4, "lz4")),
    "aedat4_zstd": Case(".aedat4", _aedat4_zstd),
    "evt2": Case(".raw", _written("evt2")),
    "evt21": Case(".raw", _evt21_legacy),
    "evt3": Case(".raw", _written("evt3")),
    "evt3_vectors": Case(".raw", _evt3_vectors),
    "dat": Case(".dat", _written("dat")),
    "es": Case(".es", _written("es")),
    "nmnist": Case(".bin", _written("nmnist")),
    "csv_events": Case(".csv", _text, partial(read, format="csv_txyp_us", sensor=SENSOR)),
    "npz": Case(".npz", _written("npz")),
    "dsec_h5": Case(".h5", _written("dsec_h5")),
    "shd_h5": Case(
        ".h5", _shd, _read_samples, lambda samples: Columns.joined([Columns(s.t, s.x, s.y, s.p) for s in samples])
    ),
}
