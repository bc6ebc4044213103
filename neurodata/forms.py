"""The form of a signal: what is known of all samples of a dataset before any of them is read.

Steps work out from it what they give: the form of the next signal, or the shape of an array. A part that differs from
sample to sample, such as how long a sound is, is None.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from neurodata.errors import SignalError


@dataclass(frozen=True, slots=True)
class Sensor:
    """Pixel grid of an event sensor: 128x128x2 for a DVS128, 700x1x1 for SHD's cochlea."""

    width: int
    height: int = 1
    polarities: int = 2

    def __post_init__(self) -> None:
        if not (1 <= self.width <= 65536 and 1 <= self.height <= 65536 and self.polarities in (1, 2)):
            raise SignalError(f"sensor {self}: width and height are 1 to 65536, polarities 1 or 2")

    def __str__(self) -> str:
        return f"{self.width}x{self.height}x{self.polarities}"


@dataclass(frozen=True, slots=True)
class WaveformForm:
    """Sound: samples a second, channels, and samples where all sounds are equally long."""

    rate_hz: float
    n_channels: int = 1
    n_samples: int | None = None

    def __str__(self) -> str:
        length = "" if self.n_samples is None else f"{self.n_samples} samples of "
        return f"{length}sound at {self.rate_hz:g} Hz, {self.n_channels} channel{'s' * (self.n_channels > 1)}"


@dataclass(frozen=True, slots=True)
class ClipForm:
    """Video: size of a frame, channels; frames a second and their number where all clips agree."""

    width: int
    height: int
    n_channels: int = 3
    fps: float | None = None
    n_frames: int | None = None

    def __str__(self) -> str:
        length = "" if self.n_frames is None else f"{self.n_frames} frames of "
        speed = "" if self.fps is None else f" at {self.fps:g} frames a second"
        return f"{length}video {self.width}x{self.height}x{self.n_channels}{speed}"


@dataclass(frozen=True, slots=True)
class ImageForm:
    """Still pictures: size and channels."""

    width: int
    height: int
    n_channels: int = 1

    def __str__(self) -> str:
        return f"pictures {self.width}x{self.height}x{self.n_channels}"


@dataclass(frozen=True, slots=True)
class PointCloudForm:
    """Point clouds: features of a point besides its place, and points where all clouds have as many."""

    n_features: int = 0
    n_points: int | None = None

    def __str__(self) -> str:
        length = "" if self.n_points is None else f"{self.n_points} "
        return f"{length}points with {self.n_features or 'no'} feature{'s' * (self.n_features != 1)}"


@dataclass(frozen=True, slots=True)
class SpikeCountsForm:
    """Neural recordings: units, length of a bin, and bins where all recordings have as many."""

    n_units: int
    bin_us: int
    n_bins: int | None = None

    def __str__(self) -> str:
        length = "" if self.n_bins is None else f"{self.n_bins} "
        return f"{length}bins of {self.bin_us} us of {self.n_units} units"


@dataclass(frozen=True, slots=True)
class SeriesForm:
    """Rows of real values, such as a spectrogram: values a row, rows a second, and rows where all have as many."""

    n_channels: int
    rate_hz: float
    n_steps: int | None = None

    def __str__(self) -> str:
        length = "" if self.n_steps is None else f"{self.n_steps} "
        return f"{length}rows of {self.n_channels} values, {self.rate_hz:g} a second"


Form: TypeAlias = Sensor | WaveformForm | ClipForm | ImageForm | PointCloudForm | SpikeCountsForm | SeriesForm


def counted_as(form: Form) -> str:
    """What is counted of signals of this form, or of what steps make of them: points, spikes or events."""
    if isinstance(form, PointCloudForm):
        return "points"
    return "spikes" if isinstance(form, SpikeCountsForm) else "events"


_FORMS: dict[str, type[Form]] = {
    "events": Sensor,
    "sound": WaveformForm,
    "video": ClipForm,
    "pictures": ImageForm,
    "points": PointCloudForm,
    "spike counts": SpikeCountsForm,
    "series": SeriesForm,
}


def admits(form: Form, found: Form) -> bool:
    """Whether a signal of the form `found` is one of those that `form` describes: None in it stands for any value."""
    if type(form) is not type(found):
        return False
    wanted = dataclasses.asdict(form)
    return all(value in (None, getattr(found, name)) for name, value in wanted.items())


def in_general(form: Form) -> Form:
    """The form with what may differ from sample to sample left open: lengths, and frames a second."""
    free = ("fps", "n_samples", "n_frames", "n_points", "n_bins", "n_steps")
    found: dict[str, Any] = {name: None for name in free if hasattr(form, name)}
    return dataclasses.replace(form, **found)


def form_to_json(form: Form) -> dict[str, Any]:
    """The form as JSON values."""
    kind = next(kind for kind, of_kind in _FORMS.items() if isinstance(form, of_kind))
    return {"kind": kind} | dataclasses.asdict(form)


def form_from_json(form: Mapping[str, Any]) -> Form:
    """The form that `form_to_json` gave.

    Raises
    ------
    SignalError
        When its kind is not known.
    """
    values = dict(form)
    kind = values.pop("kind", None)
    if kind not in _FORMS:
        raise SignalError(f"form of kind {kind!r}; this release knows {', '.join(_FORMS)}")
    return _FORMS[kind](**values)
