"""Rotation about the centre of the sensor, each event to the nearest pixel.

One of the set of SNNAugmentWide, the augmentation in the training code of Spikformer and its successors (angles up to
30 degrees; after TrivialAugment, Müller and Hutter, arXiv:2103.10158), on events instead of frames. Frames are
resampled backwards, from each new pixel to an old one; events are pushed forwards, so that none is doubled and none
lost but those that leave the sensor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from neurodata.signals import EventArray
from neurodata.steps import MOVES_SPACE, SAFE_DEGREES, EventTransform, Labels, Moves, Tally, check_choice
from neurodata.transforms._affine import turned
from neurodata.transforms._amount import Amount, check_amount, drawn, is_range

QUARTERS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))  # (cosine, sine), free of rounding


@dataclass(frozen=True, slots=True)
class Rotate(EventTransform):
    """Rotate the sample about the centre of the sensor; events that leave it are counted.

    With c = cos, s = sin and dx, dy from the centre: dx' = c dx + s dy, dy' = -s dx + c dy (y points down).

    Parameters
    ----------
    degrees
        Angle, counter-clockwise as seen; a pair (lowest, highest): uniform between them for every sample (its one
        draw).
    labels
        What a turn beyond 45 degrees may change. "map": the class follows the dataset's map "rotate", whatever the
        angle. "keep": it stays what it is. Smaller turns leave it as it is.

    Raises
    ------
    RecipeError
        When the angle is not from -360 to 360.
    """

    degrees: Amount = (-30.0, 30.0)
    labels: Labels = "map"

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"degrees": 90}, {"degrees": 17.5})

    def __post_init__(self) -> None:
        check_amount("rotate", "degrees", self.degrees, -360, 360)
        check_choice("rotate", "labels", self.labels, get_args(Labels))

    @property
    def label_map(self) -> str | None:  # type: ignore[override]  # depends on the angle
        """`rotate` for turns that may change what a class means."""
        ends = self.degrees if isinstance(self.degrees, tuple) else (self.degrees, self.degrees)
        from_upright = max(abs(math.remainder(end, 360)) for end in ends)
        return "rotate" if from_upright > SAFE_DEGREES or ends[1] - ends[0] > 2 * SAFE_DEGREES else None

    @property
    def stochastic(self) -> bool:
        """Whether the angle is drawn."""
        return is_range(self.degrees)

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The rotated events."""
        cosine, sine = _cosine_and_sine(drawn(self.degrees, rng))
        return turned(events, ((cosine, sine), (-sine, cosine)), tally)


def _cosine_and_sine(degrees: float) -> tuple[float, float]:
    quarters, rest = divmod(degrees, 90)
    if rest == 0:
        return QUARTERS[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


STEP = Rotate
