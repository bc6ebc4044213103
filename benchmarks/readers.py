"""What other libraries read: the kinds of files (`recordings.CASES`), how one is read whole, and the columns of that.

Each is called as its documentation says, and may leave the events in its own form as long as that has four columns:
records need not be split, packets have to be joined.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import evlib_formats, spikingjelly_event_functions
from benchmarks.recordings import CASES, SENSOR

Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


class Reader(NamedTuple):
    """A function that reads a file whole, and one that takes t, x, y, p out of what it returns."""

    read: Callable[[Path], Any]
    columns: Callable[[Any], Columns]


def attributes(events: Any) -> Columns:
    return events.t, events.x, events.y, events.p


def fields(events: Any) -> Columns:
    return events["t"], events["x"], events["y"], events["p"]


def fields_on(events: Any) -> Columns:
    """Of records whose polarity is called `on`."""
    return events["t"], events["x"], events["y"], events["on"]


def spikes(seconds: Any, units: Any) -> Columns:
    """Of a cochlea's file."""
    t = np.rint(seconds.astype(np.float64) * 1e6).astype(np.int64)
    return t, units, np.zeros(len(t), np.uint16), np.ones(len(t), np.bool_)


def tonic() -> dict[str, Reader]:
    io = import_module("tonic.io")

    # Repaired: tonic 1.7's read_dvs_ibm unpacks the header wrongly and raises ValueError.
    def aedat31(path: Path) -> Any:
        _, start, _ = io.read_aedat_header_from_file(str(path))
        events = io.get_aer_events_from_file(str(path), 3.1, start)
        address = events["address"]
        x, y, p = (address >> 17) & 0x1FFF, (address >> 2) & 0x1FFF, (address >> 1) & 1
        return io.make_structured_array(x, y, events["timeStamp"], p)

    # What its datasets of spikes do for every sample: open the file, and take two elements out of it.
    def shd(path: Path) -> Any:
        h5py, samples = import_module("h5py"), []
        with h5py.File(path) as file:
            n_samples = len(file["labels"])
        for k in range(n_samples):
            with h5py.File(path) as file:
                samples.append((file["spikes/times"][k], file["spikes/units"][k]))
        return samples

    return {
        "shd_h5": Reader(shd, lambda found: spikes(*map(np.concatenate, zip(*found, strict=True)))),
        "aedat2": Reader(lambda path: io.read_dvs_128(str(path))[1], fields),
        "aedat31": Reader(aedat31, fields),
        "aedat4_none": Reader(lambda path: io.read_aedat4(str(path)), fields),
        "aedat4_lz4": Reader(lambda path: io.read_aedat4(str(path)), fields),
        "aedat4_zstd": Reader(lambda path: io.read_aedat4(str(path)), fields),
        "nmnist": Reader(lambda path: io.read_mnist_file(str(path), io.events_struct), fields),
    }


def spikingjelly() -> dict[str, Reader]:
    functions = spikingjelly_event_functions()
    return {"aedat31": Reader(functions.load_aedat_v3, fields), "nmnist": Reader(functions.load_ATIS_bin, fields)}


def evutils() -> dict[str, Reader]:
    io = import_module("evutils.io")
    reader = Reader(lambda path: io.EventReader(str(path)).read_all(), attributes)
    return dict.fromkeys(CASES.keys() - {"es", "nmnist", "shd_h5"}, reader)


def expelliarmus() -> dict[str, Reader]:
    wizard = import_module("expelliarmus").Wizard

    def reader(encoding: str) -> Reader:
        return Reader(lambda path: wizard(encoding=encoding, fpath=path).read(), fields)

    return {"evt2": reader("evt2"), "evt3": reader("evt3"), "evt3_vectors": reader("evt3"), "dat": reader("dat")}


def faery() -> dict[str, Reader]:
    library = import_module("faery")
    text = library.CsvProperties(
        has_header=True, separator=b",", t_index=0, x_index=1, y_index=2, on_index=3,
        t_scale=0.0, on_value=b"1", off_value=b"0", skip_errors=False,
    )  # fmt: skip

    def read(path: Path) -> Any:
        size = (SENSOR.width, SENSOR.height)
        stream = library.events_stream_from_file(path, dimensions_fallback=size, csv_properties=text)
        return np.concatenate(list(stream))

    def from_below(events: Any) -> Columns:
        """Its rows of .es count from the lower left corner, which the format leaves open."""
        t, x, y, p = fields_on(events)
        return t, x, SENSOR.height - 1 - y, p

    names = ["evt2", "evt3", "evt3_vectors", "dat", "aedat4_none", "aedat4_lz4", "aedat4_zstd", "csv_events"]
    return dict.fromkeys(names, Reader(read, fields_on)) | {"es": Reader(read, from_below)}


def aedat() -> dict[str, Reader]:
    decoder = import_module("aedat").Decoder

    def read(path: Path) -> Any:
        return np.concatenate([part["events"] for part in decoder(path) if "events" in part])

    return dict.fromkeys(["aedat4_none", "aedat4_lz4", "aedat4_zstd"], Reader(read, fields_on))


def dv_processing() -> dict[str, Reader]:
    dv = import_module("dv_processing")

    def read(path: Path) -> Any:
        recording = dv.io.MonoCameraRecording(str(path))
        return np.concatenate([batch.numpy() for batch in iter(recording.getNextEventBatch, None)])

    def columns(events: Any) -> Columns:
        return events["timestamp"], events["x"], events["y"], events["polarity"]

    return dict.fromkeys(["aedat4_none", "aedat4_lz4", "aedat4_zstd"], Reader(read, columns))


def evt3() -> dict[str, Reader]:
    decode = import_module("evt3").decode_file
    reader = Reader(lambda path: decode(str(path)), lambda found: (found.timestamp, found.x, found.y, found.polarity))
    return {"evt3": reader, "evt3_vectors": reader}


def evlib() -> dict[str, Reader]:
    formats = evlib_formats()

    def columns(frame: Any) -> Columns:
        return (
            frame["t"].dt.total_microseconds().to_numpy(),
            frame["x"].to_numpy(),
            frame["y"].to_numpy(),
            frame["polarity"].to_numpy() > 0,
        )

    reader = Reader(lambda path: formats.load_events(str(path)).collect(), columns)
    return dict.fromkeys(CASES.keys() - {"es", "nmnist", "npz", "shd_h5"}, reader)


def evio() -> dict[str, Reader]:
    library = import_module("evio")
    return {"nmnist": Reader(library.read, fields), "dat": Reader(library.read, fields)}


def numpy() -> dict[str, Reader]:
    def load(path: Path) -> Any:
        with np.load(path) as found:
            return {name: found[name] for name in "txyp"}

    return {"npz": Reader(load, fields)}


def h5py() -> dict[str, Reader]:
    import_module("hdf5plugin")  # brings the filters
    file_of = import_module("h5py").File

    def load(path: Path) -> Any:
        with file_of(path) as file:
            return {name: file["events"][name][:] for name in "txyp"} | {"t_offset": file["t_offset"][()]}

    def load_spikes(path: Path) -> Any:
        with file_of(path) as file:
            return file["spikes/times"][:], file["spikes/units"][:]

    return {
        "dsec_h5": Reader(load, lambda found: (found["t"] + found["t_offset"], *fields(found)[1:])),
        "shd_h5": Reader(load_spikes, lambda found: spikes(*map(np.concatenate, found))),
    }


PEERS = (
    tonic, spikingjelly, evutils, expelliarmus, faery, aedat, dv_processing, evt3, evlib, evio, numpy, h5py,
)  # fmt: skip


def readers(cases: Iterable[str], only: str | None = None) -> dict[str, dict[str, Reader]]:
    """By case, then by name: {"aedat31": {"neurodata": ...}}, of one library only or all; absent ones go to stderr."""
    found = {case: {"neurodata": Reader(CASES[case].ours, CASES[case].columns)} for case in cases}
    for peer in PEERS:
        if only not in (None, peer.__name__):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = peer()
        except ImportError as error:
            print(f"{peer.__name__}: absent ({error})", file=sys.stderr)
            continue
        for case in found.keys() & loaded.keys():
            found[case][peer.__name__] = loaded[case]
    return found
