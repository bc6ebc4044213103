"""A recipe: which dataset, through which steps, stored how; and the identity that follows from it.

Recipes are TOML files (those that come with neurodata lie in `recipes/`), checked when they are read. The
identity is a hash over everything that the stored bytes depend on, so a store can be found without
reading any data.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets import Dataset, find_dataset
from neurodata.errors import RecipeError
from neurodata.signals import Signal
from neurodata.steps import ArraySpec, Encoding, Step, Tally
from neurodata.storage import canonical_json

# The store format (docs/store-format.md): stores of another version are other stores.
STORE_VERSION = 1
LARGEST_SAMPLE_BYTES = 1 << 32
Layout = Literal["dense"]
Compression = Literal["none", "zstd"]
# What a caller changes in a recipe: {"event_frame": {"T": 8}}.
Overrides: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Dataset, stored steps and the way they are stored.

    Parameters
    ----------
    name
        For people and folder names; not part of the identity.
    dataset
        The dataset.
    steps
        Transforms, then one encoding; (name, step) in the order of application.
    layout
        How a store keeps samples: "dense" is one array [N, T, C, H, W].
    compression
        Of each chunk: "none" or "zstd".
    samples_per_shard
        Samples in one file of the store; also the unit of work and of commit.

    Raises
    ------
    RecipeError
        When the steps do not fit together, or samples_per_shard is not positive.
    """

    name: str
    dataset: Dataset
    steps: tuple[tuple[str, Step], ...]
    layout: Layout = "dense"
    compression: Compression = "zstd"
    samples_per_shard: int = 64

    def __post_init__(self) -> None:
        if self.samples_per_shard < 1:
            raise RecipeError(f"{self.name}: samples_per_shard is {self.samples_per_shard}; expected at least 1")
        kind: type = self.dataset.gives
        for name, step in self.steps:
            if step.takes is not kind:
                raise RecipeError(
                    f"{self.name}: step {name} takes {step.takes.__name__}, but what comes before gives {kind.__name__}"
                )
            kind = step.gives
        if kind is not np.ndarray:
            raise RecipeError(
                f"{self.name}: no step gives an array; end the steps with an encoding such as event_frame"
            )

    @property
    def encoding(self) -> Encoding:
        """The last step."""
        encoding: Encoding = self.steps[-1][1]  # type: ignore[assignment]  # checked by kind in __post_init__
        return encoding

    def array(self) -> ArraySpec:
        """Shape and type of one stored sample; RecipeError when it is too large to work with."""
        spec = self.encoding.spec(self.dataset.sensor)
        if spec.size_bytes > LARGEST_SAMPLE_BYTES:
            raise RecipeError(
                f"{self.name}: one sample of {spec.shape} takes {spec.size_bytes / 1e9:.1f} GB, more than "
                f"{LARGEST_SAMPLE_BYTES / 1e9:.1f}: fewer time steps, or a smaller sensor"
            )
        return spec

    def encode(self, signal: Signal, tally: Tally | None = None) -> NDArray[Any]:
        """The array of one sample: all steps, one after the other; losses are added to the tally."""
        result: Any = signal
        for _, step in self.steps:
            result = step(result, None, tally)
        return result  # type: ignore[no-any-return]  # the last step gives an array, checked in __post_init__

    def canonical(self) -> dict[str, Any]:
        """Everything that the stored bytes depend on, as plain JSON values with defaults filled in."""
        return {
            "store_version": STORE_VERSION,
            "dataset": self.dataset.identity(),
            "reader": self.dataset.readers(),
            "steps": [
                {"name": name, "version": step.version, "parameters": dataclasses.asdict(step)}  # type: ignore[call-overload]
                for name, step in self.steps
            ],
            "layout": self.layout,
            "compression": self.compression,
            "samples_per_shard": self.samples_per_shard,
        }

    @property
    def recipe_id(self) -> str:
        """sha256 of the canonical form: two recipes with the same id give the same bytes from the same files."""
        return hashlib.sha256(canonical_json(self.canonical())).hexdigest()


def load_recipe(
    dataset: str | Dataset,
    recipe: str | Path | None = None,
    *,
    T: int | None = None,
    split_by: str | None = None,
    layout: str | None = None,
    overrides: Overrides | None = None,
) -> Recipe:
    """A recipe by name or path, by default the one named like the dataset, with some parameters changed.

    `dataset` is one, or its name, such as "dvs-gesture" or "folder:DIR". `T` and `split_by` go to the steps that
    have a parameter of that name.

    Raises
    ------
    RecipeError
        When the file is missing or damaged, or names what does not exist; says what there is.
    """
    entry = find_dataset(dataset) if isinstance(dataset, str) else dataset
    where, text = _read(recipe or entry.recipe)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: {error}") from None
    if layout is not None:
        table["layout"] = layout
    steps = table.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) and "name" in step for step in steps):
        raise RecipeError(f"{where}: expected at least one [[steps]] table with a name")
    for parameter, value in (("T", T), ("split_by", split_by)):
        if value is not None:
            _set_where_it_exists(where, steps, parameter, value)
    _apply(where, steps, overrides or {})
    return _parse(where, table, entry)


def recipe_names() -> list[str]:
    """Names of the recipes that come with neurodata."""
    files = resources.files("neurodata.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def _read(recipe: str | Path) -> tuple[str, str]:
    """(where it is, for messages; its text) of a recipe file."""
    if str(recipe) in recipe_names():
        return f"recipes/{recipe}.toml", resources.files("neurodata.recipes").joinpath(f"{recipe}.toml").read_text(
            "utf-8"
        )
    try:
        return str(recipe), Path(recipe).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise RecipeError(f"recipe {recipe}: neither a readable file nor one of {', '.join(recipe_names())}") from None


def _parse(where: str, table: dict[str, Any], dataset: Dataset) -> Recipe:
    fields = {"dataset": str, "layout": Layout, "compression": Compression, "samples_per_shard": int}
    unknown = set(table) - {*fields, "steps"}
    if unknown:
        raise RecipeError(f"{where}: {min(unknown)}: unknown key; a recipe takes: {', '.join(fields)}, steps")
    values = {key: _check(where, key, fields[key], value) for key, value in table.items() if key != "steps"}
    if values.pop("dataset", dataset.recipe) not in (dataset.recipe, dataset.recipe.replace("-", "_")):
        raise RecipeError(f"{where}: is a recipe for {table['dataset']}, not for {dataset.name}")
    steps = tuple((step["name"], _build(where, step)) for step in table["steps"])
    return Recipe(name=Path(where).stem, dataset=dataset, steps=steps, **values)


def _build(where: str, table: Mapping[str, Any]) -> Step:
    name = table["name"]
    step_class = _step_class(where, name)
    types = _parameters(step_class)
    unknown = set(table) - {"name", *types}
    if unknown:
        raise RecipeError(f"{where}: {name}.{min(unknown)}: unknown key; {name} takes: {', '.join(types)}")
    values = {key: _check(where, f"{name}.{key}", types[key], table[key]) for key in types if key in table}
    try:
        step: Step = step_class(**values)
    except TypeError as error:
        raise RecipeError(f"{where}: {name}: {error}") from None
    return step


def _check(where: str, key: str, expected: Any, value: Any) -> Any:
    # Late: whoever opens a store needs no recipe checked.
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        return TypeAdapter(expected, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        raise RecipeError(f"{where}: {key} is {value!r}: {error.errors()[0]['msg'].lower()}") from None


def _step_class(where: str, name: str) -> type:
    for steps in (registry.transforms, registry.encodings):
        if name in steps:
            step_class: type = steps[name]
            return step_class
    known = [*registry.transforms.names(), *registry.encodings.names()]
    raise RecipeError(f"{where}: no step {name!r}; there is {', '.join(known)}")


def _parameters(step_class: type) -> dict[str, Any]:
    types = get_type_hints(step_class)
    return {field.name: types[field.name] for field in dataclasses.fields(step_class)}


def _set_where_it_exists(where: str, steps: Sequence[dict[str, Any]], parameter: str, value: Any) -> None:
    takers = [step for step in steps if parameter in _parameters(_step_class(where, step["name"]))]
    if not takers:
        raise RecipeError(f"{where}: no step takes {parameter}; the steps are {_names(steps)}")
    for step in takers:
        step[parameter] = value


def _apply(where: str, steps: Sequence[dict[str, Any]], overrides: Overrides) -> None:
    for name, parameters in overrides.items():
        takers = [step for step in steps if step["name"] == name]
        if not takers:
            raise RecipeError(
                f"{where}: no step {name!r} (nor another argument of that name); the steps are {_names(steps)}"
            )
        if not isinstance(parameters, Mapping):
            raise RecipeError(f"{where}: {name} is {parameters!r}; expected its parameters, such as {name}={{'T': 8}}")
        for step in takers:
            step.update(parameters)


def _names(steps: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(step["name"] for step in steps)
