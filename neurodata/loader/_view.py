"""Views: frames made of stored events when they are loaded, by the same steps and kernels that prepare a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata import registry
from neurodata.draws import generator
from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import EncodingError, LoaderError
from neurodata.recipe import ViewStep, form_after, label_change, parse_view_step, parts_targets
from neurodata.signals import Sensor
from neurodata.steps import ArraySpec, DenseEncoding, Encoding, EventTransform, Step
from neurodata.store import StoreReader
from neurodata.transforms.time_slice import TimeSlice


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Steps from stored events to frames: transforms, random ones drawn anew in every epoch, and then one encoding.

    Parameters
    ----------
    steps
        In the order of application.
    sensor
        The pixel grid of the stored events.
    label_maps
        What becomes of classes, by the change that a transform makes of their meaning (`Dataset.label_maps`).
    """

    steps: tuple[ViewStep, ...]
    sensor: Sensor
    label_maps: Mapping[str, Mapping[int, int]]

    def for_partition(self, partition: str) -> View:
        """The steps that are done to samples of this partition."""
        return replace(self, steps=tuple(entry for entry in self.steps if entry.applies(partition)))

    @property
    def encoding(self) -> Encoding:
        """The last step."""
        encoding: Encoding = self.steps[-1].step  # type: ignore[assignment]  # checked where views are made
        return encoding

    @property
    def spec(self) -> ArraySpec:
        """Shape, type and axes of a sample's frames."""
        return self.encoding.spec(form_after((entry.step for entry in self.steps), self.sensor))

    @property
    def random(self) -> bool:
        """Whether any step draws."""
        return any(entry.step.stochastic for entry in self.steps)

    def read(self, store: StoreReader, index: int, seed: int, epoch: int) -> NDArray[Any]:
        """The frames of one stored sample, which depend on it, the seed and the epoch alone.

        Raises
        ------
        StoreError, StorageError
            When the sample cannot be read.
        EncodingError
            When it cannot be encoded; names the sample.
        """
        if self.counts_addresses:
            out = np.empty(self.spec.shape, self.spec.dtype)
            self.read_into(store, index, out, seed, epoch)
            return out
        key = store.table.keys[index]
        # What a time slice leaves out of a long sample is not read.
        interval = self._time_slice.interval(int(store.table.start_us[index])) if self._time_slice else ()
        result: Any = store.read_events(index, *interval)
        try:
            for k, entry in enumerate(self.steps):
                if k or not interval:
                    result = entry.step(result, self._draws(k, key, seed, epoch))
        except EncodingError as error:
            raise EncodingError(f"sample {key!r} of {store.path}: {error}") from None
        return result  # type: ignore[no-any-return]  # the last step gives an array

    def read_into(self, store: StoreReader, index: int, out: NDArray[Any], seed: int, epoch: int) -> None:
        """The same, over `out`, of the frames' shape and a type that holds them."""
        if not (self.counts_addresses and out.flags.c_contiguous):
            out[...] = self.read(store, index, seed, epoch)
            return
        out[...] = 0
        times, address = self.times_and_addresses(store, index)
        try:
            self.event_frame.fill_addresses(address, times, out)
        except EncodingError as error:
            raise EncodingError(f"sample {store.table.keys[index]!r} of {store.path}: {error}") from None

    @property
    def event_frame(self) -> EventFrame:
        """The only step, where `counts_addresses`."""
        encoding: EventFrame = self.steps[0].step  # type: ignore[assignment]  # as counts_addresses says
        return encoding

    def times_and_addresses(self, store: StoreReader, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """What `event_frame` needs to know of a sample's events; zeros for times that it does not look at.

        The addresses are an array that this thread's next read writes over.
        """
        if self.event_frame.needs_times:
            times = store.read_items(index, "t")
            times = times - times[:1]  # a copy, from the first event on
            return times, store.read_items(index, "address")
        address = store.read_items(index, "address")
        return np.broadcast_to(np.uint32(0), address.shape), address

    def target(self, target: int, key: str, seed: int, epoch: int) -> int:
        """The class of a sample after the steps that change what it means."""
        for k, entry in enumerate(self.steps):
            change = label_change(entry.step)
            if change is not None and entry.step.happens(self._draws(k, key, seed, epoch)):  # type: ignore[attr-defined]
                target = self.label_maps[change].get(target, target)
        return target

    @property
    def changes_labels(self) -> bool:
        """Whether a step changes what a class means."""
        return any(label_change(entry.step) is not None for entry in self.steps)

    @property
    def counts_addresses(self) -> bool:
        """Whether frames are counts of stored events, of one length: no coordinates are needed for them."""
        return len(self.steps) == 1 and isinstance(self.encoding, EventFrame) and self.encoding.T is not None

    @property
    def _time_slice(self) -> TimeSlice | None:
        """The first step, where it is one."""
        first = self.steps[0].step
        return first if isinstance(first, TimeSlice) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a store of events that frames are made of, where they are read whole."""
        if self._time_slice:
            return ()
        needs_times = not self.counts_addresses or self.event_frame.needs_times
        return ("t", "address") if needs_times else ("address",)

    def _draws(self, k: int, key: str, seed: int, epoch: int) -> np.random.Generator | None:
        return generator(seed, epoch, f"step {k} of {key}") if self.steps[k].step.stochastic else None


def make_view(steps: Sequence[ViewStep | Step | Mapping[str, Any]], store: StoreReader, partition: str) -> View:
    """The view of a store's events that these steps make, for samples of a partition.

    Raises
    ------
    StoreError
        When the store holds frames.
    LoaderError, RecipeError
        When the steps are not transforms of events and then one encoding, or a parameter does not fit.
    """
    layout = store.require_events()
    if isinstance(steps, str | Mapping) or not isinstance(steps, Sequence):
        raise LoaderError(f'view={steps!r}: expected a list of steps, such as [{{"name": "event_frame", "T": 8}}]')
    made = tuple(map(_view_step, steps))
    name = store.head.dataset
    label_maps = registry.datasets[name].label_maps if name in registry.datasets else {}
    view = View(made, layout.sensor, label_maps).for_partition(partition)
    for entry in made[:-1]:
        if not isinstance(entry.step, EventTransform):
            raise LoaderError(f"view: {entry.name} is no transform of events; one encoding ends the steps")
    if not view.steps or view.steps[-1].step.gives is not np.ndarray:
        last = view.steps[-1].name if view.steps else "nothing"
        raise LoaderError(f"view: {last} gives no frames; end the steps with an encoding such as event_frame")
    for entry in view.steps:
        if why := parts_targets(entry.step, store.head.targets):
            raise LoaderError(f"view: {entry.name} does not fit {name}: {why}")
    for entry in made:
        if (change := label_change(entry.step)) and change not in label_maps:
            raise LoaderError(
                f"view: {entry.name} can change what a class means ({change}), and {name} does not declare what "
                f'becomes of its classes: say labels = "keep" if they stay what they are'
            )
    return view


def _view_step(step: ViewStep | Step | Mapping[str, Any]) -> ViewStep:
    if isinstance(step, Mapping):
        return parse_view_step("view", step)
    if isinstance(step, ViewStep):
        return step
    if not isinstance(step, EventTransform | DenseEncoding):
        raise LoaderError(
            f'view: found {step!r}; expected a step or a table, such as {{"name": "event_frame", "T": 8}}'
        )
    # The name of a step is that of its file.
    return ViewStep(type(step).__module__.rpartition(".")[2], step)


def random_seed() -> int:
    """A seed from torch's generator: another one in every epoch and worker process of a torch DataLoader."""
    return int(torch.randint(2**63 - 1, ()))
