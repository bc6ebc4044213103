"""Pictures of characters: the command is not imported by the package, so its module is loaded by name."""

from __future__ import annotations

from importlib import import_module

plot = import_module("neurodata.cli.plot")


def test_bars_grow_by_eighths_and_the_highest_fills_the_chart() -> None:
    assert plot.bars([0, 4, 8, 16], height=2) == ["   █", " ▄██"]


def test_a_value_above_zero_is_never_invisible() -> None:
    assert plot.bars([1, 100_000], height=1) == ["▁█"]
    assert plot.shaded([[0, 1, 100_000]]) == [" ░█"]


def test_nothing_is_blank() -> None:
    assert plot.bars([0, 0], height=1) == ["  "]
    assert plot.bars([], height=1) == [""]
    assert plot.shaded([[0, 0]]) == ["  "]
