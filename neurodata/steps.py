"""A step of a recipe: a transform (signal -> signal of the same kind) or an encoding (signal -> array).

A step is a frozen dataclass whose fields are its parameters. `SignalTransform` and `SignalEncoding` are the bases that
steps share; `EventTransform` and `DenseEncoding` are theirs for events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Form, Sensor
from neurodata.signals import EventArray

# What a step counts while it works, by reason: {"saturated": 12} events lost, {"added: noise": 3} events more.
# Conservation is checked with it: of events, points and spikes (`signals.n_counted`), and of what steps add to them.
Tally = Counter[str]
ADDED = "added: "
# An array beyond this, of one sample, comes of a slip of a parameter or a jump of a clock; so do more time steps.
LARGEST_ARRAY_BYTES = 2**32
MOST_STEPS = 2**24
# Types of numbers that Zarr v3, NumPy and torch all know.
STORABLE = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)
# What a step moves, so that targets which say where or when something is are no longer true.
Moves: TypeAlias = frozenset[str]
SPACE, TIME = "space", "time"
MOVES_NOTHING: Moves = frozenset()
MOVES_SPACE: Moves = frozenset({SPACE})
MOVES_TIME: Moves = frozenset({TIME})
MOVES_ALL: Moves = frozenset({SPACE, TIME})


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape, type and axis names of what an encoding gives, known before any sample is read.

    `has_variable_steps`: the first axis depends on the sample, and is 0 in `shape`.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[str, ...]
    has_variable_steps: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of one array, uncompressed."""
        return prod(self.shape) * self.dtype.itemsize


# The kind of signal that a step takes, or several.
Kinds: TypeAlias = type | tuple[type, ...]


class Step(Protocol):
    """What a class in `transforms/` or `encodings/` offers; a frozen dataclass whose fields are its parameters.

    `version` is raised whenever the output for the same input and parameters changes: it is part of
    the identity of every store that the step had a hand in. `examples` are sets of parameters that every
    test of the contract runs with, and that listings show; `aliases` are other libraries' names of parameters.

    A step may also have `value_aliases`, their names of a parameter's values ({"split_by": {"number": "count"}}),
    `implied`, what their name of a parameter says besides its value ({"n_time_bins": {"split_by": "time"}}), and
    `refused`, names of theirs that mean something else, each with a sentence that says what to write instead.
    `exclusive` are parameters of which only one is stated: changing one drops the other of the recipe.

    A transform says in `moves` whether something is at another place ("space") or moment ("time") of the signal after
    it, as cut, shifted, scaled or turned signals are: targets that say where and when do not move along. What only
    drops, adds or blurs events moves nothing. A transform that does not say is taken to move both; an encoding, which
    ends the steps, is never asked.
    """

    version: ClassVar[int]
    takes: ClassVar[Kinds]
    gives: ClassVar[type]
    examples: ClassVar[Sequence[Mapping[str, Any]]]
    aliases: ClassVar[Mapping[str, str]]

    @property
    def stochastic(self) -> bool:
        """Whether the result depends on `rng`."""
        ...

    def __call__(self, signal: Any, rng: np.random.Generator | None = None, tally: Tally | None = None) -> Any:
        """The transformed or encoded signal; the input is left as it is.

        `rng` is drawn from only by stochastic steps; losses are added to `tally` by reason.
        """
        ...


class Encoding(Step, Protocol):
    """A step whose result is an array of a shape that follows from the form (and where stated, the sample)."""

    @property
    def counts_events(self) -> bool:
        """Whether the sum of the array is the number of events encoded: preparing checks conservation by it."""
        ...

    def spec(self, form: Any) -> ArraySpec:
        """Shape, type and axes of the array for signals of this form, of a kind that the step takes.

        Raises
        ------
        RecipeError
            When signals of this form cannot be encoded, such as sound of two channels where one is needed.
        """
        ...


class _SignalStep:
    """What steps have unless they say otherwise."""

    __slots__ = ()
    version: ClassVar[int] = 1
    takes: ClassVar[Kinds]
    gives: ClassVar[type]
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    aliases: ClassVar[Mapping[str, str]] = {}

    @property
    def stochastic(self) -> bool:
        """Whether the result depends on `rng`."""
        return False

    def _require_draws(self, rng: np.random.Generator | None) -> None:
        if self.stochastic and rng is None:
            raise RecipeError(f"{type(self).__name__} is random: give it a generator, as in np.random.default_rng(0)")


class SignalTransform(_SignalStep):
    """Base of steps from a signal to a signal, of the same or another kind: a frozen dataclass that has `apply`.

    One that gives another form says which by `form_after`.
    """

    __slots__ = ()
    # The map of `Dataset.label_maps` that tells what becomes of a class ("flip_x" ...); None: classes stay.
    label_map: ClassVar[str | None] = None
    moves: ClassVar[Moves] = MOVES_ALL

    def form_after(self, form: Any) -> Form:
        """The form of the result for a signal of this form; RecipeError when it cannot take such."""
        return form  # type: ignore[no-any-return]  # as the kinds that a step takes say

    def happens(self, rng: np.random.Generator | None) -> bool:
        """Whether a transform that happens with some probability does: its first draw from `rng`."""
        return True

    def apply(self, signal: Any, rng: np.random.Generator | None, tally: Tally) -> Any:
        """The result, of the form `form_after(signal.form)`; arrays that do not change may be shared."""
        raise NotImplementedError

    def __call__(self, signal: Any, rng: np.random.Generator | None = None, tally: Tally | None = None) -> Any:
        """The result; the input is left as it is.

        Raises
        ------
        RecipeError
            When the step is random and no `rng` is given, or the signal's form does not fit.
        EncodingError
            When the signal itself does not, such as one with values that are not numbers.
        """
        self._require_draws(rng)
        return self.apply(signal, rng, Counter() if tally is None else tally)


class EventTransform(SignalTransform):
    """Base of transforms of events.

    Events that leave are added to the tally by reason, new ones under a reason that begins with "added: ".
    """

    __slots__ = ()
    takes: ClassVar[Kinds] = EventArray
    gives: ClassVar[type] = EventArray

    def sensor_after(self, sensor: Sensor) -> Sensor:
        """The pixel grid of the result for events from this sensor."""
        return sensor

    def form_after(self, form: Sensor) -> Sensor:
        """The pixel grid of the result."""
        return self.sensor_after(form)


class SignalEncoding(_SignalStep):
    """Base of encodings of a signal into an array: a frozen dataclass that implements `spec` and `encode`."""

    __slots__ = ()
    gives: ClassVar[type] = np.ndarray

    @property
    def counts_events(self) -> bool:
        """Whether the sum of the array is the number of events encoded."""
        return False

    def spec(self, form: Any) -> ArraySpec:
        """Shape, type and axes of the array for signals of this form; RecipeError when it cannot take such."""
        raise NotImplementedError

    def n_steps(self, signal: Any) -> int:
        """Length of the first axis for this signal, where the form of all signals does not tell."""
        return self.spec(signal.form).shape[0]

    def encode(self, signal: Any, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the array of this signal over `out`: C-contiguous zeros of the shape and type that `spec` tells."""
        raise NotImplementedError

    def __call__(self, signal: Any, rng: np.random.Generator | None = None, tally: Tally | None = None) -> NDArray[Any]:
        """The array of this signal, of the shape and type that `spec` tells, also when there is nothing in it.

        Raises
        ------
        RecipeError
            When the step is random and no `rng` is given, or the signal's form does not fit.
        EncodingError
            When the array would take more than 4 GiB, or the signal itself cannot be encoded.
        """
        self._require_draws(rng)
        spec = self.spec(signal.form)
        n_steps = (self.n_steps(signal),) if spec.has_variable_steps else spec.shape[:1]
        shape = (*n_steps, *spec.shape[1:])
        check_memory(
            f"{type(self).__name__}: {signal!r} makes an array {shape} of {spec.dtype}, which takes",
            prod(shape) * spec.dtype.itemsize,
            "fewer or longer time steps, or a smaller sensor or signal; or the recording's clock jumps",
        )
        out = np.zeros(shape, spec.dtype)
        self.encode(signal, out, rng, Counter() if tally is None else tally)
        return out


class DenseEncoding(SignalEncoding):
    """Base of encodings of events into an array, none of them random: one implements `spec` and `fill`."""

    __slots__ = ()
    takes: ClassVar[Kinds] = EventArray

    def spec(self, sensor: Sensor) -> ArraySpec:
        """Shape, type and axes of the array for events from this sensor."""
        raise NotImplementedError

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the array of these events over `out`: C-contiguous zeros of the shape and type that `spec` tells."""
        raise NotImplementedError

    def encode(self, signal: EventArray, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the array of these events over `out`."""
        self.fill(signal, out, tally)


# What becomes of labels when a transform can change the meaning of a class: the dataset's map, or nothing.
Labels = Literal["map", "keep"]
# A turn beyond this can change the meaning of a class (6 and 9, left and up).
SAFE_DEGREES = 45.0


def moves_of(step: Step) -> Moves:
    """What a step of a recipe moves: as it says; everything, where it says nothing; nothing, where it encodes."""
    if step.gives is np.ndarray:
        return MOVES_NOTHING
    moves: Moves = getattr(step, "moves", MOVES_ALL)
    return moves


def check_choice(step: str, parameter: str, found: object, choices: Sequence[object]) -> None:
    """RecipeError when a parameter is none of its choices."""
    if found not in choices:
        raise RecipeError(f"{step}: {parameter} is {found!r}; expected {' or '.join(map(str, choices))}")


def check_memory(what_takes: str, n_bytes: int, way_out: str) -> None:
    """EncodingError when something would take more than 4 GiB; to be asked before it is allocated."""
    if n_bytes > LARGEST_ARRAY_BYTES:
        raise EncodingError(
            f"{what_takes} {n_bytes / 1e9:.1f} GB, more than {LARGEST_ARRAY_BYTES / 1e9:.1f}: {way_out}"
        )


def check_whole(step: str, parameter: str, found: object, lowest: int, highest: int) -> None:
    """RecipeError when a parameter is not a whole number from lowest to highest (both allowed)."""
    if isinstance(found, bool) or not isinstance(found, int | np.integer):
        raise RecipeError(f"{step}: {parameter} is {found!r}; expected a whole number from {lowest} to {highest}")
    check_range(step, parameter, int(found), lowest, highest)


def check_range(step: str, parameter: str, found: float, lowest: float, highest: float = np.inf) -> None:
    """RecipeError when a number is outside lowest to highest (both allowed), or not a number."""
    if not lowest <= found <= highest:
        limits = f"at least {lowest}" if highest == np.inf else f"{lowest} to {highest}"
        raise RecipeError(f"{step}: {parameter} is {found}; expected {limits}")
