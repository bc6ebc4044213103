"""A recipe: which dataset, through which steps, stored how; and the identity that follows from it.

Recipes are TOML files (those that come with neurodata lie in `recipes/`), checked when they are read. The
identity is a hash over everything that the stored bytes depend on, so a store can be found without
reading any data.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets import Dataset, find_dataset
from neurodata.draws import generator
from neurodata.errors import RecipeError
from neurodata.forms import ClipForm, Form, Sensor, WaveformForm
from neurodata.signals import EventArray, Signal
from neurodata.steps import (
    ADDED,
    LARGEST_ARRAY_BYTES,
    ArraySpec,
    Encoding,
    Kinds,
    SignalTransform,
    Step,
    Tally,
    moves_of,
)
from neurodata.storage import canonical_json
from neurodata.targets import TargetSpec, parted_by

if TYPE_CHECKING:
    from neurodata.augmentations import Augmentation

# The store format (docs/store-format.md): stores of another version are other stores.
STORE_VERSION = 4
LayoutName = Literal["dense", "sparse", "events"]
Compression = Literal["none", "zstd"]
# Types of counts that a sparse layout holds.
SPARSE_DTYPES = ("bool", "uint8", "uint16", "uint32")
# The partitions that a step at load is for; "test" is validation as well.
Only = Literal["train", "test", "all"]
# What a recipe says of a step besides its parameters.
STEP_KEYS = ("name", "frozen", "when", "only")
# What a caller changes in a recipe: {"event_frame": {"T": 8}}.
Overrides: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ViewStep:
    """A step that is done when samples are loaded, for all partitions or `only` one.

    Random steps are for training alone, unless `only` says "all": results on test samples would not be theirs.
    """

    name: str
    step: Step
    only: Only | None = None

    def __post_init__(self) -> None:
        if self.only is None:
            object.__setattr__(self, "only", "train" if self.step.stochastic else "all")

    def applies(self, partition: str) -> bool:
        """Whether it is done to samples of this partition."""
        return self.only == "all" or (self.only == "train") == (partition == "train")


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
        Stored steps, (name, step) in the order of application: transforms, then one encoding; in a layout of events,
        transforms alone.
    view
        In a layout of events, the steps that are done at load: transforms, then one encoding. The stored bytes do not
        depend on them, nor does the identity: one store serves every T, window and encoding.
    seed
        From which, with a sample's key, random steps draw; a random step is stored only where the recipe says
        `frozen = true` of it.
    layout
        How a store keeps samples: "dense" is one array [N, T, C, H, W], "sparse" a code of the counts that are not
        zero, "events" the events, from which frames are made at load.
    compression
        Of each chunk: "none" or "zstd". None is "none" for sparse layouts, whose code is small already and read two to
        three times as fast like this, and "zstd" for others (benchmarks/loader.py measures it).
    samples_per_shard
        Samples in one file of the store; also the unit of work and of commit.
    augment
        Augmentations for training, in the order of application; a loader does them (`augment="recipe"`). The stored
        bytes do not depend on them, nor does the identity.

    Raises
    ------
    RecipeError
        When the steps do not fit together, or samples_per_shard is not positive.
    """

    name: str
    dataset: Dataset
    steps: tuple[tuple[str, Step], ...]
    view: tuple[ViewStep, ...] = ()
    layout: LayoutName = "dense"
    compression: Compression | None = None
    samples_per_shard: int = 64
    seed: int = 0
    augment: tuple[Augmentation, ...] = ()

    def __post_init__(self) -> None:
        if self.compression is None:
            object.__setattr__(self, "compression", "none" if self.layout == "sparse" else "zstd")
        if self.samples_per_shard < 1:
            raise RecipeError(f"{self.name}: samples_per_shard is {self.samples_per_shard}; expected at least 1")
        kind: type = self.dataset.gives
        before = self.dataset.name
        for name, step in self._all_steps():
            if not issubclass(kind, step.takes):
                raise RecipeError(f"{self.name}: {_does_not_follow(name, step, before, kind)}")
            before, kind = name, step.gives
        self._check_labels()
        self._check_targets()
        if kind is not np.ndarray:
            raise RecipeError(
                f"{self.name}: no step gives an array, but {kind.__name__}; end the steps with {_an_encoding_of(kind)}"
            )
        if bool(self.view) != (self.layout == "events"):
            raise RecipeError(
                f"{self.name}: steps at load go with layout events, which holds events; it is {self.layout}"
            )
        if self.layout == "events" and not isinstance(self._stored_form(), Sensor):
            raise RecipeError(
                f"{self.name}: layout events holds events, and the steps before {self.view[0].name} give none: leave "
                "the layout out (dense or sparse follows from what is stored), or state a step that makes events"
            )

    @property
    def encoding(self) -> Encoding:
        """The last step."""
        encoding: Encoding = self._all_steps()[-1][1]  # type: ignore[assignment]  # checked by kind in __post_init__
        return encoding

    def stored_sensor(self) -> Sensor:
        """The pixel grid of the events that are stored, in a layout of events."""
        form = self._stored_form()
        assert isinstance(form, Sensor)  # checked in __post_init__
        return form

    def _stored_form(self) -> Form:
        return form_after((step for _, step in self.steps), self.dataset.form)

    def array(self) -> ArraySpec:
        """Shape and type of one sample's frames: as stored, or as a store of events is loaded.

        Raises
        ------
        RecipeError
            When the layout cannot hold them, or a sample is too large to work with.
        """
        name, spec = self._all_steps()[-1][0], self.final_spec()
        if spec.has_variable_steps and self.layout != "events" and (self.layout == "dense" or spec.axes[0] != "time"):
            if spec.axes[0] == "time":
                what, way_out = "steps as a sample is long", self._room_for_steps(spec)
            else:
                dense = "event_frame" if self.encoding.takes is EventArray else "spike_voxel"
                what, way_out = "rows as a sample has entries", f"end the steps with {dense}"
            raise RecipeError(
                f"{self.name}: {name} gives as many {what}, and a {self.layout} store holds samples of one shape: "
                f"{way_out}"
            )
        if self.layout == "sparse" and spec.dtype.name not in SPARSE_DTYPES:
            or_events = " or events" if self.encoding.takes is EventArray else ""
            raise RecipeError(
                f"{self.name}: {name} gives {spec.dtype}, and a sparse store holds counts "
                f"({', '.join(SPARSE_DTYPES)}): choose layout dense{or_events}"
            )
        if spec.size_bytes > LARGEST_ARRAY_BYTES:
            raise RecipeError(
                f"{self.name}: one sample of {spec.shape} takes {spec.size_bytes / 1e9:.1f} GB, more than "
                f"{LARGEST_ARRAY_BYTES / 1e9:.1f}: fewer time steps, or a smaller sensor"
            )
        return spec

    def _room_for_steps(self, spec: ArraySpec) -> str:
        """What to do about samples of different lengths that a dense store does not hold."""
        takes_events = issubclass(EventArray, self.encoding.takes)
        layouts = ["sparse"] * (spec.dtype.name in SPARSE_DTYPES) + ["events"] * takes_events
        one_length = {ClipForm: "clip_frames in its place", WaveformForm: "fit_length before it"}
        stated = "T as well" if takes_events else one_length.get(type(self.dataset.form))
        ways = [f"state {stated}"] * (stated is not None) + [f"choose layout {' or '.join(layouts)}"] * bool(layouts)
        return ", or ".join(ways) or "take an encoding that gives counts or spikes"

    def final_spec(self) -> ArraySpec:
        """What the last step gives, whether or not the layout can hold it."""
        return self.encoding.spec(form_after((step for _, step in self._all_steps()), self.dataset.form))

    def encode(self, signal: Signal, key: str, tally: Tally | None = None) -> NDArray[Any] | EventArray:
        """What is stored of one sample: all stored steps, one after the other; losses are added to the tally.

        Random steps draw from (seed, step, key): the same for the same sample, whatever else is prepared.
        """
        result: Any = signal
        for k, (name, step) in enumerate(self.steps):
            had_events = isinstance(result, EventArray)
            result = step(result, self._draws(k, key), tally)
            if isinstance(result, EventArray) and not had_events and tally is not None:
                tally[f"{ADDED}{name}"] += len(result)  # from here on, every event is accounted for
        return result  # type: ignore[no-any-return]  # an array or events, checked in __post_init__

    def target(self, target: int, key: str) -> int:
        """The class of a sample after steps that change the meaning of some, as the dataset declares."""
        for k, (_, step) in enumerate(self.steps):
            if (name := label_change(step)) and step.happens(self._draws(k, key)):  # type: ignore[attr-defined]
                target = self.dataset.label_maps[name].get(target, target)
        return target

    def _all_steps(self) -> tuple[tuple[str, Step], ...]:
        """Stored steps and those at load."""
        return (*self.steps, *((entry.name, entry.step) for entry in self.view))

    def _draws(self, k: int, key: str) -> np.random.Generator | None:
        return generator(self.seed, k, key) if self.steps[k][1].stochastic else None

    def _check_labels(self) -> None:
        for name, step in self._all_steps():
            if (change := label_change(step)) and change not in self.dataset.label_maps:
                raise RecipeError(
                    f"{self.name}: {name} can change what a class means ({change}), and {self.dataset.name} does not "
                    f'declare what becomes of its classes: say labels = "keep" if they stay what they are'
                )

    def _check_targets(self) -> None:
        for name, step in self._all_steps():
            if why := parts_targets(step, self.dataset.target_specs):
                raise RecipeError(f"{self.name}: {name} does not fit {self.dataset.name}: {why}")

    def canonical(self) -> dict[str, Any]:
        """Everything that the stored bytes depend on, as plain JSON values with defaults filled in."""
        targets = self.dataset.target_specs
        return {
            "store_version": STORE_VERSION,
            "dataset": self.dataset.identity(),
            "reader": self.dataset.readers(),
            "steps": [
                {"name": name, "version": step.version, "parameters": _stated(step)} for name, step in self.steps
            ],
            "layout": self.layout,
            "compression": self.compression,
            "samples_per_shard": self.samples_per_shard,
            **({"seed": self.seed} if any(step.stochastic for _, step in self.steps) else {}),
            **({"targets": [target.to_json() for target in targets]} if targets else {}),
        }

    def canonical_view(self) -> list[dict[str, Any]]:
        """The steps at load in the form of `canonical`, for listings: what is stored does not depend on them."""
        return [
            {"name": entry.name, "version": entry.step.version, "parameters": _stated(entry.step) | _only(entry)}
            for entry in self.view
        ]

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
    encoding: str | None = None,
    overrides: Overrides | None = None,
) -> Recipe:
    """A recipe by name or path, by default the one named like the dataset, with some parameters changed.

    `dataset` is one, or its name, such as "dvs-gesture" or "folder:DIR". `encoding` takes the place of the recipe's,
    with its own defaults. `T` and `split_by` go to the steps that have a parameter of that name. A recipe that names no
    layout is stored sparse where frames are counts, and dense where they are other numbers.

    Raises
    ------
    RecipeError
        When the file is missing or damaged, or names what does not exist; says what there is.
    """
    entry = find_dataset(dataset) if isinstance(dataset, str) else dataset
    where, table = _read(recipe or entry.recipe)
    if layout is not None:
        table["layout"] = layout
    steps = table.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) and "name" in step for step in steps):
        raise RecipeError(f"{where}: expected at least one [[steps]] table with a name")
    if encoding is not None:
        if encoding not in registry.encodings:
            near = difflib.get_close_matches(encoding, registry.encodings.names(), n=3) or registry.encodings.names()
            raise RecipeError(f"no encoding {encoding!r}; there is {', '.join(near)}")
        steps = table["steps"] = [*steps[:-1], {"name": encoding}]
    everywhere = {name: value for name, value in (("T", T), ("split_by", split_by)) if value is not None}
    for step, parameters in zip(steps, _changes(where, steps, everywhere, overrides or {}), strict=True):
        _change(where, step, parameters)
    return _parse(where, table, entry)


def stored_recipe(name: str, dataset: Dataset, canonical: Mapping[str, Any]) -> Recipe:
    """The recipe whose `canonical` form a store holds, as far as the stored bytes depend on it.

    In a layout of events its step at load is one of no consequence; augmentations are gone. Whether this release makes
    the same bytes of it is told by its `recipe_id`.

    Raises
    ------
    RecipeError
        When it names a step, parameter or value that this release does not have.
    """
    where = f"the recipe of {name}"
    try:
        steps = [{"name": step["name"], **step["parameters"]} for step in canonical["steps"]]
        values = {
            key: canonical[key] for key in ("layout", "compression", "samples_per_shard", "seed") if key in canonical
        }
    except (KeyError, TypeError) as error:
        raise RecipeError(f"{where}: not the recipe of a store: {error!r}") from None
    is_events = values.get("layout") == "events"
    return Recipe(
        name=name,
        dataset=dataset,
        steps=tuple((step["name"], _construct(where, step, _step_class(where, step["name"]))) for step in steps),
        view=(_view_step(where, {"name": "event_frame", "T": 1}),) if is_events else (),
        **values,
    )


def recipe_names() -> list[str]:
    """Names of the recipes that come with neurodata."""
    files = resources.files("neurodata.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def recipe_dataset(recipe: str | Path) -> str:
    """The dataset that a recipe, by name or path, says it is for; the one of its own name where it says nothing.

    Raises
    ------
    RecipeError
        When the file is missing or damaged.
    """
    where, table = _read(recipe)
    return str(table.get("dataset", Path(where).stem))


def _read(recipe: str | Path) -> tuple[str, dict[str, Any]]:
    """(where it is, for messages; what it says) of a recipe file."""
    where, text = _read_text(recipe)
    try:
        return where, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _read_text(recipe: str | Path) -> tuple[str, str]:
    if str(recipe) in recipe_names():
        return f"recipes/{recipe}.toml", resources.files("neurodata.recipes").joinpath(f"{recipe}.toml").read_text(
            "utf-8"
        )
    try:
        return str(recipe), Path(recipe).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        way_out = f"; to encode by {recipe}, say encoding (--encoding {recipe})" if recipe in registry.encodings else ""
        raise RecipeError(
            f"recipe {recipe}: neither a readable file nor one of {', '.join(recipe_names())}{way_out}"
        ) from None


def _parse(where: str, table: dict[str, Any], dataset: Dataset) -> Recipe:
    fields = {"dataset": str, "layout": LayoutName, "compression": Compression, "samples_per_shard": int, "seed": int}
    unknown = set(table) - {*fields, "steps", "augment"}
    if unknown:
        raise RecipeError(f"{where}: {min(unknown)}: unknown key; a recipe takes: {', '.join(fields)}, steps, augment")
    values = {key: _check(where, key, fields[key], value) for key, value in table.items() if key in fields}
    known_as = [dataset.recipe, dataset.identity()["name"]]
    if dataset.own_folder is not None:
        known_as.append("folder")  # recipes for anyone's own samples, in files or not
    if values.pop("dataset", dataset.recipe).replace("_", "-") not in known_as:
        raise RecipeError(f"{where}: is a recipe for {table['dataset']}, not for {dataset.name}")
    stored, view = _build_steps(where, table["steps"], values.get("layout", "dense"))
    tables = table.get("augment", [])
    if not isinstance(tables, list):
        raise RecipeError(f"{where}: augment is {tables!r}; expected [[augment]] tables")
    augment = tuple(parse_augmentation(where, entry) for entry in tables)
    recipe = Recipe(name=Path(where).stem, dataset=dataset, steps=stored, view=view, augment=augment, **values)
    if "layout" in values or recipe.final_spec().dtype.name not in SPARSE_DTYPES:
        return recipe
    return replace(recipe, layout="sparse", compression=values.get("compression"))


def parse_augmentation(where: str, table: Mapping[str, Any]) -> Augmentation:
    """The augmentation that a table describes: its name, and parameters by their names or aliases.

    Raises
    ------
    RecipeError
        When there is no such augmentation or parameter, or a value does not fit; `where` begins the message.
    """
    name = table.get("name") if isinstance(table, Mapping) else None
    if not isinstance(name, str) or name not in registry.augmentations:
        known = ", ".join(registry.augmentations)
        raise RecipeError(f"{where}: expected the name of an augmentation and found {name!r}; there is {known}")
    # Imported when named: augmentations are torch's, and preparing needs none of it.
    augmentation: Augmentation = _construct(where, table, registry.augmentations[name])
    return augmentation


def _build_steps(
    where: str, tables: Sequence[Mapping[str, Any]], layout: LayoutName
) -> tuple[tuple[tuple[str, Step], ...], tuple[ViewStep, ...]]:
    """The steps that are stored, and those that are done at load.

    In a layout of events these are the encoding, what says `when = "load"` or `only`, random steps that are not frozen,
    and all that come after one of them.
    """
    stored: list[tuple[str, Step]] = []
    view: list[ViewStep] = []
    for table in tables:
        name = table["name"]
        entry = _view_step(where, table)
        step = entry.step
        is_late = _check(where, f"{name}.when", Literal["load"] | None, table.get("when")) == "load"
        asks = is_late or "only" in table
        is_frozen = _check(where, f"{name}.frozen", bool, table.get("frozen", False))
        is_free = step.stochastic and not is_frozen
        if layout != "events":
            if asks:
                raise RecipeError(
                    f'{where}: {name} is to be done at load: that needs layout = "events"; {layout} stores hold frames'
                )
            if is_free:
                anew = (
                    'choose layout = "events" or augment in the loader'
                    if step.takes is EventArray
                    else "store what comes before it (direct stores values) and draw in the loader (transform=)"
                )
                raise RecipeError(
                    f"{where}: {name} is random: stored, it happens once for all epochs, and to test samples too. Say "
                    f"frozen = true if that is meant ({name}.frozen=true); to draw anew in every epoch, {anew}"
                )
        elif view or asks or is_free or step.gives is np.ndarray:
            if is_frozen:
                raise RecipeError(f"{where}: {name} is frozen, but it is done at load, after a step that is not stored")
            view.append(entry)
            continue
        stored.append((name, step))
    return tuple(stored), tuple(view)


def parse_view_step(where: str, table: Mapping[str, Any]) -> ViewStep:
    """The step at load that a table describes: its name, parameters by their names or aliases, and `only`.

    Raises
    ------
    RecipeError
        When there is no such step or parameter, or a value does not fit; `where` begins the message.
    """
    if not isinstance(table.get("name"), str):
        raise RecipeError(f"{where}: expected the name of a step and found {table.get('name')!r}")
    return _view_step(where, table)


def _view_step(where: str, table: Mapping[str, Any]) -> ViewStep:
    name = table["name"]
    parameters = {key: value for key, value in table.items() if key not in STEP_KEYS[1:]}
    step: Step = _construct(where, parameters, _step_class(where, name))
    return ViewStep(name, step, _check(where, f"{name}.only", Only | None, table.get("only")))


def form_after(steps: Iterable[Step], form: Form) -> Form:
    """The form of what the transforms among some steps make of a signal of this form."""
    for step in steps:
        if isinstance(step, SignalTransform):
            form = step.form_after(form)
    return form


def _construct(where: str, table: Mapping[str, Any], wanted: type) -> Any:
    """The object of this class whose parameters a table states, by their names or aliases."""
    name, types = table["name"], _parameters(wanted)
    table = _without_aliases(where, table, wanted)
    unknown = set(table) - {"name", *types}
    if unknown:
        raise RecipeError(f"{where}: {name}.{min(unknown)}: unknown key; {name} takes: {', '.join(types)}")
    if missing := [
        field.name for field in dataclasses.fields(wanted) if _is_required(field) and field.name not in table
    ]:
        raise RecipeError(f"{where}: {name}.{missing[0]}: is not stated; {name} takes: {', '.join(types)}")
    values = {key: _check(where, f"{name}.{key}", types[key], _frozen(table[key])) for key in types if key in table}
    try:
        return wanted(**values)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _frozen(value: Any) -> Any:
    """The arrays of TOML as tuples: the parameters of a step are values."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _without_aliases(where: str, table: Mapping[str, Any], step_class: type) -> dict[str, Any]:
    """The table with other libraries' names of parameters and values replaced by ours."""
    names, values, implied, refused = (
        getattr(step_class, kind, {}) for kind in ("aliases", "value_aliases", "implied", "refused")
    )
    resolved: dict[str, Any] = {}
    for key, value in table.items():
        if key in refused:
            raise RecipeError(f"{where}: {table['name']}.{key}: {refused[key]}")
        name = names.get(key, key)
        if name in resolved:
            raise RecipeError(f"{where}: {table['name']}.{name} is stated twice (as {key} too)")
        resolved[name] = values.get(name, {}).get(value, value) if isinstance(value, str) else value
    for key in table:
        for name, value in implied.get(key, {}).items():
            if resolved.setdefault(name, value) != value:
                raise RecipeError(
                    f"{where}: {table['name']}.{key} means {name} = {value!r}, but {name} is {resolved[name]!r}"
                )
    return resolved


def _does_not_follow(name: str, step: Step, before: str, kind: type) -> str:
    """Why a step cannot come after one, or a dataset, that gives this kind of signal."""
    if kind is np.ndarray:
        return f"{name} comes after an encoding: transforms come before it, and a recipe has one encoding"
    return f"step {name} takes {kind_names(step.takes)}, but {before} before it gives {kind.__name__}"


def kind_names(kinds: Kinds) -> str:
    """What a step takes, in words: "Image or Series"."""
    return " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))


def _an_encoding_of(kind: type) -> str:
    """The encodings that make an array of this kind of signal, in words."""
    steps = ((name, registry.encodings[name]) for name in registry.encodings)
    return ", ".join(name for name, step in steps if step.gives is np.ndarray and issubclass(kind, step.takes))


def label_change(step: Step) -> str | None:
    """The change of the meaning of classes that a step makes and that labels are to follow."""
    return step.label_map if isinstance(step, SignalTransform) and getattr(step, "labels", None) == "map" else None


def parts_targets(step: Step, targets: tuple[TargetSpec, ...]) -> str | None:
    """Why a step cannot be done to samples with these targets; None where it can."""
    return parted_by(targets, moves_of(step), label_change(step) is not None)


def _only(entry: ViewStep) -> dict[str, Any]:
    return {} if entry.only == "all" else {"only": entry.only}


def _stated(step: Step) -> dict[str, Any]:
    """The parameters of a step that are in use: one that is None is not, and one that is new changes no identity."""
    parameters = dataclasses.asdict(step)  # type: ignore[call-overload]
    return {name: value for name, value in parameters.items() if value is not None}


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
    near = difflib.get_close_matches(str(name), known, n=3) or known
    raise RecipeError(f"{where}: no step {name!r}; there is {', '.join(near)}")


def _parameters(step_class: type) -> dict[str, Any]:
    types = get_type_hints(step_class)
    return {field.name: types[field.name] for field in dataclasses.fields(step_class)}


def _changes(
    where: str, steps: Sequence[dict[str, Any]], everywhere: Mapping[str, Any], overrides: Overrides
) -> list[dict[str, Any]]:
    """What changes in each step: parameters for every step that takes them, then those for steps of a name."""
    changes: list[dict[str, Any]] = [{} for _ in steps]
    for parameter, value in everywhere.items():
        takers = [k for k, step in enumerate(steps) if parameter in _parameters(_step_class(where, step["name"]))]
        if not takers:
            raise RecipeError(f"{where}: no step takes {parameter}; the steps are {_names(steps)}")
        for k in takers:
            changes[k][parameter] = value
    for name, parameters in overrides.items():
        takers = [k for k, step in enumerate(steps) if step["name"] == name]
        if not takers:
            raise RecipeError(
                f"{where}: no step {name!r} (nor another argument of that name); the steps are {_names(steps)}"
            )
        if not isinstance(parameters, Mapping):
            raise RecipeError(f"{where}: {name} is {parameters!r}; expected its parameters, such as {name}={{'T': 8}}")
        for k in takers:
            changes[k].update(parameters)
    return changes


def _change(where: str, step: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    """Change parameters of a step, by whichever of their names they are stated here and there.

    One of several that exclude each other takes the place of the one in the recipe.
    """
    step_class = _step_class(where, step["name"])
    before = _without_aliases(where, step, step_class)
    now = _without_aliases(where, {"name": step["name"], **parameters}, step_class)
    exclusive = getattr(step_class, "exclusive", ())
    if any(key in exclusive for key in now):
        before = {key: value for key, value in before.items() if key not in exclusive}
    step.clear()
    step.update(before | now)


def _names(steps: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(step["name"] for step in steps)
