"""The pixel of an event camera: log-intensity pictures in, events out.

After two simulators. As in ESIM (Rebecq et al., CoRL 2018) the log intensity of a pixel runs in a
straight line from one picture to the next, every threshold crossing on the way is an event at its
interpolated time, and an event that falls into the refractory period is lost but still moves the
reference level. As in v2e (Hu et al., CVPR Workshops 2021) each pixel has its own ON and OFF threshold,
drawn once, and noise is a Poisson process whose events obey the refractory period. Unlike in v2e, noise
leaves the reference level alone, and has one rate at any intensity unless the caller says a share; leak
(the reference level sinks, so that a pixel that sees nothing is ON now and then) is the same for all
pixels but for their thresholds; limited bandwidth is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

# v2e's floor: a threshold near zero would fire without end.
SMALLEST_THRESHOLD = 0.01
# Any positive float32 lies between; beyond, the number of crossings of a pixel has no bound.
LARGEST_LOG_INTENSITY = 104
# Times are interpolated in double precision, which holds every microsecond between two of these.
LAST_PICTURE_US = 2**52
# Between two pictures; more would fill memory.
MOST_EVENTS = 2**27


@dataclass(frozen=True, slots=True)
class Pixel:
    """What the pixels of a camera have in common.

    Parameters
    ----------
    on_threshold, off_threshold
        Mean change of log intensity (natural logarithm) for an event.
    mismatch
        Standard deviation of the thresholds from pixel to pixel, in the same unit.
    refractory_us
        Shortest time between two events of a pixel.
    noise_hz
        Background events a second and pixel, half of them ON.
    leak_hz
        ON events a second and pixel that come of leak alone: the reference level sinks by leak_hz ON thresholds a
        second.
    """

    on_threshold: float = 0.2
    off_threshold: float = 0.2
    mismatch: float = 0.03
    refractory_us: int = 500
    noise_hz: float = 0.1
    leak_hz: float = 0.0

    def __post_init__(self) -> None:
        for name, smallest in (
            ("on_threshold", SMALLEST_THRESHOLD),
            ("off_threshold", SMALLEST_THRESHOLD),
            ("mismatch", 0),
            ("refractory_us", 0),
            ("noise_hz", 0),
            ("leak_hz", 0),
        ):
            found = getattr(self, name)
            if not smallest <= found < np.inf:
                raise EncodingError(f"dvs pixel: {name} is {found}; expected a number from {smallest}")
        if self.refractory_us > LAST_PICTURE_US:
            raise EncodingError(f"dvs pixel: refractory_us is {self.refractory_us}; expected at most {LAST_PICTURE_US}")


class PixelArray:
    """A sensor's worth of pixels, watching one picture after the other.

    Its memory is a few numbers per pixel, whatever the length of the film.

    Parameters
    ----------
    pixel
        Mean thresholds, refractory period and noise.
    sensor
        Width and height of the pictures and of the events.
    rng
        Draws the mismatch now and the noise of every interval.

    Examples
    --------
    >>> silent_pixel = Pixel(on_threshold=0.5, mismatch=0, refractory_us=0, noise_hz=0)
    >>> camera = PixelArray(silent_pixel, Sensor(1, 1), np.random.default_rng(0))
    >>> camera.see(np.float32([[0.0]]), t_us=0)
    EventArray(0 events, 1x1x2, 0 us)
    >>> camera.see(np.float32([[1.0]]), t_us=1000).t
    array([ 500, 1000])
    """

    def __init__(self, pixel: Pixel, sensor: Sensor, rng: np.random.Generator) -> None:
        self.pixel = pixel
        self.sensor = sensor
        shape = sensor.height, sensor.width
        self._rng = rng
        self._on = _thresholds(pixel.on_threshold, pixel.mismatch, shape, rng)
        self._off = _thresholds(pixel.off_threshold, pixel.mismatch, shape, rng)
        self._before: NDArray[np.float32] | None = None  # [H, W]
        self._before_us = 0
        self._reference = np.zeros(shape)  # [H, W]: log intensity at the last event
        self._moved = np.zeros(shape)
        self._last_us = np.full(shape, np.iinfo(np.int64).min // 2)  # [H, W]: time of the last event
        self._allocate(1024)

    def see(
        self, log_intensity: NDArray[np.float32], t_us: int, noise_share: NDArray[np.float32] | None = None
    ) -> EventArray:
        """Events between the last picture and this one; none for the first, which sets the reference level.

        Parameters
        ----------
        log_intensity
            float32, shape [H, W]: natural logarithm of the light on each pixel at t_us.
        t_us
            Time of the picture in microseconds, later than the last one's.
        noise_share
            float32, shape [H, W]: how much of the rate of noise each pixel has, 0 to 1, on the way to this picture;
            None: all of it.

        Returns
        -------
        EventArray
            In time order, last_us <= t <= t_us: joined to the events of the pictures before, still in order.

        Raises
        ------
        EncodingError
            When the picture has another size or type, is not finite, or does not come later; when its time is beyond
            2^52 us; when more than 2^27 events would come of it.
        """
        self._check(log_intensity, t_us)
        before, self._before = self._before, log_intensity.copy()
        before_us, self._before_us = self._before_us, t_us
        if before is None:
            self._reference[:] = log_intensity
            return EventArray.empty(self.sensor)
        n = self._cross(before, log_intensity, before_us, t_us)
        noise_t, noise_x, noise_y, noise_p = self._noise(before_us, t_us, noise_share)
        t = np.concatenate([self._t[:n], noise_t])
        order = _order(t, before_us, t_us)
        t = t[order]
        x = np.concatenate([self._x[:n], noise_x])[order]
        y = np.concatenate([self._y[:n], noise_y])[order]
        p = np.concatenate([self._p[:n], noise_p])[order]
        keep = np.empty(len(t), np.bool_)
        rested(t, x, y, self.pixel.refractory_us, self._last_us, keep)
        return EventArray(t[keep], x[keep], y[keep], p[keep], self.sensor)

    def _check(self, log_intensity: NDArray[np.float32], t_us: int) -> None:
        shape = self.sensor.height, self.sensor.width
        if log_intensity.dtype != np.float32 or log_intensity.shape != shape:
            raise EncodingError(
                f"dvs pixel: picture at {t_us} us has type {log_intensity.dtype} and shape {log_intensity.shape}; "
                f"expected float32 and {shape}"
            )
        largest = np.abs(log_intensity).max()
        if not largest <= LARGEST_LOG_INTENSITY:
            raise EncodingError(
                f"dvs pixel: picture at {t_us} us reaches {largest}; expected log intensities from "
                f"-{LARGEST_LOG_INTENSITY} to {LARGEST_LOG_INTENSITY}: add a small light before the logarithm"
            )
        if not -LAST_PICTURE_US <= t_us <= LAST_PICTURE_US:
            raise EncodingError(
                f"dvs pixel: picture at {t_us} us; expected times from {-LAST_PICTURE_US} to {LAST_PICTURE_US} us"
            )
        if self._before is not None and t_us <= self._before_us:
            raise EncodingError(
                f"dvs pixel: picture at {t_us} us does not come after the last one, {self._before_us} us"
            )

    def _cross(self, before: NDArray[np.float32], now: NDArray[np.float32], start_us: int, stop_us: int) -> int:
        leak = self.pixel.leak_hz * (stop_us - start_us) * 1e-6 * now.size
        _check_number(leak, stop_us, "a smaller leak_hz, or pictures that follow sooner")
        n = self._crossings(before, now, start_us, stop_us)
        _check_number(n, stop_us, "larger thresholds, or pictures that follow sooner")
        if n > len(self._t):
            self._allocate(2 * n)
            self._crossings(before, now, start_us, stop_us)
        self._reference, self._moved = self._moved, self._reference
        return n

    def _crossings(self, before: NDArray[np.float32], now: NDArray[np.float32], start_us: int, stop_us: int) -> int:
        levels = self._reference, self._on, self._off, self._moved
        leak = self.pixel.leak_hz * (stop_us - start_us) * 1e-6
        return crossings(before, now, *levels, leak, start_us, stop_us, self._t, self._x, self._y, self._p)

    def _allocate(self, n: int) -> None:
        self._t = np.empty(n, np.int64)
        self._x = np.empty(n, np.uint16)
        self._y = np.empty(n, np.uint16)
        self._p = np.empty(n, np.bool_)

    def _noise(
        self, start_us: int, stop_us: int, share: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]:
        width, height = self.sensor.width, self.sensor.height
        expected = self.pixel.noise_hz * width * height * (stop_us - start_us) * 1e-6
        _check_number(expected, stop_us, "a smaller noise_hz, or pictures that follow sooner")
        n = self._rng.poisson(expected)
        t = self._rng.integers(start_us, stop_us, n)
        x = self._rng.integers(0, width, n, dtype=np.uint16)
        y = self._rng.integers(0, height, n, dtype=np.uint16)
        p = self._rng.integers(0, 2, n, dtype=np.uint8).astype(np.bool_)
        if share is None:
            return t, x, y, p
        keep = self._rng.random(n) < share[y, x]
        return t[keep], x[keep], y[keep], p[keep]


def _order(t: NDArray[np.int64], start_us: int, stop_us: int) -> NDArray[np.intp]:
    """The stable order of times from start_us to stop_us; NumPy sorts 16 bits by their digits, which is faster."""
    return np.argsort((t - start_us).astype(np.uint16) if stop_us - start_us < 2**16 else t, kind="stable")


def _check_number(n: float, t_us: int, way_out: str) -> None:
    if n > MOST_EVENTS:
        raise EncodingError(f"dvs pixel: {n:.3g} events up to {t_us} us, more than {MOST_EVENTS}: {way_out}")


def _thresholds(mean: float, mismatch: float, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.maximum(rng.normal(mean, mismatch, shape), SMALLEST_THRESHOLD)


@kernel
def crossings(
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    reference: NDArray[np.float64],
    on: NDArray[np.float64],
    off: NDArray[np.float64],
    moved: NDArray[np.float64],
    leak: float,
    start_us: int,
    stop_us: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> int:
    """Threshold crossings between two pictures, row by row; their number.

    Pictures and levels are [H, W]. The reference sinks by `leak` ON thresholds on the way from one picture to the next,
    which is to a pixel as if the light rose so far. `moved` receives the new reference levels, t, x, y, p as many
    crossings as fit: when the number is larger than their length, nothing is lost, call again with longer ones.
    """
    n = 0
    for row in range(now.shape[0]):
        for column in range(now.shape[1]):
            level = reference[row, column]
            sunk = leak * on[row, column]
            light = now[row, column] + sunk
            change = light - level
            step = on[row, column] if change > 0 else -off[row, column]
            n_steps = int(change / step)
            moved[row, column] = level + n_steps * step - sunk
            slope = light - before[row, column]
            for k in range(1, n_steps + 1):
                if n < len(t):
                    # A rest of rounding can be left to cross while the picture stands still.
                    way = (level + k * step - before[row, column]) / slope if slope != 0 else 1.0
                    t[n] = start_us + int(min(max(way, 0.0), 1.0) * (stop_us - start_us))
                    x[n] = column
                    y[n] = row
                    p[n] = step > 0
                n += 1
    return n


def reference_crossings(
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    reference: NDArray[np.float64],
    on: NDArray[np.float64],
    off: NDArray[np.float64],
    leak: float,
    start_us: int,
    stop_us: int,
) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_], NDArray[np.float64]]:
    """What `crossings` computes, in NumPy: t, x, y, p and the new reference levels."""
    light = now + leak * on  # [H, W]
    step = np.where(light - reference > 0, on, -off)
    n_steps = ((light - reference) / step).astype(np.int64)
    y, x = np.repeat(np.argwhere(n_steps), n_steps[n_steps > 0], axis=0).T
    k = np.concatenate([np.arange(1, n + 1) for n in n_steps.flat]).astype(np.int64)
    slope = light[y, x] - before[y, x]
    distance = reference[y, x] + k * step[y, x] - before[y, x]
    way = np.divide(distance, slope, out=np.ones(len(k)), where=slope != 0)
    t = start_us + (way.clip(0, 1) * (stop_us - start_us)).astype(np.int64)
    return t, x, y, step[y, x] > 0, reference + n_steps * step - leak * on


@kernel
def rested(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    refractory_us: int,
    last_us: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> None:
    """Mark the events whose pixel has been still for refractory_us; last_us [H, W] is carried from call to call."""
    for i in range(len(t)):
        keep[i] = t[i] - last_us[y[i], x[i]] >= refractory_us
        if keep[i]:
            last_us[y[i], x[i]] = t[i]


def reference_rested(t: NDArray[np.int64], pixel: NDArray[np.int64], refractory_us: int) -> NDArray[np.bool_]:
    """What `rested` marks, for pixels given as one number each and no events before."""
    keep = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        kept = t[:i][keep[:i] & (pixel[:i] == pixel[i])]
        keep[i] = len(kept) == 0 or t[i] - kept[-1] >= refractory_us
    return keep
