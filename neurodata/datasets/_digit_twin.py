"""The n-mnist twin: drawn digits before a simulated ATIS that makes three saccades, in the published archives.

Each partition is an archive of `<partition>/<digit>/<id>.bin`. As in the published files the camera runs
along a triangle, 100 ms a side (Orchard et al. 2015, section 2), and some recordings hold overflow markers.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._archive_twin import pack_zip
from neurodata.datasets._paint_twin import paint
from neurodata.encodings._pixel_model import Pixel, PixelArray
from neurodata.errors import RecipeError
from neurodata.formats import write
from neurodata.signals import EventArray, Sensor
from neurodata.storage import writing

SENSOR = Sensor(34, 34)
N_DIGITS = 10
PARTITIONS = ("Train", "Test")
PIXEL = Pixel(on_threshold=0.22, off_threshold=0.22, noise_hz=1.0)
PAPER, INK = 0.25, 1.0  # light, ink is the brighter as in MNIST
PICTURE_US, SACCADE_US = 4_000, 100_000
CORNERS = np.array([(-1.7, -1.7), (0.0, 1.7), (1.7, -1.7), (-1.7, -1.7)])  # pixels; where the camera rests
MARKED_EVERY = 8  # one recording in so many is written with overflow markers
MARKER_Y, MARKER_BITS = 240, 13


def _arc(x: float, y: float, radius_x: float, radius_y: float, start: float, stop: float) -> list[tuple[float, float]]:
    # Degrees, clockwise from the right as y points down: 90 is the lowest point.
    angles = np.radians(np.linspace(start, stop, 9))
    return [(x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)) for angle in angles]


# Pen strokes of each digit in a box of 1x1.
STROKES = (
    (_arc(0.5, 0.5, 0.36, 0.5, -90, 270),),
    ([(0.3, 0.2), (0.55, 0.0), (0.55, 1.0)],),
    ([*_arc(0.5, 0.28, 0.36, 0.28, 190, 400), (0.12, 1.0), (0.9, 1.0)],),
    ([*_arc(0.45, 0.25, 0.34, 0.25, 200, 450), *_arc(0.45, 0.75, 0.38, 0.25, 270, 520)],),
    ([(0.6, 0.0), (0.1, 0.65), (0.9, 0.65)], [(0.65, 0.35), (0.65, 1.0)]),
    ([(0.85, 0.0), (0.25, 0.0), (0.2, 0.45), *_arc(0.46, 0.68, 0.38, 0.32, 230, 500)],),
    ([(0.7, 0.0), *_arc(0.5, 0.68, 0.34, 0.32, 190, 550)],),
    ([(0.1, 0.0), (0.88, 0.0), (0.4, 1.0)],),
    (_arc(0.5, 0.25, 0.3, 0.25, 90, 450), _arc(0.5, 0.75, 0.36, 0.25, -90, 270)),
    ([*_arc(0.48, 0.3, 0.33, 0.3, 0, 360), (0.7, 1.0)],),
)


def write_digit_twin(folder: Path, seed: int, size: int) -> tuple[Path, ...]:
    """Write `train.zip` and `test.zip`, a look-alike of N-MNIST; the same bytes for the same seed and size.

    Six recordings of seven are for training; the digits are balanced to within one recording.

    Parameters
    ----------
    folder
        Where the archives go; made where missing.
    seed
        Of everything that is drawn, 0 or more.
    size
        Number of recordings, at least one of each digit.

    Raises
    ------
    RecipeError
        When seed or size is too small.
    StorageError
        When an archive cannot be written.
    """
    if seed < 0 or size < N_DIGITS:
        raise RecipeError(
            f"n-mnist twin: seed {seed}, size {size}; expected a seed from 0 and a size from {N_DIGITS}, "
            "one recording of each digit"
        )
    n_test = round(size / 7)
    archives = []
    for partition, n in zip(PARTITIONS, (size - n_test, n_test), strict=True):
        archives.append(folder / f"{partition.lower()}.zip")
        with writing(archives[-1]) as file, TemporaryDirectory() as temporary:
            _write_tree(Path(temporary) / partition, seed, n)
            pack_zip(Path(temporary), file)
    return tuple(archives)


def _write_tree(root: Path, seed: int, n_recordings: int) -> None:
    for number in range(n_recordings):
        digit = number % N_DIGITS
        rng = np.random.default_rng([seed, PARTITIONS.index(root.name), number])
        path = root / str(digit) / f"{number + 1:05d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        events = record(digit, rng)
        if number % MARKED_EVERY == MARKED_EVERY - 1:
            path.write_bytes(with_markers(events))
        else:
            write(events, path, format="nmnist")


def record(digit: int, rng: np.random.Generator) -> EventArray:
    """What three saccades over one drawing of a digit give, about 0.3 s."""
    strokes = draw(digit, rng)
    camera = PixelArray(PIXEL, SENSOR, rng)
    light = np.empty((SENSOR.height, SENSOR.width), np.float32)
    packets = []
    for t_us in range(0, 3 * SACCADE_US + 1, PICTURE_US):
        light[:] = PAPER
        paint(light, strokes - [*gaze(t_us), *gaze(t_us), 0], INK, 0.0, 0.0)
        packets.append(camera.see(np.log(light), t_us))
    columns = {column: np.concatenate([getattr(packet, column) for packet in packets]) for column in "txyp"}
    return EventArray(**columns, sensor=SENSOR)


def draw(digit: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A digit in one handwriting: bars [n, (x0, y0, x1, y1, radius)] in pixels about the middle of the sensor."""
    turn, slant, pen = rng.normal(0, 0.1), rng.normal(0, 0.12), rng.uniform(1.0, 1.7)
    width, height = rng.uniform(14, 19), rng.uniform(17, 21)
    shape = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ [
        [width, -slant * height],
        [0, height],
    ]
    middle = np.array([SENSOR.width, SENSOR.height]) / 2 - 0.5 + rng.normal(0, 0.7, 2)
    bars = []
    for stroke in STROKES[digit]:
        points = np.array(stroke) - 0.5 + rng.normal(0, 0.02, (len(stroke), 2))
        bars += [[*start, *stop, pen] for start, stop in pairwise(points @ shape.T + middle)]
    return np.array(bars)


def gaze(t_us: int) -> NDArray[np.float64]:
    """Where the camera points, (x, y) in pixels: from corner to corner, slow at both ends."""
    side, way = divmod(min(t_us, 3 * SACCADE_US - 1) / SACCADE_US, 1)
    start, stop = CORNERS[int(side)], CORNERS[int(side) + 1]
    position: NDArray[np.float64] = start + (stop - start) * (1 - np.cos(np.pi * way)) / 2
    return position


def with_markers(events: EventArray) -> bytes:
    """Events as 40-bit records whose times fit 13 bits, with a marker (y = 240) at each turn of that clock."""
    turns, rest_us = events.t >> MARKER_BITS, events.t & ((1 << MARKER_BITS) - 1)
    columns = events.x, events.y, events.p.astype(np.int64) << 7, rest_us >> 8, rest_us & 0xFF
    records = np.column_stack(columns).astype(np.uint8)  # [n, 5]
    places = np.repeat(np.arange(len(events)), np.diff(turns, prepend=0))
    return np.insert(records, places, (0, MARKER_Y, 0, 0, 0), axis=0).tobytes()
