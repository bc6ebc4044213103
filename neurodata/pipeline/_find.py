"""Find finished stores by identity, without reading any source data unless a folder is named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from neurodata import registry
from neurodata.datasets import Dataset, folder_id, sources_id
from neurodata.errors import SourceNotFoundError, StoreNotFoundError
from neurodata.recipe import Recipe
from neurodata.store import MANIFEST, StoreReader


def find_stores(recipe: Recipe, roots: Iterable[Path]) -> list[StoreReader]:
    """Finished stores of this recipe below the given roots, one for each source (the first root's)."""
    by_source: dict[str, StoreReader] = {}
    for root in roots:
        for manifest in sorted((root / "stores" / recipe.dataset).glob(f"[!.]*-{recipe.recipe_id[:12]}*/{MANIFEST}")):
            store = StoreReader(manifest.parent)
            if store.head.recipe_id == recipe.recipe_id:
                by_source.setdefault(store.head.source_id, store)
    return list(by_source.values())


def choose_store(
    stores: Sequence[StoreReader],
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
        fitting = [store for store in stores if store.head.source_id == wanted]
    else:
        fitting = [
            store
            for store in stores
            if (store.head.source_kind == "twin") == twin
            and (partial or not store.head.partial)
            and (twin_size is None or len(store) == twin_size)
        ]
        fitting = [store for store in fitting if store.head.source_kind == "published"] or fitting
    if len(fitting) == 1:
        return fitting[0]
    raise StoreNotFoundError(_several(fitting) if fitting else _none(stores, recipe, command))


def _source_id(recipe: Recipe, folder: Path) -> str:
    """Identity of the dataset's files in a folder, as preparing from it would record it."""
    dataset: Dataset = registry.datasets[recipe.dataset]
    try:
        root = dataset.find_root(folder)
    except SourceNotFoundError:
        if folder.is_dir() and all((folder / source.filename).is_file() for source in dataset.sources):
            return sources_id(dataset.sources)
        raise
    return folder_id(dataset, root, dataset.samples(root))


def _several(fitting: Sequence[StoreReader]) -> str:
    listed = "\n".join(f"  {store.path}" for store in fitting)
    way_out = "name the files (source), or open one by its folder"
    return f"{len(fitting)} stores fit, made from different files:\n{listed}\n{way_out}"


def _none(stores: Sequence[StoreReader], recipe: Recipe, command: str) -> str:
    identity = f"{recipe.name} {recipe.recipe_id[:12]}"
    message = f"no finished store of {recipe.dataset} by this recipe ({identity}); prepare it with\n  {command}"
    if stores:
        listed = "\n".join(f"  {store.path} ({_what_to_ask(store)})" for store in stores)
        message += f"\nnot asked for, but there:\n{listed}"
    return message


def _what_to_ask(store: StoreReader) -> str:
    if store.head.source_kind == "twin":
        return "a twin: ask for it with twin"
    return "a part of the dataset: ask for it with partial, or with source" if store.head.partial else "other files"
