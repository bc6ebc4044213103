"""Spikes of one-dimensional sensors as their files have them, times in seconds and units, made into events.

Seconds become the nearest whole microsecond, halves the even one (NumPy's `rint`), in double precision: a float16
times 10^6 would overflow from 65 ms on. A unit is a column x, y is 0, and p is True: there is one polarity.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import Reading
from neurodata.formats._index import survey
from neurodata.kernel import kernel
from neurodata.signals import LAST_TIME_US, EventArray, Sensor

# Whole microseconds up to here come back from float64 seconds: 71 years.
LAST_EXACT_US = (1 << 51) - 1
NO_TIME = np.iinfo(np.int64).min
LARGEST = 65535


def spikes(seconds: NDArray[Any], units: NDArray[Any], sensor: Sensor, place: str) -> Reading:
    """Events of one sample, in time order; findings count those that stood after a later one ("late").

    Parameters
    ----------
    seconds
        float16, 32 or 64, shape [n].
    units
        Whole numbers of any type, shape [n].
    sensor
        Its width is the number of units.
    place
        File and sample, for errors.

    Raises
    ------
    FormatError
        When the lengths differ, a time is none, or a unit lies off the sensor.
    """
    if len(seconds) != len(units):
        raise FormatError(f"{place}: {len(seconds)} times and {len(units)} units; the file is damaged: get it again")
    n = len(seconds)
    if n == 0:
        return Reading(EventArray.empty(sensor), Counter())
    t, x = _microseconds(seconds, place), _columns(units, sensor, place)
    y, p = np.zeros(n, np.uint16), np.ones(n, np.bool_)
    _, _, n_late, x_max, _ = survey(t, x, y, NO_TIME)
    if x_max >= sensor.width:
        raise _off_sensor(x, sensor, place)
    if n_late:
        return Reading(EventArray.from_unsorted(t, x, y, p, sensor)[0], Counter(late=n_late))
    return Reading(EventArray.trusted(t, x, y, p, sensor), Counter())


def _microseconds(seconds: NDArray[Any], place: str) -> NDArray[np.int64]:
    """Times as a new array."""
    if seconds.dtype == np.float16:
        t = np.empty(len(seconds), np.int64)
        is_sound = look_up(np.ascontiguousarray(seconds).view(np.uint16), MICROSECONDS_OF_HALF, t)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.rint(seconds.astype(np.float64) * 1e6)
        is_sound = bool((np.abs(rounded) < LAST_TIME_US).all())
        t = rounded.astype(np.int64) if is_sound else np.empty(0, np.int64)
    if not is_sound:
        k = int(np.argmin(np.abs(seconds.astype(np.float64)) < LAST_TIME_US / 1e6))
        raise FormatError(f"{place}: spike {k}: time {seconds[k]} s; expected a number of seconds: get the file again")
    return t


def _microseconds_of_halves() -> NDArray[np.int64]:
    """What each of the 65536 patterns of a float16 stands for, in us; NO_TIME for infinities and what is no number."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    is_number = np.isfinite(halves)
    return np.where(is_number, np.rint(np.where(is_number, halves, 0).astype(np.float64) * 1e6), NO_TIME).astype(
        np.int64
    )


MICROSECONDS_OF_HALF = _microseconds_of_halves()


@kernel
def look_up(patterns: NDArray[np.uint16], table: NDArray[np.int64], t: NDArray[np.int64]) -> bool:
    """Write the table's entry of each pattern into t; whether all are times."""
    earliest = np.int64(0)
    for i in range(len(patterns)):
        t[i] = table[patterns[i]]
        earliest = min(earliest, t[i])
    return bool(earliest != NO_TIME)


def reference(seconds: NDArray[np.float16]) -> NDArray[np.int64]:
    """What `look_up` writes for finite times."""
    return np.rint(seconds.astype(np.float64) * 1e6).astype(np.int64)


def _columns(units: NDArray[Any], sensor: Sensor, place: str) -> NDArray[np.uint16]:
    """Units as a new array."""
    fits = units.dtype.kind == "u" and units.dtype.itemsize <= 2
    if not fits and not 0 <= int(units.min()) <= int(units.max()) <= LARGEST:
        raise _off_sensor(units, sensor, place)
    return units.astype(np.uint16)


def _off_sensor(units: NDArray[Any], sensor: Sensor, place: str) -> FormatError:
    k = int(np.argmax((units < 0) | (units >= sensor.width)))
    return FormatError(
        f"{place}: spike {k}: unit {units[k]} lies off the sensor {sensor}; the file is damaged, or from another "
        "sensor: state it with sensor="
    )
