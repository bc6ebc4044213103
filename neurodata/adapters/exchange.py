"""Stores to other libraries' layouts on disk, and samples that were made elsewhere to stores.

    from neurodata.adapters.exchange import export_store, import_samples

    export_store(store, "webdataset", "shards")
    store = import_samples("shards", name="my-frames")

An export holds `neurodata.json`, which says what it is; files without it are read as far as they tell. The layouts are
described in `docs/exchange.md`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from neurodata.adapters._hdf5_file import LAYOUT as HDF5
from neurodata.adapters._importing import write_store
from neurodata.adapters._incoming import Incoming
from neurodata.adapters._labels import plain
from neurodata.adapters._map import MapStyle, item_of, length_of
from neurodata.adapters._npz_folder import LAYOUT as NPZ
from neurodata.adapters._npz_folder import SPIKINGJELLY
from neurodata.adapters._passing import CARD, FRAMES, Layout, Passing, outgoing, read_card
from neurodata.adapters._tonic_cache import LAYOUT as TONIC
from neurodata.adapters._webdataset import LAYOUT as WEBDATASET
from neurodata.datasets import PARTITIONS, Partition
from neurodata.errors import (
    FormatError,
    LoaderError,
    NeurodataError,
    SourceNotFoundError,
    StorageError,
    UnknownNameError,
)
from neurodata.loader import Split, Store
from neurodata.progress import Progress, silent
from neurodata.storage import exclusive, is_url, locate, write_json

LAYOUTS: dict[str, Layout] = {
    "webdataset": WEBDATASET,
    "hdf5": HDF5,
    "npz": NPZ,
    "spikingjelly": SPIKINGJELLY,
    "tonic": TONIC,
}
# A folder that is being written to, for the one of the name in it.
_STAGING = re.compile(r"\.(.+?)(?:\.[0-9a-f]{8})?\.exporting")
# Samples that an estimate is made from.
N_MEASURED = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an export will take: samples by split, and bytes, worked out from a few samples of each split."""

    n_samples: dict[str, int]
    size_bytes: int


def export_store(
    store: Store | Split,
    to: str,
    out: str | Path,
    *,
    split: str | None = None,
    scheme: str | None = None,
    progress: Progress = silent,
) -> Path:
    """Write the samples of a store as files that another library reads.

    Parameters
    ----------
    store
        Of frames, or of events, which stay events. Or a split of one, which may be selected, carved, of some classes,
        or have a view: what that makes of events in epoch 0 is written then.
    to
        "webdataset", "hdf5", "npz", "spikingjelly" or "tonic".
    out
        The folder to make; it appears when it is complete.
    split
        One partition; all that the scheme has when None.
    scheme
        The way to split; the store's default when None.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UnknownNameError
        When there is no such layout, partition or scheme.
    FormatError
        When the layout cannot hold the samples.
    StorageError
        When the folder is there already, or cannot be written.
    """
    target = local(out, "files are exported to a disk: name a folder, and copy that")
    splits = splits_of(store, split, scheme)
    with _appearing(target) as folder:
        total = sum(map(len, splits))
        done = count()

        def on_sample() -> None:
            progress("export", next(done), total, "samples")

        for one in splits:
            _write(folder, to, one, on_sample)
        on_sample()
        write_json(folder / CARD, _card(to, splits))
    return target


def estimate(store: Store | Split, to: str, *, split: str | None = None, scheme: str | None = None) -> Estimate:
    """How large an export will be, by exporting a few samples into a temporary folder.

    Raises
    ------
    UnknownNameError, FormatError
        As `export_store`.
    """
    n_bytes = 0.0
    splits = splits_of(store, split, scheme)
    for one in splits:
        some = one.select(np.unique(np.linspace(0, len(one) - 1, min(N_MEASURED, len(one))).astype(np.int64)))
        with (
            _disk_named(Path(tempfile.gettempdir())),
            tempfile.TemporaryDirectory(prefix="neurodata-export-") as folder,
        ):
            _write(Path(folder), to, some)
            n_bytes += _size_bytes(Path(folder)) * len(one) / len(some)
    return Estimate({one.origin.partition: len(one) for one in splits}, round(n_bytes))


def splits_of(store: Store | Split, split: str | None, scheme: str | None) -> list[Split]:
    """The split that is named, or all that hold samples.

    Raises
    ------
    UnknownNameError, LoaderError
        As `Store.split`; also when a split is given that is to be split.
    """
    if isinstance(store, Split):
        if split is not None or scheme is not None:
            raise LoaderError(f"{store!r} is one split already: leave split and scheme out")
        return [store]
    if split is not None:
        return [store.split(split, scheme=scheme)]
    index = store.schemes.get(scheme or store.head.default_scheme)
    if index is None:
        store.split("train", scheme=scheme)  # says which there are
    assert index is not None
    found = [store.split(part, scheme=scheme) for part in PARTITIONS if len(index[part])]
    if not found:
        raise LoaderError(f"{store.path}: no samples in scheme {scheme or store.head.default_scheme}")
    return found


def import_samples(
    path: str | Path,
    *,
    name: str | None = None,
    kind: str | None = None,
    classes: Sequence[str] | None = None,
    axes: Sequence[str] | None = None,
    layout: str | None = None,
    samples_per_shard: int = 64,
    cache: str | Path | None = None,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Store:
    """Make a store of frames, or events, that lie in files of another layout; they are stored as they are.

    Parameters
    ----------
    path
        A folder, or a file: what `export_store` wrote, or others did. Partitions are told by the names of folders and
        files ("train/...", "test-000001.tar"); samples that tell none are for training.
    name
        Of the dataset; as the export says, or the folder's, when None.
    kind
        The layout; found out when None.
    classes
        Names of the classes by label; as the export says, or as labels tell, when None.
    axes
        Names of the axes of frames, such as ("time", "channel", "y", "x").
    layout
        "dense" or "sparse"; as the export says, or dense where frames are of one shape, when None.
    samples_per_shard
        Samples in one file of the store.
    cache
        Root of stores, as for `neurodata.prepare`.
    on_wait
        Called with a sentence when another run is importing the same.

    Returns
    -------
    Store
        One that holds the same samples already is opened, and nothing is written.

    Raises
    ------
    SourceNotFoundError
        When there is nothing at the path.
    FormatError
        When files are of no known layout, damaged, or their samples do not go together.
    StorageError
        When the store cannot be written.
    """
    place = local(path, "files are imported from a disk: copy them to one")
    if not place.exists():
        raise SourceNotFoundError(f"{place}: no such file or folder")
    if _STAGING.fullmatch(place.name):
        raise FormatError(f"{place}: an export that was not finished: run it again, which deletes this folder")
    card = read_card(place)
    found = kind or (card and str(card.get("kind"))) or _kind_of(place)
    reader = layout_named(found)

    def samples() -> Iterator[tuple[Partition, Passing]]:
        try:
            yield from reader.read(place)
        except OSError as error:
            if isinstance(error, NeurodataError):
                raise
            raise StorageError(f"{place}: cannot be read: {error.strerror or error}") from error

    called = _name_of(place, card) if name is None else name
    incoming = Incoming(str(place), found, called, samples, card, classes, axes, is_part=place.is_file())
    return Store(write_store(incoming, layout, samples_per_shard, cache, progress, on_wait))


def import_dataset(
    train: MapStyle,
    test: MapStyle | None = None,
    validation: MapStyle | None = None,
    *,
    name: str,
    classes: Sequence[str] | None = None,
    axes: Sequence[str] | None = None,
    layout: str | None = None,
    samples_per_shard: int = 64,
    cache: str | Path | None = None,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Store:
    """Make a store of a map-style dataset, torch's or tonic's, that gives (frames, label); stored as they are.

    Items are read twice: to see what they are, and to store them. They must be the same both times.

    Parameters
    ----------
    train, test, validation
        Frames are arrays or tensors [T, C, H, W]; labels whole numbers or names.
    name, classes, axes, layout, samples_per_shard, cache, progress, on_wait
        As for `import_samples`.

    Raises
    ------
    FormatError
        When an item is no pair, or frames do not go together.
    StorageError
        When the store cannot be written.
    """
    given: dict[Partition, MapStyle | None] = {"train": train, "validation": validation, "test": test}

    def samples() -> Iterator[tuple[Partition, Passing]]:
        for part, data in given.items():
            for k in range(0 if data is None else length_of(data, f"{name}: {part}")):
                yield part, _item(name, data, part, k)

    incoming = Incoming(name, "map", name, samples, None, classes, axes)
    return Store(write_store(incoming, layout, samples_per_shard, cache, progress, on_wait))


def layout_named(name: str) -> Layout:
    """One of `LAYOUTS`.

    Raises
    ------
    UnknownNameError
        When there is none of that name.
    """
    if name not in LAYOUTS:
        raise UnknownNameError(f"no layout {name!r}; there is {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def local(place: str | Path, way_out: str) -> Path:
    """A path on a disk, absolute.

    Raises
    ------
    StorageError
        When it is a URL other than file://, or begins with a user (~name) whom this machine does not know.
    """
    try:
        found = locate(place) if is_url(str(place)) else Path(place).expanduser().absolute()
    except RuntimeError as error:
        raise StorageError(f"{place}: there is no such user on this machine; name a folder") from error
    if not isinstance(found, Path):
        raise StorageError(f"{found}: {way_out}")
    return found


def _item(name: str, data: Any, part: Partition, k: int) -> Passing:
    frames, label = item_of(data, k, f"{name}: item {k} of {part}")
    found = plain(label)
    if not isinstance(found, int | str):
        raise FormatError(f"{name}: item {k} of {part} has the label {found!r}; expected a whole number or a name")
    try:
        array = np.asarray(frames)
    except Exception as error:
        raise FormatError(f"{name}: item {k} of {part}: {type(frames).__name__} is no array: {error}") from error
    return Passing(f"{part}/{k}", found, "", {FRAMES: array})


def _write(folder: Path, to: str, split: Split, on_sample: Callable[[], None] = lambda: None) -> None:
    common, samples = outgoing(split)

    def told() -> Iterator[Passing]:
        for sample in samples():
            on_sample()
            yield sample

    layout_named(to).write(folder, common, told())


def _card(to: str, splits: Sequence[Split]) -> dict[str, Any]:
    first = splits[0]
    store, head, scheme = first.store, first.store.head, first.origin.scheme
    written = {one.origin.partition: len(one) for one in splits}
    return {
        "version": 1,
        "kind": to,
        "dataset": head.dataset,
        "recipe": dict(head.recipe),
        "recipe_id": head.recipe_id,
        "source_id": head.source_id,
        "source_kind": head.source_kind,
        # Also where a split, or samples that are in none, are left out.
        "partial": head.partial or sum(written.values()) < len(store),
        "scheme": {"name": scheme, "description": store.schemes[scheme].description},
        "counts": {part: written.get(part, 0) for part in PARTITIONS},
        "classes": list(first.classes),
        "content": head.to_json() | {"layout": _content(first)},
    }


def _content(split: Split) -> dict[str, Any]:
    """The layout of the store; of frames that a view makes, what is said of them."""
    layout = split.store.head.layout.to_json()
    if split.source.view is None:
        return layout
    spec = split.spec
    shape = [0 if spec.has_variable_steps else spec.shape[0], *spec.shape[1:]] if spec.shape else []
    return {name: layout[name] for name in ("targets",) if name in layout} | {
        "shape": shape,
        "dtype": spec.dtype.name,
        "axes": list(spec.axes),
    }


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A folder that appears under its name when the block ends without an error."""
    if os.path.lexists(target):
        raise StorageError(f"{target}: is there already; name another folder, or delete it first")
    # A run that slept for so long that another took over must not write into what that one writes.
    staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}.exporting")
    lock = target.with_name(f".{target.name}.lock")
    with exclusive(lock, f"exporting to {target.name}") as lease, _disk_named(target):
        try:
            for left in target.parent.iterdir():  # of runs that were killed
                if (name := _STAGING.fullmatch(left.name)) and name[1] == target.name:
                    shutil.rmtree(left, ignore_errors=True)
            staging.mkdir()
            yield staging
            lease.check()
            if os.path.lexists(target):
                raise StorageError(f"{target}: another run wrote it meanwhile; what this one wrote is deleted")
            staging.replace(target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


@contextmanager
def _disk_named(place: Path) -> Iterator[None]:
    """Turns what the system refuses into a StorageError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NeurodataError):
            raise
        raise StorageError(
            f"{place}: cannot be written: {error.strerror or error}; choose another place, or free some space"
        ) from error


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _kind_of(path: Path) -> str:
    kinds = [name for name, layout in LAYOUTS.items() if layout.recognises(path)]
    # Files of tonic's cache are HDF5 as well.
    kind = "tonic" if "tonic" in kinds else kinds[0] if len(kinds) == 1 else None
    if kind is None:
        found = f"files of several ({', '.join(kinds)})" if kinds else "no .tar, .h5, .npz or tonic's .hdf5 files"
        raise FormatError(f"{path}: holds {found}; say the layout: kind= (--from) is one of {', '.join(LAYOUTS)}")
    return kind


def _name_of(path: Path, card: dict[str, Any] | None) -> str:
    return str(card["dataset"]) if card and card.get("dataset") else path.name.split(".")[0]
