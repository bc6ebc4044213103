"""Changes that happen to a whole sample with some probability, and that can change what its class means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import EventTransform, Labels, Tally, check_choice, check_range


@dataclass(frozen=True, slots=True)
class Chance(EventTransform):
    """Base of flips: implement `changed`, and name the dataset's map of classes in `label_map`."""

    p: float = 1.0
    labels: Labels = "map"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"p": 0.5})

    def __post_init__(self) -> None:
        check_range(str(self.label_map), "p", self.p, 0, 1)
        check_choice(str(self.label_map), "labels", self.labels, get_args(Labels))

    @property
    def stochastic(self) -> bool:
        """Whether it happens to some samples only."""
        return 0 < self.p < 1

    def happens(self, rng: np.random.Generator | None) -> bool:
        """Always for p = 1, never for p = 0; else `rng.random() < p`, its only draw."""
        if not self.stochastic:
            return self.p == 1
        assert rng is not None  # EventTransform.__call__ asks for one
        return bool(rng.random() < self.p)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The changed events, or the events as they are."""
        return self.changed(events) if self.happens(rng) else events

    def changed(self, events: EventArray) -> EventArray:
        """The events when it happens."""
        raise NotImplementedError
