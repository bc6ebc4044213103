"""Video to events: every pixel of the clip becomes the pixel of an event camera.

After v2e (Hu, Liu and Delbruck, "v2e: From Video Frames to Realistic DVS Events", CVPR Workshops 2021, section 4) and
ESIM (Rebecq, Gehrig and Scaramuzza, "ESIM: an Open Event Camera Simulator", CoRL 2018, section 3). From v2e are the
mapping from brightness to log intensity (its `lin_log`, with the threshold 20 of its code, not rounded), thresholds
that differ from pixel to pixel, leak and shot noise; from ESIM the times, interpolated between two frames. What differs
from both is said in `_pixel_model.py`: no limited bandwidth, noise that leaves the reference level alone. The rate of
shot noise falls with brightness as in v2e's code (`generate_shot_noise`, `rescale_intensity_frame`): by the factor
1 - (1 - 0.25) * (luma + 20) / 275; the 0.25 is from memory of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._luma import check_luma, luma
from neurodata.encodings._pixel_model import LAST_PICTURE_US, MOST_EVENTS, SMALLEST_THRESHOLD, Pixel, PixelArray
from neurodata.errors import EncodingError
from neurodata.forms import ClipForm, Sensor
from neurodata.signals import Clip, EventArray
from neurodata.steps import Kinds, SignalTransform, Tally, check_memory, check_range, check_whole

LINEAR_UP_TO = 20.0
MOST_HZ = 1e9
BRIGHT_NOISE = 0.25  # of the noise in the dark is left in white light
BYTES_OF_A_PIXEL = 64  # its thresholds, levels and last time, and a few pictures


@dataclass(frozen=True, slots=True)
class DvsPixel(SignalTransform):
    """Events where the log intensity of a pixel moves by a threshold; on a sensor of the clip's size, two polarities.

    The brightness of a frame is its luma (BT.601, `_luma.py`), its log intensity L = ln(luma), and luma * ln(20) / 20
    up to 20. Frame k is seen at round(k * 10^6 / fps) us; between two frames L runs in a straight line, and each
    crossing of a threshold is an event at its time, rounded down. The first frame sets the reference levels: a clip of
    one frame gives no events. An event moves the reference by its threshold, and so does one that is lost as its pixel
    is refractory. Without noise, a pixel that goes from L1 to L2 gives floor(|L2 - L1| / threshold) events.

    All that is random or makes noise is off by default, as with v2e's model "clean" but for its mismatch. Draws:
    `rng.normal` for ON and OFF thresholds, then for every frame but the first `rng.poisson`, `rng.integers` and
    `rng.random` for noise.

    Parameters
    ----------
    on_threshold, off_threshold
        Change of log intensity for an event, from 0.01; the means where pixels differ.
    mismatch
        Standard deviation of thresholds from pixel to pixel; none falls below 0.01. v2e: sigma_thres, 0.03 by default.
    refractory_us
        Shortest time between two events of a pixel.
    leak_hz
        ON events a second and pixel because the reference level sinks.
    noise_hz
        Background events (shot noise) a second and pixel in the dark, half of them ON; in white light a quarter of it.

    Raises
    ------
    RecipeError
        When a parameter is out of range. When called, or before: frames have neither 1 nor 3 channels, or no pixels.
    EncodingError
        When called: frames follow faster than a microsecond, last beyond 2^52 us, or make more than 2^27 events.

    Examples
    --------
    >>> frames = np.array([20, 60, 60], np.uint8).reshape(3, 1, 1, 1)  # ln(60 / 20) = 1.099
    >>> DvsPixel(on_threshold=0.5)(Clip(frames, fps=100.0)).t
    array([4551, 9102])
    """

    on_threshold: float = 0.2
    off_threshold: float = 0.2
    mismatch: float = 0.0
    refractory_us: int = 0
    leak_hz: float = 0.0
    noise_hz: float = 0.0

    takes: ClassVar[Kinds] = Clip
    gives: ClassVar[type] = EventArray
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"on_threshold": 0.3, "off_threshold": 0.15, "refractory_us": 2000, "leak_hz": 5.0},
        {"mismatch": 0.03, "leak_hz": 0.1, "noise_hz": 10.0},
    )
    aliases: ClassVar[Mapping[str, str]] = {
        "pos_thres": "on_threshold",
        "neg_thres": "off_threshold",
        "sigma_thres": "mismatch",
        "leak_rate_hz": "leak_hz",
        "shot_noise_rate_hz": "noise_hz",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "refractory_period_s": "v2e's is in seconds: say refractory_us, in microseconds",
        "cutoff_hz": "the bandwidth of pixels is not modelled: leave it out (v2e's 0)",
    }

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("on_threshold", SMALLEST_THRESHOLD, 100),
            ("off_threshold", SMALLEST_THRESHOLD, 100),
            ("mismatch", 0, 100),
            ("leak_hz", 0, MOST_HZ),
            ("noise_hz", 0, MOST_HZ),
        ):
            check_range("dvs_pixel", name, getattr(self, name), lowest, highest)
        check_whole("dvs_pixel", "refractory_us", self.refractory_us, 0, LAST_PICTURE_US)

    @property
    def stochastic(self) -> bool:
        """Whether thresholds differ, or there is noise."""
        return self.mismatch > 0 or self.noise_hz > 0

    def form_after(self, form: ClipForm) -> Sensor:
        """A sensor of the frames' size."""
        check_luma("dvs_pixel", form)
        return Sensor(form.width, form.height)

    def apply(self, clip: Clip, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events of all frames, in time order."""
        sensor = self.form_after(clip.form)
        if len(clip.frames) == 0:
            return EventArray.empty(sensor)
        check_memory(
            f"dvs_pixel: the pixels of {clip!r} take", BYTES_OF_A_PIXEL * sensor.width * sensor.height, "smaller frames"
        )
        pixel = Pixel(
            self.on_threshold, self.off_threshold, self.mismatch, self.refractory_us, self.noise_hz, self.leak_hz
        )
        # Nothing depends on the draws of a step that is not random.
        camera = PixelArray(pixel, sensor, rng or np.random.default_rng(0))
        packets, n_events = [], 0
        for frame, t_us in zip(clip.frames, times_us(len(clip.frames), clip.fps), strict=True):
            brightness = luma(frame)  # [H, W]
            share = noise_share(brightness) if self.noise_hz else None
            packets.append(camera.see(log_intensity(brightness), int(t_us), share))
            n_events += len(packets[-1])
            if n_events > MOST_EVENTS:
                raise EncodingError(f"dvs_pixel: {clip!r} makes more than {MOST_EVENTS} events: larger thresholds")
        return _joined(packets, sensor)


def times_us(n: int, fps: float) -> NDArray[np.int64]:
    """When each of n frames is seen, int64 [n].

    Raises
    ------
    EncodingError
        When frames are less than a microsecond apart, or the last one comes after 2^52 us.
    """
    apart_us = 1e6 / fps
    if not 1 <= apart_us <= LAST_PICTURE_US / max(1, n):
        raise EncodingError(
            f"dvs_pixel: {n} frames at {fps:g} a second; expected at most a million a second, within 2^52 us"
        )
    rounded: NDArray[np.int64] = np.rint(np.arange(n) * apart_us).astype(np.int64)
    return rounded


def log_intensity(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """v2e's linear-logarithmic mapping of brightness from 0 to 255: ln(luma) above 20, a straight line from 0 below."""
    wide = luma.astype(np.float64)  # its logarithm, rounded to float32, is the same on every machine
    bright = np.log(np.maximum(wide, LINEAR_UP_TO))
    return np.where(wide > LINEAR_UP_TO, bright, wide * (log(LINEAR_UP_TO) / LINEAR_UP_TO)).astype(np.float32)


def noise_share(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of its rate in the dark shot noise has at a brightness from 0 to 255: v2e's line, 0.945 to 0.25."""
    return np.float32(1) - np.float32(1 - BRIGHT_NOISE) * (luma + np.float32(20)) / np.float32(275)


def decode(events: EventArray, start: NDArray[np.float32], step: DvsPixel) -> NDArray[np.float64]:
    """The log intensity after these events, [H, W], from that of the first frame.

    The sum of the thresholds passed. Of a clip that `step` encoded without mismatch, noise, leak and refractory period
    it is less than a threshold from `log_intensity(luma(last frame))`, up to rounding. Mismatch and leak are not known
    here, and events that a refractory period swallowed are missing from the sum.
    """
    change = np.where(events.p, step.on_threshold, -step.off_threshold)
    address = events.y.astype(np.int64) * events.sensor.width + events.x
    total = np.bincount(address, change, minlength=start.size).reshape(start.shape)
    result: NDArray[np.float64] = start.astype(np.float64) + total
    return result


def _joined(packets: list[EventArray], sensor: Sensor) -> EventArray:
    t, x, y, p = (np.concatenate([getattr(packet, name) for packet in packets]) for name in "txyp")
    return EventArray(t, x, y, p, sensor)


STEP = DvsPixel
