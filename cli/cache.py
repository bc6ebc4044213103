"""neurodata cache: what is kept on this machine."""

from __future__ import annotations

from .console import human_bytes, note, print_json, results
from .options import CacheOption, JsonOption


def cache(cache: CacheOption = None, json: JsonOption = False) -> None:
    """List downloads, stores and runs with their sizes.

    Examples: neurodata cache, neurodata cache --cache /shared/neurodata --json
    """
    from rich.table import Table

    from neurodata.pipeline import list_cache, list_remote_stores
    from neurodata.storage import RemotePath, cache_root

    root = cache_root(cache)
    entries = list_remote_stores(root) if isinstance(root, RemotePath) else list_cache(root)
    if json:
        listed = [
            {"kind": entry.kind, "path": str(entry.path), "size_bytes": entry.size_bytes, "state": entry.state}
            for entry in entries
        ]
        print_json({"root": str(root), "entries": listed})
        return
    note(f"{root}")
    table = Table(box=None, header_style="bold")
    for column in ("kind", "name", "size", "state"):
        table.add_column(column, no_wrap=True)
    for entry in entries:
        table.add_row(entry.kind, entry.name, human_bytes(entry.size_bytes), entry.state)
    results.print(table if entries else "nothing yet: try `neurodata prepare dvs-gesture --T 16 --twin`", crop=False)
