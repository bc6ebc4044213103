"""The in-memory forms of everything that is read, transformed and encoded.

Frozen dataclasses, checked once at construction: an object that exists is valid. Arrays are kept as
given (no copy) and are to be treated as read-only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import SignalError
from neurodata.forms import (
    ClipForm,
    Form,
    ImageForm,
    PointCloudForm,
    SeriesForm,
    SpikeCountsForm,
    WaveformForm,
)
from neurodata.forms import Sensor as Sensor

LAST_TIME_US = 2**62 - 1  # and as much before zero: the difference of two times fits int64
# The record layout of tonic and most NumPy event files.
TONIC_EVENT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])


@dataclass(frozen=True, slots=True, eq=False)
class EventArray:
    """Events as four columns of equal length, non-decreasing in time.

    Parameters
    ----------
    t
        int64, shape [n]: microseconds, on the recording's own clock, from -2^62 to 2^62 - 1.
    x, y
        uint16, shape [n]: column (to the right) and row (downwards) from the top-left pixel.
    p
        bool, shape [n]: polarity, True = ON (brighter).
    sensor
        The pixel grid that x and y lie on.

    Raises
    ------
    SignalError
        When lengths, types, time order or coordinates do not fit.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.bool_]
    sensor: Sensor

    def __post_init__(self) -> None:
        for name, dtype in (("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.bool_)):
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != (len(self.t),):
                raise SignalError(
                    f"event column {name} has type {column.dtype} and shape {column.shape}; "
                    f"expected {np.dtype(dtype)} and ({len(self.t)},)"
                )
        if len(self.t) == 0:
            return
        late = self.t[1:] < self.t[:-1]
        if late.any():
            at = int(late.argmax()) + 1
            raise SignalError(
                f"event {at}: time goes back from {self.t[at - 1]} to {self.t[at]} us; "
                "sort first (EventArray.from_unsorted)"
            )
        if self.t[0] < -LAST_TIME_US - 1 or self.t[-1] > LAST_TIME_US:
            raise SignalError(f"times reach from {self.t[0]} to {self.t[-1]} us; expected -2^62 to 2^62 - 1")
        for name, size in (("x", self.sensor.width), ("y", self.sensor.height)):
            largest = int(getattr(self, name).max())
            if largest >= size:
                raise SignalError(f"event column {name} reaches {largest}, but the sensor is {self.sensor}")

    @classmethod
    def from_unsorted(
        cls,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.bool_],
        sensor: Sensor,
    ) -> tuple[EventArray, int]:
        """Events in stable time order, and how many of them stood after a later one (0: nothing was moved)."""
        n_late = int(np.count_nonzero(t < np.maximum.accumulate(t))) if len(t) else 0
        if n_late:
            order = np.argsort(t, kind="stable")
            t, x, y, p = t[order], x[order], y[order], p[order]
        return cls(t, x, y, p, sensor), n_late

    @classmethod
    def trusted(
        cls,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.bool_],
        sensor: Sensor,
    ) -> EventArray:
        """Events that are not checked, for code that has proved all that is checked: types, lengths, order, range."""
        events = object.__new__(cls)
        for name, value in (("t", t), ("x", x), ("y", y), ("p", p), ("sensor", sensor)):
            object.__setattr__(events, name, value)
        return events

    @classmethod
    def empty(cls, sensor: Sensor) -> EventArray:
        """No events on this sensor."""
        return cls(np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.uint16), np.empty(0, np.bool_), sensor)

    @classmethod
    def from_structured(cls, events: NDArray[Any], sensor: Sensor) -> EventArray:
        """Events from a record array with fields t [us], x, y, p, such as tonic's; polarity 1 or True is ON.

        Raises
        ------
        SignalError
            When a field is missing or does not hold integers (p: or bool), a coordinate is negative or off the
            sensor, or time goes back. Times in seconds are not guessed at: convert them to whole microseconds.
        """
        missing = [name for name in "txyp" if name not in (events.dtype.names or ())]
        if missing:
            raise SignalError(f"record array has the fields {events.dtype.names}; missing: {', '.join(missing)}")
        for name in "txyp":
            if events[name].dtype.kind not in ("iub" if name == "p" else "iu"):
                raise SignalError(
                    f"event field {name} has type {events[name].dtype}; expected integers (t in microseconds)"
                )
        for name in ("x", "y"):
            if len(events) and (events[name].min() < 0 or events[name].max() > np.iinfo(np.uint16).max):
                raise SignalError(f"event field {name} leaves the range 0 to 65535")
        return cls(
            events["t"].astype(np.int64),
            events["x"].astype(np.uint16),
            events["y"].astype(np.uint16),
            events["p"] > 0,
            sensor,
        )

    def to_structured(self) -> NDArray[Any]:
        """A copy as tonic's record array: fields x, y (int16), t (int64 us), p (bool), shape [n]."""
        if max(self.sensor.width, self.sensor.height) > np.iinfo(np.int16).max + 1:
            raise SignalError(f"sensor {self.sensor}: tonic's int16 coordinates hold at most 32767")
        events = np.empty(len(self), TONIC_EVENT_DTYPE)
        events["x"], events["y"], events["t"], events["p"] = self.x, self.y, self.t, self.p
        return events

    def between(self, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """Events with start_us <= t < stop_us: a view, its columns share memory with this one."""
        first = 0 if start_us is None else int(np.searchsorted(self.t, start_us, side="left"))
        last = len(self) if stop_us is None else int(np.searchsorted(self.t, stop_us, side="left"))
        return self[first : max(first, last)]

    def packets(self, n: int) -> Iterator[EventArray]:
        """All events in pieces of n (the last one shorter): views."""
        if n < 1:
            raise ValueError(f"packets of {n} events: n is at least 1")
        return (self[first : first + n] for first in range(0, len(self), n))

    @property
    def form(self) -> Sensor:
        """The pixel grid."""
        return self.sensor

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.t)

    @property
    def start_us(self) -> int:
        """Time of the first event; 0 when there is none."""
        return int(self.t[0]) if len(self.t) else 0

    @property
    def stop_us(self) -> int:
        """One past the time of the last event; 0 when there is none."""
        return int(self.t[-1]) + 1 if len(self.t) else 0

    @property
    def duration_us(self) -> int:
        """Time from the first event to the last one; 0 when there are fewer than two."""
        return int(self.t[-1] - self.t[0]) if len(self.t) else 0

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, part: slice) -> EventArray:
        """Events of a slice with a positive step: a view, not checked again (a part of valid events is valid)."""
        if not isinstance(part, slice):
            raise TypeError("events are taken by slices; for single events and masks, index the columns t, x, y and p")
        if part.step is not None and part.step < 1:
            raise SignalError(f"events [{part.start}:{part.stop}:{part.step}]: a negative step would turn time back")
        return EventArray.trusted(self.t[part], self.x[part], self.y[part], self.p[part], self.sensor)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventArray):
            return NotImplemented
        return self.sensor == other.sensor and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in "txyp"
        )

    def __repr__(self) -> str:
        return f"EventArray({len(self)} events, {self.sensor}, {self.duration_us} us)"


def _require(array: NDArray[Any], what: str, dtype: type[np.generic], n_axes: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.ndim not in n_axes:
        raise SignalError(
            f"{what} has type {array.dtype} and {array.ndim} axes; expected {np.dtype(dtype)} and {n_axes} axes"
        )


def _by(array: NDArray[Any]) -> str:
    """A shape as people write it: "250x272x640x3"."""
    return "x".join(map(str, array.shape))


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Sound: float32 samples in [-1, 1], shape [n] or [n, channels], at rate_hz."""

    samples: NDArray[np.float32]
    rate_hz: float

    def __post_init__(self) -> None:
        _require(self.samples, "waveform", np.float32, (1, 2))
        if not 0 < self.rate_hz < np.inf:
            raise SignalError(f"waveform: rate_hz is {self.rate_hz}; expected a positive number")

    @property
    def form(self) -> WaveformForm:
        """Rate, channels and length."""
        n_channels = 1 if self.samples.ndim == 1 else self.samples.shape[1]
        return WaveformForm(self.rate_hz, n_channels, len(self.samples))

    @property
    def duration_us(self) -> int:
        """How long it is."""
        return round(len(self.samples) / self.rate_hz * 1e6)

    def __repr__(self) -> str:
        return f"Waveform({_by(self.samples)} samples at {self.rate_hz:g} Hz)"


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Video: uint8 frames, shape [n, height, width, channels], at fps frames a second."""

    frames: NDArray[np.uint8]
    fps: float

    def __post_init__(self) -> None:
        _require(self.frames, "clip", np.uint8, (4,))
        if not self.fps > 0:
            raise SignalError(f"clip: fps is {self.fps}; expected a positive number")

    @property
    def form(self) -> ClipForm:
        """Size of the frames, their rate and number."""
        n_frames, height, width, n_channels = self.frames.shape
        return ClipForm(width, height, n_channels, self.fps, n_frames)

    @property
    def duration_us(self) -> int:
        """How long it is, the last frame included."""
        return round(len(self.frames) / self.fps * 1e6)

    def __repr__(self) -> str:
        return f"Clip({_by(self.frames)}, {self.fps:g} frames a second)"


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A still picture: float32 in [0, 1], shape [height, width, channels]."""

    pixels: NDArray[np.float32]

    def __post_init__(self) -> None:
        _require(self.pixels, "image", np.float32, (3,))

    @property
    def form(self) -> ImageForm:
        """Size and channels."""
        height, width, n_channels = self.pixels.shape
        return ImageForm(width, height, n_channels)

    @property
    def duration_us(self) -> int:
        """0: it has no time."""
        return 0

    def __repr__(self) -> str:
        return f"Image({_by(self.pixels)})"


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """Points: xyz float32 [n, 3] in metres or model units, features float32 [n, k] (k may be 0)."""

    xyz: NDArray[np.float32]
    features: NDArray[np.float32]

    def __post_init__(self) -> None:
        _require(self.xyz, "point cloud xyz", np.float32, (2,))
        _require(self.features, "point cloud features", np.float32, (2,))
        if self.xyz.shape[1] != 3 or len(self.features) != len(self.xyz):
            raise SignalError(
                f"point cloud: xyz {self.xyz.shape} and features {self.features.shape}; expected [n, 3] and [n, k]"
            )

    @property
    def form(self) -> PointCloudForm:
        """Features and points."""
        return PointCloudForm(self.features.shape[1], len(self.xyz))

    @property
    def duration_us(self) -> int:
        """0: it has no time."""
        return 0

    def __repr__(self) -> str:
        return f"PointCloud({len(self.xyz)} points, {self.features.shape[1]} features)"


@dataclass(frozen=True, slots=True, eq=False)
class SpikeCounts:
    """Neural recording: counts [n_bins, n_units] in bins of bin_us, with named target series of n_bins rows."""

    counts: NDArray[Any]
    bin_us: int
    targets: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        if self.counts.ndim != 2 or self.counts.dtype.kind not in "ui" or self.bin_us < 1:
            raise SignalError(
                f"spike counts: {self.counts.dtype} {self.counts.shape} in bins of {self.bin_us} us; "
                "expected integers [n_bins, n_units] and at least 1 us"
            )
        for name, series in self.targets.items():
            if len(series) != len(self.counts):
                raise SignalError(f"spike counts: target {name} has {len(series)} rows for {len(self.counts)} bins")

    @property
    def form(self) -> SpikeCountsForm:
        """Units, bins and their length."""
        return SpikeCountsForm(self.counts.shape[1], self.bin_us, len(self.counts))

    @property
    def duration_us(self) -> int:
        """How long it is."""
        return len(self.counts) * self.bin_us

    def __repr__(self) -> str:
        targets = ", ".join(self.targets) or "none"
        return f"SpikeCounts({_by(self.counts)} bins of {self.bin_us} us and units, targets: {targets})"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows of real values over time, such as a spectrogram: float32 [n_steps, n_channels], rate_hz rows a second."""

    values: NDArray[np.float32]
    rate_hz: float

    def __post_init__(self) -> None:
        _require(self.values, "series", np.float32, (2,))
        if not 0 < self.rate_hz < np.inf:
            raise SignalError(f"series: rate_hz is {self.rate_hz}; expected a positive number")

    @property
    def form(self) -> SeriesForm:
        """Values a row, rate and number of rows."""
        return SeriesForm(self.values.shape[1], self.rate_hz, len(self.values))

    @property
    def duration_us(self) -> int:
        """How long it is."""
        return round(len(self.values) / self.rate_hz * 1e6)

    def __repr__(self) -> str:
        return f"Series({_by(self.values)} rows and channels, {self.rate_hz:g} rows a second)"


Signal: TypeAlias = EventArray | Waveform | Clip | Image | PointCloud | SpikeCounts | Series
# The kind of signal that each form is one of.
KINDS: dict[type[Form], type[Signal]] = {
    Sensor: EventArray,
    WaveformForm: Waveform,
    ClipForm: Clip,
    ImageForm: Image,
    PointCloudForm: PointCloud,
    SpikeCountsForm: SpikeCounts,
    SeriesForm: Series,
}


def n_counted(signal: Signal) -> int:
    """What a signal has that can be counted, and that steps may drop or add to: its events, points or spikes; or 0."""
    if isinstance(signal, EventArray):
        return len(signal)
    if isinstance(signal, PointCloud):
        return len(signal.xyz)
    return int(signal.counts.sum()) if isinstance(signal, SpikeCounts) else 0
