"""The scene of the dvs-gesture twin: a person before a textured wall who moves both hands.

Lengths are pixels of a person of size 1 on 128x128; x to the right and y downwards from the middle of
the chest, as the camera sees it: the person's right hand is on the left of the picture. Arms are as often
brighter than everything behind them as darker, so that neither polarity is the leading edge: a movement
and its reverse then give the same events, only in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._paint_twin import paint
from neurodata.signals import Sensor

SENSOR = Sensor(128, 128)
PICTURE_US = 8_000  # a hand moves about one pixel in that time
SHOULDER, UPPER_ARM, FOREARM, HAND = (13.0, -14.0), 4.0, 3.5, 5.0  # place, then radii

Angles = NDArray[np.float64]  # [n]: phase of the movement, 2 pi a period
Track = tuple[Angles | float, Angles | float]  # x, y of one hand
Movement = Callable[[Angles], tuple[Track, Track]]  # right hand (x < 0 at rest), left hand

RIGHT_AT_REST, LEFT_AT_REST = (-20.0, 24.0), (20.0, 24.0)


def hand_clapping(angle: Angles) -> tuple[Track, Track]:
    gap = 12 + 9 * np.cos(angle)
    return (-gap, 4.0), (gap, 4.0)


def right_hand_wave(angle: Angles) -> tuple[Track, Track]:
    return (-31 + 10 * np.sin(angle), -25 + 2 * np.cos(2 * angle)), LEFT_AT_REST


def left_hand_wave(angle: Angles) -> tuple[Track, Track]:
    return RIGHT_AT_REST, (31 + 10 * np.sin(angle), -25 + 2 * np.cos(2 * angle))


def right_arm_cw(angle: Angles) -> tuple[Track, Track]:
    # y points down: a growing angle turns clockwise in the picture.
    return (-30 + 17 * np.cos(angle), 17 * np.sin(angle)), LEFT_AT_REST


def right_arm_ccw(angle: Angles) -> tuple[Track, Track]:
    return right_arm_cw(-angle)


def left_arm_cw(angle: Angles) -> tuple[Track, Track]:
    return RIGHT_AT_REST, (30 + 17 * np.cos(angle), 17 * np.sin(angle))


def left_arm_ccw(angle: Angles) -> tuple[Track, Track]:
    return left_arm_cw(-angle)


def arm_roll(angle: Angles) -> tuple[Track, Track]:
    x, y = 8 * np.cos(angle), 8 * np.sin(angle)
    return (x, 6 + y), (-x, 6 - y)


def air_drums(angle: Angles) -> tuple[Track, Track]:
    y = 10 * np.sin(angle)
    return (-18.0, 12 + y), (18.0, 12 - y)


def air_guitar(angle: Angles) -> tuple[Track, Track]:
    return (-6 + 2 * np.sin(angle), 16 + 9 * np.sin(angle)), (32 + 4 * np.sin(angle / 4), -6 - 2 * np.sin(angle / 4))


def arms_raised(angle: Angles) -> tuple[Track, Track]:
    y = -18 + 18 * np.sin(angle)
    return (-32.0, y), (32.0, y)


def punches(angle: Angles) -> tuple[Track, Track]:
    way = 13 * np.sin(angle)
    return (-18 - way, -6 + way), (18 - way, -6 - way)


def figure_eight(angle: Angles) -> tuple[Track, Track]:
    x, y = 10 * np.sin(angle), 9 * np.sin(2 * angle)
    return (-24 + x, -14 + y), (24 + x, -14 + y)


@dataclass(frozen=True, slots=True)
class Gesture:
    """A class of the dataset: the movements it is made of (one is drawn) and their periods a second."""

    name: str
    rate_hz: float
    movements: tuple[Movement, ...]


GESTURES = (
    Gesture("hand_clapping", 1.8, (hand_clapping,)),
    Gesture("right_hand_wave", 1.8, (right_hand_wave,)),
    Gesture("left_hand_wave", 1.8, (left_hand_wave,)),
    Gesture("right_arm_cw", 1.2, (right_arm_cw,)),
    Gesture("right_arm_ccw", 1.2, (right_arm_ccw,)),
    Gesture("left_arm_cw", 1.2, (left_arm_cw,)),
    Gesture("left_arm_ccw", 1.2, (left_arm_ccw,)),
    Gesture("arm_roll", 1.8, (arm_roll,)),
    Gesture("air_drums", 1.8, (air_drums,)),
    Gesture("air_guitar", 2.2, (air_guitar,)),
    Gesture("other_gestures", 1.2, (arms_raised, punches, figure_eight)),
)


@dataclass(frozen=True, slots=True)
class User:
    """How a person differs from the others."""

    size: float
    tempo: float
    x: float
    y: float
    drift: float  # pixels a second; to the left for some, to the right for others
    contrast: float  # of the arms against the rest, in log intensity
    stripes: float  # wavelength of the sleeves

    @classmethod
    def draw(cls, rng: np.random.Generator) -> User:
        """A person."""
        return cls(
            size=rng.uniform(0.85, 1.1),
            tempo=rng.uniform(0.85, 1.2),
            x=64 + rng.uniform(-4, 4),
            y=60 + rng.uniform(-4, 4),
            drift=rng.uniform(-3, 3),
            contrast=rng.uniform(0.55, 0.85),
            stripes=rng.uniform(5, 9),
        )


def draw_background(user: User, rng: np.random.Generator) -> NDArray[np.float32]:
    """Light from the wall, trunk and head: float32 [H, W], around 1, with soft stripes."""
    y, x = np.mgrid[: SENSOR.height, : SENSOR.width].astype(np.float64)
    picture = np.ones((SENSOR.height, SENSOR.width))
    u, v = (x - user.x) / user.size, (y - user.y) / user.size
    everywhere = np.ones_like(picture, np.bool_)
    trunk = (u / 15) ** 2 + ((v - 12) / 32) ** 2 < 1
    head = (u / 8) ** 2 + ((v + 30) / 10) ** 2 < 1
    for where in (everywhere, trunk, head):
        direction, wavelength, phase = rng.uniform(0, np.pi), rng.uniform(8, 24), rng.uniform(0, 2 * np.pi)
        waves = np.sin(2 * np.pi / wavelength * (x * np.cos(direction) + y * np.sin(direction)) + phase)
        picture[where] = np.exp(rng.uniform(-0.1, 0.1) + 0.1 * waves[where])
    return picture.astype(np.float32)


def film(
    gesture: Gesture, user: User, background: NDArray[np.float32], n_pictures: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Log-intensity pictures of one gesture, float32 [H, W], one every PICTURE_US."""
    movement = gesture.movements[rng.integers(len(gesture.movements))]
    rate_hz = gesture.rate_hz * user.tempo * rng.uniform(0.9, 1.1)
    time_s = np.arange(n_pictures, dtype=np.float64) * PICTURE_US * 1e-6
    angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * rate_hz * time_s
    brightness = float(np.exp(user.contrast * rng.choice([-1.0, 1.0])))
    stripes_phase = rng.uniform(0, 2 * np.pi)
    limbs = np.concatenate(
        [_arm(side, hand, n_pictures) for side, hand in zip((-1, 1), movement(angle), strict=True)], 1
    )
    limbs *= user.size  # [n, limb, (x0, y0, x1, y1, radius)]
    limbs[:, :, 0:4:2] += user.x + user.drift * (time_s - time_s.mean())[:, None, None]
    limbs[:, :, 1:4:2] += user.y
    light = np.empty_like(background)
    for moment in limbs:
        light[:] = background
        paint(light, moment, brightness, 2 * np.pi / user.stripes, stripes_phase)
        yield np.log(light)


def _arm(side: int, hand: Track, n_pictures: int) -> NDArray[np.float64]:
    """Upper arm, forearm and hand as segments with a radius, [n, 3, 5]."""
    wrist = np.stack([np.broadcast_to(axis, n_pictures) for axis in hand], axis=1)  # [n, (x, y)]
    shoulder = np.broadcast_to((side * SHOULDER[0], SHOULDER[1]), wrist.shape)
    elbow = (shoulder + wrist) / 2 + (side * 5.0, 5.0)
    forearm = wrist - elbow
    fingertips = wrist + 4 * forearm / np.hypot(*forearm.T)[:, None].clip(1e-9)
    limbs = np.empty((n_pictures, 3, 5))
    bones = pairwise((shoulder, elbow, wrist, fingertips))
    for limb, (start, stop), radius in zip(range(3), bones, (UPPER_ARM, FOREARM, HAND), strict=True):
        limbs[:, limb, :2], limbs[:, limb, 2:4], limbs[:, limb, 4] = start, stop, radius
    return limbs
