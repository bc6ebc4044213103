"""neurodata info: what a dataset, a recording or a store is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import print_json
from .options import FormatOption, JsonOption, SensorOption, parse_sensor
from .prepare import store_facts


def info(
    target: Annotated[str, typer.Argument(help="A dataset, a recording (file) or a store (folder).")],
    format: FormatOption = None,
    sensor: SensorOption = None,
    json: JsonOption = False,
) -> None:
    """Describe a dataset, a recording or a store.

    Examples:

    neurodata info dvs-gesture

    neurodata info DvsGesture/user01_led.aedat

    neurodata info cache/stores/dvs-gesture/dvs-gesture-0123456789ab --json
    """
    from neurodata import registry
    from neurodata.errors import SourceNotFoundError
    from neurodata.storage import is_file, is_folder

    path = Path(target)
    if target in registry.datasets:
        facts = _dataset_facts(target)
    elif is_folder(path):
        facts = _store_facts(path)
    elif is_file(path):
        facts = _recording_facts(path, format, sensor)
    else:
        known = ", ".join(registry.datasets)
        raise SourceNotFoundError(f"{target}: no such file or folder, nor a dataset ({known})")
    if json:
        print_json(facts)
    else:
        width = max(map(len, facts))
        for name, value in facts.items():
            print(f"{name:<{width}}  {_text(value, ' ' * (width + 2))}")


def _dataset_facts(name: str) -> dict[str, Any]:
    import inspect

    from neurodata import registry

    dataset = registry.datasets[name]
    return {
        "name": dataset.name,
        "what": inspect.getdoc(inspect.getmodule(type(dataset))),
        "sensor": str(dataset.sensor),
        "samples": {partition: count for partition, count in dataset.published_counts.items() if count},
        "classes": list(dataset.classes),
        "files": [
            f"{source.filename} ({source.checksum}): {' or '.join(source.urls) or source.manual}"
            for source in dataset.sources
        ],
        "licence": dataset.licence,
        "citation": dataset.citation,
        "homepage": dataset.homepage,
    }


def _store_facts(path: Path) -> dict[str, Any]:
    from neurodata.store import StoreReader

    store = StoreReader(path)
    schemes = {
        name: {"train": len(scheme.train), "validation": len(scheme.validation), "test": len(scheme.test)}
        for name, scheme in store.schemes.items()
    }
    return {"store": str(path)} | store_facts(store) | {"schemes": schemes, "recipe": dict(store.head.recipe)}


def _recording_facts(path: Path, format: str | None, sensor: str | None) -> dict[str, Any]:
    import neurodata

    recording = neurodata.open_recording(path, format=format, sensor=parse_sensor(sensor))
    n_on = sum(int(packet.p.sum()) for packet in recording.packets(1_000_000))
    duration_s = (recording.stop_us - recording.start_us) / 1e6
    return {
        "file": str(path),
        "format": recording.format,
        "sensor": str(recording.sensor),
        "events": recording.n_events,
        "start_us": recording.start_us,
        "stop_us": recording.stop_us,
        "duration_s": round(duration_s, 6),
        "events_per_s": round(recording.n_events / duration_s) if duration_s else None,
        "on_fraction": round(n_on / recording.n_events, 4) if recording.n_events else None,
        "findings": dict(recording.findings),
    }


def _text(value: Any, indent: str) -> str:
    if value in ({}, [], None):
        return "none"
    if isinstance(value, dict):
        value = [f"{name}: {inner}" for name, inner in value.items()]
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(str(value)) < 90 else f"\n{indent}".join(map(str, value))
    return str(value).replace("\n", f"\n{indent}")
