"""neurodata verify: is a store what its manifest says?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import note, print_json, progress_bars
from .options import JsonOption


def verify(
    store: Annotated[Path, typer.Argument(help="A store's folder.")],
    deep: Annotated[bool, typer.Option("--deep", help="Also check every byte and decode every sample.")] = False,
    json: JsonOption = False,
) -> None:
    """Check a store against its manifest; exit code 1 when anything is wrong.

    Example: neurodata verify cache/stores/dvs-gesture/dvs-gesture-0123456789ab --deep
    """
    from neurodata.store import verify as verify_store

    with progress_bars() as progress:
        found = verify_store(store, deep=deep, progress=progress)
    if json:
        print_json(
            {"store": str(store), "ok": found.ok, "files": found.n_files, "samples": found.n_samples}
            | {"problems": list(found.problems)}
        )
    else:
        for problem in found.problems:
            print(problem)
    if not found.ok:
        note(f"{store}: {len(found.problems)} problems; prepare it again with --force")
        raise typer.Exit(1)
    note(f"{store}: {found.n_files} files, {found.n_samples:,} samples, {'every byte' if deep else 'sizes'} right")
