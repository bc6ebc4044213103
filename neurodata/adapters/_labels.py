"""Labels as other libraries have them: names, or numbers of any kind; and the classes that they tell."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from neurodata.errors import FormatError

# Labels that are whole numbers name as many classes, if not absurdly many.
MOST_CLASSES = 1 << 16


def class_index(label: Any, classes: Sequence[str], key: str) -> int:
    """The class of a label that is the name or the number of one.

    Raises
    ------
    FormatError
        When it is neither.
    """
    if isinstance(label, str) and label in classes:
        return classes.index(label)
    if isinstance(label, int) and 0 <= label < len(classes):
        return label
    known = ", ".join(classes[:20]) + ", ..." * (len(classes) > 20)
    raise FormatError(
        f"{key}: has the label {label!r}; expected one of the {len(classes)} classes {known}, or its number"
    )


def names_of(labels: Sequence[Any]) -> tuple[str, ...]:
    """Labels as the names that `classes_of` gives their classes."""
    return tuple(label if isinstance(label, str) else f"{label:d}" for label in labels)


def classes_of(labels: Iterable[Iterable[Any]], name: str) -> tuple[str, ...]:
    """Names of the classes that labels tell: whole numbers count from 0 to the largest, others are sorted.

    Raises
    ------
    FormatError
        When labels are neither names nor whole numbers, or both.
    """
    every = [label for part in labels for label in part]
    if all(isinstance(label, str) for label in every):
        return tuple(sorted(set(every)))
    if not all(isinstance(label, int) for label in every):
        odd = next(label for label in every if not isinstance(label, int))
        raise FormatError(f"{name}: a label is {odd!r} among {len(every)}: expected whole numbers, or names, not both")
    found = set(every)
    if min(found) < 0 or max(found) >= MOST_CLASSES:
        return names_of(sorted(found))
    return tuple(map(str, range(max(found) + 1)))


def plain(label: Any) -> Any:
    """A label as a Python number or text; what is neither stays what it is."""
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    if isinstance(label, str):
        return str(label)
    try:
        return operator.index(label.item() if hasattr(label, "item") else label)
    except (TypeError, ValueError, RuntimeError):
        return label
