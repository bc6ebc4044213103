"""neurodata why: what makes two stores or recipes different."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import note, print_json
from .options import JsonOption, dataset_of, recipe_of, without_password

if TYPE_CHECKING:
    from neurodata.pipeline import Difference, StoreFacts
    from neurodata.recipe import Recipe

SHOWN = 40

Side = Annotated[
    str,
    typer.Argument(
        help="A store's folder or URL; a recipe, by name or TOML file; or what follows `neurodata prepare`, in quotes.",
    ),
]


def why(one: Side, other: Side, json: JsonOption = False) -> None:
    """Say what differs between two stores, recipes, or orders to prepare one: which makes them two, not one.

    Dataset and reader versions, steps and their versions and parameters, layout and store version; between two stores
    also the source, and the samples by which source files differ, the schemes, and where all that is the same, the
    files. Steps at load, which no store depends on, are compared between two recipes. A store may be unfinished, or of
    another format version, as far as it says what it is. Exit code as of `diff`: 0 nothing differs, 1 something, 2
    trouble.

    Examples:

    neurodata why cache/stores/n-mnist/n-mnist-0123456789ab "n-mnist --T 10 --split-by time"

    neurodata why n-mnist mine.toml

    neurodata why "dvs-gesture --T 16" "dvs-gesture --T 8 --layout events"

    neurodata why /shared/stores/shd/shd-0123456789ab s3://lab/neurodata/stores/shd/shd-0123456789ab
    """
    from neurodata.errors import NeurodataError
    from neurodata.pipeline import StoreFacts

    try:
        sides = [_side(one), _side(other)]
        found = _differences(*sides)
    except NeurodataError as error:
        print(f"neurodata: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    names = [without_password(one), without_password(other)]
    for side in sides:
        if known_in_part := getattr(side, "note", ""):
            note(f"neurodata: {known_in_part}")
    if json:
        listed = [{"place": entry.place, "one": entry.one, "other": entry.other} for entry in found]
        print_json({"one": names[0], "other": names[1], "same": not found, "differences": listed})
    else:
        _print(names, found, between_stores=all(isinstance(side, StoreFacts) for side in sides))
    if found:
        raise typer.Exit(1)


def _print(names: list[str], found: list[Difference], *, between_stores: bool) -> None:
    if not found:
        recipes = "" if between_stores else " as recipes; source files, and windows of folder:DIR, only stores tell of"
        note(f"nothing differs between {names[0]} and {names[1]}{recipes}")
        return
    note(f"< {names[0]}\n> {names[1]}")
    for entry in found[:SHOWN]:
        print(f"{entry.place}\n< {_shown(entry.one)}\n> {_shown(entry.other)}")
    if len(found) > SHOWN:
        note(f"and {len(found) - SHOWN} more differences: --json lists them")


def _shown(value: Any) -> str:
    return "(nothing)" if value is None else str(value)


def _side(text: str) -> StoreFacts | Recipe:
    from neurodata.datasets import is_dataset
    from neurodata.pipeline import store_facts
    from neurodata.storage import is_folder, is_url

    words = _words(text)
    if len(words) > 1 or is_dataset(words[0]):
        return _ordered(words)
    if is_url(text) or is_folder(Path(text)):
        return store_facts(text)
    return _named(text)


def _differences(one: StoreFacts | Recipe, other: StoreFacts | Recipe) -> list[Difference]:
    from neurodata.pipeline import StoreFacts, differences, store_differences, view_differences
    from neurodata.recipe import Recipe

    if isinstance(one, StoreFacts) and isinstance(other, StoreFacts):
        return store_differences(one, other)
    if isinstance(one, Recipe) and isinstance(other, Recipe):
        return [*differences(one.canonical(), other.canonical()), *view_differences(one, other)]
    return differences(*(side.canonical() if isinstance(side, Recipe) else side.recipe for side in (one, other)))


def _words(text: str) -> list[str]:
    """A place, or the words of an order, as a shell would take them apart."""
    from neurodata.errors import RecipeError
    from neurodata.storage import is_file, is_folder

    try:
        words = [text] if text and (is_file(Path(text)) or is_folder(Path(text))) else shlex.split(text)
    except ValueError as error:
        raise RecipeError(f"{text}: {error}") from None
    if not words:
        raise RecipeError("nothing to compare: name a store, a recipe or a dataset")
    return words


def _ordered(words: list[str]) -> Recipe:
    """The recipe that `neurodata prepare` with these words would follow."""
    from typer.main import get_command

    from .prepare import prepare

    app = typer.Typer(add_completion=False)
    app.command()(prepare)
    stated = get_command(app).make_context("prepare", list(words), help_option_names=[]).params
    of_dataset = ("dataset", "labels", "format", "sensor", "window_us", "stride_us", "before_us")
    dataset = dataset_of(*(stated[name] for name in of_dataset))
    names = ("recipe", "T", "split_by", "settings", "layout", "encoding")
    return recipe_of(dataset, *(stated[name] for name in names))


def _named(recipe: str) -> Recipe:
    """A recipe by its name or file, for the dataset that it says it is for."""
    from neurodata.errors import RecipeError, StoreNotFoundError
    from neurodata.recipe import load_recipe, recipe_dataset, recipe_names
    from neurodata.storage import is_file

    if recipe not in recipe_names() and not is_file(Path(recipe)):
        raise StoreNotFoundError(f"{recipe}: neither a store's folder, nor a recipe, nor a dataset")
    dataset = recipe_dataset(recipe)
    if dataset == "folder":
        raise RecipeError(
            f'{recipe}: a recipe for recordings of your own: name them too, as in "folder:DIR --recipe {recipe}"'
        )
    return load_recipe(dataset, recipe)
