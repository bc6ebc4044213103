"""neurodata verify: is a store what its manifest says?"""

from __future__ import annotations

from typing import Annotated

import typer

from .console import note, print_json, progress_bars
from .options import JsonOption, without_password


def verify(
    store: Annotated[
        str, typer.Argument(help="A store's folder, or its URL where files can be listed (s3://, gs://).")
    ],
    deep: Annotated[bool, typer.Option("--deep", help="Also check every byte and decode every sample.")] = False,
    json: JsonOption = False,
) -> None:
    """Check a store against its manifest; exit code 1 when anything is wrong.

    Files and their sizes, files that do not belong there, the sample table, indexes, and that all events are accounted
    for; with --deep every checksum and every sample, and that the commit records add up to the manifest.

    Examples:

    neurodata verify cache/stores/dvs-gesture/dvs-gesture-0123456789ab --deep

    neurodata verify s3://lab/neurodata/dvs-gesture-0123456789ab
    """
    from neurodata.store import verify as verify_store

    with progress_bars() as progress:
        found = verify_store(store, deep=deep, progress=progress)
    place = without_password(store)
    if json:
        print_json(
            {"store": place, "ok": found.ok, "files": found.n_files, "samples": found.n_samples}
            | {"problems": list(found.problems)}
        )
    else:
        for problem in found.problems:
            print(problem)
    if not found.ok:
        n_problems = len(found.problems)
        # Where no manifest was read, the problem says what to do: no store, an unfinished one, another version's.
        way_out = f"; `neurodata repair {place}` makes what is damaged again" if found.n_files else ""
        note(f"{place}: {n_problems} problem{'s' * (n_problems > 1)}{way_out}")
        raise typer.Exit(1)
    note(f"{place}: {found.n_files} files, {found.n_samples:,} samples, {'every byte' if deep else 'sizes'} right")
