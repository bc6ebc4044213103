"""neurodata fetch: download a dataset's published files."""

from __future__ import annotations

from .console import note, print_json, progress_bars
from .options import CacheOption, DatasetName, JsonOption


def fetch(dataset: DatasetName, cache: CacheOption = None, json: JsonOption = False) -> None:
    """Download the published files of a dataset, resuming where a download stopped, and verify them.

    `prepare` does this by itself; use it to fetch on one machine and prepare on another. Where --cache is a URL, the
    files are kept there, too, and fetched from there by the next machine.

    Examples: neurodata fetch n-mnist, neurodata fetch n-mnist --cache s3://lab/neurodata
    """
    from neurodata import registry
    from neurodata.datasets import fetch as fetch_files

    with progress_bars() as progress:
        paths = fetch_files(registry.datasets[dataset], cache, progress=progress)
    note(f"{dataset}: {len(paths)} files, checksums right")
    if json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            print(path)
