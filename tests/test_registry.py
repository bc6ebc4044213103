from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from neurodata import registry
from neurodata.errors import UnknownNameError


def test_names_are_listed_without_importing_and_spelled_either_way() -> None:
    assert "dvs-gesture" in registry.datasets
    assert registry.datasets["dvs_gesture"] is registry.datasets["dvs-gesture"]
    assert registry.encodings["event-frame"] is registry.encodings["event_frame"]
    assert 3 not in registry.datasets


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"datasets: no 'n-mnits'; there is n-mnist"):
        registry.datasets["n-mnits"]


def test_a_plug_of_another_package_is_found_by_every_name_that_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("my_events", "neurodata.progress:silent", "neurodata.datasets")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    registry._entry_points.cache_clear()
    try:
        assert "my-events" in registry.datasets.names()
        for name in (*registry.datasets.names(), "my_events"):
            registry.datasets[name]
    finally:
        registry._entry_points.cache_clear()
