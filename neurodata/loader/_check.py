"""Arguments from callers: integers that are integers."""

from __future__ import annotations

import operator

from neurodata.errors import LoaderError


def check_integer(name: str, value: object, least: int, limit: int | None = None) -> int:
    """An argument as a Python integer, from `least` to below `limit`; NumPy's are taken, booleans and reals are not.

    Raises
    ------
    LoaderError
        When it is anything else; names the argument.
    """
    expected = f"an integer, at least {least}" if limit is None else f"an integer from {least} to {limit - 1}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # what it is for
    except TypeError:
        raise LoaderError(f"{name}={value!r}: expected {expected}") from None
    if isinstance(value, bool) or number < least or (limit is not None and number >= limit):
        raise LoaderError(f"{name}={value!r}: expected {expected}")
    return number
