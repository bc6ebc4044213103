"""The head of a store of samples that were made elsewhere: classes, scheme, layout and form, as far as they tell."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodata.adapters._incoming import Incoming, Seen, told_classes
from neurodata.adapters._labels import classes_of
from neurodata.adapters._passing import CARD, FRAMES, TARGET, is_events
from neurodata.datasets import PARTITIONS, Partition, Scheme
from neurodata.errors import FormatError
from neurodata.forms import ClipForm, Form, ImageForm, Sensor, form_from_json
from neurodata.recipe import SPARSE_DTYPES, STORE_VERSION
from neurodata.steps import STORABLE, ArraySpec
from neurodata.storage import canonical_json
from neurodata.store import DenseLayout, EventsLayout, Layout, SparseLayout, StoreHead
from neurodata.targets import TargetSpec

AXES = {4: ("time", "channel", "y", "x"), 3: ("time", "y", "x"), 2: ("time", "channel"), 1: ("time",)}


def imported_head(
    incoming: Incoming, seen: Seen, layout: str | None, samples_per_shard: int
) -> tuple[StoreHead, tuple[str, ...], Scheme]:
    card = incoming.card or {}
    told = told_classes(incoming)
    classes = tuple(map(str, told)) if told is not None else classes_of([seen.labels], incoming.where)
    if len(set(classes)) < len(classes):
        raise FormatError(f"{incoming.where}: two classes have one name, in {', '.join(classes[:20])}")
    stored = _layout(incoming, seen, layout, samples_per_shard)
    scheme_told = card.get("scheme") or {}
    scheme = Scheme(
        str(scheme_told.get("name", "imported")),
        str(scheme_told.get("description", "as folders and files are named")),
        *(tuple(seen.keys[part]) for part in PARTITIONS),
    )
    dataset = re.sub(r"[^\w-]", "-", incoming.name)
    if not dataset:
        raise FormatError(f"{incoming.where}: gives the dataset no name: state one (name=, --name)")
    recipe = {
        "store_version": STORE_VERSION,
        "dataset": {"name": dataset, "version": 1},
        "imported": {
            "version": 1,
            "classes": list(classes),
            **({"recipe": card["recipe"]} if "recipe" in card else {}),
        },
        "layout": stored.to_json(),
    }
    kind = card.get("source_kind")
    head = StoreHead(
        dataset=dataset,
        dataset_version=1,
        recipe_name="imported",
        recipe=recipe,
        recipe_id=hashlib.sha256(canonical_json(recipe)).hexdigest(),
        source_id=seen.content.hexdigest(),
        # A look-alike stays one, whatever way it goes.
        source_kind="twin" if kind == "twin" else "folder",
        partial=bool(card.get("partial", False)) or _lacks(incoming, seen),
        default_scheme=scheme.name,
        classes=classes,
        form=_form(card, seen, stored),
        layout=stored,
    )
    return head, classes, scheme


def _lacks(incoming: Incoming, seen: Seen) -> bool:
    """Whether there are fewer samples than the export wrote, which one file of several may have."""
    told = (incoming.card or {}).get("counts")
    found = {part: len(keys) for part, keys in seen.keys.items()}
    if told is None or (written := {part: told.get(part, 0) for part in found}) == found:
        return False
    if not incoming.is_part:
        raise FormatError(
            f"{incoming.where}: holds {_numbers(found)}; {CARD} says {_numbers(written)}: copy the export again (or "
            f"move {CARD} away to import what there is)"
        )
    return True


def _numbers(counts: Mapping[Partition, Any]) -> str:
    return ", ".join(f"{part} {n}" for part, n in counts.items())


def _layout(incoming: Incoming, seen: Seen, wanted: str | None, samples_per_shard: int) -> Layout:
    content = (incoming.card or {}).get("content", {}).get("layout", {})
    files: dict[str, Any] = {
        "samples_per_shard": samples_per_shard,
        "targets": tuple(map(TargetSpec.from_json, content.get("targets", ()))),
    }
    if missing := {TARGET + spec.name for spec in files["targets"]} ^ {n for n in seen.shapes if n.startswith(TARGET)}:
        raise FormatError(f"{seen.where}: {', '.join(sorted(missing))} in the card, or in files, but not in both")
    if is_events(seen.shapes):
        if wanted is not None:
            raise FormatError(f"{seen.where}: holds events, which are stored as such: leave the layout out")
        return EventsLayout(_sensor(incoming, seen), compression="zstd", **files)
    array = _array(incoming, seen, content)
    kind = wanted or content.get("kind") or ("sparse" if array.has_variable_steps else "dense")
    if kind not in ("dense", "sparse"):
        raise FormatError(f"layout {kind!r}; expected dense or sparse")
    if kind == "dense" and array.has_variable_steps:
        raise FormatError(
            f"{seen.where}: samples differ in length: a dense store holds one shape; choose layout sparse"
        )
    if kind == "sparse" and array.dtype.name not in SPARSE_DTYPES:
        way_out = "pad or cut them to one length" if array.has_variable_steps else "choose layout dense"
        raise FormatError(
            f"{seen.where}: frames are {array.dtype}, and a sparse store holds {', '.join(SPARSE_DTYPES)}: {way_out}"
        )
    return DenseLayout(array, compression="zstd", **files) if kind == "dense" else SparseLayout(array, **files)


def _array(incoming: Incoming, seen: Seen, content: Mapping[str, Any]) -> ArraySpec:
    shapes, dtypes = seen.shapes[FRAMES], seen.dtypes[FRAMES]
    dtype = np.dtype(next(iter(dtypes)))
    if len(dtypes) > 1 or dtype.name not in STORABLE:
        raise FormatError(
            f"{seen.where}: frames are {', '.join(sorted(dtypes))}; expected one of {', '.join(STORABLE)}"
        )
    items = {shape[1:] for shape in shapes}
    if len(items) > 1 or len({len(shape) for shape in shapes}) > 1:
        few = ", ".join(map(str, sorted(shapes)[:4]))
        raise FormatError(f"{seen.where}: frames of the shapes {few}; only the first axis may differ")
    is_variable = len(shapes) > 1 or bool(content.get("shape") and content["shape"][0] == 0)
    shape = next(iter(shapes))
    shape = (0, *shape[1:]) if is_variable else shape
    told = incoming.axes if incoming.axes is not None else content.get("axes")
    axes = tuple(told) if told is not None else AXES.get(len(shape), tuple(f"axis{k}" for k in range(len(shape))))
    if len(axes) != len(shape):
        raise FormatError(
            f"{seen.where}: frames have {len(shape)} axes, {shape}, and {len(axes)} names: {', '.join(axes)}"
        )
    return ArraySpec(shape, dtype, axes, is_variable)


def _sensor(incoming: Incoming, seen: Seen) -> Sensor:
    content = (incoming.card or {}).get("content", {}).get("layout", {})
    if "sensor" in content:
        return Sensor(**content["sensor"])
    return Sensor(seen.largest[0] + 1, seen.largest[1] + 1)


def _form(card: Mapping[str, Any], seen: Seen, stored: Layout) -> Form:
    """What samples were before they were made frames; as near as their shape tells."""
    if "form" in card.get("content", {}):
        return form_from_json(card["content"]["form"])
    if isinstance(stored, EventsLayout):
        return stored.sensor
    *_, height, width = (1, 1, *next(iter(seen.shapes[FRAMES])))
    n_axes = len(next(iter(seen.shapes[FRAMES])))
    if n_axes <= 2:
        return Sensor(max(1, min(width, 1 << 16)), 1, 1)
    if n_axes == 3:
        return ImageForm(width, height)
    return ClipForm(width, height, next(iter(seen.shapes[FRAMES]))[-3])
