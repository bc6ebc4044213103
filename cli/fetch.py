"""neurodata fetch: download a dataset's published files."""

from __future__ import annotations

from .console import note, print_json, progress_bars
from .options import CacheOption, DatasetName, JsonOption


def fetch(dataset: DatasetName, cache: CacheOption = None, json: JsonOption = False) -> None:
    """Download the published files of a dataset, resuming where a download stopped, and verify them.

    `prepare` does this by itself; use it to fetch on one machine and prepare on another.

    Example: neurodata fetch n-mnist
    """
    from neurodata import registry
    from neurodata.datasets import fetch as fetch_files
    from neurodata.storage import local_root

    with progress_bars() as progress:
        paths = fetch_files(registry.datasets[dataset], local_root(cache), progress=progress)
    note(f"{dataset}: {len(paths)} files, checksums right")
    if json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            print(path)
