"""neurodata info: what a dataset, a recording or a store is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import print_json
from .describe import describe_file
from .options import FormatOption, ItemOption, JsonOption, LabelsOption, SensorOption, dataset_of, parse_sensor
from .prepare import store_facts
from .steps import step_facts, step_kind

if TYPE_CHECKING:
    from neurodata.datasets import Dataset
    from neurodata.storage import Location


def info(
    target: Annotated[
        str, typer.Argument(help="A dataset, folder:DIR, a file (sound, clip ...), a store (or its URL), or a step.")
    ],
    labels: LabelsOption = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    item: ItemOption = None,
    json: JsonOption = False,
) -> None:
    """Describe a dataset, a file of any readable format, a store, or an encoding, transform or augmentation.

    Of a recording: how many events and when, whether they are in order and on the sensor, their rate over time and
    where they are. Of a file of many samples: how many of which class; --item looks at one.

    Examples:

    neurodata info dvs-gesture

    neurodata info DvsGesture/user01_led.aedat

    neurodata info folder:recordings --labels labels.csv

    neurodata info voxel_grid    # its parameters, and how a recipe says it

    neurodata info cache/stores/dvs-gesture/dvs-gesture-0123456789ab --json

    neurodata info s3://lab/neurodata/dvs-gesture-0123456789ab
    """
    from neurodata import registry
    from neurodata.datasets import is_dataset
    from neurodata.errors import SourceNotFoundError
    from neurodata.storage import is_file, is_folder, is_url, locate

    path = Path(target)
    pictures: list[str] = []
    if target in registry.datasets:
        facts = _dataset_facts(target)
    elif target.startswith("tonic:"):
        facts = _tonic_facts(dataset_of(target, labels, format, sensor))
    elif is_dataset(target):
        facts = _folder_facts(dataset_of(target, labels, format, sensor))
    elif (kind := step_kind(target)) and not path.exists():
        facts = step_facts(target, kind)
    elif is_url(target) or is_folder(path):
        facts = _store_facts(locate(target))
    elif is_file(path):
        facts, pictures = describe_file(path, format, parse_sensor(sensor), item)
    else:
        known = ", ".join(registry.datasets)
        raise SourceNotFoundError(
            f"{target}: no such file or folder, nor a dataset ({known}), encoding, transform or augmentation"
        )
    if json:
        print_json(facts)
    else:
        width = max(map(len, facts))
        for name, value in facts.items():
            print(f"{name:<{width}}  {_text(value, ' ' * (width + 2))}")
        print("\n".join(["", *pictures]) if pictures else "", end="\n" if pictures else "")


def _dataset_facts(name: str) -> dict[str, Any]:
    import inspect

    from neurodata import registry

    dataset = registry.datasets[name]
    return {
        "name": dataset.name,
        "what": inspect.getdoc(inspect.getmodule(type(dataset))),
        "form": str(dataset.form),
        "samples": {part: count for part, count in dataset.published_counts.items() if count} or "not published",
        "classes": list(dataset.classes),
        "files": [
            f"{source.filename} ({source.checksum or 'no published checksum'}): "
            f"{' or '.join(source.urls) or source.manual}"
            for source in dataset.sources
        ],
        "licence": dataset.licence,
        "citation": dataset.citation,
        "homepage": dataset.homepage,
    }


def _tonic_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "what": dataset.title,
        "form": str(dataset.form),
        "classes": list(dataset.classes) or "told by its files",
        "files": [source.manual for source in dataset.sources],
    }


def _folder_facts(dataset: Dataset) -> dict[str, Any]:
    from collections import Counter

    root = dataset.own_folder or Path()
    samples = dataset.samples(root)
    scheme = dataset.schemes(root, samples)[dataset.default_scheme]
    n_of_class = Counter(ref.target for ref in samples)
    return {
        "name": dataset.name,
        "what": dataset.title,
        "form": str(dataset.form),
        "formats": dict(Counter(str(ref.format) for ref in samples)),
        "samples": {"train": len(scheme.train), "validation": len(scheme.validation), "test": len(scheme.test)},
        "classes": {name: n_of_class[k] for k, name in enumerate(dataset.classes)},
        "targets": list(map(str, dataset.target_specs)),
        "groups": len({ref.group for ref in samples}),
    }


def _store_facts(path: Location) -> dict[str, Any]:
    from neurodata.store import StoreReader

    store = StoreReader(path)
    schemes = {
        name: {"train": len(scheme.train), "validation": len(scheme.validation), "test": len(scheme.test)}
        for name, scheme in store.schemes.items()
    }
    return {"store": str(path)} | store_facts(store) | {"schemes": schemes, "recipe": dict(store.head.recipe)}


def _text(value: Any, indent: str) -> str:
    if value in ({}, [], None):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = [f"{name}: {_inner(inner)}" for name, inner in value.items()]
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(str(value)) < 90 else f"\n{indent}".join(map(str, value))
    if isinstance(value, tuple):
        return " to ".join(map(str, value))
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("\n", f"\n{indent}")


def _inner(value: Any) -> str:
    """A value inside another, on one line: of mappings "name value", and steps as calls."""
    if isinstance(value, dict) and "parameters" in value:
        return f"{value['name']} {value['version']} ({_inner(value['parameters'])})"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_inner(inner)}" for name, inner in value.items())
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        return "; ".join(map(_inner, value))
    return str(value)
