"""Outputs that stores on disk rely on: one hash for each step and reader version.

When a hash differs, either the change was not meant, or the version has to be raised (stores made before are then
other stores) and the new hash recorded beside the old ones.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.signals import EventArray, Sensor

STEPS = {
    ("event_frame", 1): [
        ({"T": 5}, "55f2ee7a1e2fbcef"),
        ({"T": 5, "split_by": "time"}, "a81517149f8386c1"),
        ({"T": 1, "dtype": "uint8", "overflow": "saturate"}, "56445766f8801d55"),
    ],
}
READERS = {
    ("aedat31", 1): "f219b21ed27e19fd",
    ("nmnist", 1): "5e89a5125b5bbb7e",
}


def golden_numbers(n: int, modulus: int, seed: int) -> np.ndarray:
    """Numbers by arithmetic alone: no generator whose stream might change."""
    return (np.arange(1, n + 1, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(seed)) % np.uint64(modulus)


def golden_events() -> EventArray:
    n = 1000
    return EventArray(
        t=np.cumsum(golden_numbers(n, 97, 1)).astype(np.int64),
        x=(golden_numbers(n, 7, 2)).astype(np.uint16),
        y=(golden_numbers(n, 5, 3)).astype(np.uint16),
        p=golden_numbers(n, 2, 4).astype(bool),
        sensor=Sensor(7, 5),
    )


def golden_files() -> dict[str, bytes]:
    t, x, y, p = (golden_numbers(300, m, s).tolist() for m, s in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = np.cumsum(t).tolist()
    packet = struct.pack("<HHIIIIII", 1, 1, 8, 4, 1, 300, 300, 300) + b"".join(
        struct.pack("<II", 1 | p[i] << 1 | y[i] << 2 | x[i] << 17, t[i]) for i in range(300)
    )
    other = struct.pack("<HHIIIIII", 0, 1, 8, 4, 0, 1, 1, 1) + bytes(8)
    aedat31 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n" + other + packet
    records = [(x[i], y[i], p[i] << 23 | t[i] % 2**23) for i in range(300)]
    records[150:150] = [(0, 240, 0)]  # an overflow marker
    nmnist = b"".join(bytes((a, b)) + c.to_bytes(3, "big") for a, b, c in records)
    return {"aedat31": aedat31, "nmnist": nmnist}


def digest(*arrays: np.ndarray) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def step_cases() -> Iterator[tuple[str, int, dict, str]]:
    for steps in (registry.transforms, registry.encodings):
        for name in steps:
            version = steps[name].version
            for parameters, expected in STEPS.get((name, version), [({}, "none recorded")]):
                yield name, version, parameters, expected


@pytest.mark.parametrize(("name", "version", "parameters", "expected"), list(step_cases()))
def test_a_step_gives_what_its_version_gave(name: str, version: int, parameters: dict, expected: str) -> None:
    steps = registry.encodings if name in registry.encodings else registry.transforms
    assert digest(steps[name](**parameters)(golden_events())) == expected, f"{name} version {version} {parameters}"


@pytest.mark.parametrize("name", registry.formats.names())
def test_a_reader_gives_what_its_version_gave(name: str, tmp_path: Path) -> None:
    path = tmp_path / "golden"
    path.write_bytes(golden_files()[name])
    events = registry.formats[name].open(path, Sensor(128, 128)).events()
    assert len(events) == 300
    assert digest(events.t, events.x, events.y, events.p) == READERS.get((name, registry.formats[name].version))
