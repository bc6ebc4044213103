"""neurodata cache: what is kept on this machine, and how to delete or move it."""

from __future__ import annotations

import re
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import human_bytes, note, print_json
from .options import CacheOption, JsonOption

if TYPE_CHECKING:
    from neurodata.pipeline import CacheEntry
    from neurodata.storage import Location

cache = typer.Typer(no_args_is_help=False)


class Kind(StrEnum):
    """What a cache root holds."""

    STORES = "stores"
    DOWNLOADS = "downloads"
    RUNS = "runs"


YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


@cache.callback(invoke_without_command=True)
def list_all(context: typer.Context, cache: CacheOption = None, json: JsonOption = False) -> None:
    """List downloads, stores and runs with sizes and last use; rm, prune and mv look after them.

    Last use is when you opened a store last; of downloads and runs, when their newest file came.

    Examples: neurodata cache, neurodata cache --cache /shared/neurodata --json, neurodata cache prune --older-than 30d
    """
    from neurodata.storage import cache_root

    if context.invoked_subcommand is not None:
        context.obj = cache
        return
    root = cache_root(cache)
    entries = _entries(root)
    if json:
        print_json({"root": str(root), "entries": [_facts(entry) for entry in entries]})
        return
    note(f"{root}")
    for line in map(_line, entries):
        print(line)
    if not entries:
        note("nothing yet: try `neurodata prepare dvs-gesture --T 16 --twin`")


@cache.command(no_args_is_help=True)
def rm(
    context: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="As listed (stores/NAME where unclear), or a folder.")
    ],
    yes: YesOption = False,
    cache: CacheOption = None,
) -> None:
    """Delete downloads, stores or runs; asks first. What a run is working on, or is not neurodata's, stays.

    Downloads and stores may be behind a URL: neurodata cache rm NAME --cache s3://lab/neurodata

    Examples:

    neurodata cache rm n-mnist/n-mnist-0123456789ab

    neurodata cache rm downloads/n-mnist --yes
    """
    from neurodata.pipeline import check_removable, find_entry, removable_files
    from neurodata.storage import cache_root

    root = cache_root(cache or context.obj)
    entries = _entries(root)
    chosen = list({entry.path: entry for entry in (find_entry(entries, name, root) for name in names)}.values())
    for entry in chosen:
        if isinstance(root, Path):
            check_removable(entry, root)
        elif entry.kind == Kind.DOWNLOADS:
            removable_files(entry)
    _delete(chosen, root, yes)


@cache.command(no_args_is_help=True)
def prune(
    context: typer.Context,
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="Such as 12h, 30d or 8w.")],
    kind: Annotated[
        list[Kind] | None, typer.Option("--kind", help="What to look at, may be repeated; stores if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    yes: YesOption = False,
    cache: CacheOption = None,
) -> None:
    """Delete stores that you have not opened for longer than an age; asks first.

    How others used what is on a shared disk is not known here.

    Examples:

    neurodata cache prune --older-than 30d --dry-run

    neurodata cache prune --older-than 8w --kind stores --kind downloads
    """
    from neurodata.pipeline import unused_since
    from neurodata.storage import cache_root

    before_s = time.time() - _age_s(older_than)
    kinds = kind or [Kind.STORES]
    place = cache or context.obj
    root = cache_root(place) if kinds == [Kind.DOWNLOADS] else _root(place)
    chosen = unused_since(_entries(root), kinds, before_s)
    if not chosen:
        note(f"{root}: nothing that was unused for {older_than}")
    elif dry_run:
        _show(chosen)
        note(f"would delete {_sum(chosen)}; leave --dry-run out to do it")
    else:
        _delete(chosen, root, yes)


@cache.command(no_args_is_help=True)
def mv(
    context: typer.Context,
    store: Annotated[str, typer.Argument(help="As listed, or its folder.")],
    root: Annotated[str, typer.Argument(metavar="ROOT", help="Another cache root, a folder that is there.")],
    cache: CacheOption = None,
) -> None:
    """Move a finished store to another cache root; to another disk by a copy that is verified first.

    The new folder is printed on stdout. Name the root in NEURODATA_PATH for the store to be found there.

    Examples:

    neurodata cache mv n-mnist/n-mnist-0123456789ab /shared/neurodata
    """
    from neurodata.errors import StorageError
    from neurodata.pipeline import find_entry, list_cache, move_store
    from neurodata.storage import locate

    there = locate(root)
    if not isinstance(there, Path):
        raise StorageError(f"{there}: behind a URL: stores are moved between folders; copy this one by other means")
    here = _root(cache or context.obj)
    print(move_store(find_entry(list_cache(here), store, here), here, there))


def _entries(root: Location) -> list[CacheEntry]:
    from neurodata.pipeline import list_cache, list_remote_cache

    return list_cache(root) if isinstance(root, Path) else list_remote_cache(root)


def _root(cache: str | Path | None) -> Path:
    """The root, which has to be a folder: of stores behind a URL, last use is not known, and it has ways to move."""
    from neurodata.errors import StorageError
    from neurodata.storage import cache_root

    root = cache_root(cache)
    if not isinstance(root, Path):
        raise StorageError(
            f"{root}: behind a URL, where last use of stores is not known; `neurodata cache rm` deletes them by name, "
            "`prune --kind downloads` old downloads, and the tools of that storage move them"
        )
    return root


def _delete(chosen: list[CacheEntry], root: Location, yes: bool) -> None:
    from neurodata.errors import StorageError
    from neurodata.pipeline import remove_entry

    if not yes:
        _show(chosen)
        typer.confirm(f"delete {_sum(chosen)}?", abort=True, err=True)
    failed = False
    for entry in chosen:
        try:
            remove_entry(entry, root)
        except StorageError as error:
            failed = True
            note(f"neurodata: {error}")
        else:
            print(entry.path)
    if failed:
        raise typer.Exit(1)


def _show(entries: list[CacheEntry]) -> None:
    for line in map(_line, entries):
        note(line)


def _line(entry: CacheEntry) -> str:
    """Names are whole, however long: they are what rm and mv take."""
    known = entry.last_used_s is not None
    used = f"used {time.strftime('%Y-%m-%d', time.localtime(entry.last_used_s))}" if known else ""
    return f"{entry.kind:9}  {human_bytes(entry.size_bytes):>8}  {used:15}  {entry.state:10}  {entry.name}"


def _sum(entries: list[CacheEntry]) -> str:
    return f"{len(entries)} folders, {human_bytes(sum(entry.size_bytes for entry in entries))}"


def _facts(entry: CacheEntry) -> dict[str, object]:
    facts = {"kind": entry.kind, "name": entry.name, "path": str(entry.path), "size_bytes": entry.size_bytes}
    return facts | {"state": entry.state, "last_used_s": entry.last_used_s and round(entry.last_used_s)}


def _age_s(text: str) -> int:
    if not (age := re.fullmatch(r"(\d{1,6})([hdw])", text)):
        raise typer.BadParameter(f"--older-than {text}: expected a number of hours, days or weeks: 12h, 30d or 8w")
    return int(age[1]) * _SECONDS[age[2]]
