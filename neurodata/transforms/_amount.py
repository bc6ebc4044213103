"""Parameters that are one number, or a range to draw from anew for every sample: `degrees = [-30, 30]`."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from neurodata.errors import RecipeError
from neurodata.steps import check_range

# A number, or (lowest, highest): uniform between them, the highest left out.
Amount: TypeAlias = float | tuple[float, float]
# A whole number, or (lowest, highest): uniform between them, both included.
Whole: TypeAlias = int | tuple[int, int]


def is_range(amount: Amount) -> bool:
    """Whether there is something to draw."""
    return isinstance(amount, tuple) and amount[0] != amount[1]


def drawn(amount: Amount, rng: np.random.Generator | None) -> float:
    """The number, or one of the range (one `rng.random()`)."""
    if not isinstance(amount, tuple):
        return amount
    lowest, highest = amount
    if not is_range(amount):
        return lowest
    assert rng is not None  # EventTransform.__call__ asks for one
    return lowest + (highest - lowest) * float(rng.random())


def drawn_whole(amount: Whole, rng: np.random.Generator | None) -> int:
    """The number, or one of the range (one `rng.integers`)."""
    if not isinstance(amount, tuple):
        return amount
    lowest, highest = amount
    if not is_range(amount):
        return lowest
    assert rng is not None  # EventTransform.__call__ asks for one
    return int(rng.integers(lowest, highest + 1))


def check_amount(step: str, parameter: str, amount: object, lowest: float, highest: float = np.inf) -> None:
    """RecipeError when it is neither a number nor an ascending pair of numbers, from lowest to highest."""
    ends = amount if isinstance(amount, tuple) else (amount,)
    if len(ends) not in (1, 2) or not all(isinstance(end, int | float) for end in ends) or ends[0] > ends[-1]:
        raise RecipeError(f"{step}: {parameter} is {amount!r}; expected a number or a pair (lowest, highest)")
    for end in ends:
        check_range(step, parameter, end, lowest, highest)


def check_whole(step: str, parameter: str, amount: object, lowest: int, highest: int) -> None:
    """RecipeError when it is neither a whole number nor an ascending pair of them, from lowest to highest."""
    check_amount(step, parameter, amount, lowest, highest)
    for end in amount if isinstance(amount, tuple) else (amount,):
        if not isinstance(end, int) or isinstance(end, bool):
            raise RecipeError(f"{step}: {parameter} is {amount!r}; expected a whole number or a pair of them")
