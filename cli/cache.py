"""neurodata cache: what is kept on this machine."""

from __future__ import annotations

from .console import human_bytes, note, print_json
from .options import CacheOption, JsonOption


def cache(cache: CacheOption = None, json: JsonOption = False) -> None:
    """List downloads, stores and runs with their sizes.

    Examples: neurodata cache, neurodata cache --cache /shared/neurodata --json
    """
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
    if not entries:
        print("nothing yet: try `neurodata prepare dvs-gesture --T 16 --twin`")
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        line = f"{entry.kind:<9}  {entry.name:<{width}}  {human_bytes(entry.size_bytes):>8}  {entry.state}"
        print(line.rstrip())
