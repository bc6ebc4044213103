"""The threshold code: what a channel is worth, told by when it crosses levels, each way by a neuron of its own.

Guetig and Sompolinsky, "Time-warp-invariant neuronal processing", PLoS Biology 7(7), 2009; Pan et al., "Neural
population coding for effective temporal classification", IJCNN 2019 (arXiv:1909.08018), and the last stage of BAE
(arXiv:1909.01302): 15 levels crossed upwards, 15 downwards and the peak are 31 neurons a channel, and 20 channels
the 620 inputs of Spike-TIDIGITS. The papers' formulas were not at hand; decided here: levels i / (n_levels + 1),
crossings on straight lines between rows, the peak is the first row of the largest value, and the order of neurons:
channel * (2 n_levels + 1) + k, where k counts the levels upwards, then the levels downwards, each from the lowest,
and the peak is last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError
from neurodata.signals import EventArray, Sensor
from neurodata.steps import check_memory

BYTES_OF_A_CROSSING = 64  # while they are worked out


def neurons_per_channel(n_levels: int) -> int:
    """Each level upwards and downwards, and the peak."""
    return 2 * n_levels + 1


def levels(n_levels: int) -> NDArray[np.float64]:
    """The levels between 0 and 1, evenly apart, neither of them one: float64 [n_levels]."""
    return np.arange(1, n_levels + 1) / (n_levels + 1)


def normalised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each channel from 0, its smallest value, to 1, its largest: float64 [n, channels]; 0 where it never changes."""
    rows = values.astype(np.float64)
    if not rows.size:
        return rows
    low, high = rows.min(axis=0), rows.max(axis=0)
    scaled: NDArray[np.float64] = (rows - low) / np.where(high > low, high - low, 1)
    return scaled


def crossings(values: NDArray[np.float64], n_levels: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """When levels are crossed, in rows (2.5: midway from row 2 to row 3), and the neurons that tell: [k] both.

    A value is above a level when it is at least as large. One crossing per level and change; in no order.

    Parameters
    ----------
    values
        [n, channels], any range: levels are 0 to 1.

    Raises
    ------
    EncodingError
        When there are so many that they would take more than 4 GiB.
    """
    n_channels = values.shape[1]
    at = levels(n_levels)
    n_below = np.searchsorted(at, values, side="right")  # [n, channels]: levels that the value is above
    start, stop = n_below[:-1].ravel(), n_below[1:].ravel()  # of each line from row to row
    counts = np.abs(stop - start)
    n = int(counts.sum())
    check_memory(
        f"threshold code: {n} crossings of {n_levels} levels take", n * BYTES_OF_A_CROSSING, "fewer levels or rows"
    )
    line = np.repeat(np.arange(len(counts)), counts)  # [k]
    level = np.minimum(start, stop)[line] + np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    row, channel = np.divmod(line, max(1, n_channels))
    before, after = values[row, channel], values[row + 1, channel]
    neuron = channel * neurons_per_channel(n_levels) + level + n_levels * (stop < start)[line]
    return row + (at[level] - before) / (after - before), neuron.astype(np.int64)


def peaks(values: NDArray[np.float64], n_levels: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The first row of the largest value of each channel that changes, and its neuron: [k] both."""
    if not values.size:
        return np.zeros(0), np.zeros(0, np.int64)
    channel = np.flatnonzero(values.max(axis=0) > values.min(axis=0))
    neuron = (channel + 1) * neurons_per_channel(n_levels) - 1
    return values.argmax(axis=0)[channel].astype(np.float64), neuron.astype(np.int64)


def encode(values: NDArray[np.float64], rate_hz: float, n_levels: int) -> EventArray:
    """Crossings and peaks as events: neuron x of a sensor n_neurons x 1 x 1; row m is at m / rate_hz seconds.

    Parameters
    ----------
    values
        [n, channels] from 0 to 1, such as `normalised` makes.
    rate_hz
        Rows a second.
    n_levels
        Levels of each channel; (2 n_levels + 1) * channels is at most 65536.

    Raises
    ------
    EncodingError
        When the crossings would take more than 4 GiB.
    """
    found = [crossings(values, n_levels), peaks(values, n_levels)]
    rows, neurons = (np.concatenate(columns) for columns in zip(*found, strict=True))
    sensor = Sensor(neurons_per_channel(n_levels) * values.shape[1], 1, 1)
    return at_rows(rows, neurons, rate_hz, sensor)


def at_rows(rows: NDArray[np.float64], neurons: NDArray[np.int64], rate_hz: float, sensor: Sensor) -> EventArray:
    """Spikes of neurons at rows of a series as events, to the nearest microsecond; at one time by neuron.

    Raises
    ------
    EncodingError
        When a time is beyond every clock (2^53 us).
    """
    with np.errstate(over="ignore"):
        t_us = np.rint(rows / rate_hz * 1e6)
    if len(t_us) and t_us.max() >= 2**53:
        raise EncodingError(f"spikes at {t_us.max():g} us, by {rate_hz} rows a second; expected less than 2^53 us")
    t = t_us.astype(np.int64)
    order = np.lexsort((neurons, t))
    zeros = np.zeros(len(t), np.uint16)
    return EventArray(t[order], neurons[order].astype(np.uint16), zeros, np.ones(len(t), np.bool_), sensor)


def decode(spikes: EventArray, rate_hz: float, n_levels: int, n_rows: int) -> NDArray[np.float64]:
    """The values, float64 [n_rows, channels], of spikes of `encode`, for values as `normalised` makes them.

    Straight lines through the crossings and the peak, which is 1; before the first of them and after the last one it
    stays. Between two crossings a value stays between two neighbouring levels, so that it is off by at most
    1 / (n_levels + 1), and by what it changes in a microsecond. Channels without spikes are 0.
    """
    per_channel = neurons_per_channel(n_levels)
    worth = np.concatenate([levels(n_levels), levels(n_levels), [1.0]])
    values = np.zeros((n_rows, spikes.sensor.width // per_channel))  # [n, channels]
    channel, k = np.divmod(spikes.x.astype(np.int64), per_channel)
    for c in np.unique(channel):
        known = channel == c
        values[:, c] = np.interp(np.arange(n_rows), spikes.t[known] * (rate_hz / 1e6), worth[k[known]])
    return values
