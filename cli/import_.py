"""neurodata import: frames or events that lie in another layout as a store."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from .console import note, print_json, progress_bars
from .export import Kind
from .options import CacheOption, JsonOption


class FrameLayout(StrEnum):
    """How a store keeps frames; events are kept as events."""

    DENSE = "dense"
    SPARSE = "sparse"


def import_(
    path: Annotated[str, typer.Argument(help="A folder or file: of `neurodata export`, or made elsewhere.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the dataset; the export's or the folder's.")] = None,
    kind: Annotated[Kind | None, typer.Option("--from", help="The layout; found out if not given.")] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B,...", help="Names of the classes by label.")
    ] = None,
    axes: Annotated[
        str | None, typer.Option("--axes", metavar="A,B,...", help="Names of the axes: time,channel,y,x.")
    ] = None,
    layout: Annotated[
        FrameLayout | None, typer.Option("--layout", help="Of frames; the export's, else dense, if not given.")
    ] = None,
    samples_per_shard: Annotated[int, typer.Option("--samples-per-shard", min=1, help="Samples in one file.")] = 64,
    cache: CacheOption = None,
    json: JsonOption = False,
) -> None:
    """Make a store of frames (or events) that were made elsewhere; they are stored as they are.

    WebDataset's .tar, HDF5, .npz files, SpikingJelly's folders of frames and tonic's cache. Partitions are told by the
    names of folders and files. The store's folder is printed on stdout; `neurodata train` and the others take it.

    Examples:

    neurodata import shards --name my-gestures

    neurodata import frames_number_16_split_by_number --from spikingjelly --name dvs-gesture-of-spikingjelly

    neurodata import made.h5 --classes left,right --axes time,channel,y,x
    """
    from neurodata.adapters.exchange import import_samples

    with progress_bars() as progress:
        store = import_samples(
            path,
            name=name,
            kind=kind and kind.value,
            classes=_words(classes),
            axes=_words(axes),
            layout=layout and layout.value,
            samples_per_shard=samples_per_shard,
            cache=cache,
            progress=progress,
            on_wait=note,
        )
    note(
        f"imported {store.head.dataset}: {len(store):,} samples of {len(store.head.classes)} classes, {store.contents}"
    )
    if json:
        print_json({"store": str(store.path), "samples": len(store), "classes": list(store.head.classes)})
    else:
        print(store.path)


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]
