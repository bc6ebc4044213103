"""What every step on signals other than events must do: `test_step_contract.py` runs it for the registry.

A step is tried with every kind of signal that it takes, in the forms of `FORMS` (one that cannot take a form has to
refuse it in words, before it is called, by `spec` or `form_after`).
"""

from __future__ import annotations

import pickle
from collections import Counter
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import (
    ClipForm,
    Form,
    ImageForm,
    PointCloudForm,
    SeriesForm,
    SpikeCountsForm,
    WaveformForm,
    admits,
    in_general,
)
from neurodata.signals import (
    KINDS,
    Clip,
    EventArray,
    Image,
    PointCloud,
    Series,
    Signal,
    SpikeCounts,
    Waveform,
    n_counted,
)
from neurodata.steps import ADDED, ArraySpec

FORMS: tuple[Form, ...] = (
    WaveformForm(8000.0),
    WaveformForm(16000.0),
    WaveformForm(16000.0, n_channels=2),
    ClipForm(width=9, height=7, n_channels=3, fps=25.0),
    ClipForm(width=8, height=6, n_channels=1, fps=100.0),
    ImageForm(width=6, height=5, n_channels=1),
    ImageForm(width=3, height=4, n_channels=3),
    PointCloudForm(n_features=0),
    PointCloudForm(n_features=1),
    PointCloudForm(n_features=3),
    SpikeCountsForm(n_units=5, bin_us=4000),
    SeriesForm(n_channels=4, rate_hz=100.0),
    SeriesForm(n_channels=1, rate_hz=50.0),
)
LENGTHS = {Waveform: (0, 1, 2400), Clip: (1, 2, 6), PointCloud: (0, 1, 60), SpikeCounts: (0, 1, 80), Series: (0, 1, 40)}


def signal_of(form: Form, length: int, rng: np.random.Generator, scale: float = 1.0) -> Signal:
    """A random signal of this form; `scale` 0 makes it silent, dark, or all in one place."""
    if isinstance(form, WaveformForm):
        shape = (length,) if form.n_channels == 1 else (length, form.n_channels)
        return Waveform((scale * rng.uniform(-1, 1, shape)).astype(np.float32), form.rate_hz)
    if isinstance(form, ClipForm):
        shape = (length, form.height, form.width, form.n_channels)
        return Clip((scale * rng.integers(0, 256, shape)).astype(np.uint8), form.fps or 25.0)
    if isinstance(form, ImageForm):
        shape = (form.height, form.width, form.n_channels)
        return Image((scale * rng.uniform(0, 1, shape)).astype(np.float32))
    if isinstance(form, PointCloudForm):
        xyz = (scale * rng.uniform(-1, 1, (length, 3))).astype(np.float32)
        return PointCloud(xyz, (scale * rng.uniform(0, 1, (length, form.n_features))).astype(np.float32))
    if isinstance(form, SpikeCountsForm):
        counts = (scale * rng.poisson(0.3, (length, form.n_units))).astype(np.uint8)
        return SpikeCounts(counts, form.bin_us, {"velocity": rng.normal(0, 1, (length, 2)).astype(np.float32)})
    assert isinstance(form, SeriesForm)
    return Series((scale * rng.uniform(0, 1, (length, form.n_channels))).astype(np.float32), form.rate_hz)


def arrays_in(signal: Signal) -> list[np.ndarray]:
    return [value for name in type(signal).__slots__ if isinstance(value := getattr(signal, name), np.ndarray)]


class SignalStepContract:
    """Subclasses provide `step`, an object, and `forms`, those of `FORMS` of a kind that it takes."""

    @pytest.fixture
    def step(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def forms(self, step: Any) -> list[Form]:
        """Forms of the kinds that the step takes, without those that it refuses in words."""
        taken = [form for form in FORMS if issubclass(KINDS[type(form)], step.takes)]
        fitting = [form for form in taken if self.result_form(step, form) is not None]
        assert fitting, f"takes none of {', '.join(map(str, taken))}"
        return fitting

    def result_form(self, step: Any, form: Form) -> Form | ArraySpec | None:
        """What the step says that it gives for signals of this form; None where it refuses them."""
        try:
            return step.spec(form) if step.gives is np.ndarray else step.form_after(form)
        except RecipeError:
            return None

    def call(self, step: Any, signal: Signal, seed: int) -> tuple[Any, Counter[str]]:
        tally: Counter[str] = Counter()
        return step(signal, np.random.default_rng(seed) if step.stochastic else None, tally), tally

    def check(self, step: Any, signal: Signal, result: Any) -> None:
        """The result is of the shape, type and form that were told without the signal, and of numbers."""
        told = self.result_form(step, in_general(signal.form))
        if isinstance(told, ArraySpec):
            assert isinstance(result, np.ndarray)
            assert result.dtype == told.dtype
            assert len(told.axes) == len(told.shape) == result.ndim
            assert result.shape[1:] == told.shape[1:]
            assert told.has_variable_steps or result.shape == told.shape
            assert np.isfinite(result).all()
        else:
            assert told is not None
            assert isinstance(result, step.gives)
            assert admits(told, result.form)
            again = EventArray(result.t, result.x, result.y, result.p, result.sensor) if step.gives is EventArray else 0
            assert again is not None  # events are valid
            assert all(np.isfinite(array).all() for array in arrays_in(result))

    def test_it_is_a_value_that_pickles_and_compares(self, step: Any) -> None:
        assert pickle.loads(pickle.dumps(step)) == step
        assert hash(step) == hash(pickle.loads(pickle.dumps(step)))
        assert type(step).version >= 1

    def test_signals_of_any_length_give_what_was_told_and_are_left_as_they_are(
        self, step: Any, forms: list[Form]
    ) -> None:
        """Only a signal that is too short, or without anything in it, may be refused, in words."""

        @settings(max_examples=25)
        @given(st.sampled_from(forms), st.data(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-3, 1.0]))
        def law(form: Form, data: st.DataObject, seed: int, scale: float) -> None:
            length = data.draw(st.sampled_from(LENGTHS.get(KINDS[type(form)], (1,))))
            signal = signal_of(form, length, np.random.default_rng(seed), scale)
            before = [array.copy() for array in arrays_in(signal)]
            may_refuse = length < 2 or scale == 0
            with suppress(EncodingError) if may_refuse else nullcontext():
                self.check(step, signal, self.call(step, signal, seed)[0])
            assert all(np.array_equal(a, b) for a, b in zip(before, arrays_in(signal), strict=True))

        law()

    def test_the_same_draws_give_the_same_result(self, step: Any, forms: list[Form]) -> None:
        for form in forms:
            signal = signal_of(form, max(LENGTHS.get(KINDS[type(form)], (1,))), np.random.default_rng(3))
            (one, tally), (other, again) = (self.call(step, signal, 7) for _ in range(2))
            assert tally == again
            pairs = (
                [(one, other)] if isinstance(one, np.ndarray) else zip(arrays_in(one), arrays_in(other), strict=True)
            )
            assert all(np.array_equal(a, b) for a, b in pairs)

    def test_no_more_is_dropped_than_was_there_or_added(self, step: Any, forms: list[Form]) -> None:
        """Preparing keeps books: what is left, which is what was encoded, cannot be less than nothing.

        Events that a step makes of another signal are counted by the recipe, not by the step.
        """
        for form in forms:
            for length in LENGTHS.get(KINDS[type(form)], (1,)):
                signal = signal_of(form, length, np.random.default_rng(3))
                with suppress(EncodingError) if length < 2 else nullcontext():
                    result, tally = self.call(step, signal, 7)
                    assert min(tally.values(), default=1) > 0
                    added = sum(n for reason, n in tally.items() if reason.startswith(ADDED))
                    left = n_counted(signal) + 2 * added - tally.total()
                    assert left >= 0
                    if isinstance(result, EventArray):
                        assert not tally
                    elif not isinstance(result, np.ndarray):
                        assert left == n_counted(result)

    def test_numbers_that_are_none_are_refused_in_words(self, step: Any, forms: list[Form]) -> None:
        for form in forms:
            signal = signal_of(form, max(LENGTHS.get(KINDS[type(form)], (1,))), np.random.default_rng(3))
            for array in arrays_in(signal):
                if array.dtype.kind == "f" and array.size:
                    array.flat[array.size // 2] = np.nan
                    with pytest.raises(EncodingError, match=r"not a number|NaN|nan"):
                        self.call(step, signal, 7)
                    break

    def test_a_random_step_asks_for_a_generator(self, step: Any, forms: list[Form]) -> None:
        signal = signal_of(forms[0], max(LENGTHS.get(KINDS[type(forms[0])], (1,))), np.random.default_rng(3))
        if step.stochastic:
            with pytest.raises(RecipeError, match="is random: give it a generator"):
                step(signal)
        else:
            assert step(signal) is not None
