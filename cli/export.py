"""neurodata export: a store as files that another library reads."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from .console import human_bytes, note, print_json, progress_bars
from .options import JsonOption


class Kind(StrEnum):
    """Layouts that can be written and read."""

    WEBDATASET = "webdataset"
    HDF5 = "hdf5"
    NPZ = "npz"
    SPIKINGJELLY = "spikingjelly"
    TONIC = "tonic"


def export(
    store: Annotated[str, typer.Argument(help="A store's folder or URL, as `neurodata prepare` prints it.")],
    to: Annotated[Kind, typer.Option("--to", help="The layout to write.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="The folder to make; needed without --dry-run.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="train, validation or test; all of the scheme if not given.")
    ] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help="The way to split; the store's default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how large it will be, and write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a store's samples in another library's layout; the folder appears when it is complete.

    Arrays keep their type and values, in every layout; a store of events gives events. `neurodata import` reads all of
    them back.

    Examples:

    neurodata export cache/stores/dvs-gesture/dvs-gesture-0123456789ab --to webdataset --out shards

    neurodata export STORE --to spikingjelly --out frames --split test

    neurodata export STORE --to hdf5 --dry-run
    """
    import neurodata
    from neurodata.adapters.exchange import LAYOUTS, estimate, export_store

    opened = neurodata.open_store(store)
    if dry_run:
        told = estimate(opened, to.value, split=split, scheme=scheme)
        facts = {"to": to.value, "samples": told.n_samples, "size_bytes": told.size_bytes}
        facts["keeps"] = LAYOUTS[to.value].lossless
        if json:
            print_json(facts)
        else:
            samples = ", ".join(f"{n:,} {part}" for part, n in told.n_samples.items())
            note(f"{to.value}: {samples}; about {human_bytes(told.size_bytes)} ({facts['keeps']})")
        return
    if out is None:
        raise typer.BadParameter("--out DIR is missing: the folder to make")
    with progress_bars() as progress:
        folder = export_store(opened, to.value, out, split=split, scheme=scheme, progress=progress)
    if json:
        print_json({"folder": str(folder), "to": to.value})
    else:
        print(folder)
