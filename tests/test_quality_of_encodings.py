"""The read-out of `benchmarks/encodings_quality.py`: that its figures mean what it says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.encodings_quality import PENALTIES, accuracy, counts, latency, ridge
from neurodata.signals import EventArray, Sensor, Series


def test_what_can_be_read_out_is_and_what_is_not_there_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 10
    fifths = rng.permutation(200) % 5
    noise = rng.normal(size=(200, 300))
    assert accuracy(noise, labels, fifths) < 0.25
    assert accuracy(noise + 3 * np.eye(10)[labels] @ rng.normal(size=(10, 300)), labels, fifths) == 1


def test_leaving_one_out_is_what_training_without_it_gives() -> None:
    """The error that chooses the penalty, from one inverse, is that of n trainings."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(12, 5))
    targets = features @ rng.normal(size=(5, 2)) + 0.1 * rng.normal(size=(12, 2))
    kernel = features @ features.T
    centred = targets - targets.mean(axis=0)
    errors = []
    for penalty in PENALTIES * np.trace(kernel) / 12:
        error = 0.0
        for i in range(12):
            rest = np.arange(12) != i
            weights = np.linalg.solve(kernel[np.ix_(rest, rest)] + penalty * np.eye(11), centred[rest])
            error += float(((kernel[i, rest] @ weights - centred[i]) ** 2).sum())
        errors.append(error)
    best = PENALTIES[int(np.argmin(errors))] * np.trace(kernel) / 12
    np.testing.assert_allclose(ridge(kernel, targets), np.linalg.solve(kernel + best * np.eye(12), centred), rtol=1e-6)


def test_spikes_are_counted_by_neuron_and_part() -> None:
    sensor = Sensor(3, 1, 1)
    t = np.array([0, 5, 99, 100], np.int64)
    events = EventArray(t, np.array([0, 0, 2, 1], np.uint16), np.zeros(4, np.uint16), np.ones(4, np.bool_), sensor)
    found = counts(events, 100).reshape(3, 10)
    assert found[0, 0] == pytest.approx(np.sqrt(2))
    assert found[2, 9] == found[1, 9] == 1
    assert np.count_nonzero(found) == 3


def test_a_latency_is_the_earlier_the_larger_the_value() -> None:
    events = latency(Series(np.array([[0, 1], [2, 0], [1, 0.5]], np.float32), 100.0))
    assert sorted(zip(events.x.tolist(), events.t.tolist(), strict=True)) == [
        (0, 10_000),
        (0, 10_000),
        (0, 25_000),
        (1, 0),
        (1, 20_000),
        (1, 25_000),
    ]
