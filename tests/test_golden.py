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
from neurodata.draws import generator
from neurodata.formats import AnyFormat, CollectionFormat, Format
from neurodata.signals import EventArray, Sensor
from tests.golden.numbers import golden_numbers
from tests.golden.signals import golden_signal, rounded
from tests.signal_arrays import arrays_of
from tests.step_examples import names_for_events, names_for_others

STEPS = {
    ("event_frame", 1): [
        ({"T": 5}, "55f2ee7a1e2fbcef"),
        ({"T": 5, "split_by": "time"}, "a81517149f8386c1"),
        ({"T": 1, "dtype": "uint8", "overflow": "saturate"}, "56445766f8801d55"),
        ({"duration_us": 5000}, "b293b09b25470dbc"),
        ({"T": 6, "duration_us": 9000, "overlap_us": 2000}, "bca3112316eced69"),
        ({"events_per_frame": 300}, "02b57245fd53d4f4"),
        ({"T": 4, "events_per_frame": 300, "overlap_events": 100}, "4ef060546c703ca2"),
    ],
    ("canvas", 1): [
        ({"width": 9, "height": 4}, "754f997c2d3db1b3"),
        ({"width": 6, "height": 6, "anchor": "top-left"}, "3ecd9e9b52094703"),
        ({"width": 8, "height": 9, "policy": "pad"}, "75e8999a1cc7d832"),
        ({"width": 10, "height": 3, "policy": "scale"}, "92b02239f05555e6"),
    ],
    ("crop", 1): [
        ({"width": 4, "height": 3}, "1307852d807548ff"),
        ({"width": 4, "height": 3, "at": "random"}, "1c980daa9fc8f053"),
        ({"width": 4, "height": 3, "at": "fixed", "left": 3, "top": 1}, "02bcd5551e9e7033"),
    ],
    ("decimate", 1): [
        ({"n": 3}, "7c0005b6ceaf5fc9"),
        ({"n": 3, "per": "sensor"}, "16c5ffbeab4a92d0"),
    ],
    ("denoise", 1): [
        ({"filter_time_us": 500}, "a18c2f0ac0f61004"),
        ({"filter_time_us": 500, "neighbours": 4}, "312575785aac3e70"),
    ],
    ("downsample", 1): [
        ({"factor": 2}, "61beb71e7edd9c76"),
        ({"factor": (5, 2)}, "c849d37dbdf54c96"),
        ({"factor": 2, "method": "integrator", "step_us": 500, "threshold": 2}, "76332bbb6fe24d67"),
        ({"factor": 2, "method": "differentiator", "step_us": 500}, "a0418e0912a9a882"),
    ],
    ("drop_events", 1): [
        ({}, "1bdd430942a1e39f"),
        ({"method": "random", "ratio": 0.3}, "518155eb9a5afd31"),
        ({"method": "time", "ratio": (0.1, 0.5)}, "695a72473aa0e27d"),
        ({"method": "area", "ratio": 0.5}, "73f4ebea36b1bc47"),
    ],
    ("drop_pixels", 1): [
        ({"p": 0.3}, "c665c4370560aaf7"),
    ],
    ("first_events", 1): [
        ({"n": 100}, "04bc2ad53698f701"),
    ],
    ("flip_polarity", 1): [
        ({}, "d995df19205f74f6"),
    ],
    ("flip_x", 1): [
        ({}, "d3b4d7995384b655"),
    ],
    ("flip_y", 1): [
        ({}, "713ef150e938627a"),
    ],
    ("hot_pixels", 1): [
        ({"max_rate_hz": 600.0}, "952d0768f0dffc49"),
        ({"max_deviation": 0.3}, "952d0768f0dffc49"),
        ({"pixels": ((0, 0), (6, 4))}, "e3439f8320b6d3c1"),
    ],
    ("jitter_space", 1): [
        ({}, "9ac21431a7bbc60e"),
        ({"std_x_px": 2.0, "std_y_px": 0.5, "correlation": 0.5}, "4d02d28d686af72d"),
    ],
    ("jitter_time", 1): [
        ({"std_us": 200.0}, "ed9f1c7b0ac338dd"),
    ],
    ("merge_polarities", 1): [
        ({}, "be195381d073d75f"),
    ],
    ("refractory", 1): [
        ({"refractory_us": 2000}, "ceff7871f465e17b"),
        ({"refractory_us": 2000, "since": "any"}, "3a47e49d458ce6ca"),
        ({"refractory_us": 5000, "per_polarity": True}, "5d0ac4b03750f3e6"),
    ],
    ("reverse_time", 1): [
        ({}, "d62cc4c3430061f7"),
        ({"flip_polarity": False}, "35b0814661e4720e"),
    ],
    ("roll", 1): [
        ({"x_px": (0, 6)}, "9ac19530e2e44b88"),
        ({"x_px": 1, "y_px": -2}, "0405df2181dd086a"),
    ],
    ("rotate", 1): [
        ({}, "2b38e775caa94ec8"),
        ({"degrees": 90}, "2a69e75c0039ec09"),
        ({"degrees": 17.5}, "bd8e00b240e258b8"),
    ],
    ("shear", 1): [
        ({"x": (0.3, 0.9)}, "9f43bebd01dd9d28"),
        ({"x": 0.3, "y": -0.2}, "efbe4ceba316bc00"),
    ],
    ("time_skew", 1): [
        ({"factor": (0.8, 1.2)}, "014c51e671e020e4"),
        ({"factor": 1.3, "offset_us": 100.0, "origin": "clock"}, "87ed734edcddc632"),
    ],
    ("time_slice", 1): [
        ({"start_us": 1000, "stop_us": 20000}, "ef9cc2d99b9237c2"),
        ({"stop_us": 20000, "origin": "clock"}, "47a9b2fbc601d253"),
    ],
    ("translate", 1): [
        ({"x_px": (-2, 2), "y_px": (-2, 2)}, "d539f19db28b8604"),
        ({"x_px": 2, "y_px": -1}, "1faa0901aa352256"),
    ],
    ("transpose", 1): [
        ({}, "ba74088e6c2a1862"),
    ],
    ("uniform_noise", 1): [
        ({"n": 200}, "ad727746c5131f00"),
        ({"n": (50, 150)}, "c154385b8a24106e"),
        ({"rate_hz": 100.0}, "4a1494c7b4802b4f"),
    ],
    ("bina_rep", 1): [({"T": 3}, "59fd79d0f64ebffb"), ({"T": 2, "duration_us": 5000, "n_bits": 3}, "d4466d6795f5bf6a")],
    ("binary_frame", 1): [
        ({"T": 5}, "733261923aeb4a82"),
        ({"duration_us": 5000, "overlap_us": 1000}, "55804286054e6203"),
    ],
    ("event_stack", 1): [({"T": 7}, "80e33e02f27515c4")],
    ("sign_frame", 1): [({"T": 9, "duration_us": 5000}, "e83ea39ce30ceb9c")],
    ("stacked_histogram", 1): [
        ({"T": 1}, "9cb7d37d5b4c52c7"),
        ({"duration_us": 20_000, "n_bins": 3, "count_cutoff": 1, "bins_span": "events"}, "9c7efdffe5903b59"),
    ],
    ("timestamp_image", 1): [({"T": 1}, "4053364c3d06eb0d"), ({"T": 4, "split_by": "time"}, "df21042b7adcdb5e")],
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
        for name in names_for_events(steps):
            version = steps[name].version
            for parameters, expected in STEPS.get((name, version), [({}, "none recorded")]):
                yield name, version, parameters, expected


def other_cases() -> Iterator[tuple[str, str, dict, str]]:
    """Steps on other signals: the digests stand in `golden/steps/<name>.py`, DIGESTS = {version: [(kind, parameters,
    digest)]}, of the signals that `golden_signal` makes."""
    for steps in (registry.transforms, registry.encodings):
        for name in names_for_others(steps):
            digests = import_module(f"tests.golden.steps.{name}").DIGESTS
            for kind, parameters, expected in digests.get(steps[name].version, [("none recorded", {}, "")]):
                yield name, kind, parameters, expected


@pytest.mark.parametrize(("name", "version", "parameters", "expected"), list(step_cases()))
def test_a_step_gives_what_its_version_gave(name: str, version: int, parameters: dict, expected: str) -> None:
    steps = registry.encodings if name in registry.encodings else registry.transforms
    step = steps[name](**parameters)
    result = step(golden_events(), generator(0, 0, name) if step.stochastic else None)
    arrays = [result] if isinstance(result, np.ndarray) else arrays_of(result)
    assert digest(*arrays) == expected, f"{name} version {version} {parameters}"


@pytest.mark.parametrize(("name", "kind", "parameters", "expected"), list(other_cases()))
def test_a_step_on_another_signal_gives_what_its_version_gave(
    name: str, kind: str, parameters: dict, expected: str
) -> None:
    """Rounded, as elementary functions differ in the last digits from machine to machine."""
    steps = registry.encodings if name in registry.encodings else registry.transforms
    step = steps[name](**parameters)
    result = step(golden_signal(kind), generator(0, 0, name) if step.stochastic else None)
    arrays = [result] if isinstance(result, np.ndarray) else arrays_of(result)
    assert digest(*map(rounded, arrays)) == expected, f"{name} {kind} {parameters}"


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
