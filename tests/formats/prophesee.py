"""What the tests of Prophesee's formats share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neurodata.formats._blocks import Columns, Decoding
from neurodata.signals import EventArray


def rows(events: EventArray) -> list[tuple[int, int, int, int]]:
    """Events as (t, x, y, p)."""
    return list(
        zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.astype(int).tolist(), strict=True)
    )


def decoded(decoding: Decoding, raw: NDArray[np.uint8], cuts: list[int], room: int) -> tuple[Columns, NDArray[np.void]]:
    """Events of raw, decoded from windows of these lengths (again from the first when they are used up)."""
    state = np.zeros(1, decoding.state)
    parts = [Columns.empty(0)]
    at = k = 0
    while at < len(raw):
        columns = Columns.empty(room)
        state["bytes_left"] = len(raw) - at
        decoding.decode(raw[at : at + cuts[k % len(cuts)]].copy(), state, columns)
        assert not state["damage"][0]
        parts.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
        k += 1
    return Columns.joined(parts), state


def equal(a: Sequence[NDArray[Any]], b: Sequence[NDArray[Any]]) -> bool:
    """Whether all columns are the same."""
    return all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


def expelliarmus_events(encoding: str, path: Path) -> tuple[NDArray[Any], ...]:
    """The columns t, x, y, p that expelliarmus reads."""
    expelliarmus = pytest.importorskip("expelliarmus", reason="needs expelliarmus")
    found = expelliarmus.Wizard(encoding=encoding, fpath=path).read()
    return tuple(found[name] for name in "txyp")


def save_with_expelliarmus(encoding: str, events: EventArray, path: Path) -> None:
    """A file that expelliarmus writes."""
    expelliarmus = pytest.importorskip("expelliarmus", reason="needs expelliarmus")
    array = np.empty(len(events), [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
    for name in "txyp":
        array[name] = getattr(events, name)
    expelliarmus.Wizard(encoding=encoding).save(path, array)
