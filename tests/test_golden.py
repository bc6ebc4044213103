"""Outputs that stores on disk rely on: one hash for each step and reader version (those of readers in `golden/`).

When a hash differs, either the change was not meant, or the version has to be raised (stores made before are then
other stores) and the new hash recorded beside the old ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.formats import AnyFormat, CollectionFormat, Format
from neurodata.signals import EventArray, Sensor
from tests.golden.numbers import golden_numbers
from tests.signal_arrays import arrays_of

STEPS = {
    ("event_frame", 1): [
        ({"T": 5}, "55f2ee7a1e2fbcef"),
        ({"T": 5, "split_by": "time"}, "a81517149f8386c1"),
        ({"T": 1, "dtype": "uint8", "overflow": "saturate"}, "56445766f8801d55"),
    ],
    ("time_surface", 1): [
        ({"T": 5}, "fb06e9292903302c"),
        ({"T": 5, "tau_us": 3000, "decay": "linear"}, "a07579a99b6a7551"),
        ({"T": 3, "tau_us": 3000, "window_us": 10000}, "cc61ef575dba1faa"),
    ],
    ("tore", 1): [
        ({"T": 1}, "09948f69c8f5c921"),
        ({"T": 3, "k": 2, "window_us": 9000}, "49c0cc27eaf203a0"),
    ],
    ("est", 1): [
        ({"T": 9}, "cccdd13d82d403ef"),
    ],
    ("hats", 1): [
        ({}, "f76d371d3cd9ccd9"),
        ({"cell": 3, "radius": 1, "tau_us": 5000, "window_us": 20000}, "a2191d4ff22228fe"),
    ],
    ("sparse", 1): [
        ({"T": 5}, "5bff0562dbf8f080"),
        ({"T": 5, "split_by": "time"}, "67d45f1bae8363bc"),
    ],
    ("spike_raster", 1): [
        ({"bin_us": 10000, "T": 4, "neurons_per_bin": 5}, "7632f96d23a50875"),
        ({"bin_us": 2000, "origin": "first-spike", "binary": True}, "806cc5e3a1f9f571"),
        ({"bin_us": 2000, "origin": "first-spike", "binning": "spikingjelly-float16"}, "c102e9679f874a43"),
    ],
    ("voxel_grid", 1): [
        ({"T": 5}, "5015bf9dd336e5d6"),
        ({"T": 5, "per_polarity": True}, "4ef97f863213f047"),
    ],
}


def golden_events() -> EventArray:
    n = 1000
    return EventArray(
        t=np.cumsum(golden_numbers(n, 97, 1)).astype(np.int64),
        x=(golden_numbers(n, 7, 2)).astype(np.uint16),
        y=(golden_numbers(n, 5, 3)).astype(np.uint16),
        p=golden_numbers(n, 2, 4).astype(bool),
        sensor=Sensor(7, 5),
    )


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
    golden = import_module(f"tests.golden.{name}")
    path = tmp_path / "golden"
    path.write_bytes(golden.content())
    format = registry.formats[name]
    assert digest(*golden_arrays(format, path)) == golden.DIGESTS.get(format.version)


def golden_arrays(format: AnyFormat, path: Path) -> list[np.ndarray]:
    if isinstance(format, Format):
        events = format.open(path, Sensor(128, 128)).events()
        assert len(events) == 300
        return arrays_of(events)
    if isinstance(format, CollectionFormat):
        return [array for reading in format.open(path, None).readings() for array in arrays_of(reading.signal)]
    return arrays_of(format.read(path, None, None).signal)
