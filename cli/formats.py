"""neurodata formats: what can be read and written."""

from __future__ import annotations

from typing import Any

from .console import print_json
from .options import JsonOption


def formats(json: JsonOption = False) -> None:
    """List the file formats: what they hold, whether they are written too, their extensions.

    A file's format is found out from its content; `neurodata info FILE` says what it is.

    Examples: neurodata formats, neurodata formats --json
    """
    from neurodata import registry
    from neurodata.formats import CollectionFormat

    rows: list[dict[str, Any]] = []
    for name in registry.formats:
        found = registry.formats[name]
        rows.append(
            {
                "name": name,
                "holds": f"{'many ' if isinstance(found, CollectionFormat) else ''}{found.gives.__name__}",
                "written": found.write is not None,
                "extensions": list(found.extensions),
                "title": found.title,
            }
        )
    if json:
        print_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for holds in sorted({row["holds"] for row in rows}):
        print(f"{holds} (r: read, w: written)")
        for row in rows:
            if row["holds"] == holds:
                print(f"  {row['name']:<{width}}  {'rw' if row['written'] else 'r '}  {row['title']}")
