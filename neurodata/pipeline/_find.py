"""Find finished stores by identity, without reading any source data unless a folder is named."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from neurodata.datasets import folder_id, sources_id
from neurodata.errors import NeurodataError, SourceNotFoundError, StorageError, StoreNotFoundError
from neurodata.recipe import Recipe
from neurodata.storage import Location, folders_in, is_file, size_if_there
from neurodata.store import MANIFEST, StoreReader


@dataclass(frozen=True, slots=True, eq=False)
class FoundStores:
    """Finished stores of a recipe, and by folder what is wrong with those that cannot be opened."""

    stores: tuple[StoreReader, ...]
    damaged: Mapping[Location, NeurodataError]


def find_stores(recipe: Recipe, roots: Iterable[Location]) -> FoundStores:
    """Finished stores of this recipe below the given roots, one for each source (the first root's).

    Raises
    ------
    StorageError
        When what is behind the URL of a root cannot be listed.
    """
    by_source: dict[str, StoreReader] = {}
    damaged: dict[Location, NeurodataError] = {}
    for root in roots:
        for folder in _candidates(root / "stores" / recipe.dataset.name, recipe.recipe_id[:12]):
            try:
                store = StoreReader(folder)
            except NeurodataError as error:
                damaged[folder] = error
                continue
            if store.head.recipe_id == recipe.recipe_id:
                by_source.setdefault(store.head.source_id, store)
    return FoundStores(tuple(by_source.values()), damaged)


def is_finished(folder: Location) -> bool:
    """Whether a store can be opened: its manifest, sample table and schemes are whole."""
    try:
        StoreReader(folder).close()
    except StorageError:
        raise
    except NeurodataError:
        return False
    return True


def rebuild_folders(target: Path) -> tuple[Path, Path]:
    """Where `--force` builds a store's replacement, and where the replaced store waits for its deletion."""
    return target.with_name(f".{target.name}.rebuild"), target.with_name(f".{target.name}.old")


def choose_store(
    found: FoundStores,
    recipe: Recipe,
    *,
    source: Path | None = None,
    twin: bool = False,
    twin_size: int | None = None,
    partial: bool = False,
    command: str,
) -> StoreReader:
    """The one store that was asked for.

    A folder is matched by its bytes. Otherwise twins and partial stores are left out unless asked for, and the
    store of the published files comes before those of other folders.

    Raises
    ------
    StoreNotFoundError
        When none fits (the message is `command`, which prepares it), or several do (it lists them).
    """
    if source is not None:
        wanted = _source_id(recipe, source)
        fitting = [store for store in found.stores if store.head.source_id == wanted]
    else:
        fitting = [
            store
            for store in found.stores
            if (store.head.source_kind == "twin") == twin
            and (partial or not store.head.partial)
            # Of stated windows there are others than the twin has samples.
            and (twin_size is None or recipe.dataset.windows is not None or len(store) == twin_size)
        ]
        published = [store for store in fitting if store.head.source_kind == "published"]
        # Other files never stand in for published ones that were prepared and cannot be opened.
        fitting = published or (fitting if twin or not _published_is_damaged(found, recipe) else [])
    if len(fitting) == 1:
        return fitting[0]
    raise StoreNotFoundError(_several(fitting) if fitting else _none(found, recipe, command))


def _candidates(stores: Location, id12: str) -> list[Location]:
    """Folders that hold a manifest; last those that a killed `--force` moved aside and did not replace."""
    names = folders_in(stores)
    named = [name for pattern in (f"[!.]*-{id12}*", f".*-{id12}*.old") for name in fnmatch.filter(names, pattern)]
    return [stores / name for name in named if _has_manifest(stores / name)]


def _has_manifest(store: Location) -> bool:
    path = store / MANIFEST
    return is_file(path) if isinstance(path, Path) else size_if_there(path) is not None


def _published_is_damaged(found: FoundStores, recipe: Recipe) -> bool:
    return any(folder.name.endswith(recipe.recipe_id[:12]) for folder in found.damaged)


def _source_id(recipe: Recipe, folder: Path) -> str:
    """Identity of the dataset's files in a folder, as preparing from it would record it."""
    dataset = recipe.dataset
    try:
        root = dataset.find_root(folder)
    except SourceNotFoundError:
        if folder.is_dir() and all((folder / source.filename).is_file() for source in dataset.sources):
            return sources_id(dataset.sources)
        raise
    return folder_id(dataset, root, dataset.samples(root))


def _several(fitting: Sequence[StoreReader]) -> str:
    listed = "\n".join(f"  {store.path} ({len(store)} samples)" for store in fitting)
    way_out = "say which: source (or twin_size, of twins), or open one by its folder"
    return f"{len(fitting)} stores fit, made from different files:\n{listed}\n{way_out}"


def _none(found: FoundStores, recipe: Recipe, command: str) -> str:
    identity = f"{recipe.name} {recipe.recipe_id[:12]}"
    message = f"no finished store of {recipe.dataset.name} by this recipe ({identity}); prepare it with\n  {command}"
    if found.stores:
        listed = "\n".join(f"  {store.path} ({_what_to_ask(store)})" for store in found.stores)
        message += f"\nnot asked for, but there:\n{listed}"
    if found.damaged:
        listed = "\n".join(f"  {error}" for error in found.damaged.values())
        message += f"\nthere, but damaged or unreadable (preparing again writes it anew):\n{listed}"
    return message


def _what_to_ask(store: StoreReader) -> str:
    if store.head.source_kind == "twin":
        return f"a twin of {len(store)} samples: ask for it with --twin or twin=True"
    return (
        "a part of the dataset: ask for it with --partial or partial=True, or name its source"
        if store.head.partial
        else "other files"
    )
